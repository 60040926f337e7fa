/* SPDX-License-Identifier: MIT */
#include "timer.h"

#include <errno.h>
#include <stdlib.h>

int timers_reserve(struct timers *t, size_t total)
{
	size_t cap = t->cap ? t->cap : 256;
	struct timer **heap;

	if (total + 1 <= t->cap)
		return 0;
	while (cap < total + 1)
		cap *= 2;
	heap = realloc(t->heap, cap * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	t->heap = heap;
	t->cap = cap;
	return 0;
}

void timers_fini(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){0};
}

static void put(struct timers *t, size_t place, struct timer *timer)
{
	t->heap[place] = timer;
	timer->place = (uint32_t)place;
}

static void rise(struct timers *t, struct timer *timer, size_t place)
{
	while (place > 1 && t->heap[place / 2]->deadline_ns > timer->deadline_ns) {
		put(t, place, t->heap[place / 2]);
		place /= 2;
	}
	put(t, place, timer);
}

static void sink(struct timers *t, struct timer *timer, size_t place)
{
	size_t child;

	while ((child = place * 2) <= t->n) {
		if (child < t->n && t->heap[child + 1]->deadline_ns < t->heap[child]->deadline_ns)
			child++;
		if (t->heap[child]->deadline_ns >= timer->deadline_ns)
			break;
		put(t, place, t->heap[child]);
		place = child;
	}
	put(t, place, timer);
}

void timer_arm(struct timers *t, struct timer *timer, uint64_t deadline_ns)
{
	if (deadline_ns == TIMER_NEVER) {
		timer_disarm(t, timer);
		return;
	}
	if (!timer->place) {
		timer->deadline_ns = deadline_ns;
		rise(t, timer, ++t->n);
		return;
	}
	if (deadline_ns < timer->deadline_ns) {
		timer->deadline_ns = deadline_ns;
		rise(t, timer, timer->place);
	} else {
		timer->deadline_ns = deadline_ns;
		sink(t, timer, timer->place);
	}
}

void timer_disarm(struct timers *t, struct timer *timer)
{
	struct timer *last;
	size_t place = timer->place;

	if (!place)
		return;
	timer->place = 0;
	last = t->heap[t->n--];
	if (last == timer)
		return;
	if (place > 1 && t->heap[place / 2]->deadline_ns > last->deadline_ns)
		rise(t, last, place);
	else
		sink(t, last, place);
}
