/* SPDX-License-Identifier: MIT */
/*
 * libha's routes, rules and neighbours against a real kernel, in a network namespace of their own, with
 * iproute2 as the judge: what the library adds must look to `ip` as what `ip` adds itself.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include <libha/route.h>

#include "net/route_codec.h"
#include "net/rule_codec.h"

#define LINK "net-a"
#define PEER "net-b"
#define TABLE 1000

/* So many routes or rules are one plan. */
#define MANY 5000

static int run(const char *command)
{
	int r = system(command);

	if (r)
		print_error("failed: %s\n", command);
	return r;
}

/* What a command prints; the caller frees it. */
static char *output(const char *command)
{
	FILE *f = popen(command, "r");
	char *text = calloc(1, 65536);

	assert_non_null(f);
	fread(text, 1, 65535, f);
	assert_int_equal(pclose(f), 0);
	return text;
}

static struct ha_ip ip(const char *text)
{
	struct ha_ip a;

	assert_int_equal(ha_ip_parse(text, &a), 0);
	return a;
}

struct place {
	struct ha_net *n;
	uint32_t a, b; /* the links */
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_int_equal(run("ip link add " LINK " type veth peer name " PEER
			     " && ip link set " LINK " up && ip link set " PEER
			     " up && ip addr add 192.0.2.1/24 dev " LINK
			     " && ip addr add 198.51.100.1/24 dev " PEER
			     " && ip addr add 2001:db8:1::1/64 dev " LINK " nodad && "
			     "ip addr add 2001:db8:2::1/64 dev " PEER " nodad"),
			 0);
	p->a = if_nametoindex(LINK);
	p->b = if_nametoindex(PEER);
	assert_int_equal(ha_net_new(NULL, &p->n), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	ha_net_free(p->n);
	free(p);
	return run("ip link del " LINK " 2>/dev/null || ! ip link show " LINK " 2>/dev/null");
}

/* -- routes --------------------------------------------------------------------------------------- */

struct twin {
	const char *words; /* of `ip route add` */
	void (*fill)(const struct place *p, struct ha_net_route *r, struct ha_net_nexthop *nh);
};

#define FILL(name) \
	static void name(const struct place *p, struct ha_net_route *r, struct ha_net_nexthop *nh)
#define UNUSED (void)p, (void)r, (void)nh

FILL(host_on_link)
{
	UNUSED;
	r->dst = ip("203.0.113.7");
	r->ifindex = p->a;
}

FILL(net_by_router)
{
	UNUSED;
	r->dst = ip("203.0.113.0");
	r->dst_len = 24;
	r->via = ip("192.0.2.254");
	r->prefsrc = ip("198.51.100.1");
	r->priority = 77;
	r->tos = 0x10;
}

FILL(default_with_metrics)
{
	UNUSED;
	r->via = ip("192.0.2.254");
	r->ifindex = p->a;
	r->metrics[RTAX_MTU] = 1400;
	r->metrics[RTAX_LOCK] = 1u << RTAX_MTU | 1u << RTAX_RTO_MIN; /* ip locks the latter */
	r->metrics[RTAX_ADVMSS] = 1300;
	r->metrics[RTAX_WINDOW] = 30000;
	r->metrics[RTAX_INITCWND] = 20;
	r->metrics[RTAX_INITRWND] = 30;
	r->metrics[RTAX_RTT] = 8 * 50;
	r->metrics[RTAX_RTO_MIN] = 40;
	r->metrics[RTAX_HOPLIMIT] = 9;
	r->metrics[RTAX_REORDERING] = 5;
	r->metrics[RTAX_QUICKACK] = 1;
	r->metrics[RTAX_FASTOPEN_NO_COOKIE] = 1;
	strcpy(r->congestion, "reno");
}

FILL(onlink)
{
	UNUSED;
	r->via = ip("10.99.0.1");
	r->ifindex = p->a;
	r->flags = RTNH_F_ONLINK;
}

FILL(ipv6_serves_ipv4)
{
	UNUSED;
	r->dst = ip("203.0.113.0");
	r->dst_len = 25;
	r->via = ip("fe80::9");
	r->ifindex = p->a;
}

FILL(blackhole)
{
	UNUSED;
	r->dst = ip("203.0.113.0");
	r->dst_len = 24;
	r->type = RTN_BLACKHOLE;
}

FILL(unreachable)
{
	UNUSED;
	r->dst = ip("203.0.113.1");
	r->type = RTN_UNREACHABLE;
}

FILL(prohibit)
{
	UNUSED;
	r->dst = ip("203.0.113.1");
	r->type = RTN_PROHIBIT;
}

FILL(throw)
{
	UNUSED;
	r->family = AF_INET;
	r->type = RTN_THROW;
}

FILL(local)
{
	UNUSED;
	r->dst = ip("203.0.113.0");
	r->dst_len = 24;
	r->type = RTN_LOCAL;
	r->ifindex = 1;
}

FILL(two_ways)
{
	UNUSED;
	r->dst = ip("203.0.113.0");
	r->dst_len = 24;
	nh[0].via = ip("192.0.2.254");
	nh[0].weight = 3;
	nh[1].via = ip("2001:db8:2::9");
	nh[1].ifindex = p->b;
	nh[2].via = ip("10.99.0.1");
	nh[2].ifindex = p->b;
	nh[2].flags = RTNH_F_ONLINK;
	nh[2].weight = 256;
	r->nexthops = nh;
	r->n_nexthops = 3;
}

FILL(six_by_router)
{
	UNUSED;
	r->dst = ip("2001:db8:99::");
	r->dst_len = 48;
	r->via = ip("2001:db8:1::9");
	r->pref = 1;
	r->priority = 5;
	r->prefsrc = ip("2001:db8:2::1");
	r->metrics[RTAX_HOPLIMIT] = 33;
}

FILL(six_default_link_local)
{
	UNUSED;
	r->via = ip("fe80::1");
	r->ifindex = p->b;
	r->pref = 3;
}

FILL(six_unreachable)
{
	UNUSED;
	r->dst = ip("2001:db8:99::");
	r->dst_len = 48;
	r->type = RTN_UNREACHABLE;
}

FILL(six_two_ways)
{
	UNUSED;
	r->dst = ip("2001:db8:99::");
	r->dst_len = 64;
	nh[0].via = ip("2001:db8:1::9");
	nh[0].weight = 2;
	nh[1].via = ip("fe80::2");
	nh[1].ifindex = p->b;
	r->nexthops = nh;
	r->n_nexthops = 2;
}

static const struct twin twins[] = {
    {"203.0.113.7 dev " LINK, host_on_link},
    {"203.0.113.0/24 via 192.0.2.254 src 198.51.100.1 metric 77 tos 0x10", net_by_router},
    {"default via 192.0.2.254 dev " LINK " mtu lock 1400 advmss 1300 window 30000 initcwnd 20 "
     "initrwnd 30 rtt 50ms rto_min 40ms hoplimit 9 reordering 5 quickack 1 fastopen_no_cookie 1 "
     "congctl reno",
     default_with_metrics},
    {"default via 10.99.0.1 dev " LINK " onlink", onlink},
    {"203.0.113.0/25 via inet6 fe80::9 dev " LINK, ipv6_serves_ipv4},
    {"blackhole 203.0.113.0/24", blackhole},
    {"unreachable 203.0.113.1", unreachable},
    {"prohibit 203.0.113.1", prohibit},
    {"throw default", throw},
    {"local 203.0.113.0/24 dev lo", local},
    {"203.0.113.0/24 nexthop via 192.0.2.254 weight 3 nexthop via inet6 2001:db8:2::9 dev " PEER
     " nexthop via 10.99.0.1 dev " PEER " weight 256 onlink",
     two_ways},
    {"2001:db8:99::/48 via 2001:db8:1::9 pref high metric 5 src 2001:db8:2::1 hoplimit 33",
     six_by_router},
    {"default via fe80::1 dev " PEER " pref low", six_default_link_local},
    {"unreachable 2001:db8:99::/48", six_unreachable},
    {"2001:db8:99::/64 nexthop via 2001:db8:1::9 weight 2 nexthop via fe80::2 dev " PEER,
     six_two_ways},
};

struct kept {
	struct ha_net_route r;
	struct ha_net_nexthop nh[8];
	size_t n;
};

static int keep(void *userdata, const struct ha_net_route *r)
{
	struct kept *k = userdata;

	assert_true(r->n_nexthops <= 8);
	k->r = *r;
	for (size_t i = 0; i < r->n_nexthops; i++)
		k->nh[i] = r->nexthops[i];
	k->n++;
	return 0;
}

static struct kept list(struct place *p, uint8_t protocol)
{
	struct ha_net_route_filter f = {.size = sizeof(f), .table = TABLE, .protocol = protocol};
	struct kept k = {0};

