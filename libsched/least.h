/* SPDX-License-Identifier: MIT */
/*
 * Who has the least of some key, the first in the list among equals, without looking at everyone: a
 * tournament in the picker's cursor. A pick reads the root; when a server's key changes, the matches on
 * its way up are played anew, each against an opponent known beforehand. O(log n).
 *
 * Each place has a copy of the counters its key was made from. A picker hears at once of what it counts
 * itself; while it is the group's only one the tree is exact. What other pickers count it reads later, in turn
 * (sweep.h): that is what lets two threads pick without waiting for each other's cache lines. Before a pick
 * fails for want of a server, all is read anew.
 *
 * The functions are inline so that `by`, a constant, is no call: HOT where the compiler would not see to it.
 */
#ifndef LIBSCHED_LEAST_H
#define LIBSCHED_LEAST_H

#include "libsched/sweep.h"
#include "libsched/usual.h"

#define LEAST_NEVER (UINT64_MAX >> 4) /* the key of who may not be chosen */

struct least_seen {
	uint32_t active, inactive;
};

struct least {
	uint32_t n;
	uint32_t deep;	    /* the first node of the lowest level; as many places fit into it */
	uint32_t shift;	    /* see least_quotient() */
	struct sweep sweep; /* if there are other pickers */
	/*
	 * Node i is the better of nodes 2i and 2i + 1; the root is 1, the leaves are those from n on. First the keys of
	 * the 2n nodes, then whose they are, then n least_seen.
	 */
	_Alignas(LINE_BYTES) uint64_t key[];
};

/* What is least: a key, made of the place's settings in the snapshot and of these counters. */
struct least_by {
	uint64_t (*key)(const struct lb_snapshot *s, size_t place, const struct least *t,
			struct least_seen seen);
	bool inactive; /* connections count as well, not only active ones */
	bool shared;   /* as do counters that are not in least_seen */
	/* least_look_around(), which few picks call for: apart, so that it costs the others nothing. And at all servers. */
	void (*look)(struct least *t, const struct lb_snapshot *s);
	void (*look_at_all)(struct least *t, const struct lb_snapshot *s);
};

/* ---- Where things are ---- */

static inline uint32_t *least_winner(const struct least *t)
{
	return (uint32_t *)(t->key + 2 * t->n);
}

static inline struct least_seen *least_seen(const struct least *t)
{
	return (struct least_seen *)(least_winner(t) + 2 * t->n);
}

static inline size_t least_cursor_size(const struct lb_snapshot *s)
{
	return sizeof(struct least) +
	       s->n * (2 * sizeof(uint64_t) + 2 * sizeof(uint32_t) + sizeof(struct least_seen));
}

/* ---- The tree ---- */

/* From left to right the places in their order, the lowest level first: so of two equals the left one comes first. */
static inline uint32_t least_leaf(const struct least *t, size_t place)
{
	const uint32_t at = (uint32_t)place + t->deep;

	return at < 2 * t->n ? at : at - t->n;
}

/*
 * The way up from node i, which now has this key. `all`: the place had won all the way, so that each match
 * has a new result; else until nothing changes.
 */
static inline void least_play(struct least *t, uint32_t i, uint64_t key, bool all)
{
	uint32_t *const winner = least_winner(t);
	uint32_t place = winner[i];

	t->key[i] = key;
	for (; i > 1; i /= 2) {
		uint64_t other_key = t->key[i ^ 1];
		uint32_t other = winner[i ^ 1];

		/*
		 * Once connections end in any order, who wins is chance, and no branch is guessed. Both are in
		 * registers, so that the compiler makes none.
		 */
		__asm__("" : "+r"(other_key), "+r"(other));
		if (__builtin_expect_with_probability(other_key < key + (i & 1), 1, 0.5)) {
			key = other_key;
			place = other;
		}
		if (!all && t->key[i / 2] == key && winner[i / 2] == place)
			return;
		t->key[i / 2] = key;
		winner[i / 2] = place;
	}
}

static inline void least_set(struct least *t, size_t place, uint64_t key)
{
	const uint32_t leaf = least_leaf(t, place);

	if (t->key[leaf] == key)
		return;
	if (least_winner(t)[1] == place)
		least_play(t, leaf, key, true);
	else
		least_play(t, leaf, key, false);
}

/* ---- Keys ---- */

HOT struct least_seen least_look(const struct lb_snapshot *s, size_t place,
				 const struct least_by *by)
{
	return (struct least_seen){snap_count(s, place, LB_COUNTER_ACTIVE),
				   by->inactive ? snap_count(s, place, LB_COUNTER_INACTIVE) : 0};
}

HOT uint64_t least_key_of(const struct lb_snapshot *s, size_t place, const struct least *t,
			  struct least_seen seen, const struct least_by *by)
{
	const struct snap_server *e = &s->at[place];
	uint64_t key;

