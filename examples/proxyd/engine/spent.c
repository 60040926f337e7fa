/* SPDX-License-Identifier: MIT */
/*
 * Sessions that are over and leave the socket of their server to a later one. A TCP socket whose connection has ended is
 * as good as new once connect() to AF_UNSPEC has dissolved its association, connect(2): the next session needs no new file
 * for it, no place in epoll and no options. Both ends must have closed in order, and the kernel must be done with it: our
 * FIN is acknowledged. It must go to the same host: to another one the kernel keeps what it should not, as the way through
 * IPv4 of ::ffff:a.b.c.d, the congestion control of a route, and, without timestamps, the sequence numbers, which one host
 * shall not know of another's (RFC 6528, section 3). Sessions move as a whole, as epoll points into them; what it has to
 * tell of the old connection it tells before anything of the next session, which has no server yet.
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

/* The next session's server is taken for the last one's: with many hosts in turn few sockets would find their use. */
void spent_leave(struct worker *w, struct session *s)
{
	struct handle *h = &s->handle[CONN_SERVER];
	const struct conn_side *side = &s->conn.side[CONN_SERVER];

	if (s->host_turn != w->host_turn || s->spent >= 0 || h->fd < 0 || h->tls || !side->eof ||
	    side->broken || s->conn.cause.who != '-')
		return;
	if (!side->shut)
		handle_shutdown(h);
	s->spent = h->fd;
	h->fd = -1;
}

static void move(struct worker *w, struct session *s, enum session_list on)
{
	if (s->on == SESSION_ON_SPENT)
		TAILQ_REMOVE(&w->spent, s, link);
	else if (s->on == SESSION_ON_FADING)
		TAILQ_REMOVE(&w->fading, s, link);
	if (on == SESSION_ON_SPENT)
		TAILQ_INSERT_HEAD(&w->spent, s, link); /* the last one is still in caches */
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

	if (s->spent < 0 || w->draining)
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
	if (s->on == SESSION_ON_FADING && is_closed(s->spent))
		move(w, s, SESSION_ON_SPENT);
}

struct session *spent_take(struct worker *w)
{
	struct session *s = TAILQ_FIRST(&w->spent);

	if (!s)
		return NULL;
	move(w, s, SESSION_ON_NONE);
	w->n_spent--;
	return s;
}

/* Which turn it is of the hosts, counted from 1: with another host begins another. 0: of none. */
static uint32_t turn_of(struct worker *w, const struct endpoint *host)
{
	if (!host->family)
		return 0;
	if (!is_same(host, &w->last_host)) {
		w->last_host = *host;
		if (++w->host_turn == 0)
			w->host_turn = 1;
	}
	return w->host_turn;
}

int spent_renew(struct worker *w, struct session *s, const struct endpoint *host)
{
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	uint32_t before = s->host_turn;
	int fd = s->spent;

	s->spent = -1;
	s->host_turn = turn_of(w, host);
	if (fd < 0 || (s->host_turn && s->host_turn == before &&
		       !call_connect(fd, &nowhere, sizeof(nowhere))))
		return fd;
	call_close(fd);
	return -1;
}

void spent_drop(struct worker *w)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&w->spent)) || (s = TAILQ_FIRST(&w->fading)))
		drop(w, s);
	w->spent_drop_ns = TIMER_NEVER;
}
