/* SPDX-License-Identifier: MIT */
/*
 * The load balancing modes of F5 BIG-IP LTM that go by the least of some figure, and round-robin. The figures are
 * F5's (iControl REST, ltm pool load-balancing-mode); who comes first among equals is not published: here
 * they take turns. -node counts the connections of the machine: the server's own and those elsewhere.
 * O(log n).
 */
#include "libsched/algos.h"
#include "libsched/in_turn.h"
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

#define FINE 256     /* steps of a connection, for a ratio to divide */
#define FULL 1048576 /* steps up to the connection limit */

/* In a slow ramp a count is taken for what it would be at full share. */
static uint64_t ramped(const struct lb_snapshot *s, size_t place, uint64_t n)
{
	const struct snap_server *e = &s->at[place];

	n = n * e->set_weight * s->weight_scale / e->weight;
	return n < UINT32_MAX ? n : UINT32_MAX;
}

static uint64_t least_member(const struct lb_snapshot *s, size_t place, struct least_seen seen)
{
	return ramped(s, place, seen.active);
}

static uint64_t least_node(const struct lb_snapshot *s, size_t place, struct least_seen seen)
{
	return ramped(s, place, (uint64_t)seen.active + snap_count(s, place, LB_COUNTER_ELSEWHERE));
}

static uint64_t ratio_least_member(const struct lb_snapshot *s, size_t place,
				   struct least_seen seen)
{
	return least_member(s, place, seen) * FINE / s->at[place].set_weight;
}

static uint64_t ratio_least_node(const struct lb_snapshot *s, size_t place, struct least_seen seen)
{
	return least_node(s, place, seen) * FINE / s->at[place].set_weight;
}

/* F5 wants a limit on every member; one without has all the room there is. */
static uint64_t of_limit(const struct lb_snapshot *s, size_t place, uint64_t n)
{
	return n * FULL / (s->at[place].maxconn ? s->at[place].maxconn : UINT32_MAX);
}

static uint64_t weighted_least_member(const struct lb_snapshot *s, size_t place,
				      struct least_seen seen)
{
	return of_limit(s, place, least_member(s, place, seen));
}

static uint64_t weighted_least_node(const struct lb_snapshot *s, size_t place,
				    struct least_seen seen)
{
	return of_limit(s, place, least_node(s, place, seen));
}

static uint64_t least_sessions(const struct lb_snapshot *s, size_t place, struct least_seen seen)
{
	(void)seen;
	return snap_count(s, place, LB_COUNTER_SESSIONS);
}

#define LEAST(FIGURE, NAME)                       \
	IN_TURN_HOOKS(FIGURE, FIGURE, false)      \
	const struct lb_algo algo_f5_##FIGURE = { \
	    .size = sizeof(algo_f5_##FIGURE), .name = NAME, IN_TURN_OPS(FIGURE)}

LEAST(least_member, "least-connections-member");
LEAST(least_node, "least-connections-node");
LEAST(ratio_least_member, "ratio-least-connections-member");
LEAST(ratio_least_node, "ratio-least-connections-node");
LEAST(weighted_least_member, "weighted-least-connections-member");
LEAST(weighted_least_node, "weighted-least-connections-node");
LEAST(least_sessions, "least-sessions");
