/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.0 and 1.1 (RFC 9112): bytes in, a message (msg.h) or a fault out. Pure.
 *
 * What two parsers might read in two ways is refused, for that is what request smuggling lives on:
 * lines end with CR LF and nothing else does; a field name is a token right before its colon; there
 * is one Host, one Content-Length of digits or one "Transfer-Encoding: chunked", never both; no
 * folded lines, no control bytes, no fragment in the target.
 *
 * Answers of old servers are put right as far as RFC 9112 tells how, and `edited` is set, for they are not to go on as they
 * came: lines that end with LF alone (2.2), folded lines, which are unfolded in the buffer (5.2), the same Content-Length
 * again (6.3), and one beside chunks, which goes; such a connection is not kept. `lenient` messages may have any visible
 * bytes in field names, and a request "#" and bytes from 0x80 on in its target.
 */
#ifndef PROXYD_ENGINE_HTTP_H1_H
#define PROXYD_ENGINE_HTTP_H1_H

#include "msg.h"

enum h1_fault {
	H1_FAULT_NONE,
	H1_FAULT_START_LINE,  /* no request or status line */
	H1_FAULT_METHOD,      /* not a token */
	H1_FAULT_TARGET,      /* none, a byte that cannot be in one, or a form its method has not */
	H1_FAULT_FRAGMENT,    /* "#" in the target */
	H1_FAULT_VERSION,     /* HTTP, but not 1.x */
	H1_FAULT_LINE_END,    /* CR without LF, LF without CR */
	H1_FAULT_FOLDED,      /* a line that continues the one before */
	H1_FAULT_FIELD_NAME,  /* empty, not a token, or white space before the colon */
	H1_FAULT_FIELD_VALUE, /* NUL or another control byte */
	H1_FAULT_TOO_MANY,    /* fields: HTTP_FIELDS_MAX */
	H1_FAULT_TOO_LARGE,   /* HTTP_HEAD_MAX */
	H1_FAULT_HOST,	      /* more than one, malformed, or not the target's authority */
	H1_FAULT_LENGTH,      /* Content-Length: more than one, not digits, or beyond 2^63 */
	H1_FAULT_CODING,      /* Transfer-Encoding: anything but one "chunked", or in HTTP/1.0 */
	H1_FAULT_BOTH_LENGTHS, /* Content-Length and Transfer-Encoding */
	H1_FAULT_CONNECT_BODY, /* CONNECT with a body */
	H1_FAULT_CHUNK_SIZE,   /* no hexadecimal number, or too large */
	H1_FAULT_CHUNK_EXTENSION,
	H1_FAULT_CHUNK_END, /* no CR LF behind its data */
	H1_FAULT_TRAILER,   /* malformed, too many, too large, or a field of framing */
	H1_FAULT_INTERIM,   /* 1xx answers without an end */
	H1_FAULT_WEBSOCKET, /* an offer of it without a key (RFC 6455, section 4.2.1) */
	H1_FAULT_COUNT_,
};

/* A few words for a log line, e.g. "two lengths". */
const char *h1_fault_text(enum h1_fault fault);

/* 400, 505 */
unsigned h1_fault_status(enum h1_fault fault);

/* The buffer of a message that is to be read. Text that is added goes to [room_at, room_end). */
void h1_begin(struct http_msg *m, char *base, uint32_t room_at, uint32_t room_end);

/*
 * Reads the head that begins at m->base + at, of which `len` bytes are there. Returns the length of
 * the head, 0 when more bytes are needed, or the negative of an h1_fault. Empty lines before a
 * request line are skipped (RFC 9112, section 2.2) and are part of that length.
 */
ssize_t h1_request(struct http_msg *m, uint32_t at, uint32_t len);

/* As h1_request; framing depends on the request it answers (RFC 9112, section 6.3). */
ssize_t h1_response(struct http_msg *m, uint32_t at, uint32_t len, enum http_method asked,
		    bool asked_upgrade);

/* ---- Bodies ---- */

#define H1_EXTENSION_MAX 256  /* bytes behind a chunk's size */
#define H1_TRAILER_MAX 8192   /* bytes of all trailer lines */
#define H1_TRAILER_FIELDS 101 /* lines */

enum h1_chunk_state {
	H1_CHUNK_SIZE, /* the first digit */
	H1_CHUNK_DIGITS,
	H1_CHUNK_BLANK, /* behind them */
	H1_CHUNK_EXTENSION,
	H1_CHUNK_SIZE_LF,
	H1_CHUNK_DATA,
	H1_CHUNK_DATA_CR,
	H1_CHUNK_DATA_LF,
	H1_CHUNK_TRAILER, /* the beginning of a line behind the last chunk */
	H1_CHUNK_TRAILER_NAME,
	H1_CHUNK_TRAILER_VALUE,
	H1_CHUNK_TRAILER_LF,
	H1_CHUNK_LAST_LF,
};

/* How far a body has come; fed with any pieces. */
struct h1_body {
	enum http_framing framing;
	enum h1_fault fault;
	bool done;
	bool lenient; /* of an answer: blanks may stand behind the size of a chunk */
	uint64_t left; /* of the length, or of the chunk */
	/* chunked */
	enum h1_chunk_state state;
	uint16_t digits, line, trailer_fields, trailer_bytes;
	char name[20]; /* of a trailer, as far as it matters */
};

/* For the body of `m`. A tunnel is never done. */
void h1_body_begin(struct h1_body *b, const struct http_msg *m);

/*
 * Takes the next bytes. Returns how many belong to the body: fewer than `len` when it is done, or at
 * a fault. `ret_payload` (may be NULL) is told each piece without the framing of chunks: a call that
 * returns stops behind one piece, so call again until all is taken, it is done, or there is a fault.
 */
size_t h1_body_feed(struct h1_body *b, const char *data, size_t len, struct http_span *ret_payload);

/*
 * So many of the next bytes belong to the body whatever they are, UINT64_MAX: all there will be. They may be left
 * unseen: h1_body_skip() takes that many or fewer of them.
 */
uint64_t h1_body_ahead(const struct h1_body *b);
void h1_body_skip(struct h1_body *b, uint64_t n);

/* The connection ended: true if the body may end so. */
bool h1_body_ended(const struct h1_body *b);

#endif