	assert_int_equal(ha_net_route_list(p->n, &f, keep, &k), 0);
	return k;
}

static const char *show(int family)
{
	return family == AF_INET ? "ip -N -d -4 route show table 1000 2>/dev/null || true"
				 : "ip -N -d -6 route show table 1000 2>/dev/null || true";
}

static void as_iproute2(struct place *p, const struct twin *t)
{
	struct ha_net_nexthop nh[3] = {
	    {.size = sizeof(nh[0])}, {.size = sizeof(nh[0])}, {.size = sizeof(nh[0])}};
	struct ha_net_route r = {.size = sizeof(r), .table = TABLE}, again;
	struct kept theirs, ours;
	char command[512], *as_told, *as_twin;
	int family, status = 77;

	t->fill(p, &r, nh);
	snprintf(command, sizeof(command), "ip %s route add table 1000 proto 112 %s",
		 strstr(t->words, "2001:db8") || strstr(t->words, "fe80::1") ? "" : "-4", t->words);

	assert_int_equal(run(command), 0);
	theirs = list(p, 0);
	theirs.r.nexthops = theirs.nh;
	assert_int_equal(theirs.n, 1);
	family = theirs.r.family;
	as_twin = output(show(family));
	/* Theirs is in the place of ours: it is adopted, and then removed as ours. */
	assert_int_equal(ha_net_route_add(p->n, &r, 1, &status), 0);
	assert_int_equal(status, HA_NET_ALREADY);
	assert_int_equal(ha_net_route_remove(p->n, &r, 1, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(list(p, 0).n, 0);
	assert_int_equal(ha_net_route_add(p->n, &r, 1, &status), 0);
	assert_int_equal(status, 0);
	as_told = output(show(family));
	assert_string_equal(as_told, as_twin);
	ours = list(p, HA_NET_PROTO_VIP);
	ours.r.nexthops = ours.nh;
	assert_int_equal(ours.n, 1);
	assert_true(route_codec_same(&ours.r, &theirs.r));
	/* What was read can be asked for. */
	again = ours.r;
	assert_int_equal(ha_net_route_replace(p->n, &again, 1, NULL), 0);
	free(as_told);
	as_told = output(show(family));
	assert_string_equal(as_told, as_twin);
	assert_int_equal(ha_net_route_remove(p->n, &again, 1, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(list(p, 0).n, 0);
	free(as_told);
	free(as_twin);
}

static void routes_look_as_those_of_iproute2(void **state)
{
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++)
		as_iproute2(*state, &twins[i]);
}

static void a_strangers_route_is_not_removed(void **state)
{
	struct place *p = *state;
	struct ha_net_route r = {.size = sizeof(r), .table = TABLE, .ifindex = p->a};
	int status = 77;

	r.dst = ip("203.0.113.7");
	assert_int_equal(run("ip route add 203.0.113.7 dev " LINK " table 1000"), 0);
	assert_int_equal(ha_net_route_remove(p->n, &r, 1, &status), 0);
	assert_int_equal(status, HA_NET_ALREADY);
	assert_int_equal(list(p, 0).n, 1);
	assert_int_equal(list(p, HA_NET_PROTO_VIP).n, 0);
	r.protocol = RTPROT_BOOT;
	assert_int_equal(ha_net_route_remove(p->n, &r, 1, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(list(p, 0).n, 0);
}

static void replacing_and_appending(void **state)
{
	struct place *p = *state;
	struct ha_net_route r = {.size = sizeof(r), .table = TABLE, .via = ip("192.0.2.254")};
	int status = 77;

	r.dst = ip("203.0.113.0");
	r.dst_len = 24;
	assert_int_equal(ha_net_route_replace(p->n, &r, 1, &status), 0);
	assert_int_equal(list(p, 0).n, 1);
	r.via = ip("192.0.2.253");
	assert_int_equal(ha_net_route_replace(p->n, &r, 1, &status), 0);
	assert_int_equal(list(p, 0).n, 1);
	assert_int_equal(list(p, 0).r.via.bytes[3], 253);
	r.via = ip("192.0.2.252");
	assert_int_equal(ha_net_route_append(p->n, &r, 1, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(ha_net_route_append(p->n, &r, 1, &status), 0);
	assert_int_equal(status, HA_NET_ALREADY);
	assert_int_equal(list(p, 0).n, 2);
	assert_int_equal(ha_net_route_remove(p->n, &r, 1, &status), 0);
	assert_int_equal(list(p, 0).n, 1);
	assert_int_equal(list(p, 0).r.via.bytes[3], 253);
	r = (struct ha_net_route){.size = sizeof(r), .table = TABLE, .via = ip("2001:db8:1::8")};
	assert_int_equal(ha_net_route_append(p->n, &r, 1, &status), 0);
	r.via = ip("2001:db8:1::9");
	assert_int_equal(ha_net_route_append(p->n, &r, 1, &status), 0);
	assert_int_equal(list(p, 0).r.n_nexthops, 2);
	assert_int_equal(run("ip -6 route flush table 1000"), 0);
}

static void a_refused_route_says_why(void **state)
{
	struct place *p = *state;
	struct ha_net_route r[3] = {
	    {.size = sizeof(r[0]), .table = TABLE}, {.size = sizeof(r[0])}, {.size = sizeof(r[0])}};
	int status[3];

	r[0].via = ip("172.31.0.1"); /* on no link */
	r[1].dst = ip("203.0.113.1");
	r[1].ifindex = 0x7ffffff0;
	r[2].dst = ip("203.0.113.1");
	r[2].dst_len = 24; /* bits beyond the prefix */
	r[2].ifindex = p->a;
	assert_int_equal(ha_net_route_add(p->n, r, 3, status), -ENETUNREACH);
	assert_int_equal(status[0], -ENETUNREACH);
	assert_int_equal(status[1], -ENODEV);
	assert_int_equal(status[2], -EINVAL);
	assert_string_equal(ha_net_error_text(p->n), "Nexthop has invalid gateway");
}

static void a_route_with_a_lifetime_ends(void **state)
{
	struct place *p = *state;
	struct ha_net_route r = {
	    .size = sizeof(r), .table = TABLE, .ifindex = p->a, .expires_s = 900};

	r.dst = ip("2001:db8:99::1");
	assert_int_equal(ha_net_route_add(p->n, &r, 1, NULL), 0);
	assert_in_range(list(p, 0).r.expires_s, 800, 900);
	assert_int_equal(ha_net_route_remove(p->n, &r, 1, NULL), 0);
}

/* A transport that counts the system calls of another one. */
struct counted {
	struct ha_nl_transport below;
	unsigned int sends, recvs;
};

static int counted_send(void *u, const void *buf, size_t len)
{
	struct counted *c = u;

	c->sends++;
	return c->below.ops->send(c->below.userdata, buf, len);
}

static ssize_t counted_recv(void *u, void *buf, size_t cap)
{
	struct counted *c = u;

	c->recvs++;
	return c->below.ops->recv(c->below.userdata, buf, cap);
}

static int counted_fd(void *u)
{
	struct counted *c = u;

	return c->below.ops->fd(c->below.userdata);
}

static uint32_t counted_port(void *u)
{
	struct counted *c = u;

	return c->below.ops->port(c->below.userdata);
}

static const struct ha_nl_transport_ops counted_ops = {.size = sizeof(counted_ops),
						       .send = counted_send,
						       .recv = counted_recv,
						       .fd = counted_fd,
						       .port = counted_port};

/* The kernel answers at once: a send and at most three receives for each 512. */
#define CHUNKS ((MANY + 511) / 512)

static void a_plan_is_a_bounded_number_of_system_calls(void **state)
{
	struct place *p = *state;
	struct counted c = {0};
	struct ha_nl_transport t = {.ops = &counted_ops, .userdata = &c};
	struct ha_net_opts o = {.size = sizeof(o), .transport = &t};
	struct ha_net_route *r = calloc(MANY, sizeof(*r));
	struct ha_net_rule *rule = calloc(MANY, sizeof(*rule));
	struct ha_net_address *a = calloc(MANY, sizeof(*a));
	struct ha_net *n;

	assert_int_equal(ha_nl_mnl_open(NETLINK_ROUTE, NULL, &c.below), 0);
	assert_int_equal(ha_net_new(&o, &n), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		const struct ha_ip ip = {.family = AF_INET,
					 .bytes = {10, 9, (uint8_t)(i >> 8), (uint8_t)i}};

		a[i] = (struct ha_net_address){.size = sizeof(*a), .ifindex = p->a, .ip = ip};
		r[i] = (struct ha_net_route){
		    .size = sizeof(*r), .table = TABLE, .ifindex = p->a, .dst = ip};
		rule[i] = (struct ha_net_rule){
		    .size = sizeof(*rule), .from = ip, .priority = 1000, .table = TABLE};
	}
	assert_int_equal(ha_net_address_add(n, a, MANY, NULL), 0);
	assert_int_equal(ha_net_route_add(n, r, MANY, NULL), 0);
	assert_int_equal(ha_net_rule_add(n, rule, MANY, NULL), 0);
	assert_in_range(c.sends, 1, 3 * CHUNKS);
	assert_in_range(c.recvs, 1, 9 * CHUNKS);
	assert_int_equal(ha_net_rule_remove(n, rule, MANY, NULL), 0);
	ha_net_free(n);
	c.below.ops->close(c.below.userdata);
	free(a);
	free(rule);
	free(r);
}

static void five_thousand_routes_are_one_plan(void **state)
{
	struct place *p = *state;
	struct ha_net_route *r = calloc(MANY, sizeof(*r));
	struct ha_net_route_filter f = {.size = sizeof(f), .table = TABLE};
	struct kept k = {0};
	int *status = calloc(MANY, sizeof(*status));

	for (uint32_t i = 0; i < MANY; i++) {
		r[i] = (struct ha_net_route){.size = sizeof(*r), .table = TABLE, .ifindex = p->a};
		r[i].dst = (struct ha_ip){.family = AF_INET,
					  .bytes = {10, 9, (uint8_t)(i >> 8), (uint8_t)i}};
	}
	assert_int_equal(ha_net_route_add(p->n, r, MANY, status), 0);
	r[4321].ifindex = 0x7ffffff0;
	assert_int_equal(ha_net_route_add(p->n, r, MANY, status), -ENODEV);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(status[i], i == 4321 ? -ENODEV : HA_NET_ALREADY);
	assert_int_equal(ha_net_route_list(p->n, &f, keep, &k), 0);
	assert_int_equal(k.n, MANY);
	r[4321].ifindex = p->a;
	assert_int_equal(ha_net_route_remove(p->n, r, MANY, status), 0);
	assert_int_equal(list(p, 0).n, 0);
	free(status);
	free(r);
}

/* -- rules ------------------------------------------------------------------------------------------ */

struct rule_twin {
	const char *words;
	struct ha_net_rule r;
};

#define V4(a, b, c, d)                                     \
	{                                                  \
		.family = AF_INET, .bytes = { a, b, c, d } \
	}
#define SIZE .size = sizeof(struct ha_net_rule), .priority = 500

static const struct rule_twin rule_twins[] = {
    {"from 10.1.0.0/16 to 10.2.3.4 table 1000",
     {SIZE, .from = V4(10, 1, 0, 0), .from_len = 16, .to = V4(10, 2, 3, 4), .table = TABLE}},
    {"not iif " LINK " oif lo lookup main",
     {SIZE, .family = AF_INET, .invert = true, .iif = LINK, .oif = "lo"}},
    {"fwmark 0x10/0xf0 table 1000",
     {SIZE, .family = AF_INET, .fwmark = 16, .fwmask = 0xf0, .table = TABLE}},
    {"fwmark 7 table 200", {SIZE, .family = AF_INET, .fwmark = 7, .table = 200}},
    {"tos 0x10 goto 32766",
     {SIZE, .family = AF_INET, .tos = 0x10, .action = FR_ACT_GOTO, .goto_priority = 32766}},
    {"from all unreachable", {SIZE, .family = AF_INET, .action = FR_ACT_UNREACHABLE}},
    {"from all prohibit", {SIZE, .family = AF_INET6, .action = FR_ACT_PROHIBIT}},
    {"from 0.0.0.0/0 blackhole", {SIZE, .from = V4(0, 0, 0, 0), .action = FR_ACT_BLACKHOLE}},
    {"from all nop", {SIZE, .family = AF_INET, .action = FR_ACT_NOP}},
    {"table main suppress_prefixlength 0", {SIZE, .family = AF_INET6, .suppress_prefix = true}},
    {"table main suppress_ifgroup 3",
     {SIZE, .family = AF_INET, .suppress_group = true, .suppress_ifgroup = 3}},
    {"uidrange 0-99 table 1000",
     {SIZE, .family = AF_INET, .by_uid = true, .uid_last = 99, .table = TABLE}},
    {"ipproto udp sport 53 dport 1000-2000 table 1000",
     {SIZE, .family = AF_INET6, .ip_proto = IPPROTO_UDP, .sport_first = 53, .dport_first = 1000,
      .dport_last = 2000, .table = TABLE}},
    {"l3mdev", {SIZE, .family = AF_INET, .l3mdev = true}},
    {"tun_id 9 table 1000", {SIZE, .family = AF_INET, .tun_id = 9, .table = TABLE}},
};

struct kept_rule {
	struct ha_net_rule r;
	size_t n;
};

static int keep_rule(void *userdata, const struct ha_net_rule *r)
{
	struct kept_rule *k = userdata;

	k->r = *r;
	k->n++;
	return 0;
}

static struct kept_rule own_rules(struct place *p)
{
	struct kept_rule k = {0};

	assert_int_equal(ha_net_rule_list(p->n, AF_UNSPEC, HA_NET_PROTO_VIP, keep_rule, &k), 0);
	return k;
}

static void rules_look_as_those_of_iproute2(void **state)
{
	struct place *p = *state;

	for (size_t i = 0; i < sizeof(rule_twins) / sizeof(rule_twins[0]); i++) {
		const struct ha_net_rule *r = &rule_twins[i].r;
		const char *f = r->family == AF_INET6 ? "-6" : "-4";
		char command[256], show[64], *theirs, *ours;
		struct kept_rule k;
		int status = 77;

		snprintf(show, sizeof(show), "ip -N -d %s rule show", f);
		snprintf(command, sizeof(command),
			 "ip %s rule add %s priority 500 protocol 112 2>/dev/null", f,
			 rule_twins[i].words);

		assert_int_equal(run(command), 0);
		theirs = output(show);
		assert_int_equal(ha_net_rule_add(p->n, r, 1, &status), 0);
		assert_int_equal(status, HA_NET_ALREADY);
		assert_int_equal(ha_net_rule_remove(p->n, r, 1, &status), 0);
		assert_int_equal(status, 0);
		assert_int_equal(ha_net_rule_remove(p->n, r, 1, &status), 0);
		assert_int_equal(status, HA_NET_ALREADY);
		assert_int_equal(ha_net_rule_add(p->n, r, 1, &status), 0);
		assert_int_equal(status, 0);
		ours = output(show);
		assert_string_equal(ours, theirs);
		k = own_rules(p);
		assert_int_equal(k.n, 1);
		assert_int_equal(ha_net_rule_remove(p->n, &k.r, 1, &status), 0);
		assert_int_equal(status, 0);
		assert_int_equal(own_rules(p).n, 0);
		free(ours);
		free(theirs);
	}
}

static void a_strangers_rule_is_not_removed(void **state)
{
	struct place *p = *state;
	struct ha_net_rule r = {
	    .size = sizeof(r), .from = ip("10.1.2.3"), .priority = 500, .table = 9};
	int status = 77;

	assert_int_equal(run("ip rule add from 10.1.2.3 table 9 priority 500"), 0);
	assert_int_equal(ha_net_rule_remove(p->n, &r, 1, &status), 0);
	assert_int_equal(status, HA_NET_ALREADY);
	assert_int_equal(run("ip rule del from 10.1.2.3 table 9 priority 500"), 0);
}

static void five_thousand_rules_are_one_plan(void **state)
{
	struct place *p = *state;
	struct ha_net_rule *r = calloc(MANY, sizeof(*r));

	for (uint32_t i = 0; i < MANY; i++)
		r[i] = (struct ha_net_rule){
		    .size = sizeof(*r), .family = AF_INET, .priority = 1000 + i, .table = 1000};
	assert_int_equal(ha_net_rule_add(p->n, r, MANY, NULL), 0);
	assert_int_equal(own_rules(p).n, MANY);
	assert_int_equal(ha_net_rule_remove(p->n, r, MANY, NULL), 0);
	assert_int_equal(own_rules(p).n, 0);
	free(r);
}

/* -- neighbours --------------------------------------------------------------------------------------- */

struct kept_neighbour {
	struct ha_net_neighbour a, want;
	size_t n;
};

static int keep_neighbour(void *userdata, const struct ha_net_neighbour *a)
{
	struct kept_neighbour *k = userdata;

	if (ha_ip_compare(&a->ip, &k->want.ip))
		return 0;
	k->a = *a;
	k->n++;
	return 0;
}

static struct kept_neighbour known(struct place *p, const struct ha_net_neighbour *want)
{
	struct kept_neighbour k = {.want = *want};

	assert_int_equal(
	    ha_net_neighbour_list(p->n, want->ifindex, want->ip.family, keep_neighbour, &k), 0);
	return k;
}

static void neighbours_look_as_those_of_iproute2(void **state)
{
	static const char *const texts[] = {"192.0.2.9", "2001:db8:1::9"};
	struct place *p = *state;

	for (int i = 0; i < 2; i++) {
		struct ha_net_neighbour a = {
		    .size = sizeof(a), .ifindex = p->a, .ip = ip(texts[i])};
		char command[256], show[128], *theirs, *ours;
		struct kept_neighbour k;
		int status = 77;

		a.mac_len = 6;
		memcpy(a.mac, "\2\0\0\0\0\7", 6);
		snprintf(show, sizeof(show), "ip -N -d neigh show %s", texts[i]);
		snprintf(command, sizeof(command),
			 "ip neigh add %s lladdr 02:00:00:00:00:07 dev " LINK " protocol 112",
			 texts[i]);
		assert_int_equal(run(command), 0);
		theirs = output(show);
		assert_int_equal(ha_net_neighbour_add(p->n, &a, 1, &status), 0);
		assert_int_equal(status, HA_NET_ALREADY);
		assert_int_equal(ha_net_neighbour_remove(p->n, &a, 1, &status), 0);
		assert_int_equal(status, 0);
		assert_int_equal(ha_net_neighbour_remove(p->n, &a, 1, &status), 0);
		assert_int_equal(status, HA_NET_ALREADY);
		assert_int_equal(ha_net_neighbour_add(p->n, &a, 1, &status), 0);
		assert_int_equal(status, 0);
		ours = output(show);
		assert_string_equal(ours, theirs);
		a.mac[5] = 8;
		assert_int_equal(ha_net_neighbour_set(p->n, &a, 1, &status), 0);
		k = known(p, &a);
		assert_int_equal(k.n, 1);
		assert_memory_equal(k.a.mac, a.mac, 6);
		assert_true(ha_net_neighbour_is_valid(&k.a));
		free(ours);
		free(theirs);
	}
}

static void the_kernel_asks_for_a_mac(void **state)
{
	struct place *p = *state;
	struct ha_net_neighbour a = {
	    .size = sizeof(a), .ifindex = p->a, .ip = ip("192.0.2.77"), .flags = NTF_USE};
	struct kept_neighbour k;

	assert_int_equal(known(p, &a).n, 0);
	assert_int_equal(ha_net_neighbour_set(p->n, &a, 1, NULL), 0);
	k = known(p, &a);
	assert_int_equal(k.n, 1);
	assert_int_equal(k.a.state, NUD_INCOMPLETE);
	assert_false(ha_net_neighbour_is_valid(&k.a));
}

/* -- watching ------------------------------------------------------------------------------------------ */

/* How long a real kernel may take before the test gives up. */
#define PATIENCE_NS UINT64_C(10000000000)

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct heard {
	unsigned int changed, removed;
	struct ha_net_neighbour last;
};

static void neighbour_changed(void *userdata, const struct ha_net_neighbour *now,
			      const struct ha_net_neighbour *before)
{
	struct heard *h = userdata;

	(void)before;
	h->changed++;
	h->last = *now;
}

static void neighbour_removed(void *userdata, const struct ha_net_neighbour *a)
{
	(void)a;
	((struct heard *)userdata)->removed++;
}

/* Runs the monitor until nothing is readable and nothing is due soon. */
static void settle(struct ha_net_monitor *m)
{
	uint64_t until = now_ns() + PATIENCE_NS;

	for (;;) {
		struct pollfd fd = {.fd = ha_net_monitor_fd(m), .events = POLLIN};
		uint64_t deadline = ha_net_monitor_deadline(m), now = now_ns();
		bool soon = deadline < now + 600000000;
		int ms = deadline <= now ? 0 : soon ? (int)((deadline - now) / 1000000 + 1) : 50;

		assert_true(now < until);
		if (!poll(&fd, 1, ms) && !soon && ha_net_monitor_is_synced(m))
			return;
		assert_int_equal(ha_net_monitor_dispatch(m, now_ns()), 0);
	}
}

static void a_mac_is_followed(void **state)
{
	static const struct ha_net_monitor_ops ops = {.size = sizeof(ops),
						      .neighbour_changed = neighbour_changed,
						      .neighbour_removed = neighbour_removed};
	const struct ha_net_monitor_opts o = {.size = sizeof(o), .neighbours = true};
	struct place *p = *state;
	struct ha_net_neighbour a = {.size = sizeof(a)};
	struct ha_ip server = ip("192.0.2.9");
	struct heard h = {0};
	struct ha_net_monitor *m;

	assert_int_equal(ha_net_monitor_new(&o, &ops, &h, &m), 0);
	settle(m);
	h.changed = 0;
	run("ip neigh replace 192.0.2.9 lladdr 02:00:00:00:00:07 dev " LINK);
	settle(m);
	assert_int_equal(h.changed, 1);
	assert_int_equal(ha_net_monitor_neighbour(m, p->a, &server, &a), 0);
	assert_memory_equal(a.mac, "\2\0\0\0\0\7", 6);
	run("ip neigh replace 192.0.2.9 lladdr 02:00:00:00:00:08 dev " LINK);
	settle(m);
	assert_int_equal(h.changed, 2);
	assert_int_equal(h.last.mac[5], 8);
	run("ip neigh del 192.0.2.9 dev " LINK);
	settle(m);
	/* The kernel first says that it is no longer valid, or not. */
	assert_int_equal(h.removed, 1);
	assert_int_equal(ha_net_monitor_neighbour(m, p->a, &server, &a), -ENOENT);
	ha_net_monitor_free(m);
}

struct compared {
	struct ha_net_monitor *m;
	const struct ha_net_route *want;
	size_t n;
	bool found;
};

static int is_the_same(void *userdata, const struct ha_net_route *r)
{
	struct compared *c = userdata;

	c->found |= route_codec_same(r, c->want);
	return 0;
}

static int is_in_the_view(void *userdata, const struct ha_net_route *r)
{
	struct compared *c = userdata;

	c->want = r;
	c->found = false;
	c->n++;
	ha_net_monitor_routes(c->m, is_the_same, c);
	if (!c->found)
		print_error("not in the view: a route of table %u\n", r->table);
	return c->found ? 0 : -ENOENT;
}

/* Nothing too little, and the numbers are equal: so the sets are. */
static void the_view_is_the_kernels(struct place *p, struct ha_net_monitor *m, const char *after)
{
	struct ha_net_monitor_stats s = {.size = sizeof(s)};
	struct compared c = {.m = m};

	assert_int_equal(run(after), 0);
	settle(m);
	assert_int_equal(ha_net_route_list(p->n, NULL, is_in_the_view, &c), 0);
	assert_int_equal(ha_net_monitor_stats(m, &s), 0);
	assert_int_equal(s.routes, c.n);
	assert_int_equal(s.malformed, 0);
}

static void the_view_of_routes_is_never_stale(void **state)
{
	static const char *const steps[] = {
	    "true",
	    "ip route add 203.0.113.0/24 via 192.0.2.254",
	    "ip route replace 203.0.113.0/24 via 192.0.2.253",
	    "ip route append 203.0.113.0/24 via 192.0.2.252",
	    "ip route del 203.0.113.0/24 via 192.0.2.253",
	    "ip -6 route add 2001:db8:99::/64 via 2001:db8:1::8",
	    "ip -6 route append 2001:db8:99::/64 via 2001:db8:1::9",
	    "ip -6 route del 2001:db8:99::/64 via 2001:db8:1::8",
	    "ip route add 10.5.0.0/16 nexthop via 192.0.2.254 nexthop via 198.51.100.9 weight 9",
	    "ip route add 10.6.0.0/16 dev " PEER " src 192.0.2.1",
	    "ip addr del 192.0.2.1/24 dev " LINK,
	    "ip link set " PEER " down",
	    "ip link set " PEER " up",
	    "ip link del " LINK,
	};
	const struct ha_net_monitor_opts o = {.size = sizeof(o), .routes = true};
	const struct ha_net_monitor_ops ops = {.size = sizeof(ops)};
	struct place *p = *state;
	struct ha_net_monitor *m;

	assert_int_equal(ha_net_monitor_new(&o, &ops, NULL, &m), 0);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		the_view_is_the_kernels(p, m, steps[i]);
	ha_net_monitor_free(m);
}

struct compared_rules {
	struct ha_net_monitor *m;
	const struct ha_net_rule *want;
	size_t n;
	bool found;
};

static int is_the_same_rule(void *userdata, const struct ha_net_rule *r)
{
	struct compared_rules *c = userdata;

	c->found |= rule_codec_same(r, c->want);
	return 0;
}

static int rule_is_in_the_view(void *userdata, const struct ha_net_rule *r)
{
	struct compared_rules *c = userdata;

	c->want = r;
	c->found = false;
	c->n++;
	ha_net_monitor_rules(c->m, is_the_same_rule, c);
	return c->found ? 0 : -ENOENT;
}

static void the_view_of_rules_is_the_kernels(void **state)
{
	static const char *const steps[] = {
	    "true",
	    "ip rule add from 203.0.113.0/24 iif " LINK " fwmark 0x7/0xff priority 500 table 1000",
	    "ip -6 rule add to 2001:db8:9::/48 ipproto tcp dport 80-90 priority 501 unreachable",
	    "ip rule add not uidrange 5-9 priority 502 goto 32766",
	    "ip link del " LINK,
	    "ip rule del priority 500",
	    "ip -6 rule del priority 501 && ip rule del priority 502",
	};
	const struct ha_net_monitor_opts o = {.size = sizeof(o), .rules = true};
	const struct ha_net_monitor_ops ops = {.size = sizeof(ops)};
	struct place *p = *state;
	struct ha_net_monitor *m;

	assert_int_equal(ha_net_monitor_new(&o, &ops, NULL, &m), 0);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct ha_net_monitor_stats s = {.size = sizeof(s)};
		struct compared_rules c = {.m = m};

		assert_int_equal(run(steps[i]), 0);
		settle(m);
		assert_int_equal(ha_net_rule_list(p->n, AF_UNSPEC, 0, rule_is_in_the_view, &c), 0);
		assert_int_equal(ha_net_monitor_stats(m, &s), 0);
		assert_true(c.n >= 5); /* the kernel's own of both families */
		assert_int_equal(s.rules, c.n);
		assert_int_equal(s.malformed, 0);
	}
	ha_net_monitor_free(m);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(routes_look_as_those_of_iproute2),
	    T(a_strangers_route_is_not_removed),
	    T(replacing_and_appending),
	    T(a_refused_route_says_why),
	    T(a_route_with_a_lifetime_ends),
	    T(five_thousand_routes_are_one_plan),
	    T(a_plan_is_a_bounded_number_of_system_calls),
	    T(rules_look_as_those_of_iproute2),
	    T(a_strangers_rule_is_not_removed),
	    T(five_thousand_rules_are_one_plan),
	    T(neighbours_look_as_those_of_iproute2),
	    T(the_kernel_asks_for_a_mac),
	    T(a_mac_is_followed),
	    T(the_view_of_routes_is_never_stale),
	    T(the_view_of_rules_is_the_kernels),
	};

	/* The namespace is this process's own and ends with it. */
	if (unshare(CLONE_NEWNET) < 0) {
		printf("skipped: a network namespace needs root: %s\n", strerror(errno));
		return 77;
	}
	if (system("ip link set lo up && ip link add net-t type veth peer name net-u && ip link "
		   "del net-t && ip rule add priority 499 table 9 && ip rule del priority 499")) {
		printf("skipped: iproute2, veth or policy rules are missing\n");
		return 77;
	}
	return cmocka_run_group_tests_name("netns/route", tests, NULL, NULL);
}
