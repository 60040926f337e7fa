/* SPDX-License-Identifier: MIT */
/* What map.c and map_version.c have in common: the objects themselves. */
#ifndef PROXYD_RULES_MAP_OBJECT_H
#define PROXYD_RULES_MAP_OBJECT_H

#include <pthread.h>

#include "rules/map.h"

struct map_entry {
	uint64_t id;
	char *key, *value; /* value NULL: none */
	bool dead;
	uint32_t next; /* of its bucket: 1 + place; 0: none */
};

struct map_view {
	struct map_view *next;
	struct map *map;
	struct patterns patterns;
	bool fills; /* groups of the expression into the value */
};

struct map {
	struct map *next;
	char *name, *uses; /* uses NULL: none yet */
	unsigned id;
	bool has_values, is_loaded;
	pthread_rwlock_t lock;
	struct map_entry *at;
	size_t n, cap, n_dead, bytes;
	uint32_t *bucket;
	size_t n_buckets; /* a power of 2; 0: none yet */
	uint64_t next_id;
	struct map_view *views;
	struct block *blocks;
	struct end *ends;
	unsigned version, next_version;
	struct map *drafts; /* by `next`: versions that are prepared */
};

void map_free(struct map *m); /* with its drafts */
/* Its view of this kind; NULL: there is none. */
struct map_view *map_view_of(const struct map *m, enum match match, bool ignore_case);

#endif
