/* SPDX-License-Identifier: MIT */
/* A request on its way to a server: which one, over which connection, and what if that fails. */
#include "ask.h"
#include "count.h"
#include "http.h"
#include "log_facts.h"
#include "io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define SPARES_MAX 1024
#define LOG_LINE_MAX 1024 /* bytes of a request line in the log, as HAProxy's */

/* ---- Life ---- */

static struct exchange *exchange_new(struct worker *w, struct client *c)
{
	struct exchange *x = TAILQ_FIRST(&w->http->spares);

	if (x) {
		TAILQ_REMOVE(&w->http->spares, x, spare);
		w->http->n_spares--;
	} else {
		x = malloc(sizeof(*x));
	}
	if (!x)
		return NULL;
	memset(x, 0, sizeof(*x));
	x->client = c;
	x->cause = (struct conn_end_cause){'-', '-'};
	x->began_ns = c->since_ns;
	x->asked_ns = x->since_ns = w->now_ns;
	x->seeker.backend = c->frontend->backend;
	x->seeker.is_http = true;
	x->log_level = -1;
	x->cookie_in = x->cookie_out = '-';
	c->exchange = x;
	return x;
}

void exchange_free(struct worker *w, struct exchange *x)
{
	exchange_ask_end(w, x);
	chunk_free(&x->request);
	chunk_free(&x->part);
	seeker_fini(&x->seeker);
	free(x->line);
	free(x->sni);
	if (w->http->n_spares == SPARES_MAX) {
		free(x);
		return;
	}
	TAILQ_INSERT_HEAD(&w->http->spares, x, spare);
	w->http->n_spares++;
}

static void set_cause(struct exchange *x, char who, char phase)
{
	if (x->cause.who == '-')
		x->cause = (struct conn_end_cause){who, phase};
}

static void set_state(struct worker *w, struct exchange *x, enum exchange_state state)
{
	x->state = state;
	x->since_ns = w->now_ns;
}

/* Gives back all that it holds, tells the log, and leaves its client alone. */
static void end(struct worker *w, struct exchange *x, bool keep_link)
{
	struct client *c = x->client;

	seeker_leave_queue(w, &x->seeker);
	exchange_log(w, x, false);
	link_release(w, x, keep_link);
	count_exchange(w, c->frontend, x);
	c->idle_ns = w->now_ns;
	http_rules_end(w, c, x);
	seeker_drop_server(w, &x->seeker,
			   x->cause.who == 'S' || x->cause.who == 's' ? LB_RESULT_CONNECT
			   : x->cause.who == '-'		      ? LB_RESULT_OK
								      : LB_RESULT_ABORTED,
			   x->bytes);
	c->exchange = NULL;
	exchange_free(w, x);
}

void exchange_fail(struct worker *w, struct exchange *x, unsigned status, char who, char phase)
{
	struct client *c = x->client;
	const struct backend *b = x->seeker.backend;
	bool begun = x->state == EXCHANGE_ANSWER, routed = x->routed;

	set_cause(x, who, phase);
	if (x->state == EXCHANGE_ASKED && phase == 'H' && (who == 'S' || who == 's' || (who == 'P' && x->fault)))
		observe(w, x->seeker.server, OBSERVED_BAD_ANSWER);
	if (!begun)
		x->status = status;
	c->linger = !x->up.done;
	if (!begun && status) /* what client_reply will give */
		x->bytes +=
		    http_error(c->frontend, b, status, w->http->written, sizeof(w->http->written));
	if (x->fault)
		http_count_refused(w, c, x->up.fault ? NULL : b, x->fault);
	end(w, x, false);
	if (begun || !status) { /* the client must see that the answer is not whole */
		c->linger = false;
		c->closing = true;
	} else {
		size_t len = client_reply(w, c, b, status, true);

		if (b && routed)
			counter_add(&counters_of(b->pool->tally, w->index)->n[COUNT_BYTES_OUT],
				    len);
	}
}

void exchange_tarpit(struct worker *w, struct exchange *x, unsigned status)
{
	x->status = status;
	set_state(w, x, EXCHANGE_TARPIT);
}

void exchange_finish(struct worker *w, struct exchange *x)
{
	struct client *c = x->client;
	bool asked = exchange_is_asked(x);
	bool go_on = x->client_keeps && asked && !c->eof && !w->draining;

	c->linger = !x->up.done;
	end(w, x, x->link_keeps && asked);
	c->not_first = true;
	c->since_ns = w->now_ns;
	c->closing = !go_on;
	if (go_on && c->frontend->set != w->set)
		c->closing = !client_migrate(w, c);
}

