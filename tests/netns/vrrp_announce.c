/* SPDX-License-Identifier: MIT */
/* What a link announces, at which pace, and what it sees others announce. */
#include "link_rig.h"

#define MS UINT64_C(1000000)

static void announce(const char *address, unsigned repeat, const struct ha_vrrp *router)
{
	const struct ha_vrrp_announcement a = {
	    .size = sizeof(a), .address = ip(address), .repeat = (uint8_t)repeat, .router = router};

	assert_int_equal(ha_vrrp_link_announce(l, &a), 0);
}

static uint64_t announced(void)
{
	struct ha_vrrp_link_stats s = {.size = sizeof(s)};

	ha_vrrp_link_stats(l, &s);
	return s.announced;
}

/* ---- the pace ---- */

static void without_a_pace_all_leave_at_once(void **state)
{
	up(AF_INET, 255);
	announce("10.9.0.100", 5, r.v);
	assert_int_equal(announced(), 5);
}

/* The first at the next turn, then one each interval; each address once before any is told twice. */
static void with_a_pace_one_leaves_each_interval(void **state)
{
	static const uint8_t order[] = {100, 101, 100, 101};
	uint8_t f[128];

	next_link.garp_interval_ns = 10 * MS;
	up(AF_INET, 255);
	announce("10.9.0.100", 2, r.v);
	announce("10.9.0.101", 2, r.v);
	announce("10.9.0.101", 1, r.v); /* waits already */
	assert_int_equal(announced(), 0);
	assert_true(ha_vrrp_link_deadline(l) <= T0);
	for (uint64_t i = 0; i < sizeof(order); i++) {
		ha_vrrp_link_dispatch(l, T0 + i * 10 * MS);
		assert_int_equal(announced(), i + 1);
		if (i + 1 < sizeof(order))
			assert_true(ha_vrrp_link_deadline(l) == T0 + (i + 1) * 10 * MS);
		assert_int_equal(next_frame(0x0806, 0, f, sizeof(f)), 42);
		assert_int_equal(f[31], order[i]);
	}
	ha_vrrp_link_dispatch(l, T0 + 100 * MS);
	assert_int_equal(announced(), sizeof(order));
	assert_true(ha_vrrp_link_deadline(l) == T0 + S); /* nothing but the next advert */
}

static void arp_and_na_have_a_pace_each(void **state)
{
	next_link.gna_interval_ns = 10 * MS;
	up(AF_INET, 255);
	announce("10.9.0.100", 2, r.v);
	assert_int_equal(announced(), 2);
	announce("2001:db8::1", 2, r.v);
	assert_int_equal(announced(), 2);
	ha_vrrp_link_dispatch(l, T0);
	assert_int_equal(announced(), 3);
}

/* A frame that waited must not take the address back from the next Active. */
static void what_waits_of_a_router_that_stopped_is_dropped(void **state)
{
	next_link.garp_interval_ns = 10 * MS;
	up(AF_INET, 255);
	announce("10.9.0.100", 3, r.v);
	ha_vrrp_link_dispatch(l, T0);
	assert_int_equal(announced(), 1);
	ha_vrrp_stop(r.v, T0 + 1);
	ha_vrrp_link_dispatch(l, T0 + 50 * MS);
	assert_int_equal(announced(), 1);
}

static void what_waits_of_a_router_that_left_is_dropped(void **state)
{
	next_link.garp_interval_ns = 10 * MS;
	up(AF_INET, 255);
	announce("10.9.0.100", 3, r.v);
	announce("10.9.0.101", 1, NULL);
	assert_int_equal(ha_vrrp_link_remove(l, r.v), 0);
	ha_vrrp_link_dispatch(l, T0);
	ha_vrrp_link_dispatch(l, T0 + 50 * MS);
	assert_int_equal(announced(), 1); /* the other one's */
}

static void the_queue_has_an_end(void **state)
{
	struct ha_vrrp_announcement a = {.size = sizeof(a), .address = ip("10.0.0.0")};

	next_link.garp_interval_ns = 10 * MS;
	up(AF_INET, 255);
	for (unsigned i = 0; i < HA_VRRP_LINK_WAITING; i++) {
		a.address.bytes[2] = (uint8_t)(i >> 8);
		a.address.bytes[3] = (uint8_t)i;
		assert_int_equal(ha_vrrp_link_announce(l, &a), 0);
	}
	a.address.bytes[1] = 1;
	assert_int_equal(ha_vrrp_link_announce(l, &a), -ENOBUFS);
}

/* ---- solicited-node groups ---- */

static bool is_member(const char *group)
{
	FILE *f = fopen("/proc/self/net/igmp6", "r");
	char line[256];
	bool found = false;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		found |= strstr(line, HERE " ") && strstr(line, group);
	fclose(f);
	return found;
}

/* R48, R62: also when the kernel has not joined yet, here because it does not have the address at all. */
static void R48_the_group_is_joined_before_the_na_leaves(void **state)
{
	up(AF_INET6, 255);
	assert_false(is_member("ff0200000000000000000001ff123456"));
	announce("2001:db8::12:3456", 1, r.v);
	assert_true(is_member("ff0200000000000000000001ff123456"));
	/* The kernel's own membership is there by now where it has the address: ours ends. */
	ha_vrrp_link_dispatch(l, T0);
	ha_vrrp_link_dispatch(l, T0 + S + 1);
	assert_false(is_member("ff0200000000000000000001ff123456"));
}

