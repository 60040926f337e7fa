/* SPDX-License-Identifier: MIT */
/*
 * Where a ring's lines are: memory, or a file that is mapped, so that they are there when the process is not. The file begins
 * with a struct ring_head; behind it each line is its length (32 bits, as this machine has it) and its bytes, at its place modulo
 * the size.
 */
#ifndef PROXYD_ENGINE_LOG_RING_MEMORY_H
#define PROXYD_ENGINE_LOG_RING_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct ring_head {
	char magic[8]; /* "HawsRing" */
	uint64_t size; /* bytes behind this head */
	uint64_t begin, end; /* the oldest line, and where the next one will be */
};

struct ring_memory {
	char *bytes;
	struct ring_head *head; /* NULL: of no file */
};

/* A file that is there becomes FILE.bak. `file` NULL: none. 0 or -errno. */
int ring_memory_new(const char *file, size_t size, struct ring_memory *ret);
void ring_memory_free(struct ring_memory *m);

#endif