/* ---- Its head ---- */

static const char *wanted_connection(const struct exchange *x)
{
	const struct frontend *f = x->client->frontend;
	enum cfg_closing back = x->seeker.backend->http->closing, front = f->http->closing;

	if (front == CFG_KEEP_ALIVE && back == CFG_KEEP_ALIVE)
		return x->minor ? NULL : "keep-alive";
	return x->minor ? "close" : NULL;
}

/* 0 or -ENOSPC. */
static int edit_request(struct exchange *x, struct http_msg *m)
{
	const struct client *c = x->client;
	int e = http_say_connection(m, wanted_connection(x));

	if (!e && !m->upgrade && http_find_id(m, HTTP_ID_UPGRADE))
		e = http_drop_upgrade(m);
	if (!e && c->frontend->http->forwardfor.on)
		e = http_add_forwarded_for(m, &c->frontend->http->forwardfor, c->from.family,
					   c->from.addr);
	else if (!e)
		e = http_add_forwarded_for(m, &x->seeker.backend->http->forwardfor, c->from.family,
					   c->from.addr);
	return e;
}

/*
 * The head as it goes on, right in front of what follows it in the buffer. Its place, or NULL: it
 * has no room.
 */
static char *place_head(struct worker *w, const struct http_msg *m, char *body)
{
	struct http_worker *h = w->http;
	ssize_t len = http_write(m, h->written, sizeof(h->written));

	if (len < 0 || len > body - h->buffer)
		return NULL;
	return memcpy(body - len, h->written, (size_t)len);
}

static void remember(struct worker *w, struct exchange *x, const struct http_msg *m)
{
	const struct frontend *f = x->client->frontend;

	x->method = m->method;
	x->minor = m->minor;
	x->keep_alive = m->keep_alive;
	x->client_keeps = m->keep_alive && f->http->closing != CFG_CLOSE;
	x->count = (uint32_t)((w->dice += 1) * w->engine->n_workers + w->index);
	if ((f->httplog || f->rules || f->proxy->formats) &&
	    asprintf(&x->line, "%.*s %.*s HTTP/1.%u", (int)m->method_text.len,
		     http_text(m, m->method_text),
		     m->target.len > LOG_LINE_MAX ? LOG_LINE_MAX : (int)m->target.len,
		     http_text(m, m->target), m->minor) < 0)
		x->line = NULL;
}

/* What hashes needs a key; without one it is the turn of the next. */
static void set_key(struct worker *w, struct exchange *x, const struct http_msg *m)
{
	const struct backend *b = x->seeker.backend;

	if (b->hashes_source)
		x->seeker.key = hash_source(&x->client->from);
	else if (b->hashes_request &&
		 !http_balance_key(m, b->proxy->set.balance, &b->http->hash, &x->seeker.key))
		x->seeker.key = w->http->turn++;
}

/* Rules have changed it and chosen its backend. */
static void settle(struct exchange *x, const struct http_msg *m)
{
	x->method = m->method;
	x->asked_upgrade = m->upgrade;
	x->client_keeps &= x->seeker.backend->http->closing != CFG_CLOSE;
}

static bool is_idempotent(enum http_method m)
{
	return m == HTTP_METHOD_GET || m == HTTP_METHOD_HEAD || m == HTTP_METHOD_PUT ||
	       m == HTTP_METHOD_DELETE || m == HTTP_METHOD_OPTIONS || m == HTTP_METHOD_TRACE;
}

static void send_request(struct worker *w, struct exchange *x, const char *data, size_t len);

