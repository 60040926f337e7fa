/* SPDX-License-Identifier: MIT */
/* A session's clock, its lists and its end. */
#include "count.h"
#include "engine/http/http.h"
#include "greeting.h"
#include "io.h"
#include "name_ask.h"
#include "pace.h"
#include "rule_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session_more *session_more(struct session *s)
{
	if (!s->more)
		s->more = calloc(1, sizeof(*s->more));
	return s->more;
}

bool session_set_target(struct session *s, const struct endpoint *to)
{
	if (!to->family)
		return true;
	if (!session_more(s))
		return false;
	s->more->target = *to;
	return true;
}

uint64_t session_served_ns(const struct session *s)
{
	return s->store && s->store->served_ns ? s->store->served_ns : s->accepted_ns;
}

uint64_t session_queued_until_ns(const struct session *s)
{
	return session_served_ns(s) + seeker_queued_ns(&s->seeker);
}

/* The client's are the frontend's, the others the backend's; put together in `space` if they must. */
static const struct conn_timeouts *timeouts(const struct session *s, struct conn_timeouts *space)
{
	const struct backend *b = s->seeker.backend;
	const struct frontend *f = s->frontend;

	uint64_t tunnel_ns = session_tunnel(s) ? session_tunnel(s)->tunnel_ns : 0; /* set-timeout */

	if (!b || (b == f->backend && !tunnel_ns))
		return &f->timeout;
	*space = b->timeout;
	space->tunnel_ns = tunnel_ns ? tunnel_ns : b->timeout.tunnel_ns;
	space->client_ns = f->client_ns;
	space->client_fin_ns = f->client_fin_ns;
	return space;
}

/* Until rules have seen enough, and it has introduced itself, the client is waited for, not a server. */
uint64_t session_deadline(const struct session *s)
{
	struct conn_timeouts space;
	const struct conn_timeouts *t = timeouts(s, &space);
	const struct pace *pace = session_pace(s);
	uint64_t inspected = s->store ? session_inspect_deadline(s) : CONN_NEVER;
	uint64_t deadline;

	if (pace && pace_until(pace) != UINT64_MAX)
		deadline = pace_until(pace);
	else if (s->phase == SESSION_SERVING && !s->shaking)
		deadline = conn_deadline(&s->conn, t);
	else {
		bool shakes = s->frontend->shake_ns && s->shaking && s->phase != SESSION_GREETING;
		uint64_t client_ns = shakes ? s->frontend->shake_ns : t->client_ns;

		deadline = client_ns ? s->conn.side[CONN_CLIENT].active_ns + client_ns : CONN_NEVER;
	}
	return inspected < deadline ? inspected : deadline;
}

/* The deadline moves with every byte; the timer only when it must fire earlier. */
void session_arm(struct worker *w, struct session *s)
{
	uint64_t deadline;

	if (s->timer.place && s->conn.state == CONN_OPEN && !s->conn.sooner)
		return;
	s->conn.sooner = false;
	deadline = session_deadline(s);
	if (!s->timer.place || deadline < s->timer.deadline_ns)
		timer_arm(&w->timers, &s->timer, deadline);
}

/*
 * A fresh socket that is connected takes what it gets. That it would is an event, at once and for nothing, so it is asked
 * for when there is something that waits to go. TLS may wait for room when it reads.
 */
int session_watch(struct worker *w, struct session *s, enum conn_end end)
{
	struct handle *h = &s->handle[end];
	uint32_t events = SESSION_EVENTS;

	s->asks_room[end] = h->tls || (end == CONN_SERVER && s->conn.state == CONN_CONNECTING);
	if (!s->asks_room[end])
		events &= ~(uint32_t)EPOLLOUT;
	return end == CONN_SERVER && s->renewed ? worker_rewatch(w, h, events)
						: worker_watch(w, h, events);
}

static bool ask_room(struct worker *w, struct session *s, enum conn_end end)
{
	if (!s->conn.side[end].pending || s->asks_room[end])
		return true;
	s->asks_room[end] = true;
	return worker_rewatch(w, &s->handle[end], SESSION_EVENTS) == 0;
}

void session_wait(struct worker *w, struct session *s)
{
	if (s->conn.state == CONN_OPEN && (!ask_room(w, s, CONN_CLIENT) || !ask_room(w, s, CONN_SERVER))) {
		conn_end(&s->conn, 'R', 'D');
		session_close(w, s);
		return;
	}
	if (s->rides && s->conn.side[CONN_SERVER].bytes && !s->conn.side[CONN_SERVER].hup) {
		s->rides = false;
		handle_hurry(&s->handle[CONN_SERVER]);
	}
	session_arm(w, s);
}

/* What has come until now must do for the rules. */
static void inspected_long_enough(struct worker *w, struct session *s)
{
	if (s->phase == SESSION_INSPECTING) {
		session_begin_event(w, s, 0);
		return;
	}
	s->conn.side[CONN_SERVER].readable = true;
	session_run(w, s);
}

/* Bandwidth limits let bytes pass again. */
static void read_on(struct worker *w, struct session *s)
{
	for (enum conn_end end = CONN_CLIENT; end <= CONN_SERVER; end++) {
		struct conn_side *side = &s->conn.side[end];

		side->active_ns = w->now_ns; /* nobody was waited for */
		side->readable = !side->eof;
	}
	session_run(w, s);
}

