/* SPDX-License-Identifier: MIT */
/*
 * lc and wlc: least connections as IPVS counts them (Linux net/netfilter/ipvs/ip_vs_lc.c, ip_vs_wlc.c):
 * an active connection weighs overhead_mul inactive ones; ties go to the first in the list, newest
 * first. wlc divides by the weight. They read every server's counters: O(n).
 */
#include "libsched/algos.h"
#include "libsched/least.h"

static ssize_t lc_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	uint64_t least = UINT64_MAX;
	ssize_t best = -1;

	(void)cursor;
	for (size_t i = 0; i < s->n && least; i++) { /* nobody has less than nothing */
		uint64_t load;

		if (!query_eligible(q, i))
			continue;
		load = ipvs_overhead(s, i);
		if (load < least) {
			least = load;
			best = (ssize_t)i;
		}
	}
	return best;
}

static bool lc_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		     size_t place, double *ret)
{
	(void)cursor;
	(void)q;
	*ret = (double)ipvs_overhead(s, place);
	return true;
}

static ssize_t wlc_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	(void)s;
	(void)cursor;
	return least_by_weight(q, ipvs_overhead);
}

static bool wlc_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		      size_t place, double *ret)
{
	(void)cursor;
	(void)q;
	*ret = (double)ipvs_overhead(s, place) / s->at[place].weight;
	return true;
}

const struct lb_algo algo_lc = {
    .size = sizeof(algo_lc),
    .name = "lc",
    .flags = LB_ALGO_NEWEST_FIRST,
    .pick = lc_pick,
    .score = lc_score,
};

const struct lb_algo algo_wlc = {
    .size = sizeof(algo_wlc),
    .name = "wlc",
    .flags = LB_ALGO_NEWEST_FIRST,
    .pick = wlc_pick,
    .score = wlc_score,
};
