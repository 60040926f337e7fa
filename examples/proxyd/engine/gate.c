/* SPDX-License-Identifier: MIT */
/* Counting connections against a maxconn, and waking those who found it reached. */
#include "worker.h"

bool gate_enter(struct gate *g)
{
	if (atomic_fetch_add_explicit(&g->n, 1, memory_order_relaxed) <
	    atomic_load_explicit(&g->max, memory_order_relaxed))
		return true;
	atomic_fetch_sub(&g->n, 1);
	return false;
}

void gate_leave(struct engine *e, struct gate *g)
{
	uint64_t waiting;

	/* Sequentially consistent: who sets its bit looks at n afterwards (accept.c). */
	atomic_fetch_sub(&g->n, 1);
	if (!atomic_load(&g->waiting))
		return;
	waiting = atomic_exchange(&g->waiting, 0);
	for (unsigned i = 0; i < e->n_workers; i++)
		if (waiting >> i & 1)
			worker_poke(e->worker[i], POKE_GATE);
}
