/* SPDX-License-Identifier: MIT */
/* A head in memory, read by the parser; shared by test_h1.c, test_h1_edit.c and test_h1_body.c. */
#ifndef TEST_H1_RIG_H
#define TEST_H1_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#include "engine/http/h1.h"

#define ROOM 4096u
#define CRLF "\r\n"
#define HOST "Host: a" CRLF
/* A literal may hold NUL, so its length goes with it. */
#define TEXT(s) (s), sizeof(s) - 1

struct rig {
	struct http_msg m;
	char *base;
};

/* The text lies at the very end of the memory: a read past it is seen by the sanitizers. */
static inline void put(struct rig *r, const char *text, size_t len)
{
	r->base = malloc(ROOM + len);
	assert_non_null(r->base);
	memcpy(r->base + ROOM, text, len);
	h1_begin(&r->m, r->base, 0, ROOM);
}

static inline ssize_t ask(struct rig *r, const char *text, size_t len)
{
	put(r, text, len);
	return h1_request(&r->m, ROOM, (uint32_t)len);
}

static inline ssize_t answer(struct rig *r, const char *text, size_t len, enum http_method asked)
{
	put(r, text, len);
	return h1_response(&r->m, ROOM, (uint32_t)len, asked, false);
}

static inline void assert_span(const struct http_msg *m, struct http_span s, const char *text)
{
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(http_text(m, s), text, s.len);
}

static inline void assert_written(const struct http_msg *m, const char *text)
{
	char out[8192];
	ssize_t n = http_write(m, out, sizeof(out));

	assert_int_equal(n, strlen(text));
	assert_memory_equal(out, text, (size_t)n);
}

struct refused {
	const char *text;
	size_t len;
	enum h1_fault fault;
};

#endif
