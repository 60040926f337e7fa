/* SPDX-License-Identifier: MIT */
/*
 * Opening addresses. Each worker has a socket of its own bound to the same address (SO_REUSEPORT):
 * the kernel spreads connections over them, and a second process can take over without a gap. What
 * has one queue only (unix sockets, inherited descriptors) is shared by duplicates. Sockets that the
 * process before passed on are used first, all of them: some workers may have several.
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
#include "passed.h"
#include "tcp_tune.h"
#include "unix_socket.h"

#define SOCKETS_MAX 1024u /* of one address */

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

void listener_tune(struct listener *l, const struct cfg_tcp *t)
{
	int domain = AF_UNIX, e = 0;
	socklen_t len = sizeof(domain);

	for (unsigned i = 0; i < l->n_sockets && !e && !l->shut; i++) {
		int fd = l->socket[i].h.fd;

		if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain == AF_UNIX)
			return;
		e = tcp_tune(fd, domain, t);
	}
	if (e < 0)
		log_err("listener %s: the options of its bind line cannot be set: %s", l->text, strerror(-e));
}

/* Another descriptor of what `fd` is. */
static int duplicate(int fd)
{
	int to = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	/* Who passed it on may have left it blocking: accept would hold the worker. */
	if (to < 0 || fcntl(to, F_SETFL, fcntl(to, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	return to;
}

/* The options that are not set whenever a line is read: listener_tune(). */
static int take_over(int fd, const struct cfg_bind *b, unsigned backlog)
{
	int defers = b->defer_accept, on = 1;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (b->addr.sa.sa_family != AF_UNIX) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defers, sizeof(defers));
	}
	(void)listen(fd, (int)backlog);
	return fd;
}

static int open_one(struct engine *e, const struct listener *l, const struct cfg_bind *b, unsigned backlog)
{
	int fd;

	if (b->inherited_fd >= 0)
		return duplicate(b->inherited_fd);
	if (l->n_sockets && b->addr.sa.sa_family == AF_UNIX)
		return duplicate(l->socket[0].h.fd);
	fd = passed_take(e->opts.passed, b);
	return fd < 0 ? open_socket(b, backlog) : take_over(fd, b, backlog);
}

static int add_socket(struct listener *l, int fd, bool shared)
{
	struct socket_handle *more;

	if (fd < 0)
		return fd;
	more = realloc(l->socket, (l->n_sockets + 1) * sizeof(*more));
	if (!more) {
		close(fd);
		return -ENOMEM;
	}
	l->socket = more;
	more[l->n_sockets++] = (struct socket_handle){.h = {HANDLE_LISTENER, fd, NULL}, .shared = shared};
	return 0;
}

/*
 * As many as the process before has, if new connections are to be turned from its sockets to ours until its last one
 * is closed (steer.c).
 */
static unsigned least_sockets(const struct engine *e, const struct listener *l)
{
	bool steered = e->opts.follows && !l->requeues && !l->socket[0].shared;
	unsigned all = steered ? listener_count(l->socket[0].h.fd) : 0;

	return all > e->n_workers + 1 && all <= SOCKETS_MAX ? all - 1 : e->n_workers;
}

/* One for each worker at least, and all that were passed. */
static int open_all(struct engine *e, struct listener *l, const struct cfg_bind *b, unsigned backlog)
{
	bool is_unix = b->addr.sa.sa_family == AF_UNIX, shared = b->inherited_fd >= 0 || is_unix;
	int fd, r = add_socket(l, open_one(e, l, b, backlog), shared);
	unsigned least;

	if (r)
		return r;
	l->inherited = b->inherited_fd >= 0;
	l->is_path = is_unix && *b->addr.unix_path.sun_path;
	l->requeues = !shared && requeue_attach(e->requeue_fd, l->socket[0].h.fd);
	least = least_sockets(e, l);
	while (!r && !shared && (fd = passed_take(e->opts.passed, b)) >= 0)
		r = add_socket(l, take_over(fd, b, backlog), false);
	while (!r && l->n_sockets < least)
		r = add_socket(l, open_one(e, l, b, backlog), shared);
	return r;
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
static void set_backlog(const struct listener *l, const struct cfg_bind *b, unsigned backlog)
{
	for (unsigned i = 0; i < l->n_sockets && !l->shut && b->inherited_fd < 0; i++)
		(void)listen(l->socket[i].h.fd, (int)backlog);
}

/* A socket cannot change what of IPv4 it takes. */
static bool is_of(const struct listener *l, const struct cfg_bind *b)
{
	return l->netns_id == cfg_netns_id(b->netns) && l->v6only == b->v6only && !strcmp(l->text, b->text);
}

/* NULL: no memory. */
static struct listener *listener_new(struct engine *e, const struct cfg_bind *b)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->refs = 1;
	l->netns_id = cfg_netns_id(b->netns);
	l->v6only = b->v6only;
	l->text = strdup(b->text);
	l->netns = b->netns ? strdup(b->netns->name) : NULL;
	l->interface = b->interface ? strdup(b->interface) : NULL;
	LIST_INSERT_HEAD(&e->listeners, l, entry);
	if (l->text && !l->netns == !b->netns && !l->interface == !b->interface)
		return l;
	listener_put(e, l);
	return NULL;
}

struct listener *listener_get(struct engine *e, const struct cfg_bind *b, unsigned backlog, bool stays_shut,
			      char *ret_error, size_t cap)
{
	struct listener *l;
	int r = -ENOMEM;

	backlog = b->backlog ? b->backlog : backlog;
	LIST_FOREACH (l, &e->listeners, entry)
		if (l->running && (!l->shut || stays_shut) && is_of(l, b)) {
			l->refs++;
			set_backlog(l, b, backlog);
			return l;
		}
	l = listener_new(e, b);
	if (l)
		r = open_all(e, l, b, backlog);
	if (r == 0)
		return l;
	snprintf(ret_error, cap, "%s:%u:%u: cannot listen on %s: %s%s", b->at.file, b->at.line,
		 b->at.column, b->text, strerror(-r), remedy(b, -r));
	if (l)
		listener_put(e, l);
	return NULL;
}

void listener_put(struct engine *e, struct listener *l)
{
	if (--l->refs)
		return;
	LIST_REMOVE(l, entry);
	for (unsigned i = 0; i < l->n_sockets; i++)
		if (l->socket[i].h.fd >= 0)
			close(l->socket[i].h.fd);
	free(l->socket);
	free(l->text);
	free(l->netns);
	free(l->interface);
	free(l);
}

size_t engine_passable(const struct engine *e, struct passed_socket *to, size_t max)
{
	const struct listener *l;
	size_t n = 0;

	LIST_FOREACH (l, &e->listeners, entry)
		for (unsigned i = 0; i < l->n_sockets && (!i || !l->socket[i].shared); i++) {
			if (!l->running || l->shut || l->inherited || l->is_path || n == max)
				break;
			to[n++] = (struct passed_socket){l->socket[i].h.fd, l->netns, l->interface};
		}
	return n;
}
