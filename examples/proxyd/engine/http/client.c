/* SPDX-License-Identifier: MIT */
/* A client's connection: requests are read from it, answers given to it. */
#include "client_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/count.h"
#include "engine/greeting.h"
#include "engine/refused.h"
#include "engine/rule_store.h"
#include "tls/info.h"

/* ---- Bytes that wait ---- */

bool chunk_append(struct chunk **c, const char *data, size_t len)
{
	size_t left = chunk_left(*c);
	struct chunk *n = malloc(sizeof(*n) + left + len);

	if (!n)
		return false;
	n->at = 0;
	n->len = (uint32_t)(left + len);
	if (left)
		memcpy(n->data, (*c)->data + (*c)->at, left);
	memcpy(n->data + left, data, len);
	free(*c);
	*c = n;
	return true;
}

/* ---- Beginning and end ---- */

static void count_in(struct worker *w, struct frontend *f)
{
	w->n_sessions++;
	f->set->worker[w->index].sessions++;
	atomic_fetch_add_explicit(&w->n_open, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&w->n_total, 1, memory_order_relaxed);
}

#define ENDS(c)                                                                         \
	((const struct connection_ends){(c)->frontend, (c)->h.fd, &(c)->from, &(c)->to, \
					&(c)->store, (c)->bind, (c)->listener, (c)->h.tls})

static void set_list(struct worker *w, struct client *c, enum client_list on)
{
	if (c->on == CLIENT_ON_AGAIN)
		TAILQ_REMOVE(&w->http->again, c, link);
	else if (c->on == CLIENT_ON_BULK)
		TAILQ_REMOVE(&w->http->bulk, c, link);
	c->on = (uint8_t)on;
	if (on == CLIENT_ON_AGAIN)
		TAILQ_INSERT_TAIL(&w->http->again, c, link);
	else if (on == CLIENT_ON_BULK)
		TAILQ_INSERT_TAIL(&w->http->bulk, c, link);
	else if (on == CLIENT_ON_DEAD)
		TAILQ_INSERT_TAIL(&w->http->dead, c, link);
}

struct rule_store *client_store(struct client *c)
{
	struct rule_store **session = !c->store && client_is_stream(c) ? h2_session_store(c) : NULL;

	if (!session)
		return rule_store_get(&c->store);
	c->store = rule_store_get(session) ? rule_store_of_stream(*session) : NULL;
	return c->store;
}

bool client_was_told(const struct client *c)
{
	return !c->not_first && !c->h.tls && frontend_is_written_tcp(c->frontend);
}

/* It is known where it is from. False: rules do not want it. */
static bool client_known(struct worker *w, struct client *c)
{
	if (!connection_known(w, &ENDS(c)))
		return false;
	if (c->frontend->connectlog && client_was_told(c))
		log_connect(w, c->frontend, &c->from, &c->to, c->h.fd);
	return true;
}

bool client_accept(struct worker *w, const struct accepted *a)
{
	const struct set_listener *l = a->at;
	struct client *c;

	if (!w->http)
		w->http = http_worker_new();
	if (!w->http || timers_reserve(&w->timers, w->n_sessions + 1) < 0)
		return false;
	c = malloc(sizeof(*c));
	if (!c)
		return false;
	*c = (struct client){
	    .h = {HANDLE_HTTP_CLIENT, a->fd, NULL},
	    .readable = true, /* to look is cheaper than to ask */
	    .writable = true,
	    .timer.owner = TIMER_CLIENT,
	    .frontend = l->frontend,
	    .listener = l->tally,
	    .bind = l->number,
	    .binds_h2 = l->speaks_h2,
	    .accepted_ns = w->now_ns,
	    .since_ns = w->now_ns,
	    .idle_ns = w->now_ns,
	    .from = a->client,
	};
	LIST_INSERT_HEAD(&w->http->clients, c, entry);
	count_in(w, c->frontend);
	if (l->tls && !(c->h.tls = shake_begin(w, l->tls, a->fd)))
		c->closing = true;
	if (!greeting_expected(l, &c->store, &c->greeting) || !connection_admit(w, &ENDS(c), &c->greeting) ||
	    (!c->greeting && !client_known(w, c)))
		client_close(w, c);
	else if (client_begins_tls(c))
		set_list(w, c, CLIENT_ON_AGAIN);
	else
		client_run(w, c);
	return true;
}

