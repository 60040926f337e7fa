/* SPDX-License-Identifier: MIT */
/* Lines of a text protocol. A bare LF ends one too (RFC 9112 §2.2 allows it of a recipient). */
#ifndef LIBHEALTH_LINE_H
#define LIBHEALTH_LINE_H

#include "base/cursor.h"

enum line_found { LINE_NONE, LINE_WHOLE, LINE_TOO_LONG };

/*
 * Takes the next line; `ret` holds it without its end. LINE_NONE: its end is not there yet, and nothing
 * was taken. `max` is in bytes, the end included: a line without an end is too long once it reaches it.
 */
static inline enum line_found line_take(struct reader *r, size_t max, struct reader *ret)
{
	size_t left = reader_left(r), seen = left < max ? left : max;
	const uint8_t *lf = seen ? memchr(r->at, '\n', seen) : NULL;
	size_t len;

	if (!lf)
		return left < max ? LINE_NONE : LINE_TOO_LONG;
	len = (size_t)(lf - r->at);
	*ret = read_part(r, len);
	read_u8(r);
	if (len && ret->end[-1] == '\r')
		ret->end--;
	return LINE_WHOLE;
}

static inline bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static inline bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* 0 to 15, or -1. */
static inline int hex_digit(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Three digits, the status of HTTP, SMTP and their kin; the reader is bad when it is none. */
static inline uint16_t read_status(struct reader *r)
{
	uint16_t status = 0;

	for (int i = 0; i < 3; i++) {
		uint8_t c = read_u8(r);

		if (!is_digit(c))
			r->bad = true;
		status = (uint16_t)(status * 10 + c - '0');
	}
	return r->bad ? 0 : status;
}

/* Copies what fits of `r` to `text` of `size` bytes and ends it with 0. */
static inline void line_excerpt(const struct reader *r, char *text, size_t size)
{
	size_t left = reader_left(r), len = left < size ? left : size - 1;

	if (len)
		memcpy(text, r->at, len);
	text[len] = '\0';
}

#endif
