/* SPDX-License-Identifier: MIT */
/* The body of a request: from the client to the server. */
#include "client_io.h"

#include <errno.h>

#include "engine/ask.h"

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
	exchange_sent(w, x, n < 0 ? 0 : (size_t)n);
}

/* Bytes of the client, of which some may be those of its next request. */
static void take_body(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	size_t n = h1_body_feed(&x->up, data, len, NULL);
	ssize_t sent = 0;

	x->bytes_in += n;
	if (x->up.fault) {
		x->fault = x->up.fault;
		exchange_fail(w, x, 400, 'P', x->state == EXCHANGE_ANSWER ? 'D' : 'H');
		return;
	}
	if (n < len && !exchange_keep_next(w, x, data + n, len - n, 'D'))
		return;
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
		if (!exchange_keep(w, x, data + sent, n - (size_t)sent))
			return;
	}
	if (exchange_is_over(x))
		exchange_finish(w, x);
}

/* As recv() said. */
static void not_read(struct worker *w, struct exchange *x, ssize_t n)
{
	struct client *c = x->client;

	if (n == 0) {
		c->eof = true;
		c->readable = false;
		exchange_fail(w, x, 0, 'C', 'D'); /* as HAProxy: without an answer */
	} else if (errno == EAGAIN) {
		c->readable = false;
	} else if (errno != EINTR) {
		exchange_fail(w, x, 0, 'C', 'D');
	}
}

/* What the pipe holds goes to the server. */
static void pass_on(struct worker *w, struct exchange *x, size_t len)
{
	ssize_t n = pipe_send(w, x->link->h.fd, len);

	if (n < 0) {
		pipe_close(w);
		stop_upload(x);
		return;
	}
	x->since_ns = w->now_ns;
	x->link->writable = n == (ssize_t)len;
	if (x->link->writable)
		return;
	chunk_free(&x->request); /* all of it was sent */
	x->request = pipe_rest(w, len - (size_t)n);
	if (!x->request)
		exchange_fail(w, x, 500, 'R', 'D');
}

/* As read_body, of a body whose next bytes are not looked at. */
static void pass_body(struct worker *w, struct exchange *x)
{
	struct client *c = x->client;
	ssize_t n = pipe_fill(w, c->h.fd, h1_body_ahead(&x->up));

	if (n <= 0) {
		not_read(w, x, n);
		return;
	}
	c->since_ns = w->now_ns;
	x->bytes_in += (uint64_t)n;
	w->moved += (size_t)n;
	h1_body_skip(&x->up, (uint64_t)n);
	pass_on(w, x, (size_t)n);
	if (c->exchange == x && exchange_is_over(x))
		exchange_finish(w, x);
}

static bool may_pass(struct worker *w, const struct exchange *x)
{
	return x->link->writable && !x->link->broken && !x->pace &&
	       pipe_suits(w, &x->client->h, &x->link->h, h1_body_ahead(&x->up));
}

/* `room`: at most so much. */
static void read_body(struct worker *w, struct exchange *x, size_t room)
{
	struct client *c = x->client;
	size_t cap = WORKER_SCRATCH;
	char *buf = x->up.left > WORKER_SCRATCH ? worker_bulk(w, &cap) : w->scratch;
	ssize_t n;

	cap = cap < room ? cap : room;
	n = client_recv(c, buf, cap);
	if (n > 0) {
		if (client_is_emptied(c, (size_t)n, cap) && !c->hup)
			c->readable = false;
		c->since_ns = w->now_ns;
		w->moved += (size_t)n;
		take_body(w, x, buf, (size_t)n);
	} else {
		not_read(w, x, n);
	}
}

bool exchange_upload(struct worker *w, struct exchange *x)
{
	struct client *c = x->client;
	size_t room = SIZE_MAX;

	if (x->state == EXCHANGE_BODY)
		return exchange_gather(w, x);
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
	if (x->pace && !(room = pace_room(x->pace, CONN_CLIENT, x->bytes_in, w->now_ns)))
		return false;
	if (may_pass(w, x))
		pass_body(w, x);
	else
		read_body(w, x, room);
	return true;
}
