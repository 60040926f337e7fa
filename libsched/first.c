/* SPDX-License-Identifier: MIT */
/*
 * first: HAProxy's: the first server with room takes everything, so that the last ones may sleep. Room is
 * maxconn's business, and nobody may wait for the server already. O(n).
 */
#include "libsched/algos.h"
#include "libsched/snapshot.h"

static ssize_t first_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	for (size_t i = 0; i < s->n; i++) {
		bool awaited = s->at[i].maxconn && snap_count(s, i, LB_COUNTER_QUEUED);

		if (!awaited && query_eligible(q, i))
			return (ssize_t)i;
	}
	return -1;
}

const struct lb_algo algo_first = {
    .size = sizeof(algo_first),
    .name = "first",
    .pick = first_pick,
};
