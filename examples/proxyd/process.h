/* SPDX-License-Identifier: MIT */
/* What the daemon is to the system: limits, user, background, pid file, service manager. */
#ifndef PROXYD_PROCESS_H
#define PROXYD_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "cfg/cfg.h"

/*
 * How many connections fit (two descriptors each), and raises the limit of descriptors for them as
 * far as allowed. `wanted` 0: as many as the hard limit holds. Tells when it is fewer; 0: by strict-limits that is
 * an error.
 */
unsigned process_maxconn(const struct cfg_global *g, unsigned wanted, size_t other_descriptors);

/* Raises the limit of descriptors by `n`, as far as allowed. */
void process_add_descriptors(size_t n);

/* Gives up root for global's uid and gid, keeping the right to bind low ports. 0 or -errno. */
int process_drop_root(const struct cfg_global *g);

/* set-dumpable, after that: a crash leaves a core file. Told when the system does not allow it. */
void process_allow_dump(void);

/*
 * Forks. The parent stays until process_detach of the child, then ends with 0; with 1 when the child
 * ends before. 0 or -errno, in the child.
 */
int process_daemonize(int *ret_ready);

/* All is well: leaves the terminal and lets the parent end. 0 or -errno. */
int process_detach(int ready);

/* 0 or -errno. */
int process_write_pid(const char *path);

/* How many CPUs this process may run on, at most CFG_THREADS_MAX. */
unsigned process_cpus(void);

#endif
