/* SPDX-License-Identifier: MIT */
/* Connections to servers that speak HTTP: opened, used, idle, used again. */
#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/count.h"
#include "engine/io.h"

void link_close(struct worker *w, struct link *l)
{
	if (l->h.kind == HANDLE_GONE)
		return;
	handle_close(&l->h);
	l->h.kind = HANDLE_GONE;
	if (l->exchange) {
		l->exchange->link = NULL;
		idle_unused(w, l);
	}
	l->exchange = NULL;
	TAILQ_INSERT_TAIL(&w->http->dead_links, l, of_worker);
}

/* ---- Used again ---- */

/* May it go over a connection that the server may be closing? A client would not ask a first request again. */
static bool dares(const struct exchange *x)
{
	const unsigned whatever = CFG_RETRY_CONNECT | CFG_RETRY_EMPTY | CFG_RETRY_TIMEOUT;

	return x->client->not_first || (x->retryable && (x->seeker.backend->retry_on & whatever) == whatever);
}

/* May this request go over a connection that others have used (HAProxy's manual, "http-reuse")? */
static bool may_share(const struct exchange *x, const struct link *l)
{
	switch (x->seeker.backend->http->reuse) {
	case CFG_REUSE_NEVER:
		return false;
	case CFG_REUSE_SAFE:
		return dares(x);
	case CFG_REUSE_AGGRESSIVE:
		return dares(x) || l->used > 1;
	case CFG_REUSE_ALWAYS:
		break;
	}
	return true;
}

/* The server may choose by the name that was asked for, so a request of another one goes elsewhere. */
static bool same_sni(const struct link *l, const char *sni)
{
	return !l->h.tls || !strcmp(sni, l->sni ? l->sni : "");
}

/* Where this client wants to go, as far as that decides where the server is. */
static struct endpoint target_of(const struct exchange *x)
{
	if (!server_follows_client(x->seeker.server))
		return (struct endpoint){0};
	return client_target(&x->client->to, x->client->h.fd);
}

static bool leads_there(const struct link *l, const struct endpoint *target, const char *sni)
{
	return same_sni(l, sni) && l->target.family == target->family && l->target.port == target->port &&
	       !memcmp(l->target.addr, target->addr, sizeof(target->addr));
}

static struct link *take(struct worker *w, struct exchange *x, struct link *l)
{
	idle_used(w, l);
	l->exchange = x;
	x->link = l;
	return l;
}

struct link *link_reuse(struct worker *w, struct exchange *x, const char *sni)
{
	struct server *s = x->seeker.server;
	struct link *l = x->client->own;
	struct endpoint target = target_of(x);

	x->client->own = NULL;
	if (l)
		l->owner = NULL;
	if (l && l->server == s && l->h.kind == HANDLE_LINK && leads_there(l, &target, sni)) {
		count_both(w, &x->seeker, COUNT_REUSES);
		return take(w, x, l);
	}
	if (l)
		link_close(w, l);
	/* who introduces a client does so once: such a connection is that client's */
	l = server_sees_client(s) ? NULL : TAILQ_FIRST(&s->worker[w->index].idle);
	while (l && !leads_there(l, &target, sni))
		l = TAILQ_NEXT(l, of_server);
	if (!l || !may_share(x, l))
		return NULL;
	idle_leave(w, l);
	count_both(w, &x->seeker, COUNT_REUSES);
	return take(w, x, l);
}

static bool is_private(const struct exchange *x)
{
	return server_sees_client(x->seeker.server) || x->seeker.backend->http->reuse == CFG_REUSE_NEVER;
}

void link_release(struct worker *w, struct exchange *x, bool keep)
{
	struct link *l = x->link;

	if (!l)
		return;
	/* A FIN may have come with the answer and is not told again. A set that is history has no
	 * claim to hold servers. The next request may have another hdr_ip. */
	if (!keep || l->hup || l->broken || l->readable || x->source.family || x->client->frontend->set != w->set ||
	    w->draining) {
		link_close(w, l);
		return;
	}
	if (!idle_may_wait(w, l, !is_private(x))) {
		link_close(w, l);
		return;
	}
	x->link = NULL;
	l->exchange = NULL;
	l->used++;
	idle_unused(w, l);
	if (is_private(x)) {
		l->owner = x->client;
		x->client->own = l;
		return;
	}
	idle_join(w, l);
}

/* ---- Opened ---- */

static int connect_socket(struct worker *w, struct exchange *x, bool has_data)
{
	const struct connect_from from = {x->client->h.fd, &x->client->from, &x->source, &x->client->to};
	int fd = server_connect(x->seeker.server, &from, has_data);

	if (fd != -EMFILE || !links_close_one(w)) /* its descriptor is of more use here */
		return fd;
	return server_connect(x->seeker.server, &from, has_data);
}

static struct link *link_new(const struct exchange *x, const char *sni)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->server = x->seeker.server;
	l->target = target_of(x);
	if (!*sni || !l->server->tls)
		return l;
	l->sni = strdup(sni);
	if (!l->sni) {
		free(l);
		return NULL;
	}
	return l;
}

int link_open(struct worker *w, struct exchange *x, const char *sni, const char *early, size_t len, size_t *ret_sent)
{
	struct link *l = link_new(x, sni);
	ssize_t n = -1;
	int fd, e;

	*ret_sent = 0;
	if (!l)
		return -ENOMEM;
	count_both(w, &x->seeker, COUNT_CONNECTS);
	fd = connect_socket(w, x, len > 0);
	if (fd < 0) {
		free(l->sni);
		free(l);
		return fd;
	}
	l->h = (struct handle){HANDLE_LINK, fd, NULL};
	take(w, x, l);
	e = worker_watch(w, &l->h, SESSION_EVENTS);
	/* On a short way the connection stands when connect() returns. */
	if (!e && len && !server_has_beginning(l->server)) {
		n = call_send(fd, early, len, MSG_NOSIGNAL);
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
		idle_leave(w, l);
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
	nap_saw(&w->nap, &x->client->seen);
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
	client_wake(w, x->client);
}
