/* SPDX-License-Identifier: MIT */
/*
 * Moving bytes. A read goes into the worker's one buffer and is sent at once; only what the other
 * end does not take is copied to memory of the session, and then its source is not read until that
 * is gone. So an idle connection has no buffer at all, and a busy one at most one.
 */
#include "io.h"
#include "pace.h"
#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FULL_READS_FOR_BULK 2

static enum conn_end other(enum conn_end end)
{
	return end == CONN_CLIENT ? CONN_SERVER : CONN_CLIENT;
}

/* False: no memory. */
static bool keep(struct session *s, enum conn_end to, const char *data, size_t len)
{
	struct chunk *c = malloc(sizeof(*c) + len);

	if (!c)
		return false;
	c->at = 0;
	c->len = (uint32_t)len;
	memcpy(c->data, data, len);
	s->chunk[to] = c;
	return true;
}

bool session_give(struct worker *w, struct session *s, enum conn_end to, const char *data,
		  size_t len, int flags)
{
	struct conn_side *side = &s->conn.side[to];
	size_t sent = 0;
	bool would_block = false;

	if (side->broken)
		return true; /* nobody is there to take it */
	if (side->writable && (to == CONN_CLIENT || s->conn.state == CONN_OPEN)) {
		ssize_t n = handle_send(&s->handle[to], data, len, flags);

		if (n >= 0) {
			sent = (size_t)n;
		} else if (errno != EAGAIN && errno != EINTR) {
			conn_saw_error(&s->conn, to);
			return true;
		}
		would_block = sent < len && (n >= 0 || errno == EAGAIN);
	}
	if (sent < len && !keep(s, to, data + sent, len - sent)) {
		conn_end(&s->conn, 'R', 'D');
		return false;
	}
	conn_did_send(&s->conn, to, sent, len - sent, would_block, w->now_ns);
	return true;
}

char *worker_bulk(struct worker *w, size_t *ret_cap)
{
	if (!w->large)
		w->large = malloc(WORKER_SCRATCH_BULK);
	*ret_cap = w->large ? WORKER_SCRATCH_BULK : WORKER_SCRATCH;
	return w->large ? w->large : w->scratch;
}

/* Large transfers get the large buffer: fewer calls for the same bytes. */
static void judge_bulk(struct session *s, size_t n, size_t cap)
{
	if (n < WORKER_SCRATCH) {
		s->full_reads = 0;
		s->bulk = false;
	} else if (n == cap && !s->bulk && ++s->full_reads >= FULL_READS_FOR_BULK) {
		s->bulk = true;
	}
}

/* False: its rules do not let it pass, or not yet. */
static bool may_read(struct worker *w, struct session *s, enum conn_end end)
{
	if (end == CONN_CLIENT || !s->inspects_answer)
		return true;
	if (session_inspect_answer(w, s) == INSPECT_WAIT)
		s->conn.side[end].readable = false;
	return !s->inspects_answer && s->on != SESSION_ON_DEAD;
}

/* How much of it may be read now; 0: a bandwidth limit holds it. */
static size_t room_of(struct worker *w, struct session *s, enum conn_end end)
{
	size_t n = pace_room(session_pace(s), end, s->conn.side[end].bytes, w->now_ns);

	if (!n) {
		s->conn.side[end].readable = false;
		s->conn.sooner = true;
	}
	return n;
}

/* A large transfer that need not be looked at. */
static bool may_pass(struct worker *w, const struct session *s, enum conn_end end)
{
	const struct conn_side *from = &s->conn.side[end], *to = &s->conn.side[other(end)];

	return s->bulk && !session_pace(s) && !from->urgent && !from->hup &&
	       s->conn.state == CONN_OPEN && to->writable && !to->pending && !to->broken &&
	       pipe_suits(w, &s->handle[end], &s->handle[other(end)], UINT64_MAX);
}

/* What the pipe holds goes to an end; it keeps what that does not take. */
static void pass_on(struct worker *w, struct session *s, enum conn_end to, size_t len)
{
	ssize_t n = pipe_send(w, s->handle[to].fd, len);
	size_t sent = n < 0 ? 0 : (size_t)n;

	if (n < 0) {
		conn_saw_error(&s->conn, to);
		pipe_close(w); /* with what is in it */
		return;
	}
	if (sent < len && !(s->chunk[to] = pipe_rest(w, len - sent))) {
		conn_end(&s->conn, 'R', 'D');
		return;
	}
	conn_did_send(&s->conn, to, sent, len - sent, sent < len, w->now_ns);
}

