/* SPDX-License-Identifier: MIT */
/*
 * Another program takes this process over (execve), with all that is known of the configuration's objects:
 * nobody outside notices. What it needs to know goes by names, as JSON in an unnamed file, so that old and
 * new need not agree on any structure.
 */
#ifndef VIPD_UPGRADE_H
#define VIPD_UPGRADE_H

#include "supervisor/state.h"

/* When vrrp, health and kernel have ended: becomes s->upgrade. Returns only when that fails: -errno, said. */
int upgrade_exec(struct supervisor *s);

/* At the start: what a predecessor left for this process; NULL: there was none. A new reference. */
json_t *upgrade_state(void);
/* Its pid file, which this process has locked already; -1: none. */
int upgrade_pid_fd(const json_t *state);
/* When everything is made, before the other processes start. */
void upgrade_take(struct supervisor *s, const json_t *state);

/* vipd --upgrade: asks the running one to become this program. An exit code. */
int upgrade_ask(const struct options *o);

#endif
