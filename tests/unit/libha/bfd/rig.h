/* SPDX-License-Identifier: MIT */
/*
 * A BFD session on a test bench: its callbacks are written down as one line of text, such as
 * "tx:init =init", and packets are made by hand, not by the code under test.
 */
#ifndef TEST_BFD_RIG_H
#define TEST_BFD_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <libha/bfd.h>

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define T0 (1000 * S) /* every test starts here */
#define OURS 0x11223344u
#define THEIRS 0xa1b2c3d4u

enum { P = 0x20, F = 0x10, C = 0x08, A = 0x04, D = 0x02, M = 0x01 };

struct rig {
	struct ha_bfd *s;
	char log[4096];
	uint8_t sent[64];
	size_t sent_len;
	unsigned n_sent;
	struct ha_bfd_change change;
	int send_result;
	void (*in_callback)(struct rig *r, const char *what);
};

static inline struct ha_ip ip(const char *text)
{
	struct ha_ip a;

	assert_int_equal(ha_ip_parse(text, &a), 0);
	return a;
}

static inline void rig_note(struct rig *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline void rig_note(struct rig *r, const char *format, ...)
{
	size_t at = strlen(r->log);
	va_list ap;

	if (at && at + 1 < sizeof(r->log))
		r->log[at++] = ' ';
	va_start(ap, format);
	vsnprintf(r->log + at, sizeof(r->log) - at, format, ap);
	va_end(ap);
	if (r->in_callback)
		r->in_callback(r, r->log + at);
}

static const char *const rig_state[] = {"admin", "down", "init", "up"};

static inline int rig_send(struct ha_bfd *s, const void *pkt, size_t len, void *userdata)
{
	struct rig *r = userdata;

	assert_int_equal(len, 24);
	memcpy(r->sent, pkt, len);
	r->sent_len = len;
	r->n_sent++;
	rig_note(r, "tx:%s%s%s", rig_state[r->sent[1] >> 6], r->sent[1] & P ? "+P" : "",
		 r->sent[1] & F ? "+F" : "");
	return r->send_result;
}

static inline void rig_changed(struct ha_bfd *s, const struct ha_bfd_change *change, void *userdata)
{
	struct rig *r = userdata;

	r->change = *change;
	rig_note(r, "=%s", rig_state[change->to]);
}

static inline void rig_dropped(struct ha_bfd *s, enum ha_bfd_drop reason,
			       const struct ha_bfd_meta *m, void *userdata)
{
	assert_non_null(m);
	rig_note(userdata, "drop(%s)", ha_bfd_drop_name(reason));
}

static inline void rig_remark(struct ha_bfd *s, enum ha_bfd_remark what, void *userdata)
{
	rig_note(userdata, "remark(%s)", ha_bfd_remark_name(what));
}

static const struct ha_bfd_ops rig_ops = {
    .size = sizeof(struct ha_bfd_ops),
    .send = rig_send,
    .changed = rig_changed,
    .dropped = rig_dropped,
    .remark = rig_remark,
};

/* One hop from 10.9.0.1 to 10.9.0.2, 100 ms, three times. */
static inline struct ha_bfd_opts rig_opts(void)
{
	struct ha_bfd_opts o = {
	    .size = sizeof(o), .family = AF_INET, .discriminator = OURS, .seed = 7};

	o.peer = ip("10.9.0.2");
	o.local = ip("10.9.0.1");
	return o;
}

static inline void rig_up(struct rig *r, const struct ha_bfd_opts *o)
{
	memset(r, 0, sizeof(*r));
	assert_null(ha_bfd_check(o));
	assert_int_equal(ha_bfd_new(o, &rig_ops, r, &r->s), 0);
}

static inline void rig_down(struct rig *r)
{
	ha_bfd_free(r->s);
	r->s = NULL;
}

/* What the callbacks said since the last time. */
#define assert_said(r, text)                           \
	do {                                           \
		assert_string_equal((r)->log, (text)); \
		(r)->log[0] = 0;                       \
	} while (0)

/* Runs to a point in time, serving deadlines exactly. */
static inline void rig_run(struct rig *r, uint64_t until_ns)
{
	while (ha_bfd_deadline(r->s) <= until_ns)
		assert_int_equal(ha_bfd_tick(r->s, ha_bfd_deadline(r->s)), 0);
}

static inline struct ha_bfd_status rig_status(const struct rig *r)
{
	struct ha_bfd_status st = {.size = sizeof(st)};

	assert_int_equal(ha_bfd_status(r->s, &st), 0);
	return st;
}

/* To compare two of them byte by byte, padding and all. */
static inline void rig_look(const struct rig *r, struct ha_bfd_status *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->size = sizeof(*ret);
	assert_int_equal(ha_bfd_status(r->s, ret), 0);
}

static inline struct ha_bfd_stats rig_stats(const struct rig *r)
{
	struct ha_bfd_stats st = {.size = sizeof(st)};

	assert_int_equal(ha_bfd_stats(r->s, &st), 0);
	return st;
}

static inline uint32_t be32_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void be32_put(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* A packet that the neighbour would send; change what you like. */
struct peer {
	struct ha_bfd_meta meta;
	uint8_t pkt[64];
	size_t len;
};

static inline struct peer peer_make(enum ha_bfd_state state, uint8_t flags, uint32_t your)
{
	struct peer p = {.meta = {.size = sizeof(p.meta), .ttl = 255}, .len = 24};

	p.meta.source = ip("10.9.0.2");
	p.meta.destination = ip("10.9.0.1");
	p.pkt[0] = 1 << 5;
	p.pkt[1] = (uint8_t)(state << 6 | flags);
	p.pkt[2] = 3;
	p.pkt[3] = 24;
	be32_put(p.pkt + 4, THEIRS);
	be32_put(p.pkt + 8, your);
	be32_put(p.pkt + 12, 100000);
	be32_put(p.pkt + 16, 100000);
	return p;
}

static inline void peer_intervals(struct peer *p, uint32_t desired_us, uint32_t required_us)
{
	be32_put(p->pkt + 12, desired_us);
	be32_put(p->pkt + 16, required_us);
}

static inline int peer_send(struct rig *r, uint64_t now_ns, const struct peer *p)
{
	return ha_bfd_receive(r->s, now_ns, &p->meta, p->pkt, p->len);
}

/* The neighbour, which knows us, says its state. */
static inline void hear(struct rig *r, uint64_t now_ns, enum ha_bfd_state state, uint8_t flags)
{
	struct peer p = peer_make(state, flags, OURS);

	assert_int_equal(peer_send(r, now_ns, &p), HA_BFD_DROP_NONE);
}

/* Started at T0, and Up at once; the first Poll Sequence is over. */
static inline void rig_established(struct rig *r, const struct ha_bfd_opts *o)
{
	struct peer p = peer_make(HA_BFD_DOWN, 0, 0);

	rig_up(r, o);
	assert_int_equal(ha_bfd_start(r->s, T0), 0);
	assert_int_equal(peer_send(r, T0, &p), 0);
	hear(r, T0, HA_BFD_UP, 0);
	assert_int_equal(ha_bfd_state(r->s), HA_BFD_UP);
	hear(r, T0, HA_BFD_UP, F);
	assert_false(rig_status(r).polling);
	r->log[0] = 0;
	r->n_sent = 0;
}

#endif
