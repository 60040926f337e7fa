/* SPDX-License-Identifier: MIT */
/* The answer on its way to the client. */
#include "http.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/compress.h"
#include "engine/count.h"
#include "engine/io.h"
#include "engine/refused.h"

/* ---- Its head ---- */

static const char *wanted_connection(const struct exchange *x, const struct http_msg *m)
{
	if (client_is_stream(x->client)) /* its connection has no such field */
		return NULL;
	if (x->client_keeps) /* the version of a server's answer goes on: its default is close if that is 1.0 */
		return x->minor && m->minor ? NULL : "keep-alive";
	return m->minor ? "close" : NULL;
}

/* 0 or -ENOSPC. */
static int edit_answer(const struct exchange *x, struct http_msg *m)
{
	int e;

	if (m->framing == HTTP_BODY_TUNNEL)
		return 0; /* its Connection field is between the ends */
	if (m->status == 204) { /* never has them (RFC 9110, 8.6; RFC 9112, 6.1): some would wait for the body */
		http_remove_id(m, HTTP_ID_CONTENT_LENGTH);
		http_remove_id(m, HTTP_ID_TRANSFER_ENCODING);
	}
	e = http_say_connection(m, wanted_connection(x, m));
	if (!e && x->dechunk && !x->deflater)
		http_remove_id(m, HTTP_ID_TRANSFER_ENCODING);
	if (!e && x->client->frontend->http->adjusts_answer)
		e = http_adjust_case(m, x->client->frontend->set->cfg->global.cases);
	return e;
}

/* Takes the framing of chunks out, in place. Returns how many bytes are left. */
static size_t dechunk(struct h1_body *b, char *data, size_t len, size_t *ret_taken)
{
	size_t at = 0, out = 0;

	while (at < len && !b->done && !b->fault) {
		struct http_span piece;
		size_t n = h1_body_feed(b, data + at, len - at, &piece);

		memmove(data + out, data + at + piece.at, piece.len);
		out += piece.len;
		at += n;
	}
	*ret_taken = at;
	return out;
}

/* Body bytes as the client gets them; `ret_taken` of `len` are the body's. */
static size_t take_body(struct exchange *x, char *data, size_t len, size_t *ret_taken)
{
	if (x->dechunk)
		return dechunk(&x->down, data, len, ret_taken);
	*ret_taken = h1_body_feed(&x->down, data, len, NULL);
	return *ret_taken;
}

#define SHORT_BODY 16384u

/*
 * Servers write a head and its short body one after the other. Whoever is fast enough to come between them would wake
 * its client for the head alone, and that takes the server's CPU, or the client's, from the body. The kernel sends
 * what is kept back after 200 ms at the latest (tcp(7), TCP_CORK).
 */
static bool waits_for_body(const struct exchange *x)
{
	uint64_t ahead = h1_body_ahead(&x->down);

	return x->down.framing == HTTP_BODY_LENGTH && ahead && ahead <= SHORT_BODY &&
	       !x->seeker.backend->http->no_delay && !x->client->frontend->http->no_delay;
}

/* `more`: MSG_MORE, or 0. */
static void give(struct worker *w, struct exchange *x, const char *data, size_t len, int more)
{
	struct client *c = x->client;

	/* The FIN that follows at once rides on this segment. */
	if (x->down.done && !x->client_keeps && exchange_is_asked(x))
		more = MSG_MORE;
	x->bytes += len;
	if (!client_give(w, c, data, len, more))
		exchange_fail(w, x, 0, 'R', 'D');
	else if (exchange_is_over(x))
		exchange_finish(w, x);
}

/* A piece of a body that is made smaller, behind a head of `head_len` bytes if it is the first. */
static void give_compressed(struct worker *w, struct exchange *x, const char *head, size_t head_len, const char *data,
			    size_t len)
{
	x->bytes += head_len;
	if ((head_len && !client_give(w, x->client, head, head_len, len || x->down.done ? MSG_MORE : 0)) ||
	    !compress_give(w, x, data, len))
		exchange_fail(w, x, 0, 'R', 'D');
	else if (exchange_is_over(x))
		exchange_finish(w, x);
}

/* option logasap: `bytes` of the answer are here, and count as given. */
static void log_early(struct worker *w, struct exchange *x, size_t bytes)
{
	x->bytes += bytes;
	exchange_log(w, x, true);
	x->bytes -= bytes;
}

