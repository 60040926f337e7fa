/* SPDX-License-Identifier: MIT */
/*
 * nginx's smooth weighted round robin (smooth_wrr.c), which its other algorithms fall back to: at each pick
 * every server that may be chosen gains its weight, the first with the most is chosen and pays what all
 * gained.
 */
#ifndef LIBSCHED_SMOOTH_H
#define LIBSCHED_SMOOTH_H

#include "libsched/snapshot.h"

/* The cursor: what each place has gained. */
struct smooth {
	int64_t gained;
};

size_t smooth_size(const struct lb_snapshot *s);
void smooth_adopt(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		  const void *old_cursor);
ssize_t smooth_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q);

#endif
