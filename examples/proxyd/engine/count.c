/* SPDX-License-Identifier: MIT */
#include "count.h"
#include "tls/tls.h"

#include <stdlib.h>

#include "log.h"

#define SECOND_NS UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define WARN_NS UINT64_C(60000000000)

static struct counters *of_frontend(struct worker *w, const struct frontend *f)
{
	return counters_of(f->gate->tally, w->index);
}

void count_accepted(struct worker *w, const struct set_listener *l)
{
	struct counters *c = of_frontend(w, l->frontend), *all = counters_of(w->engine->tally, w->index);
	uint64_t second = w->now_ns / SECOND_NS;

	counter_inc(c, COUNT_CONNECTIONS);
	count_rate_at(&c->connections, second);
	counter_max(&c->sessions_max, atomic_load_explicit(&l->frontend->gate->n, memory_order_relaxed));
	counter_inc(all, COUNT_CONNECTIONS);
	count_rate_at(&all->connections, second);
}

void count_opened(struct worker *w, struct tally *listener)
{
	struct counters *c;

	if (!listener)
		return;
	c = counters_of(listener, w->index);
	counter_add(&c->open, 1);
	counter_max(&c->sessions_max, atomic_load_explicit(&c->open, memory_order_relaxed));
}

void count_starved(struct worker *w)
{
	atomic_fetch_add_explicit(&w->n_starved, 1, memory_order_relaxed);
	if (w->starved_warned_ns && w->now_ns - w->starved_warned_ns <= WARN_NS)
		return;
	log_warn("memory ran out: clients are refused, or get an error (raise the limit, -m, or lower maxconn)");
	w->starved_warned_ns = w->now_ns;
}

void count_closed(struct worker *w, struct tally *listener)
{
	if (listener)
		counter_add(&counters_of(listener, w->index)->open, (uint64_t)-1);
}

/* What is the frontend's is also its listener's. */
static void count_front(struct worker *w, struct counters *front, struct tally *listener, enum counted what)
{
	counter_inc(front, what);
	if (listener)
		counter_inc(counters_of(listener, w->index), what);
}

static void count_begun(struct counters *c, const struct worker *w)
{
	counter_inc(c, COUNT_SESSIONS);
	count_rate_at(&c->sessions, w->now_ns / SECOND_NS);
}

void count_admitted(struct worker *w, const struct frontend *f, struct tally *listener)
{
	count_begun(of_frontend(w, f), w);
	if (listener)
		counter_inc(counters_of(listener, w->index), COUNT_SESSIONS);
}

void count_not_admitted(struct worker *w, const struct frontend *f, struct tally *listener, enum counted why)
{
	count_front(w, of_frontend(w, f), listener, why);
}

static void count_last(struct counters *c, const struct worker *w)
{
	atomic_store_explicit(&c->last_ns, w->now_ns, memory_order_relaxed);
}

/* Those that it was given; a server's are attempts with it: count_attempt(). */
void count_given(struct worker *w, const struct backend *b)
{
	struct counters *c = counters_of(b->pool->tally, w->index);

	counter_max(&c->sessions_max, 1 + pool_sessions(b->pool));
	count_begun(c, w);
}

/* By the algorithm; whom the queue gives a server, that has not been chosen. */
void count_chosen(struct worker *w, const struct seeker *k, const struct server *s)
{
	counter_inc(counters_of(s->tally, w->index), COUNT_PICKED);
	counter_inc(counters_of(k->backend->pool->tally, w->index), COUNT_PICKED);
}

void count_pick(struct worker *w, const struct seeker *k, uint32_t now_server, bool balanced)
{
	struct counters *c[2] = {counters_of(k->server->tally, w->index),
				 counters_of(k->backend->pool->tally, w->index)};

	counter_max(&c[0]->sessions_max, now_server);
	if (balanced)
		count_chosen(w, k, k->server);
	count_last(c[1], w);
}

void count_attempt(struct worker *w, const struct server *s, int error)
{
	struct counters *c = counters_of(s->tally, w->index);

	if (server_is_unreachable(s, error))
		return;
	count_begun(c, w);
	count_last(c, w);
}

void count_both(struct worker *w, const struct seeker *k, enum counted what)
{
	const struct server *s = seeker_told(k);

	if (s)
		counter_inc(counters_of(s->tally, w->index), what);
	counter_inc(counters_of(k->backend->pool->tally, w->index), what);
}

/* ---- Ends ---- */

static uint64_t ms(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns && to_ns > from_ns ? (to_ns - from_ns) / MS : 0;
}

static void add_bytes(struct counters *c, uint64_t in, uint64_t out)
{
	counter_add(&c->n[COUNT_BYTES_IN], in);
	counter_add(&c->n[COUNT_BYTES_OUT], out);
}

