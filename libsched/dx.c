/* SPDX-License-Identifier: MIT */
/*
 * dx: DxHash (Dong, Wang, "DxHash: A Scalable Consistent Hashing Based on the Pseudo-Random Sequence", 2021).
 * Servers sit in slots, twice as many as are needed or more; a key draws slots from a sequence of its own until
 * one has a server that may be chosen. Whoever goes leaves only its own keys to move.
 */
#include "libsched/algos.h"
#include "libsched/members.h"

#define TRIES_PER_SLOT 8 /* then the list is walked; missed by chance once in e^8 keys at most */

struct dx {
	uint32_t capacity;
	uint32_t slot[]; /* place + 1; 0: free */
};

static size_t dx_size(const struct lb_snapshot *s)
{
	return sizeof(struct dx) + members_capacity(s) * sizeof(uint32_t);
}

static uint32_t scale(uint64_t bits, uint32_t n)
{
	return (uint32_t)((bits >> 32) * n >> 32);
}

/* Who was there keeps the slot, up or down. */
static void take_over(struct dx *d, const struct lb_snapshot *s, const struct lb_snapshot *old,
		      uint8_t *has_slot)
{
	const struct dx *was = old->table;

	for (uint32_t i = 0; i < was->capacity; i++) {
		ssize_t place;

		if (!was->slot[i])
			continue;
		place = lb_snapshot_find(s, old->at[was->slot[i] - 1].id);
		if (place < 0)
			continue;
		d->slot[i] = (uint32_t)place + 1;
		has_slot[place] = 1;
	}
}

/* The slot its key leads to, or the next free one. There are more slots than members. */
static void seat(struct dx *d, const struct lb_snapshot *s, const struct member *m)
{
	uint32_t i = scale(members_hash(s, m->key), d->capacity);

	while (d->slot[i])
		i = i + 1 < d->capacity ? i + 1 : 0;
	d->slot[i] = m->place + 1;
}

static int dx_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct dx *d = table;
	uint8_t *has_slot = mem_array(s->n + 1, sizeof(*has_slot));
	struct member *order = members_by_key(s);

	if (!has_slot || !order) {
		mem_free(has_slot);
		mem_free(order);
		return -ENOMEM;
	}
	d->capacity = (uint32_t)members_capacity(s);
	if (old && ((const struct dx *)old->table)->capacity == d->capacity)
		take_over(d, s, old, has_slot);
	for (size_t i = 0; i < s->n; i++)
		if (!has_slot[order[i].place])
			seat(d, s, &order[i]);
	mem_free(has_slot);
	mem_free(order);
	return 0;
}

static ssize_t dx_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const struct dx *d = s->table;
	uint64_t h = members_hash(s, q->request->key64);

	for (uint32_t i = 0; i < TRIES_PER_SLOT * d->capacity; i++) {
		uint32_t slot = d->slot[scale(hmap_mix(h + i), d->capacity)];

		if (slot && query_eligible(q, slot - 1))
			return slot - 1;
	}
	return query_eligible_from(q, 0);
}

const struct lb_algo algo_dx = {
    .size = sizeof(algo_dx),
    .name = "dx",
    .flags = LB_ALGO_STEADY_WEIGHTS,
    .table_size = dx_size,
    .build = dx_build,
    .pick = dx_pick,
};