void client_forget(struct worker *w, struct client *c)
{
	if (!c->speaks_h2 && c->own) {
		c->own->owner = NULL;
		link_close(w, c->own);
	}
	timer_disarm(&w->timers, &c->timer);
	http_rules_forget(c);
	chunk_free(&c->in);
	chunk_free(&c->out);
	LIST_REMOVE(c, entry);
	c->h = (struct handle){HANDLE_GONE, -1, NULL};
	set_list(w, c, CLIENT_ON_DEAD);
}

bool client_close_done(struct http_worker *h)
{
	bool any = h->n_done;

	for (unsigned i = 0; i < h->n_done; i++)
		call_close(h->done[i]);
	h->n_done = 0;
	return any;
}

/*
 * Closing, with the answer's last bytes and the FIN that are sent then, is a third of what a new connection costs. It costs
 * less behind another close, so a few wait for each other: not more, as their clients wait, too.
 */
static void close_soon(struct http_worker *h, struct client *c)
{
	tls_free(c->h.tls);
	h->done[h->n_done++] = c->h.fd;
	if (h->n_done == HTTP_CLOSES)
		client_close_done(h);
}

static void close_stream(struct worker *w, struct client *c)
{
	struct set *set = c->frontend->set;

	h2_stream_over(w, c);
	client_forget(w, c);
	w->n_sessions--;
	set_leave(w, set);
}

void client_close(struct worker *w, struct client *c)
{
	struct frontend *f = c->frontend;

	if (c->h.kind == HANDLE_GONE)
		return;
	if (client_is_stream(c)) {
		close_stream(w, c);
		return;
	}
	if (c->speaks_h2)
		h2_free(w, c);
	close_soon(w->http, c);
	client_forget(w, c);
	count_closed(w, c->listener);
	gate_leave(w->engine, f->gate);
	gate_leave(w->engine, &w->engine->gate);
	w->n_sessions--;
	atomic_fetch_sub_explicit(&w->n_open, 1, memory_order_relaxed);
	set_leave(w, f->set);
}

static bool client_watch(struct worker *w, struct client *c)
{
	if (!c->watched)
		c->watched = worker_watch(w, &c->h, SESSION_EVENTS) == 0;
	return c->watched;
}

/* ---- Giving ---- */

bool client_give(struct worker *w, struct client *c, const char *data, size_t len, int flags)
{
	ssize_t n = 0;

	if (c->writable && !c->out) {
		n = client_send(c, data, len, flags);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			c->eof = c->hup = c->closing = c->gone = true;
			return true;
		}
		if (n < (ssize_t)len)
			c->writable = false;
		n = n < 0 ? 0 : n;
		c->since_ns = w->now_ns;
	}
	return (size_t)n == len || c->eof || chunk_append(&c->out, data + n, len - (size_t)n);
}

bool client_pass(struct worker *w, struct client *c, size_t len)
{
	ssize_t n = pipe_send(w, c->h.fd, len);

	if (n < 0) {
		pipe_close(w);
		c->eof = c->hup = c->closing = c->gone = true;
		return true;
	}
	c->since_ns = w->now_ns;
	c->writable = n == (ssize_t)len;
	if (!c->writable)
		c->out = pipe_rest(w, len - (size_t)n);
	return c->writable || c->out;
}

static void flush(struct worker *w, struct client *c)
{
	ssize_t n = client_send(c, c->out->data + c->out->at, chunk_left(c->out), 0);

	if (n < 0 && errno == EINTR)
		return;
	if (n < 0 && errno != EAGAIN) {
		if (c->exchange)
			exchange_fail(w, c->exchange, 0, 'C', 'D');
		client_close(w, c);
		return;
	}
	if (n < (ssize_t)chunk_left(c->out))
		c->writable = false;
	if (n > 0) {
		c->out->at += (uint32_t)n;
		c->since_ns = w->now_ns;
	}
	if (chunk_left(c->out))
		return;
	chunk_free(&c->out);
	if (c->speaks_h2)
		h2_go_on(c);
	if (c->exchange) /* it is read again, its time begins */
		c->exchange->since_ns = w->now_ns;
}

void client_reply(struct worker *w, struct client *c, struct exchange *x, unsigned status)
{
	char *text = w->http->written;
	size_t len = http_error(w, x, status, HTTP_PAGE_UNREAD, NULL, text, sizeof(w->http->written));

	c->closing = true;
	counter_add(&counters_of(c->frontend->gate->tally, w->index)->n[COUNT_BYTES_OUT], len);
	client_page(w, c, len);
}

