/* SPDX-License-Identifier: MIT */
/*
 * A client of HTTP, TLS or the PROXY protocol speaks first. Taken before it has, it costs a
 * wake-up, a read that finds nothing and a place in epoll; with TCP_DEFER_ACCEPT the kernel holds
 * it until its first bytes are there. But who says nothing is then seen only when the kernel has
 * sent its SYN-ACK again, after a second: so that is on only while connections come fast.
 */
#include "worker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define WINDOW_NS UINT64_C(100000000)
#define FAST 100u /* connections in a window */

static void set_option(const struct socket_handle *l, int name, int value)
{
	/* a unix socket has neither, and goes without */
	(void)setsockopt(l->h.fd, IPPROTO_TCP, name, &value, sizeof(value));
}

static void hold(struct worker *w, struct socket_handle *l)
{
	set_option(l, TCP_DEFER_ACCEPT, 1); /* in seconds; what is accepted has none of it */
	l->defers = true;
	LIST_INSERT_HEAD(&w->deferring, l, deferring_entry);
	if (w->defer_check_ns > w->now_ns + WINDOW_NS)
		w->defer_check_ns = w->now_ns + WINDOW_NS;
}

void defer_end(struct socket_handle *l)
{
	if (!l->defers)
		return;
	set_option(l, TCP_DEFER_ACCEPT, 0);
	l->defers = false;
	LIST_REMOVE(l, deferring_entry);
}

void defer_configure(struct socket_handle *l)
{
	const struct set_listener *as = l->as;
	const struct cfg_settings *set = &as->frontend->proxy->set;
	bool smart = as->frontend->http && !set->no_smart_accept;

	/* The answer acknowledges the request. One in pieces is acknowledged at once: handle_hurry(). */
	set_option(l, TCP_QUICKACK, !(smart && !as->tls && !as->accept_proxy && !as->cip_magic));
	l->speaks_first = (as->frontend->http || as->tls || as->accept_proxy || as->cip_magic) &&
			  !set->no_smart_accept && !as->defers &&
			  !l->shared; /* that one may outlive us */
	if (!l->speaks_first)
		defer_end(l);
}

void defer_count(struct worker *w, struct socket_handle *l)
{
	if (!l->speaks_first)
		return;
	if (w->now_ns - l->recent_since_ns >= WINDOW_NS && !l->defers) {
		l->recent_since_ns = w->now_ns;
		l->n_recent = 0;
	}
	if (++l->n_recent >= FAST && !l->defers)
		hold(w, l);
}

void defer_check(struct worker *w)
{
	struct socket_handle *l, *next;

	for (l = LIST_FIRST(&w->deferring); l; l = next) {
		next = LIST_NEXT(l, deferring_entry);
		if (l->n_recent < FAST / 2)
			defer_end(l);
		l->recent_since_ns = w->now_ns;
		l->n_recent = 0;
	}
	w->defer_check_ns = LIST_EMPTY(&w->deferring) ? TIMER_NEVER : w->now_ns + WINDOW_NS;
}
