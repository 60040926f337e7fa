/* SPDX-License-Identifier: MIT */
/* The Linux link of VRRP on a veth pair: what leaves, frame by frame, and what is let in. */
#include "link_rig.h"

/* ---- what leaves ---- */

static void R1_R9_R10_an_advert_leaves_as_the_rfc_says(void **state)
{
	static const uint8_t group_mac[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x12};
	uint8_t f[128];

	up(AF_INET, 255);
	assert_int_equal(next_frame(0x0800, 112, f, sizeof(f)), 14 + 20 + 12);
	assert_memory_equal(f, group_mac, 6);
	assert_int_equal(f[14 + 1], 0xc0);			   /* TOS */
	assert_int_equal(f[14 + 8], 255);			   /* TTL */
	assert_memory_equal(f + 14 + 12, ip("10.9.0.1").bytes, 4); /* R7 */
	assert_memory_equal(f + 14 + 16, ip("224.0.0.18").bytes, 4);
	assert_memory_equal(f + 14 + 20, r.sent, 12);
}

static void R2_R8_an_ipv6_advert_leaves_as_the_rfc_says(void **state)
{
	static const uint8_t group_mac[6] = {0x33, 0x33, 0x00, 0x00, 0x00, 0x12};
	uint8_t f[128];

	up(AF_INET6, 255);
	assert_int_equal(next_frame(0x86dd, 112, f, sizeof(f)), 14 + 40 + 24);
	assert_memory_equal(f, group_mac, 6);
	assert_int_equal((f[14] & 0xf) << 4 | f[15] >> 4, 0xc0); /* traffic class */
	assert_int_equal(f[14 + 7], 255);			 /* hop limit */
	assert_memory_equal(f + 14 + 8, ip("fe80::1").bytes, 16);
	assert_memory_equal(f + 14 + 24, ip("ff02::12").bytes, 16);
	assert_memory_equal(f + 14 + 40, r.sent, 24);
}

static void announcements_leave_from_the_mac_that_answers(void **state)
{
	struct ha_vrrp_announcement a = {.size = sizeof(a), .repeat = 2};
	uint8_t f[128], mac[6];

	up(AF_INET, 100);
	ha_vrrp_mac(AF_INET, 51, mac);
	a.address = ip("10.9.0.100");
	memcpy(a.mac, mac, 6);
	assert_int_equal(ha_vrrp_link_announce(l, &a), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(next_frame(0x0806, 0, f, sizeof(f)), 42);
		assert_memory_equal(f + 6, mac, 6);
		assert_memory_equal(f + 14 + 14, a.address.bytes, 4);
	}
	assert_int_equal(ha_vrrp_link_announce_all(l, r.v, 1), 0); /* the interface's own */
	assert_int_equal(next_frame(0x0806, 0, f, sizeof(f)), 42);
	assert_int_equal(f[6], 0x02);
	assert_int_equal(f[11], 0x0a);
	a.address = ip("2001:db8::100"); /* the other family goes, too */
	assert_int_equal(ha_vrrp_link_announce(l, &a), 0);
	assert_int_equal(next_frame(0x86dd, 58, f, sizeof(f)), 86);
	a.ifindex = 1; /* lo */
	memset(a.mac, 0, 6);
	assert_int_equal(ha_vrrp_link_announce(l, &a), -EAFNOSUPPORT);
}

/* ---- what is let in ---- */

/* A frame with an advert of priority 200 from 10.9.0.2. `options`: bytes of IP options. */
static size_t make_frame(uint8_t *f, uint8_t ttl, uint8_t vrid, uint16_t fragment, size_t options,
			 size_t len)
{
	static const uint8_t ether[14] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 2,
					  0,	2,    2,    2,	  2,	0x08, 0x00};
	struct peer p = peer_make(3, 200, "10.9.0.2", 100);
	size_t header = 20 + options;
	uint16_t sum;

	p.pkt[1] = vrid;
	peer_sum(&p);
	memset(f, 0, 128);
	memcpy(f, ether, 14);
	f[14] = (uint8_t)(0x40 | header / 4);
	f[15] = 0xc0;
	f[17] = (uint8_t)(header + len);
	f[20] = (uint8_t)(fragment >> 8);
	f[21] = (uint8_t)fragment;
	f[22] = ttl;
	f[23] = 112;
	memcpy(f + 26, p.meta.source.bytes, 4);
	memcpy(f + 30, p.meta.destination.bytes, 4);
	memset(f + 34, 1, options); /* no operation */
	sum = slow_csum(f + 14, header, 0);
	f[24] = (uint8_t)(sum >> 8);
	f[25] = (uint8_t)sum;
	memcpy(f + 14 + header, p.pkt, len);
	return 14 + header + len;
}

