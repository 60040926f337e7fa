/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets of a worker: taking connections, and not taking them while there is no room. An accepted connection
 * begins in session_begin.c (mode tcp) or in http/client.c (mode http).
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "count.h"
#include "engine/http/http.h"
#include "io.h"
#include "log.h"

#define ACCEPTS_PER_EVENT 4
#define ACCEPTS_AT_END 65536		/* more than a backlog holds */
#define FD_RETRY_NS UINT64_C(100000000) /* after EMFILE and its like */
#define WARN_NS UINT64_C(60000000000)	/* say so at most once a minute */

static void pause_listener(struct worker *w, struct socket_handle *l)
{
	l->paused = true;
	LIST_INSERT_HEAD(&w->paused, l, paused_entry);
}

static void retry_after(struct worker *w, uint64_t wait_ns)
{
	if (w->accept_retry_ns > w->now_ns + wait_ns)
		w->accept_retry_ns = w->now_ns + wait_ns;
}

/* What accepting needs is used up: it is tried again. */
static void run_short(struct worker *w, struct socket_handle *l, int error)
{
	if (!w->fd_warned_ns || w->now_ns - w->fd_warned_ns > WARN_NS) {
		log_warn(
		    "frontend %s: cannot accept: %s; connections wait (raise ulimit-n or lower "
		    "maxconn)",
		    l->as->frontend->name, strerror(error));
		w->fd_warned_ns = w->now_ns;
	}
	spent_drop(w);
	retry_after(w, FD_RETRY_NS);
}

static void listener_add(struct worker *w, struct socket_handle *l)
{
	/* Level-triggered: a batch that stops early is told again. EXCLUSIVE: a queue that all
	 * workers share wakes one of them. */
	int r = worker_watch(w, &l->h, EPOLLIN | (l->shared ? (uint32_t)EPOLLEXCLUSIVE : 0));

	l->added = true;
	if (r == 0)
		return;
	pause_listener(w, l);
	run_short(w, l, -r);
}

void listener_adopt(struct worker *w, const struct set_listener *as)
{
	struct listener *l = as->listener;

	for (unsigned i = w->index; i < l->n_sockets; i += w->engine->n_workers) {
		struct socket_handle *h = &l->socket[i];

		h->as = as;
		defer_configure(h);
		if (!h->added)
			listener_add(w, h);
	}
}

static void stop_listening(struct worker *w, struct socket_handle *l)
{
	if (l->paused)
		return;
	worker_unwatch(w, &l->h);
	pause_listener(w, l);
}

void listeners_resume(struct worker *w)
{
	struct socket_handle *l = LIST_FIRST(&w->paused), *next;

	w->accept_retry_ns = TIMER_NEVER;
	LIST_INIT(&w->paused);
	for (; l; l = next) { /* some may be paused again */
		next = LIST_NEXT(l, paused_entry);
		l->paused = false;
		listener_add(w, l);
	}
}

/* For who wonders why clients wait. An operator knows of his pause. */
static void tell_full(struct worker *w, const struct frontend *f, struct gate *g)
{
	uint32_t max = atomic_load_explicit(&g->max, memory_order_relaxed);
	uint64_t last = atomic_load_explicit(&g->told_ns, memory_order_relaxed);

	if (!max || (last && w->now_ns < last + WARN_NS) ||
	    !atomic_compare_exchange_strong(&g->told_ns, &last, w->now_ns))
		return;
	log_warn("frontend %s: maxconn %u %s is reached; more connections wait", f->name, max,
		 g == f->gate ? "of the frontend" : "of the process");
}

/* False: full, and the listener is paused until somebody leaves. */
static bool enter(struct worker *w, struct socket_handle *l, struct gate *g)
{
	if (gate_enter(g))
		return true;
	atomic_fetch_or(&g->waiting, UINT64_C(1) << w->index);
	if (gate_enter(g)) /* who left before our bit was seen wakes nobody */
		return true;
	tell_full(w, l->as->frontend, g);
	stop_listening(w, l);
	return false;
}

