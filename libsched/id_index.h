/* SPDX-License-Identifier: MIT */
/*
 * From an id to a number: open addressing, at most three quarters full. Entries are the numbers alone; whoever
 * owns the index knows the id of each. Ids are the host's own, not a stranger's: no secret is needed.
 */
#ifndef LIBSCHED_ID_INDEX_H
#define LIBSCHED_ID_INDEX_H

#include <errno.h>
#include <stdint.h>

#include "base/mem.h"

#define ID_INDEX_MIN 4

struct id_index {
	uint32_t *at; /* number + 1; 0: free */
	uint32_t mask;
};

/* Where the search for an id begins; the walk ends at a free entry. Two multiplications: one clusters ids in steps. */
static inline uint32_t id_index_start(const struct id_index *x, uint64_t id)
{
	uint64_t hash = id * 0x9e3779b97f4a7c15u;

	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
	return (uint32_t)(hash >> 32) & x->mask;
}

static inline uint32_t id_index_next(const struct id_index *x, uint32_t i)
{
	return (i + 1) & x->mask;
}

static inline bool id_index_has_room(const struct id_index *x, size_t n)
{
	return x->at && 4 * n <= 3 * ((size_t)x->mask + 1);
}

/* Empty, with room for n. 0 or -ENOMEM. */
static inline int id_index_init(struct id_index *x, size_t n)
{
	size_t size = ID_INDEX_MIN;

	while (4 * n > 3 * size)
		size *= 2;
	x->at = mem_array(size, sizeof(*x->at));
	x->mask = (uint32_t)size - 1;
	return x->at ? 0 : -ENOMEM;
}

static inline void id_index_fini(struct id_index *x)
{
	mem_free(x->at);
}

static inline void id_index_add(struct id_index *x, uint64_t id, uint32_t number)
{
	uint32_t i = id_index_start(x, id);

	while (x->at[i])
		i = id_index_next(x, i);
	x->at[i] = number + 1;
}

#endif
