/* SPDX-License-Identifier: MIT */
/* Where and when a process runs, as global_defs says. */
#ifndef VIPD_SCHEDULE_H
#define VIPD_SCHEDULE_H

#include "conf.h"

/* Before privileges are dropped. What is not allowed is said and left. */
void schedule_apply(const struct conf_schedule *s, const char *what);

#endif