	if (!e->weight)
		return LEAST_NEVER;
	key = by->key(s, place, t, seen); /* of who is full, too: in_turn.h notes that its load has changed */
	return snap_full_with(s, e, seen.active) ? LEAST_NEVER : key;
}

static inline void least_refresh(struct least *t, const struct lb_snapshot *s, size_t place,
				 const struct least_by *by)
{
	const struct least_seen seen = least_look(s, place, by);

	least_seen(t)[place] = seen;
	least_set(t, place, least_key_of(s, place, t, seen, by));
}

/*
 * load / weight as a whole number, so that keys compare as the quotients do, equal ones too: two that
 * differ do so by at least gcd / weight², which least_shift() makes 1. Loads beyond what 60 bits hold so count
 * as the greatest.
 */
static inline uint64_t ratio_of_load(uint32_t shift, uint64_t load, uint32_t weight)
{
	const uint64_t max = (LEAST_NEVER - 1) >> shift;

	return ((load < max ? load : max) << shift) / weight;
}

static inline uint64_t least_quotient(const struct lb_snapshot *s, size_t place,
				      const struct least *t, uint64_t load)
{
	return ratio_of_load(t->shift, load, s->at[place].weight);
}

static inline uint32_t least_shift(const struct lb_snapshot *s)
{
	uint64_t gap = (uint64_t)s->max_weight * s->max_weight;
	uint32_t shift = 0;

	if (s->weight_gcd)
		gap /= s->weight_gcd;
	while (gap >> shift)
		shift++;
	return shift;
}

/* ---- The hooks of an algorithm ---- */

static inline void least_adopt(struct least *t, const struct lb_snapshot *s,
			       const struct least_by *by)
{
	uint32_t *winner;

	t->n = (uint32_t)s->n;
	for (t->deep = 1; t->deep < t->n;)
		t->deep *= 2;
	t->shift = least_shift(s);
	t->sweep = (struct sweep){0};
	winner = least_winner(t);
	for (uint32_t i = 0; i < t->n; i++) {
		least_seen(t)[i] = least_look(s, i, by);
		t->key[least_leaf(t, i)] = least_key_of(s, i, t, least_seen(t)[i], by);
		winner[least_leaf(t, i)] = i;
	}
	for (uint32_t i = t->n; i-- > 1;) {
		const uint32_t a = 2 * i, b = a + 1;
		const bool second = t->key[b] < t->key[a];

		t->key[i] = t->key[second ? b : a];
		winner[i] = winner[second ? b : a];
	}
}

static inline uint32_t least_moved(uint32_t count, int by)
{
	return by < 0 && !count ? 0 : count + (uint32_t)by;
}

/* This picker counted `active` and `inactive` more on the place. */
HOT void least_counted(struct least *t, const struct lb_snapshot *s, size_t place, int active,
		       int inactive, const struct least_by *by)
{
	struct least_seen *seen = &least_seen(t)[place];

	if (ledger_rows(s->ledger) == 1) {
		seen->active = snap_count(s, place, LB_COUNTER_ACTIVE);
		if (by->inactive && inactive)
			seen->inactive = snap_count(s, place, LB_COUNTER_INACTIVE);
	} else {
		seen->active = least_moved(seen->active, active);
		if (by->inactive)
			seen->inactive = least_moved(seen->inactive, inactive);
	}
	least_set(t, place, least_key_of(s, place, t, *seen, by));
}

static inline void least_add_active(void *sums, uint32_t i, int32_t active)
{
	((int64_t *)sums)[i] += active;
}

/* What other pickers counted. Where nothing but connections counts, most are found as they were. */
HOT void least_look_around(struct least *t, const struct lb_snapshot *s, const struct least_by *by)
{
	const uint32_t more = UINT32_MAX << LB_COUNTER_QUEUED;
	const bool inactive = by->inactive && ledger_has(s->ledger, 1 << LB_COUNTER_INACTIVE);
	int64_t active[LINE_PLACES] = {0};
	const struct swath some = sweep_next(&t->sweep, s);

	if (s->has_limits || (by->shared && ledger_has(s->ledger, more)) || inactive) {
		for (uint32_t i = 0; i < some.n; i++)
			least_refresh(t, s, some.from + i, by);
		return;
	}
	sweep_read(s, some, NULL, least_add_active, active);
	for (uint32_t i = 0; i < some.n; i++) {
		const uint32_t place = some.from + i;
		struct least_seen *seen = &least_seen(t)[place];
		const uint32_t is = active[i] > 0 ? (uint32_t)active[i] : 0;

		if (seen->active == is)
			continue;
		seen->active = is;
		least_set(t, place, least_key_of(s, place, t, *seen, by));
	}
}

