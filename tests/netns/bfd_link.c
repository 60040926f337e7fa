/* SPDX-License-Identifier: MIT */
/* The Linux link of BFD on a veth pair: what leaves, frame by frame, and whose packet is it. */
#include "../unit/libha/bfd/rig.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libha/bfd_link.h>

#define HERE "bl-a"  /* the link is here */
#define THERE "bl-b" /* frames are seen and packets made here, in the same namespace */
#define PATIENCE_MS 30000

static struct rig r, other;
static struct ha_bfd_link *l;
static int wire_fd = -1;

static void run(const char *command)
{
	if (system(command)) {
		print_error("failed: %s\n", command);
		fail();
	}
}

/* The next IP datagram that the link sent, without its Ethernet header. */
static size_t next_datagram(uint8_t version, uint8_t *ip_packet, size_t cap)
{
	for (;;) {
		struct pollfd p = {.fd = wire_fd, .events = POLLIN};
		struct sockaddr_ll from;
		socklen_t from_len = sizeof(from);
		ssize_t n;

		if (poll(&p, 1, PATIENCE_MS) < 1) {
			fail_msg("no such datagram");
			return 0;
		}
		n = recvfrom(wire_fd, ip_packet, cap, 0, (struct sockaddr *)&from, &from_len);
		if (n < 20 || from.sll_pkttype == PACKET_OUTGOING || ip_packet[0] >> 4 != version ||
		    ip_packet[version == 6 ? 6 : 9] != 17)
			continue;
		return (size_t)n;
	}
}

static int link_send(struct ha_bfd *s, const void *pkt, size_t len, void *userdata)
{
	rig_send(s, pkt, len, userdata);
	return ha_bfd_link_send(l, s, pkt, len);
}

static void add(struct rig *rig, const struct ha_bfd_opts *o)
{
	struct ha_bfd_ops ops = rig_ops;

	ops.send = link_send;
	memset(rig, 0, sizeof(*rig));
	assert_null(ha_bfd_check(o));
	assert_int_equal(ha_bfd_new(o, &ops, rig, &rig->s), 0);
	assert_int_equal(ha_bfd_link_add(l, rig->s), 0);
}

static void open_link(uint8_t family, bool multihop)
{
	struct ha_bfd_link_opts lo = {.size = sizeof(lo), .family = family, .multihop = multihop};
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(3 /* all */)};

	lo.ifindex = multihop ? 0 : if_nametoindex(HERE);
	assert_int_equal(ha_bfd_link_new(&lo, &l), 0);
	wire_fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, 0); /* hears nothing until it is bound, and other links never */
	at.sll_ifindex = (int)if_nametoindex(THERE);
	assert_int_equal(bind(wire_fd, (struct sockaddr *)&at, sizeof(at)), 0);
}

static struct ha_bfd_opts opts6(void)
{
	struct ha_bfd_opts o = rig_opts();

	o.family = AF_INET6;
	o.local = ip("fe80::1");
	o.peer = ip("fe80::2");
	return o;
}

static int down(void **state)
{
	ha_bfd_link_free(l);
	l = NULL;
	rig_down(&r);
	rig_down(&other);
	if (wire_fd >= 0)
		close(wire_fd);
	wire_fd = -1;
	return 0;
}

/* ---- what leaves ---- */

