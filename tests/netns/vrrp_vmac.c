/* SPDX-License-Identifier: MIT */
/*
 * The virtual router MAC address on a veth pair: what a Backup and an Active do, frame by frame.
 * The far end is a plain wire: the neighbours are frames made by hand.
 */
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
#define PATIENCE_MS 5000

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 0x0a}, client_mac[6] = {2, 0, 0, 0, 0, 0x99},
		     everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static struct ha_net *net;
static int wire_fd = -1, beyond_fd = -1;

static void run(const char *command)
{
	if (system(command)) {
		print_error("failed: %s\n", command);
		fail();
	}
}

static int wire(const char *name)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(3 /* all */)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(3));

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
static bool see(int fd, int ms, frame_fn *wanted, const void *what, struct frame *ret)
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

static void forget(void)
{
	struct frame f;

	while (recv(wire_fd, f.b, sizeof(f.b), MSG_DONTWAIT) > 0)
		;
	while (recv(beyond_fd, f.b, sizeof(f.b), MSG_DONTWAIT) > 0)
		;
}

static uint16_t type_of(const struct frame *f)
{
	return (uint16_t)(f->b[12] << 8 | f->b[13]);
}

static bool is_from(const struct frame *f, const void *mac)
{
	return !memcmp(f->b + 6, mac, 6);
}

static bool is_arp_reply(const struct frame *f, const void *address)
{
	return type_of(f) == 0x0806 && f->b[21] == 2 && !memcmp(f->b + 28, address, 4);
}

static bool is_arp_request(const struct frame *f, const void *target)
{
	return type_of(f) == 0x0806 && f->b[21] == 1 && !memcmp(f->b + 38, target, 4);
}

static bool is_icmp(const struct frame *f, const void *type)
{
	return type_of(f) == 0x0800 && f->b[23] == 1 && f->b[34] == *(const uint8_t *)type;
}

static bool is_icmp6(const struct frame *f, const void *type)
{
	return type_of(f) == 0x86dd && f->b[20] == 58 && f->b[54] == *(const uint8_t *)type;
}

static void put(const struct frame *f)
{
	assert_int_equal(send(wire_fd, f->b, f->len, 0), (ssize_t)f->len);
}

static void put_arp_request(const uint8_t to[6], const struct ha_ip *target)
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

