/* SPDX-License-Identifier: MIT */
/*
 * Which names are taken, each within its scope: the frontends, the backends, the servers of one backend.
 * A hash table in the configuration's memory, so that 33,000 sections load as fast as they are read.
 */
#ifndef PROXYD_CFG_NAMES_H
#define PROXYD_CFG_NAMES_H

#include "cfg/cfg.h"

extern const char cfg_scope_frontend, cfg_scope_backend; /* their addresses count; else a proxy */

/* NULL: nothing has that name. */
void *cfg_names_find(const struct cfg *c, const void *scope, const char *name);

/* Who has the name: `object` from now on, or the one that had it before. `name` lives as long as `c`. NULL: no memory. */
void *cfg_names_take(struct cfg *c, const void *scope, const char *name, void *object);

#endif