/* What both connections do when this answer is through. `whole`: nothing came behind its body. */
static void settle_connections(struct worker *w, struct exchange *x, const struct http_msg *m, bool whole)
{
	bool ends = m->framing == HTTP_BODY_CLOSE; /* the body is over when the server closes */

	x->link_keeps = m->keep_alive && !ends && whole && x->seeker.backend->http->closing == CFG_KEEP_ALIVE &&
			x->client->frontend->http->closing == CFG_KEEP_ALIVE;
	x->client_keeps = x->client_keeps && !ends && (!x->dechunk || x->deflater) && !x->client->eof &&
			  !client_leaves(w, x->client);
}

/* From here on it is the answer: for the log, for `observe`, for how long a worker naps. */
static void note_answer(struct worker *w, struct exchange *x, unsigned status)
{
	bool well = status < 500 || status == 501 || status == 505; /* these two are the client's doing */

	x->status = status;
	if (!x->answered_ns) /* it was not held */
		x->answered_ns = w->now_ns;
	nap_answered(&w->nap, w->now_ns - x->connected_ns);
	observe(w, x->seeker.server, well ? OBSERVED_ANSWER : OBSERVED_WRONG_STATUS);
	x->state = EXCHANGE_ANSWER;
}

/* The head as it goes on, right in front of its body in the buffer. NULL: it has no room. */
static char *place_head(struct worker *w, const struct http_msg *m, char *head, char *body)
{
	struct http_worker *h = w->http;
	ssize_t len;

	if (!m->edited)
		return head;
	len = http_write(m, h->written, sizeof(h->written));
	return len < 0 || len > body - h->buffer ? NULL : memcpy(body - len, h->written, (size_t)len);
}

/* The head of 101, or of an answered CONNECT, and the tunnel's first bytes. */
static void give_tunnel(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	if (client_give(w, x->client, data, len, 0))
		exchange_tunnel(w, x);
	else
		exchange_fail(w, x, 0, 'R', 'D');
}

void exchange_take_answer(struct worker *w, struct exchange *x, uint32_t at, uint32_t head_len, uint32_t total)
{
	struct http_worker *h = w->http;
	struct http_msg *m = &h->answer;
	char *head = h->buffer + at, *body = head + head_len;
	size_t rest = total - head_len, taken, len;

	x->answer_version = 1 + m->minor;
	h->early = body;
	h->early_len = rest;
	if (!http_response_rules(w, x, m))
		return;
	if (http_cookie_give(x, m) < 0 || (x->compresses && compress_begin(w, x, m) < 0) ||
	    (m->framing == HTTP_BODY_TUNNEL && client_is_stream(x->client))) { /* rules asked for it; a stream has no socket to give */
		exchange_fail(w, x, 502, 'P', 'H');
		return;
	}
	h1_body_begin(&x->down, m);
	x->dechunk = m->framing == HTTP_BODY_CHUNKED && (!x->minor || x->deflater);
	len = take_body(x, body, rest, &taken);
	x->fault = x->down.fault;
	if (x->fault) {
		exchange_fail(w, x, 502, 'P', 'H');
		return;
	}
	settle_connections(w, x, m, taken == rest);
	head = edit_answer(x, m) < 0 ? NULL : place_head(w, m, head, body);
	if (!head) {
		exchange_fail(w, x, 502, 'P', 'H');
		return;
	}
	note_answer(w, x, m->status);
	if (x->client->frontend->proxy->set.logasap)
		log_early(w, x, (size_t)(body - head) + (x->deflater ? 0 : len));
	if (x->deflater)
		give_compressed(w, x, head, (size_t)(body - head), body, len);
	else if (m->framing == HTTP_BODY_TUNNEL)
		give_tunnel(w, x, head, (size_t)(body - head) + rest);
	else
		give(w, x, head, (size_t)(body - head) + len, !len && waits_for_body(x) ? MSG_MORE : 0);
}

/* An answer before the answer (RFC 9110, section 15.2): HTTP/1.0 knows none. False: it is over. */
static bool interim(struct worker *w, struct exchange *x, uint32_t at, uint32_t len)
{
	struct http_worker *h = w->http;
	const char *head = h->buffer + at;
	ssize_t n = len;

	if (h->answer.edited) {
		n = http_write(&h->answer, h->written, sizeof(h->written));
		head = h->written;
	}
	if (++x->n_interim > HTTP_INTERIM_MAX) {
		x->fault = H1_FAULT_INTERIM;
		exchange_fail(w, x, 502, 'P', 'H');
		return false;
	}
	w->moved += EVENT_BYTES; /* it takes a call of its own: many are a turn */
	if (!x->minor || (n > 0 && client_give(w, x->client, head, (size_t)n, 0)))
		return true;
	exchange_fail(w, x, 0, 'R', 'H');
	return false;
}

