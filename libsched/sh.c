/* SPDX-License-Identifier: MIT */
/*
 * sh and dh: source and destination hashing as IPVS has them (Linux net/netfilter/ipvs/ip_vs_sh.c,
 * ip_vs_dh.c). 256 slots are dealt to the members in turn, newest first: with sh as many at a time as
 * the weight, with dh one. They differ in what the caller takes as the key.
 */
#include <errno.h>

#include "libsched/algos.h"
#include "libsched/keyed.h"

#define SLOTS 256

/* The upper eight bits of a multiplication by 2^32 over the golden ratio (include/linux/hash.h). */
static uint32_t slot_of(uint32_t key, uint32_t offset)
{
	return (offset + (uint32_t)(key * UINT32_C(0x61c88647)) / (UINT32_MAX / SLOTS + 1)) % SLOTS;
}

static size_t table_size(const struct lb_snapshot *s)
{
	return SLOTS * sizeof(uint32_t);
}

/* The first member from this place on, going round; some member exists. */
static size_t member_from(const struct lb_snapshot *s, size_t place)
{
	for (;; place++) {
		if (place >= s->n)
			place = 0;
		if (keyed_member(s, place))
			return place;
	}
}

static bool any_member(const struct lb_snapshot *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (keyed_member(s, i))
			return true;
	return false;
}

static int deal(const struct lb_snapshot *s, uint32_t *table, bool weighted)
{
	size_t place;
	uint32_t dealt = 0;

	if (!any_member(s))
		return 0;
	place = member_from(s, 0);
	for (size_t i = 0; i < SLOTS; i++) {
		table[i] = (uint32_t)place + 1;
		/* Weight 0 gets a slot too: its keys wait for it, or fall back. */
		if (!weighted || ++dealt >= s->at[place].weight) {
			place = member_from(s, place + 1);
			dealt = 0;
		}
	}
	return 0;
}

static int sh_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	return deal(s, table, true);
}

static int dh_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	return deal(s, table, false);
}

static ssize_t hash_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	return keyed_pick(q, s->table, SLOTS, slot_of);
}

static void hash_note(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		      size_t place, ssize_t chosen, char *buf, size_t cap)
{
	keyed_note(q, s->table, slot_of, place, chosen, buf, cap);
}

static ssize_t hash_slot(const struct lb_snapshot *s, size_t i)
{
	const uint32_t *table = s->table;

	return i < SLOTS ? (ssize_t)table[i] - 1 : -ENOENT;
}

const struct lb_algo algo_sh = {
    .size = sizeof(algo_sh),
    .name = "sh",
    .flags = LB_ALGO_NEWEST_FIRST | LB_ALGO_STEADY_WEIGHTS,
    .table_size = table_size,
    .build = sh_build,
    .pick = hash_pick,
    .note = hash_note,
    .slot = hash_slot,
};

const struct lb_algo algo_dh = {
    .size = sizeof(algo_dh),
    .name = "dh",
    .flags = LB_ALGO_NEWEST_FIRST | LB_ALGO_STEADY_WEIGHTS,
    .table_size = table_size,
    .build = dh_build,
    .pick = hash_pick,
    .note = hash_note,
    .slot = hash_slot,
};