static void put(int fd, uint8_t ttl, uint8_t vrid, uint16_t fragment, size_t options, size_t len)
{
	uint8_t f[128];
	size_t n = make_frame(f, ttl, vrid, fragment, options, len);

	assert_int_equal(send(fd, f, n, 0), n);
}

/* Dispatches until so many packets were read, or none came for a moment. */
static struct ha_vrrp_link_stats hear_until(uint64_t received)
{
	struct ha_vrrp_link_stats s = {.size = sizeof(s)};
	struct pollfd p = {.fd = ha_vrrp_link_fd(l), .events = POLLIN};

	r.log[0] = 0;
	do {
		assert_int_equal(ha_vrrp_link_dispatch(l, T0 + 1), 0);
		ha_vrrp_link_stats(l, &s);
	} while (s.received < received && poll(&p, 1, PATIENCE_MS) > 0);
	assert_int_equal(s.received, received);
	return s;
}

static void R3_the_ttl_of_the_packet_is_looked_at(void **state)
{
	up(AF_INET, 100);
	put(wire_fd, 254, 51, 0, 0, 12);
	hear_until(1);
	assert_said(&r, "drop(ttl)");
	put(wire_fd, 255, 51, 0, 0, 12);
	hear_until(2);
	assert_said(&r, "");
	assert_true(ha_vrrp_link_deadline(l) == T0 + 1 + 3 * S + 609375000);
}

/* A stall that ends a moment after the timer: the advert that would have stopped it is there. */
static void an_advert_that_waits_is_heard_before_the_down_timer(void **state)
{
	const uint64_t due_ns = T0 + 3 * S + 609375000;
	struct pollfd p;

	up(AF_INET, 100);
	put(wire_fd, 255, 51, 0, 0, 12);
	p = (struct pollfd){.fd = ha_vrrp_link_fd(l), .events = POLLIN};
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	r.log[0] = 0;
	assert_int_equal(ha_vrrp_link_dispatch(l, due_ns + 1), 0);
	assert_said(&r, "");
	assert_int_equal(ha_vrrp_link_dispatch(l, due_ns + 2), 0);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_BACKUP);
}

/* Another one took over while we stood still: not a word, and no announcement, against it. */
static void a_stalled_active_hears_who_took_over_before_it_speaks(void **state)
{
	const uint64_t became_ns = T0 + 3 * S + 609375000;
	struct pollfd p;

	up(AF_INET, 100);
	assert_int_equal(ha_vrrp_link_dispatch(l, became_ns), 0);
	put(wire_fd, 255, 51, 0, 0, 12);
	p = (struct pollfd){.fd = ha_vrrp_link_fd(l), .events = POLLIN};
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	r.log[0] = 0;
	assert_int_equal(ha_vrrp_link_dispatch(l, became_ns + 10 * S), 0);
	assert_said(&r, "down backup");
}

static void ip_options_are_skipped(void **state)
{
	struct ha_vrrp_stats s = {.size = sizeof(s)};

	up(AF_INET, 100);
	put(wire_fd, 255, 51, 0, 4, 12); /* 58 */
	hear_until(1);
	ha_vrrp_stats(r.v, &s);
	assert_int_equal(s.adverts_received, 1);
}

static void a_fragment_and_a_stub_never_arrive_as_an_advert(void **state)
{
	struct ha_vrrp_link_stats s;

	next_link.no_filter = true; /* which would drop the stub, too */
	up(AF_INET, 100);
	put(wire_fd, 255, 51, 0x2000, 0, 8); /* 59: more to come, that never does */
	put(wire_fd, 255, 51, 0, 0, 1);
	s = hear_until(1);
	assert_int_equal(s.no_meta, 1);
	assert_said(&r, "");
}

