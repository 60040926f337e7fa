/* SPDX-License-Identifier: MIT */
/* Connections to servers that speak HTTP: opened, used, idle, used again. */
#include "count.h"
#include "io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void link_close(struct worker *w, struct link *l)
{
	if (l->h.kind == HANDLE_GONE)
		return;
	handle_close(&l->h);
	l->h.kind = HANDLE_GONE;
	if (l->exchange)
		l->exchange->link = NULL;
	l->exchange = NULL;
	TAILQ_INSERT_TAIL(&w->http->dead_links, l, of_worker);
}

static struct link_list *idle_list(struct worker *w, struct server *s)
{
	return &s->worker[w->index].idle;
}

static void count_idle(const struct worker *w, struct server *s, int change)
{
	_Atomic uint32_t *n = &s->worker[w->index].n_idle;

	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + (uint32_t)change, memory_order_relaxed);
}

static void leave_idle(struct worker *w, struct link *l)
{
	TAILQ_REMOVE(idle_list(w, l->server), l, of_server);
	count_idle(w, l->server, -1);
	TAILQ_REMOVE(&w->http->idle, l, of_worker);
}

static void close_idle(struct worker *w, struct link *l)
{
	leave_idle(w, l);
	link_close(w, l);
}

void links_close_of(struct worker *w, struct server *s)
{
	struct link *l;

	while (w->http && (l = TAILQ_FIRST(idle_list(w, s))))
		close_idle(w, l);
}

void links_close_idle(struct worker *w)
{
	struct link *l;

	while ((l = TAILQ_FIRST(&w->http->idle)))
		close_idle(w, l);
}

void links_purge(struct worker *w)
{
	struct link *l;

	while ((l = TAILQ_FIRST(&w->http->idle)) && l->idle_until_ns <= w->now_ns)
		close_idle(w, l);
}

/* ---- Idle ---- */

/* May this request go over a connection that others have used (HAProxy's manual, "http-reuse")? */
static bool may_share(const struct exchange *x, const struct link *l)
{
	switch (x->seeker.backend->http->reuse) {
	case CFG_REUSE_NEVER:
		return false;
	case CFG_REUSE_SAFE: /* the client would not ask a first request again if it failed */
		return x->client->not_first;
	case CFG_REUSE_AGGRESSIVE:
		return x->client->not_first || l->used > 1;
	case CFG_REUSE_ALWAYS:
		break;
	}
	return true;
}

/* The server may choose by the name that was asked for, so a request of another one goes elsewhere. */
static bool same_sni(const struct exchange *x, const struct link *l)
{
	return !x->sni || !l->h.tls || (l->sni && !strcmp(x->sni, l->sni));
}

/* Where this client wants to go, as far as that decides where the server is. */
static struct endpoint target_of(const struct exchange *x)
{
	if (!server_follows_client(x->seeker.server))
		return (struct endpoint){0};
	return client_target(&x->client->to, x->client->h.fd);
}

static bool leads_there(const struct exchange *x, const struct endpoint *target, const struct link *l)
{
	return same_sni(x, l) && l->target.family == target->family && l->target.port == target->port &&
	       !memcmp(l->target.addr, target->addr, sizeof(target->addr));
}

static struct link *take(struct exchange *x, struct link *l)
{
	l->exchange = x;
	x->link = l;
	return l;
}

struct link *link_reuse(struct worker *w, struct exchange *x)
{
	struct server *s = x->seeker.server;
	struct link *l = x->client->own;
	struct endpoint target = target_of(x);

	x->client->own = NULL;
	if (l)
		l->owner = NULL;
	if (l && l->server == s && l->h.kind == HANDLE_LINK && leads_there(x, &target, l)) {
		count_both(w, &x->seeker, COUNT_REUSES);
		return take(x, l);
	}
	if (l)
		link_close(w, l);
	/* who introduces a client does so once: such a connection is that client's */
	l = server_sees_client(s) ? NULL : TAILQ_FIRST(idle_list(w, s));
	while (l && !leads_there(x, &target, l))
		l = TAILQ_NEXT(l, of_server);
	if (!l || !may_share(x, l))
		return NULL;
	leave_idle(w, l);
	count_both(w, &x->seeker, COUNT_REUSES);
	return take(x, l);
}

static bool is_private(const struct exchange *x)
{
	return server_sees_client(x->seeker.server) || x->seeker.backend->http->reuse == CFG_REUSE_NEVER;
}

/* By their time: nearly always that is the end. */
static void insert_idle(struct worker *w, struct link *l)
{
	struct link *before = TAILQ_LAST(&w->http->idle, link_list);

	while (before && before->idle_until_ns > l->idle_until_ns)
		before = TAILQ_PREV(before, link_list, of_worker);
	if (before)
		TAILQ_INSERT_AFTER(&w->http->idle, before, l, of_worker);
	else
		TAILQ_INSERT_HEAD(&w->http->idle, l, of_worker);
}

