/* SPDX-License-Identifier: MIT */
/*
 * An HTTP message's head (RFC 9110, section 6): its start line and its header fields, as places in
 * one buffer. Nothing is copied when it is read; text that is added goes to the buffer's room. Pure.
 *
 *	base ──► [ room for added text ......][ head as received ][ body that came with it ... ]
 *	         room_at         room_end
 *
 * Places are offsets from `base`, so that a message survives a move of its buffer. A message is made
 * by h1_request() or h1_response() (h1.h), changed by the calls below, and written by http_write().
 */
#ifndef PROXYD_ENGINE_HTTP_MSG_H
#define PROXYD_ENGINE_HTTP_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HTTP_FIELDS_MAX 1024	 /* received, at most; */
#define HTTP_FIELDS_DEFAULT 101	 /* without tune.http.maxhdr, as HAProxy */
#define HTTP_FIELDS_ADDED_MAX 64 /* more that rules may add */
#define HTTP_HEAD_MAX 65536	 /* bytes, at most; */
#define HTTP_HEAD_DEFAULT 15360	 /* without tune.bufsize and tune.maxrewrite, as HAProxy */

#define HTTP_OPTION_CLOSE 1u
#define HTTP_OPTION_KEEP_ALIVE 2u
#define HTTP_OPTION_UPGRADE 4u
#define HTTP_OPTION_OTHER 8u /* one that is none of these, or not looked at yet */

/* A place in the buffer. */
struct http_span {
	uint32_t at, len;
};

enum http_method {
	HTTP_METHOD_OTHER, /* any other token */
	HTTP_METHOD_GET,
	HTTP_METHOD_HEAD,
	HTTP_METHOD_POST,
	HTTP_METHOD_PUT,
	HTTP_METHOD_DELETE,
	HTTP_METHOD_OPTIONS,
	HTTP_METHOD_PATCH,
	HTTP_METHOD_TRACE,
	HTTP_METHOD_CONNECT,
};

/* Fields that a proxy itself must know. */
enum http_id {
	HTTP_ID_OTHER,
	HTTP_ID_HOST,
	HTTP_ID_CONNECTION,
	HTTP_ID_CONTENT_LENGTH,
	HTTP_ID_TRANSFER_ENCODING,
	HTTP_ID_UPGRADE,
	HTTP_ID_EXPECT,
};

struct http_field {
	struct http_span name, value; /* without the white space around the value */
	enum http_id id;
	bool received; /* name, colon and value stand in the buffer as they came */
};

/* Where the body ends: decided once, when the head is read (RFC 9112, section 6.3). */
enum http_framing {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH,  /* `length` bytes */
	HTTP_BODY_CHUNKED, /* RFC 9112, section 7.1 */
	HTTP_BODY_CLOSE,   /* at the end of the connection; responses only */
	HTTP_BODY_TUNNEL,  /* no HTTP any more: 101, or 2xx to a CONNECT */
};

struct http_msg {
	char *base;
	uint32_t room_at, room_end;
	uint32_t head_max; /* bytes; h1_begin() makes it the default, */
	uint32_t fields_max; /* and this */
	bool is_response;
	bool edited;  /* what was received is not what http_write would write */
	bool lenient; /* set behind h1_begin(): option accept-invalid-http-request or -response */

	/* start line */
	uint8_t minor; /* of HTTP/1.x */
	bool is_h2;    /* it came as HTTP/2, and is here as HTTP/1.1 */
	enum http_method method;
	struct http_span method_text, target; /* of a request */
	unsigned status;		      /* of a response, 100..999 */
	struct http_span reason;

	/* what the head says about the connection */
	enum http_framing framing;
	uint64_t length; /* HTTP_BODY_LENGTH; of a response to HEAD, too, or 0 */
	uint8_t options; /* of its Connection fields: HTTP_OPTION_…; a change of them sets OTHER */
	uint8_t seen;	 /* a bit per enum http_id that a field has or had */
	bool keep_alive; /* its sender would go on (RFC 9112, section 9.3) */
	bool upgrade;	 /* "Connection: upgrade" and an Upgrade field */
	bool expects_continue;
	bool has_host, absolute_form;