static void R14_R15_other_vrids_and_other_interfaces_are_not_ours(void **state)
{
	struct ha_vrrp_link_stats s;

	next_link.no_filter = true;
	up(AF_INET, 100);
	put(beyond_fd, 255, 51, 0, 0, 12); /* arrives on another interface */
	put(wire_fd, 255, 52, 0, 0, 12);
	s = hear_until(1);
	assert_int_equal(s.unknown_vrid, 1);
	assert_said(&r, "");
}

static void our_own_adverts_are_not_heard(void **state)
{
	struct ha_vrrp_link_stats s;

	next_link.no_filter = true;
	up(AF_INET, 255);
	put(wire_fd, 255, 52, 0, 0, 12);
	s = hear_until(1); /* the stranger's, not ours, which left before */
	assert_int_equal(s.sent, 1);
	assert_int_equal(s.unknown_vrid, 1);
}

static void one_dispatch_reads_a_bounded_number(void **state)
{
	struct ha_vrrp_link_stats s = {.size = sizeof(s)};

	up(AF_INET, 100);
	for (int i = 0; i < HA_VRRP_LINK_BATCH + 10; i++)
		put(wire_fd, 255, 51, 0, 0, 12);
	usleep(50000);
	assert_int_equal(ha_vrrp_link_dispatch(l, T0), 0);
	ha_vrrp_link_stats(l, &s);
	assert_int_equal(s.received, HA_VRRP_LINK_BATCH);
	hear_until(HA_VRRP_LINK_BATCH + 10);
}

/* 65: ten thousand adverts of other people's routers wake nobody. */
static void foreign_vrids_never_leave_the_kernel(void **state)
{
	struct pollfd p;

	up(AF_INET, 100);
	p = (struct pollfd){.fd = ha_vrrp_link_fd(l), .events = POLLIN};
	for (int i = 0; i < 10000; i++)
		put(wire_fd, 255, 52, 0, 0, 12);
	usleep(20000);
	assert_int_equal(poll(&p, 1, 0), 0);
	put(wire_fd, 255, 51, 0, 0, 12);
	hear_until(1);
}

/* Of all 256 VRIDs those of the link's routers come in, whichever they are, and none after they left. */
static void the_kernel_knows_which_vrids_are_of_use(void **state)
{
	static const uint8_t vrid[] = {1, 31, 32, 160, 255};
	struct ha_vrrp *v[sizeof(vrid)];
	struct ha_vrrp_opts o = rig_opts();
	uint64_t heard = 1 + sizeof(vrid);

	up(AF_INET, 100);
	for (size_t i = 0; i < sizeof(vrid); i++) {
		o.vrid = vrid[i];
		assert_int_equal(ha_vrrp_new(&o, &rig_ops, &r, &v[i]), 0);
		assert_int_equal(ha_vrrp_link_add(l, v[i]), 0);
	}
	for (int i = 0; i < 256; i++)
		put(wire_fd, 255, (uint8_t)i, 0, 0, 12);
	usleep(50000);
	assert_int_equal(hear_until(heard).unknown_vrid, 0);
	for (size_t i = 0; i < sizeof(vrid); i++) {
		assert_int_equal(ha_vrrp_link_remove(l, v[i]), 0);
		ha_vrrp_free(v[i]);
	}
	ha_vrrp_link_dispatch(l, T0 + 2);
	for (int i = 0; i < 256; i++)
		put(wire_fd, 255, (uint8_t)i, 0, 0, 12);
	usleep(50000);
	assert_int_equal(hear_until(heard + 1).unknown_vrid, 0);
}

