/* SPDX-License-Identifier: MIT */
/*
 * The counters of servers that move with each request. Every picker has a row of its own that nobody else
 * writes, so that counting takes no locked instruction and threads do not slow each other; a counter is
 * the sum over the rows. A request may end through another picker than it began: then one row is below
 * zero, and the sum is right. What a pick touches is kept apart from what only an end adds to, four servers
 * to a cache line: picking among thousands stays near at hand.
 *
 * Rows and slots (of a server: slot.h) are made by the editor. A row stays when its picker goes, and is the
 * next one's with that number. The editor may have one too, for what another process counted.
 */
#ifndef LIBSCHED_LEDGER_H
#define LIBSCHED_LEDGER_H

#include <stdatomic.h>

#include "libsched/line.h"
#include "libsched/slot.h"
#include <libsched/lb.h>

#define LEDGER_RESULTS 4 /* enum lb_result */

struct cell {
	_Atomic int32_t active, inactive;
	_Atomic uint64_t picks;
};

struct tally {
	_Atomic uint64_t done[LEDGER_RESULTS];
	_Atomic uint64_t bytes, latency_sum_ns;
};

typedef struct ledger_row *ledger_row_ptr; /* _Atomic() of a plain name */

struct ledger_row {
	_Atomic(ledger_row_ptr) next;	/* published when it is whole */
	struct cell *cell[SLOT_CHUNKS]; /* before them, backwards, lie the tallies */
	_Alignas(LINE_BYTES) _Atomic int64_t active; /* of all servers, as counted here */
};

struct ledger {
	struct ledger_row *first; /* there before the first picker is, and for good */
	_Atomic uint32_t n_rows;

	struct ledger_row *last; /* the editor's */
};

/* [editor] Room for this slot in every row. 0 or -ENOMEM. */
int ledger_add_slot(struct ledger *l, uint32_t slot);
/* [editor] Zeroes it; no picker may know it any more. */
void ledger_clear_slot(struct ledger *l, uint32_t slot);
/* [editor] A new row with room for the first n_slots. NULL: no memory. */
struct ledger_row *ledger_add_row(struct ledger *l, uint32_t n_slots);
void ledger_fini(struct ledger *l);

/* All the figures of a slot, added up. */
struct ledger_sums {
	uint64_t picks, done[LEDGER_RESULTS], bytes, latency_sum_ns;
};
struct ledger_sums ledger_sum(const struct ledger *l, uint32_t slot);

#define RELAXED memory_order_relaxed

static inline struct cell *row_cell(const struct ledger_row *r, uint32_t slot)
{
	return &r->cell[slot_chunk(slot)][slot_index(slot)];
}

static inline struct tally *row_tally(const struct ledger_row *r, uint32_t slot)
{
	return (struct tally *)r->cell[slot_chunk(slot)] - 1 - slot_index(slot);
}

static inline uint32_t ledger_rows(const struct ledger *l)
{
	return atomic_load_explicit(&l->n_rows, memory_order_acquire);
}

static inline struct ledger_row *row_next(const struct ledger_row *r)
{
	return atomic_load_explicit(&r->next, memory_order_acquire);
}

#define ledger_for_each_row(r, l) for (struct ledger_row *r = (l)->first; r; r = row_next(r))

static inline int64_t row_active_of(const struct ledger_row *r, uint32_t slot)
{
	return atomic_load_explicit(&row_cell(r, slot)->active, RELAXED);
}

static inline int64_t ledger_active(const struct ledger *l, uint32_t slot)
{
	int64_t sum = 0;

	if (__builtin_expect(ledger_rows(l) == 1, 1)) /* spares a loop */
		return row_active_of(l->first, slot);
	ledger_for_each_row (r, l)
		sum += row_active_of(r, slot);
	return sum;
}

static inline int64_t ledger_inactive(const struct ledger *l, uint32_t slot)
{
	int64_t sum = 0;

	ledger_for_each_row (r, l)
		sum += atomic_load_explicit(&row_cell(r, slot)->inactive, RELAXED);
	return sum;
}

/* [picker] Its own cells have one writer: adding needs no locked instruction. */
static inline void cell_add32(_Atomic int32_t *count, int32_t delta)
{
	int32_t sum;

	/* At the end of its range a count stands still. */
	if (!__builtin_add_overflow(atomic_load_explicit(count, RELAXED), delta, &sum))
		atomic_store_explicit(count, sum, RELAXED);
}

static inline void cell_add64(_Atomic uint64_t *count, uint64_t delta)
{
	atomic_store_explicit(count, atomic_load_explicit(count, RELAXED) + delta, RELAXED);
}

/* One more request; the row's sum is to follow. */
static inline void cell_start(struct cell *c)
{
	cell_add32(&c->active, 1);
	cell_add64(&c->picks, 1);
}

static inline void tally_add(struct tally *t, const struct lb_outcome *o)
{
	cell_add64(&t->done[o->result], 1);
	if (o->bytes)
		cell_add64(&t->bytes, o->bytes);
	if (o->latency_ns)
		cell_add64(&t->latency_sum_ns, o->latency_ns);
}

static inline void row_add_active(struct ledger_row *r, int64_t delta)
{
	atomic_store_explicit(&r->active, atomic_load_explicit(&r->active, RELAXED) + delta,
			      RELAXED);
}

#endif
