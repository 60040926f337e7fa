/* SPDX-License-Identifier: MIT */
/*
 * Queues of places in the order of some rank: whoever joins goes to the end or, if he ranks before the last, further to the
 * front. Places are linked by number, so that a cursor may be copied. The functions are inline so that `before`, a
 * constant, is no call.
 */
#ifndef LIBSCHED_QUEUE_H
#define LIBSCHED_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define QUEUE_END UINT32_MAX
#define QUEUE_RUNS_MAX 18 /* runs of 2^i places each; there are at most LB_SERVERS_MAX, 2^16 */

struct queue {
	uint32_t first, last;
};

/* One for each place, which is in one queue at most. */
struct queue_link {
	uint32_t prev, next;
};

/* Does place a rank before place b? No two rank alike. */
typedef bool queue_before(const void *ctx, uint32_t a, uint32_t b);

static inline void queue_init(struct queue *q)
{
	*q = (struct queue){QUEUE_END, QUEUE_END};
}

static inline bool queue_empty(const struct queue *q)
{
	return q->first == QUEUE_END;
}

static inline void queue_join(struct queue *q, struct queue_link *link, uint32_t place,
			      queue_before *before, const void *ctx)
{
	uint32_t prev = q->last, next = QUEUE_END;

	while (prev != QUEUE_END && before(ctx, place, prev)) {
		next = prev;
		prev = link[prev].prev;
	}
	link[place] = (struct queue_link){prev, next};
	*(prev == QUEUE_END ? &q->first : &link[prev].next) = place;
	*(next == QUEUE_END ? &q->last : &link[next].prev) = place;
}

/* The first leaves; the queue is not empty. */
static inline uint32_t queue_leave(struct queue *q, struct queue_link *link)
{
	const uint32_t place = q->first;

	q->first = link[place].next;
	*(q->first == QUEUE_END ? &q->last : &link[q->first].prev) = QUEUE_END;
	return place;
}

/* At the end, whatever the rank: queue_sort() follows. */
static inline void queue_append(struct queue *q, struct queue_link *link, uint32_t place)
{
	link[place] = (struct queue_link){q->last, QUEUE_END};
	*(q->last == QUEUE_END ? &q->first : &link[q->last].next) = place;
	q->last = place;
}

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

static inline bool queue_in_order(const struct queue *q, const struct queue_link *link,
				  queue_before *before, const void *ctx)
{
	for (uint32_t i = q->first; i != q->last; i = link[i].next)
		if (before(ctx, link[i].next, i))
			return false;
	return true;
}

/* Merges runs as they come, of which run[i] has 2^i places or none: without memory of its own. O(n log n). */
static inline void queue_sort(struct queue *q, struct queue_link *link, queue_before *before,
			      const void *ctx)
{
	uint32_t run[QUEUE_RUNS_MAX], n = 0, rest = q->first, prev = QUEUE_END;

	if (queue_in_order(q, link, before, ctx))
		return;
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
	q->first = QUEUE_END;
	for (uint32_t i = 0; i < n; i++)
		q->first = queue_merge(link, run[i], q->first, before, ctx);
	for (uint32_t i = q->first; i != QUEUE_END; i = link[i].next) {
		link[i].prev = prev;
		prev = i;
	}
	q->last = prev;
}

#endif