/* The kernel gives raw sockets of IPv6 no header: the VRID stands elsewhere. */
static void the_filter_knows_ipv6(void **state)
{
	uint8_t advert[24] = {0x31, 52, 100, 1, 0, 100};
	struct ha_ip group = ip("ff02::12");
	int fd = socket(AF_INET6, SOCK_RAW, HA_VRRP_PROTOCOL), hops = 255;
	struct sockaddr_storage to;

	up(AF_INET6, 100);
	setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops));
	run("ip addr replace fe80::2/64 dev " THERE " nodad");
	for (int i = 0; i < 2; i++, advert[1] = 51)
		assert_int_equal(
		    sendto(fd, advert, sizeof(advert), 0, (struct sockaddr *)&to,
			   (socklen_t)ha_ip_to_sockaddr(&group, 0, if_nametoindex(THERE), &to)),
		    sizeof(advert));
	close(fd);
	hear_until(1);
	assert_non_null(strstr(r.log, "drop("));
}

/*
 * A storm of adverts that are ours to read: each turn reads a bounded number, and for each interval that
 * passes one advert leaves. keepalived's stay away (0 of 10).
 */
static void a_storm_of_input_delays_no_advert(void **state)
{
	struct ha_vrrp_stats s = {.size = sizeof(s)};
	struct ha_vrrp_link_stats ls = {.size = sizeof(ls)};
	uint64_t before;

	up(AF_INET, 255);
	ha_vrrp_stats(r.v, &s);
	before = s.adverts_sent;
	for (uint64_t i = 1; i <= 20; i++) {
		for (int n = 0; n < 2 * HA_VRRP_LINK_BATCH; n++)
			put(wire_fd, n % 2 ? 255 : 254, n % 4 ? 51 : 52, 0, 0, 12);
		assert_int_equal(ha_vrrp_link_dispatch(l, T0 + i * S), 0);
		assert_int_equal(ha_vrrp_link_dispatch(l, T0 + i * S + 1), 0); /* it is readable */
	}
	ha_vrrp_stats(r.v, &s);
	ha_vrrp_link_stats(l, &ls);
	assert_true(ls.received >= 19 * HA_VRRP_LINK_BATCH);
	/* One for each interval, and at most one answer to a loser for each turn. */
	assert_int_equal(s.adverts_sent - before - s.replies_sent, 20);
	assert_true(s.replies_sent <= 20);
}

static void it_survives_its_interface_going_down(void **state)
{
	struct ha_vrrp_link_stats s = {.size = sizeof(s)};
	int first;

	up(AF_INET, 255);
	run("ip link set " HERE " down");
	first = ha_vrrp_link_dispatch(l, T0);
	assert_true(first == -ENETDOWN || first == 0);
	r.log[0] = 0;
	assert_int_equal(ha_vrrp_link_dispatch(l, T0 + S), 0);
	assert_string_equal(r.log, "send255 remark(sending failed)");
	run("ip link set " HERE " up && ip addr replace fe80::1/64 dev " HERE " nodad");
	/* The carrier comes back some time after the command; until then nothing gets through. */
	for (int i = 0; i < 50 && !s.received; i++) {
		put(wire_fd, 255, 51, 0, 0, 12);
		usleep(100000);
		ha_vrrp_link_dispatch(l, T0 + S);
		ha_vrrp_link_stats(l, &s);
	}
	assert_true(s.received > 0);
}

/* On time an Active sends without asking; the Backup beside it, due as well, does not: its advert waits. */
static void only_an_active_on_time_speaks_before_it_listens(void **state)
{
	const uint64_t due_ns = T0 + 3 * S + 609375000;
	struct ha_vrrp_opts o = rig_opts();
	struct ha_vrrp_link_stats s = {.size = sizeof(s)};
	struct ha_vrrp *active;
	struct rig other;
	struct pollfd p;

	up(AF_INET, 100);
	memset(&other, 0, sizeof(other));
	o.vrid = 52;
	o.priority = 255;
	assert_int_equal(ha_vrrp_new(&o, &rig_ops, &other, &active), 0);
	assert_int_equal(ha_vrrp_link_add(l, active), 0);
	assert_int_equal(ha_vrrp_start(active, due_ns - S - 1),
			 0); /* due a moment before the Backup */
	put(wire_fd, 255, 51, 0, 0, 12);
	p = (struct pollfd){.fd = ha_vrrp_link_fd(l), .events = POLLIN};
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	r.log[0] = other.log[0] = 0;
	assert_int_equal(ha_vrrp_link_dispatch(l, due_ns), 0);
	ha_vrrp_link_stats(l, &s);
	assert_int_equal(s.received, 0);
	assert_string_equal(other.log, "send255");
	assert_true(ha_vrrp_link_deadline(l) <= due_ns);
	assert_int_equal(ha_vrrp_link_dispatch(l, due_ns), 0);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_BACKUP);
	assert_int_equal(ha_vrrp_link_remove(l, active), 0);
	ha_vrrp_free(active);
}

