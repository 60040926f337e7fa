/* SPDX-License-Identifier: MIT */
/* The socket of one run: opened, tuned, bound, connected. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"

static bool is_inet(const struct health_check *c)
{
	return run_target(c)->sa_family != AF_UNIX;
}

static int socket_type(const struct health_check *c)
{
	if (c->probe->ops.flags & PROBE_RAW_TCP)
		return SOCK_RAW;
	return check_is_datagram(c) ? SOCK_DGRAM : SOCK_STREAM;
}

static int socket_protocol(const struct health_check *c)
{
	if (c->probe->ops.flags & PROBE_RAW_TCP)
		return IPPROTO_TCP;
	if (!(c->probe->ops.flags & HEALTH_PROBE_ICMP))
		return 0;
	return run_target(c)->sa_family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
}

int socket_set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int open_by_host(const struct health_check *c)
{
	const struct health_engine *e = c->engine;
	const struct health_socket_want want = {
	    .size = sizeof(want),
	    .family = run_target(c)->sa_family,
	    .type = socket_type(c),
	    .protocol = socket_protocol(c),
	    .fwmark = c->way ? c->way->fwmark : 0,
	    .device = c->way && c->way->device[0] ? c->way->device : NULL,
	    .destination = run_target(c),
	    .destination_len = run_target_len(c),
	    .netns_fd = c->way ? c->way->netns_fd : 0,
	    .transparent = c->way && c->way->transparent,
	};
	int fd = e->ops.open_socket(&want, e->userdata), flags;

	if (fd < 0)
		return fd;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		flags = -errno;
		close(fd);
		return flags;
	}
	return fd;
}

static int open_here(const struct health_check *c)
{
	int family = run_target(c)->sa_family, protocol = socket_protocol(c);
	int fd = socket(family, socket_type(c) | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	/* Outside of ping_group_range: CAP_NET_RAW may do. */
	if (fd < 0 && (errno == EACCES || errno == EPERM) &&
	    c->probe->ops.flags & HEALTH_PROBE_ICMP)
		fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	return fd < 0 ? -errno : fd;
}

/* A socket belongs for life to the namespace its thread was in; the thread is back when this returns. */
static int open_there(const struct health_check *c)
{
	struct health_engine *e = c->engine;
	int fd, r;

	if (e->home_netns < 0)
		e->home_netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (e->home_netns < 0 || setns(c->way->netns_fd, CLONE_NEWNET) < 0)
		return -errno;
	fd = open_here(c);
	r = setns(e->home_netns, CLONE_NEWNET);
	assert(r == 0); /* what opened it may enter it */
	(void)r;
	return fd;
}

/* What only the privileged may set; a host that opens the sockets has done it. */
static int set_way(const struct health_check *c, int fd)
{
	const struct way *w = c->way;
	bool six = run_target(c)->sa_family == AF_INET6;
	int r = 0;

	if (w->fwmark)
		r = socket_set_int(fd, SOL_SOCKET, SO_MARK, (int)w->fwmark);
	if (r == 0 && w->device[0] &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, w->device, (socklen_t)strlen(w->device)) <
		0)
		r = -errno;
	if (r == 0 && w->transparent)
		r = socket_set_int(fd, six ? IPPROTO_IPV6 : IPPROTO_IP,
				   six ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1);
	return r;
}

/*
 * Whether we send as soon as we are connected. Then the last ACK of TCP's handshake may go with that: a packet less, and
 * the server wakes once. Where to connect is all, it goes with our RST, and the server's accept never wakes.
 */
static bool speaks_first(const struct health_check *c)
{
	return c->probe->ops.flags & HEALTH_PROBE_FIRST || probe_only_connects(c->probe) ||
	       (c->transport && !(c->flags & HEALTH_CHECK_STARTTLS)) ||
	       (c->way && c->way->preamble_len);
}

