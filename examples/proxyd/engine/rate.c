/* SPDX-License-Identifier: MIT */
/*
 * Connections that come faster than they may: they wait in the kernel's queue. What is counted for statistics is
 * what is compared, so threads that look at the same moment may together let in some more, as HAProxy's do.
 */
#include "worker.h"

#define SECOND_NS UINT64_C(1000000000)
#define WAIT_LEAST_NS UINT64_C(10000000) /* then some are let in at once */

/* How long until there may be another one; 0: now. */
static uint64_t wait_of(const struct worker *w, const struct tally *t, enum tally_rate of, const _Atomic uint32_t *limit)
{
	uint64_t max = atomic_load_explicit(limit, memory_order_relaxed), wait;

	if (!max || tally_rate(t, of, w->now_ns) < max)
		return 0;
	wait = SECOND_NS / max;
	return wait > WAIT_LEAST_NS ? wait : WAIT_LEAST_NS;
}

uint64_t rate_wait(const struct worker *w, const struct socket_handle *l)
{
	const struct engine *e = w->engine;
	const struct gate *g = l->as->frontend->gate;
	uint64_t wait = wait_of(w, e->tally, TALLY_CONNECTIONS, &e->limits.connection_rate);

	if (!wait) /* all that is accepted is a session, too */
		wait = wait_of(w, e->tally, TALLY_CONNECTIONS, &e->limits.session_rate);
	if (!wait && l->as->tls)
		wait = wait_of(w, e->tls_clients, TALLY_CONNECTIONS, &e->limits.tls_rate);
	/* not its sessions: another thread may count them a moment later, and more would come meanwhile */
	return wait ? wait : wait_of(w, g->tally, TALLY_CONNECTIONS, &g->rate_max);
}
