/* SPDX-License-Identifier: MIT */
/*
 * fo and ovf: weighted failover and overflow, as IPVS has them (Linux net/netfilter/ipvs/ip_vs_fo.c,
 * ip_vs_ovf.c). The greatest weight takes everything, the first in the list among equals, newest first;
 * with ovf the weight is a capacity as well, and what is beyond it goes to the next. O(n).
 */
#include "libsched/algos.h"
#include "libsched/snapshot.h"

/* The kernel compares before it counts, so one more than the weight fits. */
static bool has_room(const struct lb_snapshot *s, size_t place)
{
	return snap_count(s, place, LB_COUNTER_ACTIVE) <= s->at[place].weight;
}

static inline ssize_t heaviest(const struct lb_query *q, bool with_room)
{
	const struct lb_snapshot *s = q->snap;
	uint32_t weight = 0;
	ssize_t best = -1;

	for (size_t i = 0; i < s->n && weight < s->max_weight; i++) {
		if (s->at[i].weight > weight && query_eligible(q, i) &&
		    (!with_room || has_room(s, i))) {
			weight = s->at[i].weight;
			best = (ssize_t)i;
		}
	}
	return best;
}

static ssize_t fo_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	(void)s;
	(void)cursor;
	return heaviest(q, false);
}

static ssize_t ovf_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	(void)s;
	(void)cursor;
	return heaviest(q, true);
}

const struct lb_algo algo_fo = {
    .size = sizeof(algo_fo),
    .name = "fo",
    .flags = LB_ALGO_NEWEST_FIRST,
    .pick = fo_pick,
};

const struct lb_algo algo_ovf = {
    .size = sizeof(algo_ovf),
    .name = "ovf",
    .flags = LB_ALGO_NEWEST_FIRST,
    .pick = ovf_pick,
};
