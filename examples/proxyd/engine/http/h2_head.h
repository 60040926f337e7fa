/* SPDX-License-Identifier: MIT */
/*
 * A request's fields, as HTTP/2 has them (RFC 9113, section 8.3), written as a head of HTTP/1.1: what reads that, decides on
 * its framing and refuses what is ambiguous is the same for both versions. Pure.
 */
#ifndef PROXYD_ENGINE_HTTP_H2_HEAD_H
#define PROXYD_ENGINE_HTTP_H2_HEAD_H

#include <stdbool.h>

#include "msg.h"

enum h2_pseudo {
	H2_METHOD,
	H2_SCHEME,
	H2_AUTHORITY,
	H2_PATH,
	H2_PSEUDO_COUNT_,
};

/* Zero is one that nothing has come of. */
struct h2_head {
	char *text; /* our own: what the pseudo-header fields say, then the head from `start` on */
	uint32_t len, cap;
	uint32_t max; /* bytes of the head; what is longer is cut there */
	uint64_t came; /* bytes of fields, as SETTINGS_MAX_HEADER_LIST_SIZE counts them */
	struct http_span pseudo[H2_PSEUDO_COUNT_];
	uint32_t start;	     /* 0: only pseudo-header fields came */
	uint32_t cookie_end; /* of the line `cookie`: it is one, however many fields there were; 0: none */
	bool has_length;     /* a Content-Length */
	bool is_malformed;   /* what would be another head as text (RFC 9113, section 10.3) */
};

/* `max`: bytes of the head. */
void h2_head_begin(struct h2_head *h, uint32_t max);

/* A field comes, be it of a head or of trailers. False: so long a list is not worth reading to its end. */
bool h2_head_expect(struct h2_head *h, size_t name_len, size_t value_len);

/* The next field. False: no memory. */
bool h2_head_field(struct h2_head *h, const char *name, size_t name_len, const char *value, size_t value_len);

/* That was all. `has_body`: it is in chunks, unless a field says its length. False: no memory. */
bool h2_head_end(struct h2_head *h, bool has_body);

void h2_head_free(struct h2_head *h);

#endif
