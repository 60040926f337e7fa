/* SPDX-License-Identifier: MIT */
/*
 * The HTTP/1 probe: one request, and a judgement by the status and, if asked, by a text in the body
 * (keepalived's HTTP_GET, HAProxy's `option httpchk`).
 *
 *	probe                                   server
 *	GET /health HTTP/1.1
 *	Host: www.example.com
 *	User-Agent: libhealth
 *	Connection: close
 *	                                ──►
 *	                                ◄──     HTTP/1.1 200 OK … [body]
 *
 * The verdict stands when the head is whole, or, with `body`, when the text was seen or cannot come
 * any more. Interim answers (1xx) are skipped; chunked bodies are read. Redirections are not
 * followed: their status is judged like any other.
 *
 * Digests and regular expressions over the body are not part of this library: they need a foreign
 * one. There is no field for them, so a host that reads a configuration with them has to refuse it.
 */
#ifndef LIBHEALTH_PROBE_HTTP_H
#define LIBHEALTH_PROBE_HTTP_H

#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_HTTP_PATH_MAX 2048	     /* characters of `path` */
#define HEALTH_HTTP_HOST_MAX 255	     /* characters of `host` */
#define HEALTH_HTTP_STATUS_MAX 32	     /* ranges in `status` */
#define HEALTH_HTTP_BODY_TEXT_MAX 255	     /* bytes of `body` */
#define HEALTH_HTTP_BODY_DEFAULT_BYTES 65536 /* read of a body when body_max_bytes is 0 */
#define HEALTH_HTTP_BODY_MAX_BYTES 16777216  /* the highest body_max_bytes */
#define HEALTH_HTTP_LINE_MAX 8192	     /* bytes of a line of the answer; with more: L7RSP */
#define HEALTH_HTTP_HEAD_MAX 65536	     /* bytes of all heads of an answer; with more: L7RSP */
#define HEALTH_HTTP_INTERIM_MAX 8	     /* 1xx answers before the real one; with more: L7RSP */

enum health_http_method {
	HEALTH_HTTP_GET = 0,
	HEALTH_HTTP_HEAD = 1,
	HEALTH_HTTP_OPTIONS = 2, /* HAProxy's default */
};

enum health_http_version {
	HEALTH_HTTP_1_0 = 0,
	HEALTH_HTTP_1_1 = 1, /* needs `host` (RFC 9112 §3.2) */
};

/* Status codes from `first` to `last`, both included: 100 to 999, first <= last. */
struct health_http_range {
	uint16_t first, last;
};

/* What health_probe_new takes with health_probe_http(). All is copied. Zero: GET / HTTP/1.0. */
struct health_http_opts {
	size_t size;
	enum health_http_method method;
	enum health_http_version version;
	/* Begins with "/" (or is "*" with OPTIONS), already percent-encoded: visible ASCII. NULL: "/". */
	const char *path;
	/* The Host field, a port with it if it is not the default one: visible ASCII. NULL: none. */
	const char *host;
	/* Which codes are a success; one in none of these ranges fails with HEALTH_CODE_L7STS. NULL and
	 * 0: 200-299, as keepalived. HAProxy's is 200-399. */
	const struct health_http_range *status;
	size_t n_status;
	/* This text (bytes, case counts) must stand in the body, else HEALTH_CODE_L7RSP. NULL: the body
	 * is not read. Not with HEAD. */
	const char *body;
	/* How far to look for it, chunk sizes included; 0: HEALTH_HTTP_BODY_DEFAULT_BYTES. */
	size_t body_max_bytes;
};

/*
 * The ops of the HTTP probe, for health_probe_new with a health_http_opts or NULL (the defaults).
 * Static; any thread. health_probe_new returns -EINVAL for a value out of its range above,
 * -E2BIG for a field this library does not know, -ENOMEM. A result's `status` is the HTTP status,
 * its text the server's status line. Sources: RFC 9112; keepalived.conf(5), HTTP_GET; the HAProxy
 * manual, "http-check".
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_http(void);

#ifdef __cplusplus
}
#endif
#endif
