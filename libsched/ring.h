/* SPDX-License-Identifier: MIT */
/*
 * A ring of points, each a server's: for consistent hashing (Karger et al., "Consistent Hashing and Random
 * Trees", STOC 1997). The points lie sorted in one array; an index by the upper bits of the hash, with
 * about as many entries as there are points, leads to the right one in a step or two.
 */
#ifndef LIBSCHED_RING_H
#define LIBSCHED_RING_H

#include "libsched/snapshot.h"

#define RING_POINTS_MAX \
	(UINT32_C(1) << 22) /* more are halved until they fit: 12 to 16 bytes each */

struct ring_point {
	uint32_t hash, place;
};

struct ring {
	uint32_t n;
	uint32_t shift; /* hash >> shift is the index entry */
	struct ring_point at[];
	/* and behind them the index: the first point of each entry, one more for the end */
};

/* Who is on it, and where. */
struct ring_rule {
	/* How many points a place has; 0: it is not on the ring. */
	uint64_t (*count_of)(const struct lb_snapshot *s, size_t place);
	/* Calls put() for the first n points of a place. */
	void (*points_of)(const struct lb_snapshot *s, size_t place, uint32_t n,
			  void (*put)(struct ring *r, uint32_t hash, uint32_t place),
			  struct ring *r);
};

size_t ring_size(const struct lb_snapshot *s, const struct ring_rule *rule);
void ring_build(const struct lb_snapshot *s, const struct ring_rule *rule, struct ring *r);

static inline const uint32_t *ring_index(const struct ring *r)
{
	return (const uint32_t *)(r->at + r->n);
}

/* The number of the first point at or after the hash; r->n when there is none, or 0 on an empty ring. */
static inline uint32_t ring_after(const struct ring *r, uint32_t hash)
{
	uint32_t i;

	if (!r->n)
		return 0;
	i = ring_index(r)[hash >> r->shift];
	while (i < r->n && r->at[i].hash < hash)
		i++;
	return i;
}

/* The first point from this one on, going round, whose server may be chosen, or r->n. */
static inline uint32_t ring_eligible_from(const struct ring *r, uint32_t i,
					  const struct lb_query *q)
{
	for (uint32_t seen = 0; seen < r->n; seen++, i++) {
		if (i >= r->n)
			i = 0;
		if (query_eligible(q, r->at[i].place))
			return i;
	}
	return r->n;
}

#endif
