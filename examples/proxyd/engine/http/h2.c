/* SPDX-License-Identifier: MIT */
#include "h2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "container_of.h"
#include "engine/count.h"
#include "engine/io.h"
#include "engine/rule_store.h"

#define FRAME_HEAD 9u
#define HEAD_SENT_MAX (4 * HTTP_HEAD_MAX) /* more than any has: what is longer nghttp2 drops without a word */
#define FLUSHES 4u /* send() of one connection in a turn */

/* ---- What is to be done when nghttp2 has returned ---- */

void h2_wake(struct h2_stream *s)
{
	if (s->is_woken || !s->client)
		return;
	s->is_woken = true;
	TAILQ_INSERT_TAIL(&s->h2->woken, s, woken);
}

void h2_send_later(struct h2 *h2)
{
	if (h2->is_sender)
		return;
	h2->is_sender = true;
	TAILQ_INSERT_TAIL(&h2->worker->http->senders, h2, sender);
	h2->worker->http->n_senders++;
}

static void unlist(struct h2 *h2)
{
	if (!h2->is_sender)
		return;
	h2->is_sender = false;
	TAILQ_REMOVE(&h2->worker->http->senders, h2, sender);
	h2->worker->http->n_senders--;
}

static void stream_free(struct h2_stream *s)
{
	if (s->is_woken)
		TAILQ_REMOVE(&s->h2->woken, s, woken);
	TAILQ_REMOVE(&s->h2->streams, s, entry);
	if (TAILQ_EMPTY(&s->h2->streams)) /* the last bytes of an answer may have gone only now */
		s->h2->idle_ns = s->h2->worker->now_ns;
	if (s->h2->coming == s)
		s->h2->coming = NULL;
	h2_drop(&s->in);
	h2_drop(&s->text);
	h2_drop(&s->trailers);
	s->h2->n_out -= h2_left(&s->out);
	h2_drop(&s->out);
	h2_drop(&s->last);
	free(s);
}

/* The client of a stream is lost, whatever it does. */
static void lose(struct worker *w, struct h2_stream *s)
{
	struct client *c = s->client;

	s->closed = true;
	c->eof = true;
	c->closing |= !c->exchange; /* what it has asked for was not looked at yet */
	client_event(w, c, EPOLLIN | EPOLLERR | EPOLLHUP);
	if (c->h.kind != HANDLE_GONE)
		client_close(w, c);
}

/*
 * All of a connection that ends: nghttp2, which still knows them, is asked no more. What one of them leaves may let another go on, so
 * each is looked for anew.
 */
static void lose_all(struct worker *w, struct h2 *h2)
{
	struct h2_stream *s;

	h2->is_broken = true;
	while (h2->n_live) {
		TAILQ_FOREACH (s, &h2->streams, entry)
			if (s->client)
				break;
		lose(w, s);
	}
}

static void run_woken(struct worker *w, struct h2 *h2)
{
	struct h2_stream *s;

	while ((s = TAILQ_FIRST(&h2->woken))) {
		TAILQ_REMOVE(&h2->woken, s, woken);
		s->is_woken = false;
		if (s->closed)
			lose(w, s);
		else
			client_event(w, s->client, EPOLLIN | EPOLLOUT);
	}
}

/* ---- Requests ---- */

static struct h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static struct h2_stream *stream_of_client(const struct client *c)
{
	return container_of(c, struct h2_client, client)->stream;
}

/*
 * A new set is running, or none is to: the connection goes over to it before its first stream there, or ends with those it has. The others
 * that are idle were told when the set came (http_adopt(), http_drain()).
 */
static void follow_set(struct worker *w, struct h2 *h2)
{
	struct client *on = h2->client;

	if (client_leaves(w, on) || (on->frontend->set != w->set && (h2->n_live || !client_migrate(w, on))))
		h2_leave(on);
}

/* The client of a stream is its connection's but for what a request has. NULL: no memory. */
static struct client *client_of(struct h2 *h2, struct h2_stream *s)
{
	struct worker *w = h2->worker;
	struct client *on = h2->client;
	struct h2_client *c;

