/* SPDX-License-Identifier: MIT */
/*
 * Queues of places in the order of some rank: whoever joins goes to the end or, if he ranks before the last, further to the
 * front. Places are linked by number, so that a cursor may be copied. Those of a queue stand in a circle, and the queue
 * itself, one more number, knows the first: when he goes to the end, nothing else changes. The functions are inline so
 * that `before`, a constant, is no call.
 */
#ifndef LIBSCHED_QUEUE_H
#define LIBSCHED_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define QUEUE_RUNS_MAX 18 /* runs of 2^i places each; there are at most LB_SERVERS_MAX, 2^16 */

/* One for each place, which is in one queue at most; and one for each queue: `next` is the first, or itself. */
struct queue_link {
	uint32_t prev, next;
};

/* Does place a rank before place b? No two rank alike. */
typedef bool queue_before(const void *ctx, uint32_t a, uint32_t b);

static inline void queue_init(struct queue_link *link, uint32_t q)
{
	link[q].next = q;
}

static inline bool queue_empty(const struct queue_link *link, uint32_t q)
{
	return link[q].next == q;
}

static inline uint32_t queue_first(const struct queue_link *link, uint32_t q)
{
	return link[q].next;
}

/* Of a queue that is not empty. */
static inline uint32_t queue_last(const struct queue_link *link, uint32_t q)
{
	return link[link[q].next].prev;
}

/* Who comes after this one; q: nobody. */
static inline uint32_t queue_next(const struct queue_link *link, uint32_t q, uint32_t place)
{
	const uint32_t next = link[place].next;

	return next == link[q].next ? q : next;
}

/* Into the circle, before another. */
static inline void queue_insert(struct queue_link *link, uint32_t next, uint32_t place)
{
	const uint32_t prev = link[next].prev;

	link[place] = (struct queue_link){prev, next};
	link[prev].next = place;
	link[next].prev = place;
}

/* At the end, whatever the rank. */
static inline void queue_append(struct queue_link *link, uint32_t q, uint32_t place)
{
	if (!queue_empty(link, q)) {
		queue_insert(link, queue_first(link, q), place);
		return;
	}
	link[place] = (struct queue_link){place, place};
	link[q].next = place;
}

static inline void queue_join(struct queue_link *link, uint32_t q, uint32_t place,
			      queue_before *before, const void *ctx)
{
	const uint32_t first = queue_first(link, q);
	uint32_t next = first;

	if (first == q || !before(ctx, place, link[first].prev)) {
		queue_append(link, q, place);
		return;
	}
	do
		next = link[next].prev;
	while (next != first && before(ctx, place, link[next].prev));
	queue_insert(link, next, place);
	if (next == first)
		link[q].next = place;
}

/* The first leaves; the queue is not empty. */
static inline uint32_t queue_leave(struct queue_link *link, uint32_t q)
{
	const uint32_t place = link[q].next, next = link[place].next, prev = link[place].prev;

	link[q].next = next == place ? q : next;
	link[prev].next = next;
	link[next].prev = prev;
	return place;
}

/* The first goes to the end; the queue is not empty. */
static inline void queue_rotate(struct queue_link *link, uint32_t q)
{
	link[q].next = link[link[q].next].next;
}

#define QUEUE_END UINT32_MAX /* of a run, while it is sorted */

/* Two runs in order, linked by next, become one; returns its first. */
static inline uint32_t queue_merge(struct queue_link *link, uint32_t a, uint32_t b,
				   queue_before *before, const void *ctx)
{
	uint32_t first = QUEUE_END, *end = &first;

	while (a != QUEUE_END && b != QUEUE_END) {
		uint32_t *least = before(ctx, b, a) ? &b : &a;

		*end = *least;
		end = &link[*least].next;
		*least = *end;
	}
	*end = a == QUEUE_END ? b : a;
	return first;
}

static inline bool queue_in_order(const struct queue_link *link, uint32_t q, queue_before *before,
				  const void *ctx)
{
	for (uint32_t i = link[q].next, next; i != q; i = next) {
		next = queue_next(link, q, i);
		if (next != q && before(ctx, next, i))
			return false;
	}
	return true;
}

/* Merges runs as they come, of which run[i] has 2^i places or none: without memory of its own. O(n log n). */
static inline void queue_sort(struct queue_link *link, uint32_t q, queue_before *before,
			      const void *ctx)
{
	uint32_t run[QUEUE_RUNS_MAX], n = 0, rest = link[q].next, all = QUEUE_END, prev = QUEUE_END;

	if (queue_in_order(link, q, before, ctx))
		return;
	link[queue_last(link, q)].next = QUEUE_END;
	while (rest != QUEUE_END) {
		uint32_t one = rest, i = 0;

		rest = link[one].next;
		link[one].next = QUEUE_END;
		for (; i < n && run[i] != QUEUE_END; i++) {
			one = queue_merge(link, run[i], one, before, ctx);
			run[i] = QUEUE_END;
		}
		run[i] = one;
		n = i < n ? n : i + 1;
	}
	for (uint32_t i = 0; i < n; i++)
		all = queue_merge(link, run[i], all, before, ctx);
	link[q].next = all;
	for (uint32_t i = all; i != QUEUE_END; i = link[i].next) {
		link[i].prev = prev;
		prev = i;
	}
	link[prev].next = all;
	link[all].prev = prev;
}

#endif
