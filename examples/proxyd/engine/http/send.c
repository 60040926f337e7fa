/* SPDX-License-Identifier: MIT */
/* A request on its way to a server: which one, over which connection, and what if that fails. */
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/ask.h"
#include "engine/count.h"
#include "engine/io.h"
#include "engine/rule_run.h"
#include "engine/rule_store.h"

bool exchange_keep(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	if (!len || chunk_append(&x->request, data, len))
		return true;
	exchange_fail(w, x, 500, 'R', 'C');
	return false;
}

static void enqueue(struct worker *w, struct exchange *x)
{
	exchange_set_state(w, x, EXCHANGE_QUEUED);
	if (!seeker_enqueue(w, &x->seeker))
		exchange_fail(w, x, 500, 'R', 'Q');
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
		seeker_exclude(w, &x->seeker, x->asked_ns);
		e = seeker_pick_other(w, &x->seeker);
	}
	if (e == -EAGAIN)
		enqueue(w, x);
	else if (e < 0)
		exchange_fail(w, x, 503, 'S', 'C');
	return e == 0;
}

/* The attempt failed. True: its server is set and to be tried at once. */
static bool try_another(struct worker *w, struct exchange *x, char who, bool rests)
{
	enum conn_retry next = seeker_failed(w, &x->seeker, CFG_RETRY_CONNECT);

	if (next == CONN_GIVE_UP) {
		exchange_fail(w, x, 503, who, 'C');
		return false;
	}
	if (rests && (next == CONN_RETRY_SAME || seeker_rests(&x->seeker))) {
		exchange_set_state(w, x, EXCHANGE_RETRY);
		return false;
	}
	return move_on(w, x, next);
}

/* Does it keep what it has sent? */
static bool keeps_request(const struct exchange *x)
{
	return (x->repeatable || x->retryable) && x->state == EXCHANGE_ASKED;
}

void exchange_sent(struct worker *w, struct exchange *x, size_t sent)
{
	x->since_ns = w->now_ns;
	if (!x->request)
		return;
	x->request->at += (uint32_t)sent;
	if (!chunk_left(x->request) && !keeps_request(x))
		chunk_free(&x->request);
}

/* `sent` bytes of `data` are: the rest is kept, or all of it. False: no memory, it is over. */
static bool keep_rest(struct worker *w, struct exchange *x, const char *data, size_t len,
		      size_t sent)
{
	size_t from = keeps_request(x) ? 0 : sent;

	if (x->request) {
		exchange_sent(w, x, sent);
		return true;
	}
	if (!exchange_keep(w, x, data + from, len - from))
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
	exchange_set_state(w, x, EXCHANGE_ASKED);
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
	count_attempt(w, x->seeker.server, 0);
	x->connected_ns = w->now_ns;
	exchange_set_state(w, x, EXCHANGE_ASKED);
	if (x->request)
		x->request->at = 0; /* it is what `data` is */
	keep_rest(w, x, data, len, (size_t)n);
	return true;
}

/* Over a new connection. 0 or -errno; the request is kept in either case. */
static int send_fresh(struct worker *w, struct exchange *x, const char *sni, const char *data, size_t len)
{
	size_t sent = 0;
	int e;

	exchange_set_state(w, x, EXCHANGE_CONNECTING);
	e = link_open(w, x, sni, data, len, &sent);
	count_attempt(w, x->seeker.server, e);
	if (!e && x->link->connected)
		connected(w, x);
	return keep_rest(w, x, data, len, sent) ? e : 0;
}

/* "redir" of its server; NULL: none. */
static const char *redir_of(const struct exchange *x)
{
	const struct backend *b = x->seeker.backend;
	const struct cfg_server *line = b->redirects ? backend_line(b, x->seeker.server) : NULL;

	return line ? line->redir : NULL;
}

