/* SPDX-License-Identifier: MIT */
/*
 * least_conn: nginx's, to the pick. Least connections / weight; those that share the least take one step of the
 * smooth rotation (smooth.h) among themselves: each gains its weight, the first with the most is chosen and pays
 * what all gained. nginx looks at everyone twice.
 *
 * Here those of one ratio form a pool, which counts its steps: a gain is what a server brought along, and its weight
 * for each step since. Of one weight, a class, all in a pool gain alike, so that among them the one ahead stays ahead:
 * they stand in a tournament, fewest connections first, then who gained most, then the order of the list. A pick
 * compares those winners, one of each class, that have the least ratio; who they are is known from one pick to the
 * next, until the last of them has another. O(log n) when a server changes its pool.
 */
#include "libsched/algos.h"
#include "libsched/classes.h"
#include "libsched/either.h"
#include "libsched/least.h"
#include "libsched/mul.h"

#define NONE UINT32_MAX

typedef uint128 rank_t; /* what a match is about: rank_of() */

#define RANK_NONE (~(rank_t)0) /* may not be chosen */

/* The table. */
struct lineup {
	struct classes classes;
	/* Behind those of classes_size(). */
	uint32_t *size;	  /* of each class */
	uint32_t *nth;	  /* of each place: in its class, from 0 */
	uint32_t n_nodes; /* of all tournaments */
};

/* Of each place, all that a pick needs to know. */
struct member {
	int64_t gained; /* apart from the steps of its pool */
	uint64_t id;
	uint32_t slot;
	uint32_t active;
	uint32_t pool;	     /* NONE: may not be chosen */
	uint16_t class, nth; /* as in the table */
};

_Static_assert(sizeof(struct member) == 32, "two to a cache line");
_Static_assert(LB_SERVERS_MAX <= UINT16_MAX + 1, "classes and places are 16 bits");

/* Those of one ratio, while there are any. */
struct pool {
	uint64_t ratio;
	int64_t steps;
	uint64_t weight; /* of all of them; 0: not in use */
	uint32_t next;
};

/* Those of one weight. */
struct weight_class {
	/* Of who is ahead. */
	_Alignas(LINE_BYTES) uint64_t ratio; /* LEAST_NEVER: nobody may be chosen */
	int64_t gained;
	uint32_t ahead; /* its place; NONE */
	uint32_t pool;

	uint32_t weight;
	uint32_t nodes, leaf; /* where its tournament begins, and in that its members */
	/* Where the last one went that joined a pool. */
	uint32_t joined_active, joined_pool;
	uint64_t joined_ratio;
};

/* Who is ahead in a class, if that is the least ratio: what a pick compares. */
struct tied {
	int64_t gained;
	uint32_t weight, ahead, class;
};

/* The cursor, followed by its parts. */
struct least_conn {
	_Alignas(LINE_BYTES) struct sweep sweep;
	uint32_t shift;	   /* of ratios, see least_quotient() */
	uint32_t free;	   /* the first pool not in use, on by `next` */
	uint32_t n_chains; /* a power of two */
	/* Where the parts are, from here: a cursor may be copied. */
	size_t node_at, member_at, pool_at;
	size_t chain_at; /* the first pool of each, or NONE */
	size_t tied_at;
	uint32_t n_tied;     /* 0: to be found anew */
	uint32_t chosen;     /* which of them was the last pick */
	uint64_t least;	     /* the ratio they have */
	uint32_t least_pool; /* and their pool */
};

HOT struct weight_class *class_of(const struct least_conn *c)
{
	return (struct weight_class *)(c + 1);
}

HOT rank_t *node_of(const struct least_conn *c)
{
	return (rank_t *)((char *)c + c->node_at);
}

HOT struct member *member_of(const struct least_conn *c)
{
	return (struct member *)((char *)c + c->member_at);
}

HOT struct pool *pool_of(const struct least_conn *c)
{
	return (struct pool *)((char *)c + c->pool_at);
}