/* What came, from `at` in the worker's buffer on. */
static void parse(struct worker *w, struct exchange *x, uint32_t len)
{
	struct http_msg *m = &w->http->answer;
	uint32_t at = HTTP_ROOM;
	ssize_t head;

	for (;;) {
		http_begin(w, m, at);
		m->lenient = x->seeker.backend->proxy->set.http.lenient_response;
		head = h1_response(m, at, len, x->method, x->asked_upgrade);
		if (head < 0) {
			if (exchange_retry(w, x, CFG_RETRY_JUNK))
				return;
			x->fault = (enum h1_fault) - head;
			refused_keep(w, x->client, x, x->fault, w->http->buffer + at, len);
			exchange_fail(w, x, 502, 'P', 'H');
			return;
		}
		if (head == 0)
			break;
		x->since_ns = w->now_ns; /* a part of a head is no sign of life: line by line it would never end */
		if (m->status / 100 != 1 || m->status == 101) {
			if (exchange_retry(w, x, cfg_retry_status(m->status)))
				return;
			exchange_answered(x);
			count_answer(w, x->seeker.server, m->status);
			x->was_answered = true;
			http_count_status(w, x, m->status);
			exchange_take_answer(w, x, at, (uint32_t)head, len);
			return;
		}
		count_answer(w, x->seeker.server, m->status);
		if (!interim(w, x, at, (uint32_t)head))
			return;
		at += (uint32_t)head;
		len -= (uint32_t)head;
	}
	if (len && !chunk_append(&x->part, w->http->buffer + at, len))
		exchange_fail(w, x, 502, 'R', 'H');
}

/* The connection ended before there was an answer. */
static void no_answer(struct worker *w, struct exchange *x)
{
	bool reused = x->link->used;

	/* Of half a head HAProxy's manual says junk, and its 2.6 asks again on the other word. */
	if (exchange_retry(w, x, CFG_RETRY_EMPTY | (x->part ? CFG_RETRY_JUNK : 0)))
		return;
	if (!x->part && exchange_repeat(w, x))
		return;
	/* It ended while it was idle, and the request crossed that. A client that was answered here
	 * before knows this from any server and asks again; an error would be taken for an answer. */
	if (reused && !x->part && x->client->not_first && !client_is_stream(x->client))
		exchange_fail(w, x, 0, 'S', 'H');
	else
		exchange_fail(w, x, 502, 'S', 'H');
}

static ssize_t receive(struct exchange *x, char *buf, size_t cap)
{
	struct link *l = x->link;
	ssize_t n = handle_recv(&l->h, buf, cap);

	if (n > 0) {
		/* A short read has emptied the socket, unless its FIN was announced with it. */
		if (handle_is_emptied(&l->h, (size_t)n, cap) && !l->hup)
			l->readable = false;
	} else if (n < 0 && errno == EAGAIN) {
		l->readable = false;
	}
	return n;
}

static void read_head(struct worker *w, struct exchange *x)
{
	uint32_t have = (uint32_t)chunk_left(x->part);
	char *at = w->http->buffer + HTTP_ROOM;
	ssize_t n = receive(x, at + have, HTTP_RECEIVE);

	if (n > 0) {
		if (have)
			memcpy(at, x->part->data, have);
		x->repeatable = false;
		if (!x->retryable)
			exchange_answered(x);
		/* only the end of a line can make a head whole, or show that it is none */
		if (have && have + n < w->head_max && !memchr(at + have, '\n', (size_t)n)) {
			if (!chunk_append(&x->part, at + have, (size_t)n))
				exchange_fail(w, x, 502, 'R', 'H');
			return;
		}
		chunk_free(&x->part);
		parse(w, x, have + (uint32_t)n);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		x->server_broke = n < 0;
		no_answer(w, x);
	}
}

/* ---- Its body ---- */

static void body_ended(struct worker *w, struct exchange *x)
{
	if (!h1_body_ended(&x->down)) {
		exchange_fail(w, x, 0, 'S', 'D');
		return;
	}
	x->down.done = true;
	exchange_finish(w, x);
}