/* Whose fault the end was: HAProxy's termination letters are also its counters. */
static void add_cause(struct worker *w, struct counters *front, struct tally *listener, const struct seeker *k, char who,
		      char phase, bool fault, bool of_request)
{
	enum counted what;

	switch (who) {
	case '-':
	case 'D': /* on-marked-down, on-marked-up */
	case 'U':
	case 'K': /* an operator's */
		return;
	case 'L': /* see count_exchange() */
		return;
	case 'P':
		if (phase == 'R' || phase == 'T' || of_request)
			what = fault ? COUNT_REQUEST_ERRORS : COUNT_DENIED_REQUESTS;
		else
			what = fault ? COUNT_RESPONSE_ERRORS : COUNT_DENIED_RESPONSES;
		if (what != COUNT_RESPONSE_ERRORS)
			count_front(w, front, listener, what);
		break;
	case 'C':
	case 'c':
		if (phase == 'Q' || phase == 'C') /* as HAProxy: there was nothing yet to abort */
			return;
		what = phase == 'R' ? COUNT_REQUEST_ERRORS : COUNT_CLIENT_ABORTS;
		if (what == COUNT_REQUEST_ERRORS)
			count_front(w, front, listener, what);
		if (what == COUNT_REQUEST_ERRORS && who == 'C' && k->backend) /* its rules waited for the body */
			count_both(w, k, COUNT_CLIENT_ABORTS);
		break;
	case 'S':
	case 's':
		if (phase == 'R') /* rules waited for its body */
			return;
		what = phase == 'D'   ? COUNT_SERVER_ABORTS
		       : phase == 'H' ? COUNT_RESPONSE_ERRORS
				      : COUNT_CONNECT_ERRORS;
		break;
	case 'R':
		count_starved(w);
		/* fall through */
	default:
		what = COUNT_INTERNAL_ERRORS;
		count_front(w, front, listener, what);
	}
	if (k->backend && what != COUNT_REQUEST_ERRORS)
		count_both(w, k, what);
}

static enum counted class_of(unsigned status)
{
	return status >= 100 && status < 600 ? COUNT_STATUS_OTHER + status / 100 : COUNT_STATUS_OTHER;
}

void count_exchange(struct worker *w, const struct frontend *f, struct tally *listener, const struct exchange *x)
{
	static const struct seeker nowhere;
	const struct seeker *k = x->routed ? &x->seeker : &nowhere;
	struct counters *front = of_frontend(w, f), *back, *server;
	uint64_t in = x->bytes_in - x->counted.in, out = x->bytes - x->counted.out;
	uint64_t queued_at = x->asked_ns + seeker_queued_ns(k);
	const uint64_t times[TIME_COUNT_] = {seeker_queued_ns(k) / MS, ms(queued_at, x->connected_ns),
					     ms(x->connected_ns, x->answered_ns), ms(x->began_ns, w->now_ns)};

	add_bytes(front, in, out);
	if (x->client && client_is_stream(x->client)) { /* all of them: option contstats has counted some before */
		counter_add(&front->n[COUNT_H2_BYTES_IN], x->bytes_in);
		counter_add(&front->n[COUNT_H2_BYTES_OUT], x->bytes);
	}
	if (listener)
		add_bytes(counters_of(listener, w->index), in, out);
	counter_inc(front, class_of(x->status));
	if (x->cause.who == 'L' && (!k->backend || k->backend->proxy == f->proxy)) /* what a backend answers is not counted */
		counter_inc(front, COUNT_INTERCEPTED);
	if (x->cause.who != '-')
		add_cause(w, front, listener, k, x->cause.who, x->cause.phase, x->fault, x->up.fault);
	if (x->cause.who == 'S' && x->cause.phase == 'D') /* besides, as HAProxy counts it */
		count_both(w, k, COUNT_RESPONSE_ERRORS);
	if (!k->backend)
		return;
	back = counters_of(k->backend->pool->tally, w->index);
	counter_inc(back, COUNT_REQUESTS);
	counter_inc(back, class_of(x->status));
	add_bytes(back, in, out);
	if (!k->server)
		return;
	server = counters_of(k->server->tally, w->index);
	if (x->connected_ns)
		count_times(server, times);
	add_bytes(server, in, out);
}

void count_answer(struct worker *w, const struct server *s, unsigned status)
{
	struct counters *server = counters_of(s->tally, w->index);

	counter_inc(server, COUNT_REQUESTS);
	counter_inc(server, class_of(status));
}

void count_refused(struct worker *w, const struct frontend *f, struct tally *listener, unsigned status)
{
	struct counters *front = of_frontend(w, f);

	if (!status)
		return;
	count_request(w, f);
	count_front(w, front, listener, COUNT_REQUEST_ERRORS);
	counter_inc(front, class_of(status));
}

void count_tls_begun(struct worker *w, bool is_client)
{
	struct counters *c = counters_of(is_client ? w->engine->tls_clients : w->engine->tls_servers, w->index);

	counter_inc(c, COUNT_CONNECTIONS);
	count_rate_at(&c->connections, w->now_ns / SECOND_NS);
}

/* `all`: of the process; a session is a handshake that made new keys. */
static void add_handshake(struct worker *w, struct counters *c, struct counters *all, const struct tls *tls, bool ok)
{
	enum counted what = !ok ? COUNT_TLS_FAILED : tls_is_resumed(tls) ? COUNT_TLS_REUSED : COUNT_TLS_SESSIONS;

	counter_inc(c, what);
	if (what == COUNT_TLS_SESSIONS)
		count_rate_at(&all->sessions, w->now_ns / SECOND_NS);
}

