/* SPDX-License-Identifier: MIT */
/* What picking and explaining share. */
#ifndef LIBSCHED_PICKER_H
#define LIBSCHED_PICKER_H

#include "libsched/group.h"
#include "libsched/mul.h"

/* Moves to the newest snapshot, unless it explains one just now. 0, or -ESHUTDOWN: the group is closed. */
int picker_come_over(struct lb_picker *p);

/*
 * The request, checked: `r` itself where it is this library's own struct, else a copy in `own`.
 * 0, -EINVAL, -E2BIG.
 */
int request_of(const struct lb_request *r, struct lb_request *own, const struct lb_request **ret);

/* The usual pick for algorithms and snapshots that have none of their own. */
usual_pick picker_usual;

/* Why nobody was chosen: -EAGAIN when only limits stand in the way, else -ENOSR. */
int picker_nobody(const struct lb_snapshot *s, const struct lb_request *r);

static inline struct lb_query query_of(const struct lb_picker *p, const struct lb_request *r,
				       uint64_t *random)
{
	return (struct lb_query){
	    .snap = p->snap,
	    .request = r,
	    .random = random,
	    .row = p->counting.row,
	    .plain = !p->snap->has_limits && !r->n_exclude,
	};
}

/* Chooses a place, counting nothing; moves the cursor. -errno as lb_pick(). */
ssize_t picker_choose(const struct lb_query *q, void *cursor);

/* wyrand, of wyhash (Wang Yi, 2019): a counter, squared nearly, both halves over each other. */
static inline uint64_t picker_random(uint64_t *state)
{
	const uint64_t at = *state + 0xa0761d6478bd642fu;

	*state = at;
	return mul_fold(at, at ^ 0xe7037ed1a0b428dbu);
}

#endif
