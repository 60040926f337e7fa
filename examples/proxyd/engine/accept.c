/* SPDX-License-Identifier: MIT */
/* Listening sockets of a worker: taking connections, and not taking them when there is no room. */
#include "count.h"
#include "engine/http/http.h"
#include "io.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "netscaler_cip.h"
#include "proxy_protocol.h"
#include "rule_store.h"

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

void listener_add(struct worker *w, struct socket_handle *l)
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

struct endpoint client_of(const struct set_listener *l, const struct sockaddr_storage *from)
{
	struct endpoint e = endpoint_of(from);

	if (e.family == AF_UNIX)
		e.port = htons(l->number);
	return e;
}

static struct session *session_new(struct worker *w, const struct accepted *a)
{
	struct frontend *f = a->at->frontend;
	struct session *s;

	if (timers_reserve(&w->timers, w->n_sessions + 1) < 0)
		return NULL;
	s = malloc(sizeof(*s));
	if (!s)
		return NULL;
	*s = (struct session){
	    .spent = -1,
	    .handle = {[CONN_CLIENT] = {HANDLE_CLIENT, a->fd, NULL},
		       [CONN_SERVER] = {HANDLE_SERVER, -1, NULL}},
	    .frontend = f,
	    .seeker.backend = f->backend,
	    .accepted_ns = w->now_ns,
	    .client = a->client,
	};
	conn_begin(&s->conn, w->now_ns);
	LIST_INSERT_HEAD(&w->sessions, s, entry);
	w->n_sessions++;
	f->set->worker[w->index].sessions++;
	atomic_fetch_add_explicit(&w->n_open, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&w->n_total, 1, memory_order_relaxed);
	return s;
}

static void end_session(struct worker *w, struct session *s, char who, char phase)
{
	conn_end(&s->conn, who, phase);
	session_close(w, s);
}

static bool watch_client(struct worker *w, struct session *s)
{
	if (session_watch(w, s, CONN_CLIENT) == 0)
		return true;
	end_session(w, s, 'R', 'C');
	return false;
}

/*
 * All in one go (a client that speaks first has mostly spoken by now): read, find a server,
 * connect, send. Four wake-ups become none.
 */
static void serve(struct worker *w, struct session *s, bool watched)
{
	struct conn_side *client = &s->conn.side[CONN_CLIENT];
	ssize_t n = handle_recv(&s->handle[CONN_CLIENT], w->scratch, sizeof(w->scratch));

	if (n > 0) {
		conn_did_read(&s->conn, CONN_CLIENT, (size_t)n, false, w->now_ns);
		/* As in relay.c: what comes behind a short read has its own event, but for a FIN that was told with it. */
		client->readable = client->hup || client->urgent ||
				   !handle_is_emptied(&s->handle[CONN_CLIENT], (size_t)n, sizeof(w->scratch));
	} else if (n == 0) {
		conn_saw_eof(&s->conn, CONN_CLIENT);
	} else if (errno != EAGAIN && errno != EINTR) {
		end_session(w, s, 'C', 'C');
		return;
	}
	session_dispatch(w, s, w->scratch, n > 0 ? (size_t)n : 0);
	if (s->on == SESSION_ON_DEAD || (!watched && !watch_client(w, s)))
		return;
	session_run(w, s);
}

/* It is known where it is from: rules, then a server. */
static void look(struct worker *w, struct session *s, bool watched)
{
	if (s->frontend->connectlog && s->phase != SESSION_INSPECTED)
		log_connect(w, s->frontend, &s->client, session_target(s),
			    s->handle[CONN_CLIENT].fd);
	switch (session_inspect(w, s)) {
	case INSPECT_DONE:
		s->phase = SESSION_SERVED;
		if (s->seeker.backend ? s->seeker.backend->http != NULL : s->store && s->store->to_http)
			session_upgrade(w, s, watched);
		else if (s->seeker.backend)
			serve(w, s, watched);
		else
			end_session(w, s, 'S', 'C');
		break;
	case INSPECT_WAIT:
		s->phase = SESSION_INSPECTED;
		if (watched || watch_client(w, s))
			session_arm(w, s);
		break;
	case INSPECT_OVER:
		break;
	}
}