static void a_packet_leaves_as_rfc_5881_says(void **state)
{
	struct ha_bfd_opts o = rig_opts();
	uint16_t port = 0;
	uint8_t p[128];

	open_link(AF_INET, false);
	add(&r, &o);
	assert_int_equal(ha_bfd_start(r.s, T0), 0);
	assert_int_equal(next_datagram(4, p, sizeof(p)), 20 + 8 + 24);
	assert_int_equal(p[1], 0xc0); /* TOS */
	assert_int_equal(p[8], 255);  /* section 5 */
	assert_memory_equal(p + 12, ip("10.9.0.1").bytes, 4);
	assert_memory_equal(p + 16, ip("10.9.0.2").bytes, 4);
	assert_int_equal(p[22] << 8 | p[23], 3784); /* section 4 */
	assert_int_equal(ha_bfd_link_source_port(l, r.s, &port), 0);
	assert_true(port >= 49152);
	assert_int_equal(p[20] << 8 | p[21], port);
	assert_memory_equal(p + 28, r.sent, 24);
	ha_bfd_link_dispatch(l, T0 + 10 * S); /* the same port for all of a session */
	assert_int_equal(next_datagram(4, p, sizeof(p)), 52);
	assert_int_equal(p[20] << 8 | p[21], port);

	o.discriminator++; /* another one for another session */
	o.peer = ip("10.9.0.3");
	add(&other, &o);
	assert_int_equal(ha_bfd_link_source_port(l, other.s, &port), 0);
	assert_true(port >= 49152 && port != (p[20] << 8 | p[21]));
}

static void the_source_port_of_the_old_process_can_be_had(void **state)
{
	struct ha_bfd_opts o = rig_opts();
	uint16_t port = 0;

	o.source_port = 50123;
	open_link(AF_INET, false);
	add(&r, &o);
	assert_int_equal(ha_bfd_link_source_port(l, r.s, &port), 0);
	assert_int_equal(port, 50123);
}

static void an_ipv6_packet_leaves_from_and_to_link_local_addresses(void **state)
{
	struct ha_bfd_opts o = opts6();
	uint8_t p[128];

	open_link(AF_INET6, false);
	add(&r, &o);
	assert_int_equal(ha_bfd_start(r.s, T0), 0);
	assert_int_equal(next_datagram(6, p, sizeof(p)), 40 + 8 + 24);
	assert_int_equal((p[0] & 0xf) << 4 | p[1] >> 4, 0xc0);
	assert_int_equal(p[7], 255);
	assert_memory_equal(p + 8, ip("fe80::1").bytes, 16);
	assert_memory_equal(p + 24, ip("fe80::2").bytes, 16);
	assert_int_equal(p[42] << 8 | p[43], 3784);
	assert_int_not_equal(p[46] << 8 | p[47], 0); /* IPv6 has a checksum */
}

static void several_hops_have_another_port(void **state)
{
	struct ha_bfd_opts o = rig_opts();
	uint8_t p[128];

	o.multihop = true;
	open_link(AF_INET, true);
	add(&r, &o);
	assert_int_equal(ha_bfd_start(r.s, T0), 0);
	assert_int_equal(next_datagram(4, p, sizeof(p)), 52);
	assert_int_equal(p[22] << 8 | p[23], 4784); /* RFC 5883 section 5 */
	assert_int_equal(p[8], 255);
}

/* ---- what is let in ---- */

static uint16_t fold(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* A frame from the other end, with a UDP checksum of 0: none. */
static void put(const struct peer *from, const char *source, const char *destination, uint8_t ttl,
		uint16_t port)
{
	static const uint8_t ether[14] = {0x02, 0, 0, 0, 0, 0x0a, 0x02, 0, 0, 0, 0, 0x0b, 0x08, 0};
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_halen = 6};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	uint8_t f[512] = {0};
	size_t udp = 8 + from->len, total = 20 + udp;
	uint16_t sum;

	memcpy(f, ether, 14);
	f[14] = 0x45;
	f[16] = (uint8_t)(total >> 8);
	f[17] = (uint8_t)total;
	f[22] = ttl;
	f[23] = 17;
	memcpy(f + 26, ip(source).bytes, 4);
	memcpy(f + 30, ip(destination).bytes, 4);
	sum = fold(f + 14, 20, 0);
	f[24] = (uint8_t)(sum >> 8);
	f[25] = (uint8_t)sum;
	f[34] = 0xc1; /* source port */
	f[36] = (uint8_t)(port >> 8);
	f[37] = (uint8_t)port;
	f[38] = (uint8_t)(udp >> 8);
	f[39] = (uint8_t)udp;
	memcpy(f + 42, from->pkt, from->len < sizeof(from->pkt) ? from->len : sizeof(from->pkt));
	to.sll_ifindex = (int)if_nametoindex(THERE);
	memcpy(to.sll_addr, f, 6);
	assert_true(fd >= 0);
	assert_int_equal(sendto(fd, f, 14 + total, 0, (struct sockaddr *)&to, sizeof(to)),
			 14 + total);
	close(fd);
}

