/* SPDX-License-Identifier: MIT */
/* A session's clock, its lists and its end. */
#include "worker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Until a PROXY header has come the client is waited for, not a server. */
static uint64_t deadline_of(const struct session *s)
{
	const struct conn_timeouts *t = &s->frontend->timeout;

	if (!s->greeting)
		return conn_deadline(&s->conn, t);
	return t->client_ns ? s->accepted_ns + t->client_ns : CONN_NEVER;
}

/* The deadline moves with every byte; the timer only when it must fire earlier. */
void session_arm(struct worker *w, struct session *s)
{
	uint64_t deadline = deadline_of(s);

	if (!s->timer.place || deadline < s->timer.deadline_ns)
		timer_arm(&w->timers, &s->timer, deadline);
}

void session_expired(struct worker *w, struct session *s)
{
	uint64_t deadline = deadline_of(s);

	timer_disarm(&w->timers, &s->timer);
	if (deadline > w->now_ns) {
		timer_arm(&w->timers, &s->timer, deadline);
		return;
	}
	if (s->greeting)
		conn_end(&s->conn, 'c', 'C');
	if (conn_expire(&s->conn, &s->frontend->timeout, w->now_ns))
		session_close(w, s);
	else
		session_connect_expired(w, s);
}

/* The bit tells other threads, the list this one, that somebody waits here. */
static void join_queue(struct worker *w, struct session *s)
{
	struct pool *p = s->backend->pool;
	struct pool_worker *pw = &p->worker[w->index];

	if (TAILQ_EMPTY(&pw->queue)) {
		LIST_INSERT_HEAD(&w->waiting, pw, entry);
		atomic_fetch_or(&p->waiting, UINT64_C(1) << w->index);
	}
	TAILQ_INSERT_TAIL(&pw->queue, s, link);
	atomic_fetch_add_explicit(&p->n_queued, 1, memory_order_relaxed);
}

/* Wakes one worker whose queue is not empty: the next one behind us, so that all have their turn. */
static void wake_waiting(struct worker *w, struct pool *p)
{
	uint64_t waiting = atomic_load(&p->waiting);

	for (unsigned i = 1; waiting && i <= w->engine->n_workers; i++) {
		unsigned k = (w->index + i) % w->engine->n_workers;

		if (waiting >> k & 1) {
			worker_poke(w->engine->worker[k], POKE_QUEUE);
			return;
		}
	}
}

static void leave_queue(struct worker *w, struct session *s)
{
	struct pool *p = s->backend->pool;
	struct pool_worker *pw = &p->worker[w->index];

	TAILQ_REMOVE(&pw->queue, s, link);
	atomic_fetch_sub_explicit(&p->n_queued, 1, memory_order_relaxed);
	if (TAILQ_EMPTY(&pw->queue)) {
		LIST_REMOVE(pw, entry);
		atomic_fetch_and(&p->waiting, ~(UINT64_C(1) << w->index));
		/* We may have been woken for more places than we had sessions. */
		wake_waiting(w, p);
	}
}

void session_list(struct worker *w, struct session *s, enum session_list on)
{
	session_unlist(w, s);
	if (on == SESSION_ON_QUEUE)
		join_queue(w, s);
	else if (on == SESSION_ON_AGAIN)
		TAILQ_INSERT_TAIL(&w->again, s, link);
	else if (on == SESSION_ON_DEAD)
		TAILQ_INSERT_TAIL(&w->dead, s, link);
	s->on = on;
}

void session_unlist(struct worker *w, struct session *s)
{
	if (s->on == SESSION_ON_QUEUE)
		leave_queue(w, s);
	else if (s->on == SESSION_ON_AGAIN)
		TAILQ_REMOVE(&w->again, s, link);
	s->on = SESSION_ON_NONE;
}

void session_drop_server(struct worker *w, struct session *s, enum lb_result result)
{
	struct pool *p;
	struct lb_outcome o = {
	    .size = sizeof(o),
	    .now_ns = w->now_ns,
	    .result = result,
	    .bytes = s->conn.side[CONN_SERVER].bytes,
	};

	if (!s->server)
		return;
	p = s->backend->pool;
	lb_done(p->worker[w->index].picker, (uintptr_t)s->server, &o);
	atomic_fetch_sub_explicit(&s->server->n_sessions, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&p->n_sessions, 1, memory_order_relaxed);
	s->server = NULL;
	wake_waiting(w, p);
}

static void close_end(struct session *s, enum conn_end end)
{
	if (s->handle[end].fd >= 0)
		close(s->handle[end].fd); /* which takes it out of epoll */
	s->handle[end].fd = -1;
	free(s->chunk[end]);
	s->chunk[end] = NULL;
}

void session_close(struct worker *w, struct session *s)
{
	struct engine *e = w->engine;
	struct set *set = s->frontend->set;
	struct set_worker *sw = &set->worker[w->index];

	if (s->on == SESSION_ON_DEAD)
		return;
	if (s->frontend->tcplog)
		session_log(w, s);
	session_unlist(w, s);
	timer_disarm(&w->timers, &s->timer);
	close_end(s, CONN_CLIENT);
	close_end(s, CONN_SERVER);
	session_drop_server(w, s,
			    s->conn.cause.who == 'S' || s->conn.cause.who == 's' ? LB_RESULT_CONNECT
			    : s->conn.cause.who == '-'				 ? LB_RESULT_OK
						       : LB_RESULT_ABORTED);
	gate_leave(e, s->frontend->gate);
	gate_leave(e, &e->gate);
	LIST_REMOVE(s, entry);
	w->n_sessions--;
	atomic_fetch_sub_explicit(&w->n_open, 1, memory_order_relaxed);
	if (--sw->sessions == 0 && sw->left && atomic_fetch_sub(&set->holders, 1) == 1)
		engine_wake(e);
	session_list(w, s, SESSION_ON_DEAD);
}