HOT struct tied *tied_of(const struct least_conn *c)
{
	return (struct tied *)((char *)c + c->tied_at);
}

HOT uint32_t *chains_of(const struct least_conn *c)
{
	return (uint32_t *)((char *)c + c->chain_at);
}

HOT uint32_t *chain_of(const struct least_conn *c, uint64_t ratio)
{
	return chains_of(c) + (ratio * 0x9e3779b97f4a7c15u >> 32 & (c->n_chains - 1));
}

static uint32_t chains_for(size_t n)
{
	uint32_t chains = 1;

	while (chains < n)
		chains *= 2;
	return chains;
}

/* ---- The table ---- */

/*
 * A tournament is played in groups of four. The winner of group g stands in node g - 1, the leaves behind all winners;
 * who wins group 0 is ahead of the class. So many groups for so many members:
 */
static uint32_t groups_for(uint32_t members)
{
	return members > 4 ? (members + 1) / 3 : 1;
}

static size_t lineup_size(const struct lb_snapshot *s)
{
	return sizeof(struct lineup) + classes_size(s) + 2 * s->n * sizeof(uint32_t);
}

static int lineup_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct lineup *l = table;

	classes_build_in(s, &l->classes, (uint32_t *)(l + 1));
	l->size = l->classes.of + s->n;
	l->nth = l->size + s->n;
	for (size_t i = 0; i < s->n; i++)
		if (s->at[i].weight)
			l->nth[i] = l->size[l->classes.of[i]]++;
	for (uint32_t k = 0; k < l->classes.n; k++)
		l->n_nodes += 4 * groups_for(l->size[k]);
	return 0;
}

/* ---- The cursor ---- */

static size_t least_conn_size(const struct lb_snapshot *s)
{
	const struct lineup *l = s->table;

	return sizeof(struct least_conn) + l->n_nodes * sizeof(rank_t) +
	       s->n * (sizeof(struct member) + sizeof(struct pool)) +
	       l->classes.n * (sizeof(struct weight_class) + sizeof(struct tied)) +
	       chains_for(s->n) * sizeof(uint32_t);
}

static void lay_out(struct least_conn *c, const struct lb_snapshot *s)
{
	const struct lineup *l = s->table;

	*c = (struct least_conn){.shift = least_shift(s), .n_chains = chains_for(s->n)};
	c->node_at = sizeof(*c) + l->classes.n * sizeof(struct weight_class);
	c->member_at = c->node_at + l->n_nodes * sizeof(rank_t);
	c->pool_at = c->member_at + s->n * sizeof(struct member);
	c->tied_at = c->pool_at + s->n * sizeof(struct pool);
	c->chain_at = c->tied_at + l->classes.n * sizeof(struct tied);
}

/* Nobody is in a pool yet. */
static void fill_in(struct least_conn *c, const struct lb_snapshot *s)
{
	const struct lineup *l = s->table;
	uint32_t nodes = 0;

	for (uint32_t i = 0; i < c->n_chains; i++)
		chains_of(c)[i] = NONE;
	for (uint32_t k = 0; k < l->classes.n; k++) {
		class_of(c)[k] = (struct weight_class){.weight = l->classes.weight[k],
						       .nodes = nodes,
						       .leaf = groups_for(l->size[k]) - 1};
		nodes += 4 * groups_for(l->size[k]);
	}
	for (uint32_t i = 0; i < s->n; i++) {
		const struct snap_server *e = &s->at[i];

		pool_of(c)[i].next = i + 1;
		member_of(c)[i] = (struct member){.id = e->id,
						  .slot = e->slot,
						  .active = snap_active_of(s, e),
						  .pool = NONE,
						  .class = (uint16_t)l->classes.of[i],
						  .nth = (uint16_t)l->nth[i]};
	}
}

/* ---- Pools ---- */

