/* SPDX-License-Identifier: MIT */
/* A session of mode tcp on its way to a server: which one, over which socket, and what if that fails. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "balance_key.h"
#include "count.h"
#include "io.h"
#include "rule_run.h"
#include "rule_store.h"
#include "worker.h"

static void give_up(struct worker *w, struct session *s, char who, char phase)
{
	conn_end(&s->conn, who, phase);
	session_close(w, s);
}

static void enqueue(struct worker *w, struct session *s)
{
	conn_set_state(&s->conn, CONN_QUEUED, w->now_ns);
	if (seeker_enqueue(w, &s->seeker))
		session_arm(w, s);
	else
		give_up(w, s, 'R', 'Q');
}

/* ---- One attempt ---- */

/* The host of a server whose sockets are as those to any other there: none of its settings is the socket's. Family 0: they are not. */
static struct endpoint plain_host(const struct server *to, const struct cfg_addr *a)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->storage;
	struct endpoint host = endpoint_of(&a->storage);

	if (host.family == AF_UNIX || (host.family == AF_INET6 && in6->sin6_scope_id) || server_follows_client(to) ||
	    atomic_load_explicit(&to->tcp, memory_order_acquire) || atomic_load_explicit(&to->source, memory_order_acquire) ||
	    atomic_load_explicit(&to->netns, memory_order_acquire) || atomic_load_explicit(&to->socks, memory_order_acquire))
		return (struct endpoint){0};
	host.port = 0;
	return host;
}

/* As server_connect, by the socket of an earlier session if there is one. */
static int session_connect(struct worker *w, struct session *s, const struct connect_from *from, bool has_data)
{
	struct server *to = s->seeker.server;
	const struct cfg_addr *a = server_addr(to);
	struct endpoint host = plain_host(to, a), after;
	int fd = spent_take(w, s, &host), e;

	s->renewed = fd >= 0;
	if (fd < 0) {
		fd = server_connect(to, from, has_data);
		after = plain_host(to, server_addr(to)); /* both may change meanwhile, by other threads */
		if (memcmp(&after, &host, sizeof(host)) != 0)
			s->host_turn = 0;
		return fd;
	}
	e = server_connect_socket(fd, a, s->rides);
	if (!e)
		return fd;
	close(fd);
	return e;
}

static struct connect_from from_client(const struct session *s)
{
	return (struct connect_from){s->handle[CONN_CLIENT].fd, &s->client, NULL,
				     session_target(s)};
}

static void connected(struct worker *w, struct session *s)
{
	observe(w, s->seeker.server, OBSERVED_CONNECTED);
	conn_set_state(&s->conn, CONN_OPEN, w->now_ns);
	s->conn.side[CONN_SERVER].writable = true;
	s->inspects_answer = session_inspects_answer(s); /* at once: some rules ask for no bytes */
	/* What came with the handshake may be in OpenSSL, or behind a SOCKS answer: no event tells of it. */
	s->conn.side[CONN_SERVER].readable = s->handle[CONN_SERVER].tls || s->seeker.server->socks || s->inspects_answer;
	if (s->store && s->store->n_sticks)
		rule_store_stick(s->store, backend_stick_id(s->seeker.backend, s->seeker.server), w->now_ns);
	if (s->frontend->proxy->set.logasap && s->frontend->tcplog && !s->logged) {
		/* what dontlog-normal leaves out may still end badly */
		s->logged = !s->frontend->proxy->set.dontlog_normal || s->seeker.attempts.failures;
		session_log(w, s, true);
	}
}

/*
 * Connects, and sends the early bytes right behind: on a short way the connection stands when
 * connect() returns. 0 or -errno; the early bytes are kept in either case.
 */
static int attempt(struct worker *w, struct session *s, const char *early, size_t len)
{
	const struct connect_from from = from_client(s);
	ssize_t n = -1;
	int e;

	s->socks = 0;
	conn_set_state(&s->conn, CONN_CONNECTING, w->now_ns);
	count_both(w, &s->seeker, COUNT_CONNECTS);
	s->rides = len && !server_has_beginning(s->seeker.server);
	e = session_connect(w, s, &from, len > 0);
	count_attempt(w, s->seeker.server, e);
	if (e >= 0) {
		s->handle[CONN_SERVER].fd = e;
		e = 0;
	}
	if (!e && len && !server_has_beginning(s->seeker.server)) {
		n = call_send(s->handle[CONN_SERVER].fd, early, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN && errno != EINPROGRESS)
			e = -errno;
	}
	if (n >= 0) {
		connected(w, s);
		conn_did_send(&s->conn, CONN_SERVER, (size_t)n, 0, n < (ssize_t)len, w->now_ns);
		early += n;
		len -= (size_t)n;
	}
	/* what is left waits: for the connection, or for room */
	if (len && !session_give(w, s, CONN_SERVER, early, len, 0))
		return 0; /* no memory: it is over, the caller sees */
	if (!e)
		e = session_watch(w, s, CONN_SERVER);
	if (e && s->conn.state == CONN_OPEN) { /* the bytes are gone: no second attempt */
		conn_end(&s->conn, 'R', 'C');
		return 0;
	}
	return e;
}

