/* SPDX-License-Identifier: MIT */
/* What IPVS's least-load schedulers share: the load, and the scan for the least. */
#ifndef LIBSCHED_LEAST_H
#define LIBSCHED_LEAST_H

#include "libsched/snapshot.h"

/* An active connection weighs overhead_mul inactive ones. */
static inline uint64_t ipvs_overhead(const struct lb_snapshot *s, size_t place)
{
	return (uint64_t)snap_count(s, place, LB_COUNTER_ACTIVE) * s->setup.opts.overhead_mul +
	       snap_count(s, place, LB_COUNTER_INACTIVE);
}

/*
 * Least load / weight, the first among equals.
 * a/wa < b/wb without dividing: a load is at most 1025 times 32 bits, weights have 16 bits, so 64 bits
 * hold it. Inline, so that `load` is no call.
 */
static inline ssize_t least_by_weight(const struct lb_query *q,
				      uint64_t (*load)(const struct lb_snapshot *s, size_t place))
{
	const struct lb_snapshot *s = q->snap;
	uint64_t least = UINT64_MAX, weight = 0;
	ssize_t best = -1;

	for (size_t i = 0; i < s->n && least; i++) { /* nobody has less than nothing */
		uint64_t mine;

		if (!query_eligible(q, i))
			continue;
		mine = load(s, i);
		if (best < 0 || mine * weight < least * s->at[i].weight) {
			least = mine;
			weight = s->at[i].weight;
			best = (ssize_t)i;
		}
	}
	return best;
}

#endif
