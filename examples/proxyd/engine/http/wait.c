/* SPDX-License-Identifier: MIT */
/*
 * "http-request wait-for-body" and "option http-buffer-request": head and body are kept with the client, the head
 * as rules have made it so far, until enough of the body is there. Then the head is read again, and the rules go on.
 * "http-response wait-for-body" and "pause" do the same with an answer, which is kept with the exchange.
 */
#include "client_io.h"

#include <errno.h>
#include <string.h>


static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* Bytes of the body so far, as it came. */
static size_t body_len(const struct exchange *x)
{
	return chunk_left(x->client->in) - x->head_len;
}

/* `len` bytes of it, as it came. */
static bool is_enough(const struct exchange *x, const struct h1_body *b, size_t len)
{
	return b->done || b->fault || len >= HTTP_RECEIVE || (x->wait_bytes && len >= x->wait_bytes);
}

/*
 * A client that waits for a word is told it here (RFC 9110, section 10.1.1), also one that did not wait: servers
 * are not asked for another, as with HAProxy. 0 or -errno.
 */
static int invite(struct worker *w, struct exchange *x, struct http_msg *m)
{
	if (!m->expects_continue || !http_find_id(m, HTTP_ID_EXPECT) || (x->up.done && !w->http->early_len))
		return 0;
	if (!client_give(w, x->client, go_on, sizeof(go_on) - 1, 0))
		return -ENOMEM;
	http_remove(m, "expect", 6);
	return 0;
}

/*
 * Keeps a message behind what is in `to`: its head as rules have made it so far, and what came of its body. The length of the head;
 * -ENOSPC: that is too long now, or there would be no room to read it again; -ENOMEM.
 */
static ssize_t keep_message(struct worker *w, const struct http_msg *m, struct chunk **to)
{
	struct http_worker *h = w->http;
	ssize_t len = http_write(m, h->written, sizeof(h->written));

	if (len < 0 || len > w->head_max || (size_t)len + h->early_len > HTTP_HEAD_MAX + HTTP_RECEIVE)
		return -ENOSPC;
	if (!chunk_append(to, h->written, (size_t)len) || (h->early_len && !chunk_append(to, h->early, h->early_len)))
		return -ENOMEM;
	return len;
}

/* The request is kept in `to` until its state is over. */
static void keep_request(struct worker *w, struct exchange *x, struct http_msg *m, struct chunk **to, enum exchange_state state)
{
	ssize_t len = keep_message(w, m, to);

	if (len < 0) {
		exchange_fail(w, x, 500, len == -ENOSPC ? 'P' : 'R', 'R');
		return;
	}
	x->head_len = (uint32_t)len;
	exchange_set_state(w, x, state);
}

bool exchange_has_body(struct worker *w, struct exchange *x, struct http_msg *m)
{
	if (invite(w, x, m) < 0)
		exchange_fail(w, x, 500, 'R', 'R');
	else if (x->client->eof || is_enough(x, &x->up, w->http->early_len))
		return true;
	else
		keep_request(w, x, m, &x->client->in, EXCHANGE_BODY);
	return false;
}

/* What is kept is with the exchange: the client may have sent its next request already, which is in client->in. */
void exchange_pause(struct worker *w, struct exchange *x, struct http_msg *m)
{
	keep_request(w, x, m, &x->request, EXCHANGE_PAUSED);
}

/* The request that was kept, `have` bytes with its body, stands in the worker's buffer again: the rules go on. */
static void route_again(struct worker *w, struct exchange *x, size_t have)
{
	ssize_t head;

	http_begin_request(w, x->client);
	head = h1_request(&w->http->request, HTTP_ROOM, (uint32_t)have);
	if (head == (ssize_t)x->head_len)
		exchange_route(w, x, x->head_len, have - x->head_len);
	else /* what rules made of it is no request */
		exchange_fail(w, x, 500, 'P', 'R');
}

void exchange_go_on(struct worker *w, struct exchange *x)
{
	size_t have = chunk_left(x->request);

	memcpy(w->http->buffer + HTTP_ROOM, x->request->data, have);
	chunk_free(&x->request);
	route_again(w, x, have);
}

/* Enough is there: `rest` bytes behind it are of the next request. */
static void resume(struct worker *w, struct exchange *x, size_t have, size_t rest)
{
	struct client *c = x->client;

	chunk_free(&c->in);
	c->unparsed = false;
	if (rest && !exchange_keep_next(w, x, w->http->buffer + HTTP_ROOM + have, rest, 'R'))
		return;
	x->asked_ns = w->now_ns;
	route_again(w, x, have);
}

