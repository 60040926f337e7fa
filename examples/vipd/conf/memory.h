/* SPDX-License-Identifier: MIT */
/*
 * Memory of a configuration: taken in pieces, given back as a whole. There is one place to leave
 * from when there is none left (conf_load's setjmp), so that a reader of forty keywords need not
 * carry -ENOMEM through each.
 */
#ifndef VIPD_CONF_MEMORY_H
#define VIPD_CONF_MEMORY_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

#include "diag.h"

struct conf_chunk;

#define CONF_MEMORY_MAX (56u << 20) /* bytes that reading a configuration may need; */
#define CONF_MEMORY_PER_BYTE 20	    /* or so many for each byte of its files, if that is more: */
#define CONF_MEMORY_TOP \
	(1u << 30) /* what macros make, and a file that names itself, are not counted */

struct conf_memory {
	struct conf_chunk *chunks;
	jmp_buf *on_failure;
	struct conf_memory *parent; /* fails and is counted with it; NULL: none */
	size_t used;		    /* with that of children */
	size_t file_bytes;	    /* of all files that were read, each once */
	bool too_large;		    /* why it failed: the limit */
	struct diag_place at;	    /* the line that is read now */
};

/* A file of so many bytes will be read: see CONF_MEMORY_PER_BYTE. */
void conf_memory_allow(struct conf_memory *m, size_t file_bytes);
size_t conf_memory_limit(const struct conf_memory *m);

/* Zeroed; never NULL. */
void *conf_alloc(struct conf_memory *m, size_t size);
const char *conf_strdup(struct conf_memory *m, const char *s);
const char *conf_strndup(struct conf_memory *m, const char *s, size_t len);
/* At most 511 characters. */
__attribute__((format(printf, 2, 3))) const char *conf_printf(struct conf_memory *m,
							      const char *format, ...);

/* Room for one more element behind `n` of them: returns the array, perhaps elsewhere. */
void *conf_grow(struct conf_memory *m, void *array, size_t n, size_t size);
void conf_chunks_free(struct conf_chunk *chunks);
/* Gives up all that was allocated; a chunk stays for what comes next. */
void conf_memory_rewind(struct conf_memory *m);

#endif
