/* SPDX-License-Identifier: MIT */
/*
 * leastconn: least connections as HAProxy counts them: requests queued for the server count as running,
 * the one to come counts too, so that among the busy a heavier server is filled first; an idle server is
 * better than any busy one. Equal ones take turns. It reads every server's counters: O(n).
 */
#include "libsched/algos.h"
#include "libsched/turn.h"

/*
 * HAProxy's key is (n + 1) * 4096 / (16 * weight), rounded down, for n requests running or queued; the
 * rounding makes ties. Its weights end at 256; with greater ones here the scale grows with them.
 */
#define HAPROXY_WEIGHT_MAX 256
#define BUSY_MAX (UINT32_C(1) << 30) /* so that 64 bits hold every product */

static uint64_t scale_of(const struct lb_snapshot *s)
{
	return s->max_weight > HAPROXY_WEIGHT_MAX ? s->max_weight : HAPROXY_WEIGHT_MAX;
}

/* The key times the weight: 0 when idle. */
static inline uint64_t load_of(const struct lb_snapshot *s, size_t place, uint64_t scale)
{
	uint64_t busy = (uint64_t)snap_count(s, place, LB_COUNTER_ACTIVE) +
			snap_count(s, place, LB_COUNTER_QUEUED);

	if (!busy)
		return 0;
	return (busy < BUSY_MAX ? busy + 1 : BUSY_MAX) * scale;
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
	uint64_t scale = scale_of(s), least = 0;
	ssize_t best = -1;
	size_t i = t->next;

	for (size_t seen = 0; seen < s->n; seen++, i++) {
		uint64_t load;

		if (i >= s->n)
			i = 0;
		if (!query_eligible(q, i))
			continue;
		load = load_of(s, i, scale);
		if (best < 0 ||
		    load < least * s->at[i].weight) { /* load / weight < least, rounded */
			least = load / s->at[i].weight;
			best = (ssize_t)i;
			if (!least) /* nobody is better */
				break;
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
	*ret = (double)(load_of(s, place, scale_of(s)) / s->at[place].weight);
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