void client_page(struct worker *w, struct client *c, size_t len)
{
	/* the FIN that follows at once rides on this segment */
	bool last = c->closing && !c->linger && !c->in;

	if (len && !client_give(w, c, w->http->written, len, last ? MSG_MORE : 0)) {
		chunk_free(&c->out);
		c->closing = true;
	}
}

/* All is said. Who may still be sending would lose the answer to a reset (RFC 9112, section 9.6). */
static void say_goodbye(struct worker *w, struct client *c)
{
	if (client_is_stream(c)) {
		h2_shutdown(c);
		client_close(w, c);
		return;
	}
	if (c->eof || !(c->linger || c->in || c->readable) || handle_shutdown(&c->h) < 0 ||
	    !client_watch(w, c)) {
		client_close(w, c);
		return;
	}
	chunk_free(&c->in);
	c->lingering = true;
	c->since_ns = w->now_ns;
}

static bool linger(struct worker *w, struct client *c)
{
	ssize_t n;

	if (!c->readable)
		return false;
	n = recv(c->h.fd, w->scratch, sizeof(w->scratch), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		c->readable = false;
		return errno == EINTR;
	}
	c->lingered += n > 0 ? (uint32_t)n : 0;
	if (n <= 0 || c->lingered > HTTP_LINGER_BYTES)
		client_close(w, c);
	return true;
}

/* ---- Requests ---- */

void client_refuse(struct worker *w, struct client *c, unsigned status, enum h1_fault fault, char who)
{
	bool said = c->in || c->not_first || fault; /* anything at all */
	struct exchange x = {
	    .client = c,
	    .cause = {who, 'R'},
	    .cookie_in = '-',
	    .cookie_out = '-',
	    .fault = fault,
	    .status = status,
	    .began_ns = c->since_ns,
	    .count = http_next_number(w),
	    .seeker = {.is_http = true},
	    .log_level = -1,
	};

	c->linger = fault != H1_FAULT_NONE;
	count_refused(w, c->frontend, c->listener, status);
	if (c->frontend->httplog && (said || !c->frontend->dontlognull))
		exchange_log(w, &x, false);
	if (c->store && status >= 400 && status < 500)
		track_count(c->store->track, TABLE_HTTP_ERR_CNT, 1, w->now_ns);
	if (fault)
		http_count_refused(w, c, NULL, fault);
	x.seeker.backend = c->frontend->backend;
	if (status)
		client_reply(w, c, &x, status);
	c->closing = true;
}

/* The client sends no more. Between requests that is fine; without any, as HAProxy, only for who ignores probes. */
static void no_more(struct worker *w, struct client *c)
{
	c->eof = true;
	c->readable = false;
	if (c->in || (!c->not_first && !c->frontend->http->ignores_probes))
		client_refuse(w, c, 400, H1_FAULT_NONE, 'C');
	c->closing = true;
}

/* More bytes behind the `have` in the buffer; 0: none came. */
static uint32_t receive(struct worker *w, struct client *c, uint32_t have)
{
	char *at = w->http->buffer + HTTP_ROOM + have;
	ssize_t n = client_recv(c, at, HTTP_RECEIVE);

	if (n > 0) {
		if (!have)
			c->since_ns = w->now_ns; /* a request begins */
		if (client_is_emptied(c, (size_t)n, HTTP_RECEIVE) && !c->hup)
			c->readable = false;
		return (uint32_t)n;
	}
	if (n < 0 && errno == EAGAIN)
		c->readable = false;
	else if (n == 0 || errno != EINTR) /* a FIN, or a reset */
		no_more(w, c);
	return 0;
}

/* Of a stream, whose head is there: what has come of its body with it, which rules may see. */
static uint32_t receive_early(struct worker *w, struct client *c, uint32_t have)
{
	ssize_t n = client_is_stream(c) ? h2_recv(c, w->http->buffer + HTTP_ROOM + have, HTTP_RECEIVE) : 0;

	return n > 0 ? (uint32_t)n : 0;
}

static bool save(struct worker *w, struct client *c, uint32_t have)
{
	struct chunk *old = c->in;
	bool ok;

	client_hurry(c);
	c->in = NULL;
	ok = chunk_append(&c->in, w->http->buffer + HTTP_ROOM, have);
	free(old);
	if (!ok) {
		count_starved(w);
		c->closing = true;
	}
	return ok;
}

