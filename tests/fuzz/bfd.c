/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: a BFD session hears anything. The first four bytes choose the session, its state and
 * the packet's TTL and source, the rest is packets of up to 32 bytes (or a frozen state). Held: a
 * dropped packet changes nothing, an accepted one leaves a session whose timers move on, and what
 * leaves is sound.
 */
#include <libha/bfd.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/csum.h"

#define T0 UINT64_C(1000000000000)
#define MS UINT64_C(1000000)
#define OURS 0x11223344u
#define CHUNK 32
#define MAX_PACKETS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
	IPV6 = 1,
	MULTIHOP = 2,
	PASSIVE = 4, /* with MULTIHOP */
	POINT_TO_POINT = 8,
	UP = 16,    /* brought Up before */
	KNOWN = 32, /* put our discriminator in, so that it hides nothing */
	THAW = 64,
	ADMIN_DOWN = 128,
};

static void hold(bool truth)
{
	if (!truth)
		abort();
}

static int on_send(struct ha_bfd *s, const void *pkt, size_t len, void *userdata)
{
	const uint8_t *p = pkt;

	hold(len == 24 && p[0] >> 5 == 1 && p[3] == 24 && p[2]);
	hold((p[1] & 0x30) != 0x30 && !(p[1] & 7)); /* P with F; A, D, M */
	return 0;
}

static struct ha_ip make_ip(bool six, uint8_t last)
{
	struct ha_ip a = {.family = AF_INET, .bytes = {10, 9, 0, last}};

	if (six)
		a = (struct ha_ip){.family = AF_INET6, .bytes = {0xfe, 0x80, [15] = last}};
	return a;
}

static struct ha_bfd *make(uint8_t what)
{
	static const struct ha_bfd_ops ops = {.size = sizeof(ops), .send = on_send};
	struct ha_bfd_opts o = {
	    .size = sizeof(o),
	    .family = what & IPV6 ? AF_INET6 : AF_INET,
	    .multihop = what & MULTIHOP,
	    .passive = (what & MULTIHOP) && (what & PASSIVE),
	    .point_to_point = !(what & MULTIHOP) && (what & POINT_TO_POINT),
	    .discriminator = OURS,
	    .peer = make_ip(what & IPV6, 2),
	    .local = make_ip(what & IPV6, 1),
	    .seed = 1,
	};
	struct ha_bfd *s = NULL;

	hold(ha_bfd_new(&o, &ops, NULL, &s) == 0);
	return s;
}

static void put_discriminator(uint8_t *pkt, size_t len)
{
	static const uint8_t ours[4] = {0x11, 0x22, 0x33, 0x44};

	if (len >= 12)
		memcpy(pkt + 8, ours, sizeof(ours));
}

static void look(const struct ha_bfd *s, struct ha_bfd_status *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->size = sizeof(*ret);
	hold(ha_bfd_status(s, ret) == 0);
}

/* What is due is served, and the deadline then lies ahead. */
static void serve(struct ha_bfd *s, uint64_t now_ns)
{
	for (unsigned i = 0; i < 4 && ha_bfd_deadline(s) <= now_ns; i++)
		hold(ha_bfd_tick(s, now_ns) == 0);
	hold(ha_bfd_deadline(s) > now_ns);
}

static void hear(struct ha_bfd *s, uint64_t now_ns, const struct ha_bfd_meta *m, uint8_t *pkt,
		 size_t len)
{
	struct ha_bfd_status before, after;
	uint64_t deadline = ha_bfd_deadline(s);
	int drop;

	look(s, &before);
	drop = ha_bfd_receive(s, now_ns, m, pkt, len);
	hold(drop >= 0 && drop < HA_BFD_N_DROPS);
	look(s, &after);
	if (drop && drop != HA_BFD_DROP_ADMIN_DOWN)
		hold(!memcmp(&before, &after, sizeof(before)) && deadline == ha_bfd_deadline(s));
	if (after.state == HA_BFD_INIT || after.state == HA_BFD_UP)
		hold(after.detect_at_ns != HA_BFD_NEVER && after.remote_discriminator);
	hold(after.state == HA_BFD_UP || after.desired_min_tx_us >= 1000000);
}

static void hear_all(struct ha_bfd *s, uint8_t what, const uint8_t *head, const uint8_t *data,
		     size_t len)
{
	static const uint8_t init[24] = {0x20, 0x80, 3, 24, 0xa1, 0xb2, 0xc3, 0xd4, 0x11, 0x22,
					 0x33, 0x44, 0, 1,  0x86, 0xa0, 0,    1,    0x86, 0xa0};
	struct ha_bfd_meta m = {.size = sizeof(m), .ttl = 255};
	uint64_t now_ns = T0;

	m.source = make_ip(what & IPV6, 2);
	hold(ha_bfd_set_admin_down(s, now_ns, what & ADMIN_DOWN, 0) == 0);
	hold(ha_bfd_start(s, now_ns) == 0);
	if (what & UP)
		ha_bfd_receive(s, now_ns, &m, init, sizeof(init));
	m.ttl = head[0] ? head[0] : 255;
	m.source = make_ip(what & IPV6, head[1] ? head[1] : 2);
	for (unsigned i = 0; i < MAX_PACKETS && len; i++) {
		size_t n = len < CHUNK ? len : CHUNK;
		uint8_t *copy = malloc(n); /* its exact size, for the sanitizer */

		hold(copy != NULL);
		memcpy(copy, data, n);
		if (what & KNOWN)
			put_discriminator(copy, n);
		hear(s, now_ns, &m, copy, n);
		free(copy);
		now_ns += (uint64_t)head[2] * MS;
		serve(s, now_ns);
		data += n;
		len -= n;
	}
	hold(ha_bfd_stop(s, now_ns) == 0);
	hold(ha_bfd_deadline(s) == HA_BFD_NEVER);
}

static void thaw(struct ha_bfd *s, uint8_t what, const uint8_t *data, size_t len)
{
	uint8_t copy[HA_BFD_FREEZE_SIZE], again[HA_BFD_FREEZE_SIZE];
	uint64_t now_ns = T0;

	if (len > sizeof(copy))
		return;
	memcpy(copy, data, len);
	if ((what & KNOWN) && len >= 2) {
		uint16_t sum = csum_finish(csum_add(0, copy, len - 2));

		copy[len - 2] = (uint8_t)(sum >> 8);
		copy[len - 1] = (uint8_t)sum;
	}
	if (ha_bfd_thaw(s, now_ns, copy, len) < 0)
		return;
	hold(ha_bfd_freeze(s, again, sizeof(again)) > 0);
	for (unsigned i = 0; i < 20 && ha_bfd_deadline(s) != HA_BFD_NEVER; i++) {
		if (ha_bfd_deadline(s) > now_ns)
			now_ns = ha_bfd_deadline(s);
		serve(s, now_ns);
	}
	hold(ha_bfd_stop(s, now_ns) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ha_bfd *s;

	if (len < 4)
		return 0;
	hold(ha_bfd_your_discriminator(data, len) == 0 || len >= 12);
	s = make(data[0]);
	if (data[0] & THAW)
		thaw(s, data[0], data + 4, len - 4);
	else
		hear_all(s, data[0], data + 1, data + 4, len - 4);
	ha_bfd_free(s);
	return 0;
}
