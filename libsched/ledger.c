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

void row_count_pick(struct ledger_row *r, uint32_t slot)
{
	struct cell *c = row_cell(r, slot);
	const uint64_t word = cell_word(c) + (UINT64_C(1) << 32);

	cell_set(c, word);
	tally_note_picks(row_tally(r, slot), word);
}

void row_start_any(struct ledger_row *r, uint32_t slot)
{
	struct cell *c = row_cell(r, slot);
	const uint64_t word = cell_word(c);

	if (word_active(word) < INT32_MAX)
		cell_set(c, word_with_active(word, word_active(word) + 1));
	row_count_pick(r, slot);
}

/* All of them: the changes of the highest bit first, so that those after this moment are seen in the bit itself. */
static uint64_t picks_of(const struct ledger_row *r, uint32_t slot)
{
	const uint64_t halves =
	    atomic_load_explicit(&row_tally(r, slot)->picks_halves, memory_order_acquire);
	const uint64_t word = cell_word(row_cell(r, slot)), unnoted = (halves ^ word >> 63) & 1;

	return (halves + unnoted) << 31 | (word >> 32 & INT32_MAX);
}

struct ledger_sums ledger_sum(const struct ledger *l, uint32_t slot)
{
	struct ledger_sums sum = {0};

	ledger_for_each_row (r, l) {
		const struct tally *t = row_tally(r, slot);

		sum.picks += picks_of(r, slot);
		for (size_t k = 0; k < LEDGER_RESULTS; k++)
			sum.done[k] += atomic_load_explicit(&t->done[k], RELAXED);
		sum.bytes += atomic_load_explicit(&t->bytes, RELAXED);
		sum.latency_sum_ns += atomic_load_explicit(&t->latency_sum_ns, RELAXED);
	}
	return sum;
}
