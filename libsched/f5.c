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

/* ---- round-robin: each in turn, whatever its ratio ---- */

/* A server in a slow ramp takes as many of its turns as its share says: each turn it had or missed is a credit of that. */
struct round {
	struct turn turn;
	uint32_t credit[];
};

static size_t round_size(const struct lb_snapshot *s)
{
	return sizeof(struct round) + s->n * sizeof(uint32_t);
}

static void round_adopt(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
			const void *old_cursor)
{
	const struct round *was = old_cursor;
	struct round *r = cursor;

	if (!old)
		return;
	turn_adopt(&r->turn, s, &was->turn, old);
	for (size_t i = 0; i < old->n; i++) {
		ssize_t place = was->credit[i] ? lb_snapshot_find(s, old->at[i].id) : -1;

		if (place >= 0)
			r->credit[place] = was->credit[i];
	}
}

static bool takes_turn(struct round *r, const struct lb_snapshot *s, size_t place)
{
	const uint32_t whole = s->at[place].set_weight * s->weight_scale;

	if (s->at[place].weight >= whole)
		return true;
	r->credit[place] += s->at[place].weight;
	if (r->credit[place] < whole)
		return false;
	r->credit[place] -= whole;
	return true;
}

static ssize_t round_robin_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct round *r = cursor;
	size_t at = r->turn.next < s->n ? r->turn.next : 0;
	ssize_t place = -1;

	for (size_t seen = 0; seen < s->n; seen++, at = at + 1 < s->n ? at + 1 : 0) {
		if (!query_eligible(q, at))
			continue;
		if (takes_turn(r, s, at)) {
			place = (ssize_t)at;
			break;
		}
		if (place < 0) /* should all others miss theirs too */
			place = (ssize_t)at;
	}
	if (place >= 0)
		r->turn.next = (size_t)place + 1;
	return place;
}

const struct lb_algo algo_f5_round_robin = {
    .size = sizeof(algo_f5_round_robin),
    .name = "round-robin",
    .cursor_size = round_size,
    .adopt = round_adopt,
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
	return snap_count(s, place, LB_COUNTER_SESSIONS);
}

#define LEAST(FIGURE, SHARES, NAME)                  \
	IN_TURN_HOOKS(FIGURE, FIGURE, false, SHARES) \
	const struct lb_algo algo_f5_##FIGURE = {    \
	    .size = sizeof(algo_f5_##FIGURE), .name = NAME, IN_TURN_OPS(FIGURE)}

LEAST(least_member, false, "least-connections-member");
LEAST(least_node, true, "least-connections-node");
LEAST(ratio_least_member, false, "ratio-least-connections-member");
LEAST(ratio_least_node, true, "ratio-least-connections-node");
LEAST(weighted_least_member, false, "weighted-least-connections-member");
LEAST(weighted_least_node, true, "weighted-least-connections-node");
LEAST(least_sessions, true, "least-sessions");
