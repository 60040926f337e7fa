/* SPDX-License-Identifier: MIT */
/*
 * The load balancing modes of F5 BIG-IP LTM that go by the least of some figure, and round-robin. The figures are
 * F5's (iControl REST, ltm pool load-balancing-mode); who comes first among equals is not published: here
 * they take turns. -node counts the connections of the machine: the server's own and those elsewhere.
 * O(n).
 */
#include "libsched/algos.h"
#include "libsched/turn.h"

static size_t turn_size(const struct lb_snapshot *s)
{
	(void)s;
	return sizeof(struct turn);
}

static void turn_start(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		       const void *old_cursor)
{
	if (old)
		turn_adopt(cursor, s, old_cursor, old);
}

/* ---- round-robin: each in turn, whatever its ratio ---- */

static ssize_t round_robin_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct turn *t = cursor;
	ssize_t place = query_eligible_from(q, t->next < s->n ? t->next : 0);

	if (place >= 0)
		t->next = (size_t)place + 1;
	return place;
}

const struct lb_algo algo_f5_round_robin = {
    .size = sizeof(algo_f5_round_robin),
    .name = "round-robin",
    .cursor_size = turn_size,
    .adopt = turn_start,
    .pick = round_robin_pick,
};

/* ---- The least of a figure ---- */

/* load / size is compared, by cross products: 32 bits each. */
struct figure {
	uint64_t load, size;
};

static uint64_t of_member(const struct lb_snapshot *s, size_t place)
{
	return snap_count(s, place, LB_COUNTER_ACTIVE);
}

static uint64_t of_node(const struct lb_snapshot *s, size_t place)
{
	uint64_t n = of_member(s, place) + snap_count(s, place, LB_COUNTER_ELSEWHERE);

	return n < UINT32_MAX ? n : UINT32_MAX;
}

static struct figure least_member(const struct lb_snapshot *s, size_t place)
{
	return (struct figure){of_member(s, place), 1};
}

static struct figure least_node(const struct lb_snapshot *s, size_t place)
{
	return (struct figure){of_node(s, place), 1};
}

static struct figure ratio_least_member(const struct lb_snapshot *s, size_t place)
{
	return (struct figure){of_member(s, place), s->at[place].weight};
}

static struct figure ratio_least_node(const struct lb_snapshot *s, size_t place)
{
	return (struct figure){of_node(s, place), s->at[place].weight};
}

/* F5 wants a limit on every member; one without has all the room there is. */
static uint64_t limit_of(const struct lb_snapshot *s, size_t place)
{
	return s->at[place].maxconn ? s->at[place].maxconn : UINT32_MAX;
}

static struct figure weighted_least_member(const struct lb_snapshot *s, size_t place)
{
	return (struct figure){of_member(s, place), limit_of(s, place)};
}

static struct figure weighted_least_node(const struct lb_snapshot *s, size_t place)
{
	return (struct figure){of_node(s, place), limit_of(s, place)};
}

static struct figure least_sessions(const struct lb_snapshot *s, size_t place)
{
	return (struct figure){snap_count(s, place, LB_COUNTER_SESSIONS), 1};
}

/* Inline, so that `figure` is no call. */
static inline ssize_t least_in_turn(const struct lb_snapshot *s, struct turn *t,
				    const struct lb_query *q,
				    struct figure (*figure)(const struct lb_snapshot *, size_t))
{
	struct figure least = {0, 1};
	ssize_t best = -1;
	size_t i = t->next;

	for (size_t seen = 0; seen < s->n; seen++, i++) {
		struct figure mine;

		if (i >= s->n)
			i = 0;
		if (!query_eligible(q, i))
			continue;
		mine = figure(s, i);
		if (best >= 0 && mine.load * least.size >= least.load * mine.size)
			continue;
		least = mine;
		best = (ssize_t)i;
		if (!least.load) /* nobody has less */
			break;
	}
	if (best >= 0)
		t->next = (size_t)best + 1;
	return best;
}

#define LEAST(FIGURE, NAME)                                                             \
	static ssize_t FIGURE##_pick(const struct lb_snapshot *s, void *cursor,         \
				     const struct lb_query *q)                          \
	{                                                                               \
		return least_in_turn(s, cursor, q, FIGURE);                             \
	}                                                                               \
	static bool FIGURE##_score(const struct lb_snapshot *s, const void *cursor,     \
				   const struct lb_query *q, size_t place, double *ret) \
	{                                                                               \
		struct figure f = FIGURE(s, place);                                     \
                                                                                        \
		(void)cursor;                                                           \
		(void)q;                                                                \
		*ret = (double)f.load / (double)f.size;                                 \
		return true;                                                            \
	}                                                                               \
	const struct lb_algo algo_f5_##FIGURE = {                                       \
	    .size = sizeof(algo_f5_##FIGURE),                                           \
	    .name = NAME,                                                               \
	    .cursor_size = turn_size,                                                   \
	    .adopt = turn_start,                                                        \
	    .pick = FIGURE##_pick,                                                      \
	    .score = FIGURE##_score,                                                    \
	}

LEAST(least_member, "least-connections-member");
LEAST(least_node, "least-connections-node");
LEAST(ratio_least_member, "ratio-least-connections-member");
LEAST(ratio_least_node, "ratio-least-connections-node");
LEAST(weighted_least_member, "weighted-least-connections-member");
LEAST(weighted_least_node, "weighted-least-connections-node");
LEAST(least_sessions, "least-sessions");