static uint16_t sum_of(const uint8_t *data, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint32_t)data[i] << (i & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* An IPv4 packet of `len` bytes behind its header, from the client. */
static void put_ipv4(const uint8_t to[6], const struct ha_ip *target, uint8_t protocol,
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

static void put_ping(const uint8_t to[6], const struct ha_ip *target)
{
	put_ipv4(to, target, 1, (const uint8_t[]){8, 0, 0xf7, 0xff, 0, 0, 0, 0}, 8);
}

/* An ICMPv6 message; the checksum is made. */
static void put_icmp6(const uint8_t to[6], const struct ha_ip *source, const struct ha_ip *target,
		      const uint8_t *message, size_t len)
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
static void put_ns(const struct ha_ip *source, const struct ha_ip *target)
{
	uint8_t message[32] = {135, [24] = 1, [25] = 1}, group_mac[6] = {0x33, 0x33, 0xff};
	struct ha_ip group = ip("ff02::1:ff00:0");

	memcpy(message + 8, target->bytes, 16);
	memcpy(message + 26, client_mac, 6);
	memcpy(group.bytes + 13, target->bytes + 13, 3);
	memcpy(group_mac + 3, target->bytes + 13, 3);
	put_icmp6(group_mac, source, &group, message, sizeof(message));
}

static void put_ping6(const uint8_t to[6], const struct ha_ip *source, const struct ha_ip *target)
{
	put_icmp6(to, source, target, (const uint8_t[]){128, 0, 0, 0, 0, 0, 0, 0}, 8);
}

/* ---- the router ---- */

static uint32_t here(void)
{
	return if_nametoindex(HERE);
}

static struct ha_vrrp_vmac_opts vmac_opts(uint8_t family, uint8_t vrid)
{
	struct ha_vrrp_vmac_opts o = {
	    .size = sizeof(o), .parent = here(), .family = family, .vrid = vrid};

	return o;
}

static struct ha_net_link ensure(const struct ha_vrrp_vmac_opts *o)
{
	struct ha_net_link l = {.size = sizeof(l)};
	int e = ha_vrrp_vmac_ensure(net, o, &l);

	if (e < 0)
		print_error("%s: %s\n", strerror(-e), ha_net_error_text(net));
	assert_int_equal(e, 0);
	return l;
}

static struct ha_net_address vip(uint32_t ifindex, const char *text, uint8_t prefix)
{
	return (struct ha_net_address){.size = sizeof(struct ha_net_address),
				       .ifindex = ifindex,
				       .ip = ip(text),
				       .prefix_len = prefix,
				       .flags = strchr(text, ':') ? IFA_F_NODAD : 0,
				       .proto = HA_NET_PROTO_VIP};
}

/* As a host does it: RFC 9568 section 6.4.2, the other way round in 6.4.3. */
static void become_active(uint32_t ifindex, const char *text, uint8_t prefix)
{
	struct ha_net_address a = vip(ifindex, text, prefix);
	int status;

	assert_int_equal(ha_net_link_set_up(net, ifindex, true), 0);
	assert_int_equal(ha_net_address_add(net, &a, 1, &status), 0);
}

static void become_backup(uint32_t ifindex, const char *text, uint8_t prefix)
{
	struct ha_net_address a = vip(ifindex, text, prefix);

	assert_int_equal(ha_net_link_set_up(net, ifindex, false), 0);
	assert_int_equal(ha_net_address_remove(net, &a, 1, NULL), 0);
}

static int read_setting(const char *family, const char *interface, const char *key)
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

static int make_wire(void **state)
{
	(void)state;
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

static int cut_wire(void **state)
{
	(void)state;
	close(wire_fd);
	close(beyond_fd);
	ha_net_free(net);
	run("ip link del " HERE " && ip link del " ELSEWHERE);
	run("echo 0 >/proc/sys/net/ipv4/ip_forward");
	return 0;
}

/* ---- the device ---- */

static void it_is_made_as_keepalived_names_it_and_down(void **state)
{
	const struct ha_vrrp_vmac_opts four = vmac_opts(AF_INET, 51), six = vmac_opts(AF_INET6, 52);
	static const uint8_t mac4[6] = {0, 0, 0x5e, 0, 1, 51}, mac6[6] = {0, 0, 0x5e, 0, 2, 52};
	struct ha_net_link l = ensure(&four);

	(void)state;
	assert_string_equal(l.name, "vrrp.51");
	assert_string_equal(l.kind, "macvlan");
	assert_int_equal(l.macvlan_mode, MACVLAN_MODE_BRIDGE);
	assert_int_equal(l.parent, here());
	assert_int_equal(l.flags & IFF_UP, 0);
	assert_memory_equal(l.mac, mac4, 6);
	l = ensure(&six);
	assert_string_equal(l.name, "vrrp.52");
	assert_memory_equal(l.mac, mac6, 6);
}

static void it_takes_a_name_and_a_mac(void **state)
{
	struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	static const uint8_t mac[6] = {2, 1, 2, 3, 4, 5};

	(void)state;
	memcpy(o.mac, mac, 6);
	memcpy(o.name, "gate", 5);
	assert_memory_equal(ensure(&o).mac, mac, 6);
	assert_true(if_nametoindex("gate") > 0);
}

/* A successor of a process that was Active: nothing moves. */
static void one_that_is_there_is_taken_as_it_is(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	uint32_t ifindex = ensure(&o).ifindex;
	struct ha_net_link l;

	(void)state;
	assert_int_equal(ha_net_link_set_up(net, ifindex, true), 0);
	l = ensure(&o);
	assert_int_equal(l.ifindex, ifindex);
	assert_true(l.flags & IFF_UP);
}

static void a_strangers_device_is_refused_and_left_alone(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	struct ha_net_link l = {.size = sizeof(l)};

	(void)state;
	run("ip link add vrrp.51 type veth peer name vm-z");
	assert_int_equal(ha_vrrp_vmac_ensure(net, &o, &l), -EEXIST);
	assert_non_null(strstr(ha_net_error_text(net), "vrrp.51"));
	assert_non_null(strstr(ha_net_error_text(net), "00:00:5e:00:01:33"));
	assert_int_equal(ha_vrrp_vmac_remove(net, &o), HA_NET_ALREADY);
	assert_true(if_nametoindex("vrrp.51") > 0);
	run("ip link del vrrp.51");
	/* Right but for the mode: in private mode another Active is not heard. */
	run("ip link add vrrp.51 link " HERE
	    " address 00:00:5e:00:01:33 type macvlan mode private");
	assert_int_equal(ha_vrrp_vmac_ensure(net, &o, &l), -EEXIST);
}

/* As FRR wants it: the administrator makes it, and it stays his. */
static void a_right_one_of_somebody_else_is_used_and_stays(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	struct ha_net_link l = {.size = sizeof(l)};

	(void)state;
	run("ip link add vrrp.51 link " HERE " address 00:00:5e:00:01:33 type macvlan mode bridge");
	l = ensure(&o);
	assert_int_equal(read_setting("ipv4", "vrrp.51", "arp_ignore"), 1);
	assert_int_equal(ha_net_link_set_up(net, l.ifindex, true), 0);
	assert_int_equal(ha_vrrp_vmac_remove(net, &o), 0);
	assert_int_equal(ha_net_link_by_name(net, "vrrp.51", &l), 0);
	assert_int_equal(l.flags & IFF_UP, 0);
}

static void the_interfaces_settings_come_back_with_the_last_one(void **state)
{
	const struct ha_vrrp_vmac_opts one = vmac_opts(AF_INET, 51), two = vmac_opts(AF_INET, 52);

	(void)state;
	run("echo 1 >/proc/sys/net/ipv4/conf/" HERE "/arp_announce");
	ensure(&one);
	ensure(&two);
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 1);
	assert_int_equal(read_setting("ipv4", HERE, "arp_announce"), 2);
	assert_int_equal(ha_vrrp_vmac_remove(net, &one), 0);
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 1);
	assert_int_equal(ha_vrrp_vmac_remove(net, &two), 0);
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 0);
	assert_int_equal(read_setting("ipv4", HERE, "arp_announce"), 1);
	assert_int_equal(if_nametoindex("vrrp.51") + if_nametoindex("vrrp.52"), 0);
	assert_int_equal(ha_vrrp_vmac_remove(net, &one), HA_NET_ALREADY);
}