/* The winner past those the request excludes; LEAST_NEVER for these, for as long. */
static inline ssize_t least_past(struct least *t, const struct lb_query *q,
				 const struct least_by *by)
{
	size_t skipped[LB_EXCLUDE_MAX], n = 0;
	ssize_t found = -1;

	for (;;) { /* each excluded one is met once */
		const uint32_t place = least_winner(t)[1];

		if (t->key[1] == LEAST_NEVER)
			break;
		if (!request_excludes(q->request, q->snap->at[place].id)) {
			found = (ssize_t)place;
			break;
		}
		skipped[n++] = place;
		least_set(t, place, LEAST_NEVER);
	}
	while (n) {
		const size_t place = skipped[--n];

		least_set(t, place, least_key_of(q->snap, place, t, least_seen(t)[place], by));
	}
	return found;
}

HOT ssize_t least_first(struct least *t, const struct lb_query *q, const struct least_by *by)
{
	if (!q->plain)
		return least_past(t, q, by);
	return t->key[1] == LEAST_NEVER ? -1 : (ssize_t)least_winner(t)[1];
}

HOT ssize_t least_pick(struct least *t, const struct lb_query *q, const struct least_by *by)
{
	const struct lb_snapshot *s = q->snap;
	const uint32_t rows = ledger_rows(s->ledger);
	ssize_t place;

	if (rows > 1 && !sweep_rests(&t->sweep))
		by->look(t, s);
	place = least_first(t, q, by);
	if (place >= 0 || rows == 1)
		return place;
	by->look_at_all(t, s); /* others may have made room */
	return least_first(t, q, by);
}

/* Makes name_by of name_key(); the others are fields of struct least_by. */
#define LEAST_BY(name, is_inactive, is_shared)                                                \
	static void name##_look(struct least *t, const struct lb_snapshot *s);                \
	static void name##_look_at_all(struct least *t, const struct lb_snapshot *s);         \
	static const struct least_by name##_by = {.key = name##_key,                          \
						  .inactive = is_inactive,                    \
						  .shared = is_shared,                        \
						  .look = name##_look,                        \
						  .look_at_all = name##_look_at_all};         \
	static __attribute__((noinline)) void name##_look(struct least *t,                    \
							  const struct lb_snapshot *s)        \
	{                                                                                     \
		least_look_around(t, s, &name##_by);                                          \
	}                                                                                     \
	static __attribute__((noinline)) void name##_look_at_all(struct least *t,             \
								 const struct lb_snapshot *s) \
	{                                                                                     \
		for (size_t i = 0; i < s->n; i++)                                             \
			least_refresh(t, s, i, &name##_by);                                   \
	}

/* What follows a pick, for both kinds of hooks: here, and of in_turn.h. */
#define LEAST_COUNTED(name)                                                                  \
	static void name##_on_done(const struct lb_snapshot *s, void *cursor, size_t place,  \
				   const struct lb_outcome *o)                               \
	{                                                                                    \
		least_counted(cursor, s, place, o->inactive ? 0 : -1, o->inactive ? -1 : 0,  \
			      &name##_by);                                                   \
	}                                                                                    \
	static void name##_on_count(const struct lb_snapshot *s, void *cursor, size_t place, \
				    enum lb_counter c)                                       \
	{                                                                                    \
		least_refresh(cursor, s, place, &name##_by);                                 \
	}                                                                                    \
	static void name##_on_full(const struct lb_snapshot *s, void *cursor, size_t place)  \
	{                                                                                    \
		least_refresh(cursor, s, place, &name##_by);                                 \
	}

/*
 * The hooks of an algorithm that is nothing but a key: LEAST_HOOKS(wlc, true) makes them of wlc_key(), LEAST_OPS(wlc)
 * names them in its struct lb_algo. is_inactive: struct least_by.
 */
#define LEAST_HOOKS(name, is_inactive)                                                       \
	LEAST_BY(name, is_inactive, false)                                                   \
	static void name##_adopt(const struct lb_snapshot *s, void *cursor,                  \
				 const struct lb_snapshot *old, const void *old_cursor)      \
	{                                                                                    \
		least_adopt(cursor, s, &name##_by);                                          \
	}                                                                                    \
	HOT ssize_t name##_pick(const struct lb_snapshot *s, void *cursor,                   \
				const struct lb_query *q)                                    \
	{                                                                                    \
		return least_pick(cursor, q, &name##_by);                                    \
	}                                                                                    \
	static void name##_on_start(const struct lb_snapshot *s, void *cursor, size_t place, \
				    const struct lb_request *r)                              \
	{                                                                                    \
		least_counted(cursor, s, place, 1, 0, &name##_by);                           \
	}                                                                                    \
	LEAST_COUNTED(name)                                                                  \
	USUAL_PICK(name, name##_pick, name##_on_start)

#define LEAST_OPS(name)                                                                      \
	.cursor_size = least_cursor_size, .adopt = name##_adopt, .pick = name##_pick,        \
	.on_start = name##_on_start, .on_done = name##_on_done, .on_count = name##_on_count, \
	.on_full = name##_on_full

#endif
