/* SPDX-License-Identifier: MIT */
/*
 * p2c: the power of two choices (Mitzenmacher, 1996), weighted: of two servers drawn by weight the one that
 * would have less (active + 1) / weight.
 */
#include "libsched/algos.h"
#include "libsched/draw.h"

static uint64_t load_with_one_more(const struct lb_snapshot *s, size_t place)
{
	return (uint64_t)snap_count(s, place, LB_COUNTER_ACTIVE) + 1;
}

static ssize_t p2c_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const uint64_t bits = picker_random(q->random); /* enough for both */
	ssize_t a = (ssize_t)draw_with(q, (uint32_t)(bits >> 32));
	ssize_t b = (ssize_t)draw_with(q, (uint32_t)bits);
	uint64_t cost_a, cost_b;

	(void)cursor;
	if (!query_eligible(q, (size_t)a))
		a = draw_eligible(q);
	if (a < 0)
		return -1;
	/* One that is drawn twice has no rival: draw once more. */
	if (a == b || !query_eligible(q, (size_t)b))
		b = draw_eligible(q);
	cost_a = load_with_one_more(s, (size_t)a) * s->at[b].weight;
	cost_b = load_with_one_more(s, (size_t)b) * s->at[a].weight;
	return cost_b < cost_a ? b : a;
}

static bool p2c_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		      size_t place, double *ret)
{
	(void)cursor;
	(void)q;
	*ret = (double)load_with_one_more(s, place) / s->at[place].weight;
	return true;
}

const struct lb_algo algo_p2c = {
    .size = sizeof(algo_p2c),
    .name = "p2c",
    .table_size = draw_table_size,
    .build = draw_table_build,
    .pick = p2c_pick,
    .score = p2c_score,
};
