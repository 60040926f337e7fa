/* SPDX-License-Identifier: MIT */
/*
 * Binary min-heap of deadlines, for timers. The node lives inside the element and knows its place, so
 * that arming, re-arming and cancelling are O(log n). Equal deadlines leave in the order they were
 * armed: a replayed run is the same run.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

/* "No deadline": later than any time. */
#define HEAP_NEVER UINT64_MAX

struct heap_node {
	uint64_t deadline_ns; /* absolute */
	size_t place;	      /* 1-based index in the heap; 0: not armed */
};

/* What is compared lies in the array: the nodes are in elements that are in no cache. */
struct heap_entry {
	uint64_t deadline_ns;
	uint64_t order; /* tie break: the order of arming */
	struct heap_node *node;
};

struct heap {
	struct heap_entry *at; /* at[1..n]; at[0] unused */
	size_t n, cap;
	uint64_t next_order;
};

static inline void heap_init(struct heap *h)
{
	*h = (struct heap){0};
}

static inline void heap_fini(struct heap *h)
{
	mem_free(h->at);
	heap_init(h);
}

static inline bool heap_before(const struct heap_entry *a, const struct heap_entry *b)
{
	if (a->deadline_ns != b->deadline_ns)
		return a->deadline_ns < b->deadline_ns;
	return a->order < b->order;
}

static inline void heap_put(struct heap *h, size_t i, struct heap_entry entry)
{
	h->at[i] = entry;
	entry.node->place = i;
}

static inline void heap_sift_up(struct heap *h, size_t i)
{
	struct heap_entry entry = h->at[i];

	for (; i > 1 && heap_before(&entry, &h->at[i / 2]); i /= 2)
		heap_put(h, i, h->at[i / 2]);
	heap_put(h, i, entry);
}

static inline void heap_sift_down(struct heap *h, size_t i)
{
	struct heap_entry entry = h->at[i];

	for (size_t child; (child = 2 * i) <= h->n; i = child) {
		if (child < h->n && heap_before(&h->at[child + 1], &h->at[child]))
			child++;
		if (!heap_before(&h->at[child], &entry))
			break;
		heap_put(h, i, h->at[child]);
	}
	heap_put(h, i, entry);
}

/* Makes room for `n` nodes, so that arming up to that many cannot fail. 0 or -ENOMEM. */
static inline int heap_reserve(struct heap *h, size_t n)
{
	struct heap_entry *at;

	if (n < h->cap)
		return 0;
	if (n > SIZE_MAX / 4)
		return -ENOMEM;
	at = mem_regrow(h->at, (n + 1) * 2, sizeof(*at));
	if (!at)
		return -ENOMEM;
	h->at = at;
	h->cap = (n + 1) * 2;
	return 0;
}

static inline void heap_disarm(struct heap *h, struct heap_node *node)
{
	size_t i = node->place;
	struct heap_node *moved;

	if (!i)
		return;
	assert(i <= h->n && h->at[i].node == node);
	node->place = 0;
	if (i == h->n--)
		return;
	moved = h->at[h->n + 1].node;
	heap_put(h, i, h->at[h->n + 1]);
	heap_sift_up(h, i);
	heap_sift_down(h, moved->place);
}

/* Arms or re-arms. 0, or -ENOMEM when the heap had to grow and could not. */
static inline int heap_arm(struct heap *h, struct heap_node *node, uint64_t deadline_ns)
{
	int r;

	if (!node->place) {
		r = heap_reserve(h, h->n + 1);
		if (r < 0)
			return r;
		node->place = ++h->n;
	}
	node->deadline_ns = deadline_ns;
	h->at[node->place] = (struct heap_entry){deadline_ns, h->next_order++, node};
	heap_sift_up(h, node->place);
	heap_sift_down(h, node->place);
	return 0;
}

static inline struct heap_node *heap_first(const struct heap *h)
{
	return h->n ? h->at[1].node : NULL;
}

static inline uint64_t heap_deadline(const struct heap *h)
{
	return h->n ? h->at[1].deadline_ns : HEAP_NEVER;
}

/* Removes and returns the first node that is due, or NULL. */
static inline struct heap_node *heap_pop_due(struct heap *h, uint64_t now_ns)
{
	struct heap_node *node = heap_first(h);

	if (!node || node->deadline_ns > now_ns)
		return NULL;
	heap_disarm(h, node);
	return node;
}

#endif