static void a_stronger_setting_of_the_administrator_stays(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);

	(void)state;
	run("echo 2 >/proc/sys/net/ipv4/conf/" HERE "/arp_ignore");
	ensure(&o);
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 2);
	assert_int_equal(ha_vrrp_vmac_remove(net, &o), 0);
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 2);
}

static void wrong_options_are_refused(void **state)
{
	struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	struct ha_net_link l = {.size = sizeof(l)};

	(void)state;
	o.vrid = 0;
	assert_int_equal(ha_vrrp_vmac_ensure(net, &o, &l), -EINVAL);
	o = vmac_opts(AF_UNIX, 51);
	assert_int_equal(ha_vrrp_vmac_ensure(net, &o, &l), -EINVAL);
	o = vmac_opts(AF_INET, 51);
	o.parent = 4711;
	assert_int_equal(ha_vrrp_vmac_ensure(net, &o, &l), -ENODEV);
	o.parent = 1; /* lo */
	assert_int_equal(ha_vrrp_vmac_ensure(net, &o, &l), -EINVAL);
	assert_non_null(strstr(ha_net_error_text(net), "Ethernet"));
}

/* ---- IPv4: who answers ---- */

static void R49_a_backup_answers_no_arp_on_either_mac(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	(void)state;
	for (int round = 0; round < 2; round++) {
		forget();
		put_arp_request(everybody, &address);
		put_arp_request(own_mac, &address);
		put_arp_request(l.mac, &address);
		assert_false(see(wire_fd, QUIET_MS, is_arp_reply, address.bytes, &f));
		become_active(l.ifindex, "10.9.0.100", 24); /* and the second time: after that */
		become_backup(l.ifindex, "10.9.0.100", 24);
	}
}

static void R60_R61_an_active_answers_arp_with_the_virtual_mac_only(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	(void)state;
	become_active(l.ifindex, "10.9.0.100", 24);
	forget();
	put_arp_request(everybody, &address);
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_reply, address.bytes, &f));
	assert_memory_equal(f.b + 6, l.mac, 6);
	assert_memory_equal(f.b + 22, l.mac, 6);
	put_arp_request(own_mac, &address); /* to the other MAC: the interface has no answer */
	assert_false(see(wire_fd, QUIET_MS, is_arp_reply, address.bytes, &f));
}