	unsigned n_fields;
	struct http_field field[HTTP_FIELDS_MAX + HTTP_FIELDS_ADDED_MAX];
};

/* ---- Reading ---- */

/* "1.1": of the version that its sender speaks. */
static inline const char *http_version_text(const struct http_msg *m)
{
	return m->is_h2 ? "2.0" : m->minor ? "1.1" : "1.0";
}

static inline const char *http_text(const struct http_msg *m, struct http_span s)
{
	return m->base + s.at;
}

/* ASCII, without case. */
bool http_same_name(const char *a, size_t a_len, const char *b, size_t b_len);

/* The first field of this name (any case) at or after place `from`; NULL: there is none. */
const struct http_field *http_find(const struct http_msg *m, const char *name, size_t len,
				   unsigned from);

/* The field of this id; NULL: there is none. */
const struct http_field *http_find_id(const struct http_msg *m, enum http_id id);

/*
 * Steps through a comma-separated value: *at starts as 0. False: no more. Quoted strings are kept
 * whole. http_next_element leaves out empty ones (RFC 9110, section 5.6.1).
 */
bool http_next_listed(const struct http_msg *m, struct http_span value, uint32_t *at,
		      struct http_span *ret);
bool http_next_element(const struct http_msg *m, struct http_span value, uint32_t *at,
		       struct http_span *ret);

/* A comma was between the cookies of RFC 2109; in the dates behind the cookie of an answer it ends nothing. */
bool http_ends_cookie(char c);
/* Of the cookie that `text` begins with. What would end it does not in quotes. */
size_t http_cookie_len(const char *text, size_t len);

/* What the Connection fields say: a set of HTTP_OPTION_…. */
uint8_t http_connection_options(const struct http_msg *m);

/*
 * The path and the query of a request's target, as sent: of absolute-form without scheme and
 * authority. The path is empty for CONNECT and "*"; the query is without its "?".
 */
struct http_span http_path(const struct http_msg *m);
/* Of a target in absolute-form; else empty. */
struct http_span http_authority(const struct http_msg *m);
struct http_span http_query(const struct http_msg *m);

enum http_method http_method_of(const char *text, size_t len);
/* NULL: OTHER. */
const char *http_method_name(enum http_method method);
enum http_id http_id_of(const char *name, size_t len);

/* ---- Changing: 0, or -ENOSPC: the room or the field table is full, nothing was changed ---- */

int http_add(struct http_msg *m, const char *name, size_t name_len, const char *value,
	     size_t value_len);

/* Takes all fields of this name out. Returns how many there were. */
unsigned http_remove(struct http_msg *m, const char *name, size_t len);
unsigned http_remove_id(struct http_msg *m, enum http_id id);

/* Takes field `place` (0..n_fields-1) out; those behind it move up. */
void http_remove_at(struct http_msg *m, unsigned place);

/* All fields of this name become one, at the end. */
int http_set(struct http_msg *m, const char *name, size_t name_len, const char *value,
	     size_t value_len);

int http_set_value(struct http_msg *m, unsigned place, const char *value, size_t len);
int http_set_method(struct http_msg *m, const char *method, size_t len);
int http_set_target(struct http_msg *m, const char *target, size_t len);

/* Of a target in absolute-form; another one stays as it is. */
int http_set_authority(struct http_msg *m, const char *host, size_t len);

/* `reason` NULL: the one of RFC 9110. */
int http_set_status(struct http_msg *m, unsigned status, const char *reason);

/* Copies text into the room. False: it does not fit. */
bool http_store(struct http_msg *m, const char *text, size_t len, struct http_span *ret);

/* ---- Writing ---- */

/* The head with its empty line. Its length, or -ENOSPC. */
ssize_t http_write(const struct http_msg *m, char *buf, size_t cap);

#endif
