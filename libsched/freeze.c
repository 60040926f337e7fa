/* SPDX-License-Identifier: MIT */
/*
 * State as bytes, for the process that takes over and for a peer. Numbers are in network order; lb.h says
 * what is carried. A buffer is looked through to its end before anything changes.
 */
#include <assert.h>
#include <errno.h>

#include "base/cursor.h"
#include "libsched/picker.h"
#include "libsched/ramp.h"

#define GROUP_MAGIC UINT32_C(0x6c626772)  /* "lbgr" */
#define PICKER_MAGIC UINT32_C(0x6c627069) /* "lbpi" */
#define VERSION 1

#define SERVER_BYTES 120 /* of one server in the buffer */
#define HEAD_BYTES (4 + 2 + 2 + 8 + 8 + 4)

/* What is written of one server. */
struct frozen_server {
	uint64_t id, key, ramp_elapsed_ns;
	uint32_t maxconn, lower;
	uint16_t weight, last_weight, priority;
	uint8_t state, ramp;
	bool up, removed, overloaded;
	uint32_t count[SERVER_COUNTERS];
	struct ledger_sums sums;
};

static void write_head(struct writer *w, uint32_t magic)
{
	write_be32(w, magic);
	write_be16(w, VERSION);
	write_be16(w, 0);
}

/* 0, -EBADMSG, or -EPROTONOSUPPORT for a version this library does not know. */
static int read_head(struct reader *r, uint32_t magic)
{
	uint16_t version, reserved;

	if (read_be32(r) != magic)
		return -EBADMSG;
	version = read_be16(r);
	reserved = read_be16(r);
	if (r->bad || reserved)
		return -EBADMSG;
	return version == VERSION ? 0 : -EPROTONOSUPPORT;
}

/* ---- Servers ---- */

static void write_server(struct writer *w, const struct lb_group *g, const struct lb_server *s)
{
	const struct ledger_sums sums = ledger_sum(&g->pool.ledger, s->slot);

	write_be64(w, s->id);
	write_be64(w, s->key);
	write_be64(w, s->ramp == RAMP_RUNS ? g->now_ns - s->ramp_ns : 0);
	write_be32(w, s->maxconn);
	write_be32(w, atomic_load_explicit(&s->lower, RELAXED));
	write_be16(w, s->weight);
	write_be16(w, s->last_weight);
	write_be16(w, s->priority);
	write_u8(w, s->state);
	write_u8(w, s->ramp);
	write_u8(w, s->up);
	write_u8(w, s->removed);
	write_u8(w, atomic_load_explicit(&s->overloaded, RELAXED));
	write_u8(w, 0);
	for (enum lb_counter c = 0; c < SERVER_COUNTERS; c++)
		write_be32(w, server_count(&g->pool.ledger, s, c));
	write_be64(w, sums.picks);
	for (size_t i = 0; i < LEDGER_RESULTS; i++)
		write_be64(w, sums.done[i]);
	write_be64(w, sums.bytes);
	write_be64(w, sums.latency_sum_ns);
}

static bool server_is_sane(const struct frozen_server *f)
{
	return f->id && f->key && f->priority <= LB_PRIORITY_MAX && f->state <= LB_STATE_OFFLINE &&
	       f->ramp <= RAMP_RUNS && f->count[LB_COUNTER_ACTIVE] <= INT32_MAX &&
	       f->count[LB_COUNTER_INACTIVE] <= INT32_MAX;
}

static int read_server(struct reader *r, struct frozen_server *ret)
{
	uint8_t up, removed, overloaded, reserved;

	ret->id = read_be64(r);
	ret->key = read_be64(r);
	ret->ramp_elapsed_ns = read_be64(r);
	ret->maxconn = read_be32(r);
	ret->lower = read_be32(r);
	ret->weight = read_be16(r);
	ret->last_weight = read_be16(r);
	ret->priority = read_be16(r);
	ret->state = read_u8(r);
	ret->ramp = read_u8(r);
	up = read_u8(r);
	removed = read_u8(r);
	overloaded = read_u8(r);
	reserved = read_u8(r);
	for (size_t c = 0; c < SERVER_COUNTERS; c++)
		ret->count[c] = read_be32(r);
	ret->sums.picks = read_be64(r);
	for (size_t i = 0; i < LEDGER_RESULTS; i++)
		ret->sums.done[i] = read_be64(r);
	ret->sums.bytes = read_be64(r);
	ret->sums.latency_sum_ns = read_be64(r);
	ret->up = up;
	ret->removed = removed;
	ret->overloaded = overloaded;
	return r->bad || reserved || up > 1 || removed > 1 || overloaded > 1 || !server_is_sane(ret)
		   ? -EBADMSG
		   : 0;
}

/* ---- The group ---- */

ssize_t lb_group_freeze(const struct lb_group *g, void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);
	size_t size;

	if (!g || (cap && !buf))
		return -EINVAL;
	size = HEAD_BYTES + (g->n_members + g->n_removed) * SERVER_BYTES;
	if (cap < size)
		return (ssize_t)size;
	write_head(&w, GROUP_MAGIC);
	write_be64(&w, g->next_id);
	write_be64(&w, g->now_ns);
	write_be32(&w, (uint32_t)(g->n_members + g->n_removed));
	server_for_each (s, &g->pool, &g->members)
		write_server(&w, g, s);
	server_for_each (s, &g->pool, &g->removed)
		write_server(&w, g, s);
	assert(!w.bad && writer_len(&w) == size);
	return (ssize_t)size;
}