/* The pool of this ratio; a new one, if there is none. */
HOT uint32_t find_pool(struct least_conn *c, uint64_t ratio)
{
	uint32_t *chain = chain_of(c, ratio), i = *chain;
	struct pool *pool = pool_of(c);

	while (i != NONE && pool[i].ratio != ratio)
		i = pool[i].next;
	if (i == NONE) {
		i = c->free;
		c->free = pool[i].next;
		pool[i] = (struct pool){.ratio = ratio, .next = *chain};
		*chain = i;
	}
	return i;
}

/* Those of one weight often go where the one before went. */
HOT void join_pool(struct least_conn *c, struct member *m, int64_t gained)
{
	struct weight_class *k = &class_of(c)[m->class];
	struct pool *pool = &pool_of(c)[k->joined_pool];

	if (k->joined_active != m->active || pool->ratio != k->joined_ratio || !pool->weight) {
		k->joined_active = m->active;
		k->joined_ratio = ratio_of_load(c->shift, m->active, k->weight);
		k->joined_pool = find_pool(c, k->joined_ratio);
		pool = &pool_of(c)[k->joined_pool];
	}
	pool->weight += k->weight;
	m->gained = gained - pool->steps * k->weight;
	m->pool = k->joined_pool;
}

/* Returns what it has gained altogether. */
HOT int64_t leave_pool(struct least_conn *c, struct member *m)
{
	const uint32_t weight = class_of(c)[m->class].weight, i = m->pool;
	struct pool *pool = pool_of(c);
	const int64_t gained = m->gained + pool[i].steps * weight;
	uint32_t *link;

	m->pool = NONE;
	pool[i].weight -= weight;
	if (pool[i].weight)
		return gained;
	for (link = chain_of(c, pool[i].ratio); *link != i; link = &pool[*link].next)
		;
	*link = pool[i].next;
	pool[i].next = c->free;
	c->free = i;
	return gained;
}

/* ---- Tournaments ---- */

/* Fewest connections, then who gained most, then the order of the list, so that the least is the best. */
HOT rank_t rank_of(const struct member *m, uint32_t place)
{
	const uint64_t behind = (uint64_t)INT64_MAX - (uint64_t)m->gained;

	if (m->pool == NONE)
		return RANK_NONE;
	return (rank_t)((uint64_t)m->active << 32 | behind >> 32) << 64 | (behind << 32 | place);
}

HOT struct tied tied_for(const struct least_conn *c, uint32_t k)
{
	const struct weight_class *class = &class_of(c)[k];

	return (struct tied){class->gained, class->weight, class->ahead, k};
}

/* Somebody else is ahead in a class, or the same one with another gain; `was`: the ratio before. */
HOT void ahead_moved(struct least_conn *c, uint32_t k, uint64_t was)
{
	struct tied *tied = tied_of(c), *chosen = &tied[c->chosen];
	const uint64_t is = class_of(c)[k].ratio;

	if (!c->n_tied)
		return;
	if (chosen->class != k || is < c->least) {
		if (was == c->least || is <= c->least)
			c->n_tied = 0;
	} else if (is == c->least) {
		*chosen = tied_for(c, k);
	} else {
		*chosen = tied[--c->n_tied];
		tied[c->n_tied].class = NONE; /* `chosen` may still mean it */
	}
}

HOT void set_ahead(struct least_conn *c, uint32_t k, rank_t best)
{
	struct weight_class *class = &class_of(c)[k];
	const uint64_t was = class->ratio;

	class->ratio = LEAST_NEVER;
	class->ahead = (uint32_t)best;
	if (best != RANK_NONE) {
		const struct member *m = &member_of(c)[class->ahead];

		class->ratio = pool_of(c)[m->pool].ratio;
		class->gained = m->gained;
		class->pool = m->pool;
	}
	ahead_moved(c, k, was);
}

HOT rank_t lesser(rank_t a, rank_t b)
{
	return b < a ? b : a;
}

