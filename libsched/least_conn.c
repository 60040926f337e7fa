/* SPDX-License-Identifier: MIT */
/*
 * least_conn: nginx's, to the pick. Least connections / weight; those that share the least take one step of the
 * smooth rotation (smooth.h) among themselves: each gains its weight, the first with the most is chosen and pays
 * what all gained. nginx looks at everyone twice.
 *
 * Here those of one ratio form a pool, which counts its steps: a gain is what a server brought along, and its weight
 * for each step since. Of one weight all in a pool gain alike, so that among them the one ahead stays ahead: they
 * stand in a tournament, fewest connections first, then who gained most, then the order of the list. A pick compares
 * those winners, one for each different weight, that have the least ratio; who they are is known from one pick to the
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

/* Where a place stands in the tournament of its class. */
struct seat {
	uint32_t weight, class;
	uint32_t nodes; /* of the class begin here */
	uint32_t leaf;	/* among these */
};

/* The table: classes of weights, and seats. */
struct lineup {
	struct classes classes;
	/* Behind those of classes_size(). */
	struct seat *seat; /* of each place */
	uint32_t *size;	   /* of each class */
	uint32_t *nodes;   /* likewise, see struct seat */
};

struct member {
	int64_t gained; /* apart from the steps of its pool */
	uint32_t active;
	uint32_t pool; /* NONE: may not be chosen */
};

/* Those of one ratio, while there are any. */
struct pool {
	uint64_t ratio;
	int64_t steps;
	uint64_t weight; /* of all of them */
	uint32_t members, next;
};

/* Who won in a class: a pick looks at no more than these. */
struct head {
	uint64_t ratio; /* LEAST_NEVER: nobody may be chosen */
	int64_t gained; /* as the member's */
	uint32_t place, pool;
	uint64_t weight; /* of the class */
};

/* Where the last of a class went that joined a pool. */
struct joined {
	uint32_t active, pool;
	uint64_t ratio;
};

/* The cursor, followed by its parts. */
struct least_conn {
	_Alignas(LINE_BYTES) struct sweep sweep;
	uint32_t shift;	   /* of ratios, see least_quotient() */
	uint32_t free;	   /* the first pool not in use, on by `next` */
	uint32_t n_chains; /* a power of two */
	/* Where the parts are, from here: a cursor may be copied. */
	size_t node_at; /* two for each place: see struct lineup */
	size_t member_at, pool_at, head_at, joined_at;
	size_t tied_at;	 /* the heads that have the least ratio */
	size_t chain_at; /* the first pool of each, or NONE */
	uint32_t n_tied; /* 0: to be found anew */
	uint32_t chosen; /* which of them was the last pick */
	uint64_t least;
};

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

HOT struct head *head_of(const struct least_conn *c)
{
	return (struct head *)((char *)c + c->head_at);
}

HOT struct joined *joined_of(const struct least_conn *c)
{
	return (struct joined *)((char *)c + c->joined_at);
}

HOT uint32_t *tied_of(const struct least_conn *c)
{
	return (uint32_t *)((char *)c + c->tied_at);
}

HOT uint32_t *chains_of(const struct least_conn *c)
{
	return (uint32_t *)((char *)c + c->chain_at);
}

HOT uint32_t *chain_of(const struct least_conn *c, uint64_t ratio)
{
	return chains_of(c) + (ratio * 0x9e3779b97f4a7c15u >> 32 & (c->n_chains - 1));
}

HOT const struct seat *seat_of(const struct lb_snapshot *s, uint32_t place)
{
	return ((const struct lineup *)s->table)->seat + place;
}

static uint32_t chains_for(size_t n)
{
	uint32_t chains = 1;

	while (chains < n)
		chains *= 2;
	return chains;
}

/* ---- The table ---- */

static size_t lineup_size(const struct lb_snapshot *s)
{
	return sizeof(struct lineup) + classes_size(s) +
	       s->n * (sizeof(struct seat) + 2 * sizeof(uint32_t));
}