/* A client of HTTP/2 begins with this (RFC 9113, section 3.4): no request of HTTP/1. */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\n";
#define PREFACE_LEN (sizeof(preface) - 1)

static bool begins_preface(const char *text, size_t len)
{
	return !memcmp(text, preface, len < PREFACE_LEN ? len : PREFACE_LEN);
}

/* In its first bytes. */
static bool may_speak_h2(const struct client *c)
{
	return !c->not_first && !client_is_stream(c) && !c->frontend->http->keeps_to_h1;
}

static bool go_on_as_h2(struct worker *w, struct client *c, uint32_t have)
{
	chunk_free(&c->in);
	if (!h2_begin(w, c, w->http->buffer + HTTP_ROOM, have)) {
		count_starved(w);
		c->closing = true;
	}
	return true;
}

/* ALPN, or the bind line, says that it speaks HTTP/2 and nothing else. */
static bool must_speak_h2(const struct client *c)
{
	size_t len;
	const char *name = c->h.tls ? tls_alpn(c->h.tls, &len) : NULL;

	return c->binds_h2 || (name && len == 2 && !memcmp(name, "h2", 2));
}

/* Reads the next request as far as it is there, and begins its exchange. False: nothing came. */
static bool take_request(struct worker *w, struct client *c)
{
	struct http_worker *h = w->http;
	uint32_t have = (uint32_t)chunk_left(c->in), n = 0;
	enum h1_fault fault;
	ssize_t head;

	if (!c->unparsed && !c->readable)
		return false;
	if (have)
		memcpy(h->buffer + HTTP_ROOM, c->in->data + c->in->at, have);
	if (!c->unparsed) {
		n = receive(w, c, have);
		if (!n)
			return true;
		/* only the end of a line can make a head whole, or show that it is none */
		if (have && have + n < w->head_max &&
		    !memchr(h->buffer + HTTP_ROOM + have, '\n', n))
			return save(w, c, have + n);
	} else {
		n = receive_early(w, c, have);
	}
	c->unparsed = false;
	have += n;
	if (may_speak_h2(c) && begins_preface(h->buffer + HTTP_ROOM, have))
		return have < PREFACE_LEN ? save(w, c, have) : go_on_as_h2(w, c, have);
	http_begin_request(w, c);
	head = h1_request(&h->request, HTTP_ROOM, have);
	if (head == 0)
		return save(w, c, have);
	chunk_free(&c->in);
	fault = head < 0 ? (enum h1_fault) - head : exchange_begin(w, c, (uint32_t)head, have);
	if (fault) {
		refused_keep(w, c, NULL, fault, h->buffer + HTTP_ROOM, have);
		client_refuse(w, c, h1_fault_status(fault), fault, 'P');
	}
	return true;
}

/* ---- The PROXY header ---- */

static void greet(struct worker *w, struct client *c)
{
	switch (greeting_read(w, &ENDS(c))) {
	case GREETING_READ:
		c->greeting = false;
		if (!client_known(w, c))
			client_close(w, c);
		break;
	case GREETING_PART:
		c->readable = false;
		if (!c->hup)
			break;
		/* fall through */
	case GREETING_BAD:
		greeting_failed(w, &ENDS(c));
		client_close(w, c);
	}
}

/* ---- TLS ---- */

static void shake(struct worker *w, struct client *c)
{
	switch (tls_handshake(c->h.tls)) {
	case 0:
		c->since_ns = w->now_ns; /* its first request has its own time */
		count_handshake(w, c->frontend, c->h.tls, true);
		break;
	case -EAGAIN:
		c->readable = false;
		break;
	default:
		shake_failed(w, &ENDS(c));
		client_close(w, c);
	}
}

/* ---- Turns ---- */

/* One thing that can be done now. False: there is none. */
static bool step(struct worker *w, struct client *c)
{
	if (c->out && c->writable) {
		flush(w, c);
		return true;
	}
	if (c->exchange && !c->closing && exchange_upload(w, c->exchange))
		return true;
	if (c->out && !c->eof)
		return false;
	if (c->closing && c->exchange) { /* the client went while it was answered */
		exchange_fail(w, c->exchange, 0, 'C', 'D');
		return true;
	}
	if (c->lingering)
		return linger(w, c);
	if (c->closing) {
		say_goodbye(w, c);
		return true;
	}
	if (c->greeting) {
		if (!c->readable)
			return false;
		greet(w, c);
		return true;
	}
	if (!handle_is_ready(&c->h)) {
		if (!c->readable)
			return false;
		shake(w, c);
		return true;
	}
	if (c->exchange)
		return exchange_download(w, c->exchange);
	if (!c->speaks_h2 && !c->not_first && !c->in && c->readable && must_speak_h2(c))
		return go_on_as_h2(w, c, 0);
	return c->speaks_h2 ? h2_step(w, c) : take_request(w, c);
}

