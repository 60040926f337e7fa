/* SPDX-License-Identifier: MIT */
/* What changes without an edit: slow start, and priority groups whose servers fill up. */
#include <errno.h>

#include "libsched/group.h"
#include "libsched/ramp.h"

static uint64_t slow_start_of(const struct lb_group *g)
{
	return g->setup.ops.flags & LB_ALGO_STEADY_WEIGHTS ? 0 : g->setup.opts.slow_start_ns;
}

static void tick_server(struct lb_group *g, struct lb_server *s, uint64_t slow_start_ns)
{
	if (s->ramp == RAMP_WAITS && ramp_in_service(s)) {
		s->ramp = RAMP_RUNS;
		s->ramp_ns = g->now_ns;
		g->staged = true;
	} else if (s->ramp == RAMP_RUNS) {
		if (g->now_ns - s->ramp_ns >= slow_start_ns)
			s->ramp = RAMP_NONE;
		g->staged = true;
	}
	g->n_ramping += s->ramp == RAMP_RUNS;
}

int lb_group_tick(struct lb_group *g, uint64_t now_ns)
{
	uint64_t slow_start_ns;

	if (!g)
		return -EINVAL;
	if (now_ns > g->now_ns)
		g->now_ns = now_ns;
	slow_start_ns = slow_start_of(g);
	g->n_waiting = g->n_ramping = 0;
	server_for_each (s, &g->pool, &g->members)
		tick_server(g, s, slow_start_ns);
	if (!g->staged && group_open_priority(g) != group_shown_priority(g))
		g->staged = true;
	return g->staged;
}

uint64_t lb_group_deadline(const struct lb_group *g)
{
	if (!g || !slow_start_of(g))
		return UINT64_MAX;
	if (g->n_waiting)
		return 0;
	return g->n_ramping ? g->now_ns + slow_start_of(g) / RAMP_STEPS : UINT64_MAX;
}