static int lineup_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct lineup *l = table;
	uint32_t first = 0;

	classes_build_in(s, &l->classes, (uint32_t *)(l + 1));
	l->seat = (struct seat *)(l->classes.of + s->n);
	l->size = (uint32_t *)(l->seat + s->n);
	l->nodes = l->size + s->n;
	for (size_t i = 0; i < s->n; i++)
		if (s->at[i].weight)
			l->seat[i].leaf = l->size[l->classes.of[i]]++;
	for (uint32_t k = 0; k < l->classes.n; k++) {
		l->nodes[k] = 2 * first;
		first += l->size[k];
	}
	for (size_t i = 0; i < s->n; i++) {
		const uint32_t k = l->classes.of[i];

		if (s->at[i].weight)
			l->seat[i] = (struct seat){.weight = s->at[i].weight,
						   .class = k,
						   .nodes = l->nodes[k],
						   .leaf = l->seat[i].leaf + l->size[k]};
	}
	return 0;
}

/* ---- The cursor ---- */

static size_t least_conn_size(const struct lb_snapshot *s)
{
	const struct lineup *l = s->table;

	return sizeof(struct least_conn) +
	       s->n * (2 * sizeof(rank_t) + sizeof(struct member) + sizeof(struct pool)) +
	       l->classes.n * (sizeof(struct head) + sizeof(struct joined) + sizeof(uint32_t)) +
	       chains_for(s->n) * sizeof(uint32_t);
}

