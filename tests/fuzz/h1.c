/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1 heads and chunked bodies of any bytes. A part of a head shows nothing that the whole does
 * not; what was read and written again is read the same; a body decodes alike in any two pieces.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/http/h1.h"

#define ROOM 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What lies ahead may be left unseen. */
static size_t rest(struct h1_body *b, const char *text, size_t len)
{
	uint64_t ahead = h1_body_ahead(b);
	size_t n = ahead < len ? (size_t)ahead : len;

	if (n)
		h1_body_skip(b, n);
	return n + h1_body_feed(b, text + n, len - n, NULL);
}

/* In memory of its exact size, so that a sanitizer sees a read past it. */
static ssize_t parse(struct http_msg *m, char **ret_base, const uint8_t *data, size_t size,
		     bool response, bool lenient)
{
	char *base = malloc(ROOM + size);

	assert(base);
	if (size)
		memcpy(base + ROOM, data, size);
	h1_begin(m, base, 0, ROOM);
	m->lenient = lenient;
	*ret_base = base;
	return response ? h1_response(m, ROOM, (uint32_t)size, HTTP_METHOD_GET, true)
			: h1_request(m, ROOM, (uint32_t)size);
}

static void spans_are_inside(const struct http_msg *m, size_t end)
{
	for (unsigned i = 0; i < m->n_fields; i++) {
		assert(m->field[i].name.len && m->field[i].name.at >= ROOM);
		assert(m->field[i].value.at + m->field[i].value.len <= end);
	}
	if (!m->is_response) {
		assert(m->target.len && http_path(m).len + http_query(m).len <= m->target.len);
		assert(http_query(m).at + http_query(m).len <= m->target.at + m->target.len);
	}
}

static void is_read_again_the_same(const struct http_msg *m, bool response, bool lenient)
{
	char out[2 * HTTP_HEAD_MAX], *base;
	ssize_t n = http_write(m, out, sizeof(out)), again;
	struct http_msg second;

	assert(n > 0);
	again = parse(&second, &base, (uint8_t *)out, (size_t)n, response, lenient);
	/* A space behind each colon may make it too large. */
	if (again != -H1_FAULT_TOO_LARGE) {
		assert(again == n);
		assert(second.framing == m->framing && second.length == m->length);
		assert(second.keep_alive >= m->keep_alive && second.n_fields == m->n_fields);
		assert(!second.edited);
	}
	free(base);
}

static void head(const uint8_t *data, size_t size, bool response, bool lenient)
{
	struct http_msg m, part;
	char *base, *part_base;
	ssize_t n = parse(&m, &base, data, size, response, lenient);
	size_t step = size > 512 ? 97 : 1;

	for (size_t split = 0; split < size; split += step) {
		ssize_t got = parse(&part, &part_base, data, split, response, lenient);

		assert(got == n || got == 0);
		assert(got <= 0 || (size_t)got <= split);
		free(part_base);
	}
	if (n > 0) {
		spans_are_inside(&m, ROOM + (size_t)n);
		is_read_again_the_same(&m, response, lenient);
	}
	free(base);
}

static void body(const uint8_t *data, size_t size)
{
	static const struct http_msg chunked = {.framing = HTTP_BODY_CHUNKED};
	const char *text = (const char *)data;
	struct h1_body whole;
	size_t n, step = size > 512 ? 97 : 1;

	h1_body_begin(&whole, &chunked);
	n = h1_body_feed(&whole, text, size, NULL);
	assert(n <= size);
	for (size_t split = 0; split < size; split += step) {
		struct h1_body b;
		size_t at;

		h1_body_begin(&b, &chunked);
		at = h1_body_feed(&b, text, split, NULL);
		if (at == split)
			at += rest(&b, text + at, size - at);
		assert(at == n && b.done == whole.done && b.fault == whole.fault);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > 32768)
		return 0;
	switch (data[0] % 3) {
	case 0:
		head(data + 1, size - 1, false, data[0] & 128);
		break;
	case 1:
		head(data + 1, size - 1, true, data[0] & 128);
		break;
	case 2:
		body(data + 1, size - 1);
	}
	return 0;
}
