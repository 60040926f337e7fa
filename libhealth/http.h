/* SPDX-License-Identifier: MIT */
/*
 * The HTTP/1 probe's parts: http_opts.c makes requests of options, http.c reads heads and holds the dialogue,
 * http_body.c reads bodies.
 */
#ifndef LIBHEALTH_HTTP_H
#define LIBHEALTH_HTTP_H

#include <libhealth/probe_http.h>

#include "line.h"
#include "match.h"
#include "reply.h"

struct http_field {
	enum health_http_match match;
	void *regex;
	char name[HEALTH_HTTP_HOST_MAX + 1]; /* in small letters */
	char value[HEALTH_HTTP_HOST_MAX + 1];
};

/*
 * One request, and what its answer has to be. What few ask for lies elsewhere: a host may have tens of thousands
 * of these.
 */
struct http_request {
	struct http_request *next;
	struct health_http_range status[HEALTH_HTTP_STATUS_MAX];
	size_t n_status;
	uint64_t flags;
	size_t n_fields;
	struct http_field *field;

	size_t body_max;
	bool wants_body;	  /* any of the following */
	struct match *body, *drain; /* NULL: none */
	bool keeps_body;	  /* regex or digest: the whole body is kept */
	void *regex;
	size_t regex_min, regex_max;
	struct health_regex regex_ops;
	bool has_digest;
	uint8_t digest[16];
	const struct health_crypto *crypto;

	size_t len;
	uint8_t *bytes;
};

/* Where in the answer the next byte stands. */
enum http_place { STATUS_LINE, FIELDS, LENGTH_BODY, OPEN_BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END };

struct http_state {
	const struct http_request *at; /* the request whose answer is read; NULL: the first */
	enum health_verdict verdict;   /* of the requests before; 0 for none: HEALTH_OK */

	/* of this answer */
	enum http_place place;
	uint16_t status;
	uint8_t interim; /* 1xx answers so far */
	uint8_t body_matched, drain_matched;
	bool has_body, drains, degraded, fails_now; /* what was seen */
	bool chunked, has_length;
	uint32_t fields_seen; /* a bit each */
	size_t head_bytes, body_bytes;
	uint64_t left; /* of the body, or of this chunk */
	uint8_t *kept; /* the body, in memory of the run */
	size_t kept_len;
	char text[HEALTH_TEXT_MAX];
};

/* What one step of the reader came to. */
enum http_next { WAIT, ON, OVER, AGAIN /* the next request */ };

struct http_run {
	struct http_state *s;
	const struct http_request *c;
	struct reader r;
	struct health_probe_io *io;
};

/* http.c */
enum http_next http_over(struct http_run *run, enum health_verdict verdict, enum health_code code,
			 const char *text);
enum http_next http_broken(struct http_run *run, const char *text);
/* This answer is as it should be: the verdict, or the next request. */
enum http_next http_good(struct http_run *run);

/* http_body.c */
enum http_next http_read_body(struct http_run *run);
/* There is no more of it; `whole` unless it was cut at body_max. */
enum http_next http_body_over(struct http_run *run, bool whole);

/* http_opts.c */
int http_setup(const void *opts, void **ret_config);
void http_teardown(void *config);

#endif
