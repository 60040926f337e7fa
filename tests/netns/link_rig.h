/* SPDX-License-Identifier: MIT */
/* A link on one end of a veth pair, in a network namespace of its own; frames are seen and made at the other. */
#ifndef NETNS_LINK_RIG_H
#define NETNS_LINK_RIG_H

#include "../unit/libha/vrrp/rig.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include <libha/vrrp_link.h>

#define HERE "vl-a"  /* the link is here */
#define THERE "vl-b" /* frames are seen and made here */
#define ELSEWHERE "vl-c"
#define BEYOND "vl-d"
#define PATIENCE_MS 30000

static struct rig r;
static struct ha_vrrp_link *l;
static int wire_fd = -1, beyond_fd = -1;
static struct ha_vrrp_link_opts next_link; /* what the next one is made with */

static inline void run(const char *command)
{
	if (system(command)) {
		print_error("failed: %s\n", command);
		fail();
	}
}

static inline int wire(const char *name)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(3 /* all */)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0); /* hears nothing until it is bound, and other links never */

	at.sll_ifindex = (int)if_nametoindex(name);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* The next frame from the link that has this ethertype, what we sent ourselves left out. */
static inline size_t next_frame(uint16_t ethertype, uint8_t protocol, uint8_t *frame, size_t cap)
{
	for (;;) {
		struct pollfd p = {.fd = wire_fd, .events = POLLIN};
		struct sockaddr_ll from;
		socklen_t from_len = sizeof(from);
		ssize_t n;

		if (poll(&p, 1, PATIENCE_MS) < 1) {
			fail_msg("no such frame");
			return 0;
		}
		n = recvfrom(wire_fd, frame, cap, 0, (struct sockaddr *)&from, &from_len);
		if (n < 14 || from.sll_pkttype == PACKET_OUTGOING ||
		    (frame[12] << 8 | frame[13]) != ethertype)
			continue;
		if (ethertype == 0x0800 && frame[23] != protocol)
			continue;
		if (ethertype == 0x86dd && frame[20] != protocol)
			continue;
		return (size_t)n;
	}
}

static inline int link_send(struct ha_vrrp *v, const struct ha_ip *to, const void *advert,
			    size_t len, void *userdata)
{
	rig_send(v, to, advert, len, userdata);
	return ha_vrrp_link_send(l, v, to, advert, len);
}

static inline void up(uint8_t family, uint8_t priority)
{
	struct ha_vrrp_link_opts lo = next_link;
	struct ha_vrrp_opts o = rig_opts();
	struct ha_vrrp_ops ops = rig_ops;
	const struct ha_ip six = ip("fe80::100");

	memset(&r, 0, sizeof(r));
	lo.size = sizeof(lo);
	lo.family = family;
	lo.ifindex = if_nametoindex(HERE);
	assert_int_equal(ha_vrrp_link_new(&lo, &l), 0);
	o.priority = priority;
	o.family = family;
	if (family == AF_INET6)
		o.addresses = &six;
	assert_int_equal(ha_vrrp_link_source(lo.ifindex, family, o.addresses, 1, &o.source), 0);
	ops.send = link_send;
	assert_int_equal(ha_vrrp_new(&o, &ops, &r, &r.v), 0);
	assert_int_equal(ha_vrrp_link_add(l, r.v), 0);
	assert_int_equal(ha_vrrp_link_add(l, r.v), -EEXIST);
	wire_fd = wire(THERE);
	beyond_fd = wire(BEYOND);
	assert_int_equal(ha_vrrp_start(r.v, T0), 0);
}

static inline int down(void **state)
{
	ha_vrrp_link_free(l);
	l = NULL;
	next_link = (struct ha_vrrp_link_opts){0};
	rig_down(&r);
	close(wire_fd);
	close(beyond_fd);
	return 0;
}

static inline int make_place(void **state)
{
	run("ip link set lo up");
	run("ip link add " HERE " address 02:00:00:00:00:0a type veth peer name " THERE);
	run("ip link add " ELSEWHERE " type veth peer name " BEYOND);
	run("ip link set " HERE " addrgenmode none");
	run("ip addr add 10.9.0.1/24 dev " HERE " && ip addr add 10.8.0.1/24 dev " ELSEWHERE);
	run("ip addr add fe80::1/64 dev " HERE " nodad");
	for (int i = 'a'; i <= 'd'; i++) {
		char command[64];

		snprintf(command, sizeof(command), "ip link set vl-%c up", i);
		run(command);
	}
	return 0;
}

/* Whether the test can run here at all. */
static inline bool in_a_namespace(void)
{
	if (unshare(CLONE_NEWNET) == 0)
		return true;
	printf("skipped: needs root to make a network namespace: %s\n", strerror(errno));
	return false;
}

#endif