HOT rank_t *node_in(rank_t *node, size_t bytes)
{
	return (rank_t *)((char *)node + bytes);
}

/*
 * From a leaf, which now has this rank, until nothing changes: false; or, `to_the_end`, a constant, all the way: who was
 * ahead of all loses anywhere, which no branch is guessed by. Counting in bytes spares shifts.
 */
HOT bool play_from(rank_t *node, uint32_t leaf, rank_t rank, bool to_the_end, rank_t *ret_best)
{
	const size_t one = sizeof(rank_t);

	for (size_t i = leaf * one;;) {
		const rank_t a = *node_in(node, i ^ one), b = *node_in(node, i ^ 2 * one),
			     c = *node_in(node, i ^ 3 * one);

		*node_in(node, i) = rank;
		rank = lesser(rank, lesser(lesser(a, b), c));
		if (i < 4 * one)
			break;
		i = (i / 4 & -one) - one;
		if (!to_the_end && *node_in(node, i) == rank)
			return false;
	}
	*ret_best = rank;
	return true;
}

/* This place's matches are played anew; `was_ahead`, a constant: of all of its class. */
HOT void play_as(struct least_conn *c, uint32_t place, bool was_ahead)
{
	const struct member *m = &member_of(c)[place];
	const struct weight_class *class = &class_of(c)[m->class];
	rank_t best;

	if (play_from(node_of(c) + class->nodes, class->leaf + m->nth, rank_of(m, place), was_ahead,
		      &best) &&
	    (was_ahead || (uint32_t)best != class->ahead))
		set_ahead(c, m->class, best);
}

HOT void play(struct least_conn *c, uint32_t place)
{
	if (class_of(c)[member_of(c)[place].class].ahead == place)
		play_as(c, place, true);
	else
		play_as(c, place, false);
}

static void play_all(struct least_conn *c, const struct lb_snapshot *s)
{
	const struct lineup *l = s->table;

	for (uint32_t i = 0; i < l->n_nodes; i++)
		node_of(c)[i] = RANK_NONE;
	for (uint32_t i = 0; i < s->n; i++) {
		const struct member *m = &member_of(c)[i];
		const struct weight_class *class = &class_of(c)[m->class];

		if (s->at[i].weight)
			node_of(c)[class->nodes + class->leaf + m->nth] = rank_of(m, i);
	}
	for (uint32_t k = 0; k < l->classes.n; k++) {
		rank_t *node = node_of(c) + class_of(c)[k].nodes, best = RANK_NONE;

		for (uint32_t g = groups_for(l->size[k]); g-- > 0;) {
			best = lesser(lesser(node[4 * g], node[4 * g + 1]),
				      lesser(node[4 * g + 2], node[4 * g + 3]));
			if (g)
				node[g - 1] = best;
		}
		set_ahead(c, k, best);
	}
}

/* ---- Changes ---- */

HOT void put(struct least_conn *c, uint32_t place, bool in_service)
{
	struct member *m = &member_of(c)[place];

	if (m->pool != NONE)
		m->gained = leave_pool(c, m);
	if (in_service)
		join_pool(c, m, m->gained);
	play(c, place);
}

HOT bool may_serve(const struct least_conn *c, const struct lb_snapshot *s, uint32_t place)
{
	return !snap_full_with(s, &s->at[place], member_of(c)[place].active);
}

/* It has so many connections, as far as is known. False: nothing changed by that. */
HOT bool set_active(struct least_conn *c, const struct lb_snapshot *s, size_t place,
		    uint32_t active)
{
	struct member *m = &member_of(c)[place];
	const bool served = m->pool != NONE, same = m->active == active;
	bool serves;

	if (!s->at[place].weight)
		return false;
	m->active = active;
	serves = may_serve(c, s, (uint32_t)place);
	if (same && serves == served)
		return false;
	put(c, (uint32_t)place, serves);
	return true;
}

