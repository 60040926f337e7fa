/* SPDX-License-Identifier: MIT */
/* The load of a server as IPVS's lc, wlc, lblc, lblcr and twos see it. */
#ifndef LIBSCHED_OVERHEAD_H
#define LIBSCHED_OVERHEAD_H

#include "libsched/snapshot.h"

/* An active connection weighs overhead_mul inactive ones. */
static inline uint64_t ipvs_overhead_of(const struct lb_snapshot *s, uint32_t active,
					uint32_t inactive)
{
	return (uint64_t)active * s->setup.opts.overhead_mul + inactive;
}

static inline uint64_t ipvs_overhead(const struct lb_snapshot *s, size_t place)
{
	return ipvs_overhead_of(s, snap_count(s, place, LB_COUNTER_ACTIVE),
				snap_count(s, place, LB_COUNTER_INACTIVE));
}

#endif
