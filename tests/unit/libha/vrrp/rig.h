/* SPDX-License-Identifier: MIT */
/*
 * A virtual router on a test bench: its callbacks are written down as one line of text, such as
 * "send100 up announce5 active", and packets are made by hand, not by the code under test.
 */
#ifndef TEST_RIG_H
#define TEST_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <libha/vrrp.h>

#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define T0 (1000 * S) /* every test starts here */

struct rig {
	struct ha_vrrp *v;
	char log[4096];
	uint8_t sent[HA_VRRP_MAX_ADVERT];
	size_t sent_len;
	struct ha_ip sent_to;
	struct ha_vrrp_change change;
	int send_result;
	void (*in_callback)(struct rig *r, const char *what);
};

static inline struct ha_ip ip(const char *text)
{
	struct ha_ip a;

	assert_int_equal(ha_ip_parse(text, &a), 0);
	return a;
}

/* For comparing; valid until the next call. */
static inline const char *inet(const struct ha_ip *a)
{
	static char text[HA_IP_TEXT_SIZE];

	ha_ip_format(a, text, sizeof(text));
	return text;
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

static inline int rig_send(struct ha_vrrp *v, const struct ha_ip *destination, const void *advert,
			   size_t len, void *userdata)
{
	struct rig *r = userdata;

	assert_true(len <= sizeof(r->sent));
	memcpy(r->sent, advert, len);
	r->sent_len = len;
	r->sent_to = *destination;
	rig_note(r, "send%d", r->sent[2]);
	return r->send_result;
}

static inline void rig_addresses(struct ha_vrrp *v, bool up, bool accept, void *userdata)
{
	rig_note(userdata, "%s%s", up ? "up" : "down", accept ? "" : "-noaccept");
}

static inline void rig_announce(struct ha_vrrp *v, unsigned repeat, void *userdata)
{
	rig_note(userdata, "announce%u", repeat);
}

static inline void rig_changed(struct ha_vrrp *v, const struct ha_vrrp_change *change,
			       void *userdata)
{
	struct rig *r = userdata;

	r->change = *change;
	rig_note(r, "%s", ha_vrrp_state_name(change->to));
}

static inline void rig_dropped(struct ha_vrrp *v, enum ha_vrrp_drop reason,
			       const struct ha_vrrp_meta *m, void *userdata)
{
	assert_non_null(m);
	rig_note(userdata, "drop(%s)", ha_vrrp_drop_name(reason));
}

static inline void rig_remark(struct ha_vrrp *v, enum ha_vrrp_remark what,
			      const struct ha_vrrp_meta *m, void *userdata)
{
	rig_note(userdata, "remark(%s)", ha_vrrp_remark_name(what));
}

static const struct ha_vrrp_ops rig_ops = {
    .size = sizeof(struct ha_vrrp_ops),
    .send = rig_send,
    .addresses = rig_addresses,
    .announce = rig_announce,
    .changed = rig_changed,
    .dropped = rig_dropped,
    .remark = rig_remark,
};

/* VRID 51 at 10.9.0.1, one address, a second between adverts, priority 100. */
static inline struct ha_vrrp_opts rig_opts(void)
{
	static struct ha_ip vip;
	struct ha_vrrp_opts o = {.size = sizeof(o), .vrid = 51, .family = AF_INET, .version = 3};

	vip = ip("10.9.0.100");
	o.addresses = &vip;
	o.n_addresses = 1;
	o.source = ip("10.9.0.1");
	return o;
}

static inline void rig_up(struct rig *r, const struct ha_vrrp_opts *o)
{
	memset(r, 0, sizeof(*r));
	assert_null(ha_vrrp_check(o));
	assert_int_equal(ha_vrrp_new(o, &rig_ops, r, &r->v), 0);
}

static inline void rig_down(struct rig *r)
{
	ha_vrrp_free(r->v);
	r->v = NULL;
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
	while (ha_vrrp_deadline(r->v) <= until_ns)
		assert_int_equal(ha_vrrp_tick(r->v, ha_vrrp_deadline(r->v)), 0);
}

/* The sum of RFC 1071, slow and obvious, on purpose not the library's. */
static inline uint16_t slow_csum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static inline uint32_t slow_pseudo(const struct ha_ip *from, const struct ha_ip *to, size_t len)
{
	uint32_t sum = HA_VRRP_PROTOCOL + (uint32_t)len;

	for (size_t i = 0; i < ha_ip_len(from); i++)
		sum += i % 2 ? (uint32_t)from->bytes[i] + to->bytes[i]
			     : (uint32_t)(from->bytes[i] + to->bytes[i]) << 8;
	return sum;
}

/* A packet that another router would send; change what you like, then peer_sum. */
struct peer {
	struct ha_vrrp_meta meta;
	uint8_t pkt[64];
	size_t len;
};

static inline void peer_sum(struct peer *p)
{
	uint8_t version = p->pkt[0] >> 4;
	uint16_t sum;

	p->pkt[6] = p->pkt[7] = 0;
	sum = slow_csum(p->pkt, p->len,
			version == 2 ? 0
				     : slow_pseudo(&p->meta.source, &p->meta.destination, p->len));
	p->pkt[6] = (uint8_t)(sum >> 8);
	p->pkt[7] = (uint8_t)sum;
}

/* As rig_opts, from another address, at an interval in centiseconds. */
static inline struct peer peer_make(uint8_t version, uint8_t priority, const char *source,
				    uint16_t interval_cs)
{
	struct peer p = {.meta = {.size = sizeof(p.meta), .ttl = 255}, .len = 12};
	const uint8_t vip[4] = {10, 9, 0, 100};

	p.meta.source = ip(source);
	p.meta.destination = ip("224.0.0.18");
	p.pkt[0] = (uint8_t)(version << 4 | 1);
	p.pkt[1] = 51;
	p.pkt[2] = priority;
	p.pkt[3] = 1;
	if (version == 2) {
		p.pkt[5] = (uint8_t)(interval_cs / 100);
		p.len += 8;
	} else {
		p.pkt[4] = (uint8_t)(interval_cs >> 8);
		p.pkt[5] = (uint8_t)interval_cs;
	}
	memcpy(p.pkt + 8, vip, 4);
	peer_sum(&p);
	return p;
}

static inline int peer_send(struct rig *r, uint64_t now_ns, const struct peer *p)
{
	return ha_vrrp_receive(r->v, now_ns, &p->meta, p->pkt, p->len);
}

/* A version 3 advert of this priority from 10.9.0.2. */
static inline void hear(struct rig *r, uint64_t now_ns, uint8_t priority)
{
	struct peer p = peer_make(3, priority, "10.9.0.2", 100);

	assert_int_equal(peer_send(r, now_ns, &p), HA_VRRP_DROP_NONE);
}

#endif
