/* SPDX-License-Identifier: MIT */
/*
 * What other pickers count is read a few places every few picks, in turn: after as many picks as there are servers
 * all of it has been seen. Those whose counters share a cache line go together, so that it comes over from the other
 * thread once.
 */
#ifndef LIBSCHED_SWEEP_H
#define LIBSCHED_SWEEP_H

#include "libsched/snapshot.h"

#define SWEEP_TOGETHER (LINE_BYTES / sizeof(struct cell))

struct sweep {
	uint32_t at;   /* who is next */
	uint32_t rest; /* picks until they are read */
};

/* Places in a row. */
struct swath {
	uint32_t from, n; /* n: 1..SWEEP_TOGETHER */
};

/* At each pick: is there nothing to read? */
static inline bool sweep_rests(struct sweep *w)
{
	if (!w->rest)
		return false;
	w->rest--;
	return true;
}

/* Those to be read now. */
static inline struct swath sweep_next(struct sweep *w, const struct lb_snapshot *s)
{
	const uint32_t left = (uint32_t)s->n - w->at;
	const struct swath some = {w->at, left < SWEEP_TOGETHER ? left : SWEEP_TOGETHER};

	w->at = some.n < left ? w->at + some.n : 0;
	w->rest = some.n - 1;
	return some;
}

/* Which way they go where counts are neighbours, as of servers that were added one after the other: 1 or -1. Else 0. */
static inline ptrdiff_t sweep_in_a_row(const struct snap_server *e, uint32_t n)
{
	uint32_t step, differ = 0;

	if (n < SWEEP_TOGETHER)
		return 0;
	step = e[1].slot - e[0].slot;
	if (step != 1 && step != UINT32_MAX)
		return 0;
#pragma GCC unroll 8
	for (uint32_t i = 2; i < SWEEP_TOGETHER; i++)
		differ |= e[i].slot ^ (e[i - 1].slot + step);
	return differ ? 0 : (int32_t)step;
}

/* So many more active connections of the i-th. A constant: no call. */
typedef void sweep_add(void *sums, uint32_t i, int32_t active);

/* Adds up what every picker counted but that of the row `but`. `step`: of sweep_in_a_row(). */
static inline __attribute__((always_inline)) void sweep_read(const struct lb_snapshot *s,
							     struct swath some, ptrdiff_t step,
							     const struct ledger_row *but,
							     sweep_add *add, void *sums)
{
	const struct snap_server *e = &s->at[some.from];

	ledger_for_each_row (row, s->ledger) {
		const struct cell *cell = row_cell(row, e->slot);

		if (row == but)
			continue;
		for (uint32_t i = 0; i < some.n && !step; i++)
			add(sums, i, word_active(cell_word(row_cell(row, e[i].slot))));
		if (!step)
			continue;
#pragma GCC unroll 8
		for (uint32_t i = 0; i < SWEEP_TOGETHER; i++, cell += step)
			add(sums, i, word_active(cell_word(cell)));
		__builtin_prefetch(cell); /* likely the next */
	}
}

#endif
