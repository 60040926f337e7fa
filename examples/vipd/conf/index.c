/* SPDX-License-Identifier: MIT */
#include "conf/index.h"

#include <stdint.h>
#include <string.h>

#define FIRST_SIZE 64u

/* FNV-1a. */
static size_t hash(const void *key, size_t len)
{
	const unsigned char *at = key;
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		h = (h ^ at[i]) * UINT64_C(1099511628211);
	return (size_t)(h ^ h >> 32);
}

/* The entry of the key, or the free one where it belongs. */
static struct conf_index_entry *slot(const struct conf_index *ix, const void *key, size_t len)
{
	size_t at = hash(key, len);

	for (;; at++) {
		struct conf_index_entry *e = &ix->entry[at & (ix->size - 1)];

		if (!e->key || (e->len == len && !memcmp(e->key, key, len)))
			return e;
	}
}

void conf_index_clear(struct conf_index *ix)
{
	if (ix->n)
		memset(ix->entry, 0, ix->size * sizeof(*ix->entry));
	ix->n = 0;
}

void *conf_index_find(const struct conf_index *ix, const void *key, size_t len)
{
	return ix->n ? slot(ix, key, len)->value : NULL;
}

void *conf_index_find_name(const struct conf_index *ix, const char *name)
{
	return conf_index_find(ix, name, strlen(name));
}

static void grow(struct conf_memory *m, struct conf_index *ix)
{
	struct conf_index bigger = {.n = ix->n, .size = ix->size ? 2 * ix->size : FIRST_SIZE};

	bigger.entry = conf_alloc(m, bigger.size * sizeof(*bigger.entry));
	for (size_t i = 0; i < ix->size; i++)
		if (ix->entry[i].key)
			*slot(&bigger, ix->entry[i].key, ix->entry[i].len) = ix->entry[i];
	*ix = bigger;
}

void conf_index_reserve(struct conf_memory *m, struct conf_index *ix, size_t n)
{
	size_t size = FIRST_SIZE;

	while (3 * size < 4 * n)
		size *= 2;
	*ix = (struct conf_index){.size = size, .entry = conf_alloc(m, size * sizeof(*ix->entry))};
}

void *conf_index_add(struct conf_memory *m, struct conf_index *ix, const void *key, size_t len,
		     void *value)
{
	struct conf_index_entry *e;

	if (4 * ix->n >= 3 * ix->size)
		grow(m, ix);
	e = slot(ix, key, len);
	if (e->key)
		return e->value;
	*e = (struct conf_index_entry){key, len, value};
	ix->n++;
	return NULL;
}

void *conf_index_add_name(struct conf_memory *m, struct conf_index *ix, const char *name,
			  void *value)
{
	return conf_index_add(m, ix, name, strlen(name), value);
}

void conf_index_set_name(struct conf_memory *m, struct conf_index *ix, const char *name,
			 void *value)
{
	if (conf_index_add_name(m, ix, name, value))
		slot(ix, name, strlen(name))->value = value;
}

void *conf_keep_once(struct conf_memory *memory, struct conf_memory *scratch, struct conf_known *k,
		     const void *what, size_t size, size_t compared)
{
	if (k->last && !memcmp(k->last, what, compared))
		return k->last;
	k->last = conf_index_find(&k->index, what, compared);
	if (!k->last) {
		k->last = memcpy(conf_alloc(memory, size), what, size);
		conf_index_add(scratch, &k->index, k->last, compared, k->last);
	}
	return k->last;
}