/* Dispatches until so many packets were read. */
static struct ha_bfd_link_stats hear_until(uint64_t received)
{
	struct ha_bfd_link_stats s = {.size = sizeof(s)};
	struct pollfd p = {.fd = ha_bfd_link_fd(l), .events = POLLIN};

	r.log[0] = other.log[0] = 0;
	do {
		assert_int_equal(ha_bfd_link_dispatch(l, T0 + 1), 0);
		ha_bfd_link_stats(l, &s);
	} while (s.received < received && poll(&p, 1, PATIENCE_MS) > 0);
	assert_int_equal(s.received, received);
	return s;
}

static void the_ttl_is_looked_at(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	const struct peer p = peer_make(HA_BFD_DOWN, 0, 0);

	open_link(AF_INET, false);
	add(&r, &o);
	ha_bfd_start(r.s, T0);
	put(&p, "10.9.0.2", "10.9.0.1", 254, 3784);
	hear_until(1);
	assert_said(&r, "drop(ttl)");
	put(&p, "10.9.0.2", "10.9.0.1", 255, 3784);
	hear_until(2);
	assert_said(&r, "tx:init =init");
}

static void the_session_is_found_by_discriminator_or_by_address(void **state)
{
	struct ha_bfd_opts o = rig_opts(), o2 = rig_opts();
	struct peer p = peer_make(HA_BFD_DOWN, 0, 0);
	struct ha_bfd_link_stats s;

	o2.discriminator = OURS + 1;
	o2.peer = ip("10.9.0.3");
	open_link(AF_INET, false);
	add(&r, &o);
	add(&other, &o2);
	ha_bfd_start(r.s, T0);
	ha_bfd_start(other.s, T0);
	put(&p, "10.9.0.3", "10.9.0.1", 255, 3784);
	hear_until(1);
	assert_said(&r, "");
	assert_said(&other, "tx:init =init");
	put(&p, "10.9.0.4", "10.9.0.1", 255, 3784);
	s = hear_until(2);
	assert_int_equal(s.unknown_address, 1);
	be32_put(p.pkt + 8, OURS + 7);
	put(&p, "10.9.0.2", "10.9.0.1", 255, 3784);
	s = hear_until(3);
	assert_int_equal(s.unknown_discriminator, 1);
	be32_put(p.pkt + 8, OURS);
	put(&p, "10.9.0.77", "10.9.0.1", 255, 3784); /* RFC 5880 section 6.3 */
	hear_until(4);
	assert_said(&r, "tx:init =init");
	p.len = 3;
	put(&p, "10.9.0.2", "10.9.0.1", 255, 3784); /* too short for a discriminator */
	hear_until(5);
	assert_said(&r, "drop(length)");
	p.len = 300;
	put(&p, "10.9.0.2", "10.9.0.1", 255, 3784);
	s = hear_until(6);
	assert_int_equal(s.no_meta, 1);
}

static void several_hops_are_told_apart_by_both_addresses(void **state)
{
	struct ha_bfd_opts o = rig_opts(), o2 = rig_opts();
	const struct peer p = peer_make(HA_BFD_DOWN, 0, 0);

	o.multihop = o2.multihop = true;
	o2.discriminator = OURS + 1;
	o2.local = ip("10.9.0.11");
	open_link(AF_INET, true);
	add(&r, &o);
	add(&other, &o2);
	ha_bfd_start(r.s, T0);
	ha_bfd_start(other.s, T0);
	put(&p, "10.9.0.2", "10.9.0.11", 17, 4784);
	hear_until(1);
	assert_said(&r, "");
	assert_said(&other, "tx:init =init");
	put(&p, "10.9.0.2", "10.9.0.1", 17, 4784);
	hear_until(2);
	assert_said(&r, "tx:init =init");
}