/* maxconnrate and its like. False: they are reached, and the listener is paused for a moment. */
static bool may_come(struct worker *w, struct socket_handle *l)
{
	uint64_t wait = rate_is_limited(w, l) ? rate_wait(w, l) : 0;

	if (!wait)
		return true;
	stop_listening(w, l);
	retry_after(w, wait);
	return false;
}

struct endpoint endpoint_of(const struct sockaddr_storage *a)
{
	struct endpoint e = {.family = a->ss_family};

	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)a;

		memcpy(e.addr, &in->sin_addr, 4);
		e.port = in->sin_port;
	} else if (a->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;

		memcpy(e.addr, &in6->sin6_addr, 16);
		e.port = in6->sin6_port;
	}
	return e;
}

/* A unix client's port is the number of its bind line. */
static struct endpoint client_of(const struct set_listener *l, const struct sockaddr_storage *from)
{
	struct endpoint e = endpoint_of(from);

	if (e.family == AF_UNIX)
		e.port = htons(l->number);
	return e;
}

void accepted_begin(struct worker *w, const struct accepted *a)
{
	struct frontend *f = a->at->frontend;

	count_opened(w, a->at->tally);
	if (f->http ? client_accept(w, a) : session_accept(w, a))
		return;
	count_starved(w);
	close(a->fd);
	count_closed(w, a->at->tally);
	gate_leave(w->engine, f->gate);
	gate_leave(w->engine, &w->engine->gate);
}

/* False: no more now. */
static bool accept_one(struct worker *w, struct socket_handle *l)
{
	struct frontend *f = l->as->frontend;
	struct engine *e = w->engine;
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct accepted a;
	int fd;

	if (!may_come(w, l) || !enter(w, l, &e->gate))
		return false;
	if (!enter(w, l, f->gate)) {
		gate_leave(e, &e->gate);
		return false;
	}
	fd = call_accept(l->h.fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		int error = errno;

		gate_leave(e, f->gate);
		gate_leave(e, &e->gate);
		if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
			if (w->http && client_close_done(w->http)) /* that makes room */
				return true;
			stop_listening(w, l);
			run_short(w, l, error);
		}
		/* the others are of that one connection: ECONNABORTED, EPROTO, ENETDOWN … */
		return error != EAGAIN && error != EINVAL && error != EBADF && !l->paused;
	}
	count_accepted(w, l->as);
	defer_count(w, l);
	a = (struct accepted){fd, client_of(l->as, &from), l->as};
	if (!w->hands_over || !handover_give(w, &a))
		accepted_begin(w, &a);
	return true;
}

void listener_event(struct worker *w, struct socket_handle *l)
{
	for (unsigned i = 0; i < ACCEPTS_PER_EVENT; i++)
		if (!accept_one(w, l))
			return;
	w->crowded = true;
}

/* Who has shaken hands already is not sent away. */
static void take_queue(struct worker *w, const struct listener *l, struct socket_handle *h)
{
	h->speaks_first = false;
	defer_end(h); /* or a handshake that waits for its client's bytes is not in the queue */
	for (unsigned i = 0; !l->inherited && i < ACCEPTS_AT_END && accept_one(w, h); i++)
		;
	if (h->paused)
		LIST_REMOVE(h, paused_entry);
	h->paused = false;
}

/* One right behind the other, as the kernel gives new connections to those that are left. */
static void close_sockets(struct worker *w, struct listener *l)
{
	listener_steer_past(l);
	for (unsigned i = 0; i < l->n_sockets; i++) {
		take_queue(w, l, &l->socket[i]);
		close(l->socket[i].h.fd);
		l->socket[i].h.fd = -1;
	}
}

void listener_retire(struct worker *w, struct listener *l)
{
	if (l->socket[w->index].retired)
		return;
	for (unsigned i = w->index; i < l->n_sockets; i += w->engine->n_workers) {
		struct socket_handle *h = &l->socket[i];

		if (!h->paused)
			worker_unwatch(w, &h->h);
		take_queue(w, l, h);
		h->added = false;
		h->retired = true;
	}
	if (atomic_fetch_add(&l->n_retired, 1) + 1 == w->engine->n_workers)
		close_sockets(w, l);
}
