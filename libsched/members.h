/* SPDX-License-Identifier: MIT */
/* What hashes over members share: an order of them that all nodes agree on, hashing, room to grow. */
#ifndef LIBSCHED_MEMBERS_H
#define LIBSCHED_MEMBERS_H

#include <errno.h>
#include <stdlib.h>

#include "base/hmap.h"
#include "libsched/snapshot.h"

#define MEMBERS_CAPACITY_MIN 16

struct member {
	uint64_t key;
	uint32_t place;
};

static inline uint64_t members_hash(const struct lb_snapshot *s, uint64_t key)
{
	return hmap_mix(key ^ s->salt);
}

/*
 * Buckets for anchor and dx: as the group's options say, else twice the members, as a power of two. More
 * make room, and cost more tries.
 */
static inline size_t members_capacity(const struct lb_snapshot *s)
{
	size_t n = MEMBERS_CAPACITY_MIN;

	if (s->n <= s->setup.opts.capacity)
		return s->setup.opts.capacity;
	while (n < 2 * s->n)
		n *= 2;
	return n;
}

static inline int members_compare(const void *a, const void *b)
{
	const struct member *left = a, *right = b;

	return (left->key > right->key) - (left->key < right->key);
}

/* [editor] All members in the order of their keys; to be freed. NULL: no memory. */
static inline struct member *members_by_key(const struct lb_snapshot *s)
{
	struct member *m = mem_array(s->n + 1, sizeof(*m));

	if (!m)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		m[i] = (struct member){lb_snapshot_key(s, i), (uint32_t)i};
	qsort(m, s->n, sizeof(*m), members_compare);
	return m;
}

#endif
