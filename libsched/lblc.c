/* SPDX-License-Identifier: MIT */
/*
 * lblc and lblcr: locality-based least connections, without and with replication, as IPVS has them for
 * clusters of caches (Linux net/netfilter/ipvs/ip_vs_lblc.c, ip_vs_lblcr.c). What a destination (the key)
 * was sent to once it is sent to again, unless that server is overloaded while another has less than
 * half its weight in connections; else wlc chooses. With lblcr a destination has a set of servers, which
 * grows by that choice and shrinks with time.
 *
 * Each picker remembers for itself, a bounded number of destinations: the one not asked for longest
 * gives way. O(log n), and for lblcr the size of a set.
 */
#include <stdio.h>

#include "base/hmap.h"
#include "libsched/algos.h"
#include "libsched/least.h"
#include "libsched/overhead.h"

/* The kernel's lblc_expiration, lblcr_expiration. */
#define DAY_NS (UINT64_C(24) * 3600 * 1000000000)
#define WAYS 4	       /* places a destination may have in the cache */
#define LBLC_SETS 4096 /* 16,384 destinations, as the kernel's */
#define LBLCR_SETS 1024
#define REPLICAS 16384 /* of all destinations together */

struct cached {
	uint64_t key, used_ns;
	uint64_t stamp; /* when it was used, in picks; 0: free */
};

struct lblc_entry {
	struct cached cached;
	uint64_t id;
};

struct lblcr_entry {
	struct cached cached;
	uint64_t changed_ns;
	uint32_t n;	/* in its set */
	uint32_t first; /* replica + 1, the last added; 0: none */
};

/* A server in a destination's set. */
struct replica {
	uint64_t id;
	uint32_t next; /* + 1; 0: the last */
};

/* Behind lblcr's cache, followed by all of them. */
struct replicas {
	uint32_t n_used; /* ever */
	uint32_t free;	 /* + 1: the first of those given back, on by `next` */
	uint32_t hand;	 /* whose set is given up next when there are none */
};

/* Followed by the cache and by two trees: who is least loaded, and who has room. */
struct lblc {
	_Alignas(LINE_BYTES) uint64_t stamp;
};

