/* SPDX-License-Identifier: MIT */
/*
 * sed and nq: shortest expected delay, and never queue, as IPVS has them (Linux
 * net/netfilter/ipvs/ip_vs_sed.c, ip_vs_nq.c): least (active + 1) / weight, ties to the first in the list,
 * newest first. nq takes the first idle server before that. They read every server's counters: O(n).
 */
#include "libsched/algos.h"
#include "libsched/least.h"

/* The request to come counts. */
static uint64_t delay(const struct lb_snapshot *s, size_t place)
{
	return (uint64_t)snap_count(s, place, LB_COUNTER_ACTIVE) + 1;
}

static ssize_t sed_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	(void)s;
	(void)cursor;
	return least_by_weight(q, delay);
}

static bool sed_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		      size_t place, double *ret)
{
	(void)cursor;
	(void)q;
	*ret = (double)delay(s, place) / s->at[place].weight;
	return true;
}

static ssize_t nq_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	(void)cursor;
	for (size_t i = 0; i < s->n; i++)
		if (query_eligible(q, i) && !snap_count(s, i, LB_COUNTER_ACTIVE))
			return (ssize_t)i;
	return least_by_weight(q, delay);
}

static bool nq_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		     size_t place, double *ret)
{
	if (snap_count(s, place, LB_COUNTER_ACTIVE))
		return sed_score(s, cursor, q, place, ret);
	*ret = 0;
	return true;
}

const struct lb_algo algo_sed = {
    .size = sizeof(algo_sed),
    .name = "sed",
    .flags = LB_ALGO_NEWEST_FIRST,
    .pick = sed_pick,
    .score = sed_score,
};

const struct lb_algo algo_nq = {
    .size = sizeof(algo_nq),
    .name = "nq",
    .flags = LB_ALGO_NEWEST_FIRST,
    .pick = nq_pick,
    .score = nq_score,
};
