/* SPDX-License-Identifier: MIT */
/*
 * static-rr: HAProxy's map: as many entries as the weights over their greatest common divisor sum up to,
 * filled in beforehand; a picker walks through. At each entry everyone gains his weight, whoever then has
 * the most whole turns takes it, the first among equals, and pays a turn.
 */
#include <errno.h>

#include "libsched/algos.h"
#include "libsched/edf.h"
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
	/* The editor's: a map does not follow a slow start, here as there. */
	uint32_t weight = s->at[place].weight ? s->at[place].set_weight : 0;
	uint32_t turns = weight / scale.divisor >> scale.halvings;

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

/*
 * At step k a server of w of t turns in all has had floor(k * w / t) turns due to it, and one in advance. Who
 * has the most not yet taken, its level, takes the entry; the first among equals. A level rises to its j-th
 * turn at step ceil(j * t / w): the servers wait for that in one heap, those with a level stand in another,
 * some more than once: only an entry of the present level counts.
 */
struct filling {
	uint32_t *level, *turn; /* of each place; turns due so far */
	struct edf_entry *rising, *ready;
	size_t n_rising, n_ready;
};

static void stand(struct filling *f, size_t place)
{
	edf_push(f->ready, &f->n_ready,
		 (struct edf_entry){
		     .key = UINT32_MAX - f->level[place], .order = place, .place = place});
}

static void wait_for_turn(struct filling *f, size_t place, uint64_t turns, uint64_t total)
{
	uint64_t j = ++f->turn[place];

	edf_push(
	    f->rising, &f->n_rising,
	    (struct edf_entry){.key = (j * total + turns - 1) / turns, .order = 0, .place = place});
}

static void fill(const struct lb_snapshot *s, struct scale scale, struct filling *f,
		 struct map *map)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!turns_of(s, i, scale))
			continue;
		f->level[i] = 1;
		stand(f, i);
		wait_for_turn(f, i, turns_of(s, i, scale), map->n);
	}
	for (uint32_t k = 1; k <= map->n; k++) {
		struct edf_entry e;

		while (f->n_rising && f->rising[0].key <= k) {
			size_t place = edf_pop(f->rising, &f->n_rising).place;

			f->level[place]++;
			stand(f, place);
			wait_for_turn(f, place, turns_of(s, place, scale), map->n);
		}
		do { /* somebody has a level: fewer turns are taken than due and in advance */
			e = edf_pop(f->ready, &f->n_ready);
		} while (e.key != UINT32_MAX - f->level[e.place]);
		map->place[k - 1] = (uint32_t)e.place;
		if (--f->level[e.place])
			stand(f, e.place);
	}
}

int map_build(const struct lb_snapshot *s, struct map *map)
{
	const struct scale scale = scale_of(s);
	struct filling f = {NULL, NULL, NULL, NULL, 0, 0};
	int r = -ENOMEM;

	map->n = (uint32_t)total_of(s, scale);
	f.level = mem_array(s->n + 1, 2 * sizeof(*f.level));
	f.rising = mem_array(s->n + 1, sizeof(*f.rising));
	/* Each stands at first, at each of the rises, and after each entry. */
	f.ready = mem_array(s->n + 2 * (size_t)map->n + 1, sizeof(*f.ready));
	if (f.level && f.rising && f.ready) {
		f.turn = f.level + s->n;
		fill(s, scale, &f, map);
		r = 0;
	}
	mem_free(f.level);
	mem_free(f.rising);
	mem_free(f.ready);
	return r;
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
	return map_build(s, table);
}

static size_t walk_size(const struct lb_snapshot *s)
{
	return sizeof(struct map_walk);
}

/* HAProxy, too, goes on at the same entry of the new map. */
static void walk_adopt(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		       const void *old_cursor)
{
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
    .flags = LB_ALGO_STEADY_WEIGHTS,
    .table_size = map_size,
    .build = static_rr_build,
    .cursor_size = walk_size,
    .adopt = walk_adopt,
    .pick = walk_pick,
};
