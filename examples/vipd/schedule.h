/* SPDX-License-Identifier: MIT */
/* Where and when a process runs, as global_defs says. */
#ifndef VIPD_SCHEDULE_H
#define VIPD_SCHEDULE_H

#include <sys/types.h>

#include "conf/conf.h"

/* Before privileges are dropped. What is not allowed is said and left. */
void schedule_apply(const struct conf_schedule *s, const char *what);

/*
 * max_auto_priority: was a timer served too late? Once for each delay, for which many timers may have waited: *said_ns
 * is when it was said last, 0 at first.
 */
bool schedule_is_late(const struct conf_schedule *s, uint64_t now_ns, uint64_t late_ns,
		      uint64_t *said_ns);

/* Then the supervisor, which may, raises the priority of that process. */
void schedule_raise(const struct conf_schedule *s, pid_t pid, const char *name, int late_ms);

#endif
