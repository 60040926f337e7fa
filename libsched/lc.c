/* SPDX-License-Identifier: MIT */
/*
 * lc and wlc: least connections as IPVS counts them (Linux net/netfilter/ipvs/ip_vs_lc.c, ip_vs_wlc.c):
 * an active connection weighs overhead_mul inactive ones; ties go to the first in the list, newest
 * first. wlc divides by the weight. O(log n), see least.h.
 */
#include "libsched/algos.h"
#include "libsched/least.h"
#include "libsched/overhead.h"

static uint64_t lc_key(const struct lb_snapshot *s, size_t place, const struct least *t,
		       struct least_seen seen)
{
	return ipvs_overhead_of(s, seen.active, seen.inactive);
}

static uint64_t wlc_key(const struct lb_snapshot *s, size_t place, const struct least *t,
			struct least_seen seen)
{
	return least_quotient(s, place, t, ipvs_overhead_of(s, seen.active, seen.inactive));
}

static bool lc_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		     size_t place, double *ret)
{
	const struct least_seen seen = least_seen(cursor)[place];

	*ret = (double)ipvs_overhead_of(s, seen.active, seen.inactive);
	return true;
}

static bool wlc_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		      size_t place, double *ret)
{
	lc_score(s, cursor, q, place, ret);
	*ret /= s->at[place].weight;
	return true;
}

LEAST_HOOKS(lc, true)
LEAST_HOOKS(wlc, true)

const struct lb_algo algo_lc = {
    .size = sizeof(algo_lc),
    .name = "lc",
    .flags = LB_ALGO_NEWEST_FIRST,
    .score = lc_score,
    LEAST_OPS(lc),
};

const struct lb_algo algo_wlc = {
    .size = sizeof(algo_wlc),
    .name = "wlc",
    .flags = LB_ALGO_NEWEST_FIRST,
    .score = wlc_score,
    LEAST_OPS(wlc),
};