/* Is it the server, or the way to one, that takes its time? */
static bool waits_for_server(const struct client *c)
{
	const struct exchange *x = c->exchange;

	return x && !c->out && (x->up.done || x->state < EXCHANGE_ASKED || chunk_left(x->request) || exchange_is_held(x));
}

static bool is_idle(const struct client *c)
{
	if (c->speaks_h2 && h2_is_busy(c))
		return false;
	return !c->exchange && !c->in && !c->out && !c->closing && !c->lingering && handle_is_ready(&c->h);
}

/* It is not waited for until its own time is over. */
static bool is_leaving(const struct worker *w, const struct client *c)
{
	return w->draining && is_idle(c) &&
	       (w->set->cfg->global.close_spread_ns || (c->not_first && !c->frontend->http->stays_when_stopping));
}

/* Of two timeouts, of which 0 is none. */
static uint64_t shorter(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

/* Between requests, or before the first one. */
static uint64_t idle_timeout_ns(const struct client *c)
{
	const struct frontend *f = c->frontend;
	uint64_t request_ns = shorter(f->request_ns, f->client_ns);

	return c->not_first && f->keep_alive_ns ? shorter(f->keep_alive_ns, f->client_ns) : request_ns;
}

/* Requests have their own; the connection has one while it has none, and for bytes that must go. */
static uint64_t h2_deadline(const struct worker *w, const struct client *c)
{
	uint64_t idle_ns = h2_idle_ns(c), t = c->frontend->client_ns, deadline;

	if (c->out)
		return t ? c->since_ns + t : TIMER_NEVER;
	if (idle_ns == TIMER_NEVER)
		return TIMER_NEVER;
	if (!h2_is_busy(c))
		t = idle_timeout_ns(c);
	deadline = t ? idle_ns + t : TIMER_NEVER;
	return is_leaving(w, c) && client_close_ns(w, c) < deadline ? client_close_ns(w, c) : deadline;
}

uint64_t client_deadline(const struct worker *w, const struct client *c)
{
	const struct frontend *f = c->frontend;
	uint64_t t = f->client_ns, deadline;

	if (c->speaks_h2 && !c->lingering)
		return h2_deadline(w, c);
	if (c->exchange && exchange_is_paced(c->exchange))
		return pace_until(c->exchange->pace);
	if (c->lingering)
		t = HTTP_LINGER_NS;
	else if (waits_for_server(c))
		return exchange_deadline(c->exchange);
	else if (f->shake_ns && !handle_is_ready(&c->h) && !c->greeting)
		t = f->shake_ns;
	else if (!c->exchange && !c->out && !c->greeting)
		t = c->in ? shorter(f->request_ns, f->client_ns) : idle_timeout_ns(c);
	deadline = t ? c->since_ns + t : TIMER_NEVER;
	if (is_leaving(w, c) && client_close_ns(w, c) < deadline)
		deadline = client_close_ns(w, c);
	return deadline;
}

/* The deadline moves with every byte; the timer only when it must fire earlier. */
void client_arm(struct worker *w, struct client *c)
{
	uint64_t deadline = client_deadline(w, c);

	if (!c->timer.place || deadline < c->timer.deadline_ns)
		timer_arm(&w->timers, &c->timer, deadline);
}

static bool aborts_on_close(const struct exchange *x)
{
	return x->seeker.backend && x->seeker.backend->http->aborts_on_close;
}

/* Is it the client that something must come from, or go to? */
static bool waits_for_client(const struct client *c)
{
	return !c->exchange || c->out || !c->exchange->up.done || aborts_on_close(c->exchange);
}

static bool is_bulk(const struct client *c)
{
	return c->exchange && exchange_is_bulk(c->exchange);
}

void client_run(struct worker *w, struct client *c)
{
	w->moved = 0;
	for (unsigned i = 0; i < TURN_STEPS && w->moved < TURN_BYTES; i++) {
		bool did = c->h.kind != HANDLE_GONE && step(w, c);

		if (c->h.kind == HANDLE_GONE)
			return;
		if (did)
			continue;
		if (waits_for_client(c) && !client_watch(w, c)) {
			if (c->exchange)
				exchange_fail(w, c->exchange, 0, 'R', 'D');
			client_close(w, c);
			return;
		}
		if (c->exchange)
			exchange_hurry(c->exchange);
		client_arm(w, c);
		return;
	}
	client_arm(w, c);
	if (c->on == CLIENT_ON_NONE)
		set_list(w, c, is_bulk(c) ? CLIENT_ON_BULK : CLIENT_ON_AGAIN);
}

void client_wake(struct worker *w, struct client *c)
{
	if (c->on != CLIENT_ON_NONE)
		return;
	if (is_bulk(c))
		set_list(w, c, CLIENT_ON_BULK);
	else
		client_run(w, c);
}

/* option abortonclose: it sends no more, and its request is not answered yet. */
static bool is_gone(const struct client *c)
{
	const struct exchange *x = c->exchange;
	char byte;

	return c->hup && !c->in && x->up.done && x->state >= EXCHANGE_QUEUED &&
	       x->state < EXCHANGE_ANSWER && aborts_on_close(x) &&
	       (c->h.tls || recv(c->h.fd, &byte, 1, MSG_PEEK) <= 0);
}

/* When nobody waits for the answer. `lost`: not only one direction of the connection is. */
static void give_up(struct worker *w, struct client *c, bool lost)
{
	struct exchange *x = c->exchange;
	bool asked = x->state == EXCHANGE_ASKED;

	if (!lost && !is_gone(c))
		return;
	c->eof |= lost;
	if (x->state == EXCHANGE_TARPIT) { /* it is denied all the same */
		exchange_expired(w, x);
		return;
	}
	exchange_fail(w, x, asked && !lost ? 400 : 0, 'C',
		      x->state < EXCHANGE_OWN	   ? 'R'
		      : x->state == EXCHANGE_QUEUED  ? 'Q'
		      : x->state < EXCHANGE_ASKED  ? 'C'
		      : x->state < EXCHANGE_ANSWER && x->up.done && !(lost && client_is_stream(c)) ? 'H'
								 : 'D');
}

void client_event(struct worker *w, struct client *c, uint32_t events)
{
	nap_saw(&w->nap, &c->seen);
	if (events & EPOLLOUT)
		c->writable = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR) && !c->eof)
		c->readable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->hup = true;
	if (c->exchange)
		give_up(w, c, events & EPOLLERR);
	if (!client_begins_tls(c))
		client_wake(w, c);
	else if (c->on == CLIENT_ON_NONE)
		set_list(w, c, CLIENT_ON_AGAIN);
}