void session_first_look(struct worker *w, struct session *s)
{
	s->phase = SESSION_SERVED;
	look(w, s, false);
}

void session_shake(struct worker *w, struct session *s)
{
	struct tls *tls = s->handle[CONN_CLIENT].tls;
	struct endpoint to = *session_target(s);
	const struct connection_ends ends = {s->frontend, s->handle[CONN_CLIENT].fd, &s->client, &to, &s->store, s->bind};

	switch (tls_handshake(tls)) {
	case 0:
		s->shaking = false;
		count_handshake(w, s->frontend, tls, true);
		look(w, s, true);
		break;
	case -EAGAIN:
		session_arm(w, s);
		break;
	default:
		shake_failed(w, &ends, tls);
		end_session(w, s, 'P', 'R');
	}
}

/* What rules and log lines may ask for. False: no memory. */
static bool keep_greeting(const struct connection_ends *c, const struct proxy_ends *ends)
{
	struct rule_store *store;

	if (!c->frontend->rules && !c->frontend->proxy->formats)
		return true;
	store = rule_store_get(c->store);
	if (!store)
		return false;
	store->greeted = true;
	return rule_store_text(&store->pp_authority, ends->authority, ends->authority_len) &&
	       rule_store_text(&store->pp_unique_id, ends->unique_id, ends->unique_id_len);
}

bool listener_greets(const struct set_listener *l, struct rule_store **store, bool *ret_greeting)
{
	*ret_greeting = l->accept_proxy || l->cip_magic;
	if (!l->cip_magic)
		return true;
	if (!rule_store_get(store))
		return false;
	(*store)->expects_cip = true;
	(*store)->proxy_follows = l->accept_proxy;
	(*store)->cip_magic = l->cip_magic;
	return true;
}

ssize_t greeting_parse(const struct rule_store *store, const void *data, size_t len, struct proxy_ends *ret)
{
	return store && store->expects_cip ? netscaler_cip_parse(data, len, store->cip_magic, ret) : proxy_parse(data, len, ret);
}

static enum greeting read_header(struct worker *w, const struct connection_ends *c)
{
	ssize_t n = recv(c->fd, w->scratch, PROXY_READ_MAX, MSG_PEEK), len;
	struct proxy_ends ends;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? GREETING_PART : GREETING_BAD;
	len = n ? greeting_parse(*c->store, w->scratch, (size_t)n, &ends) : -EPROTO;
	if (len < 0)
		return GREETING_BAD;
	if (!len)
		return GREETING_PART;
	if (!keep_greeting(c, &ends) || recv(c->fd, w->scratch, (size_t)len, 0) != len)
		return GREETING_BAD;
	if (ends.from.ss_family != AF_UNSPEC) {
		*c->from = endpoint_of(&ends.from);
		*c->to = endpoint_of(&ends.to);
	}
	return GREETING_READ;
}

/* NetScaler's comes first, as in HAProxy. */
enum greeting read_greeting(struct worker *w, const struct connection_ends *c)
{
	enum greeting g = read_header(w, c);

	if (g != GREETING_READ || !*c->store || !(*c->store)->proxy_follows)
		return g;
	(*c->store)->expects_cip = (*c->store)->proxy_follows = false;
	return read_header(w, c);
}

static void refuse(struct worker *w, struct session *s)
{
	s->phase = SESSION_REFUSED;
	end_session(w, s, 'P', 'R');
}

/* The rules of a connection, before and behind its PROXY header; false: it is refused. */
static bool admit(struct worker *w, struct session *s, bool *greeting)
{
	struct endpoint to = *session_target(s);
	const struct connection_ends ends = {s->frontend, s->handle[CONN_CLIENT].fd, &s->client,
					     &to, &s->store, s->bind};

	if ((s->phase != SESSION_GREETED && !connection_admit(w, &ends, greeting)) ||
	    (!*greeting && !connection_known(w, &ends)) || !session_set_target(s, &to)) {
		refuse(w, s);
		return false;
	}
	return true;
}

