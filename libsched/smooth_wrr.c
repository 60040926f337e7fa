/* SPDX-License-Identifier: MIT */
/*
 * smooth-wrr and least_conn: nginx's, to the pick (5,1,1: 1 1 2 1 3 1 1). nginx lowers the weight of a server
 * that failed and raises it step by step; here that is the host's lb_server_set_weight(). O(n).
 */
#include "libsched/algos.h"
#include "libsched/smooth.h"

size_t smooth_size(const struct lb_snapshot *s)
{
	return s->n * sizeof(struct smooth);
}

/* Who stays keeps what it gained. */
void smooth_adopt(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		  const void *old_cursor)
{
	const struct smooth *was = old_cursor;
	struct smooth *at = cursor;

	for (size_t i = 0; old && i < old->n; i++) {
		ssize_t place = lb_snapshot_find(s, old->at[i].id);

		if (place >= 0)
			at[place] = was[i];
	}
}

ssize_t smooth_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct smooth *at = cursor;
	int64_t total = 0;
	ssize_t best = -1;

	for (size_t i = 0; i < s->n; i++) {
		if (!query_eligible(q, i))
			continue;
		at[i].gained += s->at[i].weight;
		total += s->at[i].weight;
		if (best < 0 || at[i].gained > at[best].gained)
			best = (ssize_t)i;
	}
	if (best >= 0)
		at[best].gained -= total;
	return best;
}

const struct lb_algo algo_smooth_wrr = {
    .size = sizeof(algo_smooth_wrr),
    .name = "smooth-wrr",
    .cursor_size = smooth_size,
    .adopt = smooth_adopt,
    .pick = smooth_pick,
};

/* ---- least_conn ---- */

/* Connections for a weight; compared by cross products. */
struct ratio {
	uint64_t active, weight;
};

static struct ratio ratio_of(const struct lb_snapshot *s, size_t place)
{
	return (struct ratio){snap_count(s, place, LB_COUNTER_ACTIVE), s->at[place].weight};
}

static bool is_less(struct ratio a, struct ratio b)
{
	return a.active * b.weight < b.active * a.weight;
}

static bool is_equal(struct ratio a, struct ratio b)
{
	return a.active * b.weight == b.active * a.weight;
}

/* Among those as good as the first of the best: one step of the smooth rotation, of them alone. */
static ssize_t smooth_among(const struct lb_snapshot *s, struct smooth *at,
			    const struct lb_query *q, size_t first, struct ratio best)
{
	int64_t total = 0;
	size_t chosen = first;

	for (size_t i = first; i < s->n; i++) {
		if (!query_eligible(q, i) || !is_equal(ratio_of(s, i), best))
			continue;
		at[i].gained += s->at[i].weight;
		total += s->at[i].weight;
		if (at[i].gained > at[chosen].gained)
			chosen = i;
	}
	at[chosen].gained -= total;
	return (ssize_t)chosen;
}

static ssize_t least_conn_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct ratio best = {0, 0};
	ssize_t first = -1;
	bool many = false;

	for (size_t i = 0; i < s->n; i++) {
		struct ratio mine;

		if (!query_eligible(q, i))
			continue;
		mine = ratio_of(s, i);
		if (first < 0 || is_less(mine, best)) {
			first = (ssize_t)i;
			best = mine;
			many = false;
		} else {
			many |= is_equal(mine, best);
		}
	}
	return many ? smooth_among(s, cursor, q, (size_t)first, best) : first;
}

static bool least_conn_score(const struct lb_snapshot *s, const void *cursor,
			     const struct lb_query *q, size_t place, double *ret)
{
	(void)cursor;
	(void)q;
	*ret = (double)snap_count(s, place, LB_COUNTER_ACTIVE) / s->at[place].weight;
	return true;
}

const struct lb_algo algo_least_conn = {
    .size = sizeof(algo_least_conn),
    .name = "least_conn",
    .cursor_size = smooth_size,
    .adopt = smooth_adopt,
    .pick = least_conn_pick,
    .score = least_conn_score,
};
