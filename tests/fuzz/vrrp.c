/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: a virtual router hears anything. The first four bytes choose the router and the packet's
 * header, the rest is the packet, a sequence of packets with their gaps, or a frozen state. Held: a dropped
 * packet changes nothing, an accepted one leaves a router that still has a timer. A MAC is right when it is
 * zero, so that the fuzzer gets behind it. corpus/vrrp has a file for each row of the malformed catalogue.
 */
#include <libha/vrrp.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/csum.h"

#define T0 UINT64_C(1000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
	IPV6 = 1,
	VERSION_2 = 2,
	PASSWORD = 4,
	UNICAST = 8,
	ACTIVE = 16,
	RIGHT_SUM = 32, /* put the right checksum in, so that it hides nothing */
	THAW = 64,
	SEQUENCE = 128, /* length, gap of 20 ms each, bytes, and so on */
};

/* The last byte of the head. */
enum {
	OTHER_DESTINATION = 1,
	AH = 2,
	HMAC = 4,
	V2_TOO = 8,
	AS_AH = 16, /* the packet comes as protocol 51 */
	NONE = 32,  /* no virtual addresses */
};

static void hold(bool truth)
{
	if (!truth)
		abort();
}

static int on_send(struct ha_vrrp *v, const struct ha_ip *to, const void *advert, size_t len,
		   void *userdata)
{
	hold(len <= HA_VRRP_MAX_ADVERT);
	return 0;
}

static struct ha_ip make_ip(bool six, uint8_t last)
{
	struct ha_ip a = {.family = AF_INET, .bytes = {10, 9, 0, last}};

	if (six)
		a = (struct ha_ip){.family = AF_INET6, .bytes = {0xfe, 0x80, [15] = last}};
	return a;
}

static int on_hmac(enum ha_vrrp_hash hash, const void *key, size_t key_len, const void *data,
		   size_t len, uint8_t *ret, void *userdata)
{
	hold(len <= 2 * HA_VRRP_MAX_ADVERT);
	memset(ret, 0, HA_VRRP_HASH_MAX);
	return 0;
}

static enum ha_vrrp_auth auth_of(uint8_t how, bool v2)
{
	if (how & HMAC)
		return HA_VRRP_AUTH_HMAC;
	return v2 && (how & AH) ? HA_VRRP_AUTH_AH : HA_VRRP_AUTH_NONE;
}

static struct ha_vrrp *make(uint8_t what, uint8_t how)
{
	static const struct ha_vrrp_ops ops = {
	    .size = sizeof(ops), .send = on_send, .hmac = on_hmac};
	static const struct ha_vrrp_key key = {.id = 1, .secret = "secret", .len = 6};
	bool six = what & IPV6, v2 = (what & VERSION_2) && !six;
	const struct ha_ip vip[2] = {make_ip(six, 100), make_ip(six, 101)}, peer = make_ip(six, 2);
	struct ha_vrrp_opts o = {
	    .size = sizeof(o),
	    .vrid = 51,
	    .family = six ? AF_INET6 : AF_INET,
	    .version = v2 ? 2 : 3,
	    .source = make_ip(six, 1),
	    .addresses = vip,
	    .n_addresses = how & NONE ? 0 : 2,
	    .no_addresses = true,
	    .priority = what & ACTIVE ? 255 : 100,
	    .auth = auth_of(how, v2),
	    .keys = &key,
	    .n_keys = auth_of(how, v2) ? 1 : 0,
	    .auth_window_ns = UINT64_MAX / 2,
	    .auth_pass = v2 && (what & PASSWORD) && !auth_of(how, v2) ? "secret" : NULL,
	    .v2_too = (how & V2_TOO) && !v2 && !six && !auth_of(how, v2),
	    .learn_checksum = what & PASSWORD,
	    .peers = &peer,
	    .n_peers = what & UNICAST ? 1 : 0,
	};
	struct ha_vrrp *v = NULL;

	hold(ha_vrrp_new(&o, &ops, NULL, &v) == 0);
	return v;
}

static void put_sum(uint8_t *p, size_t len, const struct ha_vrrp_meta *m)
{
	const uint8_t tail[8] = {0, 0, (uint8_t)(len >> 8), (uint8_t)len, 0,
				 0, 0, HA_VRRP_PROTOCOL};
	uint64_t sum = 0;

	if (len < 8)
		return;
	p[6] = p[7] = 0;
	if (p[0] >> 4 != 2) {
		sum = csum_add(sum, m->source.bytes, ha_ip_len(&m->source));
		sum = csum_add(sum, m->destination.bytes, ha_ip_len(&m->destination));
		sum = csum_add(sum, tail, sizeof(tail));
	}
	sum = csum_finish(csum_add(sum, p, len));
	p[6] = (uint8_t)(sum >> 8);
	p[7] = (uint8_t)sum;
}