static void serves_timers_of_all_routers(void **state)
{
	up(AF_INET, 100);
	r.log[0] = 0;
	assert_true(ha_vrrp_link_deadline(l) == T0 + 3 * S + 609375000);
	ha_vrrp_link_dispatch(l, T0 + 3 * S + 609375000);
	assert_said(&r, "send100 up announce5 active");
	assert_int_equal(ha_vrrp_link_remove(l, r.v), 0);
	assert_int_equal(ha_vrrp_link_remove(l, r.v), -ENOENT);
	assert_true(ha_vrrp_link_deadline(l) == HA_VRRP_NEVER);
}

/* Calls that do not come from the link move deadlines, too. */
static void it_knows_each_deadline_whoever_moved_it(void **state)
{
	uint8_t frozen[HA_VRRP_FREEZE_SIZE];
	ssize_t len;

	up(AF_INET, 100);
#define SAME() assert_true(ha_vrrp_link_deadline(l) == ha_vrrp_deadline(r.v))
	ha_vrrp_set_priority(r.v, T0 + 1, 254);
	SAME();
	ha_vrrp_set_fault(r.v, T0 + 2, 1, true);
	SAME();
	assert_true(ha_vrrp_link_deadline(l) == HA_VRRP_NEVER);
	ha_vrrp_set_fault(r.v, T0 + 3, 1, false);
	SAME();
	len = ha_vrrp_freeze(r.v, frozen, sizeof(frozen));
	ha_vrrp_stop(r.v, T0 + 4);
	SAME();
	assert_int_equal(ha_vrrp_thaw(r.v, T0 + 5, 0, frozen, (size_t)len), 0);
	SAME();
	assert_true(ha_vrrp_link_deadline(l) != HA_VRRP_NEVER);
}

/* A group moves all its members: the link hears of each. */
static void it_knows_the_deadlines_of_a_group(void **state)
{
	struct ha_vrrp_group *g;
	struct ha_vrrp_opts o = rig_opts();
	struct ha_vrrp *second;

	up(AF_INET, 100);
	ha_vrrp_stop(r.v, T0 + 1);
	o.vrid = 52;
	assert_int_equal(ha_vrrp_new(&o, &rig_ops, &r, &second), 0);
	assert_int_equal(ha_vrrp_link_add(l, second), 0);
	assert_int_equal(ha_vrrp_group_new(NULL, NULL, &g), 0);
	assert_int_equal(ha_vrrp_group_add(g, r.v), 0);
	assert_int_equal(ha_vrrp_group_add(g, second), 0);
	assert_int_equal(ha_vrrp_group_start(g, T0 + 2), 0);
	SAME();
	ha_vrrp_set_fault(second, T0 + 3, 1, true);
	assert_true(ha_vrrp_link_deadline(l) == HA_VRRP_NEVER);
	ha_vrrp_set_fault(second, T0 + 4, 1, false);
	SAME();
	assert_true(ha_vrrp_link_deadline(l) != HA_VRRP_NEVER);
	ha_vrrp_group_free(g);
	assert_int_equal(ha_vrrp_link_remove(l, second), 0);
	ha_vrrp_free(second);
	SAME();
#undef SAME
}

/* ---- unicast without an interface, and VRIDs that are there twice ---- */

static int send_to(struct ha_vrrp *v, const struct ha_ip *to, const void *advert, size_t len,
		   void *userdata)
{
	return ha_vrrp_link_send(userdata, v, to, advert, len);
}