/* A server with "redir": who only reads is sent there, and away: as HAProxy, which closes. True: it is answered. */
static bool redirected(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	const char *prefix = redir_of(x), *from, *to;
	char fields[HTTP_HEAD_MAX];
	int n;

	if (!prefix || (x->method != HTTP_METHOD_GET && x->method != HTTP_METHOD_HEAD))
		return false;
	from = memchr(data, ' ', len);
	to = from ? memchr(from + 1, ' ', len - (size_t)(from + 1 - data)) : NULL;
	if (to && from[1] != '/') { /* an absolute target: its path */
		const char *scheme = memmem(from, (size_t)(to - from), "://", 3);

		from = scheme ? memchr(scheme + 3, '/', (size_t)(to - scheme - 3)) : NULL;
		if (!from)
			return false; /* a host alone has none: the server is asked */
		from--;
	}
	n = to ? snprintf(fields, sizeof(fields), "location: %s%.*s\r\n", prefix, (int)(to - from - 1), from + 1)
	       : -1;
	if (n < 0 || (size_t)n >= sizeof(fields)) {
		exchange_fail(w, x, 500, 'P', 'R');
	} else {
		x->client_keeps = false;
		count_attempt(w, x->seeker.server, 0); /* as HAProxy counts it */
		exchange_answer(w, x, 302, fields, NULL, 0);
	}
	return true;
}