void count_handshake(struct worker *w, const struct frontend *f, const struct tls *tls, bool ok)
{
	add_handshake(w, of_frontend(w, f), counters_of(w->engine->tls_clients, w->index), tls, ok);
}

void count_server_handshake(struct worker *w, const struct server *s, const struct tls *tls, bool ok)
{
	add_handshake(w, counters_of(s->tally, w->index), counters_of(w->engine->tls_servers, w->index), tls, ok);
}

void count_greeting_failed(struct worker *w, const struct frontend *f)
{
	counter_inc(of_frontend(w, f), COUNT_REQUEST_ERRORS);
}

void count_session(struct worker *w, const struct session *s)
{
	static const struct seeker nowhere;
	/* who is refused by the frontend's rules never had a backend */
	bool refused = s->conn.cause.who == 'P' && s->conn.cause.phase == 'R' && !session_connected_ns(s);
	const struct seeker *k = refused ? &nowhere : &s->seeker;
	struct counters *front = of_frontend(w, s->frontend), *back, *server;
	const struct counted_bytes counted =
	    s->more ? s->more->counted : (struct counted_bytes){0, 0};
	uint64_t in = s->conn.side[CONN_CLIENT].bytes - counted.in, out = s->conn.side[CONN_SERVER].bytes - counted.out;
	uint64_t queued_at = session_queued_until_ns(s);
	const uint64_t times[TIME_COUNT_] = {
	    ms(s->accepted_ns, queued_at), ms(queued_at, session_connected_ns(s)), 0,
	    ms(s->accepted_ns, w->now_ns)};

	if (!session_has_begun(s) || s->shaking) /* counted where it was */
		return;
	add_bytes(front, in, out);
	if (s->listener)
		add_bytes(counters_of(s->listener, w->index), in, out);
	add_cause(w, front, s->listener, k, s->conn.cause.who, s->conn.cause.phase, false, false);
	if (s->conn.cause.who == 'S' && s->conn.cause.phase == 'D') /* reset by its server: as HAProxy, also a wrong answer */
		count_both(w, k, COUNT_RESPONSE_ERRORS);
	if (!k->backend)
		return;
	back = counters_of(k->backend->pool->tally, w->index);
	add_bytes(back, in, out);
	if (!k->server)
		return;
	server = counters_of(k->server->tally, w->index);
	if (session_connected_ns(s))
		count_times(server, times);
	add_bytes(server, in, out);
}

void count_compressed(struct worker *w, const struct exchange *x, size_t in, size_t out, bool done)
{
	struct counters *const of[] = {
	    counters_of(x->client->frontend->gate->tally, w->index),
	    counters_of(x->seeker.backend->pool->tally, w->index),
	};
	struct counters *all = counters_of(w->engine->compressed, w->index);

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		counter_add(&of[i]->n[COUNT_COMPRESS_IN], in);
		counter_add(&of[i]->n[COUNT_COMPRESS_OUT], out);
		counter_add(&of[i]->n[COUNT_COMPRESSED], done);
	}
	count_rate_add(&all->connections, w->now_ns / SECOND_NS, in);
	count_rate_add(&all->sessions, w->now_ns / SECOND_NS, out);
}

/* ---- option contstats ---- */

/* So many bytes have moved since the beginning. */
static void count_moved(struct worker *w, const struct frontend *f, struct tally *listener, const struct seeker *k, uint64_t in,
			uint64_t out, struct counted_bytes *before)
{
	struct tally *const of[] = {f->gate->tally, listener, k->backend->pool->tally, k->server->tally};

	for (unsigned i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		if (of[i])
			add_bytes(counters_of(of[i], w->index), in - before->in, out - before->out);
	*before = (struct counted_bytes){in, out};
}

static void count_session_now(struct worker *w, struct session *s)
{
	uint64_t in = s->conn.side[CONN_CLIENT].bytes, out = s->conn.side[CONN_SERVER].bytes;
	struct exchange *x = session_tunnel(s);

	if (!session_more(s))
		return;
	if (x)
		count_moved(w, s->frontend, s->listener, &s->seeker, x->bytes_in + in, x->bytes + out, &x->counted);
	else
		count_moved(w, s->frontend, s->listener, &s->seeker, in, out, &s->more->counted);
}

void count_continuously(struct worker *w)
{
	struct session *s;
	struct client *c;

	LIST_FOREACH (s, &w->sessions, entry)
		if (s->frontend->proxy->set.contstats && s->conn.state == CONN_OPEN && s->seeker.server)
			count_session_now(w, s);
	if (!w->http)
		return;
	LIST_FOREACH (c, &w->http->clients, entry) {
		struct exchange *x = c->exchange;

		if (x && x->connected_ns && x->seeker.server && c->frontend->proxy->set.contstats)
			count_moved(w, c->frontend, c->listener, &x->seeker, x->bytes_in, x->bytes, &x->counted);
	}
}