/* Costs a system call each, so only what the run needs; a refusal of these costs comfort, not truth. */
static void tune(const struct health_check *c, int fd)
{
	const struct linger rst = {.l_onoff = 1, .l_linger = 0};
	bool six = run_target(c)->sa_family == AF_INET6;

	if (!is_inet(c))
		return;
	if (c->way && c->way->tos)
		socket_set_int(fd, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_TCLASS : IP_TOS,
			       (int)c->way->tos);
	if (check_is_datagram(c))
		return;
	if (!(c->probe->ops.flags & HEALTH_PROBE_FIN))
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	if (c->transport) /* a resumed TLS 1.2 handshake ends in two small writes: 40 ms by Nagle */
		socket_set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (speaks_first(c))
		socket_set_int(fd, IPPROTO_TCP, TCP_QUICKACK, 0);
}

static int bind_source(const struct health_check *c, int fd)
{
	const struct sockaddr *source;

	if (!c->way || !c->way->source_len)
		return 0;
	source = (const struct sockaddr *)&c->way->source;
	if (source->sa_family != run_target(c)->sa_family)
		return c->run->to_len ? 0 : -EAFNOSUPPORT; /* a name that had both families */
	if (address_port(source))
		socket_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	else if (is_inet(c)) /* the port is chosen at connect, by the whole tuple: 28k per target */
		socket_set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	return bind(fd, source, c->way->source_len) < 0 ? -errno : 0;
}

/* ---- half-open ---- */

/*
 * A port that no connection has, held by a socket that neither listens nor connects: so the kernel answers what
 * comes to it with RST.
 */
static int hold_port(const struct health_check *c, struct sockaddr_storage *local)
{
	socklen_t len = sizeof(*local);
	int fd = socket(local->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	address_set_port((struct sockaddr *)local, 0);
	if (bind(fd, (struct sockaddr *)local, c->destination_len) < 0 ||
	    getsockname(fd, (struct sockaddr *)local, &len) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

/* Of all the segments this host gets only those from port to port. */
static int filter_ports(int fd, bool six, in_port_t from, in_port_t to)
{
	/* Raw IPv4 brings its header, of a length it says itself; raw IPv6 brings none. */
	struct sock_filter code[] = {
	    six ? (struct sock_filter)BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0)
		: (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
	    BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(from), 0, 3),
	    BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(to), 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 256),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

int socket_half_open(struct health_check *c, struct sockaddr_storage *ret_local)
{
	socklen_t len = sizeof(*ret_local);
	int r;

	if (getsockname(c->run->fd, (struct sockaddr *)ret_local, &len) < 0)
		return -errno;
	r = hold_port(c, ret_local);
	if (r < 0)
		return r;
	c->run->port_fd = r;
	return filter_ports(c->run->fd, c->destination->sa_family == AF_INET6,
			    address_port(c->destination),
			    address_port((struct sockaddr *)ret_local));
}

/* ---- opening ---- */

int socket_open(struct health_check *c, const char **ret_where)
{
	int fd, r = 0;

	*ret_where = "socket";
	if (c->engine->ops.open_socket)
		fd = open_by_host(c);
	else if (c->way && c->way->netns_fd)
		fd = open_there(c);
	else
		fd = open_here(c);
	if (fd < 0)
		return fd;
	if (c->way && !c->engine->ops.open_socket)
		r = set_way(c, fd);
	if (r == 0) {
		tune(c, fd);
		*ret_where = "bind";
		r = bind_source(c, fd);
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int socket_connect(const struct health_check *c)
{
	struct sockaddr_storage other;
	const struct sockaddr *to = run_target(c);
	int r;

	if (c->run->port) {
		memcpy(&other, to, c->destination_len);
		to = (const struct sockaddr *)&other;
		address_set_port((struct sockaddr *)&other, htons(c->run->port));
	}
	do
		r = connect(c->run->fd, to, run_target_len(c));
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}