/* Its server is set: until it is asked, connecting, resting, queued or over. `data`: not sent yet. */
static void start(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	char sni[TLS_NAME_SIZE];

	if (redirected(w, x, data, len))
		return;
	for (;;) {
		char *head = (char *)(uintptr_t)data; /* of our own buffers */
		struct client *c = x->client;
		int e;

		http_name_server(x, head, len);
		http_sni(w, x, head, len, sni);
		while (link_reuse(w, x, sni))
			if (send_reused(w, x, data, len))
				return;
		e = send_fresh(w, x, sni, data, len);
		if (!e || !try_another(w, x, 'S', !server_is_unreachable(x->seeker.server, e)) || c->exchange != x)
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

/* option prefer-last-server: the one that a connection is kept to for this client; NULL: any. */
static struct server *last_server(const struct exchange *x)
{
	const struct backend *b = x->seeker.backend;
	struct server *s = x->client->own ? x->client->own->server : NULL;

	if (!s || s->pool != b->pool || backend_hashes(b) || !s->balanced)
		return NULL;
	if (b->http->limits_last && atomic_load_explicit(&s->n_queued, memory_order_relaxed) >= b->http->last_queue_max &&
	    server_is_full(s))
		return NULL;
	return s;
}

void exchange_send(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	struct server *to = !x->wanted && x->seeker.backend->http->prefers_last ? last_server(x) : x->wanted;
	int e = seeker_pick_first(w, &x->seeker, to, x->persistence == PERSISTENCE_FORCED);

	if (e == 0) {
		start(w, x, data, len);
	} else if (e == -EAGAIN) {
		if (exchange_keep(w, x, data, len))
			enqueue(w, x);
	} else {
		exchange_set_state(w, x, EXCHANGE_QUEUED); /* its page may tell of the request */
		if (exchange_keep(w, x, data, len))
			exchange_fail(w, x, 503, 'S', e == -ENOBUFS ? 'Q' : 'C');
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

/* The socket is connected: introduces the client. 0, an errno of either sign, or -EAGAIN. */
static int introduce(struct exchange *x)
{
	const struct client *c = x->client;
	const struct connect_from from = {c->h.fd, &c->from, &x->source, &c->to};
	struct link *l = x->link;
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(l->h.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	if (!error && l->server->socks)
		error = server_socks(l->h.fd, l->server, &from, &l->socks);
	if (!error && l->server->send_proxy &&
	    !server_introduce(l->h.fd, l->server, &c->h, &c->from, &c->to, c->store ? c->store->unique_id : NULL, true))
		return EPIPE;
	return error;
}

void exchange_connect_event(struct worker *w, struct exchange *x)
{
	struct client *c = x->client;
	struct link *l = x->link;
	int error = l->h.tls ? 0 : introduce(x);

	if (!error && l->server->tls)
		error = shake_server(w, &l->h, l->server, l->sni);
	if (error == -EAGAIN)
		return;
	if (!error) {
		connected(w, x);
		l->writable = true;
	} else {
		link_close(w, l);
		if (try_another(w, x, 'S', true))
			start_kept(w, x);
	}
	client_run(w, c);
}

/* Of whose rule it was: no backend is chosen while the frontend's are asked. */
static uint64_t tarpit_ns(const struct exchange *x)
{
	const struct cfg_proxy *p = x->seeker.backend ? x->seeker.backend->proxy : x->client->frontend->proxy;

	return p->set.timeout.tarpit_ns ? p->set.timeout.tarpit_ns : p->set.timeout.connect_ns;
}

/* Nothing is left to be done but to pass on what the server says until it closes: to HAProxy a tunnel, too. */
static bool is_endless(const struct exchange *x)
{
	return x->state == EXCHANGE_ANSWER && x->down.framing == HTTP_BODY_CLOSE && x->up.done;
}

uint64_t exchange_deadline(const struct exchange *x)
{
	const struct conn_timeouts *t;
	uint64_t queue_ns, server_ns, deadline, rest = CONN_RETRY_NS;

	if (x->state == EXCHANGE_TARPIT)
		return x->since_ns + tarpit_ns(x);
	if (x->state == EXCHANGE_PAUSED) /* names have their own timeouts */
		return x->name_ask ? CONN_NEVER : x->since_ns + x->wait_ns;
	if (x->state == EXCHANGE_BODY)
		return x->wait_ns ? x->since_ns + x->wait_ns : CONN_NEVER;
	if (x->state == EXCHANGE_OWN)
		return x->up.done || !x->client->frontend->client_ns
			   ? CONN_NEVER
			   : x->client->since_ns + x->client->frontend->client_ns;
	if (x->state == EXCHANGE_ANSWER_PAUSED)
		return x->held_until_ns;
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
	case EXCHANGE_BODY:
	case EXCHANGE_PAUSED:
	case EXCHANGE_OWN:
	case EXCHANGE_ASKED:
	case EXCHANGE_ANSWER_BODY:
	case EXCHANGE_ANSWER_PAUSED:
	case EXCHANGE_ANSWER:
		break;
	}
	server_ns = x->server_ns ? x->server_ns : t->server_ns;
	if (is_endless(x) && (x->tunnel_ns || t->tunnel_ns))
		server_ns = x->tunnel_ns ? x->tunnel_ns : t->tunnel_ns;
	deadline = server_ns ? x->since_ns + server_ns : CONN_NEVER;
	if (x->state == EXCHANGE_ANSWER_BODY && x->wait_ns && x->held_until_ns < deadline)
		return x->held_until_ns;
	return deadline;
}

void exchange_expired(struct worker *w, struct exchange *x)
{
	switch (x->state) {
	case EXCHANGE_TARPIT:
		http_tarpit_over(w, x);
		break;
	case EXCHANGE_BODY:
		x->asked_ns = 0; /* it is no whole request, for the log */
		x->cause = (struct conn_end_cause){'c', 'R'}; /* which the page may tell */
		exchange_fail(w, x, 408, 'c', 'R');
		break;
	case EXCHANGE_PAUSED:
		exchange_go_on(w, x);
		break;
	case EXCHANGE_OWN: /* its form does not come */
		exchange_fail(w, x, 408, 'c', 'R');
		break;
	case EXCHANGE_QUEUED:
		exchange_fail(w, x, 503, 's', 'Q');
		break;
	case EXCHANGE_CONNECTING:
		link_close(w, x->link);
		if (try_another(w, x, 's', false)) /* a timeout was rest enough */
			start_kept(w, x);
		break;
	case EXCHANGE_RETRY:
		if (move_on(w, x, seeker_after_rest(&x->seeker)))
			start_kept(w, x);
		break;
	case EXCHANGE_ASKED:
		if (!exchange_retry(w, x, CFG_RETRY_TIMEOUT))
			exchange_fail(w, x, 504, 's', 'H');
		break;
	case EXCHANGE_ANSWER_BODY:
		exchange_fail(w, x, 504, 's', 'R'); /* the phase is HAProxy's */
		break;
	case EXCHANGE_ANSWER_PAUSED:
		exchange_release(w, x);
		break;
	case EXCHANGE_ANSWER:
		exchange_fail(w, x, 0, 's', 'D');
	}
}