static size_t tree_bytes(const struct lb_snapshot *s)
{
	return (least_cursor_size(s) + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
}

#define LBLC_BYTES (sizeof(struct lblc) + LBLC_SETS * WAYS * sizeof(struct lblc_entry))
#define LBLCR_CACHE_BYTES (sizeof(struct lblc) + LBLCR_SETS * WAYS * sizeof(struct lblcr_entry))
#define LBLCR_BYTES (LBLCR_CACHE_BYTES + LINE_BYTES + REPLICAS * sizeof(struct replica))

_Static_assert(LBLC_BYTES % LINE_BYTES == 0 && LBLCR_BYTES % LINE_BYTES == 0, "trees begin a line");

/* ---- The trees ---- */

static uint64_t load_key(const struct lb_snapshot *s, size_t place, const struct least *t,
			 struct least_seen seen)
{
	return least_quotient(s, place, t, ipvs_overhead_of(s, seen.active, seen.inactive));
}

/* Below max_weight: fewer than half as many connections as its weight. */
static uint64_t room_key(const struct lb_snapshot *s, size_t place, const struct least *t,
			 struct least_seen seen)
{
	return (uint64_t)seen.active * 2 + (s->max_weight - s->at[place].weight);
}

LEAST_BY(load, true, false)
LEAST_BY(room, false, false)

struct trees {
	struct least *load, *room;
};

static struct trees trees_of(const struct lb_snapshot *s, const void *cursor, size_t cache_bytes)
{
	char *load = (char *)cursor + cache_bytes; /* the hooks that change it have it writable */

	return (struct trees){(struct least *)load, (struct least *)(load + tree_bytes(s))};
}

static bool somebody_has_room(const struct lb_snapshot *s, const struct trees *t)
{
	if (s->n && t->room->key[1] < s->max_weight)
		return true;
	if (!snap_by_overload(s) || !s->has_limits)
		return false;
	/* Those beyond a threshold are not in the tree; the kernel looks at them here all the same. */
	for (size_t i = 0; i < s->n; i++)
		if ((uint64_t)least_seen(t->room)[i].active * 2 < s->at[i].weight)
			return true;
	return false;
}

static bool is_overloaded(const struct lb_snapshot *s, const struct trees *t, size_t place)
{
	return least_seen(t->load)[place].active > s->at[place].weight && somebody_has_room(s, t);
}

static ssize_t choose_least(const struct lb_query *q, const struct trees *t)
{
	if (ledger_rows(q->snap->ledger) > 1)
		least_pick(t->room, q, &room_by); /* for what it learns of other pickers */
	return least_pick(t->load, q, &load_by);
}

/* ---- The cache ---- */

/* The destination's entry, or the one to give up for it, in a cache of entries of `bytes` each. */
static void *find(const struct lblc *c, uint64_t key, size_t n_sets, size_t bytes, bool *ret_known)
{
	char *set = (char *)(c + 1) + (size_t)(hmap_mix(key) & (n_sets - 1)) * WAYS * bytes;
	struct cached *oldest = (struct cached *)set;

	*ret_known = true;
	for (size_t i = 0; i < WAYS; i++, set += bytes) {
		struct cached *e = (struct cached *)set;

		if (e->stamp && e->key == key)
			return e;
		if (e->stamp < oldest->stamp)
			oldest = e;
	}
	*ret_known = false;
	return oldest;
}

static struct lblc_entry *lblc_find(const struct lblc *c, uint64_t key, bool *ret_known)
{
	return find(c, key, LBLC_SETS, sizeof(struct lblc_entry), ret_known);
}

static struct lblcr_entry *lblcr_find(const struct lblc *c, uint64_t key, bool *ret_known)
{
	return find(c, key, LBLCR_SETS, sizeof(struct lblcr_entry), ret_known);
}

static void touch(struct lblc *c, struct cached *e, const struct lb_request *r)
{
	*e = (struct cached){.key = r->key64, .used_ns = r->now_ns, .stamp = ++c->stamp};
}

/* Later than the given time by more than a day; clocks that are not given never are. */
static bool a_day_after(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns && now_ns - then_ns > DAY_NS;
}

/* ---- lblc ---- */

/* May it be sent there again? lblc, of all of the kernel's, does not look at the threshold then. */
static bool may_stay(const struct lb_query *q, size_t place)
{
	const struct snap_server *e = &q->snap->at[place];

	if (snap_by_overload(q->snap))
		return e->weight && !request_excludes(q->request, e->id);
	return query_eligible(q, place);
}

static ssize_t lblc_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const struct trees t = trees_of(s, cursor, LBLC_BYTES);
	struct lblc *c = cursor;
	bool known;
	struct lblc_entry *e = lblc_find(c, q->request->key64, &known);
	ssize_t place = -1;

	if (known && !a_day_after(e->cached.used_ns, q->request->now_ns))
		place = lb_snapshot_find(s, e->id);
	if (place < 0 || !may_stay(q, (size_t)place) || is_overloaded(s, &t, (size_t)place))
		place = choose_least(q, &t);
	if (place < 0)
		return -1;
	touch(c, &e->cached, q->request);
	e->id = s->at[place].id;
	return place;
}

/* ---- lblcr ---- */

static struct replicas *replicas_of(const struct lblc *c)
{
	return (struct replicas *)((char *)c + LBLCR_CACHE_BYTES);
}

/* Number 1 is the first. */
static struct replica *replica_of(const struct lblc *c, uint32_t number)
{
	return (struct replica *)((char *)replicas_of(c) + LINE_BYTES) + number - 1;
}

/* The least or the most loaded of the set that may be chosen, the first among equals; or 0. */
static uint32_t extreme(const struct lb_query *q, const struct trees *t, const struct lblc *c,
			const struct lblcr_entry *e, bool most, ssize_t *ret_place)
{
	uint64_t best_load = 0;
	uint32_t best = 0;

	for (uint32_t i = e->first; i; i = replica_of(c, i)->next) {
		ssize_t place = lb_snapshot_find(q->snap, replica_of(c, i)->id);
		uint64_t load;

		if (place < 0 || !query_eligible(q, (size_t)place))
			continue;
		load = load_key(q->snap, (size_t)place, t->load, least_seen(t->load)[place]);
		if (!best || (most ? load > best_load : load < best_load)) {
			best_load = load;
			best = i;
			*ret_place = place;
		}
	}
	return best;
}

/* 0: nobody there can be chosen; the first that came. */
static void leave_set(struct lblc *c, struct lblcr_entry *e, uint32_t who)
{
	struct replicas *all = replicas_of(c);
	uint32_t *link = &e->first;

	while (*link != who && (who || replica_of(c, *link)->next))
		link = &replica_of(c, *link)->next;
	who = *link;
	*link = replica_of(c, who)->next;
	replica_of(c, who)->next = all->free;
	all->free = who;
	e->n--;
}