void session_expired(struct worker *w, struct session *s)
{
	struct endpoint to;
	const struct connection_ends ends = session_ends(s, &to);
	struct conn_timeouts space;
	uint64_t deadline = session_deadline(s);

	timer_disarm(&w->timers, &s->timer);
	if (deadline > w->now_ns) {
		timer_arm(&w->timers, &s->timer, deadline);
		return;
	}
	if (s->store && session_inspect_deadline(s) <= w->now_ns) {
		inspected_long_enough(w, s);
		return;
	}
	if (session_pace(s) && pace_wake(session_pace(s), w->now_ns)) {
		read_on(w, s);
		return;
	}
	if (s->phase == SESSION_SERVING && s->shaking)
		shake_failed(w, &ends);
	if (s->phase == SESSION_GREETING)
		greeting_failed(w, &ends);
	if (s->phase != SESSION_SERVING || s->shaking)
		conn_end(&s->conn, 'c', s->phase == SESSION_INSPECTING ? 'R' : 'C');
	if (conn_expire_half(&s->conn, timeouts(s, &space))) {
		session_run(w, s);
		return;
	}
	if (conn_expire(&s->conn, timeouts(s, &space), w->now_ns))
		session_close(w, s);
	else
		session_connect_expired(w, s);
}

void session_list(struct worker *w, struct session *s, enum session_list on)
{
	session_unlist(w, s);
	if (on == SESSION_ON_AGAIN)
		TAILQ_INSERT_TAIL(&w->again, s, link);
	else if (on == SESSION_ON_BULK)
		TAILQ_INSERT_TAIL(&w->bulk, s, link);
	else if (on == SESSION_ON_DEAD)
		TAILQ_INSERT_TAIL(&w->dead, s, link);
	s->on = (uint8_t)on;
}

void session_unlist(struct worker *w, struct session *s)
{
	if (s->on == SESSION_ON_AGAIN)
		TAILQ_REMOVE(&w->again, s, link);
	else if (s->on == SESSION_ON_BULK)
		TAILQ_REMOVE(&w->bulk, s, link);
	s->on = SESSION_ON_NONE;
}

static void close_end(struct session *s, enum conn_end end)
{
	handle_close(&s->handle[end]);
	free(s->chunk[end]);
	s->chunk[end] = NULL;
}

void set_drop(struct worker *w, struct set *set)
{
	if (atomic_fetch_sub(&set->holders, 1) == 1)
		engine_wake(w->engine);
}

void set_leave(struct worker *w, struct set *set)
{
	struct set_worker *sw = &set->worker[w->index];

	if (--sw->sessions == 0 && sw->left)
		set_drop(w, set);
}

void set_let_go(struct worker *w, struct set *set)
{
	struct set_worker *sw = &set->worker[w->index];

	sw->left = true;
	if (!sw->sessions)
		set_drop(w, set);
}

void session_forget(struct worker *w, struct session *s)
{
	session_unlist(w, s);
	timer_disarm(&w->timers, &s->timer);
	close_end(s, CONN_CLIENT);
	close_end(s, CONN_SERVER);
	seeker_fini(&s->seeker);
	session_ask_name_end(s);
	if (s->more)
		pace_free(&s->more->pace,
			  (const uint64_t[]){s->conn.side[CONN_CLIENT].bytes,
					     s->conn.side[CONN_SERVER].bytes},
			  w->now_ns);
	free(s->more);
	rule_store_free(s->store);
	LIST_REMOVE(s, entry);
	session_list(w, s, SESSION_ON_DEAD);
}

#define DRAINS 64 /* of so many bytes as the worker's buffer has */

/* A close with bytes unread is a reset, which would look like a fault of the network. */
static void drain(struct worker *w, int fd)
{
	for (int i = 0; i < DRAINS; i++) /* those of TCP are dropped, not copied: tcp(7) */
		if (recv(fd, w->scratch, sizeof(w->scratch), MSG_DONTWAIT | MSG_TRUNC) <= 0)
			return;
}

void session_close(struct worker *w, struct session *s)
{
	struct engine *e = w->engine;

	if (s->on == SESSION_ON_DEAD)
		return;
	seeker_leave_queue(w, &s->seeker); /* then it is known how long it waited */
	if (session_tunnel(s)) {
		tunnel_closed(w, s);
	} else {
		count_session(w, s);
		if (s->frontend->tcplog && !s->logged && session_has_begun(s) && !s->shaking)
			session_log(w, s, false);
	}
	if (session_has_begun(s) && !s->conn.side[CONN_CLIENT].eof)
		drain(w, s->handle[CONN_CLIENT].fd);
	close_end(s, CONN_CLIENT);
	if (s->conn.cause.who == 'C')
		handle_abort(&s->handle[CONN_SERVER]);
	spent_leave(w, s);
	close_end(s, CONN_SERVER);
	seeker_drop_server(w, &s->seeker,
			   s->conn.cause.who == 'S' || s->conn.cause.who == 's' ? LB_RESULT_CONNECT
			   : s->conn.cause.who == '-'				? LB_RESULT_OK
										: LB_RESULT_ABORTED,
			   s->conn.side[CONN_SERVER].bytes);
	count_closed(w, s->listener);
	gate_leave(e, s->frontend->gate);
	gate_leave(e, &e->gate);
	if (s->store) {
		track_count(s->store->track, TABLE_BYTES_IN_CNT,
			    (int64_t)s->conn.side[CONN_CLIENT].bytes, w->now_ns);
		track_count(s->store->track, TABLE_BYTES_OUT_CNT,
			    (int64_t)s->conn.side[CONN_SERVER].bytes, w->now_ns);
	}
	session_forget(w, s);
	w->n_sessions--;
	atomic_fetch_sub_explicit(&w->n_open, 1, memory_order_relaxed);
	set_leave(w, s->frontend->set);
}