	follow_set(w, h2);
	if (timers_reserve(&w->timers, w->n_sessions + 1) < 0)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->stream = s;
	c->client = (struct client){
	    .h = {HANDLE_HTTP_STREAM, on->h.fd, on->h.tls},
	    .watched = true,
	    .writable = true,
	    .not_first = on->not_first,
	    .timer.owner = TIMER_CLIENT,
	    .frontend = on->frontend,
	    .listener = on->listener,
	    .bind = on->bind,
	    .accepted_ns = on->not_first ? w->now_ns : on->accepted_ns,
	    .since_ns = w->now_ns,
	    .idle_ns = on->not_first ? w->now_ns : on->idle_ns,
	    .from = on->from,
	    .to = on->to,
	};
	if (on->store && !client_store(&c->client)) {
		free(c);
		return NULL;
	}
	LIST_INSERT_HEAD(&w->http->clients, &c->client, entry);
	w->n_sessions++;
	on->frontend->set->worker[w->index].sessions++;
	on->not_first = true;
	h2->n_live++;
	count_h2(w, on->frontend, COUNT_H2_STREAMS);
	return &c->client;
}

/* It has no path (RFC 9113, section 8.5). */
static bool is_connect(const struct h2_head *head)
{
	const struct http_span method = head->pseudo[H2_METHOD];

	return method.len == 7 && !memcmp(head->text + method.at, "CONNECT", 7);
}

/* The head is whole. 0 or an error of nghttp2. */
static int begin_request(struct h2 *h2, struct h2_stream *s, bool has_body)
{
	struct h2_head *head = &h2->head;
	bool ok = h2_head_end(head, has_body);

	if (ok && is_connect(head))
		return nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_HTTP_1_1_REQUIRED);
	if (ok && head->is_malformed)
		return nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_PROTOCOL_ERROR);
	s->is_chunked = has_body && !head->has_length;
	s->in_ended = !has_body;
	s->client = ok ? client_of(h2, s) : NULL;
	if (!s->client || !chunk_append(&s->client->in, head->text + head->start, head->len - head->start)) {
		count_starved(h2->worker);
		if (!s->client)
			return nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_INTERNAL_ERROR);
		s->client->closing = true;
	} else {
		s->client->unparsed = true;
	}
	h2_wake(s);
	return 0;
}

/* Its end: for who reads the body it is the last chunk. */
static void end_request(struct h2_stream *s)
{
	s->in_ended = true;
	h2_wake(s);
}

/* ---- What nghttp2 tells ---- */

static bool begins_request(const nghttp2_frame *frame)
{
	return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
	struct h2 *h2 = userdata;
	struct h2_stream *s;

	h2_head_begin(&h2->head, h2->worker->head_max);
	if (!begins_request(frame))
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s) {
		count_starved(h2->worker);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	s->id = frame->hd.stream_id;
	s->h2 = h2;
	TAILQ_INSERT_TAIL(&h2->streams, s, entry);
	h2->coming = s;
	return nghttp2_session_set_stream_user_data(session, s->id, s);
}