static void empty_set(struct lblc *c, struct lblcr_entry *e)
{
	while (e->n)
		leave_set(c, e, e->first);
}

/*
 * No replica is left: those that are no members any more go, or else another destination's set, in turn, which it will
 * find again; or, if it has all of them itself, the most loaded.
 */
static void make_room(const struct lb_query *q, const struct trees *t, struct lblc *c,
		      struct lblcr_entry *e)
{
	struct lblcr_entry *entry = (struct lblcr_entry *)(c + 1);
	struct replicas *all = replicas_of(c);
	ssize_t place;

	for (uint32_t i = e->first, next; i; i = next) {
		next = replica_of(c, i)->next;
		if (lb_snapshot_find(q->snap, replica_of(c, i)->id) < 0)
			leave_set(c, e, i);
	}
	for (uint32_t tried = 0; !all->free && tried < LBLCR_SETS * WAYS; tried++) {
		if (&entry[all->hand] != e)
			empty_set(c, &entry[all->hand]);
		all->hand = (all->hand + 1) % (LBLCR_SETS * WAYS);
	}
	if (!all->free)
		leave_set(c, e, extreme(q, t, c, e, true, &place));
}

static void join_set(const struct lb_query *q, const struct trees *t, struct lblc *c,
		     struct lblcr_entry *e, uint64_t id)
{
	struct replicas *all = replicas_of(c);
	uint32_t new;

	for (uint32_t i = e->first; i; i = replica_of(c, i)->next)
		if (replica_of(c, i)->id == id)
			return;
	if (!all->free && all->n_used == REPLICAS)
		make_room(q, t, c, e);
	new = all->free ? all->free : ++all->n_used;
	all->free = all->free ? replica_of(c, new)->next : 0;
	*replica_of(c, new) = (struct replica){.id = id, .next = e->first};
	e->first = new;
	e->n++;
	e->changed_ns = q->request->now_ns;
}

static ssize_t lblcr_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const struct trees t = trees_of(s, cursor, LBLCR_BYTES);
	struct lblc *c = cursor;
	bool known;
	struct lblcr_entry *e = lblcr_find(c, q->request->key64, &known);
	ssize_t place = -1, unused;

	if (!known)
		empty_set(c, e);
	if (!extreme(q, &t, c, e, false, &place))
		place = -1;
	if (e->n > 1 && a_day_after(e->changed_ns, q->request->now_ns))
		leave_set(c, e, extreme(q, &t, c, e, true, &unused));
	if (place < 0 || is_overloaded(s, &t, (size_t)place)) {
		place = choose_least(q, &t);
		if (place >= 0)
			join_set(q, &t, c, e, s->at[place].id);
	}
	if (place < 0)
		return -1;
	touch(c, &e->cached, q->request);
	return place;
}

/* ---- The hooks: both trees hear of each counter ---- */

static void count_both(const struct lb_snapshot *s, void *cursor, size_t cache_bytes, size_t place,
		       int active, int inactive)
{
	const struct trees t = trees_of(s, cursor, cache_bytes);

	least_counted(t.load, s, place, active, inactive, &load_by);
	least_counted(t.room, s, place, active, inactive, &room_by);
}

static void refresh_both(const struct lb_snapshot *s, void *cursor, size_t cache_bytes,
			 size_t place)
{
	const struct trees t = trees_of(s, cursor, cache_bytes);

	least_refresh(t.load, s, place, &load_by);
	least_refresh(t.room, s, place, &room_by);
}

static void adopt_both(const struct lb_snapshot *s, void *cursor, size_t cache_bytes,
		       const void *old_cursor)
{
	const struct trees t = trees_of(s, cursor, cache_bytes);

	if (old_cursor)
		memcpy(cursor, old_cursor, cache_bytes);
	least_adopt(t.load, s, &load_by);
	least_adopt(t.room, s, &room_by);
}

