/* SPDX-License-Identifier: MIT */
/*
 * maglev: consistent hashing through a table of 65537 slots (Eisenbud et al., "Maglev: A Fast and Reliable
 * Software Network Load Balancer", NSDI 2016, 3.4). Each server has an order of its own in which it wants
 * the slots; they take one after another, in the order of their hashes. So the table comes from the seed,
 * the keys and the weights alone: nodes that agree on these agree on each choice, in whatever order
 * servers were added.
 */
#include <errno.h>

#include "base/hmap.h"
#include "libsched/algos.h"
#include "libsched/snapshot.h"
#include "libsched/usual.h"

#define SLOTS 65537  /* a prime: a server's walk sees every slot */
_Static_assert(LB_SERVERS_MAX <= UINT16_MAX + 1,
	       "a place takes half a word: 128 KiB of slots stay near at hand");
#define TRIES_MAX 15 /* further slots for a key whose server may not be chosen */

/* Who takes slots, in the order of the hashes. */
struct member {
	uint64_t hash;
	uint32_t place;
};

/* A server's order of slots, as far as it has come. */
struct wish {
	uint32_t place;
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

/* Those that may be chosen; returns how many. */
static size_t gather(const struct lb_snapshot *s, struct member *member)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->at[i].weight)
			member[n++] = (struct member){hash(s, lb_snapshot_key(s, i)), (uint32_t)i};
	return n;
}

static uint32_t bucket_of(const struct member *m, size_t n)
{
	return scale((uint32_t)(m->hash >> 32), (uint32_t)n);
}

/* Hashes are even: with a bucket for each they fall near to where they belong. `first` is zeroed, for n + 1. */
static void sort(const struct member *member, size_t n, uint32_t *first, struct member *ret)
{
	for (size_t i = 0; i < n; i++)
		first[bucket_of(&member[i], n) + 1]++;
	for (size_t k = 0; k < n; k++)
		first[k + 1] += first[k];
	for (size_t i = 0; i < n; i++)
		ret[first[bucket_of(&member[i], n)]++] = member[i];
	for (size_t i = 1; i < n; i++) {
		const struct member m = ret[i];
		size_t k = i;

		for (; k && ret[k - 1].hash > m.hash; k--)
			ret[k] = ret[k - 1];
		ret[k] = m;
	}
}

static void make_wishes(const struct lb_snapshot *s, const struct member *member, size_t n,
			struct wish *wish)
{
	for (size_t i = 0; i < n; i++)
		wish[i] = (struct wish){
		    .place = member[i].place,
		    .at = scale((uint32_t)(member[i].hash >> 32), SLOTS),
		    .skip = scale((uint32_t)member[i].hash, SLOTS - 1) + 1,
		    .weight = s->at[member[i].place].weight,
		};
}

/* The first free slot of the server's walk, from where it is on. Some ten tries on average: what this loop costs, a table costs. */
static uint32_t first_free(const uint64_t *taken, const struct wish *w)
{
	const uint32_t skip = w->skip, back = SLOTS - skip;
	uint32_t at = w->at;

	while (taken[at / 64] >> at % 64 & 1) {
		const uint32_t on = at + skip, round = at - back;

		at = at < back ? on : round; /* both made beforehand: no wait for the comparison */
	}
	return at;
}

/* Each round a server is credited its weight; the heaviest can pay a slot each time, so it ends. */
static void fill(struct wish *wish, size_t n, uint32_t price, uint16_t *table)
{
	uint64_t taken[SLOTS / 64 + 1] = {0}; /* the table again, by bits: all of it near at hand */
	size_t n_taken = 0;

	for (size_t i = 0; n_taken < SLOTS; i = i + 1 < n ? i + 1 : 0) {
		struct wish *w = &wish[i];

		w->credit += w->weight;
		if (w->credit < price)
			continue;
		w->credit -= price;
		w->at = first_free(taken, w);
		taken[w->at / 64] |= UINT64_C(1) << w->at % 64;
		table[w->at] = (uint16_t)w->place;
		n_taken++;
	}
}

static size_t maglev_table_size(const struct lb_snapshot *s)
{
	return SLOTS * sizeof(uint16_t);
}

static int maglev_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct member *member, *sorted;
	struct wish *wish;
	uint32_t *first;
	size_t n = s->n_usable;

	if (!n)
		return 0;
	member = mem_array(n, 2 * sizeof(*member) + sizeof(*wish) + 2 * sizeof(*first));
	if (!member)
		return -ENOMEM;
	sorted = member + n;
	wish = (struct wish *)(sorted + n);
	first = (uint32_t *)(wish + n);
	n = gather(s, member);
	sort(member, n, first, sorted);
	make_wishes(s, sorted, n, wish);
	fill(wish, n, s->max_weight, table);
	mem_free(member);
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

static inline uint32_t place_of(const uint16_t *table, uint64_t h)
{
	return table[scale((uint32_t)(h >> 32), SLOTS)];
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

	return q->plain || query_eligible(q, place) ? (ssize_t)place : hash_on(q, h);
}

/* Asked only where nobody has a limit or is excluded. */
static void maglev_pick_many(const struct lb_snapshot *s, void *cursor, const struct lb_query *q,
			     const uint64_t *key64, size_t n, uint32_t *ret_places)
{
	const uint16_t *table = s->table;
	const uint64_t salt = s->salt; /* read once, whatever ret_places may point to */

#pragma GCC unroll 4
	for (size_t i = 0; i < n; i++)
		ret_places[i] = place_of(table, key_hash(salt, key64[i]));
}

static ssize_t maglev_slot(const struct lb_snapshot *s, size_t i)
{
	const uint16_t *table = s->table;

	if (i >= SLOTS)
		return -ENOENT;
	return s->n_usable ? table[i] : -1;
}

USUAL_PICK(maglev, maglev_pick, NULL)

const struct lb_algo algo_maglev = {
    .size = sizeof(algo_maglev),
    .name = "maglev",
    .table_size = maglev_table_size,
    .build = maglev_build,
    .pick = maglev_pick,
    .pick_many = maglev_pick_many,
    .slot = maglev_slot,
};
