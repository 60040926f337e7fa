/* SPDX-License-Identifier: MIT */
/*
 * anchor: AnchorHash (Mendelson et al., "AnchorHash: A Scalable Consistent Hash", IEEE/ACM ToN 2021). A fixed
 * number of buckets, of which some work. A key that falls on one that does not is hashed again among those
 * that worked when that one was removed, so a removal moves the keys of the removed alone. Buckets come
 * back in the reverse order of their removal.
 */
#include "libsched/algos.h"
#include "libsched/members.h"

#define TRIES_MAX 64 /* keys hashed on when a server may not be chosen */
#define NOBODY UINT32_MAX

/* The five arrays of the paper (A, K, W, L, R), and whose each bucket is. */
struct bucket {
	uint32_t removed_at; /* A: how many worked after its removal; 0: it works */
	uint32_t successor;  /* K: who stands where it stood */
	uint32_t working;    /* W: the working ones, at 0..n_working-1 */
	uint32_t index;	     /* L: where in W it stands, or stood */
	uint32_t stack;	     /* R: the removed ones, the last removed last */
	uint32_t place;	     /* its server, or NOBODY */
};

struct anchor {
	uint32_t capacity, n_working;
	struct bucket b[];
};

/* Nobody works; the first to come back is bucket 0. */
static void start(struct anchor *a)
{
	for (uint32_t i = 0; i < a->capacity; i++)
		a->b[i] = (struct bucket){i, i, i, i, a->capacity - 1 - i, NOBODY};
}

static uint32_t add_bucket(struct anchor *a)
{
	uint32_t n = a->n_working, i = a->b[a->capacity - 1 - n].stack;

	a->b[i].removed_at = 0;
	a->b[a->b[n].working].index = n;
	a->b[a->b[i].index].working = i;
	a->b[i].successor = i;
	a->n_working++;
	return i;
}

static void remove_bucket(struct anchor *a, uint32_t i)
{
	uint32_t n = --a->n_working, last = a->b[n].working;

	a->b[a->capacity - 1 - n].stack = i;
	a->b[i].removed_at = n;
	a->b[a->b[i].index].working = last;
	a->b[i].successor = last;
	a->b[last].index = a->b[i].index;
	a->b[i].place = NOBODY;
}

/* ---- A snapshot's ---- */

static size_t anchor_size(const struct lb_snapshot *s)
{
	return sizeof(struct anchor) + members_capacity(s) * sizeof(struct bucket);
}

/* The buckets of before, with places of now; marks those that have one. */
static void take_over(struct anchor *a, const struct lb_snapshot *s, const struct lb_snapshot *old,
		      uint8_t *has_bucket)
{
	memcpy(a, old->table, sizeof(*a) + a->capacity * sizeof(a->b[0])); /* as large */
	for (uint32_t i = 0; i < a->capacity; i++) {
		ssize_t place;

		if (a->b[i].place == NOBODY)
			continue;
		place = lb_snapshot_find(s, old->at[a->b[i].place].id);
		if (place >= 0 && s->at[place].weight) {
			a->b[i].place = (uint32_t)place;
			has_bucket[place] = 1;
		} else {
			remove_bucket(a, i);
		}
	}
}

static int anchor_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct anchor *a = table;
	uint8_t *has_bucket = mem_array(s->n + 1, sizeof(*has_bucket));
	struct member *order = members_by_key(s);

	if (!has_bucket || !order) {
		mem_free(has_bucket);
		mem_free(order);
		return -ENOMEM;
	}
	a->capacity = (uint32_t)members_capacity(s);
	if (old && ((const struct anchor *)old->table)->capacity == a->capacity)
		take_over(a, s, old, has_bucket);
	else
		start(a);
	for (size_t i = 0; i < s->n; i++) {
		uint32_t place = order[i].place;

		if (s->at[place].weight && !has_bucket[place])
			a->b[add_bucket(a)].place = place;
	}
	mem_free(has_bucket);
	mem_free(order);
	return 0;
}

static uint32_t scale(uint64_t bits, uint32_t n)
{
	return (uint32_t)((bits >> 32) * n >> 32);
}

/* The working bucket of a key. */
static uint32_t bucket_of(const struct anchor *a, uint64_t key)
{
	uint32_t i = scale(key, a->capacity);

	while (a->b[i].removed_at) { /* each time among fewer: ends */
		uint32_t among = a->b[i].removed_at, k = scale(hmap_mix(key + i), among);

		while (a->b[k].removed_at >= among) /* it left before: whoever took its place */
			k = a->b[k].successor;
		i = k;
	}
	return i;
}

static ssize_t anchor_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const struct anchor *a = s->table;
	uint64_t h = members_hash(s, q->request->key64);
	uint32_t place = 0;

	for (int i = 0; i < TRIES_MAX; i++, h = members_hash(s, h)) {
		place = a->b[bucket_of(a, h)].place;
		if (query_eligible(q, place))
			return place;
	}
	return query_eligible_from(q, place);
}

const struct lb_algo algo_anchor = {
    .size = sizeof(algo_anchor),
    .name = "anchor",
    .flags = LB_ALGO_STEADY_WEIGHTS,
    .table_size = anchor_size,
    .build = anchor_build,
    .pick = anchor_pick,
};