static void lay_out(struct least_conn *c, const struct lb_snapshot *s)
{
	const struct lineup *l = s->table;

	*c = (struct least_conn){.shift = least_shift(s), .n_chains = chains_for(s->n)};
	c->node_at = sizeof(*c);
	c->member_at = c->node_at + 2 * s->n * sizeof(rank_t);
	c->pool_at = c->member_at + s->n * sizeof(struct member);
	c->head_at = c->pool_at + s->n * sizeof(struct pool);
	c->joined_at = c->head_at + l->classes.n * sizeof(struct head);
	c->tied_at = c->joined_at + l->classes.n * sizeof(struct joined);
	c->chain_at = c->tied_at + l->classes.n * sizeof(uint32_t);
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
HOT void join_pool(struct least_conn *c, const struct lb_snapshot *s, uint32_t place)
{
	const struct seat *seat = seat_of(s, place);
	struct member *m = &member_of(c)[place];
	const uint32_t weight = seat->weight;
	struct joined *last = &joined_of(c)[seat->class];
	struct pool *pool = &pool_of(c)[last->pool];

	if (last->active != m->active || pool->ratio != last->ratio || !pool->members) {
		last->active = m->active;
		last->ratio = ratio_of_load(c->shift, m->active, weight);
		last->pool = find_pool(c, last->ratio);
		pool = &pool_of(c)[last->pool];
	}
	pool->members++;
	pool->weight += weight;
	m->gained -= pool->steps * weight;
	m->pool = last->pool;
}

HOT void leave_pool(struct least_conn *c, const struct lb_snapshot *s, uint32_t place)
{
	struct member *m = &member_of(c)[place];
	const uint32_t weight = seat_of(s, place)->weight, i = m->pool;
	struct pool *pool = pool_of(c);
	uint32_t *link;

	m->gained += pool[i].steps * weight;
	m->pool = NONE;
	pool[i].weight -= weight;
	if (--pool[i].members)
		return;
	for (link = chain_of(c, pool[i].ratio); *link != i; link = &pool[*link].next)
		;
	*link = pool[i].next;
	pool[i].next = c->free;
	c->free = i;
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

/* The ratio of a head was another. */
HOT void head_moved(struct least_conn *c, uint32_t k, uint64_t was, uint64_t is)
{
	uint32_t *tied = tied_of(c);

	if (was == is || !c->n_tied)
		return;
	if (was == c->least && is > c->least && tied[c->chosen] == k)
		tied[c->chosen] = tied[--c->n_tied];
	else if (was == c->least || is <= c->least)
		c->n_tied = 0;
}

HOT void set_head(struct least_conn *c, uint32_t k, rank_t best)
{
	const uint32_t place = (uint32_t)best;
	struct head *head = &head_of(c)[k];
	const uint64_t was = head->ratio;

	head->ratio = LEAST_NEVER;
	if (best != RANK_NONE) {
		const struct member *m = &member_of(c)[place];

		head->ratio = pool_of(c)[m->pool].ratio;
		head->gained = m->gained;
		head->place = place;
		head->pool = m->pool;
	}
	head_moved(c, k, was, head->ratio);
}

/*
 * The way up from node i: until nothing changes, or, of who was ahead of all, to the end. The latter now loses on any
 * level, which no branch is guessed by; the former is soon told.
 */
HOT bool play_from(rank_t *node, uint32_t i, rank_t best, bool to_the_end)
{
	for (node[i] = best; i > 1; node[i /= 2] = best) {
		const rank_t other = node[i ^ 1];

		if (to_the_end) {
			const uint64_t lost = all_ones_if(other < best);

			best ^= (best ^ other) & ((rank_t)lost << 64 | lost);
		} else if (other < best) {
			best = other;
		}
		if (!to_the_end && node[i / 2] == best)
			return false;
	}
	return true;
}

/* This place's matches are played anew; `ahead`, a constant: it was ahead of all of its class. */
HOT void play_ahead(struct least_conn *c, const struct lb_snapshot *s, uint32_t place, bool ahead)
{
	const struct seat *seat = seat_of(s, place);
	rank_t *node = node_of(c) + seat->nodes;
	const rank_t rank = rank_of(&member_of(c)[place], place);

	if (play_from(node, seat->leaf, rank, ahead))
		set_head(c, seat->class, node[1]);
}

/* Likewise, of anyone. */
HOT void play(struct least_conn *c, const struct lb_snapshot *s, uint32_t place)
{
	const rank_t *node = node_of(c) + seat_of(s, place)->nodes;

	if ((uint32_t)node[1] == place)
		play_ahead(c, s, place, true);
	else
		play_ahead(c, s, place, false);
}

static void play_all(struct least_conn *c, const struct lb_snapshot *s)
{
	const struct lineup *l = s->table;

	for (uint32_t i = 0; i < s->n; i++)
		if (s->at[i].weight)
			node_of(c)[l->seat[i].nodes + l->seat[i].leaf] =
			    rank_of(&member_of(c)[i], i);
	for (uint32_t k = 0; k < l->classes.n; k++) {
		rank_t *node = node_of(c) + l->nodes[k];

		for (uint32_t i = l->size[k]; i-- > 1;)
			node[i] = node[2 * i] < node[2 * i + 1] ? node[2 * i] : node[2 * i + 1];
		head_of(c)[k].weight = l->classes.weight[k];
		set_head(c, k, node[1]);
	}
}

/* ---- Changes ---- */

HOT void put(struct least_conn *c, const struct lb_snapshot *s, uint32_t place, bool in_service)
{
	if (member_of(c)[place].pool != NONE)
		leave_pool(c, s, place);
	if (in_service)
		join_pool(c, s, place);
	play(c, s, place);
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
	put(c, s, (uint32_t)place, serves);
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
	m = member_of(c);
	for (uint32_t i = 0; i < c->n_chains; i++)
		chains_of(c)[i] = NONE;
	for (uint32_t i = 0; i < s->n; i++) {
		pool_of(c)[i].next = i + 1;
		m[i] = (struct member){.active = snap_active_of(s, &s->at[i]), .pool = NONE};
	}
	for (size_t i = 0; old && i < old->n; i++) { /* who stays keeps what it gained */
		const struct member *from = &member_of(was)[i];
		ssize_t place = lb_snapshot_find(s, old->at[i].id);

		if (place < 0)
			continue;
		m[place].gained = from->gained;
		if (from->pool != NONE)
			m[place].gained += pool_of(was)[from->pool].steps * old->at[i].weight;
	}
	for (uint32_t i = 0; i < s->n; i++)
		if (s->at[i].weight && may_serve(c, s, i))
			join_pool(c, s, i);
	play_all(c, s);
}

/* Finds the least ratio and who has it. */
HOT void find_tied(struct least_conn *c, const struct lb_snapshot *s)
{
	const struct classes *classes = s->table;
	const struct head *head = head_of(c);
	uint32_t *tied = tied_of(c), n = 0;
	uint64_t least = LEAST_NEVER;

	for (uint32_t k = classes->n; k-- > 0;) {
		if (head[k].ratio > least)
			continue;
		if (head[k].ratio < least) {
			least = head[k].ratio;
			n = 0;
		}
		tied[n++] = k;
	}
	c->least = least;
	c->n_tied = least == LEAST_NEVER ? 0 : n;
}

/* Who is ahead among the tied, which are all of one pool, after so many steps of it. */
HOT uint32_t best_tied(const struct least_conn *c, int64_t steps)
{
	const uint32_t *tied = tied_of(c);
	int64_t most = INT64_MIN;
	uint32_t first = NONE, best = 0;

	for (uint32_t i = 0; i < c->n_tied; i++) {
		const struct head *h = &head_of(c)[tied[i]];
		const int64_t gained = h->gained + steps * (int64_t)h->weight;

		if (gained > most || (gained == most && h->place < first)) {
			most = gained;
			first = h->place;
			best = i;
		}
	}
	return best;
}

/*
 * The first of the best, one step of the rotation of its pool later; or -1. play() is to follow. nginx gives no step
 * to one that is alone with its ratio: it would pay what it gains.
 */
HOT ssize_t step(struct least_conn *c, const struct lb_snapshot *s)
{
	const struct head *head;
	struct pool *pool;

	if (!c->n_tied)
		find_tied(c, s);
	if (!c->n_tied)
		return -1;
	pool = &pool_of(c)[head_of(c)[*tied_of(c)].pool];
	c->chosen = best_tied(c, ++pool->steps);
	head = &head_of(c)[tied_of(c)[c->chosen]];
	member_of(c)[head->place].gained -= (int64_t)pool->weight;
	return head->place;
}

/* Those the request excludes stand aside meanwhile. */
static ssize_t step_without(struct least_conn *c, const struct lb_query *q)
{
	const struct lb_snapshot *s = q->snap;
	uint32_t aside[LB_EXCLUDE_MAX], n = 0;
	ssize_t place;

	for (size_t i = 0; i < q->request->n_exclude; i++) {
		place = lb_snapshot_find(s, q->request->exclude[i]);
		if (place < 0 || member_of(c)[place].pool == NONE)
			continue;
		aside[n++] = (uint32_t)place;
		put(c, s, (uint32_t)place, false);
	}
	place = step(c, s);
	if (place >= 0)
		play(c, s, (uint32_t)place);
	while (n)
		put(c, s, aside[--n], true);
	return place;
}

/* Reads what other pickers counted, a few servers at a time. */
HOT void sweep(struct least_conn *c, const struct lb_snapshot *s)
{
	struct swath some;

	if (ledger_rows(s->ledger) == 1 || sweep_rests(&c->sweep))
		return;
	some = sweep_next(&c->sweep, s);
	for (uint32_t i = 0; i < some.n; i++)
		refresh(c, s, some.from + i);
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
HOT void count_and_play(const struct lb_snapshot *s, void *cursor, size_t place,
			   const struct lb_request *r)
{
	struct least_conn *c = cursor;
	struct member *m = &member_of(c)[place];

	leave_pool(c, s, (uint32_t)place);
	m->active = ledger_rows(s->ledger) == 1 ? snap_active_of(s, &s->at[place])
						: least_moved(m->active, 1);
	join_pool(c, s, (uint32_t)place);
	play_ahead(c, s, (uint32_t)place, true);
}

int least_conn_usual(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id)
{
	const struct lb_snapshot *s = p->snap;
	struct least_conn *c = p->cursor;
	ssize_t place;

	sweep(c, s);
	place = step(c, s);
	if (place >= 0 && r->flags & LB_REQUEST_UNCOUNTED)
		play(c, s, (uint32_t)place);
	return usual_end(p, r, place, count_and_play, ret_id);
}

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
