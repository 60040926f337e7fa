/* SPDX-License-Identifier: MIT */
/* Routes: what is added, listed, replaced, refused, and in how many system calls. */
#include "route_rig.h"

#include <linux/rtnetlink.h>

#include "net/route_codec.h"

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
	};

	enter_a_namespace();
	return cmocka_run_group_tests_name("netns/route", tests, NULL, NULL);
}