/* keepalived 2.2.7 answers with the MAC of its IPv6 router, too: that macvlan has arp_ignore 0. */
static void R61_nor_with_the_mac_of_another_virtual_router(void **state)
{
	const struct ha_vrrp_vmac_opts four = vmac_opts(AF_INET, 51), six = vmac_opts(AF_INET6, 52);
	const struct ha_ip address = ip("10.9.0.100"), own = ip("10.9.0.1");
	struct ha_net_link l = ensure(&four), other = ensure(&six);
	struct frame f;

	(void)state;
	become_active(l.ifindex, "10.9.0.100", 24);
	become_active(other.ifindex, "fe80::100", 64);
	forget();
	put_arp_request(everybody, &address);
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_reply, address.bytes, &f));
	assert_memory_equal(f.b + 6, l.mac, 6);
	assert_false(see(wire_fd, QUIET_MS, is_arp_reply, address.bytes, &f));
	/* And the interface's own address has the interface's own MAC. */
	put_arp_request(everybody, &own);
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_reply, own.bytes, &f));
	assert_memory_equal(f.b + 6, own_mac, 6);
	assert_false(see(wire_fd, QUIET_MS, is_arp_reply, own.bytes, &f));
}

/* The test sees what it is there for: without the setting Linux answers from both. */
static void the_weak_host_model_would_break_R61(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	(void)state;
	become_active(l.ifindex, "10.9.0.100", 24);
	run("echo 0 >/proc/sys/net/ipv4/conf/" HERE "/arp_ignore");
	forget();
	put_arp_request(everybody, &address);
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_reply, address.bytes, &f));
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_reply, address.bytes, &f));
	ensure(&o); /* the next look puts it right */
	assert_int_equal(read_setting("ipv4", HERE, "arp_ignore"), 1);
}

/* To answer from the address the host must ask where the client is. */
static void R79_no_arp_with_the_physical_mac_names_the_address(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100"), client = ip("10.9.0.9");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	(void)state;
	become_active(l.ifindex, "10.9.0.100", 32);
	forget();
	put_ping(l.mac, &address);
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_request, client.bytes, &f));
	if (!memcmp(f.b + 28, address.bytes, 4))
		assert_memory_equal(f.b + 22, l.mac, 6);
	else
		assert_memory_equal(f.b + 22, own_mac, 6);
}

static void R81_a_proxy_on_the_macvlan_answers_with_the_virtual_mac(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip far = ip("10.8.0.9"), near = ip("10.9.0.77");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	(void)state;
	run("echo 1 >/proc/sys/net/ipv4/ip_forward");
	become_active(l.ifindex, "10.9.0.100", 32);
	run("echo 1 >/proc/sys/net/ipv4/conf/vrrp.51/proxy_arp");
	run("echo 7 >/proc/sys/net/ipv4/conf/vrrp.51/medium_id");
	run("echo 7 >/proc/sys/net/ipv4/conf/" HERE "/medium_id");
	forget();
	put_arp_request(everybody, &far);
	assert_true(see(wire_fd, PATIENCE_MS, is_arp_reply, far.bytes, &f));
	assert_memory_equal(f.b + 6, l.mac, 6);
	assert_memory_equal(f.b + 22, l.mac, 6);
	put_arp_request(everybody, &near); /* on the link itself: not our business */
	assert_false(see(wire_fd, QUIET_MS * 5, is_arp_reply, near.bytes, &f));
}

/* ---- IPv4: what is taken ---- */

static const uint8_t echo_reply = 0, redirect = 5, advertisement = 136, solicitation = 135;

static void R52_R53_a_backup_takes_nothing_for_the_mac_or_the_address(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100"), own = ip("10.9.0.1");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	(void)state;
	run("ip neigh replace 10.9.0.9 lladdr 02:00:00:00:00:99 dev " HERE);
	become_active(l.ifindex, "10.9.0.100", 32);
	become_backup(l.ifindex, "10.9.0.100", 32);
	forget();
	put_ping(l.mac, &own); /* R52 */
	put_ping(l.mac, &address);
	put_ping(own_mac, &address); /* R53 */
	assert_false(see(wire_fd, QUIET_MS, is_icmp, &echo_reply, &f));
	put_ping(own_mac, &own); /* the wire is well */
	assert_true(see(wire_fd, PATIENCE_MS, is_icmp, &echo_reply, &f));
}

