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

/* Who won in a class. */
struct head {
	uint64_t ratio; /* LEAST_NEVER: nobody may be chosen */
	uint32_t place;
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
	return nodes_of(c) + 2 * c->n + (hmap_mix(ratio) & (c->n_chains - 1));
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

/* Of one class: is place a ahead of place b? */
static bool is_ahead(const struct least_conn *c, uint32_t a, uint32_t b)
{
	const struct member *x = &member_of(c)[a], *y = &member_of(c)[b];

	if (x->pool == NONE || y->pool == NONE)
		return y->pool == NONE && (x->pool != NONE || a < b);
	if (x->active != y->active)
		return x->active < y->active;
	return x->gained != y->gained ? x->gained > y->gained : a < b;
}

static uint32_t winner(const struct least_conn *c, const uint32_t *node, uint32_t i)
{
	return is_ahead(c, node[2 * i], node[2 * i + 1]) ? node[2 * i] : node[2 * i + 1];
}

static void set_head(struct least_conn *c, uint32_t k, uint32_t place)
{
	const uint32_t pool = member_of(c)[place].pool;

	head_of(c)[k].ratio = pool == NONE ? LEAST_NEVER : pool_of(c)[pool].ratio;
	head_of(c)[k].place = place;
}

/* This place's matches are played anew, until nothing changes. */
static void play(struct least_conn *c, const struct lb_snapshot *s, uint32_t place)
{
	const struct lineup *l = s->table;
	const uint32_t k = l->classes.of[place];
	uint32_t *node = nodes_of(c) + 2 * l->first[k];

	for (uint32_t i = (l->size[k] + l->leaf[place]) / 2; i; i /= 2) {
		const uint32_t was = node[i];

		node[i] = winner(c, node, i);
		if (node[i] == was && was != place)
			return;
	}
	set_head(c, k, node[1]);
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

		for (uint32_t i = l->size[k]; i-- > 1;)
			node[i] = winner(c, node, i);
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

/* It has so many connections, as far as is known. */
static void set_active(struct least_conn *c, const struct lb_snapshot *s, size_t place,
		       uint32_t active)
{
	struct member *m = &member_of(c)[place];
	bool serves, served = m->pool != NONE;
	const bool same = m->active == active;

	if (!s->at[place].weight)
		return;
	if (same && !s->has_limits)
		return;
	if (served)
		leave_pool(c, s, (uint32_t)place);
	m->active = active;
	serves = may_serve(c, s, (uint32_t)place);
	if (serves)
		join_pool(c, s, (uint32_t)place);
	if (!same || serves != served)
		play(c, s, (uint32_t)place);
}

static void refresh(struct least_conn *c, const struct lb_snapshot *s, size_t place)
{
	set_active(c, s, place, snap_active_of(s, &s->at[place]));
}

/* This picker counted `by` more. */
static void counted(struct least_conn *c, const struct lb_snapshot *s, size_t place, int by)
{
	if (ledger_rows(s->ledger) == 1)
		refresh(c, s, place);
	else
		set_active(c, s, place, least_moved(member_of(c)[place].active, by));
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

/* The first of the best, one step of the rotation of its pool later; or -1. */
static ssize_t step(struct least_conn *c, const struct lb_snapshot *s)
{
	const struct classes *classes = s->table;
	const struct head *head = head_of(c);
	struct member *m = member_of(c);
	uint64_t least = LEAST_NEVER;
	struct pool *pool = NULL;
	int64_t most = 0;
	uint32_t best = NONE;

	for (uint32_t k = 0; k < classes->n; k++)
		least = head[k].ratio < least ? head[k].ratio : least;
	if (least == LEAST_NEVER)
		return -1;
	for (uint32_t k = 0; k < classes->n; k++) { /* all those are of one pool */
		const uint32_t place = head[k].place;
		int64_t gained;

		if (head[k].ratio != least)
			continue;
		pool = &pool_of(c)[m[place].pool];
		gained = m[place].gained + (pool->steps + 1) * classes->weight[k];
		if (best == NONE || gained > most || (gained == most && place < best)) {
			most = gained;
			best = place;
		}
	}
	if (pool && pool->members > 1) { /* alone it is chosen without a step */
		pool->steps++;
		m[best].gained -= (int64_t)pool->weight;
		play(c, s, best);
	}
	return best;
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
	while (n)
		put(c, s, aside[--n], true);
	return place;
}

static ssize_t least_conn_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const uint32_t rows = ledger_rows(s->ledger);
	struct least_conn *c = cursor;
	uint32_t due = rows > 1 ? sweep_due(&c->sweep, s) : 0;
	ssize_t place;

	if (due) {
		while (due--)
			refresh(c, s, sweep_next(&c->sweep, s));
		sweep_prefetch(&c->sweep, s, rows);
	}
	place = step_without(c, q);
	if (place >= 0 || rows == 1)
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

USUAL_PICK(least_conn, least_conn_pick, least_conn_on_start)

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
