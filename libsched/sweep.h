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

/* Their active connections, as all pickers counted them but that of the row `but`. */
static inline void sweep_read(const struct lb_snapshot *s, struct swath some,
			      const struct ledger_row *but, int64_t ret[SWEEP_TOGETHER])
{
	const struct snap_server *e = &s->at[some.from];
	const ptrdiff_t step = sweep_in_a_row(e, some.n);

	for (uint32_t i = 0; i < SWEEP_TOGETHER; i++)
		ret[i] = 0;
	ledger_for_each_row (row, s->ledger) {
		const struct cell *cell = row_cell(row, e->slot);

		if (row == but)
			continue;
		for (uint32_t i = 0; i < some.n && !step; i++)
			ret[i] += row_active_of(row, e[i].slot);
		if (!step)
			continue;
#pragma GCC unroll 8
		for (uint32_t i = 0; i < SWEEP_TOGETHER; i++, cell += step)
			ret[i] += word_active(cell_word(cell));
		__builtin_prefetch(cell); /* likely the next */
	}
}

#endif
