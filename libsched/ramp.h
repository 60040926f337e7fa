/* SPDX-License-Identifier: MIT */
/*
 * Slow start: the weight of a server that has just come grows with its time in service. While a group has
 * a slow start, weights are counted in sixteenths, as in HAProxy, so that a weight of 1 can be less
 * than whole; in coarser steps where the greatest weight leaves no room for that.
 */
#ifndef LIBSCHED_RAMP_H
#define LIBSCHED_RAMP_H

#include "libsched/server.h"
#include <libsched/lb_algo.h>

#define RAMP_SCALE 16
#define RAMP_STEPS 20 /* how often a weight is set anew on its way, as in HAProxy */

enum ramp {
	RAMP_NONE,  /* its whole weight */
	RAMP_WAITS, /* came, but the time is not known before the next tick */
	RAMP_RUNS,
};

struct ramp_clock {
	uint64_t now_ns, slow_start_ns;
	uint32_t scale;
};

/* Did it just become one that is given requests? */
static inline bool ramp_in_service(const struct lb_server *s)
{
	return s->up && s->state == LB_STATE_ENABLED;
}

static inline uint32_t ramp_scale(uint64_t slow_start_ns, uint32_t flags, uint32_t max_weight)
{
	uint32_t room = max_weight ? LB_WEIGHT_MAX / max_weight : 1;

	if (!slow_start_ns || flags & LB_ALGO_STEADY_WEIGHTS)
		return 1;
	return room < RAMP_SCALE ? room : RAMP_SCALE;
}

/* What the weight is now, in `scale` parts; at least 1 if it is not 0. */
static inline uint32_t ramp_weight(const struct lb_server *s, uint32_t flags,
				   const struct ramp_clock *c)
{
	uint64_t whole = (uint64_t)s->weight * c->scale, elapsed_us, weight;

	if (!c->slow_start_ns || flags & LB_ALGO_STEADY_WEIGHTS || s->ramp == RAMP_NONE)
		return (uint32_t)whole;
	if (s->ramp == RAMP_WAITS || c->now_ns <= s->ramp_ns)
		return whole ? 1 : 0;
	if (c->now_ns - s->ramp_ns >= c->slow_start_ns)
		return (uint32_t)whole;
	elapsed_us = (c->now_ns - s->ramp_ns) / 1000; /* 64 bits hold the product */
	weight = whole * elapsed_us / (c->slow_start_ns / 1000 + 1);
	return weight || !whole ? (uint32_t)weight : 1;
}

#endif
