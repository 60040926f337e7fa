/* SPDX-License-Identifier: MIT */
#include "libsched/ledger.h"

#include <errno.h>

static int add_chunk(struct ledger_row *r, uint32_t slot)
{
	const uint32_t chunk = slot_chunk(slot), n = slot_chunk_size(slot);
	struct tally *tally;

	if (r->cell[chunk])
		return 0;
	tally = line_alloc(n * (sizeof(struct tally) + sizeof(struct cell) + sizeof(int32_t)));
	if (!tally)
		return -ENOMEM;
	r->cell[chunk] = (struct cell *)(tally + n); /* at a line, too: ledger.h */
	return 0;
}

int ledger_add_slot(struct ledger *l, uint32_t slot)
{
	ledger_for_each_row (r, l)
		if (add_chunk(r, slot) < 0)
			return -ENOMEM;
	return 0;
}

void ledger_clear_slot(struct ledger *l, uint32_t slot)
{
	ledger_for_each_row (r, l) {
		memset(row_cell(r, slot), 0, sizeof(struct cell));
		memset(row_inactive(r, slot), 0, sizeof(int32_t));
		memset(row_tally(r, slot), 0, sizeof(struct tally));
	}
}

static void row_free(struct ledger_row *r)
{
	for (uint32_t i = 0; i < SLOT_CHUNKS; i++)
		if (r->cell[i])
			line_free((struct tally *)r->cell[i] - slot_chunk_size(i << 16));
	line_free(r);
}

struct ledger_row *ledger_add_row(struct ledger *l, uint32_t n_slots)
{
	struct ledger_row *r = line_alloc(sizeof(*r));

	if (!r)
		return NULL;
	for (uint32_t i = 0; i < n_slots; i += slot_chunk_size(slot_nth(i))) {
		if (add_chunk(r, slot_nth(i)) < 0) {
			row_free(r);
			return NULL;
		}
	}
	if (l->last)
		atomic_store_explicit(&l->last->next, r, memory_order_release);
	else
		l->first = r;
	l->last = r;
	atomic_store_explicit(&l->n_rows, l->n_rows + 1, memory_order_release);
	return r;
}

void ledger_fini(struct ledger *l)
{
	struct ledger_row *next;

	for (struct ledger_row *r = l->first; r; r = next) {
		next = row_next(r);
		row_free(r);
	}
}

static _Atomic uint64_t *spilt_of(const struct ledger_row *r, uint32_t slot, uint64_t one)
{
	struct tally *t = row_tally(r, slot);

	return one == CELL_PICK ? &t->picks_spilt : &t->ok_spilt;
}

/* For a moment the bit is counted in the tally and still stands in the cell. An odd number tells those who read both. */
static void spill(struct cell *c, uint64_t bit, _Atomic uint64_t *spilt)
{
	const uint64_t more = atomic_load_explicit(spilt, RELAXED) + 2;

	atomic_store_explicit(spilt, more + 1, RELAXED);
	atomic_store_explicit(&c->word, cell_word(c) & ~bit, memory_order_release);
	atomic_store_explicit(spilt, more, memory_order_release);
}

void row_count(struct ledger_row *r, uint32_t slot, uint64_t one)
{
	struct cell *c = row_cell(r, slot);

	if (cell_word(c) & CELL_SPILLS(one))
		spill(c, CELL_SPILLS(one), spilt_of(r, slot, one));
	cell_set(c, cell_word(c) + one);
}

void row_start_any(struct ledger_row *r, uint32_t slot)
{
	struct cell *c = row_cell(r, slot);
	const uint64_t word = cell_word(c);

	if (word_active(word) < INT32_MAX)
		cell_set(c, word_with_active(word, word_active(word) + 1));
	row_count(r, slot, CELL_PICK);
}

/* All of them. What was spilt meanwhile may have been in the cell or not: then both are read again. */
static uint64_t count_of(const struct ledger_row *r, uint32_t slot, uint64_t one)
{
	const _Atomic uint64_t *spilt = spilt_of(r, slot, one);
	const struct cell *c = row_cell(r, slot);
	uint64_t word, before, after = atomic_load_explicit(spilt, memory_order_acquire);

	do {
		before = after;
		word = atomic_load_explicit(&c->word, memory_order_acquire);
		after = atomic_load_explicit(spilt, memory_order_acquire);
	} while (before != after);
	if (before & 1)
		word &= ~CELL_SPILLS(one);
	return (before / 2 << CELL_LOW_BITS) + (word / one & UINT16_MAX);
}

struct ledger_sums ledger_sum(const struct ledger *l, uint32_t slot)
{
	struct ledger_sums sum = {0};

	ledger_for_each_row (r, l) {
		const struct tally *t = row_tally(r, slot);

		sum.picks += count_of(r, slot, CELL_PICK);
		sum.done[LB_RESULT_OK] += count_of(r, slot, CELL_OK);
		for (size_t k = 1; k < LEDGER_RESULTS; k++)
			sum.done[k] += atomic_load_explicit(&t->failed[k - 1], RELAXED);
		sum.bytes += atomic_load_explicit(&t->bytes, RELAXED);
		sum.latency_sum_ns += atomic_load_explicit(&t->latency_sum_ns, RELAXED);
	}
	return sum;
}

static void set_count(struct ledger_row *r, uint32_t slot, uint64_t one, uint64_t count)
{
	struct cell *c = row_cell(r, slot);
	const uint64_t low = count & ((1 << CELL_LOW_BITS) - 1);

	cell_set(c, (cell_word(c) & ~(UINT16_MAX * one)) | low * one);
	atomic_store_explicit(spilt_of(r, slot, one), count >> CELL_LOW_BITS << 1, RELAXED);
}

void row_set_counts(struct ledger_row *r, uint32_t slot, const struct ledger_sums *sums)
{
	struct tally *t = row_tally(r, slot);

	set_count(r, slot, CELL_PICK, sums->picks);
	set_count(r, slot, CELL_OK, sums->done[LB_RESULT_OK]);
	for (size_t k = 1; k < LEDGER_RESULTS; k++)
		atomic_store_explicit(&t->failed[k - 1], sums->done[k], RELAXED);
	atomic_store_explicit(&t->bytes, sums->bytes, RELAXED);
	atomic_store_explicit(&t->latency_sum_ns, sums->latency_sum_ns, RELAXED);
}
