/* SPDX-License-Identifier: MIT */
/*
 * random and twos: draw a few servers by weight, take the least loaded of them. Two draws are enough to
 * avoid the busiest (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 1996). random
 * compares as HAProxy does, twos as IPVS (Linux net/netfilter/ipvs/ip_vs_twos.c).
 */
#include "libsched/algos.h"
#include "libsched/draw.h"
#include "libsched/overhead.h"

/* Draws until `draws` hit, or too many missed. Of equals the first drawn stays. */
static inline ssize_t best_of(const struct lb_query *q, uint32_t draws,
			      uint64_t (*load)(const struct lb_snapshot *s, size_t place))
{
	const struct lb_snapshot *s = q->snap;
	uint64_t least = 0;
	ssize_t best = -1;
	size_t place = 0;

	for (uint32_t hits = 0, misses = 0; hits < draws && misses < DRAW_MISSES_MAX;) {
		place = draw_place(q);
		if (!query_eligible(q, place)) {
			misses++;
			continue;
		}
		hits++;
		if (best < 0 || load(s, place) * s->at[best].weight < least * s->at[place].weight) {
			best = (ssize_t)place;
			least = load(s, place);
		}
	}
	return best < 0 ? query_eligible_from(q, place) : best;
}

static uint64_t active(const struct lb_snapshot *s, size_t place)
{
	return snap_count(s, place, LB_COUNTER_ACTIVE);
}

static ssize_t random_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	return best_of(q, s->setup.opts.draws, active);
}

static bool random_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
			 size_t place, double *ret)
{
	*ret = (double)active(s, place) / s->at[place].weight;
	return true;
}

/*
 * The kernel draws from 0 to the sum of the weights, both included, and goes down the list by weights until what
 * is left is not above 0: so the first in the list has one chance more than its weight says.
 */
static int twos_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	size_t first = 0;

	while (first < s->n && !s->at[first].weight)
		first++;
	return draw_table_build_for(s, first, table);
}

static ssize_t twos_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	return best_of(q, 2, ipvs_overhead);
}

static bool twos_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		       size_t place, double *ret)
{
	*ret = (double)ipvs_overhead(s, place) / s->at[place].weight;
	return true;
}

const struct lb_algo algo_random = {
    .size = sizeof(algo_random),
    .name = "random",
    .table_size = draw_table_size,
    .build = draw_table_build,
    .pick = random_pick,
    .score = random_score,
};

const struct lb_algo algo_twos = {
    .size = sizeof(algo_twos),
    .name = "twos",
    .flags = LB_ALGO_NEWEST_FIRST,
    .table_size = draw_table_size,
    .build = twos_build,
    .pick = twos_pick,
    .score = twos_score,
};
