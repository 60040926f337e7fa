/* SPDX-License-Identifier: MIT */
/*
 * Sessions that are over and leave the socket of their server to a later one. A TCP socket whose connection has ended is
 * as good as new once connect() to AF_UNSPEC has dissolved its association, connect(2): the next session needs no new file
 * for it, no place in epoll and no options. Both ends must have closed in order, and the kernel must be done with it: our
 * FIN is acknowledged. It must go to the same host: to another one the kernel keeps what it should not, as the way through
 * IPv4 of ::ffff:a.b.c.d, the congestion control of a route, and, without timestamps, the sequence numbers, which one host
 * shall not know of another's (RFC 6528, section 3). The session stays with its socket, as epoll points to it, until another
 * one takes that, and is freed then.
 */
#include "engine.h"
#include "io.h"
#include "worker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_NS \
	UINT64_C(100000000) /* then all are closed: who comes fast has filled it again at once */

static bool is_closed(int fd)
{
	struct tcp_info info;
	socklen_t len = offsetof(struct tcp_info, tcpi_state) + sizeof(info.tcpi_state);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	       info.tcpi_state == TCP_CLOSE;
}

static bool is_same(const struct endpoint *a, const struct endpoint *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Of its server's socket; NULL: that is none for others, or too many came since. */
static struct spent_host *host_of(struct worker *w, const struct session *s)
{
	struct spent_host *h = &w->host[s->host];

	return s->host_turn && s->host_turn == h->turn ? h : NULL;
}

void spent_leave(struct worker *w, struct session *s)
{
	struct handle *h = &s->handle[CONN_SERVER];
	const struct conn_side *side = &s->conn.side[CONN_SERVER];

	if (!host_of(w, s) || h->fd < 0 || h->tls || !side->eof || side->broken ||
	    s->conn.cause.who != '-')
		return;
	if (!side->shut)
		handle_shutdown(h);
	s->spent = h->fd;
	h->fd = -1;
}

static void move(struct worker *w, struct session *s, enum session_list on)
{
	struct session_queue *spent = &w->host[s->host].spent;

	if (s->on == SESSION_ON_SPENT)
		TAILQ_REMOVE(spent, s, link);
	else if (s->on == SESSION_ON_FADING)
		TAILQ_REMOVE(&w->fading, s, link);
	if (on == SESSION_ON_SPENT)
		TAILQ_INSERT_HEAD(spent, s, link); /* the last one is still in caches */
	else if (on == SESSION_ON_FADING)
		TAILQ_INSERT_TAIL(&w->fading, s, link);
	else if (on == SESSION_ON_DEAD)
		TAILQ_INSERT_TAIL(&w->dead, s, link);
	s->on = (uint8_t)on;
}

/* Events of this turn may still point to it: it is freed at the end. */
static void drop(struct worker *w, struct session *s)
{
	move(w, s, SESSION_ON_DEAD);
	w->n_spent--;
	call_close(s->spent);
	s->spent = -1;
}

bool spent_keep(struct worker *w, struct session *s)
{
	const struct conn_side *side = &s->conn.side[CONN_SERVER];
	bool sent_fin = side->eof && !side->shut; /* by spent_leave(): an event will tell */

	if (s->spent < 0 || w->draining || !host_of(w, s))
		return false;
	if (w->n_spent == ENGINE_SPENT_MAX &&
	    !TAILQ_EMPTY(&w->fading)) /* its server does not answer our FIN */
		drop(w, TAILQ_FIRST(&w->fading));
	if (w->n_spent == ENGINE_SPENT_MAX)
		return false;
	w->n_spent++;
	if (w->spent_drop_ns == TIMER_NEVER)
		w->spent_drop_ns = w->now_ns + KEEP_NS;
	move(w, s, !sent_fin && is_closed(s->spent) ? SESSION_ON_SPENT : SESSION_ON_FADING);
	return true;
}

void spent_event(struct worker *w, struct session *s)
{
	if (s->on != SESSION_ON_FADING || !is_closed(s->spent))
		return;
	if (host_of(w, s))
		move(w, s, SESSION_ON_SPENT);
	else
		drop(w, s);
}

static void drop_all(struct worker *w, struct session_queue *q)
{
	struct session *s;

	while ((s = TAILQ_FIRST(q)))
		drop(w, s);
}

/* Its number; it has a place from now on. */
static uint8_t find_host(struct worker *w, const struct endpoint *at)
{
	uint8_t i;

	for (i = 0; i < SPENT_HOSTS && w->host[i].turn; i++)
		if (is_same(&w->host[i].at, at))
			return i;
	if (++w->host_turns == 0)
		w->host_turns = 1;
	i = (uint8_t)((w->host_turns - 1) % SPENT_HOSTS);
	drop_all(w, &w->host[i].spent);
	w->host[i].at = *at;
	w->host[i].turn = w->host_turns;
	return i;
}

int spent_take(struct worker *w, struct session *s, const struct endpoint *host)
{
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	struct session *left;
	int fd;

	s->host_turn = 0;
	if (!host->family)
		return -1;
	s->host = find_host(w, host);
	s->host_turn = w->host[s->host].turn;
	left = TAILQ_FIRST(&w->host[s->host].spent);
	if (!left)
		return -1;
	fd = left->spent;
	left->spent = -1;
	w->n_spent--;
	move(w, left, SESSION_ON_DEAD); /* events of this turn may still point to it */
	if (!call_connect(fd, &nowhere, sizeof(nowhere)))
		return fd;
	call_close(fd);
	return -1;
}

void spent_init(struct worker *w)
{
	TAILQ_INIT(&w->fading);
	for (unsigned i = 0; i < SPENT_HOSTS; i++)
		TAILQ_INIT(&w->host[i].spent);
}

void spent_drop(struct worker *w)
{
	for (unsigned i = 0; i < SPENT_HOSTS; i++)
		drop_all(w, &w->host[i].spent);
	drop_all(w, &w->fading);
	w->spent_drop_ns = TIMER_NEVER;
}
