/* SPDX-License-Identifier: MIT */
/*
 * Memory that starts at a cache line of its own, so that what one thread writes does not slow another.
 * Made of base/mem.h's zeroed memory with room to move up; the word before the line remembers where it
 * began.
 */
#ifndef LIBSCHED_LINE_H
#define LIBSCHED_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

#define LINE_BYTES 64

/*
 * The line is to be there, and nobody else's, soon. What the compiler makes of a prefetch for writing asks for reading
 * alone unless it may assume a newer processor; one without this instruction takes it for none.
 */
static inline void line_call_for_writing(const void *at)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)at));
#else
	__builtin_prefetch(at, 1);
#endif
}

/* Zeroed; at least one byte. NULL when there is none, or size is absurd. */
static inline void *line_alloc(size_t size)
{
	char *raw, *at;

	if (size > SIZE_MAX / 2)
		return NULL;
	raw = mem_zalloc(size + LINE_BYTES + sizeof(raw));
	if (!raw)
		return NULL;
	at = raw + sizeof(raw);
	at += -(uintptr_t)at % LINE_BYTES;
	memcpy(at - sizeof(raw), &raw, sizeof(raw));
	return at;
}

static inline void line_free(void *at)
{
	char *raw;

	if (!at)
		return;
	memcpy(&raw, (char *)at - sizeof(raw), sizeof(raw));
	mem_free(raw);
}

#endif
