/* SPDX-License-Identifier: MIT */
/*
 * prequal: the rule of Prequal (Wydrowski et al., "Load is not what you should balance", NSDI 2024): each request
 * looks at a few more servers; of the last 16 looked at those with more requests in flight than the others are hot;
 * the fastest of the cold ones takes it. The paper asks the servers; here counters and outcomes of this balancer say it,
 * so what was looked at is never old, and who was chosen is looked at anew only when drawn again.
 */
#include "libsched/algos.h"
#include "libsched/draw.h"
#include "libsched/ewma.h"

#define POOL 16 /* as the paper's */
#define LOOKS 3 /* a request */

struct pool {
	uint32_t n, oldest; /* n == POOL: the oldest is replaced */
	uint32_t place[POOL];
};

/* What is known of one in the pool that may be chosen. */
struct seen {
	uint32_t at;
	double in_flight, latency;
};

static size_t pool_size(const struct lb_snapshot *s)
{
	return sizeof(struct pool);
}

static void pool_adopt(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		       const void *old_cursor)
{
	const struct pool *was = old_cursor;
	struct pool *p = cursor;

	for (uint32_t i = 0; old && i < was->n; i++) {
		ssize_t place = lb_snapshot_find(s, old->at[was->place[i]].id);

		if (place >= 0)
			p->place[p->n++] = (uint32_t)place;
	}
}

/* Nobody twice. */
static void look_at(struct pool *p, uint32_t place)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (p->place[i] == place)
			return;
	if (p->n < POOL) {
		p->place[p->n++] = place;
		return;
	}
	p->place[p->oldest] = place;
	p->oldest = (p->oldest + 1) % POOL;
}

static double in_flight_of(const struct lb_snapshot *s, size_t place)
{
	return (double)snap_count(s, place, LB_COUNTER_ACTIVE) / s->at[place].weight;
}

static uint32_t look_up(const struct lb_query *q, const struct pool *p, struct seen *seen)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		uint32_t place = p->place[i];

		if (query_eligible(q, place))
			seen[n++] = (struct seen){
			    .at = i,
			    .in_flight = in_flight_of(q->snap, place),
			    .latency = ewma_cost(snap_server_state(q->snap, place)),
			};
	}
	return n;
}

/* So many in flight have hot_percent of them, or less: the greatest but the few above it. */
static double hot_above(const struct seen *seen, uint32_t n, uint32_t percent)
{
	uint32_t above = n - (n * percent + 99) / 100; /* 0..n-1 */
	double in_flight[POOL];

	for (uint32_t i = 0; i < n; i++)
		in_flight[i] = seen[i].in_flight;
	for (;;) {
		uint32_t most = 0;

		for (uint32_t i = 1; i < n; i++)
			most = in_flight[i] > in_flight[most] ? i : most;
		if (!above--)
			return in_flight[most];
		in_flight[most] = -1;
	}
}

/* Somebody is cold: the one with the fewest. Where no latency is known, the fewest in flight. */
static bool is_better(const struct seen *a, const struct seen *b, double hot)
{
	bool a_hot = a->in_flight > hot, b_hot = b->in_flight > hot;

	if (a_hot != b_hot)
		return b_hot;
	return a->latency != b->latency ? a->latency < b->latency : a->in_flight < b->in_flight;
}

static void forget(struct pool *p, uint32_t at)
{
	p->place[at] = p->place[--p->n];
	p->oldest = 0;
}

static ssize_t prequal_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct pool *p = cursor;
	struct seen seen[POOL];
	uint32_t n, best = 0, place;
	double hot;

	for (int i = 0; i < LOOKS; i++)
		look_at(p, (uint32_t)draw_place(q));
	n = look_up(q, p, seen);
	if (!n)
		return draw_eligible(q);
	hot = hot_above(seen, n, s->setup.opts.hot_percent);
	for (uint32_t i = 1; i < n; i++)
		if (is_better(&seen[i], &seen[best], hot))
			best = i;
	place = p->place[seen[best].at];
	forget(p, seen[best].at);
	return place;
}

static void prequal_on_done(const struct lb_snapshot *s, void *cursor, size_t place,
			    const struct lb_outcome *o)
{
	struct ewma *e = snap_server_state(s, place);
	double cost = ewma_cost(e), seen = (double)o->latency_ns, w;

	if (!ewma_counts(o, cost))
		return;
	w = cost > 0 ? ewma_weight_at(e, o->now_ns, s->setup.opts.decay_ns) : 0;
	ewma_set(e, cost * w + seen * (1 - w), o->now_ns);
}

static bool prequal_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
			  size_t place, double *ret)
{
	*ret = in_flight_of(s, place);
	return true;
}

const struct lb_algo algo_prequal = {
    .size = sizeof(algo_prequal),
    .name = "prequal",
    .server_bytes = sizeof(struct ewma),
    .table_size = draw_table_size,
    .build = draw_table_build,
    .cursor_size = pool_size,
    .adopt = pool_adopt,
    .pick = prequal_pick,
    .on_done = prequal_on_done,
    .score = prequal_score,
};
