/* SPDX-License-Identifier: MIT */
/*
 * A run over a socket: connect, shake hands, carry the dialogue's bytes, close.
 *
 * The socket is watched once, edge-triggered, for both directions: a run costs one epoll_ctl to begin with
 * and none when it turns from writing to reading. So whoever stops before the socket is empty has to ask
 * for the edge again (rearm); and an end that came together with the last bytes has no edge of its own.
 */
#include <errno.h>
#include <poll.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine.h"
#include "resolve.h"

#define ENDED (EPOLLRDHUP | EPOLLHUP | EPOLLERR) /* the peer will say no more */
#define READS_PER_EVENT 4 /* a server that never stops talking must not stop the others */

static void connect_now(struct health_check *c, uint64_t now_ns);

static bool is_local_error(const struct health_check *c, int error)
{
	switch (error) {
	case EADDRINUSE: /* no free local port */
	case EADDRNOTAVAIL:
	case ENOBUFS:
	case ENOMEM:
		return true;
	case EAGAIN: /* for AF_UNIX: the server's backlog is full */
		return run_target(c)->sa_family != AF_UNIX;
	default:
		return false;
	}
}

static void finish_connect_error(struct health_check *c, int error, uint64_t now_ns)
{
	struct health_probe_io answer = {0};

	if (is_local_error(c, error)) {
		check_finish_local(c, "connect", error, now_ns);
		return;
	}
	answer_set(&answer, HEALTH_FAIL, HEALTH_CODE_L4CON, strerrordesc_np(error));
	check_finish(c, &answer, error, now_ns);
}

static void finish_with(struct health_check *c, enum health_code code, const char *text, int error,
			uint64_t now_ns)
{
	struct health_probe_io answer = {0};

	answer_set(&answer, HEALTH_FAIL, code, text);
	check_finish(c, &answer, error, now_ns);
}

/* ---- the socket ---- */

/* 0 or -errno. */
static int watch_socket(struct health_check *c)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				 .data.ptr = &c->watch};

	if (epoll_ctl(c->engine->epoll_fd, c->run->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->run->fd, &ev) <
	    0)
		return -errno;
	c->run->watched = true;
	return 0;
}

/* Asks for the edge again; then the next dispatch goes on. True: the run goes on. */
static bool rearm(struct health_check *c, uint64_t now_ns)
{
	int r = watch_socket(c);

	if (r < 0)
		check_finish_local(c, "epoll_ctl", -r, now_ns);
	return r == 0;
}

static void close_socket(struct health_check *c)
{
	c->run->send_len = 0;
	if (c->run->channel)
		c->transport->end(c->run->channel, c->probe->ops.flags & HEALTH_PROBE_FIN);
	c->run->channel = NULL;
	c->run->dialogue.tls = false;
	c->run->dialogue.alpn = NULL;
	if (c->run->port_fd >= 0)
		close(c->run->port_fd);
	c->run->port_fd = -1;
	if (c->run->fd < 0)
		return;
	/* Not left to close: a forked child may still hold the socket, and epoll would remember it. */
	if (c->run->watched)
		epoll_ctl(c->engine->epoll_fd, EPOLL_CTL_DEL, c->run->fd, NULL);
	close(c->run->fd);
	c->run->fd = -1;
	c->run->watched = false;
	c->run->spoken = c->run->heard = false;
}

static void conn_close(struct health_check *c)
{
	dialogue_fini(&c->run->dialogue);
	close_socket(c);
}

