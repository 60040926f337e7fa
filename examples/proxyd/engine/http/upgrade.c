/* SPDX-License-Identifier: MIT */
/*
 * A backend of mode http behind a frontend of mode tcp: what the client says from here on is HTTP. Its bytes were only
 * looked at, and lie in its socket. Each later request runs the frontend's rules anew, as in HAProxy, and none goes to
 * a backend of mode tcp.
 */
#include "http.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "engine/rule_store.h"

static void end(struct worker *w, struct session *s)
{
	conn_end(&s->conn, 'R', 'R');
	session_close(w, s);
}

/* Its socket and what its rules remember are the client's now. */
static void hand_over(struct session *s, struct client *c)
{
	c->h = (struct handle){HANDLE_HTTP_CLIENT, s->handle[CONN_CLIENT].fd, s->handle[CONN_CLIENT].tls};
	c->store = s->store;
	if (c->store)
		c->store->chosen = s->seeker.backend;
	s->handle[CONN_CLIENT] = (struct handle){HANDLE_CLIENT, -1, NULL};
	s->store = NULL;
}

void session_upgrade(struct worker *w, struct session *s, bool watched)
{
	struct client *c;

	if (!w->http)
		w->http = http_worker_new();
	c = w->http ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		end(w, s);
		return;
	}
	c->readable = c->writable = true;
	c->hup = s->conn.side[CONN_CLIENT].hup;
	c->watched = watched;
	c->timer.owner = TIMER_CLIENT;
	c->frontend = s->frontend->as_http;
	c->listener = s->listener;
	c->bind = s->bind;
	c->accepted_ns = c->idle_ns = s->accepted_ns;
	c->since_ns = w->now_ns;
	c->from = s->client;
	c->to = *session_target(s);
	hand_over(s, c);
	LIST_INSERT_HEAD(&w->http->clients, c, entry);
	session_forget(w, s);
	if (watched && worker_rewatch(w, &c->h, SESSION_EVENTS) < 0)
		client_close(w, c);
	else
		client_run(w, c);
}