void exchange_begin(struct worker *w, struct client *c, uint32_t head_len, uint32_t total)
{
	struct http_msg *m = &w->http->request;
	char *at = w->http->buffer + HTTP_ROOM, *body = at + head_len;
	struct exchange *x = exchange_new(w, c);
	size_t n;
	int e;

	if (!x) {
		client_reply(w, c, NULL, 500, false);
		return;
	}
	count_request(w, c->frontend);
	remember(w, x, m);
	h1_body_begin(&x->up, m);
	n = h1_body_feed(&x->up, body, total - head_len, NULL);
	x->bytes_in = head_len + n;
	if (!x->up.fault && n < total - head_len) {
		c->unparsed = true;
		if (!chunk_append(&c->in, body + n, total - head_len - n)) {
			exchange_fail(w, x, 500, 'R', 'R');
			return;
		}
	}
	if (x->up.fault) {
		x->fault = x->up.fault;
		exchange_fail(w, x, 400, 'P', 'R');
		return;
	}
	w->http->early = body;
	w->http->early_len = n;
	if (!http_request_rules(w, x, m))
		return;
	x->routed = true;
	if (!x->seeker.backend) {
		exchange_fail(w, x, 503, 'S', 'C');
		return;
	}
	settle(x, m);
	e = http_add_unique_id(x, m);
	if (!e)
		e = http_cookie_take(x, m);
	if (!e)
		e = edit_request(x, m);
	at = e || m->edited ? place_head(w, m, body) : at + (m->method_text.at - HTTP_ROOM);
	if (e || !at) {
		exchange_fail(w, x, 500, 'P', 'R');
		return;
	}
	if (!http_sni(w, x, m)) {
		exchange_fail(w, x, 500, 'R', 'R');
		return;
	}
	set_key(w, x, m);
	/* it is all here, and asking twice does no harm (RFC 9110, section 9.2.2) */
	x->repeatable = x->up.done && is_idempotent(x->method);
	x->retryable = x->up.done && !x->no_retry &&
		       x->seeker.backend->retry_on & ~(CFG_RETRY_NOTHING | CFG_RETRY_CONNECT);
	send_request(w, x, at, (size_t)(body - at) + n);
}

/* ---- To a server ---- */

static bool keep_request(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	if (!len || chunk_append(&x->request, data, len))
		return true;
	exchange_fail(w, x, 500, 'R', 'C');
	return false;
}

static void enqueue(struct worker *w, struct exchange *x)
{
	set_state(w, x, EXCHANGE_QUEUED);
	seeker_enqueue(w, &x->seeker);
}

/* To its server again, or to another one. True: it is set, and to be tried at once. */
static bool move_on(struct worker *w, struct exchange *x, enum conn_retry next)
{
	const struct server *last = x->seeker.server;
	int e;

	if (next == CONN_RETRY_SAME) {
		seeker_drop_server(w, &x->seeker, LB_RESULT_CONNECT, 0);
		e = seeker_pick(w, &x->seeker, last);
	} else {
		seeker_exclude(w, &x->seeker);
		e = seeker_pick_other(w, &x->seeker);
	}
	if (e == -EAGAIN)
		enqueue(w, x);
	else if (e < 0)
		exchange_fail(w, x, 503, 'S', 'C');
	return e == 0;
}

/* The attempt failed. True: its server is set and to be tried at once. */
static bool try_another(struct worker *w, struct exchange *x, char who)
{
	enum conn_retry next = seeker_failed(w, &x->seeker, CFG_RETRY_CONNECT);

	if (next == CONN_GIVE_UP) {
		exchange_fail(w, x, 503, who, 'C');
		return false;
	}
	if (next == CONN_RETRY_SAME && who != 's') { /* a timeout was rest enough */
		set_state(w, x, EXCHANGE_RETRY);
		return false;
	}
	return move_on(w, x, next);
}

/* Does it keep what it has sent? */
static bool keeps_request(const struct exchange *x)
{
	return (x->repeatable || x->retryable) && x->state == EXCHANGE_ASKED;
}

/* Of what is kept for the server, `sent` more bytes are sent. */
static void did_send(struct worker *w, struct exchange *x, size_t sent)
{
	x->since_ns = w->now_ns;
	if (!x->request)
		return;
	x->request->at += (uint32_t)sent;
	if (!chunk_left(x->request) && !keeps_request(x))
		chunk_free(&x->request);
}

/* `sent` bytes of `data` are: the rest is kept, or all of it. False: no memory, it is over. */
static bool keep_rest(struct worker *w, struct exchange *x, const char *data, size_t len, size_t sent)
{
	size_t from = keeps_request(x) ? 0 : sent;

	if (x->request) {
		did_send(w, x, sent);
		return true;
	}
	if (!keep_request(w, x, data + from, len - from))
		return false;
	if (x->request)
		x->request->at = (uint32_t)(sent - from);
	return true;
}

