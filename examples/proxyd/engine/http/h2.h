/* SPDX-License-Identifier: MIT */
/*
 * HTTP/2 to clients (RFC 9113). nghttp2 reads and writes the frames; a request is HTTP/1.1 from here on.
 *
 *	client (HANDLE_HTTP_CLIENT) ── h2 ──┬── h2_stream ── client (HANDLE_HTTP_STREAM) ── exchange
 *	a connection: its socket,           │                what serves it knows of no streams: it reads and
 *	its timeout                         └── h2_stream …  writes by h2_recv() and h2_send()
 *
 *	h2.c		the connection: bytes of its socket, frames, its streams
 *	h2_stream.c	a stream: its body as text of HTTP/1.1, and the text of an answer as frames
 *	h2_head.c	the fields of a request as such text
 *
 * What streams have to say leaves at the end of a turn, in few send(). Of bodies that nobody has read yet a connection holds at most
 * H2_WINDOW, each stream its own; of answers that it does not take H2_OUT_ALL. Past that a stream still gets H2_OUT_MAX and one read.
 */
#ifndef PROXYD_ENGINE_HTTP_H2_H
#define PROXYD_ENGINE_HTTP_H2_H

#include <nghttp2/nghttp2.h>

#include "h2_head.h"
#include "http.h"

#define H2_WINDOW (1 << 20)
#define H2_OUT_MAX 32768u
#define H2_SEND 65536u /* bytes of one send() */
#define H2_OUT_ALL 262144u
#define H2_READ_LEAST (2 * H2_DATA_MAX)
#define H2_DATA_MAX (16384u - 9u) /* of a frame: with its head it fills a record of TLS, and a few of them a send() */
#define H2_NAMES_MAX HTTP_HEAD_MAX

/* Bytes in order; they are taken from its front. */
struct h2_bytes {
	char *data;
	uint32_t at, len, cap;
};

struct h2_stream {
	int32_t id;
	struct h2 *h2;
	struct client *client; /* NULL: its request is over, but the last bytes are not sent */
	bool is_woken;	       /* on the list of those */
	bool closed;	       /* nghttp2 knows it no more */
	/* request */
	bool is_chunked; /* its body, as text */
	bool in_ended;	 /* all of it came */
	bool in_told;	 /* its last chunk is in `text` */
	struct h2_bytes in, trailers;
	struct h2_bytes text; /* of a chunk, which goes before what is in `in` */
	/* answer */
	bool has_head, out_ended; /* its final head; all of it is here */
	bool is_cut;		  /* what comes next is not its end */
	uint32_t lingered;	  /* bytes of its request that nobody wanted */
	bool is_waiting;	  /* nghttp2 has sent what was here */
	struct h1_body body;
	struct h2_bytes out, last; /* last: lines of its trailers */
	TAILQ_ENTRY(h2_stream) entry, woken;
};

TAILQ_HEAD(h2_streams, h2_stream);

struct h2 {
	struct worker *worker;
	struct client *client; /* the connection */
	nghttp2_session *session;
	struct h2_streams streams, woken;
	size_t n_out;	 /* bytes of answers that wait */
	unsigned n_live; /* streams with a client */
	uint64_t idle_ns; /* since when there is none */
	uint64_t moved_ns; /* when bytes of an answer were last sent */
	bool is_sender;	 /* on the list of those who have something to send */
	bool leaves;	 /* GOAWAY is sent: no new streams */
	bool ends;	 /* GOAWAY is the last that is sent */
	bool has_ended;	 /* the client sends no more */
	bool rejects;	 /* a rule does: the connection ends with this stream */
	bool is_dropped; /* the same, and the client is not told */
	bool is_broken;	 /* nghttp2 is asked no more */
	struct h2_head head; /* that is coming */
	struct h2_stream *coming; /* whose head it is; NULL: none */
	TAILQ_ENTRY(h2) sender;
};

/* What a worker has for it. */
struct h2_worker {
	struct http_msg answer;
	nghttp2_nv nv[HTTP_FIELDS_MAX + HTTP_FIELDS_ADDED_MAX + 1];
	char names[H2_NAMES_MAX]; /* in lower case */
	size_t n_out;
	char out[H2_SEND];
};

/* The client of a stream. */
struct h2_client {
	struct client client;
	struct h2_stream *stream;
};

/* ---- h2.c ---- */

/* It has news for its client, which runs once nghttp2 has returned. */
void h2_wake(struct h2_stream *s);
/* There is something to send at the end of the turn. */
void h2_send_later(struct h2 *h2);

/* ---- h2_stream.c ---- */

bool h2_append(struct h2_bytes *b, const char *data, size_t len);
void h2_drop(struct h2_bytes *b);

static inline uint32_t h2_left(const struct h2_bytes *b)
{
	return b->len - b->at;
}

/* Of nghttp2: the next bytes of an answer's body. */
ssize_t h2_on_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len, uint32_t *flags, nghttp2_data_source *source,
		   void *userdata);

#endif
