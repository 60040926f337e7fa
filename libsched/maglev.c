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
#include "libsched/usual.h"
#include "libsched/snapshot.h"

#define SLOTS 65537  /* a prime: a server's walk sees every slot */
#define TRIES_MAX 15 /* further slots for a key whose server may not be chosen */

/* A server's order of slots, as far as it has come. */
struct wish {
	uint64_t key;
	size_t place;
	uint32_t at, skip;
	uint32_t weight, credit; /* a slot costs the greatest weight */
};

static uint64_t hash(const struct lb_snapshot *s, uint64_t key)
{
	return hmap_mix(key ^ s->salt);
}

/* 32 bits to 0..n-1, evenly. */
static inline uint32_t scale(uint32_t bits, uint32_t n)
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

/*
 * Of a request's key, the upper half being what counts: both halves of a product, one over the other, as wyhash
 * does with short input, and once more multiplied so that every bit reaches the upper half. It is as even as
 * hash() and takes half the time. The constants are odd and have as many ones as zeros.
 */
static inline uint64_t key_hash(uint64_t salt, uint64_t key)
{
	return mul_fold(key ^ salt, 0xa0761d6478bd642fu) * 0xe7037ed1a0b428dbu;
}

static inline uint32_t place_of(const uint32_t *table, uint64_t h)
{
	return table[scale((uint32_t)(h >> 32), SLOTS)] - 1;
}

/* The key's own server may not be chosen: the key is hashed on. */
static __attribute__((noinline)) ssize_t hash_on(const struct lb_query *q, uint64_t h)
{
	size_t place = 0;

	for (int i = 0; i < TRIES_MAX; i++) {
		h = key_hash(q->snap->salt, h);
		place = place_of(q->snap->table, h);
		if (query_eligible(q, place))
			return (ssize_t)place;
	}
	return query_eligible_from(q, place);
}

/* The table holds only servers that may be chosen, but for limits and what the request excludes. */
static inline ssize_t maglev_pick(const struct lb_snapshot *s, void *cursor,
				  const struct lb_query *q)
{
	const uint64_t h = key_hash(s->salt, q->request->key64);
	const size_t place = place_of(s->table, h);

	(void)cursor;
	return q->plain || query_eligible(q, place) ? (ssize_t)place : hash_on(q, h);
}

/* Asked only where nobody has a limit or is excluded. */
static void maglev_pick_many(const struct lb_snapshot *s, void *cursor, const struct lb_query *q,
			     const uint64_t *key64, size_t n, uint32_t *ret_places)
{
	const uint32_t *table = s->table;
	const uint64_t salt = s->salt; /* read once, whatever ret_places may point to */

	(void)cursor;
	(void)q;
	for (size_t i = 0; i < n; i++)
		ret_places[i] = place_of(table, key_hash(salt, key64[i]));
}

static size_t maglev_slots(const struct lb_snapshot *s, const uint32_t **ret)
{
	*ret = s->table;
	return SLOTS;
}

USUAL_PICK(maglev, maglev_pick, NULL)

const struct lb_algo algo_maglev = {
    .size = sizeof(algo_maglev),
    .name = "maglev",
    .table_size = maglev_table_size,
    .build = maglev_build,
    .pick = maglev_pick,
    .pick_many = maglev_pick_many,
    .slots = maglev_slots,
};
