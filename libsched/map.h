/* SPDX-License-Identifier: MIT */
/*
 * HAProxy's map (static_rr.c): as many entries as the weights over their greatest common divisor sum up to.
 * A picker walks through it, or a key chooses the entry.
 */
#ifndef LIBSCHED_MAP_H
#define LIBSCHED_MAP_H

#include "libsched/snapshot.h"

struct map {
	uint32_t n; /* 0: nobody may be chosen */
	uint32_t place[];
};

/* Where a picker is: the entry to come. */
struct map_walk {
	uint32_t next;
};

size_t map_size(const struct lb_snapshot *s);
int map_build(const struct lb_snapshot *s, struct map *map);

/* The next entry whose server may be chosen, or -1. */
ssize_t map_step(const struct map *map, struct map_walk *w, const struct lb_query *q);

#endif
