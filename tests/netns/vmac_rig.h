/* SPDX-License-Identifier: MIT */
/*
 * A router's interface and its wire: what leaves is seen frame by frame, and the neighbours are frames
 * made by hand. vrrp_vmac.c and vrrp_accept.c are the tests.
 */
#ifndef TEST_VMAC_RIG_H
#define TEST_VMAC_RIG_H

#include "../unit/libha/vrrp/rig.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <libha/net.h>
#include <libha/vrrp_link.h>
#include <libha/vrrp_vmac.h>

#define HERE "vm-a"  /* the router's interface */
#define THERE "vm-b" /* its wire */
#define ELSEWHERE "vm-c"
#define BEYOND "vm-d"
#define QUIET_MS 300 /* so long nothing comes: then nothing will */
#define PATIENCE_MS 30000

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 0x0a}, client_mac[6] = {2, 0, 0, 0, 0, 0x99},
		     everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t echo_reply = 0, redirect = 5, advertisement = 136, solicitation = 135,
		     echo_reply6 = 129, router_advertisement = 134;
static struct ha_net *net;
static int wire_fd = -1, beyond_fd = -1;

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

/* ---- the wire ---- */

struct frame {
	uint8_t b[1514];
	size_t len;
};

typedef bool frame_fn(const struct frame *f, const void *what);

/* The next frame from the router that is wanted. False: none came in `ms`. */
static inline bool see(int fd, int ms, frame_fn *wanted, const void *what, struct frame *ret)
{
	struct timespec t;
	int64_t until, now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	until = t.tv_sec * 1000 + t.tv_nsec / 1000000 + ms;
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		struct sockaddr_ll from;
		socklen_t from_len = sizeof(from);
		ssize_t n;

		clock_gettime(CLOCK_MONOTONIC, &t);
		now = t.tv_sec * 1000 + t.tv_nsec / 1000000;
		if (poll(&p, 1, until > now ? (int)(until - now) : 0) < 1)
			return false;
		n = recvfrom(fd, ret->b, sizeof(ret->b), 0, (struct sockaddr *)&from, &from_len);
		if (n < 14 || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		ret->len = (size_t)n;
		if (wanted(ret, what))
			return true;
	}
}

static inline void forget(void)
{
	struct frame f;

	while (recv(wire_fd, f.b, sizeof(f.b), MSG_DONTWAIT) > 0)
		;
	while (recv(beyond_fd, f.b, sizeof(f.b), MSG_DONTWAIT) > 0)
		;
}

static inline uint16_t type_of(const struct frame *f)
{
	return (uint16_t)(f->b[12] << 8 | f->b[13]);
}

static inline bool is_from(const struct frame *f, const void *mac)
{
	return !memcmp(f->b + 6, mac, 6);
}

static inline bool is_arp_reply(const struct frame *f, const void *address)
{
	return type_of(f) == 0x0806 && f->b[21] == 2 && !memcmp(f->b + 28, address, 4);
}

static inline bool is_arp_request(const struct frame *f, const void *target)
{
	return type_of(f) == 0x0806 && f->b[21] == 1 && !memcmp(f->b + 38, target, 4);
}

static inline bool is_icmp(const struct frame *f, const void *type)
{
	return type_of(f) == 0x0800 && f->b[23] == 1 && f->b[34] == *(const uint8_t *)type;
}

static inline bool is_icmp6(const struct frame *f, const void *type)
{
	return type_of(f) == 0x86dd && f->b[20] == 58 && f->b[54] == *(const uint8_t *)type;
}

static inline void put(const struct frame *f)
{
	assert_int_equal(send(wire_fd, f->b, f->len, 0), (ssize_t)f->len);
}