static void a_point_to_point_session_takes_what_comes(void **state)
{
	struct ha_bfd_opts o = rig_opts(), o2 = rig_opts();
	const struct peer p = peer_make(HA_BFD_DOWN, 0, 0);
	struct ha_bfd *second;

	o.point_to_point = true;
	open_link(AF_INET, false);
	add(&r, &o);
	ha_bfd_start(r.s, T0);
	put(&p, "10.9.0.99", "10.9.0.1", 255, 3784);
	hear_until(1);
	assert_said(&r, "tx:init =init");
	o2.discriminator++;
	o2.peer = ip("10.9.0.3");
	assert_int_equal(ha_bfd_new(&o2, &rig_ops, NULL, &second), 0);
	assert_int_equal(ha_bfd_link_add(l, second), -EEXIST);
	ha_bfd_free(second);
}

static void one_dispatch_reads_a_bounded_number(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct ha_bfd_link_stats s = {.size = sizeof(s)};
	struct peer p = peer_make(HA_BFD_UP, 0, OURS + 5);

	open_link(AF_INET, false);
	add(&r, &o);
	for (int i = 0; i < HA_BFD_LINK_BATCH + 10; i++)
		put(&p, "10.9.0.2", "10.9.0.1", 255, 3784);
	usleep(50000);
	assert_int_equal(ha_bfd_link_dispatch(l, T0), 0);
	ha_bfd_link_stats(l, &s);
	assert_in_range(s.received, 1,
			HA_BFD_LINK_BATCH); /* fewer when the kernel's buffer is small */
}

/* A stall longer than the Detection Time: the packet that would have kept the session is there. */
static void a_packet_that_waits_is_heard_before_the_detection_timer(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_INIT, 0, OURS);
	struct pollfd waits;

	open_link(AF_INET, false);
	add(&r, &o);
	ha_bfd_start(r.s, T0);
	put(&p, "10.9.0.2", "10.9.0.1", 255, 3784);
	hear_until(1);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_UP);
	put(&p, "10.9.0.2", "10.9.0.1", 255, 3784);
	waits = (struct pollfd){.fd = ha_bfd_link_fd(l), .events = POLLIN};
	assert_int_equal(poll(&waits, 1, PATIENCE_MS), 1);
	assert_int_equal(ha_bfd_link_dispatch(l, T0 + 5 * S), 0);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_UP);
	assert_int_equal(ha_bfd_link_dispatch(l, T0 + 6 * S), 0);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_DOWN);
}

/* ---- the link itself ---- */

static void a_session_changed_from_outside_moves_the_deadline(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	const struct ha_bfd_timers t = {.size = sizeof(t), .desired_min_tx_us = 5000000};

	open_link(AF_INET, false);
	add(&r, &o);
	assert_true(ha_bfd_link_deadline(l) == HA_BFD_NEVER);
	ha_bfd_start(r.s, T0);
	assert_true(ha_bfd_link_deadline(l) == ha_bfd_deadline(r.s));
	ha_bfd_set_timers(r.s, T0, &t);
	assert_true(ha_bfd_link_deadline(l) == ha_bfd_deadline(r.s));
	assert_true(ha_bfd_link_deadline(l) > T0 + S);
	ha_bfd_stop(r.s, T0);
	assert_true(ha_bfd_link_deadline(l) == HA_BFD_NEVER);
	assert_int_equal(ha_bfd_link_remove(l, r.s), 0);
	assert_int_equal(ha_bfd_link_remove(l, r.s), -ENOENT);
	assert_int_equal(ha_bfd_link_send(l, r.s, "", 0), -ENOENT);
}