static void R66_an_active_takes_packets_for_the_address(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	(void)state;
	run("ip neigh replace 10.9.0.9 lladdr 02:00:00:00:00:99 dev " HERE);
	become_active(l.ifindex, "10.9.0.100", 32);
	forget();
	put_ping(l.mac, &address);
	assert_true(see(wire_fd, PATIENCE_MS, is_icmp, &echo_reply, &f));
}

static bool is_to_far(const struct frame *f, const void *address)
{
	return type_of(f) == 0x0800 && !memcmp(f->b + 30, address, 4);
}

static void R65_frames_to_the_virtual_mac_are_forwarded_by_the_active(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip far = ip("10.8.0.9");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	(void)state;
	run("echo 1 >/proc/sys/net/ipv4/ip_forward");
	run("echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter"); /* strict everywhere but here */
	ensure(&o);
	run("ip neigh replace 10.8.0.9 lladdr 02:00:00:00:00:98 dev " ELSEWHERE);
	become_active(l.ifindex, "10.9.0.100", 32);
	forget();
	put_ping(l.mac, &far);
	assert_true(see(beyond_fd, PATIENCE_MS, is_to_far, far.bytes, &f));
	become_backup(l.ifindex, "10.9.0.100", 32);
	forget();
	put_ping(l.mac, &far); /* R52 */
	assert_false(see(beyond_fd, QUIET_MS, is_to_far, far.bytes, &f));
	run("echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter");
}

/* None is sent at all: section 8.1.1 allows that, and Linux would name another address. */
static void R84_no_redirect_tells_another_address_than_the_virtual_one(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip near = ip("10.9.0.77");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	(void)state;
	run("echo 1 >/proc/sys/net/ipv4/ip_forward");
	run("ip neigh replace 10.9.0.77 lladdr 02:00:00:00:00:77 dev " HERE);
	run("ip neigh replace 10.9.0.9 lladdr 02:00:00:00:00:99 dev " HERE);
	become_active(l.ifindex, "10.9.0.100", 24);
	forget();
	put_ping(l.mac, &near);
	assert_true(see(wire_fd, PATIENCE_MS, is_to_far, near.bytes, &f)); /* it is forwarded */
	assert_false(see(wire_fd, QUIET_MS, is_icmp, &redirect, &f));
}

/* ---- IPv6 ---- */

static void R50_a_backup_answers_no_solicitation(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET6, 52);
	const struct ha_ip address = ip("fe80::100"), client = ip("fe80::9");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	(void)state;
	for (int round = 0; round < 2; round++) {
		forget();
		put_ns(&client, &address);
		assert_false(see(wire_fd, QUIET_MS, is_icmp6, &advertisement, &f));
		become_active(l.ifindex, "fe80::100", 64);
		become_backup(l.ifindex, "fe80::100", 64);
	}
}

static void R62_R63_an_active_answers_with_R_and_the_virtual_mac(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET6, 52);
	const struct ha_ip address = ip("fe80::100"), client = ip("fe80::9");
	struct ha_net_link l = ensure(&o);
	struct frame f;

	(void)state;
	become_active(l.ifindex, "fe80::100", 64);
	forget();
	put_ns(&client, &address); /* to the group: whoever answers is a member */
	assert_true(see(wire_fd, PATIENCE_MS, is_icmp6, &advertisement, &f));
	assert_memory_equal(f.b + 6, l.mac, 6);
	assert_int_equal(f.b[58] & 0xe0, 0xe0); /* R S O */
	assert_memory_equal(f.b + 62, address.bytes, 16);
	assert_memory_equal(f.b + 78, ((const uint8_t[]){2, 1}), 2);
	assert_memory_equal(f.b + 80, l.mac, 6);
	assert_false(see(wire_fd, QUIET_MS, is_icmp6, &advertisement, &f));
}

/* By a worker of the kernel, a moment after the address was added. */
static void R48_the_solicited_node_group_is_joined_with_the_address(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET6, 52);
	struct ha_net_link l = ensure(&o);

	(void)state;
	assert_int_not_equal(
	    system("grep -q 'vrrp.52 *ff0200000000000000000001ff000100' /proc/net/igmp6"), 0);
	become_active(l.ifindex, "fe80::100", 64);
	run("for i in $(seq 100); do grep -q 'vrrp.52 *ff0200000000000000000001ff000100' /proc/net/igmp6 "
	    "&& exit 0; sleep 0.02; done; exit 1");
}

