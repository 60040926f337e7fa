/* SPDX-License-Identifier: MIT */
/* The workers' side of the counters: what is counted when, as HAProxy counts it. */
#ifndef PROXYD_ENGINE_COUNT_H
#define PROXYD_ENGINE_COUNT_H

#include "engine/http/http.h"

/* A connection was accepted. */
void count_accepted(struct worker *w, const struct set_listener *l);

/* A request's head is whole. */
static inline void count_request(struct worker *w, const struct frontend *f)
{
	struct counters *c = counters_of(f->gate->tally, w->index);

	counter_inc(c, COUNT_REQUESTS);
	count_rate_at(&c->requests, w->now_ns / UINT64_C(1000000000));
}

/* It begins in the worker that serves it. `listener` here and below: its counters; NULL: without option socket-stats. */
void count_opened(struct worker *w, struct tally *listener);

/* Its frontend's rules on connections and sessions let it in, or do not. */
void count_admitted(struct worker *w, const struct frontend *f, struct tally *listener);
void count_not_admitted(struct worker *w, const struct frontend *f, struct tally *listener, enum counted why);

/* And it was closed. */
void count_closed(struct worker *w, struct tally *listener);

/* Memory, or another of the system's resources, ran out for somebody: counted, and told once a minute. */
void count_starved(struct worker *w);

/* A server's answer begins. As HAProxy: before rules make another one of it, and before its body. */
void count_answer(struct worker *w, const struct server *s, unsigned status);
/* It is over: bytes, status, times, and whose fault it was if it failed. `to` NULL: no server had it. */
void count_exchange(struct worker *w, const struct frontend *f, struct tally *listener, const struct exchange *x);

/* Something that is no request came, or nothing in time. Status 0: it was not answered. */
void count_refused(struct worker *w, const struct frontend *f, struct tally *listener, unsigned status);

/* TLS begins on a connection of a client, or to a server. */
void count_tls_begun(struct worker *w, bool is_client);
/* A handshake is over: with a client, or with a server (of which the backend's share is the servers'). */
void count_handshake(struct worker *w, const struct frontend *f, const struct tls *tls, bool ok);
void count_server_handshake(struct worker *w, const struct server *s, const struct tls *tls, bool ok);
/* accept-proxy, and there was no PROXY header. */
void count_greeting_failed(struct worker *w, const struct frontend *f);

/* A frame of HTTP/2, a fault, a connection or a stream. */
static inline void count_h2(struct worker *w, const struct frontend *f, enum counted what)
{
	counter_inc(counters_of(f->gate->tally, w->index), what);
}

/* Bytes of an answer that is compressed, before and after; `done`: that was all of it. */
void count_compressed(struct worker *w, const struct exchange *x, size_t in, size_t out, bool done);

/* A TCP session is over. */
void count_session(struct worker *w, const struct session *s);

/* option contstats: what moved since the last time, of all that goes on. */
void count_continuously(struct worker *w);

/* A backend was chosen for a TCP session or a request: once of each, before a server is looked for. */
void count_given(struct worker *w, const struct backend *b);

/* A server was chosen; `balanced`: by the algorithm. */
void count_chosen(struct worker *w, const struct seeker *k, const struct server *s);
void count_pick(struct worker *w, const struct seeker *k, uint32_t now_server, bool balanced);

/* What was tried with a server; -errno: it failed at once. Who was reached has one session more, as in HAProxy. */
void count_attempt(struct worker *w, const struct server *s, int error);

/* The same for both its server and its backend. */
void count_both(struct worker *w, const struct seeker *k, enum counted what);

#endif
