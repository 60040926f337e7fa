/* SPDX-License-Identifier: MIT */
/*
 * The allocation seam: nothing else in the libraries calls the malloc family. Memory comes zeroed and a
 * failure is NULL, which the caller returns as -ENOMEM. Tests replace calloc, reallocarray and free with
 * the linker's --wrap, to fail the nth allocation and to count them.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdlib.h>
#include <string.h>

static inline void *mem_zalloc(size_t size)
{
	return calloc(1, size);
}

/* n elements; an overflow of n * size is a failure. */
static inline void *mem_array(size_t n, size_t size)
{
	return calloc(n, size);
}

/* Grows or shrinks an array; new elements are not zeroed. On failure the old array stays. */
static inline void *mem_regrow(void *p, size_t n, size_t size)
{
	return reallocarray(p, n, size);
}

static inline void *mem_dup(const void *src, size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (p && size)
		memcpy(p, src, size);
	return p;
}

static inline char *mem_strdup(const char *s)
{
	return mem_dup(s, strlen(s) + 1);
}

static inline void mem_free(void *p)
{
	free(p);
}

/* For secrets: wiped so that the compiler cannot leave it out, then freed. */
static inline void mem_wipe_free(void *p, size_t size)
{
	if (p)
		explicit_bzero(p, size);
	free(p);
}

#endif
