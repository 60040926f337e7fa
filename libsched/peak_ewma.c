/* SPDX-License-Identifier: MIT */
/*
 * peak-ewma: Finagle's (twitter.github.io/finagle, "Clients: P2C + Peak EWMA"): of two servers drawn by weight the
 * one with less latency * (active + 1) / weight. The latency rises at once to a peak and sinks slowly after
 * it. Nobody's is known at first: such a server is tried by one request, and waited for before the next.
 */
#include "libsched/algos.h"
#include "libsched/draw.h"
#include "libsched/ewma.h"

#define UNKNOWN_NS 1e12 /* the latency of a server that never answered and is busy */

static double load_of(const struct lb_query *q, size_t place)
{
	const struct lb_snapshot *s = q->snap;
	const struct ewma *e = snap_server_state(s, place);
	double cost = ewma_cost(e), active = snap_count(s, place, LB_COUNTER_ACTIVE);

	if (cost > 0)
		cost *= ewma_weight_at(e, q->request->now_ns, s->setup.opts.decay_ns);
	else if (active > 0)
		cost = UNKNOWN_NS;
	return cost * (active + 1) / s->at[place].set_weight; /* whole in a slow start, as in p2c */
}

static ssize_t peak_ewma_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	ssize_t a = draw_eligible(q), b;

	if (a < 0)
		return -1;
	b = draw_eligible(q);
	if (a == b) /* no rival: draw once more */
		b = draw_eligible(q);
	return a != b && load_of(q, (size_t)b) < load_of(q, (size_t)a) ? b : a;
}

static void peak_ewma_on_done(const struct lb_snapshot *s, void *cursor, size_t place,
			      const struct lb_outcome *o)
{
	struct ewma *e = snap_server_state(s, place);
	double cost = ewma_cost(e), seen = (double)o->latency_ns, w;

	if (!ewma_counts(o, cost))
		return;
	if (seen < cost) {
		w = ewma_weight_at(e, o->now_ns, s->setup.opts.decay_ns);
		seen = cost * w + seen * (1 - w);
	}
	ewma_set(e, seen, o->now_ns);
}

static bool peak_ewma_score(const struct lb_snapshot *s, const void *cursor,
			    const struct lb_query *q, size_t place, double *ret)
{
	*ret = load_of(q, place);
	return true;
}

const struct lb_algo algo_peak_ewma = {
    .size = sizeof(algo_peak_ewma),
    .name = "peak-ewma",
    .server_bytes = sizeof(struct ewma),
    .table_size = draw_table_size,
    .build = draw_table_build,
    .pick = peak_ewma_pick,
    .on_done = peak_ewma_on_done,
    .score = peak_ewma_score,
};
