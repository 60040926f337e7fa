/* SPDX-License-Identifier: MIT */
#include "algos.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * source: a map with as many entries as the weights sum up to, evenly interleaved; the key's
 * remainder says the entry (HAProxy's hash-type map-based). A server that is full hands on to the
 * next entry of another one.
 */
struct source_map {
	uint64_t total;
	uint32_t place[];
};

static uint64_t total_weight(const struct lb_snapshot *s)
{
	uint64_t total = 0;

	for (size_t i = 0; i < lb_snapshot_count(s); i++)
		total += lb_snapshot_weight(s, i);
	return total;
}

static size_t source_size(const struct lb_snapshot *s)
{
	return sizeof(struct source_map) + total_weight(s) * sizeof(uint32_t);
}

static int source_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct source_map *map = table;
	size_t n = lb_snapshot_count(s);
	int64_t *score = calloc(n + 1, sizeof(*score)), total;

	if (!score)
		return -ENOMEM;
	map->total = total_weight(s);
	total = (int64_t)map->total;
	for (uint64_t o = 0; o < map->total; o++) {
		int64_t best_turns = 0;
		size_t best = n;

		for (size_t i = 0; i < n; i++) {
			uint32_t weight = lb_snapshot_weight(s, i);
			int64_t turns;

			if (!weight)
				continue;
			score[i] += weight;
			/* whole turns, not the score itself: ties go to the first, as in HAProxy */
			turns = (score[i] + total) / total;
			if (best == n || turns > best_turns) {
				best_turns = turns;
				best = i;
			}
		}
		map->place[o] = (uint32_t)best;
		score[best] -= total;
	}
	free(score);
	return 0;
}

static ssize_t source_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const struct source_map *map = lb_snapshot_table(s);
	uint64_t at;

	if (!map->total)
		return -1;
	at = lb_query_request(q)->key64 % map->total;
	for (uint64_t i = 0; i < map->total; i++) {
		uint32_t place = map->place[(at + i) % map->total];

		if (lb_query_eligible(q, place))
			return (ssize_t)place;
	}
	return -1;
}

static const struct lb_algo source = {
    .size = sizeof(source),
    .name = "source",
    .table_size = source_size,
    .build = source_build,
    .pick = source_pick,
};

const struct lb_algo *own_algo_find(const char *name)
{
	return strcmp(source.name, name) ? NULL : &source;
}
