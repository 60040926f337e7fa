/* SPDX-License-Identifier: MIT */
#include "rules/pattern_memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fnv1a.h"

struct remembered {
	uint64_t list; /* 0: none */
	uint32_t in_vain;
	uint8_t len;
	char text[PATTERN_MEMORY_TEXT];
};

struct memory {
	uint32_t mask;
	struct remembered at[][2]; /* each text has one place; the newer one is first */
};

static atomic_uint limit = PATTERN_MEMORY_SIZE;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int key_error;

void pattern_memory_limit(unsigned texts)
{
	atomic_store(&limit, texts < PATTERN_MEMORY_MAX ? texts : PATTERN_MEMORY_MAX);
}

uint64_t pattern_memory_list(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

static void make_key(void)
{
	key_error = pthread_key_create(&key, free);
}

/* NULL: there is none, or no memory. */
static struct memory *memory_of_thread(bool make)
{
	unsigned texts = atomic_load_explicit(&limit, memory_order_relaxed);
	struct memory *m;
	size_t sets = 1;

	if (texts < 2 || pthread_once(&once, make_key) || key_error)
		return NULL;
	m = pthread_getspecific(key);
	if (m || !make)
		return m;
	while (sets * 4 <= texts)
		sets *= 2;
	m = calloc(1, sizeof(*m) + sets * sizeof(m->at[0]));
	if (!m)
		return NULL;
	m->mask = (uint32_t)(sets - 1);
	if (!pthread_setspecific(key, m))
		return m;
	free(m);
	return NULL;
}

static struct remembered *place_of(struct memory *m, uint64_t list, struct text t)
{
	return m->at[(fnv1a(t.at, t.len) ^ (uint32_t)list * 2654435761u) & m->mask];
}

static bool is(const struct remembered *r, uint64_t list, struct text t)
{
	return r->list == list && r->len == t.len && !memcmp(r->text, t.at, t.len);
}

uint32_t pattern_memory_get(uint64_t list, struct text t)
{
	struct memory *m = t.len && t.len <= PATTERN_MEMORY_TEXT ? memory_of_thread(false) : NULL;
	const struct remembered *r = m ? place_of(m, list, t) : NULL;

	return !r ? 0 : is(&r[0], list, t) ? r[0].in_vain : is(&r[1], list, t) ? r[1].in_vain : 0;
}

void pattern_memory_put(uint64_t list, struct text t, uint32_t in_vain)
{
	struct memory *m = t.len && t.len <= PATTERN_MEMORY_TEXT ? memory_of_thread(true) : NULL;
	struct remembered *r = m ? place_of(m, list, t) : NULL;

	if (!r)
		return;
	if (!is(&r[0], list, t) && r[0].list)
		r[1] = r[0];
	r[0].list = list;
	r[0].in_vain = in_vain;
	r[0].len = (uint8_t)t.len;
	memcpy(r[0].text, t.at, t.len);
}
