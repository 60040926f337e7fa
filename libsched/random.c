/* SPDX-License-Identifier: MIT */
/*
 * random and twos: draw a few servers by weight, take the least loaded of them. Two draws are enough to
 * avoid the busiest (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 1996). random
 * compares as HAProxy does, twos as IPVS (Linux net/netfilter/ipvs/ip_vs_twos.c).
 */
#include "libsched/algos.h"
#include "libsched/least.h"

/*
 * How many draws may hit servers that may not be chosen, before the list is walked: it ends, at the price
 * of the neighbour's share.
 */
#define MISSES_MAX 16

/* The table: sums of the weights up to each place. */
static size_t sums_size(const struct lb_snapshot *s)
{
	return (s->n + 1) * sizeof(uint64_t);
}

static int sums_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	uint64_t *upto = table, sum = 0;

	(void)old;
	for (size_t i = 0; i < s->n; i++)
		upto[i] = sum += s->at[i].weight;
	return 0;
}

/* A number below `limit`, each as likely as the next but for one in 2^32: limit is at most 2^32. */
static uint64_t number_below(const struct lb_query *q, uint64_t limit)
{
	return (lb_query_random(q) >> 32) * limit >> 32;
}

/* A place by weight: the first whose sum exceeds the number drawn. O(log n). */
static size_t draw(const struct lb_query *q)
{
	const uint64_t *upto = q->snap->table, number = number_below(q, q->snap->total_weight);
	size_t low = 0, high = q->snap->n - 1;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (upto[middle] > number)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Draws until `draws` hit, or too many missed. Of equals the first drawn stays. */
static inline ssize_t best_of(const struct lb_query *q, uint32_t draws,
			      uint64_t (*load)(const struct lb_snapshot *s, size_t place))
{
	const struct lb_snapshot *s = q->snap;
	uint64_t least = 0;
	ssize_t best = -1;
	size_t place = 0;

	for (uint32_t hits = 0, misses = 0; hits < draws && misses < MISSES_MAX;) {
		place = draw(q);
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
	(void)cursor;
	return best_of(q, s->setup.opts.draws, active);
}

static bool random_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
			 size_t place, double *ret)
{
	(void)cursor;
	(void)q;
	*ret = (double)active(s, place) / s->at[place].weight;
	return true;
}

static ssize_t twos_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	(void)s;
	(void)cursor;
	return best_of(q, 2, ipvs_overhead);
}

static bool twos_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		       size_t place, double *ret)
{
	(void)cursor;
	(void)q;
	*ret = (double)ipvs_overhead(s, place) / s->at[place].weight;
	return true;
}

const struct lb_algo algo_random = {
    .size = sizeof(algo_random),
    .name = "random",
    .table_size = sums_size,
    .build = sums_build,
    .pick = random_pick,
    .score = random_score,
};

const struct lb_algo algo_twos = {
    .size = sizeof(algo_twos),
    .name = "twos",
    .flags = LB_ALGO_NEWEST_FIRST,
    .table_size = sums_size,
    .build = sums_build,
    .pick = twos_pick,
    .score = twos_score,
};
