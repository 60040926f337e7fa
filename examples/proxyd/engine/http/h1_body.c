/* SPDX-License-Identifier: MIT */
/* Bodies: how many bytes, and a decoder of chunks that takes any pieces (RFC 9112, section 7.1). */
#include "h1.h"

#include <string.h>

#include "h1_scan.h"

#define SIZE_DIGITS_MAX 15 /* hexadecimal; so that no size reaches 2^63 */

void h1_body_begin(struct h1_body *b, const struct http_msg *m)
{
	*b = (struct h1_body){
	    .framing = m->framing,
	    .left = m->framing == HTTP_BODY_LENGTH ? m->length : 0,
	    .done = m->framing == HTTP_BODY_NONE,
	    .lenient = m->is_response,
	};
}

bool h1_body_ended(const struct h1_body *b)
{
	return b->done || b->framing == HTTP_BODY_CLOSE || b->framing == HTTP_BODY_TUNNEL;
}

uint64_t h1_body_ahead(const struct h1_body *b)
{
	if (b->done || b->fault)
		return 0;
	switch (b->framing) {
	case HTTP_BODY_LENGTH:
		return b->left;
	case HTTP_BODY_CHUNKED:
		return b->state == H1_CHUNK_DATA ? b->left : 0;
	case HTTP_BODY_CLOSE:
		return UINT64_MAX;
	case HTTP_BODY_NONE:
	case HTTP_BODY_TUNNEL:
		break;
	}
	return 0;
}