HOT bool refresh(struct least_conn *c, const struct lb_snapshot *s, size_t place)
{
	return set_active(c, s, place, snap_active_of(s, &s->at[place]));
}

/* This picker counted `by` more. */
HOT bool counted(struct least_conn *c, const struct lb_snapshot *s, size_t place, int by)
{
	if (ledger_rows(s->ledger) == 1)
		return refresh(c, s, place);
	return set_active(c, s, place, least_moved(member_of(c)[place].active, by));
}

/* ---- The hooks ---- */

static void least_conn_adopt(const struct lb_snapshot *s, void *cursor,
			     const struct lb_snapshot *old, const void *old_cursor)
{
	const struct least_conn *was = old_cursor;
	struct least_conn *c = cursor;
	struct member *m;

	lay_out(c, s);
	fill_in(c, s);
	m = member_of(c);
	for (size_t i = 0; old && i < old->n; i++) { /* who stays keeps what it gained */
		const struct member *from = &member_of(was)[i];
		const ssize_t place = lb_snapshot_find(s, from->id);

		if (place < 0)
			continue;
		m[place].gained = from->gained;
		if (from->pool != NONE)
			m[place].gained += pool_of(was)[from->pool].steps * old->at[i].weight;
	}
	for (uint32_t i = 0; i < s->n; i++)
		if (s->at[i].weight && may_serve(c, s, i))
			join_pool(c, &m[i], m[i].gained);
	play_all(c, s);
}

/* Finds the least ratio and who has it. */
HOT void find_tied(struct least_conn *c, const struct lb_snapshot *s)
{
	const struct classes *classes = s->table;
	const struct weight_class *class = class_of(c);
	struct tied *tied = tied_of(c);
	uint32_t n = 0;
	uint64_t least = LEAST_NEVER;

	for (uint32_t k = classes->n; k-- > 0;) {
		if (class[k].ratio > least)
			continue;
		if (class[k].ratio < least) {
			least = class[k].ratio;
			n = 0;
		}
		tied[n++] = tied_for(c, k);
	}
	c->least = least;
	c->n_tied = least == LEAST_NEVER ? 0 : n;
	if (c->n_tied)
		c->least_pool = class[tied->class].pool;
}

/* Who is ahead among the tied, which are all of one pool, after so many steps of it. */
HOT uint32_t best_tied(const struct least_conn *c, int64_t steps)
{
	const struct tied *tied = tied_of(c);
	const uint32_t n = c->n_tied;
	int64_t most = INT64_MIN;
	uint32_t first = NONE, best = 0;

	for (uint32_t i = 0; i < n; i++) {
		const int64_t gained = tied[i].gained + steps * (int64_t)tied[i].weight;

		if (gained > most || (gained == most && tied[i].ahead < first)) {
			most = gained;
			first = tied[i].ahead;
			best = i;
		}
	}
	return best;
}

/*
 * The place of the first of the best, one step of the rotation of its pool later; or NONE. play() is to follow. nginx
 * gives no step to one that is alone with its ratio: it would pay what it gains.
 */
HOT uint32_t step(struct least_conn *c, const struct lb_snapshot *s)
{
	struct pool *pool;
	uint32_t place;

	if (!c->n_tied)
		find_tied(c, s);
	if (!c->n_tied)
		return NONE;
	pool = &pool_of(c)[c->least_pool];
	c->chosen = best_tied(c, ++pool->steps);
	place = tied_of(c)[c->chosen].ahead;
	member_of(c)[place].gained -= (int64_t)pool->weight;
	return place;
}

/* Those the request excludes stand aside meanwhile. */
static ssize_t step_without(struct least_conn *c, const struct lb_query *q)
{
	const struct lb_snapshot *s = q->snap;
	uint32_t aside[LB_EXCLUDE_MAX], n = 0, place;

	for (size_t i = 0; i < q->request->n_exclude; i++) {
		const ssize_t found = lb_snapshot_find(s, q->request->exclude[i]);

		if (found < 0 || member_of(c)[found].pool == NONE)
			continue;
		aside[n++] = (uint32_t)found;
		put(c, (uint32_t)found, false);
	}
	place = step(c, s);
	if (place != NONE)
		play(c, place);
	while (n)
		put(c, aside[--n], true);
	return place == NONE ? -1 : (ssize_t)place;
}