#define LBLC_HOOKS(name, cache_bytes)                                                              \
	static size_t name##_cursor_size(const struct lb_snapshot *s)                              \
	{                                                                                          \
		return cache_bytes + 2 * tree_bytes(s);                                            \
	}                                                                                          \
	static void name##_adopt(const struct lb_snapshot *s, void *cursor,                        \
				 const struct lb_snapshot *old, const void *old_cursor)            \
	{                                                                                          \
		adopt_both(s, cursor, cache_bytes, old_cursor);                                    \
	}                                                                                          \
	static void name##_on_start(const struct lb_snapshot *s, void *cursor, size_t place,       \
				    const struct lb_request *r)                                    \
	{                                                                                          \
		count_both(s, cursor, cache_bytes, place, 1, 0);                                   \
	}                                                                                          \
	static void name##_on_done(const struct lb_snapshot *s, void *cursor, size_t place,        \
				   const struct lb_outcome *o)                                     \
	{                                                                                          \
		count_both(s, cursor, cache_bytes, place, o->inactive ? 0 : -1,                    \
			   o->inactive ? -1 : 0);                                                  \
	}                                                                                          \
	static void name##_on_count(const struct lb_snapshot *s, void *cursor, size_t place,       \
				    enum lb_counter c)                                             \
	{                                                                                          \
		refresh_both(s, cursor, cache_bytes, place);                                       \
	}                                                                                          \
	static void name##_on_full(const struct lb_snapshot *s, void *cursor, size_t place)        \
	{                                                                                          \
		refresh_both(s, cursor, cache_bytes, place);                                       \
	}                                                                                          \
	static bool name##_score(const struct lb_snapshot *s, const void *cursor,                  \
				 const struct lb_query *q, size_t place, double *ret)              \
	{                                                                                          \
		const struct least_seen seen =                                                     \
		    least_seen(trees_of(s, cursor, cache_bytes).load)[place];                      \
                                                                                                   \
		*ret =                                                                             \
		    (double)ipvs_overhead_of(s, seen.active, seen.inactive) / s->at[place].weight; \
		return true;                                                                       \
	}

static void note(const struct lb_snapshot *s, const struct trees *t, bool remembered, size_t place,
		 ssize_t chosen, char *buf, size_t cap)
{
	if (remembered && is_overloaded(s, t, place))
		snprintf(buf, cap, "its destination was sent here before, but it is overloaded");
	else if (remembered && (ssize_t)place == chosen)
		snprintf(buf, cap, "its destination was sent here before");
	else if ((ssize_t)place == chosen)
		snprintf(buf, cap, "the least loaded by weight");
	else
		snprintf(buf, cap, "its destination is another's, or others are less loaded");
}

static void lblc_note(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		      size_t place, ssize_t chosen, char *buf, size_t cap)
{
	const struct trees t = trees_of(s, cursor, LBLC_BYTES);
	bool known;
	const struct lblc_entry *e = lblc_find(cursor, q->request->key64, &known);

	note(s, &t, known && e->id == s->at[place].id, place, chosen, buf, cap);
}

static void lblcr_note(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		       size_t place, ssize_t chosen, char *buf, size_t cap)
{
	const struct trees t = trees_of(s, cursor, LBLCR_BYTES);
	bool known, member = false;
	const struct lblcr_entry *e = lblcr_find(cursor, q->request->key64, &known);

	for (uint32_t i = known ? e->first : 0; i; i = replica_of(cursor, i)->next)
		member |= replica_of(cursor, i)->id == s->at[place].id;
	note(s, &t, member, place, chosen, buf, cap);
}

LBLC_HOOKS(lblc, LBLC_BYTES)
LBLC_HOOKS(lblcr, LBLCR_BYTES)

const struct lb_algo algo_lblc = {
    .size = sizeof(algo_lblc),
    .name = "lblc",
    .flags = LB_ALGO_NEWEST_FIRST | LB_ALGO_STEADY_WEIGHTS, /* the weight is a capacity */
    .cursor_size = lblc_cursor_size,
    .adopt = lblc_adopt,
    .pick = lblc_pick,
    .on_start = lblc_on_start,
    .on_done = lblc_on_done,
    .on_count = lblc_on_count,
    .on_full = lblc_on_full,
    .score = lblc_score,
    .note = lblc_note,
};

const struct lb_algo algo_lblcr = {
    .size = sizeof(algo_lblcr),
    .name = "lblcr",
    .flags = LB_ALGO_NEWEST_FIRST | LB_ALGO_STEADY_WEIGHTS, /* the weight is a capacity */
    .cursor_size = lblcr_cursor_size,
    .adopt = lblcr_adopt,
    .pick = lblcr_pick,
    .on_start = lblcr_on_start,
    .on_done = lblcr_on_done,
    .on_count = lblcr_on_count,
    .on_full = lblcr_on_full,
    .score = lblcr_score,
    .note = lblcr_note,
};
