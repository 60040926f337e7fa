/* SPDX-License-Identifier: MIT */
/* The earliest of many deadlines: a binary heap of timers that live in their owners. */
#ifndef PROXYD_ENGINE_TIMER_H
#define PROXYD_ENGINE_TIMER_H

#include <stddef.h>
#include <stdint.h>

#define TIMER_NEVER UINT64_MAX

/* Zero is an unarmed timer. */
struct timer {
	uint64_t deadline_ns;
	uint32_t place; /* in the heap, from 1; 0: not armed */
	uint32_t owner; /* what it is part of; the host's affair */
};

struct timers {
	struct timer **heap; /* heap[1] is the earliest */
	size_t n, cap;
};

/* Room for one more, so that arming cannot fail. 0 or -ENOMEM. */
int timers_reserve(struct timers *t, size_t total);
void timers_fini(struct timers *t);

void timer_arm(struct timers *t, struct timer *timer, uint64_t deadline_ns);
void timer_disarm(struct timers *t, struct timer *timer);

static inline struct timer *timers_first(const struct timers *t)
{
	return t->n ? t->heap[1] : NULL;
}

#endif