/* A unicast router of VRID 51 on a link of its own, which are freed by the caller. */
static void unicast(struct ha_vrrp_link_opts lo, const char *source, const char *peer,
		    uint8_t priority, struct ha_vrrp_link **ret_link, struct ha_vrrp **ret)
{
	struct ha_vrrp_opts o = rig_opts();
	const struct ha_vrrp_ops ops = {.size = sizeof(ops), .send = send_to};
	const struct ha_ip peers[] = {ip(peer)};

	lo.size = sizeof(lo);
	lo.family = AF_INET;
	lo.unicast_only = true;
	assert_int_equal(ha_vrrp_link_new(&lo, ret_link), 0);
	o.source = ip(source);
	o.peers = peers;
	o.n_peers = 1;
	o.priority = priority;
	assert_int_equal(ha_vrrp_new(&o, &ops, *ret_link, ret), 0);
	assert_int_equal(ha_vrrp_link_add(*ret_link, *ret), 0);
	assert_int_equal(ha_vrrp_start(*ret, T0), 0);
}

/* From 10.9.0.2 to 10.9.0.1, as unicast peers send. */
static void put_unicast(int fd)
{
	uint8_t f[128];
	const struct ha_ip here = ip("10.9.0.1");
	uint16_t sum;
	size_t n = make_frame(f, 255, 51, 0, 0, 12);
	static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 0x0a};

	memcpy(f, mac, 6);
	memcpy(f + 30, here.bytes, 4);
	f[24] = f[25] = f[40] = f[41] = 0;
	sum = slow_csum(f + 14, 20, 0);
	f[24] = (uint8_t)(sum >> 8);
	f[25] = (uint8_t)sum;
	sum = slow_csum(f + 34, 12, 0); /* the form of RFC 9568 over IPv4: without the addresses */
	f[40] = (uint8_t)(sum >> 8);
	f[41] = (uint8_t)sum;
	assert_int_equal(send(fd, f, n, 0), n);
}

static void without_an_interface_adverts_go_and_come_as_routing_has_it(void **state)
{
	struct ha_vrrp_link_opts lo = {0};
	struct ha_vrrp_announcement a = {.size = sizeof(a), .address = ip("10.9.0.100")};
	struct ha_vrrp_link_stats s = {.size = sizeof(s)};
	struct ha_vrrp_link *far;
	struct ha_vrrp *v;
	struct pollfd p;
	uint8_t f[128];

	(void)state;
	lo = (struct ha_vrrp_link_opts){.size = sizeof(lo), .family = AF_INET};
	assert_int_equal(ha_vrrp_link_new(&lo, &far), -EINVAL); /* a group is on an interface */
	lo.unicast_only = lo.sight = true;
	assert_int_equal(ha_vrrp_link_new(&lo, &far), -EINVAL);
	lo.sight = false;
	wire_fd = wire(THERE);
	beyond_fd = wire(BEYOND);
	run("ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:0b dev " HERE);
	unicast(lo, "10.9.0.1", "10.9.0.2", 255, &far, &v);
	assert_int_equal(next_frame(0x0800, 112, f, sizeof(f)), 14 + 20 + 12);
	assert_memory_equal(f + 14 + 12, ip("10.9.0.1").bytes, 4);
	assert_memory_equal(f + 14 + 16, ip("10.9.0.2").bytes, 4);
	put_unicast(wire_fd);
	p = (struct pollfd){.fd = ha_vrrp_link_fd(far), .events = POLLIN};
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(ha_vrrp_link_dispatch(far, T0 + 1), 0);
	ha_vrrp_link_stats(far, &s);
	assert_int_equal(s.received, 1);
	assert_int_equal(ha_vrrp_link_announce(far, &a), -EINVAL); /* where? */
	a.ifindex = if_nametoindex(HERE);
	assert_int_equal(ha_vrrp_link_announce(far, &a), 0);
	assert_int_equal(ha_vrrp_link_remove(far, v), 0);
	ha_vrrp_free(v);
	ha_vrrp_link_free(far);
}