/* Reads what other pickers counted, a few servers at a time: apart, as few picks call for it. */
static __attribute__((noinline)) void look_around(struct least_conn *c, const struct lb_snapshot *s)
{
	const struct swath some = sweep_next(&c->sweep, s);

	for (uint32_t i = 0; i < some.n; i++)
		refresh(c, s, some.from + i);
}

HOT void sweep(struct least_conn *c, const struct lb_snapshot *s)
{
	if (ledger_rows(s->ledger) > 1 && !sweep_rests(&c->sweep))
		look_around(c, s);
}

static ssize_t least_conn_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct least_conn *c = cursor;
	ssize_t place;

	sweep(c, s);
	place = step_without(c, q);
	if (place >= 0 || ledger_rows(s->ledger) == 1)
		return place;
	for (size_t i = 0; i < s->n; i++) /* others may have made room */
		refresh(c, s, i);
	return step_without(c, q);
}

static void least_conn_on_start(const struct lb_snapshot *s, void *cursor, size_t place,
				const struct lb_request *r)
{
	counted(cursor, s, place, 1);
}

static void least_conn_on_done(const struct lb_snapshot *s, void *cursor, size_t place,
			       const struct lb_outcome *o)
{
	counted(cursor, s, place, o->inactive ? 0 : -1);
}

static void least_conn_on_count(const struct lb_snapshot *s, void *cursor, size_t place,
				enum lb_counter c)
{
	refresh(cursor, s, place);
}

static void least_conn_on_full(const struct lb_snapshot *s, void *cursor, size_t place)
{
	refresh(cursor, s, place);
}

static bool least_conn_score(const struct lb_snapshot *s, const void *cursor,
			     const struct lb_query *q, size_t place, double *ret)
{
	*ret = (double)member_of(cursor)[place].active / s->at[place].weight;
	return true;
}

/* ---- The usual pick ---- */

/* The step and the connection are played as one. No server has a limit. */
HOT void count_and_play(struct least_conn *c, const struct lb_snapshot *s, uint32_t place)
{
	struct member *m = &member_of(c)[place];
	const int64_t gained = leave_pool(c, m);

	m->active = least_moved(m->active, 1);
	if (ledger_rows(s->ledger) == 1) {
		const int64_t active = row_active_of(s->ledger->first, m->slot);

		m->active = active > 0 ? (uint32_t)active : 0;
	}
	join_pool(c, m, gained);
	play_as(c, place, true);
}

HOT bool least_conn_one(const struct lb_query *q, void *cursor, struct ledger_row *row,
			uint64_t *ret_id)
{
	const struct lb_snapshot *s = q->snap;
	struct least_conn *c = cursor;
	const struct member *m;
	uint32_t place;

	sweep(c, s);
	place = step(c, s);
	if (__builtin_expect(place == NONE, 0))
		return false;
	m = &member_of(c)[place];
	usual_start(q, c, row, m->slot, m->id, place, NULL, ret_id);
	if (row)
		count_and_play(c, s, place);
	else
		play(c, place);
	return true;
}

USUAL(least_conn)

const struct lb_algo algo_least_conn = {
    .size = sizeof(algo_least_conn),
    .name = "least_conn",
    .table_size = lineup_size,
    .build = lineup_build,
    .cursor_size = least_conn_size,
    .adopt = least_conn_adopt,
    .pick = least_conn_pick,
    .on_start = least_conn_on_start,
    .on_done = least_conn_on_done,
    .on_count = least_conn_on_count,
    .on_full = least_conn_on_full,
    .score = least_conn_score,
};