/* `n` more bytes stand behind the `have` that are kept, all in the worker's buffer. */
static void take(struct worker *w, struct exchange *x, size_t have, size_t n)
{
	char *at = w->http->buffer + HTTP_ROOM;
	size_t fed = h1_body_feed(&x->up, at + have, n, NULL), body;

	x->bytes_in += fed;
	body = have + fed - x->head_len;
	if (x->up.fault) {
		x->fault = x->up.fault;
		exchange_fail(w, x, 400, 'P', 'R');
	} else if (is_enough(x, &x->up, body)) {
		resume(w, x, have + fed, n - fed);
	} else if (!chunk_append(&x->client->in, at + have, n)) {
		exchange_fail(w, x, 500, 'R', 'R');
	}
}

bool exchange_gather(struct worker *w, struct exchange *x)
{
	struct client *c = x->client;
	size_t have = chunk_left(c->in), room = HTTP_RECEIVE - body_len(x);
	char *at = w->http->buffer + HTTP_ROOM;
	ssize_t n;

	if (!c->readable)
		return false;
	memcpy(at, c->in->data + c->in->at, have);
	n = client_recv(c, at + have, room);
	if (n > 0) {
		if (client_is_emptied(c, (size_t)n, room) && !c->hup)
			c->readable = false;
		c->since_ns = w->now_ns;
		take(w, x, have, (size_t)n);
	} else if (n == 0) {
		c->eof = true;
		c->readable = false;
		x->asked_ns = 0; /* it is no whole request, for the log */
		exchange_fail(w, x, 0, 'C', 'R'); /* as HAProxy: without an answer */
	} else if (errno == EAGAIN) {
		c->readable = false;
	} else if (errno != EINTR) {
		exchange_fail(w, x, 0, 'C', 'R');
	}
	return true;
}

/* ---- The answer ---- */

bool exchange_can_hold(const struct worker *w, const struct exchange *x, const struct http_msg *m)
{
	struct h1_body b;

	if (m->framing == HTTP_BODY_TUNNEL)
		return false;
	h1_body_begin(&b, m);
	h1_body_feed(&b, w->http->early, w->http->early_len, NULL);
	return !is_enough(x, &b, w->http->early_len);
}

void exchange_hold(struct worker *w, struct exchange *x, struct http_msg *m, enum exchange_state state)
{
	struct http_worker *h = w->http;
	ssize_t len = keep_message(w, m, &x->part);

	if (len < 0) {
		exchange_fail(w, x, 502, len == -ENOSPC ? 'P' : 'R', 'H');
		return;
	}
	x->head_len = (uint32_t)len;
	h1_body_begin(&x->down, m);
	h1_body_feed(&x->down, h->early, h->early_len, NULL);
	if (!x->answered_ns)
		x->answered_ns = w->now_ns;
	x->held_until_ns = w->now_ns + x->wait_ns;
	x->state = state;
}

void exchange_release(struct worker *w, struct exchange *x)
{
	struct http_worker *h = w->http;
	size_t have = chunk_left(x->part);
	ssize_t head;

	memcpy(h->buffer + HTTP_ROOM, x->part->data, have);
	chunk_free(&x->part);
	exchange_set_state(w, x, EXCHANGE_ASKED);
	http_begin(w, &h->answer, HTTP_ROOM);
	h->answer.lenient = x->seeker.backend->proxy->set.http.lenient_response;
	head = h1_response(&h->answer, HTTP_ROOM, (uint32_t)have, x->method, x->asked_upgrade);
	if (head == (ssize_t)x->head_len)
		exchange_take_answer(w, x, HTTP_ROOM, x->head_len, (uint32_t)have);
	else /* what rules made of it is no answer */
		exchange_fail(w, x, 502, 'P', 'H');
}

void exchange_hold_more(struct worker *w, struct exchange *x, size_t n)
{
	const char *more = w->http->buffer;

	h1_body_feed(&x->down, more, n, NULL);
	if (!chunk_append(&x->part, more, n))
		exchange_fail(w, x, 502, 'R', 'H');
	else if (is_enough(x, &x->down, chunk_left(x->part) - x->head_len))
		exchange_release(w, x);
}