/* A trailer, as a line. What belongs to no head, and is not chunked, has no place for them. */
static bool add_trailer(struct h2_stream *s, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len)
{
	if (!s->is_chunked || s->trailers.len + name_len + value_len > H1_TRAILER_MAX || memchr(value, '\r', value_len) ||
	    memchr(value, '\n', value_len))
		return true;
	return h2_append(&s->trailers, (const char *)name, name_len) && h2_append(&s->trailers, ": ", 2) &&
	       h2_append(&s->trailers, (const char *)value, value_len) && h2_append(&s->trailers, "\r\n", 2);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t value_len, uint8_t flags, void *userdata)
{
	struct h2 *h2 = userdata;
	struct h2_stream *s = stream_of(session, frame->hd.stream_id);
	bool ok;

	(void)flags;
	if (!s)
		return 0;
	if (!h2_head_expect(&h2->head, name_len, value_len))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* RST_STREAM, and the rest of the list is skipped */
	ok = begins_request(frame) ? h2_head_field(&h2->head, (const char *)name, name_len, (const char *)value, value_len)
				   : add_trailer(s, name, name_len, value, value_len);
	return ok ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void count_frame(const struct h2 *h2, uint8_t type)
{
	static const uint8_t counted[] = {
	    [NGHTTP2_DATA] = COUNT_H2_DATA,	    [NGHTTP2_HEADERS] = COUNT_H2_HEADERS, [NGHTTP2_RST_STREAM] = COUNT_H2_RST_STREAM,
	    [NGHTTP2_SETTINGS] = COUNT_H2_SETTINGS, [NGHTTP2_GOAWAY] = COUNT_H2_GOAWAY,
	};

	if (type < sizeof(counted) && counted[type])
		count_h2(h2->worker, h2->client->frontend, counted[type]);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
	struct h2 *h2 = userdata;
	struct h2_stream *s = stream_of(session, frame->hd.stream_id);
	bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	int e = 0;

	count_frame(h2, frame->hd.type);
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	if (s && begins_request(frame))
		e = begin_request(h2, s, !ends);
	else if (s && ends)
		end_request(s);
	if (frame->hd.type == NGHTTP2_HEADERS) {
		h2_head_free(&h2->head);
		h2->coming = NULL;
	}
	return e;
}

/*
 * Its request is answered, and nobody wants the rest of it. The end of the stream may be told at once (RFC 9113, section 8.1), but some
 * clients that are still sending lose the answer then, so it waits for a while. 0 or an error of nghttp2.
 */
static int linger(struct h2_stream *s, size_t len)
{
	s->lingered += (uint32_t)len;
	if (s->lingered <= HTTP_LINGER_BYTES)
		return 0;
	return nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *userdata)
{
	struct h2_stream *s = stream_of(session, id);

	(void)flags;
	if (!s || !s->client) {
		nghttp2_session_consume(session, id, len);
		return s ? linger(s, len) : 0;
	}
	if (!h2_append(&s->in, (const char *)data, len)) {
		count_starved(((struct h2 *)userdata)->worker);
		nghttp2_session_consume(session, id, len);
		return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
	}
	h2_wake(s);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *userdata)
{
	struct h2_stream *s = stream_of(session, id);

	(void)error;
	(void)userdata;
	if (!s)
		return 0;
	s->closed = true;
	if (s->client)
		h2_wake(s);
	else
		stream_free(s);
	return 0;
}

static int on_fault(nghttp2_session *session, const nghttp2_frame *frame, int error, void *userdata)
{
	const struct h2 *h2 = userdata;

	(void)session;
	(void)error;
	count_h2(h2->worker, h2->client->frontend, frame->hd.stream_id ? COUNT_H2_STREAM_ERRORS : COUNT_H2_CONNECTION_ERRORS);
	return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
	const struct h2 *h2 = userdata;

	(void)session;
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		count_h2(h2->worker, h2->client->frontend, COUNT_H2_RST_STREAM_SENT);
	else if (frame->hd.type == NGHTTP2_GOAWAY)
		count_h2(h2->worker, h2->client->frontend, COUNT_H2_GOAWAY_SENT);
	return 0;
}

/* Frames gather in the worker's buffer, as far as there is room. */
static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t len, int flags, void *userdata)
{
	struct h2_worker *h = ((struct h2 *)userdata)->worker->http->h2;
	size_t room = sizeof(h->out) - h->n_out;

	(void)session;
	(void)flags;
	if (!room)
		return NGHTTP2_ERR_WOULDBLOCK;
	len = len < room ? len : room;
	memcpy(h->out + h->n_out, data, len);
	h->n_out += len;
	return (ssize_t)len;
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t len,
			nghttp2_data_source *source, void *userdata)
{
	struct h2_worker *h = ((struct h2 *)userdata)->worker->http->h2;
	struct h2_stream *s = source->ptr;

	(void)session;
	(void)frame;
	if (sizeof(h->out) - h->n_out < FRAME_HEAD + len)
		return NGHTTP2_ERR_WOULDBLOCK;
	memcpy(h->out + h->n_out, head, FRAME_HEAD);
	memcpy(h->out + h->n_out + FRAME_HEAD, s->out.data + s->out.at, len);
	h->n_out += FRAME_HEAD + len;
	s->out.at += (uint32_t)len;
	s->h2->n_out -= len;
	s->h2->moved_ns = s->h2->worker->now_ns;
	if (!h2_left(&s->out))
		s->out.at = s->out.len = 0; /* more is to come, mostly */
	if (s->client && !s->client->writable && h2_left(&s->out) < H2_OUT_MAX)
		h2_wake(s);
	return 0;
}

/* ---- The connection ---- */

static int settle(struct h2 *h2)
{
	const struct cfg_h2 *cfg = &h2->worker->set->cfg->global.h2;
	const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, cfg->max_streams},
	    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, cfg->window},
	    {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, cfg->frame_size},
	    {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, cfg->table_size},
	    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, h2->worker->head_max},
	};
	int e = nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(settings[0]));

	return e ? e : nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, H2_WINDOW);
}

