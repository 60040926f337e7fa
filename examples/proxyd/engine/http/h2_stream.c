/* SPDX-License-Identifier: MIT */
/* A stream's bytes, as those of a connection of HTTP/1.1: h2_recv() and h2_send() have the manners of recv and send. */
#include "h2.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_io.h"
#include "container_of.h"

#define USUAL_CAP 1024u
#define CHUNK_FRAMING 16u /* bytes around the data of a chunk */

bool h2_append(struct h2_bytes *b, const char *data, size_t len)
{
	size_t cap = b->cap ? b->cap : USUAL_CAP;
	char *to;

	if (b->at && b->len + len > b->cap) {
		memmove(b->data, b->data + b->at, h2_left(b));
		b->len -= b->at;
		b->at = 0;
	}
	while (cap < b->len + len)
		cap *= 2;
	if (cap > b->cap) {
		to = realloc(b->data, cap);
		if (!to)
			return false;
		b->data = to;
		b->cap = (uint32_t)cap;
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += (uint32_t)len;
	return true;
}

void h2_drop(struct h2_bytes *b)
{
	free(b->data);
	*b = (struct h2_bytes){.data = NULL};
}

static struct h2_stream *stream_of(const struct client *c)
{
	return container_of(c, struct h2_client, client)->stream;
}

/* ---- The request's body ---- */

/* Bytes that were read: the client may send as many more. */
static size_t consume(struct h2_stream *s, char *to, size_t len)
{
	memcpy(to, s->in.data + s->in.at, len);
	s->in.at += (uint32_t)len;
	if (!h2_left(&s->in))
		h2_drop(&s->in);
	nghttp2_session_consume(s->h2->session, s->id, len);
	h2_send_later(s->h2);
	return len;
}

/* All that is there as one chunk (RFC 9112, section 7.1). */
static size_t give_chunk(struct h2_stream *s, char *buf, size_t cap)
{
	size_t n = h2_left(&s->in), at;

	n = n < cap - CHUNK_FRAMING ? n : cap - CHUNK_FRAMING;
	at = (size_t)snprintf(buf, cap, "%zx\r\n", n);
	at += consume(s, buf + at, n);
	memcpy(buf + at, "\r\n", 2);
	return at + 2;
}

/* What of its text may have no room where it is read: a small chunk, the last one. False: no memory. */
static bool keep_text(struct h2_stream *s, size_t cap)
{
	char chunk[2 * CHUNK_FRAMING];

	if (h2_left(&s->in))
		return cap > CHUNK_FRAMING || h2_append(&s->text, chunk, give_chunk(s, chunk, sizeof(chunk)));
	if (!s->in_ended || s->in_told)
		return true;
	s->in_told = true;
	return h2_append(&s->text, "0\r\n", 3) && h2_append(&s->text, s->trailers.data, s->trailers.len) &&
	       h2_append(&s->text, "\r\n", 2);
}

static size_t give_text(struct h2_stream *s, char *buf, size_t cap)
{
	size_t n = h2_left(&s->text);

	n = n < cap ? n : cap;
	memcpy(buf, s->text.data + s->text.at, n);
	s->text.at += (uint32_t)n;
	if (!h2_left(&s->text))
		h2_drop(&s->text);
	return n;
}

static ssize_t fail(int error)
{
	errno = error;
	return -1;
}

ssize_t h2_recv(const struct client *c, void *buf, size_t cap)
{
	struct h2_stream *s = stream_of(c);
	size_t n = h2_left(&s->in);

	if (s->closed)
		return fail(ECONNRESET);
	if (s->is_chunked && !h2_left(&s->text) && !keep_text(s, cap))
		return fail(ENOMEM);
	if (h2_left(&s->text))
		return (ssize_t)give_text(s, buf, cap);
	if (n)
		return (ssize_t)(s->is_chunked ? give_chunk(s, buf, cap) : consume(s, buf, n < cap ? n : cap));
	return s->in_ended || s->h2->has_ended ? 0 : fail(EAGAIN);
}

bool h2_is_emptied(const struct client *c)
{
	const struct h2_stream *s = stream_of(c);

	return !h2_left(&s->in) && !h2_left(&s->text) && !s->in_ended;
}

/* ---- The answer ---- */

/* It is of the connection to its server alone (RFC 9113, section 8.2.2). */
static bool is_hop_name(const char *name, size_t len)
{
	static const char *const hop[] = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"};

	for (unsigned i = 0; i < sizeof(hop) / sizeof(hop[0]); i++)
		if (http_same_name(name, len, hop[i], strlen(hop[i])))
			return true;
	return false;
}

/* "Connection: NAME" of this message. */
static bool is_named_hop(const struct http_msg *m, const struct http_field *f)
{
	for (unsigned i = 0; i < m->n_fields; i++) {
		struct http_span option;
		uint32_t at = 0;

		if (m->field[i].id != HTTP_ID_CONNECTION)
			continue;
		while (http_next_element(m, m->field[i].value, &at, &option))
			if (http_same_name(http_text(m, option), option.len, http_text(m, f->name), f->name.len))
				return true;
	}
	return false;
}

/* A name or value, which nghttp2 copies. */
static uint8_t *text(const char *at)
{
	return (uint8_t *)(uintptr_t)at;
}

/* The fields of an answer. Their number; -1: too long. */
static ssize_t list_fields(struct h2_worker *h, const struct http_msg *m, char status[4])
{
	bool has_options = m->seen & 1u << HTTP_ID_CONNECTION;
	size_t used = 0, n = 0;

	snprintf(status, 4, "%03u", m->status % 1000);
	h->nv[n++] = (nghttp2_nv){text(":status"), text(status), 7, 3, NGHTTP2_NV_FLAG_NONE};
	for (unsigned i = 0; i < m->n_fields; i++) {
		const struct http_field *f = &m->field[i];
		const char *name = http_text(m, f->name);

		if (is_hop_name(name, f->name.len) || (has_options && is_named_hop(m, f)))
			continue;
		if (used + f->name.len > sizeof(h->names))
			return -1;
		for (uint32_t j = 0; j < f->name.len; j++)
			h->names[used + j] = (char)tolower((unsigned char)name[j]);
		h->nv[n++] = (nghttp2_nv){text(h->names + used), text(http_text(m, f->value)), f->name.len, f->value.len,
					  NGHTTP2_NV_FLAG_NONE};
		used += f->name.len;
	}
	return (ssize_t)n;
}

/* A head, which comes whole. Its length; -1: it is none. */
static ssize_t take_head(struct h2_stream *s, const char *data, size_t len)
{
	struct h2_worker *h = s->h2->worker->http->h2;
	struct http_msg *m = &h->answer;
	const struct exchange *x = s->client->exchange;
	const nghttp2_data_provider body = {{.ptr = s}, h2_on_read};
	char status[4];
	ssize_t head, n;
	int e;

	h1_begin(m, (char *)(uintptr_t)data, 0, 0); /* a buffer of ours: what is folded may be unfolded there */
	m->head_max = UINT32_MAX; /* it was judged when it came, and rules may have added to it */
	m->fields_max = HTTP_FIELDS_MAX + HTTP_FIELDS_ADDED_MAX;
	m->lenient = true;
	head = h1_response(m, 0, (uint32_t)len, x ? x->method : HTTP_METHOD_GET, false);
	n = head > 0 ? list_fields(h, m, status) : -1;
	if (n < 0)
		return -1;
	if (m->status / 100 == 1) {
		e = nghttp2_submit_headers(s->h2->session, NGHTTP2_FLAG_NONE, s->id, NULL, h->nv, (size_t)n, NULL);
		return e ? -1 : head;
	}
	h1_body_begin(&s->body, m);
	s->has_head = true;
	s->out_ended = s->body.done;
	e = nghttp2_submit_response(s->h2->session, s->id, h->nv, (size_t)n, s->out_ended ? NULL : &body);
	return e ? -1 : head;
}

/* The framing of chunks, a byte at a time: what stands behind the last one is trailers. */
static ssize_t take_framing(struct h2_stream *s, const char *data)
{
	bool is_trailer = s->body.state >= H1_CHUNK_TRAILER;

	h1_body_feed(&s->body, data, 1, NULL);
	return s->body.fault || (is_trailer && !h2_append(&s->last, data, 1)) ? -1 : 1;
}

/* How many of them; -1: no memory, or no body. */
static ssize_t take_body(struct h2_stream *s, const char *data, size_t len)
{
	struct http_span piece;
	size_t n;

	if (s->body.framing == HTTP_BODY_CHUNKED && s->body.state != H1_CHUNK_DATA)
		return take_framing(s, data);
	n = s->body.framing == HTTP_BODY_CHUNKED && s->body.left < len ? (size_t)s->body.left : len;
	n = h1_body_feed(&s->body, data, n, &piece);
	if (!h2_append(&s->out, data, n))
		return -1;
	s->h2->n_out += n;
	return (ssize_t)n;
}

static void resume(struct h2_stream *s)
{
	if (s->is_waiting)
		nghttp2_session_resume_data(s->h2->session, s->id);
	s->is_waiting = false;
	h2_send_later(s->h2);
}

ssize_t h2_send(const struct client *c, const void *data, size_t len)
{
	struct h2_stream *s = stream_of(c);
	const char *at = data;
	ssize_t n;

	if (s->closed)
		return fail(ECONNRESET);
	if (h2_left(&s->out) >= H2_OUT_MAX)
		return fail(EAGAIN);
	for (size_t left = len; left && !s->out_ended; at += n, left -= (size_t)n) {
		n = s->has_head ? take_body(s, at, left) : take_head(s, at, left);
		if (n < 0)
			return fail(EPROTO);
		s->out_ended |= s->has_head && s->body.done;
	}
	resume(s);
	return (ssize_t)len;
}

/* No more comes. What ends with its connection is whole now. */
void h2_shutdown(const struct client *c)
{
	struct h2_stream *s = stream_of(c);

	if (s->has_head && !s->out_ended && !s->is_cut && s->body.framing == HTTP_BODY_CLOSE) {
		s->out_ended = true;
		resume(s);
	}
}

void h2_cut(const struct client *c)
{
	stream_of(c)->is_cut = true;
}

/* ---- What nghttp2 sends of it ---- */

/* "name: value" lines, as they came. The number of those that stand in `nv`. */
static size_t list_trailers(struct h2_stream *s, nghttp2_nv *nv, size_t cap)
{
	char *at = s->last.data, *end = at + s->last.len, *line_end, *colon;
	size_t n = 0;

	for (; n < cap && at < end && (line_end = memmem(at, (size_t)(end - at), "\r\n", 2)) && line_end > at; at = line_end + 2) {
		char *value, *value_end = line_end;

		colon = memchr(at, ':', (size_t)(line_end - at));
		if (!colon || is_hop_name(at, (size_t)(colon - at)))
			continue;
		for (char *c = at; c < colon; c++)
			*c = (char)tolower((unsigned char)*c);
		for (value = colon + 1; value < line_end && (*value == ' ' || *value == '\t'); value++)
			;
		while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
			value_end--;
		nv[n++] = (nghttp2_nv){text(at), text(value), (size_t)(colon - at), (size_t)(value_end - value), NGHTTP2_NV_FLAG_NONE};
	}
	return n;
}

ssize_t h2_on_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len, uint32_t *flags, nghttp2_data_source *source,
		   void *userdata)
{
	struct h2_stream *s = source->ptr;
	size_t n = h2_left(&s->out), n_trailers;
	nghttp2_nv nv[H1_TRAILER_FIELDS];

	(void)buf;
	(void)userdata;
	if (!n && !s->out_ended) {
		s->is_waiting = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	len = len < H2_DATA_MAX ? len : H2_DATA_MAX;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (!s->out_ended || n > len)
		return (ssize_t)(n < len ? n : len);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	n_trailers = list_trailers(s, nv, H1_TRAILER_FIELDS);
	if (n_trailers && !nghttp2_submit_trailer(session, id, nv, n_trailers))
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return (ssize_t)n;
}
