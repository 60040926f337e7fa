/* SPDX-License-Identifier: MIT */
/*
 * What other pickers count is read a few places every few picks, in turn: after as many picks as there are servers
 * all of it has been seen. Those whose counters share a cache line go together, so that it comes over from the other
 * thread once.
 */
#ifndef LIBSCHED_SWEEP_H
#define LIBSCHED_SWEEP_H

#include "libsched/snapshot.h"

struct sweep {
	uint32_t at;   /* who is next */
	uint32_t rest; /* picks until they are read */
};

/* Places in a row. */
struct swath {
	uint32_t from, n; /* n: 1..LINE_PLACES */
};

/* At each pick: is there nothing to read? */
static inline bool sweep_rests(struct sweep *w)
{
	if (!w->rest)
		return false;
	w->rest--;
	return true;
}

/* So many were read. */
static inline void sweep_pass(struct sweep *w, const struct lb_snapshot *s, uint32_t n)
{
	w->at = w->at + n < s->n ? w->at + n : 0;
	w->rest = n - 1;
}

/* Those to be read now. */
static inline struct swath sweep_next(struct sweep *w, const struct lb_snapshot *s)
{
	const uint32_t left = (uint32_t)s->n - w->at;
	const struct swath some = {w->at, left < LINE_PLACES ? left : LINE_PLACES};

	sweep_pass(w, s, some.n);
	return some;
}

/* Which way their cells go, from that of the first on: 1 or -1. 0: each is elsewhere. */
static inline ptrdiff_t sweep_step(const struct lb_snapshot *s, struct swath some)
{
	return s->at[some.from].ascend - s->at[some.from].descend;
}

/* So many more active connections of the i-th. A constant: no call. */
typedef void sweep_add(void *sums, uint32_t i, int32_t active);

/* Adds up what every picker counted but that of the row `but`. */
static inline __attribute__((always_inline)) void sweep_read(const struct lb_snapshot *s,
							     struct swath some,
							     const struct ledger_row *but,
							     sweep_add *add, void *sums)
{
	const struct snap_server *e = &s->at[some.from];
	const ptrdiff_t step = sweep_step(s, some);

	ledger_for_each_row (row, s->ledger) {
		const struct cell *cell = row_cell(row, e->slot);

		if (row == but)
			continue;
		for (uint32_t i = 0; i < some.n && !step; i++)
			add(sums, i, word_active(cell_word(row_cell(row, e[i].slot))));
		if (!step)
			continue;
#pragma GCC unroll 8
		for (uint32_t i = 0; i < LINE_PLACES; i++, cell += step)
			add(sums, i, word_active(cell_word(cell)));
		__builtin_prefetch(cell); /* likely the next */
	}
}

#endif