/* As give(), of a body whose next bytes are not looked at. */
static void pass_body(struct worker *w, struct exchange *x)
{
	struct link *l = x->link;
	ssize_t n = pipe_fill(w, l->h.fd, h1_body_ahead(&x->down));
	char byte;

	if (n > 0) {
		x->since_ns = w->now_ns;
		x->bytes += (uint64_t)n;
		w->moved += (size_t)n;
		h1_body_skip(&x->down, (uint64_t)n);
		/* Nothing may be left behind it in a connection that is used again. */
		if (x->down.done && handle_peek(&l->h, &byte, 1) < 0 && errno == EAGAIN)
			l->readable = false;
		if (!client_pass(w, x->client, (size_t)n))
			exchange_fail(w, x, 0, 'R', 'D');
		else if (exchange_is_over(x))
			exchange_finish(w, x);
	} else if (n == 0) {
		body_ended(w, x);
	} else if (errno == EAGAIN) {
		l->readable = false;
	} else if (errno != EINTR) {
		exchange_fail(w, x, 0, 'S', 'D');
	}
}

static bool may_pass(struct worker *w, const struct exchange *x)
{
	const struct client *c = x->client;

	return c->writable && !c->out && !x->deflater && !x->pace && pipe_suits(w, &x->link->h, &c->h, h1_body_ahead(&x->down));
}

/* `room`: at most so much. */
static void read_body(struct worker *w, struct exchange *x, size_t room)
{
	size_t cap = WORKER_SCRATCH, len, taken;
	char *buf = exchange_is_bulk(x) ? worker_bulk(w, &cap) : w->scratch;
	ssize_t n;

	if (client_is_stream(x->client) && room > h2_room(x->client))
		room = h2_room(x->client);
	n = receive(x, buf, cap < room ? cap : room);
	if (n > 0) {
		w->moved += (size_t)n;
		x->since_ns = w->now_ns;
		len = take_body(x, buf, (size_t)n, &taken);
		if (x->down.fault) {
			x->fault = x->down.fault;
			exchange_fail(w, x, 0, 'P', 'D');
			return;
		}
		if (taken < (size_t)n)
			x->link_keeps = false; /* it says more than it was asked */
		if (x->deflater)
			give_compressed(w, x, NULL, 0, buf, len);
		else if (len || x->down.done)
			give(w, x, buf, len, 0);
	} else if (n == 0) {
		body_ended(w, x);
	} else if (errno != EAGAIN && errno != EINTR) {
		exchange_fail(w, x, 0, 'S', 'D');
	}
}

/* Rules wait for it. */
static void gather_body(struct worker *w, struct exchange *x)
{
	size_t room = HTTP_RECEIVE - (chunk_left(x->part) - x->head_len);
	ssize_t n = receive(x, w->http->buffer, room);

	if (n > 0) {
		x->since_ns = w->now_ns;
		exchange_hold_more(w, x, (size_t)n);
	} else if (n == 0) { /* who reads on sees that, too */
		exchange_release(w, x);
	} else if (errno != EAGAIN && errno != EINTR) {
		exchange_fail(w, x, 502, 'S', 'H');
	}
}

/* The answer is whole, the request is not, and the server is gone. */
static void watch_for_end(struct worker *w, struct exchange *x)
{
	char byte;
	ssize_t n = receive(x, &byte, 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	x->link_keeps = x->client_keeps = false;
	exchange_finish(w, x);
}

void exchange_hurry(struct exchange *x)
{
	bool begun = x->part || x->n_interim || x->state >= EXCHANGE_ANSWER_BODY;

	if (!begun || x->hurried || x->down.done || !x->link || x->link->hup)
		return;
	x->hurried = true;
	handle_hurry(&x->link->h);
}

bool exchange_download(struct worker *w, struct exchange *x)
{
	size_t room = SIZE_MAX;

	if (x->state < EXCHANGE_ASKED || x->state == EXCHANGE_ANSWER_PAUSED || !x->link || !x->link->readable)
		return false;
	if (x->state == EXCHANGE_ASKED)
		read_head(w, x);
	else if (x->state == EXCHANGE_ANSWER_BODY)
		gather_body(w, x);
	else if (x->down.done)
		watch_for_end(w, x);
	else if (x->pace && !(room = pace_room(x->pace, CONN_SERVER, x->bytes, w->now_ns)))
		return false;
	else if (may_pass(w, x))
		pass_body(w, x);
	else
		read_body(w, x, room);
	return true;
}
