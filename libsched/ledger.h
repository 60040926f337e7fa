/* SPDX-License-Identifier: MIT */
/*
 * The counters of servers that move with each request. Every picker has a cell of its own for each
 * server, a cache line that nobody else writes, so that counting takes no locked instruction and threads
 * do not slow each other; a counter is the sum over the pickers. A request may end through another
 * picker than it began: then one cell is below zero, and the sum is right.
 *
 * Rows (of a picker's number) and slots (of a server) are made by the editor. A row stays when its picker
 * goes, and is the next one's with that number. Cells come in chunks, which never move.
 */
#ifndef LIBSCHED_LEDGER_H
#define LIBSCHED_LEDGER_H

#include <stdatomic.h>

#include "libsched/line.h"
#include <libsched/lb.h>

#define LEDGER_CHUNK 256
#define LEDGER_SLOTS_MAX (2 * LB_SERVERS_MAX) /* forgotten servers that a snapshot shows included */
#define LEDGER_RESULTS 4		      /* enum lb_result */

struct cell {
	_Atomic int32_t active, inactive;
	_Atomic uint64_t picks;
	_Atomic uint64_t done[LEDGER_RESULTS];
	_Atomic uint64_t bytes, latency_sum_ns;
};

struct ledger_row {
	struct cell *chunk[LEDGER_SLOTS_MAX / LEDGER_CHUNK];
	_Alignas(LINE_BYTES) _Atomic int64_t active; /* of all servers, as this picker counted */
};

struct ledger {
	struct ledger_row *row[LB_PICKERS_MAX];
	_Atomic uint32_t n_rows; /* published after the row is whole */

	/* The editor's. */
	uint32_t n_slots; /* ever used */
	uint32_t *free_slot;
	uint32_t n_free, cap_free;
};

/* [editor] A slot with zeroed cells in every row. 0, -ENOMEM, -ENOSPC. */
int ledger_take_slot(struct ledger *l, uint32_t *ret);
/* [editor] Gives it back; no picker may know it any more. */
void ledger_give_slot(struct ledger *l, uint32_t slot);
/* [editor] Makes the row of this number, if it is not there. Numbers come without gaps. */
int ledger_add_row(struct ledger *l, size_t number);
void ledger_fini(struct ledger *l);

/* All the figures of a slot, added up. */
struct ledger_sums {
	uint64_t picks, done[LEDGER_RESULTS], bytes, latency_sum_ns;
};
struct ledger_sums ledger_sum(const struct ledger *l, uint32_t slot);

#define RELAXED memory_order_relaxed

static inline struct cell *row_cell(const struct ledger_row *r, uint32_t slot)
{
	return &r->chunk[slot / LEDGER_CHUNK][slot % LEDGER_CHUNK];
}

static inline uint32_t ledger_rows(const struct ledger *l)
{
	return atomic_load_explicit(&l->n_rows, memory_order_acquire);
}

static inline int64_t ledger_active(const struct ledger *l, uint32_t slot)
{
	int64_t sum = 0;

	for (uint32_t i = 0, n = ledger_rows(l); i < n; i++)
		sum += atomic_load_explicit(&row_cell(l->row[i], slot)->active, RELAXED);
	return sum;
}

static inline int64_t ledger_inactive(const struct ledger *l, uint32_t slot)
{
	int64_t sum = 0;

	for (uint32_t i = 0, n = ledger_rows(l); i < n; i++)
		sum += atomic_load_explicit(&row_cell(l->row[i], slot)->inactive, RELAXED);
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

static inline void row_add_active(struct ledger_row *r, int64_t delta)
{
	atomic_store_explicit(&r->active, atomic_load_explicit(&r->active, RELAXED) + delta,
			      RELAXED);
}

#endif