/* max-reuse, pool-max-conn, pool-purge-delay. */
static bool may_wait(const struct worker *w, const struct cfg_server *c, const struct link *l, bool is_shared)
{
	uint32_t n = 0;

	if (c->max_reuse >= 0 && l->used >= (unsigned)c->max_reuse)
		return false;
	if (!is_shared || c->pool_max < 0)
		return !is_shared || !c->has_purge || c->purge_ns;
	for (unsigned i = 0; i < w->engine->n_workers; i++)
		n += atomic_load_explicit(&l->server->worker[i].n_idle, memory_order_relaxed);
	return n < (unsigned)c->pool_max && (!c->has_purge || c->purge_ns);
}

void link_release(struct worker *w, struct exchange *x, bool keep)
{
	struct link *l = x->link;
	const struct cfg_server *pooled;

	if (!l)
		return;
	/* A FIN may have come with the answer and is not told again. A set that is history has no
	 * claim to hold servers. The next request may have another hdr_ip. */
	if (!keep || l->hup || l->broken || l->readable || x->source.family || x->client->frontend->set != w->set ||
	    w->draining) {
		link_close(w, l);
		return;
	}
	pooled = atomic_load_explicit(&l->server->pooled, memory_order_acquire);
	if (pooled && !may_wait(w, pooled, l, !is_private(x))) {
		link_close(w, l);
		return;
	}
	x->link = NULL;
	l->exchange = NULL;
	l->used++;
	if (is_private(x)) {
		l->owner = x->client;
		x->client->own = l;
		return;
	}
	l->idle_until_ns = w->now_ns + (pooled && pooled->has_purge ? pooled->purge_ns : HTTP_LINK_IDLE_NS);
	TAILQ_INSERT_HEAD(idle_list(w, l->server), l, of_server);
	count_idle(w, l->server, 1);
	insert_idle(w, l);
}

/* ---- Opened ---- */

static int connect_socket(struct worker *w, struct exchange *x, bool has_data)
{
	const struct connect_from from = {x->client->h.fd, &x->client->from, &x->source, &x->client->to};
	int fd = server_connect(x->seeker.server, &from, has_data);

	if (fd != -EMFILE || TAILQ_EMPTY(&w->http->idle))
		return fd;
	close_idle(w, TAILQ_FIRST(&w->http->idle)); /* its descriptor is of more use here */
	return server_connect(x->seeker.server, &from, has_data);
}

int link_open(struct worker *w, struct exchange *x, const char *early, size_t len, size_t *ret_sent)
{
	struct link *l = calloc(1, sizeof(*l));
	ssize_t n = -1;
	int fd, e;

	*ret_sent = 0;
	if (!l)
		return -ENOMEM;
	count_both(w, &x->seeker, COUNT_CONNECTS);
	fd = connect_socket(w, x, len > 0);
	if (fd < 0) {
		free(l);
		return fd;
	}
	l->h = (struct handle){HANDLE_LINK, fd, NULL};
	l->server = x->seeker.server;
	l->target = target_of(x);
	l->sni = x->sni && l->server->tls ? strdup(x->sni) : NULL;
	take(x, l);
	e = worker_watch(w, &l->h, SESSION_EVENTS);
	/* On a short way the connection stands when connect() returns. */
	if (!e && len && !l->server->send_proxy && !l->server->tls) {
		n = send(fd, early, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN && errno != EINPROGRESS)
			e = -errno;
	}
	if (e < 0)
		link_close(w, l);
	if (n >= 0) {
		l->connected = true;
		l->writable = (size_t)n == len;
		*ret_sent = (size_t)n;
	}
	return e;
}

/* ---- Events ---- */

static void idle_event(struct worker *w, struct link *l)
{
	char byte;

	/* A ticket, say, is between the ends. */
	if (l->h.tls && handle_recv(&l->h, &byte, 1) < 0 && errno == EAGAIN)
		return;
	/* Whether it says something or closes: nobody has asked. */
	if (l->owner)
		l->owner->own = NULL;
	else
		leave_idle(w, l);
	link_close(w, l);
}

void link_event(struct worker *w, struct link *l, uint32_t events)
{
	struct exchange *x = l->exchange;

	if (!x) {
		if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			idle_event(w, l);
		return;
	}
	if (!l->connected) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP) || l->h.tls) {
			l->hup = events & (EPOLLRDHUP | EPOLLHUP);
			l->readable = events & EPOLLIN || l->h.tls; /* it may be in OpenSSL */
			exchange_connect_event(w, x);
		}
		return;
	}
	if (events & EPOLLOUT && !l->broken)
		l->writable = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		l->readable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		l->hup = true;
	client_run(w, x->client);
}