/* As recv(), and what came is given to the other end. */
static ssize_t relay_pass(struct worker *w, struct session *s, enum conn_end end)
{
	ssize_t n = pipe_fill(w, s->handle[end].fd, UINT64_MAX);

	if (n > 0) {
		conn_did_read(&s->conn, end, (size_t)n, false, w->now_ns);
		judge_bulk(s, (size_t)n, PIPE_SIZE);
		pass_on(w, s, other(end), (size_t)n);
	}
	return n;
}

/* `room`: at most so much. */
static ssize_t relay_copy(struct worker *w, struct session *s, enum conn_end end, size_t room)
{
	struct conn_side *side = &s->conn.side[end];
	size_t cap = WORKER_SCRATCH;
	char *buf = s->bulk ? worker_bulk(w, &cap) : w->scratch;
	ssize_t n;

	if (room < cap)
		cap = room;
	n = handle_recv(&s->handle[end], buf, cap);

	if (n > 0) {
		/* A short read has emptied the socket, unless its FIN was announced with it: that is
		 * not announced again. */
		bool emptied = handle_is_emptied(&s->handle[end], (size_t)n, cap) && !side->urgent;

		if (end == CONN_SERVER)
			nap_answered(&w->nap, w->now_ns - side->active_ns);
		conn_did_read(&s->conn, end, (size_t)n, emptied && !side->hup, w->now_ns);
		judge_bulk(s, (size_t)n, cap);
		/* MORE: the FIN that follows at once rides on this segment. */
		session_give(w, s, other(end), buf, (size_t)n,
			     side->hup && (size_t)n < cap ? MSG_MORE : 0);
		if (emptied && side->fin && !s->handle[end].tls)
			conn_saw_eof(&s->conn, end);
	}
	return n;
}

static void relay_read(struct worker *w, struct session *s, enum conn_end end)
{
	size_t room = session_pace(s) ? room_of(w, s, end) : SIZE_MAX;
	ssize_t n;

	if (!room)
		return;
	n = may_pass(w, s, end) ? relay_pass(w, s, end) : relay_copy(w, s, end, room);
	if (n > 0) {
		w->moved += (size_t)n;
		return;
	}
	if (n == 0) {
		conn_saw_eof(&s->conn, end);
	} else if (errno == EAGAIN) {
		conn_did_read(&s->conn, end, 0, true, w->now_ns);
	} else if (errno != EINTR) {
		conn_saw_error(&s->conn, end);
		conn_saw_eof(&s->conn, end);
	}
}

static void relay_flush(struct worker *w, struct session *s, enum conn_end to)
{
	struct chunk *c = s->chunk[to];
	ssize_t n = handle_send(&s->handle[to], c->data + c->at, c->len - c->at, 0);

	if (n < 0 && errno == EINTR)
		return;
	if (n < 0 && errno != EAGAIN) {
		free(c);
		s->chunk[to] = NULL;
		conn_saw_error(&s->conn, to);
		return;
	}
	if (n > 0)
		c->at += (uint32_t)n;
	conn_did_send(&s->conn, to, n > 0 ? (size_t)n : 0, c->len - c->at, c->at < c->len,
		      w->now_ns);
	if (c->at == c->len) {
		free(c);
		s->chunk[to] = NULL;
	}
}

void session_run(struct worker *w, struct session *s)
{
	if (s->on == SESSION_ON_DEAD)
		return;
	w->moved = 0;
	for (unsigned i = 0; i < TURN_STEPS && w->moved < TURN_BYTES; i++) {
		struct conn_step step = conn_next(&s->conn);

		switch (step.action) {
		case CONN_WAIT:
			session_wait(w, s);
			return;
		case CONN_READ:
			if (may_read(w, s, step.end))
				relay_read(w, s, step.end);
			if (s->on == SESSION_ON_DEAD)
				return;
			break;
		case CONN_FLUSH:
			relay_flush(w, s, step.end);
			break;
		case CONN_SHUT:
			handle_shutdown(&s->handle[step.end]);
			conn_did_shut(&s->conn, step.end);
			break;
		case CONN_CLOSE:
			session_close(w, s);
			return;
		}
	}
	session_arm(w, s);
	if (s->on == SESSION_ON_NONE)
		session_list(w, s, s->bulk ? SESSION_ON_BULK : SESSION_ON_AGAIN);
}
