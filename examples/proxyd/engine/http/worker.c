/* SPDX-License-Identifier: MIT */
/* What a worker does for all its HTTP connections: memory, reload, the end. */
#include "http.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "engine/io.h"

struct http_worker *http_worker_new(void)
{
	struct http_worker *h = malloc(sizeof(*h));

	if (!h)
		return NULL;
	memset(h, 0,
	       offsetof(struct http_worker, request)); /* the rest is written before it is read */
	LIST_INIT(&h->clients);
	TAILQ_INIT(&h->again);
	TAILQ_INIT(&h->bulk);
	TAILQ_INIT(&h->dead);
	TAILQ_INIT(&h->purge);
	TAILQ_INIT(&h->dead_links);
	TAILQ_INIT(&h->spares);
	TAILQ_INIT(&h->senders);
	return h;
}

void http_worker_free(struct worker *w)
{
	struct exchange *x;

	if (!w->http)
		return;
	http_free_dead(w);
	while ((x = TAILQ_FIRST(&w->http->spares))) {
		TAILQ_REMOVE(&w->http->spares, x, spare);
		free(x);
	}
	h2_worker_free(w->http);
	free(w->http);
	w->http = NULL;
}

void http_free_dead(struct worker *w)
{
	struct client *c;
	struct link *l;

	client_close_done(w->http);
	while ((c = TAILQ_FIRST(&w->http->dead))) {
		TAILQ_REMOVE(&w->http->dead, c, link);
		free(c);
	}
	while ((l = TAILQ_FIRST(&w->http->dead_links))) {
		TAILQ_REMOVE(&w->http->dead_links, l, of_worker);
		free(l->sni);
		free(l);
	}
}

void http_run_again(struct worker *w)
{
	struct client *last = TAILQ_LAST(&w->http->again, client_list_head), *c;
	bool shook = false;

	while (last && (c = TAILQ_FIRST(&w->http->again))) {
		TAILQ_REMOVE(&w->http->again, c, link);
		if (shook && client_begins_tls(c)) {
			TAILQ_INSERT_TAIL(&w->http->again, c, link);
		} else {
			shook |= client_begins_tls(c);
			c->on = CLIENT_ON_NONE;
			client_run(w, c);
		}
		if (c == last)
			break;
	}
}

void http_run_bulk(struct worker *w, size_t room)
{
	struct client *last = TAILQ_LAST(&w->http->bulk, client_list_head), *c;
	size_t moved = 0;

	while (last && moved < room && (c = TAILQ_FIRST(&w->http->bulk))) {
		TAILQ_REMOVE(&w->http->bulk, c, link);
		c->on = CLIENT_ON_NONE;
		client_run(w, c);
		moved += w->moved;
		if (c == last)
			break;
	}
}

bool client_migrate(struct worker *w, struct client *c)
{
	struct set *to = w->set, *from = c->frontend->set;

	for (size_t i = 0; i < to->n_frontends; i++) {
		struct frontend *f = &to->frontend[i];

		if (!f->http)
			f = f->as_http;
		if (!f || strcmp(f->name, c->frontend->name) != 0)
			continue;
		http_rules_forget(c); /* variables are numbered by their configuration */
		if (!c->speaks_h2 && c->own) { /* its server may go with the old set */
			c->own->owner = NULL;
			link_close(w, c->own);
			c->own = NULL;
		}
		c->frontend = f; /* its gate is the same one: gates go by name */
		to->worker[w->index].sessions++;
		set_leave(w, from);
		return true;
	}
	return false;
}

/* `stay`: may this client, which waits between requests, go on? */
static void each_idle_client(struct worker *w, bool (*stay)(struct worker *w, struct client *c))
{
	struct client *c, *next;

	for (c = LIST_FIRST(&w->http->clients); c; c = next) {
		next = LIST_NEXT(c, entry);
		if (c->speaks_h2 && h2_is_busy(c)) {
			if (!w->draining || client_leaves(w, c)) /* else with a request after its moment, or once it is idle */
				h2_leave(c);
			continue;
		}
		if (c->exchange || c->in || c->out || c->closing || !handle_is_ready(&c->h))
			continue; /* the handshake needs what its set has */
		if (!stay(w, c))
			client_close(w, c);
	}
}

/* Who was promised an answer, by the handshake or by the configuration, and who has asked: it was not read yet. */
static bool may_ask_once_more(struct worker *w, struct client *c)
{
	int unread = 0;

	if (w->now_ns < client_close_ns(w, c)) { /* it has its time */
		client_arm(w, c);
		return true;
	}
	if (c->speaks_h2) {
		h2_leave(c);
		return true;
	}
	return !c->not_first || c->frontend->http->stays_when_stopping || (!ioctl(c->h.fd, FIONREAD, &unread) && unread > 0);
}

void http_adopt(struct worker *w)
{
	links_close_idle(w);
	each_idle_client(w, client_migrate);
}

void http_drain(struct worker *w)
{
	links_close_idle(w);
	each_idle_client(w, may_ask_once_more);
}

void http_close_all(struct worker *w)
{
	struct client *c;

	while ((c = LIST_FIRST(&w->http->clients))) {
		if (c->exchange)
			exchange_fail(w, c->exchange, 0, 'K', 'D');
		client_close(w, c);
	}
	links_close_idle(w);
}

_Static_assert(CFG_BUFSIZE_MAX <= HTTP_HEAD_MAX, "a head as long as allowed has its place");
_Static_assert(CFG_FIELDS_OF_HEAD_MAX <= HTTP_FIELDS_MAX, "and so have its fields");

void http_begin(struct worker *w, struct http_msg *m, uint32_t at)
{
	h1_begin(m, w->http->buffer, 0, at);
	m->head_max = w->head_max;
	m->fields_max = w->fields_max;
}

void http_begin_request(struct worker *w, const struct client *c)
{
	http_begin(w, &w->http->request, HTTP_ROOM);
	w->http->request.is_h2 = client_is_stream(c);
	w->http->request.lenient = c->frontend->proxy->set.http.lenient_request;
}
