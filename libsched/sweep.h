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
	uint32_t at;	 /* who is next */
	uint32_t rested; /* picks since some were read */
};

/* How many are to be read at this pick, each by sweep_next(). */
static inline uint32_t sweep_due(struct sweep *w, const struct lb_snapshot *s)
{
	const uint32_t due = ++w->rested;

	if (due < SWEEP_TOGETHER && due < s->n)
		return 0;
	w->rested = 0;
	return due;
}

static inline uint32_t sweep_next(struct sweep *w, const struct lb_snapshot *s)
{
	const uint32_t place = w->at;

	w->at = place + 1 < s->n ? place + 1 : 0;
	return place;
}

/* Calls for those that come next. */
static inline void sweep_prefetch(const struct sweep *w, const struct lb_snapshot *s)
{
	ledger_for_each_row (r, s->ledger)
		__builtin_prefetch(row_cell(r, s->at[w->at].slot));
}

#endif
