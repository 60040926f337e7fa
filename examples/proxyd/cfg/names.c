/* SPDX-License-Identifier: MIT */
#include "cfg/names.h"

#include <string.h>

#define BUCKETS_MIN 64u

struct entry {
	struct entry *next; /* of its bucket, oldest first */
	const void *scope;
	size_t hash; /* of both: spares looking at most names that are others */
	const char *name;
	void *object;
};

struct cfg_names {
	size_t n, n_buckets; /* a power of two */
	struct entry *bucket[];
};

const char cfg_scope_frontend = 'f', cfg_scope_backend = 'b';

static size_t hash_of(const void *scope, const char *name)
{
	uint64_t h = (uintptr_t)scope;

	for (; *name; name++) /* FNV-1a */
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 29);
}

static struct entry **bucket_of(struct cfg_names *t, size_t hash)
{
	return &t->bucket[hash & (t->n_buckets - 1)];
}

static void insert(struct cfg_names *t, struct entry *e)
{
	struct entry **at = bucket_of(t, e->hash);

	while (*at)
		at = &(*at)->next;
	e->next = NULL;
	*at = e;
	t->n++;
}

/* The old table stays in the configuration's memory: all of them together are as large as the last. */
static bool grow(struct cfg *c)
{
	struct cfg_names *old = c->names, *t;
	size_t n = old ? 2 * old->n_buckets : BUCKETS_MIN;

	t = cfg_alloc(c, sizeof(*t) + n * sizeof(t->bucket[0]));
	if (!t)
		return false;
	t->n_buckets = n;
	for (size_t i = 0; old && i < old->n_buckets; i++)
		for (struct entry *e = old->bucket[i], *next; e; e = next) {
			next = e->next;
			insert(t, e);
		}
	c->names = t;
	return true;
}

void *cfg_names_find(const struct cfg *c, const void *scope, const char *name)
{
	const size_t hash = hash_of(scope, name);
	const struct entry *e = c->names ? *bucket_of(c->names, hash) : NULL;

	while (e && (e->hash != hash || e->scope != scope || strcmp(e->name, name) != 0))
		e = e->next;
	return e ? e->object : NULL;
}

bool cfg_names_add(struct cfg *c, const void *scope, const char *name, void *object)
{
	struct entry *e = cfg_alloc(c, sizeof(*e));

	if (!e || ((!c->names || c->names->n >= c->names->n_buckets) && !grow(c)))
		return false;
	*e = (struct entry){NULL, scope, hash_of(scope, name), name, object};
	insert(c->names, e);
	return true;
}
