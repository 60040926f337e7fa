/* SPDX-License-Identifier: MIT */
/*
 * Opening addresses. Each worker has a socket of its own bound to the same address (SO_REUSEPORT):
 * the kernel spreads connections over them, and a second process can take over without a gap. What
 * has one queue only (unix sockets, inherited descriptors) is shared by duplicates.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "netns.h"
#include "tcp_tune.h"
#include "unix_socket.h"

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_options(int fd, const struct cfg_bind *b, unsigned backlog)
{
	int e = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (!e)
		e = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!e) /* what is accepted inherits it */
		e = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!e && b->defer_accept) /* the kernel holds it until the client has spoken */
		e = set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
	if (!e && b->addr.sa.sa_family == AF_INET6 && (b->v6only || b->v4v6))
		e = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, b->v6only);
	if (!e && b->interface &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, b->interface,
		       (socklen_t)strlen(b->interface)) < 0)
		e = -errno;
	if (!e)
		e = tcp_tune(fd, b->addr.sa.sa_family, &b->tcp);
	if (!e && b->tcp.fast_open)
		e = set_option(fd, IPPROTO_TCP, TCP_FASTOPEN, (int)backlog);
	return e;
}

static int open_socket(const struct cfg_bind *b, unsigned backlog)
{
	int fd, e;

	if (b->addr.sa.sa_family == AF_UNIX)
		return unix_listen(&b->addr, &b->access, (int)backlog);
	fd = netns_socket(b->netns, b->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	e = set_options(fd, b, backlog);
	if (!e && bind(fd, &b->addr.sa, b->addr.len) < 0)
		e = -errno;
	if (!e && listen(fd, (int)backlog) < 0)
		e = -errno;
	if (!e)
		return fd;
	close(fd);
	return e;
}

void listener_tune(struct listener *l, unsigned n_workers, const struct cfg_tcp *t)
{
	int domain = AF_UNIX, e = 0;
	socklen_t len = sizeof(domain);

	for (unsigned i = 0; i < n_workers && !e && !l->shut; i++) {
		int fd = l->socket[i].h.fd;

		if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain == AF_UNIX)
			return;
		e = tcp_tune(fd, domain, t);
	}
	if (e < 0)
		log_err("listener %s: the options of its bind line cannot be set: %s", l->text, strerror(-e));
}

static int open_one(const struct cfg_bind *b, unsigned backlog, const struct socket_handle *first)
{
	int fd;

	if (b->inherited_fd >= 0)
		fd = fcntl(b->inherited_fd, F_DUPFD_CLOEXEC, 0);
	else if (first && b->addr.sa.sa_family == AF_UNIX)
		fd = fcntl(first->h.fd, F_DUPFD_CLOEXEC, 0);
	else
		return open_socket(b, backlog);
	/* Who passed it on may have left it blocking: accept would hold the worker. */
	if (fd < 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	return fd;
}

static int open_all(struct engine *e, struct listener *l, const struct cfg_bind *b,
		    unsigned backlog)
{
	for (unsigned i = 0; i < e->n_workers; i++) {
		int fd = open_one(b, backlog, i ? &l->socket[0] : NULL);

		if (fd < 0)
			return fd;
		l->socket[i].h.fd = fd;
		l->socket[i].shared = b->inherited_fd >= 0 || b->addr.sa.sa_family == AF_UNIX;
	}
	l->requeues = !l->socket[0].shared && requeue_attach(e->requeue_fd, l->socket[0].h.fd);
	return 0;
}

/* What an administrator can do about it. */
static const char *remedy(const struct cfg_bind *b, int error)
{
	if (error == EADDRINUSE)
		return ". ss -lnp shows who has it";
	if (error == EADDRNOTAVAIL)
		return ". No interface has this address. If it is another node's for now, set net.ipv4.ip_nonlocal_bind=1 (or "
		       "net.ipv6), or write transparent behind it";
	if (error == EACCES && b->addr.sa.sa_family != AF_UNIX)
		return ". Ports below 1024 take root, or CAP_NET_BIND_SERVICE";
	return "";
}

/* Of sockets that listen already; it does not fail. */
static void set_backlog(const struct listener *l, unsigned n_workers, const struct cfg_bind *b, unsigned backlog)
{
	for (unsigned i = 0; i < n_workers && !l->shut && b->inherited_fd < 0; i++)
		(void)listen(l->socket[i].h.fd, (int)backlog);
}

struct listener *listener_get(struct engine *e, const struct cfg_bind *b, unsigned backlog, bool stays_shut,
			      char *ret_error, size_t cap)
{
	uint64_t netns_id = cfg_netns_id(b->netns);
	struct listener *l;
	int r = -ENOMEM;

	backlog = b->backlog ? b->backlog : backlog;
	LIST_FOREACH (l, &e->listeners, entry)
		if (l->running && (!l->shut || stays_shut) && l->netns_id == netns_id && !strcmp(l->text, b->text)) {
			l->refs++;
			set_backlog(l, e->n_workers, b, backlog);
			return l;
		}
	l = calloc(1, sizeof(*l));
	if (l) {
		l->netns_id = netns_id;
		l->text = strdup(b->text);
		l->socket = calloc(e->n_workers, sizeof(*l->socket));
	}
	if (l && l->text && l->socket) {
		for (unsigned i = 0; i < e->n_workers; i++)
			l->socket[i].h = (struct handle){HANDLE_LISTENER, -1, NULL};
		r = open_all(e, l, b, backlog);
	}
	if (r == 0) {
		l->refs = 1;
		LIST_INSERT_HEAD(&e->listeners, l, entry);
		return l;
	}
	snprintf(ret_error, cap, "%s:%u:%u: cannot listen on %s: %s%s", b->at.file, b->at.line,
		 b->at.column, b->text, strerror(-r), remedy(b, -r));
	if (l) {
		l->refs = 1;
		LIST_INSERT_HEAD(&e->listeners, l, entry);
		listener_put(e, l);
	}
	return NULL;
}

void listener_put(struct engine *e, struct listener *l)
{
	if (--l->refs)
		return;
	LIST_REMOVE(l, entry);
	for (unsigned i = 0; l->socket && i < e->n_workers; i++)
		if (l->socket[i].h.fd >= 0)
			close(l->socket[i].h.fd);
	free(l->socket);
	free(l->text);
	free(l);
}
