/* SPDX-License-Identifier: MIT */
/*
 * source, uri, hdr, url_param, rdp-cookie, hash: HAProxy's hashes. They differ in what the host makes the key
 * of. map-based: the key modulo the length of static-rr's map says the entry. consistent: the nearest point of
 * a ring, before or behind. Without a key, or when the map's server is excluded, they go round.
 *
 * bounded: consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, SODA 2018), clockwise on a
 * ring of better mixed points. HAProxy's hash-balance-factor is the same bound, computed alike here.
 */
#include "base/hmap.h"
#include "libsched/algos.h"
#include "libsched/map.h"
#include "libsched/ring.h"
#include <libsched/lb_hash.h>

#define WEIGHT_UNIT 16	    /* as HAProxy counts weights */
#define HAPROXY_POINTS 16   /* a unit of weight */
#define HAPROXY_RANGE 4096u /* of point numbers a server; its weights end at 256 */
#define BOUNDED_POINTS 160
#define BOUNDED_FACTOR 125 /* percent */

/*
 * The table of a ring: how much weight, in HAProxy's sixteenths, stands before each place and before the end;
 * then the ring.
 */
static struct ring *ring_in(const struct lb_snapshot *s, void *table)
{
	return (struct ring *)((uint64_t *)table + s->n + 1);
}

static const struct ring *ring_of(const struct lb_snapshot *s)
{
	return ring_in(s, s->table);
}

/* So many for each unit of the editor's weight, the less the slow start has of it. */
static uint64_t by_weight(const struct lb_snapshot *s, size_t place, uint64_t each)
{
	return (s->at[place].weight * each + s->weight_scale - 1) / s->weight_scale;
}

/* ---- The bound ---- */

struct bound {
	uint64_t each, rest; /* connections for each unit of weight, and those left to spread */
};

/* factor percent of all connections with the one to come, rounded up. */
static struct bound bound_of(const struct lb_snapshot *s, uint32_t factor)
{
	uint64_t slots = (((uint64_t)snap_active(s) + 1) * factor + 99) / 100;
	uint64_t weight = ((const uint64_t *)s->table)[s->n];

	return (struct bound){slots / weight, slots % weight};
}

static uint64_t limit_of(const struct lb_snapshot *s, size_t place, struct bound b)
{
	const uint64_t *before = s->table, total = before[s->n];
	uint64_t limit = (before[place + 1] - before[place]) * b.each +
			 before[place + 1] * b.rest / total - before[place] * b.rest / total;

	return limit ? limit : 1;
}

static bool within(const struct lb_snapshot *s, size_t place, struct bound b)
{
	return snap_count(s, place, LB_COUNTER_ACTIVE) < limit_of(s, place, b);
}

/*
 * The first point from this one on, going round, whose server is within the bound and not excluded. Someone
 * always is within, unless counts move meanwhile: then the first point stays.
 */
static uint32_t within_from(const struct lb_query *q, uint32_t i, uint32_t factor, bool may_be_full)
{
	const struct lb_snapshot *s = q->snap;
	const struct ring *r = ring_of(s);
	struct bound b = {0, 0};

	if (factor)
		b = bound_of(s, factor);
	for (uint32_t seen = 0; seen < r->n; seen++, i++) {
		size_t place;

		if (i >= r->n)
			i = 0;
		place = r->at[i].place;
		if (request_excludes(q->request, s->at[place].id) ||
		    (!may_be_full && snap_full(s, &s->at[place])))
			continue;
		if (!factor || within(s, place, b))
			return i;
	}
	return ring_eligible_from(r, i, q);
}

/* ---- HAProxy ---- */

/* Its points are those of a small number, the server's id; greater keys get better mixed ones. */
static void haproxy_points(const struct lb_snapshot *s, size_t place, uint32_t n,
			   void (*put)(struct ring *r, uint32_t hash, uint32_t place),
			   struct ring *r)
{
	uint64_t key = lb_snapshot_key(s, place);
	bool small = key <= UINT32_MAX / HAPROXY_RANGE;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t hash = small && i < HAPROXY_RANGE
				    ? lb_hash_avalanche((uint32_t)key * HAPROXY_RANGE + i)
				    : (uint32_t)hmap_mix(hmap_mix(key) + i);

		put(r, hash, (uint32_t)place);
	}
}

static uint64_t haproxy_count(const struct lb_snapshot *s, size_t place)
{
	return by_weight(s, place, s->setup.opts.points ? s->setup.opts.points : HAPROXY_POINTS);
}

static const struct ring_rule haproxy_rule = {haproxy_count, haproxy_points};

static bool is_consistent(const struct lb_snapshot *s)
{
	return s->setup.opts.flags & LB_GROUP_CONSISTENT;
}

static size_t ring_table_size(const struct lb_snapshot *s, const struct ring_rule *rule)
{
	return (s->n + 1) * sizeof(uint64_t) + ring_size(s, rule);
}

