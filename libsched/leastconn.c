/* SPDX-License-Identifier: MIT */
/*
 * leastconn: least connections as HAProxy counts them: requests queued for the server count as running,
 * the one to come counts too, so that among the busy a heavier server is filled first; an idle server is
 * better than any busy one. Equal ones take turns. It reads every server's counters: O(n).
 */
#include "libsched/algos.h"
#include "libsched/turn.h"

/* HAProxy counts weights in sixteenths, up to 256; greater ones of ours get a finer scale, not ties. */
#define WEIGHT_UNIT 16
#define HAPROXY_WEIGHT_MAX 256

static uint64_t load_key(const struct lb_snapshot *s, size_t place)
{
	uint64_t busy = (uint64_t)snap_count(s, place, LB_COUNTER_ACTIVE) +
			snap_count(s, place, LB_COUNTER_QUEUED);
	uint64_t scale = s->max_weight > HAPROXY_WEIGHT_MAX ? s->max_weight : HAPROXY_WEIGHT_MAX;

	if (!busy)
		return 0;
	return (busy + 1) * scale * WEIGHT_UNIT / ((uint64_t)s->at[place].weight * WEIGHT_UNIT);
}

static size_t leastconn_cursor_size(const struct lb_snapshot *s)
{
	(void)s;
	return sizeof(struct turn);
}

static void leastconn_adopt(const struct lb_snapshot *s, void *cursor,
			    const struct lb_snapshot *old, const void *old_cursor)
{
	if (old)
		turn_adopt(cursor, s, old_cursor, old);
}

static ssize_t leastconn_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct turn *t = cursor;
	uint64_t least = UINT64_MAX;
	ssize_t best = -1;
	size_t i = t->next;

	for (size_t seen = 0; seen < s->n; seen++, i++) {
		uint64_t key;

		if (i >= s->n)
			i = 0;
		if (!query_eligible(q, i))
			continue;
		key = load_key(s, i);
		if (key < least) {
			least = key;
			best = (ssize_t)i;
		}
	}
	if (best >= 0)
		t->next = (size_t)best + 1;
	return best;
}

static bool leastconn_score(const struct lb_snapshot *s, const void *cursor,
			    const struct lb_query *q, size_t place, double *ret)
{
	(void)cursor;
	(void)q;
	*ret = (double)load_key(s, place);
	return true;
}

const struct lb_algo algo_leastconn = {
    .size = sizeof(algo_leastconn),
    .name = "leastconn",
    .cursor_size = leastconn_cursor_size,
    .adopt = leastconn_adopt,
    .pick = leastconn_pick,
    .score = leastconn_score,
};