static void what_does_not_belong_into_the_link_is_refused(void **state)
{
	struct ha_bfd_opts o = rig_opts();
	struct ha_bfd_link_opts lo = {.size = sizeof(lo), .family = AF_INET};
	struct ha_bfd_link *second = NULL;
	struct ha_bfd *s;

	open_link(AF_INET, false);
	add(&r, &o);
	assert_int_equal(ha_bfd_link_add(l, r.s), -EALREADY);
	assert_int_equal(ha_bfd_new(&o, &rig_ops, NULL, &s), 0); /* the same discriminator */
	assert_int_equal(ha_bfd_link_add(l, s), -EEXIST);
	ha_bfd_free(s);
	o.discriminator++; /* the same neighbour */
	assert_int_equal(ha_bfd_new(&o, &rig_ops, NULL, &s), 0);
	assert_int_equal(ha_bfd_link_add(l, s), -EEXIST);
	ha_bfd_free(s);
	o.peer = ip("10.9.0.3");
	o.local = ip("10.77.0.1"); /* not here */
	assert_int_equal(ha_bfd_new(&o, &rig_ops, NULL, &s), 0);
	assert_int_equal(ha_bfd_link_add(l, s), -EADDRNOTAVAIL);
	ha_bfd_free(s);
	o.local = ip("10.9.0.1");
	o.multihop = true;
	assert_int_equal(ha_bfd_new(&o, &rig_ops, NULL, &s), 0);
	assert_int_equal(ha_bfd_link_add(l, s), -EINVAL);
	ha_bfd_free(s);

	lo.ifindex = if_nametoindex(HERE); /* one receiver for an interface */
	assert_int_equal(ha_bfd_link_new(&lo, &second), -EADDRINUSE);
	lo.ifindex = if_nametoindex(THERE);
	assert_int_equal(ha_bfd_link_new(&lo, &second), 0);
	ha_bfd_link_free(second);
	lo.ifindex = 0;
	assert_int_equal(ha_bfd_link_new(&lo, &second), -EINVAL);
	lo.ifindex = 4711;
	assert_int_equal(ha_bfd_link_new(&lo, &second), -ENXIO);
}

static void what_is_drawn_is_new(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct ha_bfd_opts a = {.size = sizeof(a)}, b = a, c = {.discriminator = 5, .seed = 6};

	open_link(AF_INET, false);
	add(&r, &o);
	assert_int_equal(ha_bfd_link_draw(l, &a), 0);
	assert_int_equal(ha_bfd_link_draw(l, &b), 0);
	assert_int_equal(ha_bfd_link_draw(l, &c), 0);
	assert_true(a.discriminator && a.discriminator != b.discriminator && a.seed != b.seed);
	assert_true(c.discriminator == 5 && c.seed == 6);
}

static void only_the_two_sockets_can_be_asked_for(void **state)
{
	const struct ha_bfd_socket receive = {.size = sizeof(receive),
					      .kind = HA_BFD_SOCKET_RECEIVE,
					      .family = AF_INET,
					      .ifindex = 1};
	struct ha_bfd_socket send = receive, s;

	send.kind = HA_BFD_SOCKET_SEND;
	send.peer = ip("127.0.0.1");
	s = receive, s.kind = 3;
	assert_int_equal(ha_bfd_link_open_socket(&s), -EINVAL);
	s = receive, s.family = AF_UNIX;
	assert_int_equal(ha_bfd_link_open_socket(&s), -EINVAL);
	s = receive, s.ifindex = 0;
	assert_int_equal(ha_bfd_link_open_socket(&s), -EINVAL);
	s = receive, s.multihop = 2;
	assert_int_equal(ha_bfd_link_open_socket(&s), -EINVAL);
	s = receive, s.receive_buffer_bytes = UINT32_MAX;
	assert_int_equal(ha_bfd_link_open_socket(&s), -EINVAL);
	s = send, s.peer = ip("::1");
	assert_int_equal(ha_bfd_link_open_socket(&s), -EINVAL);
	s = send, s.local = ip("::1");
	assert_int_equal(ha_bfd_link_open_socket(&s), -EINVAL);
	s = send, s.source_port = 53;
	assert_int_equal(ha_bfd_link_open_socket(&s), -EINVAL);
}