void h1_body_skip(struct h1_body *b, uint64_t n)
{
	if (b->framing == HTTP_BODY_CLOSE)
		return;
	b->left -= n;
	if (b->left)
		return;
	if (b->framing == HTTP_BODY_CHUNKED)
		b->state = H1_CHUNK_DATA_CR;
	else
		b->done = true;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Fields that say where a message ends or whom it is for have no place in a trailer. */
static bool is_forbidden(const char *name, size_t len)
{
	return http_id_of(name, len) != HTTP_ID_OTHER;
}

static enum h1_fault next_state(struct h1_body *b, enum h1_chunk_state state)
{
	b->state = state;
	return H1_FAULT_NONE;
}

static enum h1_fault expect(struct h1_body *b, char c, char wanted, enum h1_chunk_state state,
			    enum h1_fault otherwise)
{
	return c == wanted ? next_state(b, state) : otherwise;
}

/* Some servers fill the line up with blanks. Of clients that is an attempt to be read in two ways. */
static enum h1_fault feed_behind_size(struct h1_body *b, char c)
{
	if (c == ';')
		return next_state(b, H1_CHUNK_EXTENSION);
	if (b->lenient && (c == ' ' || c == '\t'))
		return ++b->line <= H1_EXTENSION_MAX ? next_state(b, H1_CHUNK_BLANK) : H1_FAULT_CHUNK_EXTENSION;
	return expect(b, c, '\r', H1_CHUNK_SIZE_LF, H1_FAULT_CHUNK_SIZE);
}

static enum h1_fault feed_size(struct h1_body *b, char c)
{
	int digit = digit_of(c);

	if (digit >= 0) {
		if (b->state == H1_CHUNK_SIZE)
			b->left = b->digits = b->line = 0;
		if (++b->digits > SIZE_DIGITS_MAX)
			return H1_FAULT_CHUNK_SIZE;
		b->left = b->left << 4 | (uint64_t)digit;
		return next_state(b, H1_CHUNK_DIGITS);
	}
	if (b->state == H1_CHUNK_SIZE)
		return H1_FAULT_CHUNK_SIZE;
	return feed_behind_size(b, c);
}

static enum h1_fault feed_extension(struct h1_body *b, char c)
{
	if (c == '\r')
		return next_state(b, H1_CHUNK_SIZE_LF);
	return h1_is_value((unsigned char)c) && ++b->line <= H1_EXTENSION_MAX
		   ? H1_FAULT_NONE
		   : H1_FAULT_CHUNK_EXTENSION;
}

static enum h1_fault feed_trailer_name(struct h1_body *b, char c)
{
	if (c == ':') {
		if (!b->line || (b->line <= sizeof(b->name) && is_forbidden(b->name, b->line)))
			return H1_FAULT_TRAILER;
		return next_state(b, H1_CHUNK_TRAILER_VALUE);
	}
	if (!h1_is_token((unsigned char)c))
		return H1_FAULT_TRAILER;
	if (b->line < sizeof(b->name))
		b->name[b->line] = c;
	b->line++;
	return H1_FAULT_NONE;
}

static enum h1_fault feed_trailer(struct h1_body *b, char c)
{
	if (++b->trailer_bytes > H1_TRAILER_MAX)
		return H1_FAULT_TRAILER;
	switch (b->state) {
	case H1_CHUNK_TRAILER:
		if (c == '\r')
			return next_state(b, H1_CHUNK_LAST_LF);
		if (++b->trailer_fields > H1_TRAILER_FIELDS)
			return H1_FAULT_TRAILER;
		b->line = 0;
		b->state = H1_CHUNK_TRAILER_NAME;
		return feed_trailer_name(b, c);
	case H1_CHUNK_TRAILER_NAME:
		return feed_trailer_name(b, c);
	case H1_CHUNK_TRAILER_VALUE:
		if (c == '\r')
			return next_state(b, H1_CHUNK_TRAILER_LF);
		return h1_is_value((unsigned char)c) ? H1_FAULT_NONE : H1_FAULT_TRAILER;
	case H1_CHUNK_TRAILER_LF:
		return expect(b, c, '\n', H1_CHUNK_TRAILER, H1_FAULT_TRAILER);
	default:
		b->done = c == '\n';
		return b->done ? H1_FAULT_NONE : H1_FAULT_TRAILER;
	}
}

/* One byte that is not data. */
static enum h1_fault feed_framing(struct h1_body *b, char c)
{
	switch (b->state) {
	case H1_CHUNK_SIZE:
	case H1_CHUNK_DIGITS:
		return feed_size(b, c);
	case H1_CHUNK_BLANK:
		return feed_behind_size(b, c);
	case H1_CHUNK_EXTENSION:
		return feed_extension(b, c);
	case H1_CHUNK_SIZE_LF:
		return expect(b, c, '\n', b->left ? H1_CHUNK_DATA : H1_CHUNK_TRAILER,
			      H1_FAULT_CHUNK_SIZE);
	case H1_CHUNK_DATA_CR:
		return expect(b, c, '\r', H1_CHUNK_DATA_LF, H1_FAULT_CHUNK_END);
	case H1_CHUNK_DATA_LF:
		return expect(b, c, '\n', H1_CHUNK_SIZE, H1_FAULT_CHUNK_END);
	default:
		return feed_trailer(b, c);
	}
}

static size_t min(uint64_t left, size_t len)
{
	return left < len ? (size_t)left : len;
}

static size_t feed_chunks(struct h1_body *b, const char *data, size_t len,
			  struct http_span *ret_payload)
{
	size_t at = 0;

	while (at < len && !b->done && !b->fault) {
		if (b->state == H1_CHUNK_DATA) {
			size_t n = min(b->left, len - at);

			if (ret_payload)
				*ret_payload = (struct http_span){(uint32_t)at, (uint32_t)n};
			at += n;
			h1_body_skip(b, n);
			if (ret_payload)
				break;
		} else {
			b->fault = feed_framing(b, data[at]);
			at += !b->fault;
		}
	}
	return at;
}

size_t h1_body_feed(struct h1_body *b, const char *data, size_t len, struct http_span *ret_payload)
{
	size_t n = len;

	if (ret_payload)
		*ret_payload = (struct http_span){0, 0};
	if (b->done || b->fault)
		return 0;
	if (b->framing == HTTP_BODY_CHUNKED)
		return feed_chunks(b, data, len, ret_payload);
	if (b->framing == HTTP_BODY_LENGTH) {
		n = min(b->left, len);
		h1_body_skip(b, n);
	}
	if (ret_payload)
		*ret_payload = (struct http_span){0, (uint32_t)n};
	return n;
}
