/* SPDX-License-Identifier: MIT */
/*
 * mh: Maglev hashing as IPVS has it (Linux net/netfilter/ipvs/ip_vs_mh.c; Eisenbud et al., "Maglev: A
 * Fast and Reliable Software Network Load Balancer", NSDI 2016). Each member has an order of its own in
 * which it wants the slots, from the hash of its key; they take one after another, as many at a time as
 * the weight says, so few keys move when one leaves. The weight is the last that was not 0.
 */
#include <errno.h>

#include "libsched/algos.h"
#include "libsched/gcd.h"
#include "libsched/keyed.h"

#define SLOTS 4093	 /* the prime of Debian's kernels: CONFIG_IP_VS_MH_TAB_INDEX=12 */
#define TURNS_BITS_MAX 6 /* half of that index */

/* The keys of the kernel's two hashes. */
#define OFFSET_SECRET 2654435761u
#define SKIP_SECRET 2654446892u

static inline uint64_t rotl(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/*
 * SipHash-1-3 of four bytes, the lower half of the result: what 64-bit Linux calls hsiphash. Both halves
 * of the secret are the same. Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012.
 */
static uint32_t hsiphash(uint32_t word, uint64_t secret)
{
	const uint64_t block = UINT64_C(4) << 56 | word; /* the length and the bytes */
	uint64_t v[4] = {
	    UINT64_C(0x736f6d6570736575) ^ secret,
	    UINT64_C(0x646f72616e646f6d) ^ secret,
	    UINT64_C(0x6c7967656e657261) ^ secret,
	    UINT64_C(0x7465646279746573) ^ secret,
	};

	v[3] ^= block;
	sip_round(v);
	v[0] ^= block;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

static uint32_t slot_of(uint32_t key, uint32_t offset)
{
	return hsiphash(key + offset, OFFSET_SECRET) % SLOTS;
}

/* A member's order of slots, as far as it has come, and how many it takes at a time. */
struct wish {
	uint32_t at, skip, turns;
};

static uint32_t weight_of(const struct lb_snapshot *s, size_t place)
{
	return keyed_member(s, place) ? snap_server_of(s, &s->at[place])->last_weight : 0;
}

/* Weights over their greatest common divisor, shifted to six bits, at least 1; 0 for weight 0. */
static bool make_wishes(const struct lb_snapshot *s, struct wish *wish)
{
	uint32_t divisor = 0, max = 0, shift = 0;

	for (size_t i = 0; i < s->n; i++) {
		uint32_t weight = weight_of(s, i);

		divisor = gcd(divisor, weight);
		if (max < weight)
			max = weight;
	}
	if (!divisor)
		return false;
	while (max / divisor >> shift >> TURNS_BITS_MAX)
		shift++;
	for (size_t i = 0; i < s->n; i++) {
		uint32_t key = (uint32_t)lb_snapshot_key(s, i), weight = weight_of(s, i);

		wish[i].at = slot_of(key, 0);
		wish[i].skip = hsiphash(key, SKIP_SECRET) % (SLOTS - 1) + 1;
		wish[i].turns = weight / divisor >> shift;
		if (weight && !wish[i].turns)
			wish[i].turns = 1;
	}
	return true;
}

static void fill(const struct lb_snapshot *s, struct wish *wish, uint32_t *table)
{
	size_t taken = 0;

	for (size_t i = 0; taken < SLOTS; i = i + 1 < s->n ? i + 1 : 0) {
		struct wish *w = &wish[i];

		for (uint32_t k = 0; k < w->turns && taken < SLOTS; k++, taken++) {
			while (table[w->at]) /* ends: SLOTS is prime, so the walk sees each */
				w->at = (w->at + w->skip) % SLOTS;
			table[w->at] = (uint32_t)i + 1;
		}
	}
}

static size_t mh_table_size(const struct lb_snapshot *s)
{
	return SLOTS * sizeof(uint32_t);
}

static int mh_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct wish *wish = mem_array(s->n + 1, sizeof(*wish));

	if (!wish)
		return -ENOMEM;
	if (make_wishes(s, wish))
		fill(s, wish, table);
	mem_free(wish);
	return 0;
}

static ssize_t mh_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	return keyed_pick(q, s->table, SLOTS, slot_of);
}

static void mh_note(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		    size_t place, ssize_t chosen, char *buf, size_t cap)
{
	keyed_note(q, s->table, slot_of, place, chosen, buf, cap);
}

static ssize_t mh_slot(const struct lb_snapshot *s, size_t i)
{
	const uint32_t *table = s->table;

	return i < SLOTS ? (ssize_t)table[i] - 1 : -ENOENT;
}

const struct lb_algo algo_mh = {
    .size = sizeof(algo_mh),
    .name = "mh",
    .flags = LB_ALGO_NEWEST_FIRST | LB_ALGO_STEADY_WEIGHTS,
    .table_size = mh_table_size,
    .build = mh_build,
    .pick = mh_pick,
    .note = mh_note,
    .slot = mh_slot,
};
