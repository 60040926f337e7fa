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
	bool apart; /* behind the end of the key stands the pattern: of a host's name its address */
	uint32_t next; /* of its bucket: 1 + place; 0: none */
};

struct map_view {
	struct map_view *next;
	struct map *map;
	struct patterns patterns;
	bool fills; /* groups of the expression into the value */
};

struct map {
	struct map *next, *next_given;
	char *name, *uses; /* uses NULL: none yet */
	unsigned id;
	bool has_values, is_loaded, id_given;
	const struct patterns *written; /* of an ACL's line; NULL: of a file */
	_Atomic bool *changed;		/* of those: now it is the entries that count */
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

struct map *map_new(struct rule_shared *s, const char *name); /* the last one; NULL: no memory */
void map_free(struct map *m); /* with its drafts */
/* Like map_add(), where `pattern` is what the key stands for. */
bool map_add_apart(struct map *m, const char *key, const char *pattern, struct rule_error *e);
/* map_inline.c: one that nobody has changed, and its patterns. */
bool map_is_as_written(const struct map *m);
void map_each_written(const struct map *m, bool (*fn)(void *userdata, uint64_t id, const char *key, const char *value), void *userdata);
/* Its view of this kind; NULL: there is none. */
struct map_view *map_view_of(const struct map *m, enum match match, bool ignore_case);

#endif
