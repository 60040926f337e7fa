/* SPDX-License-Identifier: MIT */
#include "libsched/ledger.h"

#include <errno.h>

static int add_chunk(struct ledger_row *r, size_t i)
{
	if (!r->chunk[i])
		r->chunk[i] = line_alloc(LEDGER_CHUNK * sizeof(struct cell));
	return r->chunk[i] ? 0 : -ENOMEM;
}

/* Room to note every slot as free, so that giving one back cannot fail. */
static int reserve_free(struct ledger *l)
{
	uint32_t cap = l->cap_free ? 2 * l->cap_free : LEDGER_CHUNK, *more;

	if (l->n_slots < l->cap_free)
		return 0;
	more = mem_regrow(l->free_slot, cap, sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->free_slot = more;
	l->cap_free = cap;
	return 0;
}

int ledger_take_slot(struct ledger *l, uint32_t *ret)
{
	if (l->n_free) {
		*ret = l->free_slot[--l->n_free];
		return 0;
	}
	if (l->n_slots == LEDGER_SLOTS_MAX)
		return -ENOSPC;
	if (reserve_free(l) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->n_rows; i++)
		if (add_chunk(l->row[i], l->n_slots / LEDGER_CHUNK) < 0)
			return -ENOMEM;
	*ret = l->n_slots++;
	return 0;
}

void ledger_give_slot(struct ledger *l, uint32_t slot)
{
	for (uint32_t i = 0; i < l->n_rows; i++)
		memset(row_cell(l->row[i], slot), 0, sizeof(struct cell));
	l->free_slot[l->n_free++] = slot;
}

static void row_free(struct ledger_row *r)
{
	for (size_t i = 0; r && i < LEDGER_SLOTS_MAX / LEDGER_CHUNK; i++)
		line_free(r->chunk[i]);
	line_free(r);
}

int ledger_add_row(struct ledger *l, size_t number)
{
	struct ledger_row *r;

	if (number < l->n_rows)
		return 0;
	r = line_alloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	for (uint32_t i = 0; i * LEDGER_CHUNK < l->n_slots; i++) {
		if (add_chunk(r, i) < 0) {
			row_free(r);
			return -ENOMEM;
		}
	}
	l->row[number] = r;
	atomic_store_explicit(&l->n_rows, (uint32_t)number + 1, memory_order_release);
	return 0;
}

void ledger_fini(struct ledger *l)
{
	for (uint32_t i = 0; i < l->n_rows; i++)
		row_free(l->row[i]);
	mem_free(l->free_slot);
}

struct ledger_sums ledger_sum(const struct ledger *l, uint32_t slot)
{
	struct ledger_sums sum = {0};

	for (uint32_t i = 0; i < l->n_rows; i++) {
		const struct cell *c = row_cell(l->row[i], slot);

		sum.picks += atomic_load_explicit(&c->picks, RELAXED);
		for (size_t k = 0; k < LEDGER_RESULTS; k++)
			sum.done[k] += atomic_load_explicit(&c->done[k], RELAXED);
		sum.bytes += atomic_load_explicit(&c->bytes, RELAXED);
		sum.latency_sum_ns += atomic_load_explicit(&c->latency_sum_ns, RELAXED);
	}
	return sum;
}
