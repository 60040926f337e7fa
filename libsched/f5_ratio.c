/* SPDX-License-Identifier: MIT */
/*
 * observed, predictive: the modes of F5 BIG-IP LTM that rate the servers anew each second and go round by these
 * ratios. F5 publishes the idea, not the arithmetic; secondary sources name the numbers used here. observed:
 * who has fewer connections than the average is rated 3, else 2. predictive: a count that rises lowers the
 * rating by one, one that falls raises it, within 1 to 4. The second is the caller's clock: without
 * lb_request.now_ns all stay rated as they began. Each picker rates for itself, from the common counters.
 */
#include "libsched/algos.h"
#include "libsched/snapshot.h"

#define RATE_EACH_NS 1000000000u
#define RATIO_MAX 4
#define OBSERVED_LOW 2 /* and at first */
#define OBSERVED_HIGH 3
#define PREDICTIVE_FIRST 2

struct rated {
	uint32_t ratio, count; /* connections when it was rated */
};

#define NEVER_RATED UINT32_MAX

/* Level by level: on level k everyone rated k or better has a turn. */
struct rotation {
	uint64_t rated_ns; /* 0: never yet */
	size_t next;
	uint32_t level; /* 0..RATIO_MAX-1 */
	struct rated at[];
};

static size_t rotation_size(const struct lb_snapshot *s)
{
	return sizeof(struct rotation) + s->n * sizeof(struct rated);
}

static uint64_t of_member(const struct lb_snapshot *s, size_t place)
{
	return snap_count(s, place, LB_COUNTER_ACTIVE);
}

static uint64_t of_node(const struct lb_snapshot *s, size_t place)
{
	return of_member(s, place) + snap_count(s, place, LB_COUNTER_ELSEWHERE);
}

static void adopt(const struct lb_snapshot *s, struct rotation *r, const struct lb_snapshot *old,
		  const struct rotation *was, uint32_t first_ratio)
{
	for (size_t i = 0; i < s->n; i++)
		r->at[i] = (struct rated){first_ratio, NEVER_RATED};
	if (!old)
		return;
	r->rated_ns = was->rated_ns;
	r->level = was->level;
	r->next = was->next; /* about */
	for (size_t i = 0; i < old->n; i++) {
		ssize_t place = lb_snapshot_find(s, old->at[i].id);

		if (place >= 0)
			r->at[place] = was->at[i];
	}
}

/* Each step visits a place; a whole cycle passes everyone who may be chosen at least once. */
static ssize_t rotate(const struct lb_snapshot *s, struct rotation *r, const struct lb_query *q)
{
	for (size_t seen = 0; seen < (s->n + 1) * RATIO_MAX; seen++) { /* with the ends of levels */
		size_t place = r->next++;

		if (place >= s->n) {
			r->next = 0;
			r->level = (r->level + 1) % RATIO_MAX;
			continue;
		}
		if (r->at[place].ratio > r->level && query_eligible(q, place))
			return (ssize_t)place;
	}
	return -1;
}

typedef uint64_t count_fn(const struct lb_snapshot *s, size_t place);
typedef void rate_fn(const struct lb_snapshot *s, struct rotation *r, count_fn *count);

static uint32_t to_32(uint64_t n)
{
	return n < NEVER_RATED ? (uint32_t)n : NEVER_RATED - 1;
}

static void rate_observed(const struct lb_snapshot *s, struct rotation *r, count_fn *count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->n; i++)
		sum += s->at[i].weight ? count(s, i) : 0;
	for (size_t i = 0; i < s->n; i++)
		r->at[i].ratio = count(s, i) * s->n_usable < sum ? OBSERVED_HIGH : OBSERVED_LOW;
}

static void rate_predictive(const struct lb_snapshot *s, struct rotation *r, count_fn *count)
{
	for (size_t i = 0; i < s->n; i++) {
		struct rated *e = &r->at[i];
		uint32_t n = to_32(count(s, i));

		if (e->count != NEVER_RATED && n > e->count && e->ratio > 1)
			e->ratio--;
		if (e->count != NEVER_RATED && n < e->count && e->ratio < RATIO_MAX)
			e->ratio++;
		e->count = n;
	}
}

/* The first time there is nothing to compare with; a clock that goes back only puts it off. */
static ssize_t rated_pick(const struct lb_snapshot *s, struct rotation *r, const struct lb_query *q,
			  rate_fn *rate, count_fn *count)
{
	uint64_t now = q->request->now_ns;

	if (now && (!r->rated_ns || (now > r->rated_ns && now - r->rated_ns >= RATE_EACH_NS))) {
		rate(s, r, count);
		r->rated_ns = now;
	}
	return rotate(s, r, q);
}

#define RATED(KIND, FLAVOUR, FIRST)                                                       \
	static ssize_t KIND##_##FLAVOUR##_pick(const struct lb_snapshot *s, void *cursor, \
					       const struct lb_query *q)                  \
	{                                                                                 \
		return rated_pick(s, cursor, q, rate_##KIND, of_##FLAVOUR);               \
	}                                                                                 \
	static void KIND##_##FLAVOUR##_adopt(const struct lb_snapshot *s, void *cursor,   \
					     const struct lb_snapshot *old,               \
					     const void *old_cursor)                      \
	{                                                                                 \
		adopt(s, cursor, old, old_cursor, FIRST);                                 \
	}                                                                                 \
	const struct lb_algo algo_f5_##KIND##_##FLAVOUR = {                               \
	    .size = sizeof(algo_f5_##KIND##_##FLAVOUR),                                   \
	    .name = #KIND "-" #FLAVOUR,                                                   \
	    .cursor_size = rotation_size,                                                 \
	    .adopt = KIND##_##FLAVOUR##_adopt,                                            \
	    .pick = KIND##_##FLAVOUR##_pick,                                              \
	}

RATED(observed, member, OBSERVED_LOW);
RATED(observed, node, OBSERVED_LOW);
RATED(predictive, member, PREDICTIVE_FIRST);
RATED(predictive, node, PREDICTIVE_FIRST);
