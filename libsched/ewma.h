/* SPDX-License-Identifier: MIT */
/*
 * How long a server takes to answer: an average that forgets exponentially with time, kept beside the server
 * for all pickers. Two pickers that learn at the same moment may lose one of the two observations, no more.
 */
#ifndef LIBSCHED_EWMA_H
#define LIBSCHED_EWMA_H

#include <stdatomic.h>

#include "libsched/snapshot.h"

struct ewma {
	_Atomic uint64_t cost_ns; /* 0: unknown */
	_Atomic uint64_t at_ns;	  /* when it was so */
};

/*
 * e^(-time/decay), without a mathematical library: (1 - x/1024 + (x/1024)^2/2)^1024 with x up to 20, as good as
 * 0.2 %; what is older counts for nothing.
 */
static inline double ewma_weight(uint64_t time_ns, uint64_t decay_ns)
{
	double x = (double)time_ns / (double)decay_ns, w;

	if (x > 20)
		return 0;
	x /= 1024;
	w = 1 - x + x * x / 2;
	for (int i = 0; i < 10; i++)
		w *= w;
	return w;
}

/* What is left of an average after the time since; a clock that stands or goes back takes nothing. */
static inline double ewma_weight_at(const struct ewma *e, uint64_t now_ns, uint64_t decay_ns)
{
	uint64_t at = atomic_load_explicit(&e->at_ns, memory_order_relaxed);

	return now_ns > at ? ewma_weight(now_ns - at, decay_ns) : 1;
}

static inline double ewma_cost(const struct ewma *e)
{
	return (double)atomic_load_explicit(&e->cost_ns, memory_order_relaxed);
}

static inline void ewma_set(struct ewma *e, double cost_ns, uint64_t now_ns)
{
	atomic_store_explicit(&e->cost_ns, cost_ns < 1 ? 1 : (uint64_t)cost_ns,
			      memory_order_relaxed);
	atomic_store_explicit(&e->at_ns, now_ns, memory_order_relaxed);
}

/* A server that fails fast must not look fast: what is no answer can only make it look slower. */
static inline bool ewma_counts(const struct lb_outcome *o, double cost_ns)
{
	if (!o->latency_ns || o->result == LB_RESULT_ABORTED)
		return false;
	return o->result == LB_RESULT_OK || (double)o->latency_ns > cost_ns;
}

#endif
