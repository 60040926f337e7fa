/* SPDX-License-Identifier: MIT */
/*
 * Earliest deadline first: a min-heap of (key, order, place) by value. base/heap.h keeps pointers into
 * its elements; this one is plain bytes, as a cursor must be. The caller gives memory for all places.
 */
#ifndef LIBSCHED_EDF_H
#define LIBSCHED_EDF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edf_entry {
	uint64_t key;
	uint64_t order; /* tie break: first in, first out */
	size_t place;
};

static inline bool edf_before(const struct edf_entry *a, const struct edf_entry *b)
{
	return a->key != b->key ? a->key < b->key : a->order < b->order;
}

/* The least is at[0]. */
static inline void edf_push(struct edf_entry *at, size_t *n, struct edf_entry e)
{
	size_t i = (*n)++;

	for (; i && edf_before(&e, &at[(i - 1) / 2]); i = (i - 1) / 2)
		at[i] = at[(i - 1) / 2];
	at[i] = e;
}

/* n > 0. */
static inline struct edf_entry edf_pop(struct edf_entry *at, size_t *n)
{
	const struct edf_entry first = at[0], last = at[--*n];
	size_t i = 0;

	for (size_t child; (child = 2 * i + 1) < *n; i = child) {
		if (child + 1 < *n && edf_before(&at[child + 1], &at[child]))
			child++;
		if (!edf_before(&at[child], &last))
			break;
		at[i] = at[child];
	}
	at[i] = last;
	return first;
}

#endif
