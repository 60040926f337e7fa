/* SPDX-License-Identifier: MIT */
/*
 * Open addressing, at most three quarters full. Hashes stand in the table: of many names that are looked for none is
 * in the caches, and only those that are found are looked at.
 */
#include "cfg/names.h"

#include <string.h>

#define SLOTS_MIN 64u

struct taken {
	const void *scope;
	const char *name;
	void *object;
};

struct slot {
	size_t hash; /* of scope and name */
	struct taken *taken; /* NULL: free */
};

struct cfg_names {
	size_t n, n_slots; /* a power of two */
	struct slot slot[];
};

const char cfg_scope_frontend = 'f', cfg_scope_backend = 'b';

static size_t hash_of(const void *scope, const char *name)
{
	uint64_t h = (uintptr_t)scope;

	for (; *name; name++) /* FNV-1a */
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 29);
}

/* The slot that has it, or the free one where the search for it ends. `name` NULL: whose hash no other has. */
static struct slot *search(struct cfg_names *t, size_t hash, const void *scope, const char *name)
{
	size_t i = hash & (t->n_slots - 1);

	for (;; i = (i + 1) & (t->n_slots - 1)) {
		const struct slot *s = &t->slot[i];

		if (!s->taken || (name && s->hash == hash && s->taken->scope == scope && !strcmp(s->taken->name, name)))
			return &t->slot[i];
	}
}

/* The old table stays in the configuration's memory: all of them together are as large as the last. */
static bool grow(struct cfg *c)
{
	struct cfg_names *old = c->names, *t;
	size_t n = old ? 2 * old->n_slots : SLOTS_MIN;

	t = cfg_alloc(c, sizeof(*t) + n * sizeof(t->slot[0]));
	if (!t)
		return false;
	t->n_slots = n;
	for (size_t i = 0; old && i < old->n_slots; i++)
		if (old->slot[i].taken)
			*search(t, old->slot[i].hash, NULL, NULL) = old->slot[i];
	t->n = old ? old->n : 0;
	c->names = t;
	return true;
}

void *cfg_names_find(const struct cfg *c, const void *scope, const char *name)
{
	const struct slot *s = c->names ? search(c->names, hash_of(scope, name), scope, name) : NULL;

	return s && s->taken ? s->taken->object : NULL;
}

void *cfg_names_take(struct cfg *c, const void *scope, const char *name, void *object)
{
	const size_t hash = hash_of(scope, name);
	struct slot *s;

	if ((!c->names || 4 * c->names->n >= 3 * c->names->n_slots) && !grow(c))
		return NULL;
	s = search(c->names, hash, scope, name);
	if (s->taken)
		return s->taken->object;
	s->taken = cfg_alloc(c, sizeof(*s->taken));
	if (!s->taken)
		return NULL;
	*s->taken = (struct taken){scope, name, object};
	s->hash = hash;
	c->names->n++;
	return object;
}
