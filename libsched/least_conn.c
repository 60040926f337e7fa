/* SPDX-License-Identifier: MIT */
/*
 * least_conn: nginx's, to the pick. Least connections / weight; those that share the least take one step of the
 * smooth rotation (smooth.h) among themselves: each gains its weight, the first with the most is chosen and pays
 * what all gained. nginx looks at everyone twice.
 *
 * Here those of one ratio form a pool, which counts its steps: a gain is what a server brought along, and its weight
 * for each step since. Of one weight all in a pool gain alike, so that among them the one ahead stays ahead: they
 * stand in a tournament, fewest connections first, then who gained most, then the order of the list. A pick compares
 * the winners, one for each different weight; O(log n) when a server changes its pool.
 */
#include "libsched/algos.h"
#include "libsched/classes.h"
#include "libsched/either.h"
#include "libsched/least.h"

#define NONE UINT32_MAX

/* The table: classes of weights, and where the places of each stand in its tournament. */
struct lineup {
	struct classes classes;
	/* Behind those of classes_size(). */
	uint32_t *size;	 /* of each class */
	uint32_t *first; /* its nodes begin at 2 * first */
	uint32_t *leaf;	 /* of each place, in its class */
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
};

/* The cursor, followed by n members, n pools, n heads, 2n nodes and the first pool of each chain. */
struct least_conn {
	struct sweep sweep;
	uint32_t n, shift; /* of places; of ratios, see least_quotient() */
	uint32_t free;	   /* the first pool not in use, on by `next` */
	uint32_t n_chains; /* a power of two */
};

static struct member *member_of(const struct least_conn *c)
{
	return (struct member *)(c + 1);
}

static struct pool *pool_of(const struct least_conn *c)
{
	return (struct pool *)(member_of(c) + c->n);
}

static struct head *head_of(const struct least_conn *c)
{
	return (struct head *)(pool_of(c) + c->n);
}

static uint32_t *nodes_of(const struct least_conn *c)
{
	return (uint32_t *)(head_of(c) + c->n);
}

static uint32_t *chain_of(const struct least_conn *c, uint64_t ratio)
{
	return nodes_of(c) + 2 * c->n + (ratio * 0x9e3779b97f4a7c15u >> 32 & (c->n_chains - 1));
}

static uint32_t chains_for(size_t n)
{
	uint32_t chains = 1;

	while (chains < n)
		chains *= 2;
	return chains;
}

static size_t least_conn_size(const struct lb_snapshot *s)
{
	return sizeof(struct least_conn) +
	       s->n * (sizeof(struct member) + sizeof(struct pool) + sizeof(struct head) +
		       2 * sizeof(uint32_t)) +
	       chains_for(s->n) * sizeof(uint32_t);
}

/* ---- The table ---- */

static size_t lineup_size(const struct lb_snapshot *s)
{
	return sizeof(struct lineup) + classes_size(s) + 3 * s->n * sizeof(uint32_t);
}

static int lineup_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct lineup *l = table;
	uint32_t first = 0;

	(void)old;
	classes_build_in(s, &l->classes, (uint32_t *)(l + 1));
	l->size = l->classes.of + s->n;
	l->first = l->size + s->n;
	l->leaf = l->first + s->n;
	for (size_t i = 0; i < s->n; i++)
		if (s->at[i].weight)
			l->leaf[i] = l->size[l->classes.of[i]]++;
	for (uint32_t k = 0; k < l->classes.n; k++) {
		l->first[k] = first;
		first += l->size[k];
	}
	return 0;
}

/* ---- Pools ---- */

static void join_pool(struct least_conn *c, const struct lb_snapshot *s, uint32_t place)
{
	struct member *m = &member_of(c)[place];
	const uint32_t weight = s->at[place].weight;
	const uint64_t ratio = ratio_of_load(c->shift, m->active, weight);
	uint32_t *chain = chain_of(c, ratio);
	struct pool *pool = pool_of(c);
	uint32_t i = *chain;

	while (i != NONE && pool[i].ratio != ratio)
		i = pool[i].next;
	if (i == NONE) {
		i = c->free;
		c->free = pool[i].next;
		pool[i] = (struct pool){.ratio = ratio, .next = *chain};
		*chain = i;
	}
	pool[i].members++;
	pool[i].weight += weight;
	m->gained -= pool[i].steps * weight;
	m->pool = i;
}