static inline void put_arp_request(const uint8_t to[6], const struct ha_ip *target)
{
	struct frame f = {.len = 42};
	const struct ha_ip client = ip("10.9.0.9");

	memcpy(f.b, to, 6);
	memcpy(f.b + 6, client_mac, 6);
	memcpy(f.b + 12, (const uint8_t[]){8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, 10);
	memcpy(f.b + 22, client_mac, 6);
	memcpy(f.b + 28, client.bytes, 4);
	memcpy(f.b + 38, target->bytes, 4);
	put(&f);
}

static inline uint16_t sum_of(const uint8_t *data, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint32_t)data[i] << (i & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* An IPv4 packet of `len` bytes behind its header, from the client. */
static inline void put_ipv4(const uint8_t to[6], const struct ha_ip *target, uint8_t protocol,
			    const uint8_t *message, size_t len)
{
	struct frame f = {.len = 34 + len};
	const struct ha_ip client = ip("10.9.0.9");
	uint16_t sum;

	memcpy(f.b, to, 6);
	memcpy(f.b + 6, client_mac, 6);
	memcpy(f.b + 12,
	       (const uint8_t[]){8, 0, 0x45, 0, 0, (uint8_t)(20 + len), 0, 1, 0, 0, 64, protocol},
	       12);
	memcpy(f.b + 26, client.bytes, 4);
	memcpy(f.b + 30, target->bytes, 4);
	sum = sum_of(f.b + 14, 20, 0);
	f.b[24] = (uint8_t)(sum >> 8);
	f.b[25] = (uint8_t)sum;
	memcpy(f.b + 34, message, len);
	put(&f);
}

static inline void put_ping(const uint8_t to[6], const struct ha_ip *target)
{
	put_ipv4(to, target, 1, (const uint8_t[]){8, 0, 0xf7, 0xff, 0, 0, 0, 0}, 8);
}

/* An ICMPv6 message; the checksum is made. */
static inline void put_icmp6(const uint8_t to[6], const struct ha_ip *source,
			     const struct ha_ip *target, const uint8_t *message, size_t len)
{
	struct frame f = {.len = 54 + len};
	uint16_t sum;

	memcpy(f.b, to, 6);
	memcpy(f.b + 6, client_mac, 6);
	memcpy(f.b + 12, (const uint8_t[]){0x86, 0xdd, 0x60, 0, 0, 0, 0, (uint8_t)len, 58, 255},
	       10);
	memcpy(f.b + 22, source->bytes, 16);
	memcpy(f.b + 38, target->bytes, 16);
	memcpy(f.b + 54, message, len);
	sum = sum_of(f.b + 22, 32 + len, 58 + (uint32_t)len);
	f.b[56] = (uint8_t)(sum >> 8);
	f.b[57] = (uint8_t)sum;
	put(&f);
}

/* To the solicited-node group, as a neighbour that knows nothing does. */
static inline void put_ns(const struct ha_ip *source, const struct ha_ip *target)
{
	uint8_t message[32] = {135, [24] = 1, [25] = 1}, group_mac[6] = {0x33, 0x33, 0xff};
	struct ha_ip group = ip("ff02::1:ff00:0");

	memcpy(message + 8, target->bytes, 16);
	memcpy(message + 26, client_mac, 6);
	memcpy(group.bytes + 13, target->bytes + 13, 3);
	memcpy(group_mac + 3, target->bytes + 13, 3);
	put_icmp6(group_mac, source, &group, message, sizeof(message));
}

static inline void put_ping6(const uint8_t to[6], const struct ha_ip *source,
			     const struct ha_ip *target)
{
	put_icmp6(to, source, target, (const uint8_t[]){128, 0, 0, 0, 0, 0, 0, 0}, 8);
}

/* ---- the router ---- */

static inline uint32_t here(void)
{
	return if_nametoindex(HERE);
}

static inline struct ha_vrrp_vmac_opts vmac_opts(uint8_t family, uint8_t vrid)
{
	struct ha_vrrp_vmac_opts o = {
	    .size = sizeof(o), .parent = here(), .family = family, .vrid = vrid};

	return o;
}

static inline struct ha_net_link ensure(const struct ha_vrrp_vmac_opts *o)
{
	struct ha_net_link l = {.size = sizeof(l)};
	int e = ha_vrrp_vmac_ensure(net, o, &l);

	if (e < 0)
		print_error("%s: %s\n", strerror(-e), ha_net_error_text(net));
	assert_int_equal(e, 0);
	return l;
}

static inline struct ha_net_address vip(uint32_t ifindex, const char *text, uint8_t prefix)
{
	return (struct ha_net_address){.size = sizeof(struct ha_net_address),
				       .ifindex = ifindex,
				       .ip = ip(text),
				       .prefix_len = prefix,
				       .flags = strchr(text, ':') ? IFA_F_NODAD : 0,
				       .proto = HA_NET_PROTO_VIP};
}

/* As a host does it: RFC 9568 section 6.4.2, the other way round in 6.4.3. */
static inline void become_active(uint32_t ifindex, const char *text, uint8_t prefix)
{
	struct ha_net_address a = vip(ifindex, text, prefix);
	int status;

	assert_int_equal(ha_net_link_set_up(net, ifindex, true), 0);
	assert_int_equal(ha_net_address_add(net, &a, 1, &status), 0);
	for (int i = 0; i < 5000 && !ha_net_address_is_ready(net, &a); i++)
		usleep(1000);
}

static inline void become_backup(uint32_t ifindex, const char *text, uint8_t prefix)
{
	struct ha_net_address a = vip(ifindex, text, prefix);

	assert_int_equal(ha_net_link_set_up(net, ifindex, false), 0);
	assert_int_equal(ha_net_address_remove(net, &a, 1, NULL), 0);
}

static inline int read_setting(const char *family, const char *interface, const char *key)
{
	char path[128];
	FILE *f;
	int v = -1;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, key);
	f = fopen(path, "r");
	if (f) {
		if (fscanf(f, "%d", &v) != 1)
			v = -1;
		fclose(f);
	}
	return v;
}

static inline int make_wire(void **state)
{
	run("ip link add " HERE " address 02:00:00:00:00:0a type veth peer name " THERE);
	run("ip link add " ELSEWHERE " type veth peer name " BEYOND);
	run("for i in a b c d; do ip link set vm-$i addrgenmode none up; done");
	run("ip addr add 10.9.0.1/24 dev " HERE " && ip addr add fe80::1/64 dev " HERE " nodad");
	run("ip addr add 10.8.0.1/24 dev " ELSEWHERE);
	assert_int_equal(ha_net_new(NULL, &net), 0);
	wire_fd = wire(THERE);
	beyond_fd = wire(BEYOND);
	return 0;
}

static inline int cut_wire(void **state)
{
	close(wire_fd);
	close(beyond_fd);
	ha_net_free(net);
	run("ip link del " HERE " && ip link del " ELSEWHERE);
	run("echo 0 >/proc/sys/net/ipv4/ip_forward");
	return 0;
}

#endif