static int refuse(const struct ha_bfd_socket *want, void *userdata)
{
	assert_int_equal(want->kind, HA_BFD_SOCKET_RECEIVE);
	return -EPERM;
}

static void a_refused_socket_is_told(void **state)
{
	struct ha_bfd_link_opts lo = {
	    .size = sizeof(lo), .family = AF_INET, .ifindex = 1, .open_socket = refuse};
	struct ha_bfd_link *none = NULL;

	assert_int_equal(ha_bfd_link_new(&lo, &none), -EPERM);
	assert_null(none);
}

static unsigned asked[3];

static int open_there(const struct ha_bfd_socket *want, void *userdata)
{
	assert_in_range(want->kind, HA_BFD_SOCKET_RECEIVE, HA_BFD_SOCKET_SEND);
	asked[want->kind]++;
	return ha_bfd_link_open_socket(want);
}

static void both_kinds_of_sockets_can_come_from_elsewhere(void **state)
{
	struct ha_bfd_link_opts lo = {
	    .size = sizeof(lo), .family = AF_INET, .open_socket = open_there};
	const struct ha_bfd_opts o = rig_opts();
	struct ha_bfd *s;

	lo.ifindex = if_nametoindex(HERE);
	assert_int_equal(ha_bfd_link_new(&lo, &l), 0);
	assert_int_equal(ha_bfd_new(&o, &rig_ops, &r, &s), 0);
	r.s = s;
	assert_int_equal(ha_bfd_link_add(l, s), 0);
	assert_int_equal(asked[HA_BFD_SOCKET_RECEIVE], 1);
	assert_int_equal(asked[HA_BFD_SOCKET_SEND], 1);
}

