/* SPDX-License-Identifier: MIT */
#include "libsched/server.h"

#include <errno.h>

/* As much of delta as leaves a sum within 0..max. */
static int64_t within(int64_t sum, int64_t delta, int64_t max)
{
	if (delta < 0)
		return sum <= 0 ? 0 : delta < -sum ? -sum : delta;
	return sum >= max ? 0 : delta > max - sum ? max - sum : delta;
}

static void add_shared(_Atomic uint32_t *count, int64_t delta)
{
	uint32_t have = atomic_load_explicit(count, RELAXED);

	while (!atomic_compare_exchange_weak_explicit(
	    count, &have, have + (uint32_t)within(have, delta, UINT32_MAX), RELAXED, RELAXED))
		;
}

/*
 * Its own cell tells the picker that there is something to take off; only when it does not, others began
 * what ends here, or nobody did, and the sum is asked.
 */
static int32_t add_own(const struct counting *by, struct lb_server *s, enum lb_counter c,
		       int64_t delta)
{
	struct cell *cell = row_cell(by->row, s->slot);
	_Atomic int32_t *own = c == LB_COUNTER_ACTIVE ? &cell->active : &cell->inactive;
	int32_t have = atomic_load_explicit(own, RELAXED);

	if (delta != -1 || have <= 0)
		delta = within(server_count(by->ledger, s, c), delta, INT32_MAX);
	/* The sum is within its range; one cell of it may still be at its end. */
	if (have + delta > INT32_MAX || have + delta < INT32_MIN)
		return 0;
	cell_add32(own, (int32_t)delta);
	return (int32_t)delta;
}

void server_add(const struct counting *by, struct lb_server *s, enum lb_counter c, int64_t delta)
{
	if (c >= LB_COUNTER_QUEUED)
		add_shared(&s->shared[c - LB_COUNTER_QUEUED], delta);
	else if (c == LB_COUNTER_ACTIVE)
		row_add_active(by->row, add_own(by, s, c, delta));
	else
		add_own(by, s, c, delta);
}

bool server_start_limited(const struct counting *by, struct lb_server *s, uint32_t maxconn)
{
	/* Counted when there was no limit; nobody adds to it now but one with an old snapshot. */
	const int64_t unlimited = ledger_active(by->ledger, s->slot);
	int32_t have = atomic_load_explicit(&s->limited, RELAXED);

	do {
		if (have + unlimited >= maxconn || have == INT32_MAX)
			return false;
	} while (
	    !atomic_compare_exchange_weak_explicit(&s->limited, &have, have + 1, RELAXED, RELAXED));
	return true;
}

/* One active connection less. False: there was none, the caller ends what never began. */
static bool finish_limited(const struct counting *by, struct lb_server *s)
{
	int32_t have = atomic_load_explicit(&s->limited, RELAXED);

	do {
		if (have <= 0 && !server_count(by->ledger, s, LB_COUNTER_ACTIVE))
			return false;
	} while (
	    !atomic_compare_exchange_weak_explicit(&s->limited, &have, have - 1, RELAXED, RELAXED));
	return true;
}

void server_finish(const struct counting *by, struct lb_server *s, const struct lb_outcome *o,
		   bool limited)
{
	struct cell *cell = row_cell(by->row, s->slot);

	if (o->inactive)
		add_own(by, s, LB_COUNTER_INACTIVE, -1);
	else if (!limited)
		row_add_active(by->row, add_own(by, s, LB_COUNTER_ACTIVE, -1));
	else if (finish_limited(by, s))
		row_add_active(by->row, -1);
	cell_add64(&cell->done[o->result], 1);
	if (o->bytes)
		cell_add64(&cell->bytes, o->bytes);
	if (o->latency_ns)
		cell_add64(&cell->latency_sum_ns, o->latency_ns);
}

struct ledger_sums server_sums(const struct ledger *l, const struct lb_server *s)
{
	struct ledger_sums sum = ledger_sum(l, s->slot);

	if (!s->carried)
		return sum;
	sum.picks += s->carried->picks;
	for (size_t i = 0; i < LEDGER_RESULTS; i++)
		sum.done[i] += s->carried->done[i];
	sum.bytes += s->carried->bytes;
	sum.latency_sum_ns += s->carried->latency_sum_ns;
	return sum;
}

int server_carry(const struct ledger *l, struct lb_server *s, const uint32_t *count,
		 const struct ledger_sums *sums)
{
	int64_t active = ledger_active(l, s->slot), inactive = ledger_inactive(l, s->slot);

	if (!s->carried)
		s->carried = mem_zalloc(sizeof(*s->carried));
	if (!s->carried)
		return -ENOMEM;
	*s->carried = *sums;
	s->was_limited = true; /* snapshots look at `limited` */
	atomic_store_explicit(&s->limited, (int32_t)(count[LB_COUNTER_ACTIVE] - active), RELAXED);
	atomic_store_explicit(&s->carried_inactive,
			      (int32_t)(count[LB_COUNTER_INACTIVE] - inactive), RELAXED);
	for (size_t c = LB_COUNTER_QUEUED; c < SERVER_COUNTERS; c++)
		atomic_store_explicit(&s->shared[c - LB_COUNTER_QUEUED], count[c], RELAXED);
	return 0;
}

void server_unref(struct ledger *l, struct lb_server *s)
{
	if (--s->refs)
		return;
	ledger_give_slot(l, s->slot);
	state_unref(s->algo_state);
	mem_free(s->carried);
	mem_free(s);
}
