/* SPDX-License-Identifier: MIT */
/*
 * The usual pick, in one function for each algorithm that cares: choose, count, say who. It is taken where a request
 * wants nothing special and no server has a limit, which is nearly always; then the weight alone says who may be
 * chosen, and no call goes through a pointer but the first. What it does is what picker.c does with any request.
 */
#ifndef LIBSCHED_USUAL_H
#define LIBSCHED_USUAL_H

#include "libsched/picker.h"

#define HOT static inline __attribute__((always_inline)) /* what a pick is made of */

static inline struct lb_query usual_query(struct lb_picker *p, const struct lb_request *r)
{
	return (struct lb_query){.snap = p->snap,
				 .request = r,
				 .random = &p->random,
				 .row = p->counting.row,
				 .plain = true};
}

/* Counts what was chosen, and says who it is. `started`, a constant, is no call; NULL: nothing. */
static inline __attribute__((always_inline)) int
usual_start(struct lb_picker *p, const struct lb_request *r, uint32_t slot, uint64_t id,
	    size_t place, usual_started *started, uint64_t *ret_id)
{
	if (!(r->flags & LB_REQUEST_UNCOUNTED)) {
		struct ledger_row *row = p->counting.row; /* nothing written here changes it */

		if (!row_start(row, slot))
			return picker_start_any(p, r, place, started, ret_id);
		row_add_active(row, 1);
		if (started)
			started(p->snap, p->cursor, place, r);
	}
	*ret_id = id;
	return 0;
}

/* Likewise, of a place, or of nobody. */
static inline __attribute__((always_inline)) int usual_end(struct lb_picker *p,
							   const struct lb_request *r,
							   ssize_t place, usual_started *started,
							   uint64_t *ret_id)
{
	const struct snap_server *e = &p->snap->at[place];

	if (__builtin_expect(place < 0, 0))
		return picker_nobody(p->snap, r);
	return usual_start(p, r, e->slot, e->id, (size_t)place, started, ret_id);
}

/* Makes NAME_usual(), for algos.h and algos.c. */
#define USUAL_PICK(name, choose, started)                                                   \
	int name##_usual(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id) \
	{                                                                                   \
		const struct lb_query q = usual_query(p, r);                                \
                                                                                            \
		return usual_end(p, r, choose(p->snap, p->cursor, &q), started, ret_id);    \
	}

#endif
