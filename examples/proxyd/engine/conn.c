/* SPDX-License-Identifier: MIT */
#include "conn.h"

static enum conn_end other(enum conn_end end)
{
	return end == CONN_CLIENT ? CONN_SERVER : CONN_CLIENT;
}

void conn_begin(struct conn *c, uint64_t now_ns)
{
	*c = (struct conn){
	    .state = CONN_QUEUED,
	    .since_ns = now_ns,
	    .cause = {'-', '-'},
	    .sooner = true,
	};
	c->side[CONN_CLIENT].active_ns = c->side[CONN_SERVER].active_ns = now_ns;
	/* A fresh connection can be written to, and reading it costs one call to find out. */
	c->side[CONN_CLIENT].writable = true;
}

void conn_set_state(struct conn *c, enum conn_state state, uint64_t now_ns)
{
	struct conn_side *server = &c->side[CONN_SERVER];

	if (c->state == CONN_OVER)
		return;
	if (state == CONN_CONNECTING) {
		/* a new socket: what the last one had seen does not count */
		uint32_t pending = server->pending;

		*server = (struct conn_side){.pending = pending, .active_ns = now_ns, .independent = server->independent};
	} else if (state == CONN_OPEN) {
		c->side[CONN_CLIENT].active_ns = server->active_ns = now_ns;
		c->opened = true;
	}
	c->state = state;
	c->since_ns = now_ns;
	c->sooner = true;
}

static struct conn_step step(enum conn_action action, enum conn_end end)
{
	return (struct conn_step){action, end};
}

/* All that leaves `end` has arrived at the other one, which wants no more. */
static bool is_finished(const struct conn *c, enum conn_end end)
{
	const struct conn_side *s = &c->side[end], *to = &c->side[other(end)];

	return s->eof && (!to->pending || to->broken);
}

/* Nobody has ended and nothing waits: nearly always. Then there is only reading to do. */
static bool flows(const struct conn *c)
{
	const struct conn_side *client = &c->side[CONN_CLIENT], *server = &c->side[CONN_SERVER];

	return c->state == CONN_OPEN && !(client->pending | server->pending) && !(client->eof || client->broken) &&
	       !(server->eof || server->broken);
}

struct conn_step conn_next(const struct conn *c)
{
	bool open = c->state == CONN_OPEN;

	if (flows(c)) {
		if (c->side[CONN_CLIENT].readable)
			return step(CONN_READ, CONN_CLIENT);
		return c->side[CONN_SERVER].readable ? step(CONN_READ, CONN_SERVER)
						     : step(CONN_WAIT, CONN_CLIENT);
	}
	if (c->state == CONN_OVER)
		return step(CONN_CLOSE, CONN_CLIENT);
	if (open && is_finished(c, CONN_CLIENT) && is_finished(c, CONN_SERVER))
		return step(CONN_CLOSE, CONN_CLIENT);
	for (enum conn_end end = CONN_CLIENT; end <= CONN_SERVER; end++) {
		const struct conn_side *s = &c->side[end], *to = &c->side[other(end)];

		if (!open && end == CONN_SERVER)
			break;
		/* An end that broke takes its peer along once that has got what was read. */
		if (open && s->broken && is_finished(c, end))
			return step(CONN_CLOSE, end);
		if (open && s->pending && s->writable && !s->broken)
			return step(CONN_FLUSH, end);
		if (open && is_finished(c, end) && !to->shut)
			return step(CONN_SHUT, other(end));
		if (s->readable && !s->eof && (!to->pending || to->broken))
			return step(CONN_READ, end);
	}
	return step(CONN_WAIT, CONN_CLIENT);
}

void conn_did_read(struct conn *c, enum conn_end end, size_t n, bool would_block, uint64_t now_ns)
{
	struct conn_side *s = &c->side[end];

	s->bytes += n;
	if (n)
		s->active_ns = now_ns;
	if (would_block)
		s->readable = false;
}

void conn_did_send(struct conn *c, enum conn_end end, size_t n, size_t pending, bool would_block,
		   uint64_t now_ns)
{
	struct conn_side *s = &c->side[end];

	if (s->pending && !pending)
		c->side[other(end)].active_ns = now_ns; /* it is read again, its time begins */
	c->sooner |= s->pending || pending;		/* who is waited for changes */
	if (n && (!s->independent || s->pending || pending))
		s->active_ns = now_ns;
	s->pending = (uint32_t)pending;
	if (would_block)
		s->writable = false;
}

void conn_did_shut(struct conn *c, enum conn_end end)
{
	c->side[end].shut = true;
}

static char name(enum conn_end end)
{
	return end == CONN_CLIENT ? 'C' : 'S';
}

static void set_cause(struct conn *c, char who, char phase)
{
	if (c->cause.who == '-')
		c->cause = (struct conn_end_cause){who, phase};
}