static int session_new(struct h2 *h2)
{
	nghttp2_session_callbacks *on = NULL;
	nghttp2_option *option = NULL;
	int e = nghttp2_session_callbacks_new(&on);

	e = e ? e : nghttp2_option_new(&option);
	if (!e) {
		nghttp2_option_set_no_auto_window_update(option, 1); /* what nobody reads is not replaced */
		nghttp2_option_set_no_closed_streams(option, 1);
		nghttp2_option_set_max_send_header_block_length(option, HEAD_SENT_MAX);
		nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1); /* some send it; it goes, as of HTTP/1 */
		nghttp2_session_callbacks_set_on_begin_headers_callback(on, on_begin_headers);
		nghttp2_session_callbacks_set_on_header_callback(on, on_header);
		nghttp2_session_callbacks_set_on_frame_recv_callback(on, on_frame);
		nghttp2_session_callbacks_set_on_data_chunk_recv_callback(on, on_data);
		nghttp2_session_callbacks_set_on_stream_close_callback(on, on_close);
		nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(on, on_fault);
		nghttp2_session_callbacks_set_on_frame_send_callback(on, on_sent);
		nghttp2_session_callbacks_set_send_callback(on, on_send);
		nghttp2_session_callbacks_set_send_data_callback(on, on_send_data);
		e = nghttp2_session_server_new2(&h2->session, on, h2, option);
	}
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(on);
	return e ? e : settle(h2);
}

static bool worker_begin(struct http_worker *h)
{
	if (h->h2)
		return true;
	h->h2 = malloc(sizeof(*h->h2)); /* what it holds is written before it is read */
	return h->h2;
}

/* Frames that came. */
static void take(struct worker *w, struct client *c, const char *data, size_t len)
{
	struct h2 *h2 = c->h2;

	if (nghttp2_session_mem_recv(h2->session, (const uint8_t *)data, len) < 0) {
		count_h2(w, c->frontend, COUNT_H2_CONNECTION_ERRORS);
		if (!c->not_first)
			client_refuse(w, c, 0, H1_FAULT_NONE, 'P');
		c->closing = true;
		lose_all(w, h2);
		return;
	}
	run_woken(w, h2);
	h2_send_later(h2);
}

bool h2_begin(struct worker *w, struct client *c, const char *first, size_t len)
{
	struct h2 *h2 = worker_begin(w->http) ? calloc(1, sizeof(*h2)) : NULL;

	if (!h2)
		return false;
	h2->worker = w;
	h2->client = c;
	TAILQ_INIT(&h2->streams);
	TAILQ_INIT(&h2->woken);
	h2->idle_ns = c->since_ns;
	if (session_new(h2)) {
		nghttp2_session_del(h2->session);
		free(h2);
		return false;
	}
	c->h2 = h2;
	c->speaks_h2 = true;
	count_h2(w, c->frontend, COUNT_H2_CONNECTIONS);
	take(w, c, first, len);
	return true;
}

/* The client sends no more: what it has asked for is answered, as in HAProxy. */
static void no_more(struct worker *w, struct h2 *h2)
{
	struct h2_stream *s;

	h2->has_ended = true;
	h2->client->readable = false;
	TAILQ_FOREACH (s, &h2->streams, entry)
		if (s->client && !s->closed)
			client_event(w, s->client, EPOLLRDHUP);
	h2_send_later(h2);
}

/* Reads. False: there is nothing. */
bool h2_step(struct worker *w, struct client *c)
{
	ssize_t n;

	if (!c->readable || c->eof)
		return false;
	n = handle_recv(&c->h, w->scratch, sizeof(w->scratch));
	if (n > 0) {
		w->moved += (size_t)n;
		if (handle_is_emptied(&c->h, (size_t)n, sizeof(w->scratch)) && !c->hup)
			c->readable = false;
		take(w, c, w->scratch, (size_t)n);
	} else if (n < 0 && errno == EAGAIN) {
		c->readable = false;
	} else if (n == 0) {
		no_more(w, c->h2);
	} else if (errno != EINTR) {
		c->eof = true;
		client_close(w, c);
	}
	return true;
}

/* What was to be sent is, and nothing comes that would be answered. */
static bool is_over(const struct h2 *h2)
{
	if (nghttp2_session_want_write(h2->session))
		return false;
	return h2->rejects || (h2->has_ended && !h2->n_live) || !nghttp2_session_want_read(h2->session);
}

/* One send(). True: there may be more. */
static bool flush(struct worker *w, struct client *c)
{
	struct h2_worker *h = w->http->h2;
	struct h2 *h2 = c->h2;
	bool ok;

	if (h2->is_dropped) {
		client_close(w, c);
		return false;
	}
	if (c->out || c->eof || h2->is_broken)
		return false;
	h->n_out = 0;
	ok = !nghttp2_session_send(h2->session);
	if (ok && h->n_out)
		ok = client_give(w, c, h->out, h->n_out, 0);
	if (ok)
		run_woken(w, h2);
	else
		lose_all(w, h2);
	if (!ok || is_over(h2))
		c->closing = c->linger = true;
	return h->n_out && !c->closing && nghttp2_session_want_write(h2->session);
}