static void leave_pool(struct least_conn *c, const struct lb_snapshot *s, uint32_t place)
{
	struct member *m = &member_of(c)[place];
	const uint32_t weight = s->at[place].weight, i = m->pool;
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

/* What a match is about. */
struct standing {
	uint64_t load; /* UINT64_MAX: may not be chosen */
	int64_t gained;
	uint32_t place;
};

static inline struct standing standing_of(const struct least_conn *c, uint32_t place)
{
	const struct member *m = &member_of(c)[place];

	return (struct standing){m->pool == NONE ? UINT64_MAX : m->active, m->gained, place};
}

/* Of one class. All is looked at, so that there is no branch to be guessed. */
static inline bool is_ahead(struct standing a, struct standing b)
{
	const bool first = (a.gained > b.gained) | ((a.gained == b.gained) & (a.place < b.place));

	return (a.load < b.load) | ((a.load == b.load) & first);
}

static void set_head(struct least_conn *c, uint32_t k, uint32_t place)
{
	const struct member *m = &member_of(c)[place];

	head_of(c)[k] =
	    (struct head){.ratio = m->pool == NONE ? LEAST_NEVER : pool_of(c)[m->pool].ratio,
			  .gained = m->gained,
			  .place = place,
			  .pool = m->pool};
}

/* This place's matches are played anew, until nothing changes. */
static void play(struct least_conn *c, const struct lb_snapshot *s, uint32_t place)
{
	const struct lineup *l = s->table;
	const uint32_t k = l->classes.of[place];
	uint32_t *node = nodes_of(c) + 2 * l->first[k];
	struct standing best = standing_of(c, place);

	for (uint32_t i = l->size[k] + l->leaf[place]; i > 1; i /= 2) {
		const struct standing other = standing_of(c, node[i ^ 1]);
		const uint32_t was = node[i / 2];
		const bool lost = is_ahead(other, best);

		best.load = either(lost, best.load, other.load);
		best.gained = (int64_t)either(lost, (uint64_t)best.gained, (uint64_t)other.gained);
		best.place = (uint32_t)either(lost, best.place, other.place);
		node[i / 2] = best.place;
		if (best.place == was && was != place)
			return;
	}
	set_head(c, k, best.place);
}

static void play_all(struct least_conn *c, const struct lb_snapshot *s)
{
	const struct lineup *l = s->table;

	for (uint32_t i = 0; i < s->n; i++)
		if (s->at[i].weight)
			nodes_of(c)[2 * l->first[l->classes.of[i]] + l->size[l->classes.of[i]] +
				    l->leaf[i]] = i;
	for (uint32_t k = 0; k < l->classes.n; k++) {
		uint32_t *node = nodes_of(c) + 2 * l->first[k];

		for (uint32_t i = l->size[k]; i-- > 1;) {
			const struct standing a = standing_of(c, node[2 * i]);
			const struct standing b = standing_of(c, node[2 * i + 1]);

			node[i] = is_ahead(a, b) ? a.place : b.place;
		}
		set_head(c, k, node[1]);
	}
}

/* ---- Changes ---- */

static void put(struct least_conn *c, const struct lb_snapshot *s, uint32_t place, bool in_service)
{
	if (member_of(c)[place].pool != NONE)
		leave_pool(c, s, place);
	if (in_service)
		join_pool(c, s, place);
	play(c, s, place);
}

static bool may_serve(const struct least_conn *c, const struct lb_snapshot *s, uint32_t place)
{
	return !snap_full_with(s, &s->at[place], member_of(c)[place].active);
}

/* It has so many connections, as far as is known. False: nothing changed by that. */
static bool set_active(struct least_conn *c, const struct lb_snapshot *s, size_t place,
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

static bool refresh(struct least_conn *c, const struct lb_snapshot *s, size_t place)
{
	return set_active(c, s, place, snap_active_of(s, &s->at[place]));
}

/* This picker counted `by` more. */
static bool counted(struct least_conn *c, const struct lb_snapshot *s, size_t place, int by)
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

	*c = (struct least_conn){
	    .n = (uint32_t)s->n, .shift = least_shift(s), .n_chains = chains_for(s->n)};
	m = member_of(c);
	for (uint32_t i = 0; i < c->n_chains; i++)
		nodes_of(c)[2 * c->n + i] = NONE;
	for (uint32_t i = 0; i < c->n; i++) {
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
	for (uint32_t i = 0; i < c->n; i++)
		if (s->at[i].weight && may_serve(c, s, i))
			join_pool(c, s, i);
	play_all(c, s);
}

/* Who is best among the heads of this ratio, which are all of one pool, after so many steps of it. */
static uint32_t best_of(const struct head *head, const struct classes *classes, uint64_t ratio,
			int64_t steps)
{
	int64_t most = INT64_MIN;
	uint32_t best = NONE;

	for (uint32_t k = 0; k < classes->n; k++) {
		int64_t gained;

		if (head[k].ratio != ratio)
			continue;
		gained = head[k].gained + steps * classes->weight[k];
		if (gained > most || (gained == most && head[k].place < best)) {
			most = gained;
			best = head[k].place;
		}
	}
	return best;
}

/* The first of the best, one step of the rotation of its pool later; or -1. play() is to follow. */
static ssize_t step(struct least_conn *c, const struct lb_snapshot *s)
{
	const struct classes *classes = s->table;
	const struct head *head = head_of(c);
	uint64_t least = LEAST_NEVER;
	struct pool *pool = NULL;
	uint32_t place;

	for (uint32_t k = 0; k < classes->n; k++) {
		if (head[k].ratio >= least)
			continue;
		least = head[k].ratio;
		pool = &pool_of(c)[head[k].pool];
		place = head[k].place;
	}
	if (!pool)
		return -1;
	if (pool->members > 1) { /* alone it is chosen without a step */
		place = best_of(head, classes, least, ++pool->steps);
		member_of(c)[place].gained -= (int64_t)pool->weight;
	}
	return place;
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
static void sweep(struct least_conn *c, const struct lb_snapshot *s)
{
	uint32_t due = ledger_rows(s->ledger) > 1 ? sweep_due(&c->sweep, s) : 0;

	if (!due)
		return;
	while (due--)
		refresh(c, s, sweep_next(&c->sweep, s));
	sweep_prefetch(&c->sweep, s);
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
	(void)r;
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
	(void)c;
	refresh(cursor, s, place);
}

static void least_conn_on_full(const struct lb_snapshot *s, void *cursor, size_t place)
{
	refresh(cursor, s, place);
}

static bool least_conn_score(const struct lb_snapshot *s, const void *cursor,
			     const struct lb_query *q, size_t place, double *ret)
{
	(void)q;
	*ret = (double)member_of(cursor)[place].active / s->at[place].weight;
	return true;
}

/* ---- The usual pick ---- */

/* The step and the connection are played as one. */
static void count_and_play(const struct lb_snapshot *s, void *cursor, size_t place,
			   const struct lb_request *r)
{
	(void)r;
	if (!counted(cursor, s, place, 1))
		play(cursor, s, (uint32_t)place);
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
