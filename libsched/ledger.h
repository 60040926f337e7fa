/* SPDX-License-Identifier: MIT */
/*
 * The counters of servers that move with each request. Every picker has a row of its own that nobody else
 * writes, so that counting takes no locked instruction and threads do not slow each other; a counter is
 * the sum over the rows. A request may end through another picker than it began: then one row is below
 * zero, and the sum is right. What a pick touches is one word, kept apart from what only an end adds to, eight
 * servers to a cache line: picking among thousands stays near at hand.
 *
 * Rows and slots (of a server: slot.h) are made by the editor. A row stays when its picker goes, and is the
 * next one's with that number. The editor may have one too, for what another process counted.
 */
#ifndef LIBSCHED_LEDGER_H
#define LIBSCHED_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "libsched/line.h"
#include "libsched/slot.h"
#include <libsched/lb.h>

#define RELAXED memory_order_relaxed
#define LEDGER_RESULTS 4 /* enum lb_result */

/*
 * In the lower half the active connections, a signed number. Above it how often the server was picked and how often that
 * ended well (LB_RESULT_OK), 16 bits each: many ends touch nothing else. Whoever finds the highest bit of a count set
 * spills it into the tally before more is added: row_count().
 */
struct cell {
	_Atomic uint64_t word;
};

#define CELL_PICK (UINT64_C(1) << 32)
#define CELL_OK (UINT64_C(1) << 48)
#define CELL_STARTED (CELL_PICK | 1) /* a pick and an active connection */

#define CELL_LOW_BITS 15 /* of a count, without the one that spills */
#define CELL_SPILLS(one) ((one) << CELL_LOW_BITS)

/* If one of these is set, a start, or an end, is for others to count: connections below 0, or very many, or a spill. */
#define CELL_UNUSUAL_START (CELL_SPILLS(CELL_PICK) | UINT64_C(3) << 30)
#define CELL_UNUSUAL_END (CELL_SPILLS(CELL_OK) | UINT64_C(1) << 31)

struct tally {
	_Atomic uint64_t bytes, latency_sum_ns;
	_Atomic uint64_t picks_spilt, ok_spilt;	     /* how often, twice; odd: see spill() */
	_Atomic uint64_t failed[LEDGER_RESULTS - 1]; /* by enum lb_result, from 1 on */
};

typedef struct ledger_row *ledger_row_ptr; /* _Atomic() of a plain name */

struct ledger_row {
	_Atomic(ledger_row_ptr) next; /* published when it is whole */
	/* Of each chunk of slots: before its cells, backwards, the tallies, behind them the inactive connections. */
	struct cell *cell[SLOT_CHUNKS];
	_Alignas(LINE_BYTES) _Atomic int64_t active; /* of all servers, as counted here */
};

struct ledger {
	struct ledger_row *first; /* there before the first picker is, and for good */
	_Atomic uint32_t n_rows;
	/*
	 * Bit c: enum lb_counter c was counted, of any server, once. Most groups know nothing but active connections, and
	 * then nobody looks for others.
	 */
	_Atomic uint32_t kinds;

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

static inline struct cell *row_cell(const struct ledger_row *r, uint32_t slot)
{
	return &r->cell[slot_chunk(slot)][slot_index(slot)];
}

static inline struct tally *row_tally(const struct ledger_row *r, uint32_t slot)
{
	return (struct tally *)r->cell[slot_chunk(slot)] - 1 - slot_index(slot);
}

static inline _Atomic int32_t *row_inactive(const struct ledger_row *r, uint32_t slot)
{
	return (_Atomic int32_t *)(r->cell[slot_chunk(slot)] + slot_chunk_size(slot)) +
	       slot_index(slot);
}

static inline uint64_t cell_word(const struct cell *c)
{
	return atomic_load_explicit(&c->word, RELAXED);
}

static inline int32_t word_active(uint64_t word)
{
	return (int32_t)(uint32_t)word;
}

static inline uint32_t ledger_rows(const struct ledger *l)
{
	return atomic_load_explicit(&l->n_rows, memory_order_acquire);
}

static inline bool ledger_has(const struct ledger *l, uint32_t kinds)
{
	return atomic_load_explicit(&l->kinds, RELAXED) & kinds;
}

static inline void ledger_note_kind(struct ledger *l, enum lb_counter c)
{
	if (!ledger_has(l, UINT32_C(1) << c))
		atomic_fetch_or_explicit(&l->kinds, UINT32_C(1) << c, RELAXED);
}

static inline struct ledger_row *row_next(const struct ledger_row *r)
{
	return atomic_load_explicit(&r->next, memory_order_acquire);
}

#define ledger_for_each_row(r, l) for (struct ledger_row *r = (l)->first; r; r = row_next(r))

static inline int64_t row_active_of(const struct ledger_row *r, uint32_t slot)
{
	return word_active(cell_word(row_cell(r, slot)));
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
		sum += atomic_load_explicit(row_inactive(r, slot), RELAXED);
	return sum;
}

/* ---- A picker's own row has one writer: adding needs no locked instruction ---- */

static inline void cell_set(struct cell *c, uint64_t word)
{
	atomic_store_explicit(&c->word, word, RELAXED);
}

/* What active connections have become; the picks stay. */
static inline uint64_t word_with_active(uint64_t word, int32_t active)
{
	return (word & UINT64_MAX << 32) | (uint32_t)active;
}

/* One more request; the row's sum is to follow. False: it is for row_start_any() to count it. */
static inline bool row_start(struct ledger_row *r, uint32_t slot)
{
	struct cell *c = row_cell(r, slot);
	const uint64_t word = cell_word(c);

	if (__builtin_expect((word & CELL_UNUSUAL_START) != 0, 0))
		return false;
	cell_set(c, word + CELL_STARTED);
	return true;
}

/* Likewise, whatever was counted before. Where there are as many as there can be, they stand still. */
void row_start_any(struct ledger_row *r, uint32_t slot);
/* One more of CELL_PICK or CELL_OK, whose connection is counted elsewhere. */
void row_count(struct ledger_row *r, uint32_t slot, uint64_t one);
/* [editor] In a row of the editor's: so many there were before. */
void row_set_counts(struct ledger_row *r, uint32_t slot, const struct ledger_sums *sums);

static inline void tally_add64(_Atomic uint64_t *count, uint64_t delta)
{
	atomic_store_explicit(count, atomic_load_explicit(count, RELAXED) + delta, RELAXED);
}

/* What an end has that does not go into the cell. */
static inline void tally_add(struct tally *t, const struct lb_outcome *o)
{
	if (o->result != LB_RESULT_OK)
		tally_add64(&t->failed[o->result - 1], 1);
	if (o->bytes)
		tally_add64(&t->bytes, o->bytes);
	if (o->latency_ns)
		tally_add64(&t->latency_sum_ns, o->latency_ns);
}

static inline void row_add_active(struct ledger_row *r, int64_t delta)
{
	atomic_store_explicit(&r->active, atomic_load_explicit(&r->active, RELAXED) + delta,
			      RELAXED);
}

#endif