/* At the end of a turn. Who has still more has its turn again. */
void h2_flush(struct worker *w)
{
	struct http_worker *h = w->http;
	unsigned n = h->n_senders;

	while (n-- && !TAILQ_EMPTY(&h->senders)) {
		struct h2 *h2 = TAILQ_FIRST(&h->senders);
		struct client *c = h2->client;
		bool more = true;

		unlist(h2);
		for (unsigned i = 0; more && i < FLUSHES; i++)
			more = flush(w, c);
		if (more)
			h2_send_later(h2);
		client_run(w, c);
	}
}

void h2_go_on(const struct client *c)
{
	h2_send_later(c->h2);
}

void h2_worker_free(struct http_worker *h)
{
	free(h->h2);
	h->h2 = NULL;
}

/* It has no room for new streams: those it has go on. */
void h2_leave(struct client *c)
{
	struct h2 *h2 = c->h2;

	if (h2->leaves)
		return;
	h2->leaves = true;
	nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2->session), NGHTTP2_NO_ERROR,
			      NULL, 0);
	h2_send_later(h2);
}

struct rule_store **h2_session_store(const struct client *stream)
{
	return &stream_of_client(stream)->h2->client->store;
}

size_t h2_room(const struct client *stream)
{
	const struct h2 *h2 = stream_of_client(stream)->h2;
	size_t left = h2->n_out < H2_OUT_ALL ? H2_OUT_ALL - h2->n_out : 0;

	return left > H2_READ_LEAST ? left - left % H2_DATA_MAX : H2_READ_LEAST;
}

bool h2_is_busy(const struct client *c)
{
	const struct h2_stream *s = TAILQ_FIRST(&c->h2->streams);

	return s && (s != c->h2->coming || TAILQ_NEXT(s, entry)); /* who asks slowly has asked for nothing */
}

void h2_expired(struct worker *w, struct client *c)
{
	struct h2 *h2 = c->h2;

	if (c->out || h2->ends) {
		client_close(w, c);
		return;
	}
	h2->ends = true;
	h2->idle_ns = c->since_ns = w->now_ns; /* GOAWAY goes first */
	nghttp2_session_terminate_session(h2->session, NGHTTP2_NO_ERROR);
	h2_send_later(h2);
}

void h2_end_with(const struct client *c, bool silently)
{
	struct h2 *h2 = stream_of_client(c)->h2;

	h2->rejects = true;
	h2->is_dropped |= silently;
}

uint64_t h2_idle_ns(const struct client *c)
{
	const struct h2 *h2 = c->h2;

	if (h2->n_live)
		return TIMER_NEVER;
	return h2_is_busy(c) && h2->moved_ns > h2->idle_ns ? h2->moved_ns : h2->idle_ns;
}

void h2_free(struct worker *w, struct client *c)
{
	struct h2 *h2 = c->h2;
	struct h2_stream *s;

	lose_all(w, h2);
	while ((s = TAILQ_FIRST(&h2->streams)))
		stream_free(s);
	unlist(h2);
	h2_head_free(&h2->head);
	nghttp2_session_del(h2->session);
	free(h2);
	count_h2(w, c->frontend, COUNT_H2_CONNECTIONS_OVER);
	c->h2 = NULL;
	c->speaks_h2 = false;
}

void h2_stream_over(struct worker *w, struct client *c)
{
	struct h2_stream *s = stream_of_client(c);
	struct h2 *h2 = s->h2;
	uint32_t code = h2->rejects ? NGHTTP2_ENHANCE_YOUR_CALM : s->has_head ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL;

	s->client = NULL;
	if (s->is_woken)
		TAILQ_REMOVE(&h2->woken, s, woken);
	s->is_woken = false;
	if (!--h2->n_live)
		h2->idle_ns = w->now_ns;
	count_h2(w, c->frontend, COUNT_H2_STREAMS_OVER);
	nghttp2_session_consume(h2->session, s->id, h2_left(&s->in));
	if (s->closed) {
		stream_free(s);
		return;
	}
	h2_drop(&s->in);
	if (!s->out_ended)
		nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, s->id, code);
	if (h2->rejects)
		nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_ENHANCE_YOUR_CALM, NULL, 0);
	h2_send_later(h2);
}