static void connected(struct worker *w, struct exchange *x)
{
	x->link->connected = true;
	observe(w, x->seeker.server, OBSERVED_CONNECTED);
	x->connected_ns = w->now_ns;
	x->repeatable = false; /* a fresh connection that fails has a reason */
	set_state(w, x, EXCHANGE_ASKED);
}

/* Over a connection that stands. False: it does not take it, another one may. */
static bool send_reused(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	struct link *l = x->link;
	ssize_t n = handle_send(&l->h, data, len, 0);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		link_close(w, l);
		return false;
	}
	l->writable = n == (ssize_t)len;
	n = n < 0 ? 0 : n;
	x->connected_ns = w->now_ns;
	set_state(w, x, EXCHANGE_ASKED);
	if (x->request)
		x->request->at = 0; /* it is what `data` is */
	keep_rest(w, x, data, len, (size_t)n);
	return true;
}

/* Over a new connection. 0 or -errno; the request is kept in either case. */
static int send_fresh(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	size_t sent = 0;
	int e;

	set_state(w, x, EXCHANGE_CONNECTING);
	e = link_open(w, x, data, len, &sent);
	if (!e && x->link->connected)
		connected(w, x);
	return keep_rest(w, x, data, len, sent) ? e : 0;
}

/* Its server is set: until it is asked, connecting, resting, queued or over. `data`: not sent yet. */
static void start(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	for (;;) {
		struct client *c = x->client;

		while (link_reuse(w, x))
			if (send_reused(w, x, data, len))
				return;
		if (send_fresh(w, x, data, len) == 0)
			return;
		if (!try_another(w, x, 'S') || c->exchange != x)
			return;
		data = x->request->data;
		len = x->request->len;
	}
}

static void start_kept(struct worker *w, struct exchange *x)
{
	x->request->at = 0;
	start(w, x, x->request->data, x->request->len);
}

static void send_request(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	int e = seeker_pick_first(w, &x->seeker, x->wanted);

	if (e == 0) {
		start(w, x, data, len);
	} else if (e == -EAGAIN) {
		if (keep_request(w, x, data, len))
			enqueue(w, x);
	} else {
		exchange_fail(w, x, 503, 'S', 'C');
	}
}

bool exchange_repeat(struct worker *w, struct exchange *x)
{
	if (!x->repeatable || !x->request || !x->link->used)
		return false;
	link_close(w, x->link);
	start_kept(w, x);
	return true;
}

bool exchange_retry(struct worker *w, struct exchange *x, unsigned how)
{
	enum conn_retry next;

	if (!x->retryable || !(x->seeker.backend->retry_on & how))
		return false;
	next = seeker_failed(w, &x->seeker, how);
	if (next == CONN_GIVE_UP)
		return false;
	link_close(w, x->link);
	chunk_free(&x->part);
	if (move_on(w, x, next))
		start_kept(w, x);
	return true;
}

void exchange_answered(struct exchange *x)
{
	x->retryable = false;
	if (!chunk_left(x->request) || x->link->broken)
		chunk_free(&x->request);
}

/* ---- What happens meanwhile ---- */

void exchange_turn(struct worker *w, struct exchange *x)
{
	start_kept(w, x);
	client_run(w, x->client);
}