static char phase(const struct conn *c)
{
	return c->state == CONN_OPEN ? 'D' : c->state == CONN_QUEUED ? 'Q' : 'C';
}

void conn_saw_eof(struct conn *c, enum conn_end end)
{
	c->side[end].eof = true;
	c->side[end].readable = false;
	c->sooner = true;
}

void conn_saw_error(struct conn *c, enum conn_end end)
{
	struct conn_side *s = &c->side[end];

	s->broken = s->shut = true;
	s->pending = 0;
	c->sooner = true;
	s->writable = false;
	s->readable = !s->eof; /* what came before the break is still to be had */
	set_cause(c, name(end), phase(c));
	if (c->state != CONN_OPEN)
		c->state = CONN_OVER; /* a client that is gone needs no server */
}

void conn_end(struct conn *c, char who, char in_phase)
{
	set_cause(c, who, in_phase);
	c->state = CONN_OVER;
}

/* The timeout of one end, while something is expected of it. */
static uint64_t side_deadline(const struct conn *c, enum conn_end end, uint64_t timeout_ns,
			      uint64_t fin_ns)
{
	const struct conn_side *s = &c->side[end];
	bool half = s->eof || c->side[other(end)].eof;
	bool held = c->side[other(end)].pending; /* its peer is slow, so we do not read it */
	uint64_t t = half && fin_ns ? fin_ns : timeout_ns;

	if (!t || ((s->eof || held) && !s->pending))
		return CONN_NEVER;
	return s->active_ns + t;
}

static uint64_t open_deadline(const struct conn *c, const struct conn_timeouts *t,
			      enum conn_end *ret_end)
{
	const struct conn_side *client = &c->side[CONN_CLIENT], *server = &c->side[CONN_SERVER];
	uint64_t last =
	    client->active_ns > server->active_ns ? client->active_ns : server->active_ns;
	uint64_t of_client, of_server;

	if (t->tunnel_ns && !client->eof && !server->eof) {
		*ret_end = CONN_CLIENT;
		return last + t->tunnel_ns;
	}
	of_client = side_deadline(c, CONN_CLIENT, t->client_ns, t->client_fin_ns);
	of_server = side_deadline(c, CONN_SERVER, t->server_ns, t->server_fin_ns);
	*ret_end = of_server < of_client ? CONN_SERVER : CONN_CLIENT;
	return of_server < of_client ? of_server : of_client;
}

uint64_t conn_deadline(const struct conn *c, const struct conn_timeouts *t)
{
	uint64_t queue_ns = t->queue_ns ? t->queue_ns : t->connect_ns;
	enum conn_end end;

	switch (c->state) {
	case CONN_QUEUED:
		return queue_ns ? c->since_ns + queue_ns : CONN_NEVER;
	case CONN_CONNECTING:
		return t->connect_ns ? c->since_ns + t->connect_ns : CONN_NEVER;
	case CONN_RETRY:
		return c->since_ns + (t->connect_ns && t->connect_ns < CONN_RETRY_NS
					  ? t->connect_ns
					  : CONN_RETRY_NS);
	case CONN_OPEN:
		return open_deadline(c, t, &end);
	case CONN_OVER:
		break;
	}
	return CONN_NEVER;
}

bool conn_expire_half(struct conn *c, const struct conn_timeouts *t)
{
	enum conn_end end = CONN_CLIENT;
	struct conn_side *s;

	if (c->state != CONN_OPEN || (t->tunnel_ns && !c->side[CONN_CLIENT].eof && !c->side[CONN_SERVER].eof))
		return false;
	open_deadline(c, t, &end);
	s = &c->side[end];
	if (!s->independent || s->eof || s->pending)
		return false;
	set_cause(c, end == CONN_CLIENT ? 'c' : 's', 'D');
	conn_saw_eof(c, end);
	return true;
}

bool conn_expire(struct conn *c, const struct conn_timeouts *t, uint64_t now_ns)
{
	enum conn_end end = CONN_CLIENT;

	switch (c->state) {
	case CONN_QUEUED:
		conn_end(c, 's', 'Q');
		return true;
	case CONN_OPEN:
		open_deadline(c, t, &end);
		conn_end(c, end == CONN_CLIENT ? 'c' : 's', 'D');
		return true;
	case CONN_OVER:
		return true;
	case CONN_CONNECTING:
	case CONN_RETRY:
		break;
	}
	return false;
}

enum conn_retry conn_connect_failed(struct conn_attempts *a, unsigned retries, int redispatch)
{
	unsigned n = ++a->failures; /* of the retry that would follow, from 1 */

	if (n > retries)
		return CONN_GIVE_UP;
	if ((redispatch > 0 && n % (unsigned)redispatch == 0) ||
	    (redispatch < 0 && retries + 1 == n + (unsigned)-redispatch)) {
		a->redispatched = true;
		return CONN_REDISPATCH;
	}
	return CONN_RETRY_SAME;
}