static void the_kernels_own_membership_outlives_ours(void **state)
{
	up(AF_INET6, 255);
	announce("2001:db8::65:4321", 1, r.v);
	run("ip addr add 2001:db8::65:4321/128 dev " HERE " nodad");
	ha_vrrp_link_dispatch(l, T0);
	ha_vrrp_link_dispatch(l, T0 + S + 1);
	for (int i = 0; i < 100 && !is_member("ff0200000000000000000001ff654321"); i++)
		usleep(10000);
	assert_true(is_member("ff0200000000000000000001ff654321"));
	run("ip addr del 2001:db8::65:4321/128 dev " HERE);
}

/* ---- sightings ---- */

/* ARP of a stranger who claims 10.9.0.LAST; or of whoever has this MAC. */
static void put_arp(uint8_t last, const uint8_t mac[6])
{
	uint8_t f[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [12] = 0x08, 0x06,
			 0,    1,    8,	   0,	 6,    4,    0,		  1};

	memcpy(f + 6, mac, 6);
	memcpy(f + 22, mac, 6);
	memcpy(f + 28, (uint8_t[]){10, 9, 0, last}, 4);
	assert_int_equal(send(wire_fd, f, sizeof(f), 0), sizeof(f));
}

static uint64_t sighted_after_dispatch(uint64_t expected)
{
	struct ha_vrrp_link_stats s = {.size = sizeof(s)};
	struct pollfd p = {.fd = ha_vrrp_link_fd(l), .events = POLLIN};

	do {
		ha_vrrp_link_dispatch(l, T0 + 1);
		ha_vrrp_link_stats(l, &s);
	} while (s.sighted < expected && poll(&p, 1, PATIENCE_MS) > 0);
	return s.sighted;
}

static void a_stranger_with_our_address_is_told(void **state)
{
	static const uint8_t stranger[6] = {2, 0, 0, 0, 0, 0x99}, here[6] = {2, 0, 0, 0, 0, 0x0a};

	next_link.sight = true;
	up(AF_INET, 255);
	r.log[0] = 0;
	put_arp(7, stranger); /* another address: stays in the kernel */
	put_arp(100, here);   /* our own MAC: nothing wrong */
	put_arp(100, stranger);
	assert_int_equal(sighted_after_dispatch(2), 2);
	assert_non_null(strstr(r.log, "remark(address claimed by another"));
}

static void a_backup_is_not_told(void **state)
{
	static const uint8_t stranger[6] = {2, 0, 0, 0, 0, 0x99};

	next_link.sight = true;
	up(AF_INET, 100);
	r.log[0] = 0;
	put_arp(100, stranger);
	assert_int_equal(sighted_after_dispatch(1), 1);
	assert_string_equal(r.log, "");
}

static void an_na_of_a_stranger_is_told(void **state)
{
	struct ha_vrrp_link *other;
	struct ha_vrrp_link_opts lo = {.size = sizeof(lo), .family = AF_INET6};
	struct ha_vrrp_announcement a = {
	    .size = sizeof(a), .address = ip("fe80::100"), .repeat = 1};

	next_link.sight = true;
	up(AF_INET6, 255);
	r.log[0] = 0;
	lo.ifindex = if_nametoindex(THERE);
	assert_int_equal(ha_vrrp_link_new(&lo, &other), 0);
	assert_int_equal(ha_vrrp_link_announce(other, &a), 0);
	assert_int_equal(sighted_after_dispatch(1), 1);
	assert_non_null(strstr(r.log, "remark(address claimed by another"));
	ha_vrrp_link_free(other);
}

/* The link has two sockets to read now, and still one descriptor. */
static void adverts_are_heard_beside_sightings(void **state)
{
	struct ha_vrrp_link_stats s = {.size = sizeof(s)};
	struct pollfd p;
	const struct ha_ip group = ip("224.0.0.18");
	struct ha_vrrp_link *other;
	struct ha_vrrp_link_opts lo = {.size = sizeof(lo), .family = AF_INET};
	uint8_t mac[6] = {2, 0, 0, 0, 0, 0x99};
	struct peer peer = peer_make(3, 200, "10.9.0.2", 100);
	struct rig sender;
	struct ha_vrrp_opts o = rig_opts();

	next_link.sight = true;
	up(AF_INET, 100);
	o.source = ip("10.9.0.2");
	rig_up(&sender, &o);
	lo.ifindex = if_nametoindex(THERE);
	assert_int_equal(ha_vrrp_link_new(&lo, &other), 0);
	assert_int_equal(ha_vrrp_link_send_from(other, sender.v, mac, &group, peer.pkt, peer.len),
			 0);
	p = (struct pollfd){.fd = ha_vrrp_link_fd(l), .events = POLLIN};
	do {
		ha_vrrp_link_dispatch(l, T0 + 1);
		ha_vrrp_link_stats(l, &s);
	} while (!s.received && poll(&p, 1, PATIENCE_MS) > 0);
	assert_int_equal(s.received, 1);
	ha_vrrp_link_free(other);
	rig_down(&sender);
}

#define T(f) cmocka_unit_test_teardown(f, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(without_a_pace_all_leave_at_once),
	    T(with_a_pace_one_leaves_each_interval),
	    T(arp_and_na_have_a_pace_each),
	    T(what_waits_of_a_router_that_stopped_is_dropped),
	    T(what_waits_of_a_router_that_left_is_dropped),
	    T(the_queue_has_an_end),
	    T(R48_the_group_is_joined_before_the_na_leaves),
	    T(the_kernels_own_membership_outlives_ours),
	    T(a_stranger_with_our_address_is_told),
	    T(a_backup_is_not_told),
	    T(an_na_of_a_stranger_is_told),
	    T(adverts_are_heard_beside_sightings),
	};

	if (!in_a_namespace())
		return 77;
	return cmocka_run_group_tests_name("vrrp/announce", tests, make_place, NULL);
}