/* What bfd_link.h says of Linux 5.7 and later. */
static void no_privilege_is_needed(void **state)
{
	struct ha_bfd_link_opts lo = {.size = sizeof(lo), .family = AF_INET};
	const struct ha_bfd_opts o = rig_opts();
	int status = 1;
	pid_t child;

	lo.ifindex = if_nametoindex(HERE);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		if (ha_bfd_link_new(&lo, &l) < 0 || ha_bfd_new(&o, &rig_ops, &r, &r.s) < 0 ||
		    ha_bfd_link_add(l, r.s) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Another process in all but name: new sockets, a new session, the old state. */
static void a_thawed_session_goes_on_from_its_port(void **state)
{
	struct ha_bfd_opts o = rig_opts();
	uint8_t cold[HA_BFD_FREEZE_SIZE], p[128];
	struct peer peer = peer_make(HA_BFD_INIT, 0, OURS);
	uint16_t port = 0;
	ssize_t n;

	open_link(AF_INET, false);
	add(&r, &o);
	ha_bfd_start(r.s, T0);
	put(&peer, "10.9.0.2", "10.9.0.1", 255, 3784);
	hear_until(1);
	assert_int_equal(ha_bfd_link_source_port(l, r.s, &port), 0);
	n = ha_bfd_freeze(r.s, cold, sizeof(cold));
	assert_true(n > 0);
	down(NULL);

	o.source_port = port;
	open_link(AF_INET, false);
	add(&r, &o);
	assert_int_equal(ha_bfd_thaw(r.s, T0 + MS, cold, (size_t)n), 0);
	assert_true(ha_bfd_link_deadline(l) == ha_bfd_deadline(r.s));
	assert_int_equal(ha_bfd_link_dispatch(l, T0 + 100 * MS), 0);
	assert_int_equal(next_datagram(4, p, sizeof(p)), 52);
	assert_int_equal(p[20] << 8 | p[21], port);
	assert_int_equal(p[29] >> 6, HA_BFD_UP);
	assert_int_equal(be32_at(p + 36), THEIRS);
}

static void it_survives_its_interface_going_down(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	uint8_t p[128];

	open_link(AF_INET, false);
	add(&r, &o);
	ha_bfd_start(r.s, T0);
	assert_int_equal(next_datagram(4, p, sizeof(p)), 52);
	run("ip link set " HERE " down");
	ha_bfd_link_dispatch(l, T0); /* may say -ENETDOWN, once */
	r.log[0] = 0;
	assert_int_equal(ha_bfd_link_dispatch(l, T0 + S), 0);
	assert_said(&r, "tx:down remark(sending failed)");
	run("ip link set " HERE " up && ip addr replace fe80::1/64 dev " HERE " nodad");
	run("ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:0b dev " HERE);
	run("ip neigh replace 10.9.0.3 lladdr 02:00:00:00:00:0b dev " HERE);
	run("ip neigh replace fe80::2 lladdr 02:00:00:00:00:0b dev " HERE);
	/* The carrier comes back some time after the command; until then nothing gets through. */
	for (unsigned i = 2; i < 50; i++) {
		struct pollfd waits = {.fd = wire_fd, .events = POLLIN};

		assert_int_equal(ha_bfd_link_dispatch(l, T0 + i * S), 0);
		if (poll(&waits, 1, 100) == 1)
			break;
	}
	assert_int_equal(next_datagram(4, p, sizeof(p)), 52);
}

static int make_place(void **state)
{
	run("ip link set lo up");
	run("ip link add " HERE " address 02:00:00:00:00:0a type veth peer name " THERE);
	run("ip link set " HERE " addrgenmode none");
	run("ip addr add 10.9.0.1/24 dev " HERE " && ip addr add 10.9.0.11/24 dev " HERE);
	run("ip addr add fe80::1/64 dev " HERE " nodad");
	run("ip link set " HERE " up && ip link set " THERE " up");
	for (int i = 2; i < 5; i++) {
		char command[128];

		snprintf(command, sizeof(command),
			 "ip neigh add 10.9.0.%d lladdr 02:00:00:00:00:0b dev " HERE, i);
		run(command);
	}
	run("ip neigh add fe80::2 lladdr 02:00:00:00:00:0b dev " HERE);
	run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf." HERE ".rp_filter=0");
	return 0;
}

#define T(f) cmocka_unit_test_teardown(f, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_packet_leaves_as_rfc_5881_says),
	    T(the_source_port_of_the_old_process_can_be_had),
	    T(an_ipv6_packet_leaves_from_and_to_link_local_addresses),
	    T(several_hops_have_another_port),
	    T(the_ttl_is_looked_at),
	    T(the_session_is_found_by_discriminator_or_by_address),
	    T(several_hops_are_told_apart_by_both_addresses),
	    T(a_point_to_point_session_takes_what_comes),
	    T(one_dispatch_reads_a_bounded_number),
	    T(a_packet_that_waits_is_heard_before_the_detection_timer),
	    T(a_session_changed_from_outside_moves_the_deadline),
	    T(what_does_not_belong_into_the_link_is_refused),
	    T(what_is_drawn_is_new),
	    cmocka_unit_test(only_the_two_sockets_can_be_asked_for),
	    cmocka_unit_test(a_refused_socket_is_told),
	    T(both_kinds_of_sockets_can_come_from_elsewhere),
	    cmocka_unit_test(no_privilege_is_needed),
	    T(a_thawed_session_goes_on_from_its_port),
	    T(it_survives_its_interface_going_down),
	};

	if (unshare(CLONE_NEWNET) < 0) {
		printf("skipped: needs root to make a network namespace: %s\n", strerror(errno));
		return 77;
	}
	return cmocka_run_group_tests_name("bfd/link", tests, make_place, NULL);
}
