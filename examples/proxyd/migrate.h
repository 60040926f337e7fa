/* SPDX-License-Identifier: MIT */
/* --migrate: the configuration as one writes it today; what is not old, comments too, stays as it is. */
#ifndef PROXYD_MIGRATE_H
#define PROXYD_MIGRATE_H

#include <stdio.h>

#include "cfg/cfg.h"

struct migrate;

/* NULL: no memory. */
struct migrate *migrate_new(void);
void migrate_free(struct migrate *m);

/* Is the `upgraded` of cfg_load, with `m` as userdata. */
void migrate_note(void *m, const char *file, unsigned first, unsigned last,
		  const struct upgrade *u);

/* Prints the files that were read. 0 or -errno: a file is gone, no memory, nobody reads. */
int migrate_print(const struct migrate *m, const struct cfg *cfg, FILE *to);

#endif