static ssize_t put(struct health_check *c)
{
	ssize_t n;

	if (c->run->channel)
		return c->transport->send(c->run->channel, c->run->send, c->run->send_len);
	n = send(c->run->fd, c->run->send, c->run->send_len, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static ssize_t get(struct health_check *c)
{
	struct health_engine *e = c->engine;
	ssize_t n;

	if (c->run->channel)
		return c->transport->receive(c->run->channel, e->received, sizeof(e->received));
	n = recv(c->run->fd, e->received, sizeof(e->received), 0);
	return n < 0 ? -errno : n;
}

/* 0: all is sent, or the socket is full; -errno: the connection is broken. */
static int flush(struct health_check *c)
{
	while (c->run->send_len) {
		ssize_t n = put(c);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return n == -EAGAIN ? 0 : (int)n;
		c->run->send += n;
		c->run->send_len -= (size_t)n;
	}
	return 0;
}

/* ---- the dialogue ---- */

static void arm_talk(struct health_check *c, uint64_t now_ns)
{
	if (!c->phases)
		return; /* until the end of the whole check, as armed when connected */
	if (c->run->send_len)
		check_arm_phase(c, c->phases->send_ns, now_ns);
	else
		check_arm_phase(c, c->run->heard ? 0 : c->phases->first_byte_ns, now_ns);
}

static bool is_address(const struct sockaddr *to, socklen_t len)
{
	switch (to->sa_family) {
	case AF_INET:
		return len == sizeof(struct sockaddr_in);
	case AF_INET6:
		return len == sizeof(struct sockaddr_in6);
	default:
		return to->sa_family == AF_UNIX && len > sizeof(sa_family_t) && len <= sizeof(struct sockaddr_un);
	}
}

/* The same run goes on over a new connection. */
static void reconnect(struct health_check *c, const struct health_probe_io *io, uint64_t now_ns)
{
	if (c->run->reconnects++ >= HEALTH_PROBE_RECONNECTS_MAX) {
		finish_with(c, HEALTH_CODE_L7RSP, "too many connections", 0, now_ns);
		return;
	}
	close_socket(c);
	if (io->to && !is_address(io->to, io->to_len)) {
		check_finish_local(c, "address", EAFNOSUPPORT, now_ns);
		return;
	}
	c->run->port = io->to ? 0 : io->port;
	c->run->to_len = io->to ? io->to_len : 0;
	if (io->to)
		memcpy(&c->run->to, io->to, io->to_len);
	c->run->dialogue.family = run_target(c)->sa_family;
	connect_now(c, now_ns);
}

static void finish_closed(struct health_check *c, int error, uint64_t now_ns)
{
	struct health_probe_io answer;

	if (dialogue_closed(&c->run->dialogue, error,
			    error ? strerrordesc_np(error) : "closed before an answer", now_ns,
			    &answer) == HEALTH_STEP_RECONNECT)
		reconnect(c, &answer, now_ns);
	else
		check_finish(c, &answer, error, now_ns);
}

static void begin_handshake(struct health_check *c, uint64_t now_ns);

/* What HEALTH_STEP_TLS asks for, once the bytes before it are sent. */
static void upgrade(struct health_check *c, uint64_t now_ns)
{
	c->run->then = HEALTH_STEP_MORE;
	if (!c->transport || c->run->channel || check_is_datagram(c))
		check_finish_local(c, "TLS", c->run->channel ? EALREADY : ENOTSUP, now_ns);
	else
		begin_handshake(c, now_ns);
}

/* Does what the probe asked for. True: the run goes on over this channel. */
static bool proceed(struct health_check *c, enum health_step step, struct health_probe_io *io,
		    uint64_t now_ns)
{
	int r = 0;

	for (;;) {
		if (io->send_len) {
			if (c->run->spoken && !c->transport &&
			    !check_is_datagram(c)) /* the first never waits */
				socket_set_int(c->run->fd, IPPROTO_TCP, TCP_NODELAY, 1);
			c->run->spoken = true;
			c->run->send = io->send;
			c->run->send_len = io->send_len;
			r = flush(c);
		}
		if (step == HEALTH_STEP_DONE) {
			check_finish(c, io, 0, now_ns);
			return false;
		}
		if (step == HEALTH_STEP_RECONNECT) {
			reconnect(c, io, now_ns);
			return false;
		}
		if (r < 0 || c->run->send_len || step == HEALTH_STEP_TLS || !c->run->dialogue.again)
			break;
		step = dialogue_received(&c->run->dialogue, NULL, 0, now_ns, io);
	}
	if (r < 0 && check_is_datagram(c)) {
		finish_closed(c, -r, now_ns);
		return false;
	}
	if (r < 0)
		c->run->send_len = 0; /* what the server said before it broke is still to be read */
	c->run->then = step;
	if (step == HEALTH_STEP_TLS && !c->run->send_len) {
		upgrade(c, now_ns);
		return false;
	}
	arm_talk(c, now_ns);
	return true;
}

/* The first bytes on this connection, and of the run. */
static void note_first_byte(struct health_check *c, uint64_t now_ns)
{
	c->run->heard = true;
	if (!c->run->times.first_byte_ns)
		c->run->times.first_byte_ns = now_ns > c->start_ns ? now_ns - c->start_ns : 1;
	arm_talk(c, now_ns);
}

/* Reads until the socket is empty, has to wait for sending, or it is enough for one event. */
static void receive(struct health_check *c, uint32_t events, uint64_t now_ns)
{
	struct health_engine *e = c->engine;
	struct health_probe_io io;
	enum health_step step;

	for (int i = 0; i < READS_PER_EVENT && !c->run->send_len; i++) {
		ssize_t n = get(c);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return;
		if (n < 0 || (n == 0 && !check_is_datagram(c))) {
			finish_closed(c, n < 0 ? (int)-n : 0, now_ns);
			return;
		}
		if (!c->run->heard)
			note_first_byte(c, now_ns);
		step = dialogue_received(&c->run->dialogue, e->received, (size_t)n, now_ns, &io);
		if ((step != HEALTH_STEP_MORE || io.send_len) && !proceed(c, step, &io, now_ns))
			return;
		if (!check_is_datagram(c) && !c->run->channel && !(events & ENDED) &&
		    (size_t)n < sizeof(e->received))
			return; /* the socket is empty: asking it would cost a call */
	}
	if (!c->run->send_len)
		rearm(c, now_ns);
}

/* A channel stands: the probe begins to talk. True: the run goes on over this channel. */
static bool talk(struct health_check *c, uint64_t now_ns)
{
	struct sockaddr_storage local;
	struct health_probe_io io;
	enum health_step step;
	int r;

	c->condition = TALK;
	check_arm_phase(c, 0, now_ns);
	if (c->probe->ops.flags & PROBE_RAW_TCP) {
		r = socket_half_open(c, &local);
		if (r < 0) {
			check_finish_local(c, "port", -r, now_ns);
			return false;
		}
		c->run->dialogue.local = (const struct sockaddr *)&local;
		c->run->dialogue.remote = c->destination;
	}
	step = dialogue_open(&c->run->dialogue, now_ns, &io);
	c->run->dialogue.local = c->run->dialogue.remote = NULL;
	return proceed(c, step, &io, now_ns);
}

/* ---- TLS ---- */

static void handshake_done(struct health_check *c, const struct health_transport_report *report,
			   uint64_t now_ns)
{
	c->run->times.tls_ns = now_ns > c->start_ns ? now_ns - c->start_ns : 1;
	c->run->dialogue.tls = !report->plain;
	c->run->dialogue.alpn = report->alpn;
	c->run->tls_expires_s = report->expires_s;
	c->run->tls_resumed = report->resumed;
	if (report->at_best && !c->run->warning)
		c->run->warning = mem_zalloc(HEALTH_TEXT_MAX);
	if (report->at_best && c->run->warning) {
		c->run->at_best = (uint8_t)report->at_best;
		memcpy(c->run->warning, report->text, HEALTH_TEXT_MAX - 1);
	}
	if (report->linger && probe_only_connects(c->probe)) {
		c->condition = LINGER;
		check_arm_phase(c, HEALTH_TRANSPORT_LINGER_NS, now_ns);
		return;
	}
	/* What came behind the handshake may be in the transport's hands already. */
	if (talk(c, now_ns))
		receive(c, 0, now_ns);
}

static void shake_hands(struct health_check *c, uint64_t now_ns)
{
	struct health_transport_report report = {0};
	int r = c->transport->handshake(c->run->channel, &report);

	if (r == 0) {
		handshake_done(c, &report, now_ns);
	} else if (r != HEALTH_TRANSPORT_AGAIN) {
		report.text[sizeof(report.text) - 1] = '\0';
		finish_with(c, report.code ? (enum health_code)report.code : HEALTH_CODE_L6RSP, report.text, -r, now_ns);
	}
}

static void begin_handshake(struct health_check *c, uint64_t now_ns)
{
	int r = c->transport->begin(c->target, c->run->fd, &c->run->channel);

	if (r < 0) {
		c->run->channel = NULL;
		check_finish_local(c, c->transport->name, -r, now_ns);
		return;
	}
	c->condition = HANDSHAKE;
	check_arm_phase(c, c->phases ? c->phases->tls_ns : 0, now_ns);
	shake_hands(c, now_ns);
}

/* The handshake was the question; the tickets were a courtesy. */
static void end_linger(struct health_check *c, uint64_t now_ns)
{
	struct health_probe_io answer;

	get(c);
	dialogue_open(&c->run->dialogue, now_ns, &answer);
	check_finish(c, &answer, 0, now_ns);
}

/* ---- the connection ---- */

/* Bytes before all others, sent while the socket's buffer is empty. */
static bool send_preamble(struct health_check *c, uint64_t now_ns)
{
	const struct way *w = c->way;

	if (!w || !w->preamble_len || check_is_datagram(c))
		return true;
	c->run->spoken = true;
	if (send(c->run->fd, w->preamble, w->preamble_len, MSG_NOSIGNAL) == w->preamble_len)
		return true;
	finish_connect_error(c, errno == EAGAIN ? EPIPE : errno, now_ns);
	return false;
}

/* True: the run goes on, over this channel, and may have bytes to read. */
static bool connected(struct health_check *c, uint64_t now_ns)
{
	if (!c->run->times.connect_ns)
		c->run->times.connect_ns = now_ns > c->start_ns ? now_ns - c->start_ns : 1;
	if (!send_preamble(c, now_ns))
		return false;
	if (!c->transport || c->flags & HEALTH_CHECK_STARTTLS)
		return talk(c, now_ns);
	begin_handshake(c, now_ns);
	return false;
}

static void connect_now(struct health_check *c, uint64_t now_ns)
{
	const char *where;
	int r = socket_open(c, &where);

	c->condition = CONNECT;
	if (r < 0) {
		check_finish_local(c, where, -r, now_ns);
		return;
	}
	c->run->fd = r;
	r = socket_connect(c);
	if (r < 0 && r != -EINPROGRESS) {
		finish_connect_error(c, -r, now_ns);
		return;
	}
	if (r == 0 && probe_only_connects(c->probe) && !c->transport) {
		connected(c, now_ns); /* a local socket: nothing to wait for */
		return;
	}
	if (!rearm(c, now_ns))
		return;
	if (r == 0)
		connected(c, now_ns);
	else
		check_arm_phase(c, c->connect_timeout_ns, now_ns);
}

static void conn_start(struct health_check *c, uint64_t now_ns)
{
	c->run->then = HEALTH_STEP_MORE;
	dialogue_init(&c->run->dialogue, c->probe, c->run->state);
	c->run->dialogue.nonce = spread_nonce(c->engine->seed, c->id, c->starts);
	if (c->name) {
		c->condition = NAME;
		check_arm_phase(c, c->phases ? c->phases->name_ns : 0, now_ns);
		resolver_ask(c, now_ns);
		return;
	}
	c->run->dialogue.family = c->destination->sa_family;
	connect_now(c, now_ns);
}

void conn_resolved(struct health_check *c, const struct sockaddr *address, socklen_t len,
		   uint64_t now_ns)
{
	c->run->times.name_ns = now_ns > c->start_ns ? now_ns - c->start_ns : 1;
	if (c->destination_len != len) {
		mem_free(c->destination);
		c->destination = mem_zalloc(len);
		c->destination_len = c->destination ? len : 0;
	}
	if (!c->destination) {
		check_finish_local(c, "name", ENOMEM, now_ns);
		return;
	}
	memcpy(c->destination, address, len);
	address_set_port(c->destination, c->name_port);
	c->run->dialogue.family = c->destination->sa_family;
	connect_now(c, now_ns);
}

void conn_no_such_name(struct health_check *c, uint64_t now_ns)
{
	finish_with(c, HEALTH_CODE_L4CON, "no such name", 0, now_ns);
}

static void event_connect(struct health_check *c, uint32_t events, uint64_t now_ns)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (events & (EPOLLERR | EPOLLHUP) && /* else it is writable, and connected */
	    getsockopt(c->run->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		finish_connect_error(c, error, now_ns);
	else if (connected(c, now_ns) && !c->run->send_len && events & (EPOLLIN | ENDED))
		receive(c, events, now_ns);
}

static void event_talk(struct health_check *c, uint32_t events, uint64_t now_ns)
{
	struct health_probe_io io = {0};
	enum health_step step = HEALTH_STEP_MORE;

	if (c->run->send_len) {
		if (flush(c) < 0)
			c->run->send_len = 0;
		if (c->run->send_len)
			return;
		if (c->run->then == HEALTH_STEP_TLS) {
			upgrade(c, now_ns);
			return;
		}
		if (c->run->dialogue.again)
			step = dialogue_received(&c->run->dialogue, NULL, 0, now_ns, &io);
		if (!proceed(c, step, &io, now_ns))
			return;
	}
	receive(c, events, now_ns);
}

static void conn_event(struct health_check *c, uint32_t events, uint64_t now_ns)
{
	switch (c->condition) {
	case CONNECT:
		event_connect(c, events, now_ns);
		break;
	case HANDSHAKE:
		shake_hands(c, now_ns);
		break;
	case TALK:
		event_talk(c, events, now_ns);
		break;
	case LINGER:
		if (events & EPOLLIN)
			end_linger(c, now_ns);
		break;
	default:
		break;
	}
}

/* The time is over; but an answer that waits in the socket is still heard. True: it was, or led on. */
static bool heard_at_last(struct health_check *c, uint64_t now_ns)
{
	enum condition before = c->condition;
	bool writes = before == CONNECT || c->run->send_len;
	struct pollfd ready = {.fd = c->run->fd, .events = writes ? POLLOUT : POLLIN | POLLRDHUP};

	if (c->run->fd < 0 || poll(&ready, 1, 0) <= 0)
		return false;
	conn_event(c, (uint32_t)ready.revents, now_ns);
	if (!check_in_flight(c) || (c->condition != before && c->timer.place))
		return true;
	heap_disarm(&c->engine->timers, &c->timer);
	return false;
}

static void conn_timeout(struct health_check *c, uint64_t now_ns)
{
	struct health_probe_io answer = {0};

	if (c->condition == LINGER) {
		end_linger(c, now_ns);
		return;
	}
	if (heard_at_last(c, now_ns))
		return;
	switch (c->condition) {
	case NAME:
		check_finish_local(c, "name", ETIMEDOUT, now_ns);
		return;
	case CONNECT:
		answer_set(&answer, HEALTH_FAIL, HEALTH_CODE_L4TOUT, "no connection in time");
		break;
	case HANDSHAKE:
		answer_set(&answer, HEALTH_FAIL, HEALTH_CODE_L6TOUT, "no handshake in time");
		break;
	default:
		dialogue_timeout(&c->run->dialogue, now_ns, &answer);
		break;
	}
	check_finish(c, &answer, ETIMEDOUT, now_ns);
}

const struct hand conn_hand = {
    .start = conn_start,
    .event = conn_event,
    .timeout = conn_timeout,
    .close = conn_close,
};