/* The socket is connected: introduces the client. 0 or a positive errno. */
static int introduce(struct exchange *x)
{
	const struct client *c = x->client;
	const struct link *l = x->link;
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(l->h.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	if (!error && l->server->send_proxy &&
	    !server_introduce(l->h.fd, l->server, &c->h, &c->from, &c->to, true))
		return EPIPE;
	return error;
}

void exchange_connect_event(struct worker *w, struct exchange *x)
{
	struct client *c = x->client;
	struct link *l = x->link;
	int error = l->h.tls ? 0 : introduce(x);

	if (!error && l->server->tls)
		error = shake_server(w, &l->h, l->server, x->sni);
	if (error == -EAGAIN)
		return;
	if (!error) {
		connected(w, x);
		l->writable = true;
	} else {
		link_close(w, l);
		if (try_another(w, x, 'S'))
			start_kept(w, x);
	}
	client_run(w, c);
}

uint64_t exchange_deadline(const struct exchange *x)
{
	const struct conn_timeouts *t;
	uint64_t queue_ns, rest = CONN_RETRY_NS;

	if (x->state == EXCHANGE_TARPIT)
		return x->since_ns + x->client->frontend->tarpit_ns;
	if (x->state == EXCHANGE_OWN)
		return x->up.done || !x->client->frontend->client_ns
			   ? CONN_NEVER
			   : x->client->since_ns + x->client->frontend->client_ns;
	t = &x->seeker.backend->timeout;
	queue_ns = t->queue_ns ? t->queue_ns : t->connect_ns;
	switch (x->state) {
	case EXCHANGE_QUEUED:
		return queue_ns ? x->since_ns + queue_ns : CONN_NEVER;
	case EXCHANGE_CONNECTING:
		return t->connect_ns ? x->since_ns + t->connect_ns : CONN_NEVER;
	case EXCHANGE_RETRY:
		if (t->connect_ns && t->connect_ns < rest)
			rest = t->connect_ns;
		return x->since_ns + rest;
	case EXCHANGE_TARPIT:
	case EXCHANGE_OWN:
	case EXCHANGE_ASKED:
	case EXCHANGE_ANSWER:
		break;
	}
	return t->server_ns ? x->since_ns + t->server_ns : CONN_NEVER;
}

void exchange_expired(struct worker *w, struct exchange *x)
{
	switch (x->state) {
	case EXCHANGE_TARPIT:
		exchange_fail(w, x, x->status, 'P', 'T');
		break;
	case EXCHANGE_OWN: /* its form does not come */
		exchange_fail(w, x, 408, 'c', 'R');
		break;
	case EXCHANGE_QUEUED:
		exchange_fail(w, x, 503, 's', 'Q');
		break;
	case EXCHANGE_CONNECTING:
		link_close(w, x->link);
		if (try_another(w, x, 's'))
			start_kept(w, x);
		break;
	case EXCHANGE_RETRY:
		if (move_on(w, x, CONN_RETRY_SAME))
			start_kept(w, x);
		break;
	case EXCHANGE_ASKED:
		if (!exchange_retry(w, x, CFG_RETRY_TIMEOUT))
			exchange_fail(w, x, 504, 's', 'H');
		break;
	case EXCHANGE_ANSWER:
		exchange_fail(w, x, 0, 's', 'D');
	}
}

/* ---- The body of the request ---- */

static void stop_upload(struct exchange *x)
{
	/* It may have answered before it went: that is still to be had. */
	x->link->broken = true;
	x->link->writable = false;
	x->link_keeps = false;
	if (!x->retryable)
		chunk_free(&x->request);
}

static void flush_request(struct worker *w, struct exchange *x)
{
	struct chunk *c = x->request;
	ssize_t n = handle_send(&x->link->h, c->data + c->at, chunk_left(c), 0);

	if (n < 0 && errno == EINTR)
		return;
	if (n < 0 && errno != EAGAIN) {
		stop_upload(x);
		return;
	}
	if (n < (ssize_t)chunk_left(c))
		x->link->writable = false;
	did_send(w, x, n < 0 ? 0 : (size_t)n);
}

/* Bytes of the client, of which some may be those of its next request. */
static void take_body(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	struct client *c = x->client;
	size_t n = h1_body_feed(&x->up, data, len, NULL);
	ssize_t sent = 0;

	x->bytes_in += n;
	if (x->up.fault) {
		x->fault = x->up.fault;
		exchange_fail(w, x, 400, 'P', 'D');
		return;
	}
	if (n < len) {
		c->unparsed = true;
		if (!chunk_append(&c->in, data + n, len - n)) {
			exchange_fail(w, x, 500, 'R', 'D');
			return;
		}
	}
	if (x->link->broken) { /* the answer goes on, nobody wants the rest */
		if (exchange_is_over(x))
			exchange_finish(w, x);
		return;
	}
	sent = handle_send(&x->link->h, data, n, 0);
	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		stop_upload(x);
		return;
	}
	sent = sent < 0 ? 0 : sent;
	x->since_ns = w->now_ns;
	if ((size_t)sent < n) {
		x->link->writable = false;
		if (!keep_request(w, x, data + sent, n - (size_t)sent))
			return;
	}
	if (exchange_is_over(x))
		exchange_finish(w, x);
}

