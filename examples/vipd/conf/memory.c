/* SPDX-License-Identifier: MIT */
#include "conf/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__ /* tells of what was rewound and is read all the same */
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

#define CHUNK_SIZE 32768u /* whole pages, with its head */
#define ALIGNMENT 8u	  /* enough for pointers, 64 bits and double */

struct conf_chunk {
	struct conf_chunk *next;
	size_t used, size;
	_Alignas(ALIGNMENT) unsigned char bytes[];
};

size_t conf_memory_limit(const struct conf_memory *m)
{
	size_t limit = m->file_bytes * CONF_MEMORY_PER_BYTE;

	return limit < CONF_MEMORY_MAX	 ? CONF_MEMORY_MAX
	       : limit > CONF_MEMORY_TOP ? CONF_MEMORY_TOP
					 : limit;
}

void conf_memory_allow(struct conf_memory *m, size_t file_bytes)
{
	m->file_bytes += file_bytes < CONF_MEMORY_TOP ? file_bytes : CONF_MEMORY_TOP;
}

static struct conf_chunk *add_chunk(struct conf_memory *m, size_t need)
{
	struct conf_memory *all = m->parent ? m->parent : m;
	size_t size = (sizeof(struct conf_chunk) + need + CHUNK_SIZE - 1) / CHUNK_SIZE * CHUNK_SIZE;
	struct conf_chunk *c;

	all->too_large = all->used + size > conf_memory_limit(all);
	/*
	 * Not from the heap: what was only needed while reading goes back to the system, and no process
	 * that inherits the rest makes a copy of it by allocating beside it.
	 */
	c = all->too_large ? MAP_FAILED
			   : mmap(NULL, size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (c == MAP_FAILED)
		longjmp(*all->on_failure, 1);
	all->used += size;
	c->size = size - sizeof(*c);
	c->next = m->chunks;
	m->chunks = c;
	return c;
}

void *conf_alloc(struct conf_memory *m, size_t size)
{
	struct conf_chunk *c = m->chunks;
	void *p;

	if (size > SIZE_MAX / 2)
		longjmp(*(m->parent ? m->parent : m)->on_failure, 1);
	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (!c || c->size - c->used < size)
		c = add_chunk(m, size);
	p = c->bytes + c->used;
	c->used += size;
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	return p;
}

const char *conf_strndup(struct conf_memory *m, const char *s, size_t len)
{
	return memcpy(conf_alloc(m, len + 1), s, len);
}

const char *conf_strdup(struct conf_memory *m, const char *s)
{
	return conf_strndup(m, s, strlen(s));
}

const char *conf_printf(struct conf_memory *m, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return conf_strdup(m, text);
}

/* Doubles when n is a power of two, so that no capacity needs to be kept. */
void *conf_grow(struct conf_memory *m, void *array, size_t n, size_t size)
{
	void *bigger;

	if (n & (n - 1))
		return array;
	bigger = conf_alloc(m, (n ? 2 * n : 1) * size);
	if (n)
		memcpy(bigger, array, n * size);
	return bigger;
}

void conf_memory_rewind(struct conf_memory *m)
{
	struct conf_chunk *c = m->chunks;

	if (!c)
		return;
	for (const struct conf_chunk *more = c->next; more; more = more->next)
		(m->parent ? m->parent : m)->used -= sizeof(*more) + more->size;
	conf_chunks_free(c->next);
	c->next = NULL;
	memset(c->bytes, 0, c->used);
	ASAN_POISON_MEMORY_REGION(c->bytes, c->used);
	c->used = 0;
}

void conf_chunks_free(struct conf_chunk *chunks)
{
	while (chunks) {
		struct conf_chunk *next = chunks->next;

		ASAN_UNPOISON_MEMORY_REGION(chunks->bytes, chunks->size);
		munmap(chunks, sizeof(*chunks) + chunks->size);
		chunks = next;
	}
}
