/* SPDX-License-Identifier: MIT */
/*
 * Bytes of a protocol, read from front to back; a read past the end says so and gives zeros. Likewise written: what finds no
 * room says so, and is left out. Pure.
 */
#ifndef PROXYD_RULES_BYTES_H
#define PROXYD_RULES_BYTES_H

#include <string.h>

#include "rules/sample.h"

struct input {
	const uint8_t *at, *end;
	bool is_short;
};

static inline struct input input_of(struct text t)
{
	const uint8_t *at = (const uint8_t *)t.at;

	return (struct input){at, at + t.len, false};
}

static inline size_t input_left(const struct input *in)
{
	return (size_t)(in->end - in->at);
}

/* NULL: there are not so many. */
static inline const uint8_t *take_bytes(struct input *in, size_t n)
{
	const uint8_t *p = in->at;

	if (n > input_left(in)) {
		in->is_short = true;
		in->at = in->end;
		return NULL;
	}
	in->at += n;
	return p;
}

/* The next `n`, as an input of their own. */
static inline struct input take_part(struct input *in, size_t n)
{
	const uint8_t *p = take_bytes(in, n);

	return p ? (struct input){p, p + n, false} : (struct input){in->end, in->end, true};
}

/* In network order. */
static inline uint32_t take_number(struct input *in, size_t bytes)
{
	const uint8_t *p = take_bytes(in, bytes);
	uint32_t n = 0;

	for (size_t i = 0; p && i < bytes; i++)
		n = n << 8 | p[i];
	return n;
}

/* With a length of so many bytes before it. */
static inline struct input take_vector(struct input *in, size_t length_bytes)
{
	return take_part(in, take_number(in, length_bytes));
}

static inline struct text text_in(struct input in)
{
	return text_of((const char *)in.at, (size_t)(in.end - in.at));
}

struct output {
	uint8_t *start, *at, *end;
	bool is_full;
};

static inline struct output output_of(void *at, size_t cap)
{
	uint8_t *p = at;

	return (struct output){p, p, cap ? p + cap : p, false};
}

static inline size_t output_len(const struct output *out)
{
	return (size_t)(out->at - out->start);
}

static inline void put_bytes(struct output *out, const void *from, size_t n)
{
	if (n > (size_t)(out->end - out->at))
		out->is_full = true;
	if (out->is_full || !n)
		return;
	memcpy(out->at, from, n);
	out->at += n;
}

/* In network order. */
static inline void put_number(struct output *out, uint32_t n, size_t bytes)
{
	uint8_t text[4];

	for (size_t i = 0; i < bytes; i++)
		text[i] = (uint8_t)(n >> 8 * (bytes - 1 - i));
	put_bytes(out, text, bytes);
}

#endif