static void R80_solicitations_of_the_active_carry_the_virtual_mac(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET6, 52);
	const struct ha_ip address = ip("2001:db8::100"), client = ip("2001:db8::9");
	struct ha_net_link l = ensure(&o);
	bool seen = false;
	struct frame f;

	(void)state;
	become_active(l.ifindex, "2001:db8::100", 64);
	forget();
	/* The kernel finishes an IPv6 address a moment after it was added. */
	for (int i = 0; i < 50 && !seen; i++) {
		put_ping6(l.mac, &client, &address);
		seen = see(wire_fd, PATIENCE_MS / 50, is_icmp6, &solicitation, &f);
	}
	assert_true(seen);
	assert_memory_equal(f.b + 6, l.mac, 6);
	assert_memory_equal(f.b + 22, address.bytes, 16);
	assert_memory_equal(f.b + 78, ((const uint8_t[]){1, 1}), 2); /* SLLA */
	assert_memory_equal(f.b + 80, l.mac, 6);
}

/* A router advertisement with a prefix to make addresses of, on a router that is Active. */
static void R83_no_address_is_ever_made_of_the_virtual_mac(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET6, 52);
	const struct ha_ip router = ip("fe80::9"), all = ip("ff02::1"), prefix = ip("2001:db8:1::");
	uint8_t ra[48] = {134,	    [4] = 64,  [6] = 7,	    [7] = 8,  [16] = 3,
			  [17] = 4, [18] = 64, [19] = 0xc0, [22] = 1, [26] = 1};
	struct ha_net_link l = ensure(&o);

	(void)state;
	memcpy(ra + 32, prefix.bytes, 16);
	become_active(l.ifindex, "fe80::100", 64);
	put_icmp6((const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}, &router, &all, ra, sizeof(ra));
	usleep(QUIET_MS * 1000);
	/* The prefix was taken by nobody's macvlan, and the only address there is the virtual one. */
	run("test $(grep -c 'vrrp.52$' /proc/net/if_inet6) = 1");
	run("grep 'vrrp.52$' /proc/net/if_inet6 | grep -q ^fe800000000000000000000000000100");
}

static void R86_an_unsolicited_advertisement_is_believed(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET6, 52);
	const struct ha_ip other = ip("fe80::77"), all = ip("ff02::1");
	uint8_t na[32] = {136, [4] = 0x20, [24] = 2, [25] = 1, [26] = 2, [31] = 0x78};

	(void)state;
	memcpy(na + 8, other.bytes, 16);
	ensure(&o);
	run("ip -6 neigh replace fe80::77 lladdr 02:00:00:00:00:77 nud stale dev " HERE);
	put_icmp6((const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}, &other, &all, na, sizeof(na));
	usleep(QUIET_MS * 1000);
	run("ip -6 neigh show fe80::77 dev " HERE " | grep -q 02:00:00:00:00:78");
}

/* ---- both ---- */

/* Queries are what makes a host speak: the groups of the macvlan must not be reported. */
static void put_queries(void)
{
	const struct ha_ip all4 = ip("224.0.0.1"), all6 = ip("ff02::1"), querier = ip("fe80::9");

	put_ipv4((const uint8_t[]){1, 0, 0x5e, 0, 0, 1}, &all4, 2,
		 (const uint8_t[]){0x11, 1, 0xee, 0xfe, 0, 0, 0, 0}, 8);
	put_icmp6((const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}, &querier, &all6,
		  (const uint8_t[28]){130, [4] = 0, [5] = 1}, 28);
}

