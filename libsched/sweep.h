/* SPDX-License-Identifier: MIT */
/*
 * What other pickers count is read a few places every few picks, in turn: after as many picks as there are servers
 * all of it has been seen. Those whose counters share a cache line go together, so that it comes over from the other
 * thread once.
 */
#ifndef LIBSCHED_SWEEP_H
#define LIBSCHED_SWEEP_H

#include "libsched/snapshot.h"

#define SWEEP_TOGETHER (LINE_BYTES / sizeof(int32_t))

struct sweep {
	uint32_t at;	 /* who is next */
	uint32_t rested; /* picks since some were read */
};

/*
 * How many are to be read at this pick, from *ret_from on. The pick before calls for their counters: earlier, and
 * another picker may have written there again.
 */
static inline uint32_t sweep_due(struct sweep *w, const struct lb_snapshot *s, uint32_t rows,
				 uint32_t *ret_from)
{
	const uint32_t left = (uint32_t)s->n - w->at,
		       together = left < SWEEP_TOGETHER ? left : SWEEP_TOGETHER;

	w->rested++;
	if (w->rested + 1 == together)
		for (uint32_t i = 0; i < rows; i++)
			__builtin_prefetch(
			    (const void *)row_active(s->ledger->row[i], s->at[w->at].slot));
	if (w->rested < together)
		return 0;
	*ret_from = w->at;
	w->rested = 0;
	w->at = together < left ? w->at + together : 0;
	return together;
}

/* The active connections of these, row by row. */
static inline void sweep_active(const struct lb_snapshot *s, uint32_t rows, uint32_t from,
				uint32_t n, uint32_t *ret_active)
{
	const struct snap_server *e = &s->at[from];
	int64_t sum[SWEEP_TOGETHER] = {0};

	for (uint32_t k = 0; k < rows; k++) {
		const struct ledger_row *row = s->ledger->row[k];

		for (uint32_t i = 0; i < n; i++)
			sum[i] += row_active_of(row, e[i].slot);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (__builtin_expect(e[i].limited, 0))
			ret_active[i] = snap_active_of_limited(s, &e[i]);
		else
			ret_active[i] = sum[i] > 0 ? (uint32_t)sum[i] : 0;
	}
}

#endif
