/* SPDX-License-Identifier: MIT */
/* Memory of a configuration. It grows in chunks, each as large as all before: a small file takes little. */
#include "cfg/cfg.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGN 16u
#define CHUNK_MIN 4096u
#define CHUNK_MAX (2u << 20)

#ifdef __SANITIZE_ADDRESS__
#define CHUNKS false /* so that the sanitizer sees where each object ends */
#else
#define CHUNKS true
#endif

struct cfg_block {
	struct cfg_block *next;
	size_t size; /* with this head */
	bool mapped;
	_Alignas(ALIGN) char data[];
};

/* Its pages are made in one go: that costs half of a page fault for each. NULL: none. */
static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static struct cfg_block *block_new(struct cfg *c, size_t size)
{
	const bool mapped = size >= CHUNK_MAX / 4;
	struct cfg_block *b = mapped ? map(size) : calloc(1, size);

	if (!b)
		return NULL;
	b->size = size;
	b->mapped = mapped;
	b->next = c->memory;
	c->memory = b;
	return b;
}

static size_t chunk_size(const struct cfg *c)
{
	if (c->memory_used < CHUNK_MIN)
		return CHUNK_MIN;
	return c->memory_used < CHUNK_MAX ? c->memory_used : CHUNK_MAX;
}

void *cfg_alloc(struct cfg *c, size_t size)
{
	struct cfg_block *b;
	size_t chunk;
	void *p;

	c->too_large |= size > CFG_MEMORY_MAX - ALIGN || size + ALIGN > CFG_MEMORY_MAX - c->memory_used;
	if (c->too_large)
		return NULL;
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (size <= c->memory_left) {
		p = c->memory_free;
		c->memory_free += size;
		c->memory_left -= size;
		c->memory_used += size;
		return p;
	}
	chunk = chunk_size(c);
	if (!CHUNKS || size > chunk / 4) { /* by itself; the rest of the last chunk is used on */
		b = block_new(c, sizeof(*b) + size);
	} else {
		b = block_new(c, chunk);
		c->memory_free = b ? b->data + size : NULL;
		c->memory_left = b ? chunk - sizeof(*b) - size : 0;
	}
	c->memory_used += b ? size : 0;
	return b ? b->data : NULL;
}

void cfg_memory_apart(struct cfg *copy)
{
	copy->refs = 0;
	copy->memory = NULL;
	copy->memory_free = NULL;
	copy->memory_left = copy->memory_used = 0;
	copy->ends = NULL;
}

const char *cfg_strdup(struct cfg *c, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = cfg_alloc(c, size);

	return copy ? memcpy(copy, text, size) : NULL;
}

struct cfg_end {
	struct cfg_end *next;
	void (*fn)(void *object);
	void *object;
};

bool cfg_at_end(struct cfg *c, void (*fn)(void *object), void *object)
{
	struct cfg_end *e = cfg_alloc(c, sizeof(*e));

	if (!e) {
		fn(object);
		return false;
	}
	*e = (struct cfg_end){c->ends, fn, object};
	c->ends = e;
	return true;
}

void cfg_free(struct cfg *c)
{
	if (!c || c->refs--)
		return;
	for (const struct cfg_end *e = c->ends; e; e = e->next)
		e->fn(e->object);
	while (c->memory) {
		struct cfg_block *b = c->memory;

		c->memory = b->next;
		if (b->mapped)
			munmap(b, b->size);
		else
			free(b);
	}
	free(c);
}

struct cfg *cfg_hold(struct cfg *c)
{
	c->refs++;
	return c;
}
