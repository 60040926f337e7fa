/* SPDX-License-Identifier: MIT */
/*
 * static-rr: HAProxy's map: as many entries as the weights over their greatest common divisor sum up to,
 * filled in beforehand; a picker walks through. At each entry everyone gains his weight, whoever then has
 * the most whole turns takes it, the first among equals, and pays a turn.
 */
#include <errno.h>

#include "libsched/algos.h"
#include "libsched/gcd.h"
#include "libsched/map.h"

/* Weights beyond this sum are halved until they fit: 4 bytes each. HAProxy's 1024 servers of 256 do. */
#define MAP_MAX (UINT32_C(1) << 18)

/* Weights are divided by `divisor`, then halved `halvings` times, but no less than 1. */
struct scale {
	uint32_t divisor, halvings;
};

static uint32_t turns_of(const struct lb_snapshot *s, size_t place, struct scale scale)
{
	uint32_t weight = s->at[place].weight, turns = weight / scale.divisor >> scale.halvings;

	return weight && !turns ? 1 : turns;
}

static uint64_t total_of(const struct lb_snapshot *s, struct scale scale)
{
	uint64_t total = 0;

	for (size_t i = 0; i < s->n; i++)
		total += turns_of(s, i, scale);
	return total;
}

static struct scale scale_of(const struct lb_snapshot *s)
{
	struct scale scale = {0, 0};

	/* Of all members, so that it stays when one goes down, as HAProxy's does. */
	for (size_t i = 0; i < s->n; i++)
		scale.divisor = gcd(scale.divisor, s->at[i].set_weight);
	if (!scale.divisor)
		scale.divisor = 1;
	while (total_of(s, scale) > MAP_MAX) /* ends: there are fewer servers than entries */
		scale.halvings++;
	return scale;
}

size_t map_size(const struct lb_snapshot *s)
{
	return sizeof(struct map) + total_of(s, scale_of(s)) * sizeof(uint32_t);
}

/* Who takes the next entry. */
static size_t next_of(const struct lb_snapshot *s, struct scale scale, int64_t *score,
		      int64_t total)
{
	int64_t most = 0;
	size_t best = 0;

	for (size_t i = 0; i < s->n; i++) {
		uint32_t turns = turns_of(s, i, scale);
		int64_t whole;

		if (!turns)
			continue;
		score[i] += turns;
		whole = (score[i] + total) / total; /* at least 1 */
		if (whole > most) {
			most = whole;
			best = i;
		}
	}
	score[best] -= total;
	return best;
}

int map_build(const struct lb_snapshot *s, struct map *map)
{
	const struct scale scale = scale_of(s);
	int64_t *score = mem_array(s->n + 1, sizeof(*score));

	if (!score)
		return -ENOMEM;
	map->n = (uint32_t)total_of(s, scale);
	for (uint32_t i = 0; i < map->n; i++)
		map->place[i] = (uint32_t)next_of(s, scale, score, map->n);
	mem_free(score);
	return 0;
}

ssize_t map_step(const struct map *map, struct map_walk *w, const struct lb_query *q)
{
	uint32_t i = w->next;

	for (uint32_t seen = 0; seen < map->n; seen++, i++) {
		if (i >= map->n)
			i = 0;
		if (query_eligible(q, map->place[i])) {
			w->next = i + 1;
			return map->place[i];
		}
	}
	return -1;
}

static int static_rr_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	(void)old;
	return map_build(s, table);
}

static size_t walk_size(const struct lb_snapshot *s)
{
	(void)s;
	return sizeof(struct map_walk);
}

/* HAProxy, too, goes on at the same entry of the new map. */
static void walk_adopt(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		       const void *old_cursor)
{
	(void)s;
	if (old)
		*(struct map_walk *)cursor = *(const struct map_walk *)old_cursor;
}

static ssize_t walk_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	return map_step(s->table, cursor, q);
}

const struct lb_algo algo_static_rr = {
    .size = sizeof(algo_static_rr),
    .name = "static-rr",
    .table_size = map_size,
    .build = static_rr_build,
    .cursor_size = walk_size,
    .adopt = walk_adopt,
    .pick = walk_pick,
};