/* One packet in memory of its exact size. */
static void hear(struct ha_vrrp *v, uint64_t now, const uint8_t *head, uint8_t what,
		 const uint8_t *data, size_t len)
{
	struct ha_vrrp_status before = {.size = sizeof(before)}, after = {.size = sizeof(after)};
	struct ha_vrrp_meta m = {.size = sizeof(m), .ttl = head[0] ? head[0] : 255};
	const uint8_t header[20] = {0x45};
	uint64_t deadline;
	uint8_t *copy = malloc(len ? len : 1);
	int drop;

	hold(copy != NULL);
	if (len)
		memcpy(copy, data, len);
	m.source = make_ip(what & IPV6, head[1]);
	m.destination = what & UNICAST ? make_ip(what & IPV6, 1) : ha_vrrp_opts(v)->group;
	m.protocol = head[2] & AS_AH ? 51 : 112;
	m.header = head[2] & AS_AH ? header : NULL;
	m.header_len = head[2] & AS_AH ? sizeof(header) : 0;
	if (head[2] & OTHER_DESTINATION)
		m.destination.bytes[0] ^= 1;
	if (what & RIGHT_SUM)
		put_sum(copy, len, &m);
	ha_vrrp_status(v, &before);
	deadline = ha_vrrp_deadline(v);
	drop = ha_vrrp_receive(v, now, &m, copy, len);
	hold(drop >= 0 && drop < HA_VRRP_N_DROPS);
	ha_vrrp_status(v, &after);
	if (drop)
		hold(!memcmp(&before, &after, sizeof(before)) && deadline == ha_vrrp_deadline(v));
	hold(ha_vrrp_deadline(v) != HA_VRRP_NEVER);
	free(copy);
}

/* Timers are served on the way; a run of them ends. */
static uint64_t pass(struct ha_vrrp *v, uint64_t now, uint64_t until)
{
	for (unsigned i = 0; i < 2000 && ha_vrrp_deadline(v) <= until; i++) {
		if (ha_vrrp_deadline(v) > now)
			now = ha_vrrp_deadline(v);
		hold(ha_vrrp_tick(v, now) == 0);
	}
	hold(ha_vrrp_deadline(v) > until);
	return until;
}

static void hear_all(struct ha_vrrp *v, const uint8_t *head, uint8_t what, const uint8_t *data,
		     size_t len)
{
	uint64_t now = T0;

	for (unsigned i = 0; i < 64 && len >= 2; i++) {
		size_t n = data[0] < len - 2 ? data[0] : len - 2;

		now = pass(v, now, now + data[1] * UINT64_C(20000000));
		hear(v, now, head, what, data + 2, n);
		data += 2 + n;
		len -= 2 + n;
	}
	hold(ha_vrrp_stop(v, now) == 0);
}

static void thaw(struct ha_vrrp *v, uint8_t what, const uint8_t *data, size_t len)
{
	uint8_t copy[HA_VRRP_FREEZE_SIZE];
	uint64_t now = T0;

	if (len > sizeof(copy))
		return;
	memcpy(copy, data, len);
	if ((what & RIGHT_SUM) && len >= 2) {
		uint16_t sum = csum_finish(csum_add(0, copy, len - 2));

		copy[len - 2] = (uint8_t)(sum >> 8);
		copy[len - 1] = (uint8_t)sum;
	}
	if (ha_vrrp_thaw(v, now, 0, copy, len) < 0)
		return;
	for (unsigned i = 0; i < 20 && ha_vrrp_deadline(v) != HA_VRRP_NEVER; i++) {
		if (ha_vrrp_deadline(v) > now)
			now = ha_vrrp_deadline(v);
		hold(ha_vrrp_tick(v, now) == 0);
	}
	if (ha_vrrp_state(v) != HA_VRRP_INITIALIZE)
		hold(ha_vrrp_stop(v, now) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ha_vrrp *v;

	if (len < 4)
		return 0;
	v = make(data[0], data[3]);
	if (data[0] & THAW) {
		thaw(v, data[0], data + 4, len - 4);
	} else {
		hold(ha_vrrp_start(v, T0) == 0);
		if (data[0] & SEQUENCE)
			hear_all(v, data + 1, data[0], data + 4, len - 4);
		else
			hear(v, T0 + 1, data + 1, data[0], data + 4, len - 4);
	}
	ha_vrrp_free(v);
	return 0;
}
