/* SPDX-License-Identifier: MIT */
/*
 * Fails the nth allocation (base/mem.h). Link with -Wl,--wrap=calloc,--wrap=reallocarray; include in one
 * file of a test program.
 */
#ifndef TEST_SERVICE_FAIL_H
#define TEST_SERVICE_FAIL_H

#include <stddef.h>

static long fail_in = -1; /* so many allocations succeed, then one fails; below 0: all succeed */

void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return fail_in >= 0 && fail_in-- == 0 ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fail_in >= 0 && fail_in-- == 0 ? NULL : __real_reallocarray(p, n, size);
}

#endif