/* Its time is over, and no page is owed to it: it takes no bytes, it was to leave, or it has asked for nothing. */
static bool goes_silently(const struct worker *w, const struct client *c)
{
	if (c->out || c->lingering)
		return true;
	if (is_leaving(w, c) && client_close_ns(w, c) <= w->now_ns)
		return true;
	return !c->in && (c->not_first || c->frontend->http->ignores_probes);
}

void client_expired(struct worker *w, struct client *c)
{
	uint64_t deadline = client_deadline(w, c);
	struct exchange *x = c->exchange;

	timer_disarm(&w->timers, &c->timer);
	if (deadline > w->now_ns) {
		timer_arm(&w->timers, &c->timer, deadline);
		return;
	}
	if (x && exchange_is_paced(x)) {
		pace_wake(x->pace, w->now_ns);
		x->since_ns = c->since_ns = w->now_ns; /* nobody was waited for */
	} else if (waits_for_server(c)) {
		exchange_expired(w, x);
	} else if (x) { /* its body does not come, or it takes no answer */
		exchange_fail(w, x, c->out ? 0 : 408, 'c', 'D');
		if (c->out)
			client_close(w, c);
	} else if (c->greeting) {
		greeting_failed(w, &ENDS(c));
		client_close(w, c);
	} else if (!handle_is_ready(&c->h)) {
		shake_failed(w, &ENDS(c));
		client_close(w, c);
	} else if (c->speaks_h2 && !c->lingering) {
		h2_expired(w, c);
	} else if (goes_silently(w, c)) {
		client_close(w, c);
	} else {
		client_refuse(w, c, 408, H1_FAULT_NONE, 'c');
	}
	client_run(w, c);
}
