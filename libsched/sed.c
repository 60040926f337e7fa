/* SPDX-License-Identifier: MIT */
/*
 * sed and nq: shortest expected delay, and never queue, as IPVS has them (Linux
 * net/netfilter/ipvs/ip_vs_sed.c, ip_vs_nq.c): least (active + 1) / weight, ties to the first in the list,
 * newest first. nq takes the first idle server before that. O(log n), see least.h.
 */
#include "libsched/algos.h"
#include "libsched/least.h"

/* The request to come counts. */
static uint64_t sed_key(const struct lb_snapshot *s, size_t place, const struct least *t,
			struct least_seen seen)
{
	return least_quotient(s, place, t, (uint64_t)seen.active + 1);
}

/* No quotient is 0: an idle server is better than any other. */
static uint64_t nq_key(const struct lb_snapshot *s, size_t place, const struct least *t,
		       struct least_seen seen)
{
	return seen.active ? sed_key(s, place, t, seen) : 0;
}

static bool sed_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		      size_t place, double *ret)
{
	*ret = ((double)least_seen(cursor)[place].active + 1) / s->at[place].weight;
	return true;
}

static bool nq_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		     size_t place, double *ret)
{
	if (least_seen(cursor)[place].active)
		return sed_score(s, cursor, q, place, ret);
	*ret = 0;
	return true;
}

LEAST_HOOKS(sed, false)
LEAST_HOOKS(nq, false)

const struct lb_algo algo_sed = {
    .size = sizeof(algo_sed),
    .name = "sed",
    .flags = LB_ALGO_NEWEST_FIRST,
    .score = sed_score,
    LEAST_OPS(sed),
};

const struct lb_algo algo_nq = {
    .size = sizeof(algo_nq),
    .name = "nq",
    .flags = LB_ALGO_NEWEST_FIRST,
    .score = nq_score,
    LEAST_OPS(nq),
};
