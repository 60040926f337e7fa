/* SPDX-License-Identifier: MIT */
/*
 * Hash map; the node lives inside the element and keeps its hash, so growing touches no key. The caller
 * compares keys while it walks the candidates of one hash. Hash what comes from outside with a secret
 * seed (hmap_hash), else a stranger chooses the chain he wants.
 */
#ifndef BASE_HMAP_H
#define BASE_HMAP_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

struct hmap_node {
	struct hmap_node *next;
	uint64_t hash;
};

struct hmap {
	struct hmap_node **bucket;
	size_t n_buckets; /* 0 or a power of two */
	size_t n;
};

static inline void hmap_init(struct hmap *m)
{
	*m = (struct hmap){0};
}

/* Frees the table, not the elements. */
static inline void hmap_fini(struct hmap *m)
{
	mem_free(m->bucket);
	hmap_init(m);
}

/* Mixes 64 bits (the finalizer of SplitMix64). */
static inline uint64_t hmap_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static inline uint64_t hmap_hash(const void *key, size_t len, uint64_t seed)
{
	const unsigned char *p = key;
	uint64_t h = hmap_mix(seed ^ len), word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = hmap_mix(h ^ word);
	}
	word = 0;
	if (len)
		memcpy(&word, p, len);
	return hmap_mix(h ^ word);
}

static inline struct hmap_node **hmap_slot(const struct hmap *m, uint64_t hash)
{
	return &m->bucket[hash & (m->n_buckets - 1)];
}

static inline int hmap_grow(struct hmap *m)
{
	size_t n_old = m->n_buckets, n_new = n_old ? n_old * 2 : 16;
	struct hmap_node **old = m->bucket, **fresh = mem_array(n_new, sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	m->bucket = fresh;
	m->n_buckets = n_new;
	for (size_t i = 0; i < n_old; i++) {
		for (struct hmap_node *node = old[i], *next; node; node = next) {
			struct hmap_node **slot = hmap_slot(m, node->hash);

			next = node->next;
			node->next = *slot;
			*slot = node;
		}
	}
	mem_free(old);
	return 0;
}

/* Adds a node; equal keys are the caller's business. 0, or -ENOMEM when there is no table at all. */
static inline int hmap_add(struct hmap *m, struct hmap_node *node, uint64_t hash)
{
	struct hmap_node **slot;

	if (m->n >= m->n_buckets && hmap_grow(m) < 0 && !m->n_buckets)
		return -ENOMEM; /* a full table only gets slower */
	slot = hmap_slot(m, hash);
	node->hash = hash;
	node->next = *slot;
	*slot = node;
	m->n++;
	return 0;
}

static inline void hmap_remove(struct hmap *m, struct hmap_node *node)
{
	struct hmap_node **at;

	if (!m->n_buckets)
		return;
	for (at = hmap_slot(m, node->hash); *at; at = &(*at)->next) {
		if (*at == node) {
			*at = node->next;
			m->n--;
			return;
		}
	}
}

static inline struct hmap_node *hmap_skip(struct hmap_node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

/* The candidates of one hash, in no order: hmap_first, then hmap_next until NULL. */
static inline struct hmap_node *hmap_first(const struct hmap *m, uint64_t hash)
{
	return m->n_buckets ? hmap_skip(*hmap_slot(m, hash), hash) : NULL;
}

static inline struct hmap_node *hmap_next(const struct hmap_node *node)
{
	return hmap_skip(node->next, node->hash);
}

#endif
