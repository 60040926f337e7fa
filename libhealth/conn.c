/* SPDX-License-Identifier: MIT */
/* The socket of one run: open, connect, carry the dialogue's bytes, close. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine.h"

#define READS_PER_EVENT 4 /* a server that never stops talking must not stop the others */

static bool is_datagram(const struct health_check *c)
{
	return c->probe->ops.flags & HEALTH_PROBE_DATAGRAM;
}

static bool is_inet(const struct health_check *c)
{
	return c->destination.ss_family != AF_UNIX;
}

/* The checker's own trouble: no verdict about the target, which would be blamed for it. */
static void finish_local(struct health_check *c, const char *where, int error, uint64_t now_ns)
{
	struct health_probe_io answer = {.verdict = HEALTH_NEUTRAL, .code = HEALTH_CODE_SOCKERR};

	snprintf(answer.text, sizeof(answer.text), "%s: %s", where, strerrordesc_np(error));
	check_finish(c, &answer, error, now_ns);
}

static bool is_local_error(const struct health_check *c, int error)
{
	switch (error) {
	case EADDRINUSE: /* no free local port */
	case EADDRNOTAVAIL:
	case ENOBUFS:
	case ENOMEM:
		return true;
	case EAGAIN: /* for AF_UNIX: the server's backlog is full */
		return is_inet(c);
	default:
		return false;
	}
}

static void finish_connect_error(struct health_check *c, int error, uint64_t now_ns)
{
	struct health_probe_io answer = {0};

	if (is_local_error(c, error)) {
		finish_local(c, "connect", error, now_ns);
		return;
	}
	answer_set(&answer, HEALTH_FAIL, HEALTH_CODE_L4CON, strerrordesc_np(error));
	check_finish(c, &answer, error, now_ns);
}

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int socket_type(const struct health_check *c)
{
	return is_datagram(c) ? SOCK_DGRAM : SOCK_STREAM;
}

static int socket_protocol(const struct health_check *c)
{
	if (!(c->probe->ops.flags & HEALTH_PROBE_ICMP))
		return 0;
	return c->destination.ss_family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
}