/* The head of a group's buffer; leaves the reader at the first server. */
static int read_group(struct reader *r, uint64_t *ret_next_id, uint32_t *ret_n)
{
	int e = read_head(r, GROUP_MAGIC);

	if (e < 0)
		return e;
	*ret_next_id = read_be64(r);
	read_be64(r); /* its clock: that of who thaws goes on */
	*ret_n = read_be32(r);
	if (r->bad || *ret_n > LB_SERVERS_MAX || reader_left(r) != (size_t)*ret_n * SERVER_BYTES)
		return -EBADMSG;
	return 0;
}

/* Puts the settings in force, through the doors everyone uses. 0, -ENOMEM, -ENOSPC. */
static int thaw_server(struct lb_group *g, const struct frozen_server *f, uint32_t flags)
{
	struct lb_server *s = group_find_member(g, f->id);
	const struct lb_server_opts o = {
	    .size = sizeof(o), .id = f->id, .key64 = f->key, .state = f->state};
	int r = 0;

	if (!s && (f->removed || flags & LB_THAW_MEMBERS))
		return 0;
	if (!s) {
		r = lb_server_add(g, &o, NULL);
		s = group_find_member(g, f->id);
	}
	if (r < 0)
		return r;
	lb_server_set_weight(g, f->id, f->weight);
	lb_server_set_maxconn(g, f->id, f->maxconn);
	lb_server_set_lower(g, f->id, f->lower);
	lb_server_set_priority(g, f->id, f->priority);
	lb_server_set_state(g, f->id, (enum lb_state)f->state);
	lb_server_set_up(g, f->id, f->up);
	s->last_weight = f->last_weight;
	s->ramp = f->ramp & 3u;
	s->ramp_ns = g->now_ns > f->ramp_elapsed_ns ? g->now_ns - f->ramp_elapsed_ns : 0;
	if (flags & LB_THAW_COUNTERS) {
		r = server_carry(&g->pool, s, f->count, &f->sums);
		atomic_store_explicit(&s->overloaded, f->overloaded, RELAXED);
	}
	g->staged = true;
	return r;
}

int lb_group_thaw(struct lb_group *g, const void *buf, size_t len, uint32_t flags)
{
	struct reader r = reader_of(buf, len), again;
	struct frozen_server f;
	uint64_t next_id;
	uint32_t n;
	int e;

	if (!g || (len && !buf) || flags & ~(uint32_t)(LB_THAW_COUNTERS | LB_THAW_MEMBERS))
		return -EINVAL;
	e = read_group(&r, &next_id, &n);
	again = r;
	for (uint32_t i = 0; i < n && e == 0; i++)
		e = read_server(&r, &f);
	for (uint32_t i = 0; i < n && e == 0; i++) {
		e = read_server(&again, &f);
		if (e == 0)
			e = thaw_server(g, &f, flags);
	}
	if (e == 0 && g->next_id < next_id)
		g->next_id = next_id;
	return e;
}

/* ---- Pickers ---- */

ssize_t lb_picker_freeze(struct lb_picker *p, void *buf, size_t cap)
{
	uint8_t own[LB_ALGO_FROZEN_MAX];
	struct writer w = writer_of(buf, cap);
	const struct lb_algo *ops;
	size_t len, size;
	ssize_t n = 0;
	int e;

	if (!p || (cap && !buf))
		return -EINVAL;
	e = picker_come_over(p);
	if (e < 0)
		return e;
	ops = &p->snap->setup.ops;
	if (ops->freeze)
		n = ops->freeze(p->snap, p->cursor, own, sizeof(own));
	if (n < 0 || (size_t)n > sizeof(own))
		n = 0; /* it has nothing to say */
	len = strlen(p->snap->setup.name);
	size = 4 + 2 + 2 + 1 + len + 8 + 2 + (size_t)n;
	if (cap < size)
		return (ssize_t)size;
	write_head(&w, PICKER_MAGIC);
	write_u8(&w, (uint8_t)len);
	write_bytes(&w, p->snap->setup.name, len);
	write_be64(&w, p->random);
	write_be16(&w, (uint16_t)n);
	write_bytes(&w, own, (size_t)n);
	assert(!w.bad && writer_len(&w) == size);
	return (ssize_t)size;
}

int lb_picker_thaw(struct lb_picker *p, const void *buf, size_t len)
{
	struct reader r = reader_of(buf, len);
	const struct lb_algo *ops;
	const uint8_t *name, *own;
	uint64_t random;
	size_t n_name, n;
	int e;

	if (!p || (len && !buf))
		return -EINVAL;
	e = read_head(&r, PICKER_MAGIC);
	if (e < 0)
		return e;
	n_name = read_u8(&r);
	name = read_bytes(&r, n_name);
	random = read_be64(&r);
	n = read_be16(&r);
	own = read_bytes(&r, n);
	if (r.bad || reader_left(&r) || n > LB_ALGO_FROZEN_MAX || !n_name)
		return -EBADMSG;
	if (p->explaining)
		return -EBUSY;
	e = picker_come_over(p);
	if (e < 0)
		return e;
	ops = &p->snap->setup.ops;
	if (n_name != strlen(p->snap->setup.name) || memcmp(name, p->snap->setup.name, n_name))
		return -ENOENT;
	if (n && ops->thaw) {
		e = ops->thaw(p->snap, p->cursor, own, n);
		if (e < 0)
			return e;
	}
	p->random = random;
	return 0;
}
