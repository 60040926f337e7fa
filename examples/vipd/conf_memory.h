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

#define CONF_MEMORY_MAX (56u << 20) /* bytes that reading a configuration may need */

struct conf_memory {
	struct conf_chunk *chunks;
	jmp_buf *on_failure;
	struct conf_memory *parent; /* fails and is counted with it; NULL: none */
	size_t used;		    /* with that of children */
	bool too_large;		    /* why it failed: CONF_MEMORY_MAX */
	struct diag_place at;	    /* the line that is read now */
};

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

#endif