static int open_by_host(const struct health_check *c)
{
	const struct health_engine *e = c->engine;
	const struct health_socket_want want = {
	    .size = sizeof(want),
	    .family = c->destination.ss_family,
	    .type = socket_type(c),
	    .protocol = socket_protocol(c),
	    .fwmark = c->fwmark,
	    .device = c->device[0] ? c->device : NULL,
	    .destination = (const struct sockaddr *)&c->destination,
	    .destination_len = c->destination_len,
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
	int fd = socket(c->destination.ss_family, socket_type(c) | SOCK_NONBLOCK | SOCK_CLOEXEC,
			socket_protocol(c)),
	    r = 0;

	if (fd < 0)
		return -errno;
	if (c->fwmark)
		r = set_int(fd, SOL_SOCKET, SO_MARK, (int)c->fwmark);
	if (r == 0 && c->device[0] &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, c->device, (socklen_t)strlen(c->device)) <
		0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* Costs a system call each, so only what the run needs; a refusal of these costs comfort, not truth. */
static void tune(const struct health_check *c, int fd)
{
	const struct linger rst = {.l_onoff = 1, .l_linger = 0};

	if (!is_inet(c) || is_datagram(c))
		return;
	if (!(c->probe->ops.flags & HEALTH_PROBE_FIN))
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	if (probe_only_connects(c->probe))
		/* No ACK before our RST: SYN, SYN-ACK, RST, and the server's accept never wakes. */
		set_int(fd, IPPROTO_TCP, TCP_QUICKACK, 0);
	else
		set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static int bind_source(const struct health_check *c, int fd)
{
	if (!c->source)
		return 0;
	if (address_port(c->source))
		set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	else if (is_inet(c)) /* the port is chosen at connect, by the whole tuple: 28k per target */
		set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	return bind(fd, c->source, c->source_len) < 0 ? -errno : 0;
}

/* -EINPROGRESS: the connection is under way. */
static int connect_to(const struct health_check *c)
{
	struct sockaddr_storage to = c->destination;
	int r;

	if (c->port && to.ss_family == AF_INET)
		((struct sockaddr_in *)(void *)&to)->sin_port = htons(c->port);
	if (c->port && to.ss_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)&to)->sin6_port = htons(c->port);
	do
		r = connect(c->fd, (const struct sockaddr *)&to, c->destination_len);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* False: the kernel refused, and the check is finished. */
static bool watch(struct health_check *c, uint32_t events, uint64_t now_ns)
{
	struct epoll_event ev = {.events = events, .data.ptr = c};

	if (epoll_ctl(c->engine->epoll_fd, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &ev) <
	    0) {
		finish_local(c, "epoll_ctl", errno, now_ns);
		return false;
	}
	c->watched = true;
	return true;
}

static void close_socket(struct health_check *c)
{
	c->send_len = 0;
	if (c->fd < 0)
		return;
	/* Not left to close: a forked child may still hold the socket, and epoll would remember it. */
	if (c->watched)
		epoll_ctl(c->engine->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	close(c->fd);
	c->fd = -1;
	c->watched = false;
}

void conn_close(struct health_check *c)
{
	dialogue_fini(&c->dialogue);
	close_socket(c);
}

/* 0: all is sent, or the socket is full; -errno: the connection is broken. */
static int flush(struct health_check *c)
{
	while (c->send_len) {
		ssize_t n = send(c->fd, c->send, c->send_len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		c->send += n;
		c->send_len -= (size_t)n;
	}
	return 0;
}

static void open_socket(struct health_check *c, uint64_t now_ns);

/* The same run goes on over a new connection. */
static void reconnect(struct health_check *c, uint16_t port, uint64_t now_ns)
{
	struct health_probe_io answer = {0};

	if (c->reconnects++ >= HEALTH_PROBE_RECONNECTS_MAX) {
		answer_set(&answer, HEALTH_FAIL, HEALTH_CODE_L7RSP, "too many connections");
		check_finish(c, &answer, 0, now_ns);
		return;
	}
	close_socket(c);
	heap_disarm(&c->engine->timers, &c->timer);
	c->condition = CONNECT;
	c->port = port;
	open_socket(c, now_ns);
}

static void finish_closed(struct health_check *c, int error, uint64_t now_ns)
{
	struct health_probe_io answer;

	if (dialogue_closed(&c->dialogue, error,
			    error ? strerrordesc_np(error) : "closed before an answer", now_ns,
			    &answer) == HEALTH_STEP_RECONNECT)
		reconnect(c, answer.port, now_ns);
	else
		check_finish(c, &answer, error, now_ns);
}

/* Does what the probe asked for. True: the run goes on, and is watched for what it waits for. */
static bool proceed(struct health_check *c, enum health_step step, struct health_probe_io *io,
		    uint64_t now_ns)
{
	int r = 0;

	for (;;) {
		if (io->send_len) {
			c->send = io->send;
			c->send_len = io->send_len;
			r = flush(c);
		}
		if (step == HEALTH_STEP_DONE) {
			check_finish(c, io, 0, now_ns);
			return false;
		}
		if (step == HEALTH_STEP_RECONNECT) {
			reconnect(c, io->port, now_ns);
			return false;
		}
		if (step == HEALTH_STEP_TLS) {
			finish_local(c, "TLS", ENOTSUP, now_ns);
			return false;
		}
		if (r < 0 || c->send_len || !c->dialogue.again)
			break;
		step = dialogue_received(&c->dialogue, NULL, 0, now_ns, io);
	}
	if (r < 0 && is_datagram(c)) {
		finish_closed(c, -r, now_ns);
		return false;
	}
	if (r < 0)
		c->send_len = 0; /* what the server said before it broke is still to be read */
	return watch(c, c->send_len ? EPOLLOUT : EPOLLIN, now_ns);
}

static void connected(struct health_check *c, uint64_t now_ns)
{
	struct health_probe_io io;
	enum health_step step;

	c->condition = TALK;
	if (!c->connect_ns)
		c->connect_ns = now_ns > c->start_ns ? now_ns - c->start_ns : 1;
	check_arm(c, c->start_ns + c->timeout_ns);
	step = dialogue_open(&c->dialogue, now_ns, &io);
	proceed(c, step, &io, now_ns);
}

static void open_socket(struct health_check *c, uint64_t now_ns)
{
	int r = c->engine->ops.open_socket ? open_by_host(c) : open_here(c);

	if (r < 0) {
		finish_local(c, "socket", -r, now_ns);
		return;
	}
	c->fd = r;
	tune(c, c->fd);
	r = bind_source(c, c->fd);
	if (r < 0) {
		finish_local(c, "bind", -r, now_ns);
		return;
	}
	r = connect_to(c);
	if (r == 0) {
		connected(c, now_ns);
	} else if (r != -EINPROGRESS) {
		finish_connect_error(c, -r, now_ns);
	} else if (watch(c, EPOLLOUT, now_ns)) {
		uint64_t by = now_ns + c->connect_timeout_ns, end = c->start_ns + c->timeout_ns;

		check_arm(c, by < end ? by : end);
	}
}

void conn_start(struct health_check *c, uint64_t now_ns)
{
	c->condition = CONNECT;
	c->start_ns = now_ns;
	c->connect_ns = 0;
	c->port = 0;
	c->reconnects = 0;
	dialogue_init(&c->dialogue, c->probe, c->state);
	c->dialogue.family = c->destination.ss_family;
	c->dialogue.nonce = spread_nonce(c->engine->seed, c->id, c->starts);
	open_socket(c, now_ns);
}

/* Reads what is there. True: the run goes on. */
static bool receive(struct health_check *c, uint64_t now_ns)
{
	struct health_engine *e = c->engine;
	struct health_probe_io io;
	enum health_step step;

	for (int i = 0; i < READS_PER_EVENT && !c->send_len; i++) {
		ssize_t n = recv(c->fd, e->received, sizeof(e->received), 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n < 0 || (n == 0 && !is_datagram(c))) {
			finish_closed(c, n < 0 ? errno : 0, now_ns);
			return false;
		}
		step = dialogue_received(&c->dialogue, e->received, (size_t)n, now_ns, &io);
		if ((step != HEALTH_STEP_MORE || io.send_len) && !proceed(c, step, &io, now_ns))
			return false;
		if (!is_datagram(c) && (size_t)n < sizeof(e->received))
			return true; /* the socket is empty: asking it would cost a call */
	}
	return true;
}

void conn_event(struct health_check *c, uint64_t now_ns)
{
	struct health_probe_io io = {0};
	enum health_step step = HEALTH_STEP_MORE;
	int error = 0;
	socklen_t len = sizeof(error);

	if (c->condition == CONNECT) {
		if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
			error = errno;
		if (error)
			finish_connect_error(c, error, now_ns);
		else
			connected(c, now_ns);
		return;
	}
	if (!c->send_len) {
		receive(c, now_ns);
		return;
	}
	if (flush(c) < 0)
		c->send_len = 0;
	if (c->send_len)
		return;
	if (c->dialogue.again)
		step = dialogue_received(&c->dialogue, NULL, 0, now_ns, &io);
	proceed(c, step, &io, now_ns);
}

void conn_timeout(struct health_check *c, uint64_t now_ns)
{
	struct pollfd ready = {
	    .fd = c->fd,
	    .events = c->condition == CONNECT || c->send_len ? POLLOUT : POLLIN,
	};
	struct health_probe_io answer = {0};

	if (poll(&ready, 1, 0) > 0) {
		conn_event(c, now_ns);
		if (!check_in_flight(c) ||
		    c->timer.place) /* ended; or connected: has its new time */
			return;
	}
	if (c->condition == CONNECT)
		answer_set(&answer, HEALTH_FAIL, HEALTH_CODE_L4TOUT, "no connection in time");
	else
		dialogue_timeout(&c->dialogue, now_ns, &answer);
	check_finish(c, &answer, ETIMEDOUT, now_ns);
}