static void read_body(struct worker *w, struct exchange *x)
{
	struct client *c = x->client;
	size_t cap = WORKER_SCRATCH;
	char *buf = x->up.left > WORKER_SCRATCH ? worker_bulk(w, &cap) : w->scratch;
	ssize_t n = handle_recv(&c->h, buf, cap);

	if (n > 0) {
		if (handle_is_emptied(&c->h, (size_t)n, cap) && !c->hup)
			c->readable = false;
		c->since_ns = w->now_ns;
		take_body(w, x, buf, (size_t)n);
	} else if (n == 0) {
		c->eof = true;
		c->readable = false;
		exchange_fail(w, x, 400, 'C', 'D');
	} else if (errno == EAGAIN) {
		c->readable = false;
	} else if (errno != EINTR) {
		exchange_fail(w, x, 0, 'C', 'D');
	}
}

bool exchange_upload(struct worker *w, struct exchange *x)
{
	struct client *c = x->client;

	if (x->ask)
		return exchange_ask_upload(w, x);
	if (!x->link || !x->link->connected || x->state < EXCHANGE_ASKED)
		return false;
	if (chunk_left(x->request)) {
		if (!x->link->writable)
			return false;
		flush_request(w, x);
		if (exchange_is_over(x))
			exchange_finish(w, x);
		return true;
	}
	if (x->up.done || !c->readable || c->eof)
		return false;
	read_body(w, x);
	return true;
}

/* ---- A tunnel ---- */

static int rewatch(struct worker *w, struct handle *h, bool watched)
{
	struct epoll_event e = {.events = SESSION_EVENTS, .data.ptr = h};

	return epoll_ctl(w->epoll_fd, watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, h->fd, &e);
}

void exchange_tunnel(struct worker *w, struct exchange *x)
{
	struct client *c = x->client;
	struct link *l = x->link;
	struct session *s = calloc(1, sizeof(*s));
	struct conn_side *client, *server;

	if (!s) {
		exchange_fail(w, x, 0, 'R', 'D');
		return;
	}
	conn_begin(&s->conn, w->now_ns);
	conn_set_state(&s->conn, CONN_OPEN, w->now_ns);
	client = &s->conn.side[CONN_CLIENT];
	server = &s->conn.side[CONN_SERVER];
	s->handle[CONN_CLIENT] = (struct handle){HANDLE_CLIENT, c->h.fd, c->h.tls};
	s->handle[CONN_SERVER] = (struct handle){HANDLE_SERVER, l->h.fd, l->h.tls};
	/* what an edge has told already is not told again: look once */
	client->readable = server->readable = true;
	client->writable = c->writable;
	server->writable = l->writable;
	client->hup = c->hup;
	server->hup = l->hup;
	s->chunk[CONN_CLIENT] = c->out;
	s->chunk[CONN_SERVER] = c->in; /* sent right behind the request */
	client->pending = (uint32_t)chunk_left(c->out);
	server->pending = (uint32_t)chunk_left(c->in);
	c->in = c->out = NULL;
	s->frontend = c->frontend;
	s->seeker = x->seeker;
	s->client = c->from;
	s->accepted_ns = c->accepted_ns;
	s->store = c->store;
	c->store = NULL;
	s->connected_ns = x->connected_ns;
	s->timer.owner = TIMER_SESSION;
	s->tunnel = x;
	LIST_INSERT_HEAD(&w->sessions, s, entry);
	l->h.fd = -1;
	l->h.tls = NULL;
	link_close(w, l);
	x->seeker.server = NULL; /* counted by the session now */
	x->seeker.exclude = NULL;
	x->client = NULL;
	if (rewatch(w, &s->handle[CONN_CLIENT], c->watched) < 0 ||
	    rewatch(w, &s->handle[CONN_SERVER], true) < 0)
		conn_end(&s->conn, 'R', 'D');
	client_forget(w, c);
	session_run(w, s);
}

void tunnel_closed(struct worker *w, struct session *s)
{
	struct exchange *x = s->tunnel;

	s->tunnel = NULL;
	x->cause = s->conn.cause;
	x->seeker.server = s->seeker.server; /* to be named */
	x->bytes += s->conn.side[CONN_SERVER].bytes;
	x->bytes_in += s->conn.side[CONN_CLIENT].bytes;
	count_exchange(w, s->frontend, x);
	if (s->frontend->httplog && !x->logged) {
		const struct exchange_view v = {
		    w,
		    x,
		    s->frontend,
		    s->store,
		    s->handle[CONN_CLIENT].tls,
		    s->accepted_ns,
		    x->bytes,
		    false,
		};

		http_log(&v, &s->client, s->target, s->handle[CONN_CLIENT].fd);
	}
	x->seeker.server = NULL;
	exchange_free(w, x);
}
