/* SPDX-License-Identifier: MIT */
/*
 * Drawing a place by effective weight in O(1): Walker's alias table, filled as Vose does (Vose, "A Linear
 * Algorithm for Generating Random Numbers with a Given Distribution", 1991).
 */
#ifndef LIBSCHED_DRAW_H
#define LIBSCHED_DRAW_H

#include "libsched/either.h"
#include "libsched/picker.h"

/*
 * How many draws may hit servers that may not be chosen, before the list is walked: it ends, at the price
 * of the neighbour's share.
 */
#define DRAW_MISSES_MAX 16

/* Below `threshold` of 2^32 the place itself, else `other`. */
struct draw_slot {
	uint32_t threshold, other;
};

/* The table, with a slot for each place. */
struct draw_table {
	bool even; /* all have the same weight: each slot is its place's alone */
	struct draw_slot slot[];
};

size_t draw_table_size(const struct lb_snapshot *s);
int draw_table_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table);
/* Likewise, with a weight of one more for one place (s->n: for none). */
int draw_table_build_for(const struct lb_snapshot *s, size_t favoured, void *table);

/* `bits` choose the slot, and what is left of them between the two in it. */
static inline size_t draw_with(const struct lb_snapshot *s, uint32_t bits)
{
	const struct draw_table *t = s->table;
	const uint64_t scaled = (uint64_t)bits * s->n;
	const uint32_t place = (uint32_t)(scaled >> 32);

	if (t->even)
		return place;
	return either((uint32_t)scaled >= t->slot[place].threshold, place, t->slot[place].other);
}

static inline size_t draw_place(const struct lb_query *q)
{
	return draw_with(q->snap, (uint32_t)(picker_random(q->random) >> 32));
}

/* One that may be chosen, or -1. */
static inline ssize_t draw_eligible(const struct lb_query *q)
{
	size_t place = 0;

	for (int i = 0; i < DRAW_MISSES_MAX; i++) {
		place = draw_place(q);
		if (query_eligible(q, place))
			return (ssize_t)place;
	}
	return query_eligible_from(q, place);
}

/* A small number below `limit`, each as likely as the next but for one in 2^32. */
static inline uint32_t draw_below(const struct lb_query *q, uint32_t limit)
{
	return (uint32_t)((picker_random(q->random) >> 32) * limit >> 32);
}

#endif