static void no_frame_of_a_backup_has_the_virtual_mac(void **state)
{
	const struct ha_vrrp_vmac_opts four = vmac_opts(AF_INET, 51), six = vmac_opts(AF_INET6, 52);
	struct ha_net_link l4, l6;
	struct frame f;

	(void)state;
	forget();
	l4 = ensure(&four);
	l6 = ensure(&six);
	put_queries();
	assert_false(see(wire_fd, QUIET_MS * 3, is_from, l4.mac, &f));
	put_queries();
	assert_false(see(wire_fd, QUIET_MS * 3, is_from, l6.mac, &f));
	become_active(l4.ifindex, "10.9.0.100", 24);
	become_active(l6.ifindex, "fe80::100", 64);
	assert_true(see(wire_fd, PATIENCE_MS, is_from, l6.mac, &f)); /* its MLD reports */
	usleep(QUIET_MS * 1000);
	become_backup(l4.ifindex, "10.9.0.100", 24);
	become_backup(l6.ifindex, "fe80::100", 64);
	forget();
	put_queries();
	assert_false(see(wire_fd, QUIET_MS * 3, is_from, l6.mac, &f));
	put_queries();
	assert_false(see(wire_fd, QUIET_MS * 3, is_from, l4.mac, &f));
}

static struct rig r;
static struct ha_vrrp_link *l;

static void make_router(uint8_t family, uint8_t vrid, const struct ha_ip *address)
{
	struct ha_vrrp_link_opts lo = {.size = sizeof(lo), .family = family, .ifindex = here()};
	struct ha_vrrp_opts o = rig_opts();

	memset(&r, 0, sizeof(r));
	o.vrid = vrid;
	o.family = family;
	o.addresses = address;
	assert_int_equal(ha_vrrp_link_source(here(), family, address, 1, &o.source), 0);
	assert_int_equal(ha_vrrp_link_new(&lo, &l), 0);
	assert_int_equal(ha_vrrp_new(&o, &rig_ops, &r, &r.v), 0);
	assert_int_equal(ha_vrrp_link_add(l, r.v), 0);
	assert_int_equal(ha_vrrp_start(r.v, T0), 0);
	assert_int_equal(ha_vrrp_link_dispatch(l, T0 + 4 * S), 0); /* Active */
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
}

static void free_router(void)
{
	ha_vrrp_link_free(l);
	rig_down(&r);
}

static bool is_advert(const struct frame *f, const void *unused)
{
	(void)unused;
	return (type_of(f) == 0x0800 && f->b[23] == 112) ||
	       (type_of(f) == 0x86dd && f->b[20] == 112);
}

/* But for the MAC it is the frame that the kernel makes. */
static void send_both_ways(const struct ha_ip *group, const uint8_t mac[6], struct frame *kernels,
			   struct frame *ours)
{
	forget();
	assert_int_equal(ha_vrrp_link_send(l, r.v, group, r.sent, r.sent_len), 0);
	assert_true(see(wire_fd, PATIENCE_MS, is_advert, NULL, kernels));
	assert_int_equal(ha_vrrp_link_send_from(l, r.v, mac, group, r.sent, r.sent_len), 0);
	assert_true(see(wire_fd, PATIENCE_MS, is_advert, NULL, ours));
	assert_memory_equal(kernels->b + 6, own_mac, 6);
	assert_memory_equal(ours->b + 6, mac, 6);
	memcpy(kernels->b + 6, mac, 6);
	assert_int_equal(kernels->len, ours->len);
}

static void R6_an_ipv4_advert_leaves_from_the_virtual_mac(void **state)
{
	static const uint8_t mac[6] = {0, 0, 0x5e, 0, 1, 51};
	const struct ha_ip address = ip("10.9.0.100"), group = ip("224.0.0.18");
	struct frame kernels, ours;

	(void)state;
	make_router(AF_INET, 51, &address);
	send_both_ways(&group, mac, &kernels, &ours);
	assert_int_equal(sum_of(ours.b + 14, 20, 0), 0);
	/* The kernel numbers its packets and does not forbid to cut them. */
	memset(kernels.b + 18, 0, 4), memset(kernels.b + 24, 0, 2);
	memset(ours.b + 18, 0, 4), memset(ours.b + 24, 0, 2);
	assert_memory_equal(kernels.b, ours.b, ours.len);
	assert_int_equal(ha_vrrp_link_send_from(l, r.v, mac, &address, r.sent, r.sent_len),
			 -EINVAL);
	free_router();
}

static void R6_an_ipv6_advert_leaves_from_the_virtual_mac(void **state)
{
	static const uint8_t mac[6] = {0, 0, 0x5e, 0, 2, 52};
	const struct ha_ip address = ip("fe80::100"), group = ip("ff02::12");
	struct frame kernels, ours;

	(void)state;
	make_router(AF_INET6, 52, &address);
	send_both_ways(&group, mac, &kernels, &ours);
	kernels.b[15] &= 0xf0, kernels.b[16] = kernels.b[17] = 0; /* the flow label */
	assert_memory_equal(kernels.b, ours.b, ours.len);
	free_router();
}