/* Two routers of VRID 51, told apart by their peers: each hears its own. */
static void links_that_share_vrids_hear_what_is_addressed_to_them(void **state)
{
	const struct ha_vrrp_link_opts lo = {.ifindex = if_nametoindex(HERE), .shares_vrids = true};
	struct ha_vrrp_link *link[3];
	struct ha_vrrp *v[3];

	(void)state;
	wire_fd = wire(THERE);
	beyond_fd = wire(BEYOND);
	run("ip addr replace 10.9.0.11/24 dev " HERE);
	unicast(lo, "10.9.0.1", "10.9.0.2", 100, &link[0], &v[0]);
	unicast(lo, "10.9.0.1", "10.9.0.3", 100, &link[1], &v[1]);
	unicast(lo, "10.9.0.11", "10.9.0.2", 100, &link[2], &v[2]);
	put_unicast(wire_fd);
	for (int i = 0; i < 3; i++) {
		struct pollfd p = {.fd = ha_vrrp_link_fd(link[i]), .events = POLLIN};
		struct ha_vrrp_link_stats s = {.size = sizeof(s)};
		struct ha_vrrp_stats vs = {.size = sizeof(vs)};

		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		assert_int_equal(ha_vrrp_link_dispatch(link[i], T0 + 1), 0);
		ha_vrrp_link_stats(link[i], &s);
		ha_vrrp_stats(v[i], &vs);
		assert_int_equal(s.received, 1);
		assert_int_equal(s.elsewhere, i != 0);
		assert_int_equal(vs.adverts_received, i == 0);
		assert_int_equal(ha_vrrp_link_remove(link[i], v[i]), 0);
		ha_vrrp_free(v[i]);
		ha_vrrp_link_free(link[i]);
	}
	run("ip addr del 10.9.0.11/24 dev " HERE);
}

/* ---- the rest ---- */

static void the_source_is_the_first_address_that_is_not_virtual(void **state)
{
	const struct ha_ip mine = ip("10.9.0.1"), six = ip("fe80::1");
	struct ha_ip found;
	uint32_t ifindex = if_nametoindex(HERE);

	assert_int_equal(ha_vrrp_link_source(ifindex, AF_INET, NULL, 0, &found), 0);
	assert_int_equal(ha_ip_compare(&found, &mine), 0);
	assert_int_equal(ha_vrrp_link_source(ifindex, AF_INET, &mine, 1, &found), -EADDRNOTAVAIL);
	assert_int_equal(ha_vrrp_link_source(ifindex, AF_INET6, NULL, 0, &found), 0);
	assert_int_equal(ha_ip_compare(&found, &six), 0);
	assert_int_equal(ha_vrrp_link_source(4711, AF_INET, NULL, 0, &found), -ENODEV);
}

/* The C library tells an IPv4 address under its label, "eth0:mgmt". */
static void a_labelled_address_is_a_source_too(void **state)
{
	const struct ha_ip mine = ip("10.7.0.1");
	struct ha_ip found;

	run("ip link add vl-e type veth peer name vl-f && ip addr add 10.7.0.1/24 dev vl-e label "
	    "vl-e:mgmt");
	assert_int_equal(ha_vrrp_link_source(if_nametoindex("vl-e"), AF_INET, NULL, 0, &found), 0);
	assert_int_equal(ha_ip_compare(&found, &mine), 0);
	run("ip link del vl-e");
}

static void only_these_sockets_can_be_asked_for(void **state)
{
	const struct ha_vrrp_socket good = {
	    sizeof(good), HA_VRRP_SOCKET_ADVERT, AF_INET, 1, {0}, 0, 0};
	struct ha_vrrp_socket s;

	s = good, s.kind = HA_VRRP_SOCKET_SIGHT + 1;
	assert_int_equal(ha_vrrp_link_open_socket(&s), -EINVAL);
	s = good, s.family = AF_UNIX;
	assert_int_equal(ha_vrrp_link_open_socket(&s), -EINVAL);
	s = good, s.kind = HA_VRRP_SOCKET_AH, s.family = AF_INET6;
	assert_int_equal(ha_vrrp_link_open_socket(&s), -EINVAL);
	s = good, s.ifindex = 0, s.group = ip("224.0.0.18");
	assert_int_equal(ha_vrrp_link_open_socket(&s), -EINVAL);
	s = good, s.ifindex = 0, s.kind = HA_VRRP_SOCKET_SIGHT;
	assert_int_equal(ha_vrrp_link_open_socket(&s), -EINVAL);
	s = good, s.group = ip("ff02::12");
	assert_int_equal(ha_vrrp_link_open_socket(&s), -EINVAL);
	s = good, s.receive_buffer_bytes = UINT32_MAX;
	assert_int_equal(ha_vrrp_link_open_socket(&s), -EINVAL);
	s = good, s.ifindex = 4711;
	assert_int_equal(ha_vrrp_link_open_socket(&s), -ENXIO);
}

