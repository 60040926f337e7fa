/* SPDX-License-Identifier: MIT */
#include "libsched/ledger.h"

#include <errno.h>

static int add_chunk(struct ledger_row *r, uint32_t slot)
{
	const uint32_t chunk = slot_chunk(slot), n = slot_chunk_size(slot);

	if (!r->cell[chunk])
		r->cell[chunk] = line_alloc(n * sizeof(struct cell));
	if (!r->tally[chunk])
		r->tally[chunk] = line_alloc(n * sizeof(struct tally));
	return r->cell[chunk] && r->tally[chunk] ? 0 : -ENOMEM;
}

int ledger_add_slot(struct ledger *l, uint32_t slot)
{
	for (uint32_t i = 0; i < l->n_rows; i++)
		if (add_chunk(l->row[i], slot) < 0)
			return -ENOMEM;
	return 0;
}

void ledger_clear_slot(struct ledger *l, uint32_t slot)
{
	for (uint32_t i = 0; i < l->n_rows; i++) {
		memset(row_cell(l->row[i], slot), 0, sizeof(struct cell));
		memset(row_tally(l->row[i], slot), 0, sizeof(struct tally));
	}
}

static void row_free(struct ledger_row *r)
{
	for (size_t i = 0; i < SLOT_CHUNKS; i++) {
		line_free(r->cell[i]);
		line_free(r->tally[i]);
	}
	line_free(r);
}

struct ledger_row *ledger_add_row(struct ledger *l, uint32_t n_slots)
{
	const uint32_t number = l->n_rows;
	struct ledger_row *r = line_alloc(sizeof(*r));

	if (!r)
		return NULL;
	for (uint32_t i = 0; i < n_slots; i += slot_chunk_size(slot_nth(i))) {
		if (add_chunk(r, slot_nth(i)) < 0) {
			row_free(r);
			return NULL;
		}
	}
	l->row[number] = r;
	atomic_store_explicit(&l->n_rows, number + 1, memory_order_release);
	return r;
}

void ledger_fini(struct ledger *l)
{
	for (uint32_t i = 0; i < l->n_rows; i++)
		row_free(l->row[i]);
}

struct ledger_sums ledger_sum(const struct ledger *l, uint32_t slot)
{
	struct ledger_sums sum = {0};

	for (uint32_t i = 0; i < l->n_rows; i++) {
		const struct tally *t = row_tally(l->row[i], slot);

		sum.picks += atomic_load_explicit(&row_cell(l->row[i], slot)->picks, RELAXED);
		for (size_t k = 0; k < LEDGER_RESULTS; k++)
			sum.done[k] += atomic_load_explicit(&t->done[k], RELAXED);
		sum.bytes += atomic_load_explicit(&t->bytes, RELAXED);
		sum.latency_sum_ns += atomic_load_explicit(&t->latency_sum_ns, RELAXED);
	}
	return sum;
}