/* True: s->seeker.server is set again, to `last` unless it is known to be down by now. */
static bool same_again(struct worker *w, struct session *s)
{
	const struct server *last = s->seeker.server;
	int e;

	seeker_drop_server(w, &s->seeker, LB_RESULT_CONNECT, 0);
	e = seeker_pick(w, &s->seeker, last);
	if (e == -EAGAIN)
		enqueue(w, s);
	else if (e < 0)
		give_up(w, s, 'S', 'C');
	return e == 0;
}

/* The same for another one, if there is one. */
static bool another(struct worker *w, struct session *s)
{
	int e;

	seeker_exclude(w, &s->seeker, session_served_ns(s));
	e = seeker_pick_other(w, &s->seeker);
	if (e == -EAGAIN)
		enqueue(w, s);
	else if (e < 0)
		give_up(w, s, 'S', 'C');
	return e == 0;
}

static bool move_on(struct worker *w, struct session *s, enum conn_retry next)
{
	return next == CONN_RETRY_SAME ? same_again(w, s) : another(w, s);
}

/* The attempt failed. True: s->seeker.server is to be tried at once. */
static bool try_another(struct worker *w, struct session *s, char who, bool rests)
{
	enum conn_retry next = seeker_failed(w, &s->seeker, CFG_RETRY_CONNECT);

	handle_close(&s->handle[CONN_SERVER]);
	if (next == CONN_GIVE_UP) {
		give_up(w, s, who, 'C');
		return false;
	}
	if (rests && (next == CONN_RETRY_SAME || seeker_rests(&s->seeker))) {
		conn_set_state(&s->conn, CONN_RETRY, w->now_ns);
		session_arm(w, s);
		return false;
	}
	return move_on(w, s, next);
}

/* s->seeker.server is set: until connected, connecting, resting, queued or over. */
static void start(struct worker *w, struct session *s, const char *early, size_t len)
{
	int e;

	while ((e = attempt(w, s, early, len)) < 0) {
		len = 0; /* kept by the first attempt */
		if (!try_another(w, s, 'S', !server_is_unreachable(s->seeker.server, e)))
			return;
	}
	if (s->conn.state == CONN_CONNECTING)
		session_arm(w, s);
}

/* ---- What happens meanwhile ---- */

void session_dispatch(struct worker *w, struct session *s, const char *early, size_t len)
{
	struct server *own = NULL;
	int e;

	if (!s->store || !s->store->switched) /* else counted when it was */
		count_given(w, s->seeker.backend);
	if (s->store)
		s->store->served_ns = w->now_ns;
	s->conn.side[CONN_CLIENT].independent = s->frontend->proxy->set.independent;
	s->conn.side[CONN_SERVER].independent = s->seeker.backend->proxy->set.independent;
	if (s->seeker.backend->hashes_source)
		s->seeker.key = balance_hash_source(&s->seeker.backend->proxy->set.hash_type, s->client.addr);
	if (s->seeker.backend->hash || s->seeker.backend->persist)
		own = session_key(w, s, early, len);
	if (s->store && s->store->wanted) /* rules say, before a cookie does */
		own = s->store->wanted;
	e = seeker_pick_first(w, &s->seeker, own, s->store && s->store->forces);

	if (e == 0) {
		start(w, s, early, len);
	} else if (e == -EAGAIN) {
		if (len && !session_give(w, s, CONN_SERVER, early, len, 0))
			return;
		enqueue(w, s);
	} else {
		give_up(w, s, 'S', e == -ENOBUFS ? 'Q' : 'C');
	}
}

/* The socket is connected: introduces the client. 0, an errno of either sign, or -EAGAIN. */
static int introduce(struct worker *w, struct session *s, bool failed)
{
	int error = 0, fd = s->handle[CONN_SERVER].fd;
	socklen_t len = sizeof(error);
	const struct server *to = s->seeker.server;
	const struct connect_from from = from_client(s);

	if (failed && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	if (!error && to->socks)
		error = server_socks(fd, to, &from, &s->socks);
	if (!error && to->send_proxy &&
	    !server_introduce(fd, to, &s->handle[CONN_CLIENT], &s->client, session_target(s),
			      to->proxy_tells & CFG_PROXY_UNIQUE_ID ? session_unique_id(w, s) : NULL,
			      s->chunk[CONN_SERVER] || to->tls))
		return EPIPE;
	return error;
}

void session_connect_event(struct worker *w, struct session *s, uint32_t events)
{
	struct handle *h = &s->handle[CONN_SERVER];
	int error = h->tls ? 0 : introduce(w, s, events & (EPOLLERR | EPOLLHUP));
	char name[TLS_NAME_SIZE];

	if (!error && s->seeker.server->tls)
		error = shake_server(w, h, s->seeker.server,
				     !h->tls && session_sni(w, s, name) ? name : NULL);
	if (error == -EAGAIN)
		return;
	if (!error)
		connected(w, s);
	else if (try_another(w, s, 'S', true))
		start(w, s, NULL, 0);
}

void session_connect_expired(struct worker *w, struct session *s)
{
	if (s->conn.state == CONN_CONNECTING ? try_another(w, s, 's', false) /* the timeout was rest enough */
						: move_on(w, s, seeker_after_rest(&s->seeker)))
		start(w, s, NULL, 0);
	session_run(w, s);
}

void session_turn(struct worker *w, struct session *s)
{
	start(w, s, NULL, 0);
	session_run(w, s);
}
