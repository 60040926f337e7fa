/* SPDX-License-Identifier: MIT */
/*
 * The beginning of a session of mode tcp, until a server is looked for (session_connect.c). In order: `tcp-request
 * connection` rules, a PROXY header (greeting.c), `tcp-request session` rules, the TLS handshake, `tcp-request content`
 * rules. Each of them may have to wait for the client; s->phase and s->shaking say for what.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "count.h"
#include "greeting.h"
#include "io.h"
#include "rule_store.h"

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
	if (client->eof && s->seeker.backend->proxy->set.http.aborts_on_close && s->conn.state < CONN_OPEN && s->on != SESSION_ON_DEAD) {
		end_session(w, s, 'C', s->conn.state == CONN_QUEUED ? 'Q' : 'C');
		return;
	}
	if (s->on == SESSION_ON_DEAD || (!watched && !watch_client(w, s)))
		return;
	session_run(w, s);
}

/* The client's address is known, and what it says can be read: content rules, then a server. */
static void inspect_and_serve(struct worker *w, struct session *s, bool watched)
{
	if (s->frontend->connectlog && s->phase != SESSION_INSPECTING)
		log_connect(w, s->frontend, &s->client, session_target(s),
			    s->handle[CONN_CLIENT].fd);
	switch (session_inspect(w, s)) {
	case INSPECT_DONE:
		s->phase = SESSION_SERVING;
		if (s->seeker.backend ? s->seeker.backend->http != NULL : s->store && s->store->to_http)
			session_upgrade(w, s, watched);
		else if (s->seeker.backend)
			serve(w, s, watched);
		else
			end_session(w, s, 'S', 'C');
		break;
	case INSPECT_WAIT:
		s->phase = SESSION_INSPECTING;
		if (watched || watch_client(w, s))
			session_arm(w, s);
		break;
	case INSPECT_OVER:
		break;
	}
}

void session_first_look(struct worker *w, struct session *s)
{
	s->phase = SESSION_SERVING;
	inspect_and_serve(w, s, false);
}

void session_shake(struct worker *w, struct session *s)
{
	struct tls *tls = s->handle[CONN_CLIENT].tls;
	struct endpoint to;
	const struct connection_ends ends = session_ends(s, &to);

	switch (tls_handshake(tls)) {
	case 0:
		s->shaking = false;
		count_handshake(w, s->frontend, tls, true);
		inspect_and_serve(w, s, true);
		break;
	case -EAGAIN:
		session_arm(w, s);
		break;
	default:
		shake_failed(w, &ends);
		end_session(w, s, 'P', 'R');
	}
}

static void refuse(struct worker *w, struct session *s)
{
	s->phase = SESSION_REFUSED;
	end_session(w, s, 'P', 'R');
}

/* The rules on a connection before its PROXY header, and behind it. False: it is refused. */
static bool admit(struct worker *w, struct session *s, bool *greeting)
{
	struct endpoint to;
	const struct connection_ends ends = session_ends(s, &to);

	if ((s->phase != SESSION_GREETING && !connection_admit(w, &ends, greeting)) ||
	    (!*greeting && !connection_known(w, &ends)) || !session_set_target(s, &to)) {
		refuse(w, s);
		return false;
	}
	return true;
}

void session_begin_event(struct worker *w, struct session *s, uint32_t events)
{
	struct endpoint to;
	const struct connection_ends ends = session_ends(s, &to);
	bool greeting = false;

	/* the FIN that was announced with it is announced once */
	s->conn.side[CONN_CLIENT].hup |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
	if (s->phase == SESSION_INSPECTING) {
		if (events)
			s->conn.side[CONN_CLIENT].active_ns = w->now_ns;
		inspect_and_serve(w, s, true);
		return;
	}
	switch (greeting_read(w, &ends)) {
	case GREETING_READ:
		if (!session_set_target(s, &to)) {
			end_session(w, s, 'R', 'C');
			return;
		}
		if (!admit(w, s, &greeting))
			return;
		s->phase = SESSION_SERVING;
		if (s->shaking)
			session_shake(w, s);
		else
			inspect_and_serve(w, s, true);
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

static void begin(struct worker *w, struct session *s, const struct set_listener *l)
{
	struct handle *h = &s->handle[CONN_CLIENT];
	bool greeting;

	s->shaking = l->tls;
	s->listener = l->tally;
	s->bind = l->number;
	if (!greeting_expected(l, &s->store, &greeting)) {
		end_session(w, s, 'R', 'C');
		return;
	}
	if (!admit(w, s, &greeting))
		return;
	if (l->tls && !(h->tls = shake_begin(w, l->tls, h->fd))) {
		end_session(w, s, 'R', 'C');
	} else if (!greeting && !s->shaking) {
		s->phase = SESSION_FRESH;
		session_list(w, s, SESSION_ON_AGAIN);
	} else if (watch_client(w, s)) { /* the first event tells what is there already */
		if (greeting)
			s->phase = SESSION_GREETING;
		session_arm(w, s);
	}
}

bool session_accept(struct worker *w, const struct accepted *a)
{
	struct session *s = session_new(w, a);

	if (s)
		begin(w, s, a->at);
	return s;
}
