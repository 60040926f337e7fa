/* SPDX-License-Identifier: MIT */
/* The scan that IPVS's weighted least-load schedulers share: least load / weight, the first among equals. */
#ifndef LIBSCHED_LEAST_H
#define LIBSCHED_LEAST_H

#include "libsched/snapshot.h"

/*
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