static void who_gets_the_announce_socket_cannot_listen_with_it(void **state)
{
	const struct ha_vrrp_socket want = {.size = sizeof(want), .kind = HA_VRRP_SOCKET_ANNOUNCE};
	const struct sockaddr_ll all = {.sll_family = AF_PACKET,
					.sll_protocol = htons(ETH_P_ALL),
					.sll_ifindex = (int)if_nametoindex(HERE)};
	const struct sockaddr_ll to = {.sll_family = AF_PACKET,
				       .sll_ifindex = (int)if_nametoindex(THERE)};
	int fd = ha_vrrp_link_open_socket(&want), off = 0;
	int there = socket(AF_PACKET, SOCK_RAW, 0);
	uint8_t frame[64] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	assert_true(fd >= 0 && there >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&all, sizeof(all)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof(off)), -1);
	assert_int_equal(
	    sendto(there, frame, sizeof(frame), 0, (const struct sockaddr *)&to, sizeof(to)),
	    sizeof(frame));
	usleep(100000);
	assert_int_equal(recv(fd, frame, sizeof(frame), MSG_DONTWAIT), -1);
	close(there);
	close(fd);
}

static int refuse(const struct ha_vrrp_socket *want, void *userdata)
{
	return -EPERM;
}

static void a_refused_socket_is_told(void **state)
{
	struct ha_vrrp_link_opts lo = {
	    .size = sizeof(lo), .family = AF_INET, .ifindex = 1, .open_socket = refuse};
	struct ha_vrrp_link *none = NULL;

	assert_int_equal(ha_vrrp_link_new(&lo, &none), -EPERM);
	assert_null(none);
	lo.ifindex = 0;
	assert_int_equal(ha_vrrp_link_new(&lo, &none), -EINVAL);
}

#define T(f) cmocka_unit_test_teardown(f, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(R1_R9_R10_an_advert_leaves_as_the_rfc_says),
	    T(R2_R8_an_ipv6_advert_leaves_as_the_rfc_says),
	    T(announcements_leave_from_the_mac_that_answers),
	    T(R3_the_ttl_of_the_packet_is_looked_at),
	    T(an_advert_that_waits_is_heard_before_the_down_timer),
	    T(a_stalled_active_hears_who_took_over_before_it_speaks),
	    T(ip_options_are_skipped),
	    T(a_fragment_and_a_stub_never_arrive_as_an_advert),
	    T(R14_R15_other_vrids_and_other_interfaces_are_not_ours),
	    T(our_own_adverts_are_not_heard),
	    T(one_dispatch_reads_a_bounded_number),
	    T(foreign_vrids_never_leave_the_kernel),
	    T(the_kernel_knows_which_vrids_are_of_use),
	    T(the_filter_knows_ipv6),
	    T(a_storm_of_input_delays_no_advert),
	    T(it_survives_its_interface_going_down),
	    T(only_an_active_on_time_speaks_before_it_listens),
	    T(serves_timers_of_all_routers),
	    T(it_knows_each_deadline_whoever_moved_it),
	    T(it_knows_the_deadlines_of_a_group),
	    T(without_an_interface_adverts_go_and_come_as_routing_has_it),
	    T(links_that_share_vrids_hear_what_is_addressed_to_them),
	    cmocka_unit_test(the_source_is_the_first_address_that_is_not_virtual),
	    cmocka_unit_test(a_labelled_address_is_a_source_too),
	    cmocka_unit_test(only_these_sockets_can_be_asked_for),
	    cmocka_unit_test(who_gets_the_announce_socket_cannot_listen_with_it),
	    cmocka_unit_test(a_refused_socket_is_told),
	};

	if (!in_a_namespace())
		return 77;
	return cmocka_run_group_tests_name("vrrp/link", tests, make_place, NULL);
}
