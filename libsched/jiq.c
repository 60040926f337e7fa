/* SPDX-License-Identifier: MIT */
/*
 * jiq: join the idle queue (Lu et al., "Join-Idle-Queue", 2011): each picker keeps a queue of servers it saw
 * become idle; the first one that still is takes the request, and when there is none chance decides, by
 * weight. Looking at all servers' load is never needed.
 */
#include "libsched/algos.h"
#include "libsched/draw.h"

/* Each place stands in the queue once at most. A server leaves it when it is found busy. */
struct idle {
	uint32_t first, n;
	uint32_t at[]; /* a ring of s->n places, then s->n marks: 1 while queued */
};

static size_t jiq_size(const struct lb_snapshot *s)
{
	return sizeof(struct idle) + 2 * s->n * sizeof(uint32_t);
}

static void queue(const struct lb_snapshot *s, struct idle *idle, uint32_t place)
{
	size_t last = (size_t)idle->first + idle->n;

	if (idle->at[s->n + place])
		return;
	idle->at[s->n + place] = 1;
	idle->at[last < s->n ? last : last - s->n] = place;
	idle->n++;
}

static uint32_t unqueue(const struct lb_snapshot *s, struct idle *idle)
{
	uint32_t place = idle->at[idle->first];

	idle->at[s->n + place] = 0;
	idle->first = idle->first + 1 < s->n ? idle->first + 1 : 0;
	idle->n--;
	return place;
}

static bool is_idle(const struct lb_snapshot *s, size_t place)
{
	return s->at[place].weight && !snap_count(s, place, LB_COUNTER_ACTIVE);
}

/* Those that waited keep their order; then whoever else is idle. */
static void jiq_adopt(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		      const void *old_cursor)
{
	const struct idle *was = old_cursor;

	for (uint32_t i = 0; old && i < was->n; i++) {
		uint32_t place = was->at[((size_t)was->first + i) % old->n];
		ssize_t now = lb_snapshot_find(s, old->at[place].id);

		if (now >= 0 && is_idle(s, (size_t)now))
			queue(s, cursor, (uint32_t)now);
	}
	for (size_t i = 0; i < s->n; i++)
		if (is_idle(s, i))
			queue(s, cursor, (uint32_t)i);
}

static ssize_t jiq_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct idle *idle = cursor;

	for (uint32_t left = idle->n; left; left--) {
		uint32_t place = unqueue(s, idle);

		if (!is_idle(s, place))
			continue;
		queue(s, idle,
		      place); /* at the end: by then it is busy, or was not taken after all */
		if (query_eligible(q, place))
			return place;
	}
	return draw_eligible(q);
}

static void jiq_on_done(const struct lb_snapshot *s, void *cursor, size_t place,
			const struct lb_outcome *o)
{
	if (is_idle(s, place))
		queue(s, cursor, (uint32_t)place);
}

const struct lb_algo algo_jiq = {
    .size = sizeof(algo_jiq),
    .name = "jiq",
    .table_size = draw_table_size,
    .build = draw_table_build,
    .cursor_size = jiq_size,
    .adopt = jiq_adopt,
    .pick = jiq_pick,
    .on_done = jiq_on_done,
};
