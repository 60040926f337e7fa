/* SPDX-License-Identifier: MIT */
/*
 * The least of some load, and equals in turn: the tree of least.h, where a key is the load above the moment
 * it last changed. So whoever comes to a load stands behind those that had it before, as in the tree HAProxy
 * keeps for leastconn. A server that was chosen and not counted goes behind its equals at the next pick.
 */
#ifndef LIBSCHED_IN_TURN_H
#define LIBSCHED_IN_TURN_H

#include "libsched/least.h"

#define IN_TURN_LOAD_MAX \
	((UINT32_C(1) << 28) - 2) /* greater ones are equal; LEAST_NEVER is above it */
#define IN_TURN_LOAD_NONE UINT32_MAX
#define IN_TURN_MOMENT_MAX (UINT32_C(1) << 31) /* then the turns are forgotten */

/* Behind the tree in the cursor. */
struct in_turn {
	uint32_t moment;
	uint32_t chosen; /* place + 1, until it is counted; 0: nobody */
	struct {
		uint32_t load, since;
	} at[];
};

/* What is compared, as a whole number. */
typedef uint64_t in_turn_load(const struct lb_snapshot *s, size_t place, struct least_seen seen);

static inline struct in_turn *in_turn_of(const struct least *t)
{
	return (struct in_turn *)(least_seen(t) + t->n);
}

static inline size_t in_turn_cursor_size(const struct lb_snapshot *s)
{
	return least_cursor_size(s) + sizeof(struct in_turn) +
	       s->n * sizeof(((struct in_turn *)NULL)->at[0]);
}

/* The key; a load that changed is one from now on. */
static inline uint64_t in_turn_key(const struct least *t, size_t place, uint64_t load)
{
	struct in_turn *turn = in_turn_of(t);
	uint32_t now = load < IN_TURN_LOAD_MAX ? (uint32_t)load : IN_TURN_LOAD_MAX;

	if (turn->at[place].load != now) {
		turn->at[place].load = now;
		turn->at[place].since = ++turn->moment;
	}
	return (uint64_t)now << 32 | turn->at[place].since;
}

/* Who stays keeps its turn, unless it was out of service. */
static inline void in_turn_adopt(struct least *t, const struct lb_snapshot *s,
				 const struct least *old_t, const struct lb_snapshot *old,
				 const struct least_by *by)
{
	struct in_turn *turn;

	t->n = (uint32_t)s->n;
	turn = in_turn_of(t);
	for (size_t i = 0; i < s->n; i++)
		turn->at[i].load = IN_TURN_LOAD_NONE;
	for (size_t i = 0; old && i < old->n; i++) {
		ssize_t place = lb_snapshot_find(s, old->at[i].id);

		if (place >= 0 && s->at[place].weight && old->at[i].weight)
			turn->at[place] = in_turn_of(old_t)->at[i];
	}
	turn->moment = old ? in_turn_of(old_t)->moment : 0;
	least_adopt(t, s, by);
}

static inline void in_turn_start_anew(struct least *t, const struct lb_snapshot *s,
				      const struct least_by *by)
{
	struct in_turn *turn = in_turn_of(t);

	for (size_t i = 0; i < s->n; i++)
		turn->at[i].since = 0;
	turn->moment = 0;
	least_adopt(t, s, by);
}

static inline ssize_t in_turn_pick(struct least *t, const struct lb_query *q,
				   const struct least_by *by)
{
	struct in_turn *turn = in_turn_of(t);
	ssize_t place;

	if (turn->moment >= IN_TURN_MOMENT_MAX)
		in_turn_start_anew(t, q->snap, by);
	if (turn->chosen) {
		turn->at[turn->chosen - 1].load = IN_TURN_LOAD_NONE;
		least_refresh(t, q->snap, turn->chosen - 1, by);
	}
	place = least_pick(t, q, by);
	turn->chosen = (uint32_t)(place + 1);
	return place;
}

/*
 * IN_TURN_HOOKS(leastconn, leastconn_load, true, true) makes the hooks of an algorithm that is nothing but a load.
 * stays: one that was counted while its load did not change remains before its equals, as in HAProxy's tree.
 * shares: the load is not of active connections alone.
 */
#define IN_TURN_HOOKS(name, load_of, stays, shares)                                          \
	static uint64_t name##_key(const struct lb_snapshot *s, size_t place,                \
				   const struct least *t, struct least_seen seen)            \
	{                                                                                    \
		return in_turn_key(t, place, load_of(s, place, seen));                       \
	}                                                                                    \
	LEAST_BY(name, false, shares)                                                        \
	static void name##_adopt(const struct lb_snapshot *s, void *cursor,                  \
				 const struct lb_snapshot *old, const void *old_cursor)      \
	{                                                                                    \
		in_turn_adopt(cursor, s, old_cursor, old, &name##_by);                       \
	}                                                                                    \
	static ssize_t name##_pick(const struct lb_snapshot *s, void *cursor,                \
				   const struct lb_query *q)                                 \
	{                                                                                    \
		return in_turn_pick(cursor, q, &name##_by);                                  \
	}                                                                                    \
	static void name##_on_start(const struct lb_snapshot *s, void *cursor, size_t place, \
				    const struct lb_request *r)                              \
	{                                                                                    \
		const uint32_t moment = in_turn_of(cursor)->moment;                          \
                                                                                             \
		least_counted(cursor, s, place, 1, 0, &name##_by);                           \
		if (stays || in_turn_of(cursor)->moment != moment) /* behind its equals */   \
			in_turn_of(cursor)->chosen = 0;                                      \
	}                                                                                    \
	LEAST_COUNTED(name)                                                                  \
	static bool name##_score(const struct lb_snapshot *s, const void *cursor,            \
				 const struct lb_query *q, size_t place, double *ret)        \
	{                                                                                    \
		*ret = in_turn_of(cursor)->at[place].load;                                   \
		return true;                                                                 \
	}                                                                                    \
	USUAL_PICK(name, name##_pick, name##_on_start)

#define IN_TURN_OPS(name)                                                                    \
	.cursor_size = in_turn_cursor_size, .adopt = name##_adopt, .pick = name##_pick,      \
	.on_start = name##_on_start, .on_done = name##_on_done, .on_count = name##_on_count, \
	.on_full = name##_on_full, .score = name##_score

#endif
