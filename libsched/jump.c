/* SPDX-License-Identifier: MIT */
/*
 * jump: Lamping, Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014. Members stand in a row; a key
 * jumps along it, ever further, and stays where the last jump within it led. Only the end of the row can grow
 * or shrink without needless moves: into the place of one that is removed elsewhere the last one goes. One
 * that is down keeps its place; its keys are hashed on.
 */
#include "libsched/algos.h"
#include "libsched/members.h"

#define TRIES_MAX 64 /* keys hashed on when a server may not be chosen */

struct jump {
	uint32_t n;
	uint32_t place[];
};

static size_t jump_size(const struct lb_snapshot *s)
{
	return sizeof(struct jump) + s->n * sizeof(uint32_t);
}

/* The row of before without those that left. */
static void take_over(struct jump *row, const struct lb_snapshot *s, const struct lb_snapshot *old,
		      uint8_t *stands)
{
	const struct jump *was = old->table;
	uint32_t end = was->n;

	for (uint32_t i = 0; i < end; i++) {
		ssize_t place = lb_snapshot_find(s, old->at[was->place[i]].id);

		while (place < 0 && i < --end) /* the last that stays */
			place = lb_snapshot_find(s, old->at[was->place[end]].id);
		if (place < 0)
			break;
		row->place[row->n++] = (uint32_t)place;
		stands[place] = 1;
	}
}

static int jump_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct jump *row = table;
	uint8_t *stands = mem_array(s->n + 1, sizeof(*stands));
	struct member *order = members_by_key(s);

	if (!stands || !order) {
		mem_free(stands);
		mem_free(order);
		return -ENOMEM;
	}
	if (old)
		take_over(row, s, old, stands);
	for (size_t i = 0; i < s->n; i++)
		if (!stands[order[i].place])
			row->place[row->n++] = order[i].place;
	mem_free(stands);
	mem_free(order);
	return 0;
}

static uint32_t bucket_of(uint64_t key, uint32_t n)
{
	int64_t b = -1, next = 0;

	while (next < (int64_t)n) {
		b = next;
		key = key * 2862933555777941757u + 1;
		next = (int64_t)((double)(b + 1) * (2147483648.0 / (double)((key >> 33) + 1)));
	}
	return (uint32_t)b;
}

static ssize_t jump_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const struct jump *row = s->table;
	uint64_t h = members_hash(s, q->request->key64);
	uint32_t place = 0;

	for (int i = 0; i < TRIES_MAX; i++, h = members_hash(s, h)) {
		place = row->place[bucket_of(h, row->n)];
		if (query_eligible(q, place))
			return place;
	}
	return query_eligible_from(q, place);
}

const struct lb_algo algo_jump = {
    .size = sizeof(algo_jump),
    .name = "jump",
    .flags = LB_ALGO_STEADY_WEIGHTS,
    .table_size = jump_size,
    .build = jump_build,
    .pick = jump_pick,
};
