/* SPDX-License-Identifier: MIT */
#include "libsched/server.h"

#define RELAXED memory_order_relaxed

void server_add(struct lb_server *s, enum lb_counter c, int64_t delta)
{
	_Atomic uint32_t *count = &s->load.count[c];
	uint32_t have = atomic_load_explicit(count, RELAXED), want;

	do {
		if (delta < 0)
			want = (uint64_t)have > -(uint64_t)delta ? have - (uint32_t)-delta : 0;
		else
			want = (uint64_t)delta < UINT32_MAX - have ? have + (uint32_t)delta
								   : UINT32_MAX;
	} while (!atomic_compare_exchange_weak_explicit(count, &have, want, RELAXED, RELAXED));
}

bool server_start(struct lb_server *s, uint32_t maxconn)
{
	_Atomic uint32_t *active = &s->load.count[LB_COUNTER_ACTIVE];

	if (!maxconn) {
		atomic_fetch_add_explicit(active, 1, RELAXED);
	} else {
		uint32_t have = atomic_load_explicit(active, RELAXED);

		do {
			if (have >= maxconn)
				return false;
		} while (!atomic_compare_exchange_weak_explicit(active, &have, have + 1, RELAXED,
								RELAXED));
	}
	atomic_fetch_add_explicit(&s->load.picks, 1, RELAXED);
	return true;
}

void server_finish(struct lb_server *s, const struct lb_outcome *o)
{
	server_add(s, o->inactive ? LB_COUNTER_INACTIVE : LB_COUNTER_ACTIVE, -1);
	atomic_fetch_add_explicit(&s->tally.done[o->result], 1, RELAXED);
	if (o->bytes)
		atomic_fetch_add_explicit(&s->tally.bytes, o->bytes, RELAXED);
	if (o->latency_ns)
		atomic_fetch_add_explicit(&s->tally.latency_sum_ns, o->latency_ns, RELAXED);
}

void server_unref(struct lb_server *s)
{
	if (--s->refs)
		return;
	state_unref(s->algo_state);
	line_free(s);
}
