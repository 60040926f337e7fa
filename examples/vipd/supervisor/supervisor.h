/* SPDX-License-Identifier: MIT */
/* The process that starts, stops and restarts the others, and runs scripts. See README.md. */
#ifndef VIPD_SUPERVISOR_H
#define VIPD_SUPERVISOR_H

#include "options.h"

/* Returns the exit code. `argv` becomes the title of the processes. */
int supervisor_run(struct options *o, int argc, char **argv);

#endif
