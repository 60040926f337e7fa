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
	_Atomic int32_t *inactive = row_inactive(by->row, s->slot);
	const uint64_t word = cell_word(cell);
	const int32_t have =
	    c == LB_COUNTER_ACTIVE ? word_active(word) : atomic_load_explicit(inactive, RELAXED);

	if (delta != -1 || have <= 0)
		delta = within(server_count(by->ledger, s, c), delta, INT32_MAX);
	/* The sum is within its range; one cell of it may still be at its end. */
	if (have + delta > INT32_MAX || have + delta < INT32_MIN)
		return 0;
	if (c == LB_COUNTER_INACTIVE)
		atomic_store_explicit(inactive, have + (int32_t)delta, RELAXED);
	else
		cell_set(cell, word_with_active(word, have + (int32_t)delta));
	return (int32_t)delta;
}

void server_add(const struct counting *by, struct lb_server *s, enum lb_counter c, int64_t delta)
{
	if (c != LB_COUNTER_ACTIVE)
		ledger_note_kind(by->ledger, c);
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
	row_count(by->row, s->slot, CELL_PICK);
	row_add_active(by->row, 1);
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
	if (o->inactive)
		add_own(by, s, LB_COUNTER_INACTIVE, -1);
	else if (!limited)
		row_add_active(by->row, add_own(by, s, LB_COUNTER_ACTIVE, -1));
	else if (finish_limited(by, s))
		row_add_active(by->row, -1);
	if (o->result == LB_RESULT_OK)
		row_count(by->row, s->slot, CELL_OK);
	tally_add(row_tally(by->row, s->slot), o);
}

/* ---- Overload, as IPVS has it (Linux net/netfilter/ipvs/ip_vs_conn.c) ---- */

static uint64_t connections(const struct ledger *l, const struct lb_server *s)
{
	return (uint64_t)server_count(l, s, LB_COUNTER_ACTIVE) +
	       server_count(l, s, LB_COUNTER_INACTIVE);
}

void server_fill_up(const struct ledger *l, struct lb_server *s, uint32_t maxconn)
{
	if (!atomic_load_explicit(&s->overloaded, RELAXED) && connections(l, s) >= maxconn)
		atomic_store_explicit(&s->overloaded, true, RELAXED);
}

void server_empty_out(const struct ledger *l, struct lb_server *s, uint32_t maxconn)
{
	const uint64_t lower = atomic_load_explicit(&s->lower, RELAXED);

	if (!atomic_load_explicit(&s->overloaded, RELAXED))
		return;
	/* Without a lower threshold three quarters of the upper one, as the kernel rounds it. */
	if (lower ? connections(l, s) < lower : connections(l, s) * 4 < (uint64_t)maxconn * 3)
		atomic_store_explicit(&s->overloaded, false, RELAXED);
}

/* ---- What another process counted ---- */

/* At the end of its range a count stands still. */
static int32_t moved(int32_t count, int32_t by)
{
	int32_t sum;

	return __builtin_add_overflow(count, by, &sum) ? count : sum;
}

int server_carry(struct server_pool *pool, struct lb_server *s, const uint32_t *count,
		 const struct ledger_sums *sums)
{
	struct ledger *l = &pool->ledger;
	_Atomic int32_t *inactive;
	struct cell *cell;
	int32_t active;

	if (!pool->carried)
		pool->carried = ledger_add_row(&pool->ledger, pool->n_slots);
	if (!pool->carried)
		return -ENOMEM;
	cell = row_cell(pool->carried, s->slot);
	inactive = row_inactive(pool->carried, s->slot);
	active = (int32_t)(count[LB_COUNTER_ACTIVE] - (ledger_active(l, s->slot) +
						       atomic_load_explicit(&s->limited, RELAXED)));
	cell_set(cell,
		 word_with_active(cell_word(cell), moved(word_active(cell_word(cell)), active)));
	row_add_active(pool->carried, active);
	atomic_store_explicit(
	    inactive,
	    moved(atomic_load_explicit(inactive, RELAXED),
		  (int32_t)(count[LB_COUNTER_INACTIVE] - ledger_inactive(l, s->slot))),
	    RELAXED);
	for (enum lb_counter c = LB_COUNTER_INACTIVE; c < SERVER_COUNTERS; c++)
		if (count[c])
			ledger_note_kind(l, c);
	for (size_t c = LB_COUNTER_QUEUED; c < SERVER_COUNTERS; c++)
		atomic_store_explicit(&s->shared[c - LB_COUNTER_QUEUED], count[c], RELAXED);
	row_set_counts(pool->carried, s->slot, sums);
	return 0;
}

/* ---- The pool ---- */

/* The slot to use next: one given back, or a new one, of a new chunk maybe. */
static int find_slot(struct server_pool *pool, uint32_t *ret)
{
	uint32_t slot;

	if (pool->unused != SLOT_NONE) {
		*ret = pool->unused;
		pool->unused = server_at(pool, *ret)->next;
		return 0;
	}
	if (pool->n_slots == SLOTS_MAX)
		return -ENOSPC;
	slot = slot_nth(pool->n_slots);
	if (!pool->chunk[slot_chunk(slot)])
		pool->chunk[slot_chunk(slot)] =
		    mem_array(slot_chunk_size(slot), sizeof(struct lb_server));
	if (!pool->chunk[slot_chunk(slot)] || ledger_add_slot(&pool->ledger, slot) < 0)
		return -ENOMEM;
	pool->n_slots++;
	*ret = slot;
	return 0;
}

int server_take(struct server_pool *pool, struct lb_server **ret)
{
	struct lb_server *s;
	uint32_t slot;
	int r = find_slot(pool, &slot);

	if (r < 0)
		return r;
	s = server_at(pool, slot);
	memset(s, 0, sizeof(*s));
	s->slot = slot;
	s->prev = s->next = SLOT_NONE;
	s->refs = 1;
	*ret = s;
	return 0;
}

void server_unref(struct server_pool *pool, struct lb_server *s)
{
	if (--s->refs)
		return;
	state_unref(s->algo_state);
	ledger_clear_slot(&pool->ledger, s->slot);
	s->next = pool->unused;
	pool->unused = s->slot;
}

void server_pool_fini(struct server_pool *pool)
{
	for (size_t i = 0; i < SLOT_CHUNKS; i++)
		mem_free(pool->chunk[i]);
	ledger_fini(&pool->ledger);
}

void server_list_append(const struct server_pool *pool, struct server_list *list,
			struct lb_server *s)
{
	s->prev = list->last;
	s->next = SLOT_NONE;
	if (list->last == SLOT_NONE)
		list->first = s->slot;
	else
		server_at(pool, list->last)->next = s->slot;
	list->last = s->slot;
}

void server_list_remove(const struct server_pool *pool, struct server_list *list,
			struct lb_server *s)
{
	if (s->prev == SLOT_NONE)
		list->first = s->next;
	else
		server_at(pool, s->prev)->next = s->next;
	if (s->next == SLOT_NONE)
		list->last = s->prev;
	else
		server_at(pool, s->next)->prev = s->prev;
}
