/* SPDX-License-Identifier: MIT */
/*
 * The usual pick, in one function for each algorithm that cares: choose, count, say who; and a burst of them in another. It
 * is taken where a request wants nothing special and no server has a limit, which is nearly always; then the weight alone
 * says who may be chosen, and no call goes through a pointer but the first. What it does is what picker.c does with any
 * request.
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

/*
 * One pick: chooses, counts by usual_start(), says who. False: nobody may be chosen. `row`, where it is counted, is NULL for
 * LB_REQUEST_UNCOUNTED.
 */
typedef bool usual_one(const struct lb_query *q, void *cursor, struct ledger_row *row,
		       uint64_t *ret_id);

/* What an algorithm does when it hears that one was chosen and counted. */
typedef void usual_started(const struct lb_snapshot *s, void *cursor, size_t place,
			   const struct lb_request *r);

/* Counts what was chosen, and says who it is; the row's sum is to follow. `started`, a constant, is no call; NULL: nothing. */
HOT void usual_start(const struct lb_query *q, void *cursor, struct ledger_row *row, uint32_t slot,
		     uint64_t id, size_t place, usual_started *started, uint64_t *ret_id)
{
	*ret_id = id;
	if (!row)
		return;
	if (!row_start(row, slot))
		row_start_any(row, slot);
	if (started)
		started(q->snap, cursor, place, q->request);
}

/* Likewise, of a place, or of nobody. */
HOT bool usual_end(const struct lb_query *q, void *cursor, struct ledger_row *row, ssize_t place,
		   usual_started *started, uint64_t *ret_id)
{
	const struct snap_server *e = &q->snap->at[place];

	if (__builtin_expect(place < 0, 0))
		return false;
	usual_start(q, cursor, row, e->slot, e->id, (size_t)place, started, ret_id);
	return true;
}

/* Where a request is counted; NULL: LB_REQUEST_UNCOUNTED. */
static inline struct ledger_row *usual_row(const struct lb_picker *p, const struct lb_request *r)
{
	return r->flags & LB_REQUEST_UNCOUNTED ? NULL : p->counting.row;
}

/* `one` is a constant, no call. */
HOT int usual_pick_by(usual_one *one, struct lb_picker *p, const struct lb_request *r,
		      uint64_t *ret_id)
{
	const struct lb_query q = usual_query(p, r);
	struct ledger_row *const row = usual_row(p, r);

	if (__builtin_expect(!one(&q, p->cursor, row, ret_id), 0))
		return picker_nobody(p->snap, r);
	if (row)
		row_add_active(row, 1);
	return 0;
}

/* Likewise: what each pick would read anew is at hand, and the row's sum moves once. */
HOT size_t usual_burst_by(usual_one *one, struct lb_picker *p, const struct lb_request *r, size_t n,
			  uint64_t *ret_ids)
{
	const struct lb_query q = usual_query(p, r);
	struct ledger_row *const row = usual_row(p, r);
	void *const cursor = p->cursor;
	size_t got = 0;

	for (size_t i = 0; i < n; i++) {
		/* A copy: `q` has no address that a call could keep, so its fields stay in registers from pick to pick. */
		const struct lb_query each = q;

		if (__builtin_expect(one(&each, cursor, row, &ret_ids[i]), 1))
			got++;
		else
			ret_ids[i] = 0;
	}
	if (row)
		row_add_active(row, (int64_t)got);
	return got;
}

/* Makes usual_NAME, for algos.h and algos.c, of NAME_one(). */
#define USUAL(name)                                                                                \
	static int name##_usual(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id) \
	{                                                                                          \
		return usual_pick_by(name##_one, p, r, ret_id);                                    \
	}                                                                                          \
	static size_t name##_burst(struct lb_picker *p, const struct lb_request *r, size_t n,      \
				   uint64_t *ret_ids)                                              \
	{                                                                                          \
		return usual_burst_by(name##_one, p, r, n, ret_ids);                               \
	}                                                                                          \
	const struct usual usual_##name = {name##_usual, name##_burst};

/* Likewise, of an algorithm's pick(). */
#define USUAL_PICK(name, pick, started)                                                      \
	HOT bool name##_one(const struct lb_query *q, void *cursor, struct ledger_row *row,  \
			    uint64_t *ret_id)                                                \
	{                                                                                    \
		return usual_end(q, cursor, row, pick(q->snap, cursor, q), started, ret_id); \
	}                                                                                    \
	USUAL(name)

#endif
