/* SPDX-License-Identifier: MIT */
/*
 * The HTTP/1 probe: a request, and a judgement by the status and, if asked, by fields and body
 * (keepalived's HTTP_GET, HAProxy's `option httpchk`, F5's http monitor, Envoy's HTTP checker).
 *
 *	probe                                   server
 *	GET /health HTTP/1.1
 *	Host: www.example.com
 *	User-Agent: libhealth
 *	Connection: close
 *	                                ──►
 *	                                ◄──     HTTP/1.1 200 OK … [body]
 *	[closes, connects again for the next request]
 *
 * The verdict stands when the head is whole, or, where the body is asked about, when its text was seen or
 * its end was. Interim answers (1xx) are skipped; chunked bodies are read. Redirections are not
 * followed: their status is judged like any other. Several requests (`next`) go out in turn, each on a
 * connection of its own; the first failure is the verdict.
 */
#ifndef LIBHEALTH_PROBE_HTTP_H
#define LIBHEALTH_PROBE_HTTP_H

#include <libhealth/foreign.h>
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
#define HEALTH_HTTP_HEADERS_MAX 2048	     /* bytes of `headers` */
#define HEALTH_HTTP_CONTENT_MAX 4096	     /* bytes of `content` */
#define HEALTH_HTTP_FIELDS_MAX 8	     /* of `fields` */
#define HEALTH_HTTP_REQUESTS_MAX 32	     /* requests of a probe */
#define HEALTH_HTTP_INTERIM_MAX 8	     /* 1xx answers before the real one; with more: L7RSP */

enum health_http_method {
	HEALTH_HTTP_GET = 0,
	HEALTH_HTTP_HEAD = 1,
	HEALTH_HTTP_OPTIONS = 2, /* HAProxy's default */
	HEALTH_HTTP_POST = 3,
	HEALTH_HTTP_PUT = 4,
};

enum health_http_version {
	HEALTH_HTTP_1_0 = 0,
	HEALTH_HTTP_1_1 = 1, /* needs `host` (RFC 9112 §3.2) */
};

/* Status codes from `first` to `last`, both included: 100 to 999, first <= last. */
struct health_http_range {
	uint16_t first, last;
};

enum health_http_match {
	HEALTH_HTTP_EXISTS = 0, /* whatever its value: `value` is NULL */
	HEALTH_HTTP_EXACT = 1,
	HEALTH_HTTP_CONTAINS = 2,
	HEALTH_HTTP_PREFIX = 3,
	HEALTH_HTTP_SUFFIX = 4,
	HEALTH_HTTP_REGEX = 5, /* for opts.regex_ops */
};

/* A field the answer must have; one line of several with that name is enough. */
struct health_http_field {
	const char *name;  /* case does not count; at most HEALTH_HTTP_HOST_MAX characters */
	const char *value; /* case counts; the same */
	enum health_http_match match;
};

/* Bits of health_http_opts.flags. */
#define HEALTH_HTTP_404_DRAINS 1u /* 404 is HEALTH_OK_DRAIN (HAProxy's disable-on-404) */
/* x-envoy-immediate-health-check-fail is HEALTH_FAIL_NOW, x-envoy-degraded HEALTH_DEGRADED. */
#define HEALTH_HTTP_ENVOY 2u
/* `body`, or `regex`, must not be in the body (keepalived's regex_no_match, F5's reverse). */
#define HEALTH_HTTP_NOT_BODY 4u

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
	/* How far the body is read, chunk sizes included; 0: HEALTH_HTTP_BODY_DEFAULT_BYTES. */
	size_t body_max_bytes;
	/* Further fields of the request, whole lines with CR LF; not Host, Connection or Content-Length.
	 * NULL: none. */
	const char *headers;
	/* A body of the request, with its Content-Length; POST and PUT only. NULL: none. */
	const void *content;
	size_t content_len;
	/* Each must be in the answer, else HEALTH_CODE_L7RSP. NULL and 0: none. */
	const struct health_http_field *fields;
	size_t n_fields;
	/* This text in the body makes the success HEALTH_OK_DRAIN, if `body` is not there, too (F5's
	 * receive-disable string). NULL: none. */
	const char *drain_body;
	/* Must match in the body's first body_max_bytes; begins from regex_min_offset on, and not behind
	 * regex_max_offset unless that is 0. NULL: none. */
	const char *regex;
	size_t regex_min_offset, regex_max_offset;
	const struct health_regex *regex_ops; /* with a regex; must outlive the probe */
	/* The body's MD5 in 32 hexadecimal digits (keepalived's genhash), of a body no longer than
	 * body_max_bytes. NULL: none. */
	const char *digest;
	const struct health_crypto *crypto; /* with a digest; must outlive the probe */
	uint64_t flags;			    /* HEALTH_HTTP_… */
	/* The request after this one; NULL: this is the last. */
	const struct health_http_opts *next;
};

/*
 * The ops of the HTTP probe, for health_probe_new with a health_http_opts or NULL (the defaults).
 * Static; any thread. health_probe_new returns -EINVAL for a value out of its range above or a regular
 * expression that does not compile, -E2BIG for a field this library does not know, -ENOMEM. A result's `status` is the HTTP status,
 * its text the server's status line. Sources: RFC 9112; keepalived.conf(5), HTTP_GET; the HAProxy
 * manual, "http-check".
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_http(void);

#ifdef __cplusplus
}
#endif
#endif
