/* SPDX-License-Identifier: MIT */
/* The Authentication Header on the wire: the IP header leaves as it was signed, and arrives as it is proven. */
#include "vrrp/auth.h" /* first: the rig has a global r */

#include "adapters/hmac_openssl.h"
#include "link_rig.h"

static const struct ha_vrrp_key key = {0, "swordfish", 9};
static struct rig other;

static struct ha_vrrp_opts ah_opts(const char *source, uint8_t priority)
{
	struct ha_vrrp_opts o = rig_opts();

	o.version = 2;
	o.source = ip(source);
	o.priority = priority;
	o.auth = HA_VRRP_AUTH_AH;
	o.keys = &key;
	o.n_keys = 1;
	return o;
}

static void make(struct rig *rig, const struct ha_vrrp_opts *o, const struct ha_vrrp_ops *of)
{
	struct ha_vrrp_ops ops = *of;

	ops.hmac = hmac_openssl;
	memset(rig, 0, sizeof(*rig));
	assert_null(ha_vrrp_check(o));
	assert_int_equal(ha_vrrp_new(o, &ops, rig, &rig->v), 0);
}

static void ah_up(uint8_t priority)
{
	struct ha_vrrp_link_opts lo = {.size = sizeof(lo), .family = AF_INET, .ah = true};
	struct ha_vrrp_opts o = ah_opts("10.9.0.1", priority);
	struct ha_vrrp_ops ops = rig_ops;

	lo.ifindex = if_nametoindex(HERE);
	assert_int_equal(ha_vrrp_link_new(&lo, &l), 0);
	ops.send = link_send;
	make(&r, &o, &ops);
	assert_int_equal(ha_vrrp_link_add(l, r.v), 0);
	wire_fd = wire(THERE);
	beyond_fd = wire(BEYOND);
	assert_int_equal(ha_vrrp_start(r.v, T0), 0);
}

/* The IP header as it stands in `f`, for the engine that proves it. */
static int prove(const uint8_t *f, size_t n)
{
	struct ha_vrrp_meta m = {
	    .size = sizeof(m), .ttl = 255, .protocol = 51, .header = f + 14, .header_len = 20};

	m.source = ip("10.9.0.1");
	m.destination = ip("224.0.0.18");
	return ha_vrrp_receive(other.v, T0, &m, f + 34, n - 34);
}

static void what_leaves_is_proven_by_another_engine(void **state)
{
	struct ha_vrrp_opts o = ah_opts("10.9.0.2", 100);
	uint8_t f[128];
	size_t n;

	ah_up(255);
	make(&other, &o, &rig_ops);
	ha_vrrp_start(other.v, T0);
	n = next_frame(0x0800, 51, f, sizeof(f));
	assert_int_equal(n, 14 + 20 + 24 + 8 + 4 + 8);
	assert_int_equal(f[14 + 8], 255);
	assert_int_equal(prove(f, n), HA_VRRP_DROP_NONE);
	f[14 + 12] ^= 1; /* the source is signed */
	assert_int_not_equal(prove(f, n), HA_VRRP_DROP_NONE);
	rig_down(&other);
}

/* The same from the virtual MAC address, whose frame is not made by the kernel. */
static int send_from_virtual_mac(struct ha_vrrp *v, const struct ha_ip *to, const void *advert,
				 size_t len, void *userdata)
{
	uint8_t mac[6];

	ha_vrrp_mac(AF_INET, 51, mac);
	return ha_vrrp_link_send_from(l, v, mac, to, advert, len);
}

static void what_leaves_from_the_virtual_mac_is_proven_too(void **state)
{
	static const uint8_t mac[6] = {0, 0, 0x5e, 0, 1, 51};
	struct ha_vrrp_link_opts lo = {.size = sizeof(lo), .family = AF_INET, .ah = true};
	struct ha_vrrp_opts ours = ah_opts("10.9.0.1", 255), theirs = ah_opts("10.9.0.2", 100);
	struct ha_vrrp_ops ops = rig_ops;
	uint8_t f[128];
	size_t n;

	lo.ifindex = if_nametoindex(HERE);
	assert_int_equal(ha_vrrp_link_new(&lo, &l), 0);
	ops.send = send_from_virtual_mac;
	make(&r, &ours, &ops);
	make(&other, &theirs, &rig_ops);
	assert_int_equal(ha_vrrp_link_add(l, r.v), 0);
	wire_fd = wire(THERE);
	beyond_fd = wire(BEYOND);
	ha_vrrp_start(other.v, T0);
	assert_int_equal(ha_vrrp_start(r.v, T0), 0);
	n = next_frame(0x0800, 51, f, sizeof(f));
	assert_memory_equal(f + 6, mac, 6);
	assert_int_equal(slow_csum(f + 14, 20, 0), 0);
	assert_int_equal(prove(f, n), HA_VRRP_DROP_NONE);
	rig_down(&other);
}

/* Its adverts go onto the wire by hand, since both ends of the pair are in one namespace. */
static int put_frame(struct ha_vrrp *v, const struct ha_ip *to, const void *advert, size_t len,
		     void *userdata)
{
	static const uint8_t ether[14] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 2,
					  0,	2,    2,    2,	  2,	0x08, 0x00};
	uint8_t f[256];
	uint16_t sum;

	memcpy(f, ether, 14);
	vrrp_ah_ip_header(&ha_vrrp_opts(v)->source, to, advert, len, f + 14);
	sum = slow_csum(f + 14, 20, 0);
	f[24] = (uint8_t)(sum >> 8);
	f[25] = (uint8_t)sum;
	memcpy(f + 34, advert, len);
	assert_int_equal(send(wire_fd, f, 34 + len, 0), 34 + len);
	return 0;
}

static void what_arrives_is_proven_with_the_header_it_came_with(void **state)
{
	struct ha_vrrp_opts o = ah_opts("10.9.0.2", 255);
	struct ha_vrrp_stats s = {.size = sizeof(s)};
	struct ha_vrrp_link_stats ls = {.size = sizeof(ls)};
	struct ha_vrrp_ops ops = rig_ops;
	struct pollfd p;

	ah_up(100);
	ops.send = put_frame;
	make(&other, &o, &ops);
	ha_vrrp_start(other.v, T0);
	p = (struct pollfd){.fd = ha_vrrp_link_fd(l), .events = POLLIN};
	do {
		ha_vrrp_link_dispatch(l, T0 + 1);
		ha_vrrp_link_stats(l, &ls);
	} while (!ls.received && poll(&p, 1, PATIENCE_MS) > 0);
	ha_vrrp_stats(r.v, &s);
	assert_int_equal(s.adverts_received, 1);
	rig_down(&other);
}

static void without_its_socket_there_is_no_ah(void **state)
{
	struct ha_vrrp_opts o = ah_opts("10.9.0.2", 100);

	up(AF_INET, 100);
	make(&other, &o, &rig_ops);
	assert_int_equal(ha_vrrp_link_add(l, other.v), -EINVAL);
	rig_down(&other);
}

#define T(f) cmocka_unit_test_teardown(f, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(what_leaves_is_proven_by_another_engine),
	    T(what_leaves_from_the_virtual_mac_is_proven_too),
	    T(what_arrives_is_proven_with_the_header_it_came_with),
	    T(without_its_socket_there_is_no_ah),
	};

	if (!in_a_namespace())
		return 77;
	return cmocka_run_group_tests_name("vrrp/ah", tests, make_place, NULL);
}