static int ring_table_build(const struct lb_snapshot *s, const struct ring_rule *rule, void *table)
{
	uint64_t *before = table;

	for (size_t i = 0; i < s->n; i++)
		before[i + 1] = before[i] + by_weight(s, i, WEIGHT_UNIT);
	ring_build(s, rule, ring_in(s, table));
	return 0;
}

static size_t hash_table_size(const struct lb_snapshot *s)
{
	return is_consistent(s) ? ring_table_size(s, &haproxy_rule) : map_size(s);
}

static int hash_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	return is_consistent(s) ? ring_table_build(s, &haproxy_rule, table) : map_build(s, table);
}

/* The nearest point; of two as near the one before. */
static uint32_t nearest(const struct ring *r, uint32_t hash)
{
	uint32_t next = ring_after(r, hash), previous;

	if (next == r->n)
		next = 0;
	previous = next ? next - 1 : r->n - 1;
	return hash - r->at[previous].hash <= r->at[next].hash - hash ? previous : next;
}

static ssize_t consistent_pick(const struct lb_snapshot *s, struct map_walk *w,
			       const struct lb_query *q)
{
	const struct ring *r = ring_of(s);
	bool fallback = s->setup.opts.flags & LB_GROUP_FALLBACK;
	uint32_t i;

	if (q->request->flags & LB_REQUEST_KEYLESS) {
		i = ring_eligible_from(r, w->next, q);
		w->next = i + 1;
		return i < r->n ? (ssize_t)r->at[i].place : -1;
	}
	i = nearest(r, (uint32_t)q->request->key64);
	i = within_from(q, i, s->setup.opts.balance_factor, !fallback);
	if (i == r->n || !query_eligible(q, r->at[i].place))
		return -1; /* full: HAProxy, too, lets the request wait for this one */
	return r->at[i].place;
}

static ssize_t map_based_pick(const struct lb_snapshot *s, struct map_walk *w,
			      const struct lb_query *q)
{
	const struct map *map = s->table;
	uint32_t place;

	if (q->request->flags & LB_REQUEST_KEYLESS)
		return map_step(map, w, q);
	place = map->place[(uint32_t)q->request->key64 % map->n];
	if (query_eligible(q, place))
		return place;
	if (request_excludes(q->request, s->at[place].id) ||
	    s->setup.opts.flags & LB_GROUP_FALLBACK)
		return map_step(map, w, q);
	return -1;
}

static ssize_t hash_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	return is_consistent(s) ? consistent_pick(s, cursor, q) : map_based_pick(s, cursor, q);
}

static size_t walk_size(const struct lb_snapshot *s)
{
	return sizeof(struct map_walk);
}

/* The map's walk goes on at the same entry, the ring's at the same hash; one not begun begins anew. */
static void walk_adopt(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		       const void *old_cursor)
{
	struct map_walk *w = cursor;

	if (!old)
		return;
	w->next = ((const struct map_walk *)old_cursor)->next;
	if (is_consistent(s) && w->next && w->next < ring_of(old)->n)
		w->next = ring_after(ring_of(s), ring_of(old)->at[w->next].hash);
}

const struct lb_algo algo_hash = {
    .size = sizeof(algo_hash),
    .name = "hash",
    .table_size = hash_table_size,
    .build = hash_build,
    .cursor_size = walk_size,
    .adopt = walk_adopt,
    .pick = hash_pick,
};

/* ---- bounded ---- */

static void bounded_points(const struct lb_snapshot *s, size_t place, uint32_t n,
			   void (*put)(struct ring *r, uint32_t hash, uint32_t place),
			   struct ring *r)
{
	uint64_t h = hmap_mix(lb_snapshot_key(s, place) ^ s->salt);

	for (uint32_t i = 0; i < n; i++)
		put(r, (uint32_t)hmap_mix(h + i), (uint32_t)place);
}

static uint64_t bounded_count(const struct lb_snapshot *s, size_t place)
{
	return by_weight(s, place, s->setup.opts.points ? s->setup.opts.points : BOUNDED_POINTS);
}

static const struct ring_rule bounded_rule = {bounded_count, bounded_points};

static size_t bounded_table_size(const struct lb_snapshot *s)
{
	return ring_table_size(s, &bounded_rule);
}

static int bounded_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	return ring_table_build(s, &bounded_rule, table);
}

static ssize_t bounded_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const struct ring *r = ring_of(s);
	uint32_t factor =
	    s->setup.opts.balance_factor ? s->setup.opts.balance_factor : BOUNDED_FACTOR;
	uint32_t i =
	    ring_after(r, (uint32_t)(hmap_mix(q->request->key64 + s->setup.opts.seed) >> 32));

	i = within_from(q, i, factor, false);
	return i < r->n ? (ssize_t)r->at[i].place : -1;
}

const struct lb_algo algo_bounded = {
    .size = sizeof(algo_bounded),
    .name = "bounded",
    .table_size = bounded_table_size,
    .build = bounded_build,
    .pick = bounded_pick,
};
