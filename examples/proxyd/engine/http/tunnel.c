/* SPDX-License-Identifier: MIT */
/* After 101 or an answered CONNECT: both sockets become a TCP session. */
#include "http.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "engine/count.h"
#include "engine/io.h"
#include "engine/log/facts.h"

/* The sockets, and the bytes that wait for each, are the session's now. */
static void take_sockets(struct session *s, struct client *c, struct link *l)
{
	struct conn_side *client = &s->conn.side[CONN_CLIENT], *server = &s->conn.side[CONN_SERVER];

	s->handle[CONN_CLIENT] = (struct handle){HANDLE_CLIENT, c->h.fd, c->h.tls};
	s->handle[CONN_SERVER] = (struct handle){HANDLE_SERVER, l->h.fd, l->h.tls};
	l->h.fd = -1;
	l->h.tls = NULL;
	/* what an edge has told already is not told again: look once */
	client->readable = server->readable = true;
	handle_hurry(&s->handle[CONN_SERVER]); /* it may go on to say more than it is asked */
	client->writable = c->writable;
	server->writable = l->writable;
	client->hup = c->hup;
	server->hup = l->hup;
	s->chunk[CONN_CLIENT] = c->out;
	s->chunk[CONN_SERVER] = c->in; /* sent right behind the request */
	client->pending = (uint32_t)chunk_left(c->out);
	server->pending = (uint32_t)chunk_left(c->in);
	c->in = c->out = NULL;
	s->asks_room[CONN_CLIENT] = s->asks_room[CONN_SERVER] = true;
}

/* Who is served, by whom, and for which log line. */
static void take_exchange(struct worker *w, struct session *s, struct exchange *x)
{
	struct client *c = x->client;

	s->frontend = c->frontend;
	s->listener = c->listener;
	s->client = c->from;
	s->accepted_ns = c->accepted_ns;
	s->store = c->store;
	c->store = NULL;
	s->seeker = x->seeker;
	s->seeker.more = NULL;	 /* the request's, for its log */
	x->seeker.server = NULL; /* counted by the session now */
	if (x->pace)
		pace_restart(x->pace, (const uint64_t[]){x->bytes_in, x->bytes}, w->now_ns);
	s->more->pace = x->pace;
	x->pace = NULL;
	s->more->tunnel = x;
	x->client = NULL;
}

void exchange_tunnel(struct worker *w, struct exchange *x)
{
	struct client *c = x->client;
	struct link *l = x->link;
	struct session *s = calloc(1, sizeof(*s));

	if (!s || !session_more(s)) {
		free(s);
		exchange_fail(w, x, 0, 'R', 'D');
		return;
	}
	conn_begin(&s->conn, w->now_ns);
	conn_set_state(&s->conn, CONN_OPEN, w->now_ns);
	s->timer.owner = TIMER_SESSION;
	s->spent = -1;
	take_sockets(s, c, l);
	take_exchange(w, s, x);
	LIST_INSERT_HEAD(&w->sessions, s, entry);
	link_close(w, l);
	if ((c->watched ? worker_rewatch : worker_watch)(w, &s->handle[CONN_CLIENT], SESSION_EVENTS) < 0 ||
	    worker_rewatch(w, &s->handle[CONN_SERVER], SESSION_EVENTS) < 0)
		conn_end(&s->conn, 'R', 'D');
	client_forget(w, c);
	session_run(w, s);
}

void tunnel_closed(struct worker *w, struct session *s)
{
	struct exchange *x = s->more->tunnel;

	s->more->tunnel = NULL;
	x->cause = s->conn.cause;
	x->seeker.server = s->seeker.server; /* to be named */
	x->bytes += s->conn.side[CONN_SERVER].bytes;
	x->bytes_in += s->conn.side[CONN_CLIENT].bytes;
	count_exchange(w, s->frontend, s->listener, x);
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

		http_log(&v, &s->client, session_target(s), s->handle[CONN_CLIENT].fd);
	}
	x->seeker.server = NULL;
	exchange_free(w, x);
}