/*
 * Two routers that are Active at a time have one MAC address. The frame of the other one must reach
 * our socket, else neither gives way.
 */
static void another_active_with_the_same_mac_is_heard(void **state)
{
	const struct ha_vrrp_vmac_opts o = vmac_opts(AF_INET, 51);
	const struct ha_ip address = ip("10.9.0.100");
	struct peer p = peer_make(3, 200, "10.9.0.2", 100);
	struct ha_net_link device = ensure(&o);
	struct frame f = {.len = 34 + 12};
	struct pollfd readable;
	uint16_t sum;

	(void)state;
	become_active(device.ifindex, "10.9.0.100", 24);
	make_router(AF_INET, 51, &address);
	memcpy(f.b, (const uint8_t[]){1, 0, 0x5e, 0, 0, 0x12}, 6);
	memcpy(f.b + 6, device.mac, 6);
	memcpy(f.b + 12, (const uint8_t[]){8, 0, 0x45, 0xc0, 0, 32, 0, 0, 0x40, 0, 255, 112}, 12);
	memcpy(f.b + 26, p.meta.source.bytes, 4);
	memcpy(f.b + 30, p.meta.destination.bytes, 4);
	sum = sum_of(f.b + 14, 20, 0);
	f.b[24] = (uint8_t)(sum >> 8);
	f.b[25] = (uint8_t)sum;
	peer_sum(&p);
	memcpy(f.b + 34, p.pkt, 12);
	put(&f);
	readable = (struct pollfd){.fd = ha_vrrp_link_fd(l), .events = POLLIN};
	assert_int_equal(poll(&readable, 1, PATIENCE_MS), 1);
	assert_int_equal(ha_vrrp_link_dispatch(l, T0 + 4 * S + 1), 0);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_BACKUP);
	free_router();
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_wire, cut_wire)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(it_is_made_as_keepalived_names_it_and_down),
	    T(it_takes_a_name_and_a_mac),
	    T(one_that_is_there_is_taken_as_it_is),
	    T(a_strangers_device_is_refused_and_left_alone),
	    T(a_right_one_of_somebody_else_is_used_and_stays),
	    T(the_interfaces_settings_come_back_with_the_last_one),
	    T(a_stronger_setting_of_the_administrator_stays),
	    T(wrong_options_are_refused),
	    T(R49_a_backup_answers_no_arp_on_either_mac),
	    T(R60_R61_an_active_answers_arp_with_the_virtual_mac_only),
	    T(R61_nor_with_the_mac_of_another_virtual_router),
	    T(the_weak_host_model_would_break_R61),
	    T(R79_no_arp_with_the_physical_mac_names_the_address),
	    T(R81_a_proxy_on_the_macvlan_answers_with_the_virtual_mac),
	    T(R52_R53_a_backup_takes_nothing_for_the_mac_or_the_address),
	    T(R66_an_active_takes_packets_for_the_address),
	    T(R65_frames_to_the_virtual_mac_are_forwarded_by_the_active),
	    T(R84_no_redirect_tells_another_address_than_the_virtual_one),
	    T(R50_a_backup_answers_no_solicitation),
	    T(R62_R63_an_active_answers_with_R_and_the_virtual_mac),
	    T(R48_the_solicited_node_group_is_joined_with_the_address),
	    T(R80_solicitations_of_the_active_carry_the_virtual_mac),
	    T(R83_no_address_is_ever_made_of_the_virtual_mac),
	    T(R86_an_unsolicited_advertisement_is_believed),
	    T(no_frame_of_a_backup_has_the_virtual_mac),
	    T(R6_an_ipv4_advert_leaves_from_the_virtual_mac),
	    T(R6_an_ipv6_advert_leaves_from_the_virtual_mac),
	    T(another_active_with_the_same_mac_is_heard),
	};

	if (unshare(CLONE_NEWNET) < 0) {
		printf("skipped: needs root to make a network namespace: %s\n", strerror(errno));
		return 77;
	}
	run("ip link set lo up");
	return cmocka_run_group_tests_name("vrrp/vmac", tests, NULL, NULL);
}