void session_greet(struct worker *w, struct session *s, uint32_t events)
{
	struct endpoint to = {0};
	const struct connection_ends ends = {s->frontend, s->handle[CONN_CLIENT].fd, &s->client,
					     &to, &s->store, s->bind};
	bool greeting = false;

	/* the FIN that was announced with it is announced once */
	s->conn.side[CONN_CLIENT].hup |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
	if (s->phase == SESSION_INSPECTED) {
		if (events)
			s->conn.side[CONN_CLIENT].active_ns = w->now_ns;
		look(w, s, true);
		return;
	}
	switch (read_greeting(w, &ends)) {
	case GREETING_READ:
		if (!session_set_target(s, &to)) {
			end_session(w, s, 'R', 'C');
			return;
		}
		if (s->frontend->rules && !admit(w, s, &greeting))
			return;
		s->phase = SESSION_SERVED;
		if (s->shaking)
			session_shake(w, s);
		else
			look(w, s, true);
		break;
	case GREETING_PART:
		if (!(events & (EPOLLRDHUP | EPOLLHUP)))
			break; /* else no more comes */
			       /* fall through */
	case GREETING_BAD:
		greeting_failed(w, &ends);
		end_session(w, s, 'P', 'R');
	}
}

static void begin_session(struct worker *w, struct session *s, const struct set_listener *l)
{
	struct handle *h = &s->handle[CONN_CLIENT];
	bool greeting;

	s->shaking = l->tls;
	s->listener = l->tally;
	s->bind = l->number;
	if (!listener_greets(l, &s->store, &greeting)) {
		end_session(w, s, 'R', 'C');
		return;
	}
	if (s->frontend->rules && !admit(w, s, &greeting))
		return;
	if (l->tls && !(h->tls = shake_begin(w, l->tls, h->fd))) {
		end_session(w, s, 'R', 'C');
	} else if (!greeting && !s->shaking) {
		s->phase = SESSION_FRESH;
		session_list(w, s, SESSION_ON_AGAIN);
	} else if (watch_client(w, s)) { /* the first event tells what is there already */
		if (greeting)
			s->phase = SESSION_GREETED;
		session_arm(w, s);
	}
}

void accepted_begin(struct worker *w, const struct accepted *a)
{
	struct frontend *f = a->at->frontend;
	struct session *s;

	count_opened(w, a->at->tally);
	s = f->http ? NULL : session_new(w, a);
	if (f->http ? !client_accept(w, a) : !s) {
		count_starved(w);
		close(a->fd);
		count_closed(w, a->at->tally);
		gate_leave(w->engine, f->gate);
		gate_leave(w->engine, &w->engine->gate);
	} else if (s) {
		begin_session(w, s, a->at);
	}
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
static void take_queue(struct worker *w, struct socket_handle *l)
{
	l->speaks_first = false;
	defer_end(l); /* or a handshake that waits for its client's bytes is not in the queue */
	for (unsigned i = 0; !l->shared && i < ACCEPTS_AT_END && accept_one(w, l); i++)
		;
	if (l->paused)
		LIST_REMOVE(l, paused_entry);
	l->paused = false;
}

/* One right behind the other, as the kernel gives new connections to those that are left. */
static void close_sockets(struct worker *w, struct listener *l)
{
	listener_steer_past(l, w->engine->n_workers);
	for (unsigned i = 0; i < w->engine->n_workers; i++) {
		take_queue(w, &l->socket[i]);
		close(l->socket[i].h.fd);
		l->socket[i].h.fd = -1;
	}
}

void listener_retire(struct worker *w, struct listener *l)
{
	struct socket_handle *h = &l->socket[w->index];

	if (h->retired)
		return;
	if (!h->paused)
		worker_unwatch(w, &h->h);
	take_queue(w, h);
	h->added = false;
	h->retired = true;
	if (atomic_fetch_add(&l->n_retired, 1) + 1 == w->engine->n_workers)
		close_sockets(w, l);
}
