/* SPDX-License-Identifier: MIT */
/*
 * Counts the allocations of base/mem.h and fails the nth. Include in one file of a test program, and link that
 * with `fail_memory` (tests/unit/meson.build).
 */
#ifndef TEST_FAIL_MEMORY_H
#define TEST_FAIL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

static long fail_in = -1; /* so many allocations succeed, then one fails; below 0: all succeed */
static size_t allocations, allocated_bytes;

void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static bool memory_fails(size_t n, size_t size)
{
	allocations++;
	allocated_bytes += n * size;
	return fail_in >= 0 && fail_in-- == 0;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return memory_fails(n, size) ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return memory_fails(n, size) ? NULL : __real_reallocarray(p, n, size);
}

#endif
