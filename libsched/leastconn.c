/* SPDX-License-Identifier: MIT */
/*
 * leastconn: least connections as HAProxy counts them: requests queued for the server count as running,
 * the one to come counts too, so that among the busy a heavier server is filled first; an idle server is
 * better than any busy one. Of equals the one whose load has not changed for longest. O(log n).
 */
#include "libsched/algos.h"
#include "libsched/in_turn.h"

/*
 * HAProxy's key is (n + 1) * 4096 / (16 * weight), rounded down, for n requests running or queued; the
 * rounding makes ties. Its weights end at 256; with greater ones here the scale grows with them.
 */
#define HAPROXY_WEIGHT_MAX 256

static uint64_t leastconn_load(const struct lb_snapshot *s, size_t place, struct least_seen seen)
{
	uint64_t busy = (uint64_t)seen.active + snap_count(s, place, LB_COUNTER_QUEUED);
	uint64_t scale = s->max_weight > HAPROXY_WEIGHT_MAX ? s->max_weight : HAPROXY_WEIGHT_MAX;

	return busy ? (busy + 1) * scale / s->at[place].weight : 0;
}

IN_TURN_HOOKS(leastconn, leastconn_load, true, true)

const struct lb_algo algo_leastconn = {
    .size = sizeof(algo_leastconn),
    .name = "leastconn",
    IN_TURN_OPS(leastconn),
};
