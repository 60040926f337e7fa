/* SPDX-License-Identifier: MIT */
/*
 * maglev: consistent hashing through a table of 65537 slots (Eisenbud et al., "Maglev: A Fast and Reliable
 * Software Network Load Balancer", NSDI 2016, 3.4). Each server has an order of its own in which it wants
 * the slots; they take one after another, in the order of their keys. So the table comes from the seed,
 * the keys and the weights alone: nodes that agree on these agree on each choice, in whatever order
 * servers were added.
 */
#include <errno.h>
#include <stdlib.h>

#include "libsched/algos.h"
#include "libsched/snapshot.h"

#define SLOTS 65537  /* a prime: a server's walk sees every slot */
#define TRIES_MAX 16 /* further slots for a key whose server may not be chosen */

/* A server's order of slots, as far as it has come. */
struct wish {
	uint64_t key;
	size_t place;
	uint32_t at, skip;
	uint32_t weight, credit; /* a slot costs the greatest weight */
};

static uint64_t hash(const struct lb_snapshot *s, uint64_t key)
{
	return hmap_mix(key ^ hmap_mix(s->setup.opts.seed + 1));
}

/* 32 bits to 0..n-1, evenly. */
static uint32_t scale(uint32_t bits, uint32_t n)
{
	return (uint32_t)((uint64_t)bits * n >> 32);
}

static int by_key(const void *a, const void *b)
{
	const struct wish *left = a, *right = b;

	return (left->key > right->key) - (left->key < right->key);
}

/* Of those that may be chosen, in the order of their keys; returns how many. */
static size_t make_wishes(const struct lb_snapshot *s, struct wish *wish)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		uint64_t key = lb_snapshot_key(s, i), h = hash(s, key);

		if (!s->at[i].weight)
			continue;
		wish[n++] = (struct wish){
		    .key = key,
		    .place = i,
		    .at = scale((uint32_t)(h >> 32), SLOTS),
		    .skip = scale((uint32_t)h, SLOTS - 1) + 1,
		    .weight = s->at[i].weight,
		};
	}
	qsort(wish, n, sizeof(*wish), by_key);
	return n;
}

/* Each round a server is credited its weight; the heaviest can pay a slot each time, so it ends. */
static void fill(struct wish *wish, size_t n, uint32_t price, uint32_t *table)
{
	uint64_t taken[SLOTS / 64 + 1] = {0}; /* the table again, by bits: all of it near at hand */
	size_t n_taken = 0;

	for (size_t i = 0; n_taken < SLOTS; i = i + 1 < n ? i + 1 : 0) {
		struct wish *w = &wish[i];

		w->credit += w->weight;
		if (w->credit < price)
			continue;
		w->credit -= price;
		while (taken[w->at / 64] >> w->at % 64 & 1) {
			w->at += w->skip;
			w->at -= w->at < SLOTS ? 0 : SLOTS;
		}
		taken[w->at / 64] |= UINT64_C(1) << w->at % 64;
		table[w->at] = (uint32_t)w->place + 1;
		n_taken++;
	}
}

static size_t maglev_table_size(const struct lb_snapshot *s)
{
	(void)s;
	return SLOTS * sizeof(uint32_t);
}

static int maglev_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct wish *wish;

	(void)old;
	if (!s->n_usable)
		return 0;
	wish = mem_array(s->n, sizeof(*wish));
	if (!wish)
		return -ENOMEM;
	fill(wish, make_wishes(s, wish), s->max_weight, table);
	mem_free(wish);
	return 0;
}

/* The place in the slot of the key; when it may not be chosen, of the key hashed on. */
static ssize_t maglev_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const uint32_t *table = s->table;
	uint64_t h = q->request->key64;
	size_t place = 0;

	(void)cursor;
	for (int i = 0; i < TRIES_MAX; i++) {
		h = hash(s, h);
		place = table[scale((uint32_t)(h >> 32), SLOTS)] - 1;
		if (query_eligible(q, place))
			return (ssize_t)place;
	}
	return query_eligible_from(q, place);
}

const struct lb_algo algo_maglev = {
    .size = sizeof(algo_maglev),
    .name = "maglev",
    .table_size = maglev_table_size,
    .build = maglev_build,
    .pick = maglev_pick,
};
