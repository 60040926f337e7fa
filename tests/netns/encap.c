/* SPDX-License-Identifier: MIT */
/*
 * Routes with an encapsulation beside those of iproute2: the same text from `ip`, the same read back. A kernel need not
 * have each kind: what iproute2 cannot put in is left out, but with the argument "all", as in tests/kernel.
 */
#include <errno.h>
#include <linux/ila.h>
#include <linux/lwtunnel.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libha/route.h>

#include "net/route_codec.h"

#define TABLE 1000
#define ROUTE "ip route add table 1000 proto 112 "

static bool all;

static struct ha_ip ip(const char *text)
{
	struct ha_ip a;

	assert_int_equal(ha_ip_parse(text, &a), 0);
	return a;
}

static char *output(const char *command)
{
	FILE *f = popen(command, "r");
	char *text = calloc(1, 4096);

	assert_non_null(f);
	fread(text, 1, 4095, f);
	assert_int_equal(pclose(f), 0);
	return text;
}

struct kept {
	struct ha_net_route r;
	struct ha_net_nexthop nh[2];
	size_t n;
};

static int keep(void *userdata, const struct ha_net_route *r)
{
	struct kept *k = userdata;

	assert_true(r->n_nexthops <= 2);
	k->r = *r;
	for (size_t i = 0; i < r->n_nexthops; i++)
		k->nh[i] = r->nexthops[i];
	k->r.nexthops = k->nh;
	k->n++;
	return 0;
}

static void list(struct ha_net *n, struct kept *ret)
{
	const struct ha_net_route_filter f = {.size = sizeof(f), .table = TABLE};

	*ret = (struct kept){0};
	assert_int_equal(ha_net_route_list(n, &f, keep, ret), 0);
}

/* `words` after `ip route add table 1000`, and the same for the library. */
static void as_iproute2(const char *words, const struct ha_net_route *given)
{
	bool v6 = given->dst.family == AF_INET6;
	const char *show =
	    v6 ? "ip -N -d -6 route show table 1000" : "ip -N -d -4 route show table 1000";
	struct ha_net_route r = *given;
	struct kept theirs, ours;
	char command[512], *their_text, *our_text;
	struct ha_net *n;
	int status = 77;

	r.size = sizeof(r);
	r.table = TABLE;
	snprintf(command, sizeof(command), ROUTE "%s%s", words, all ? "" : " 2>/dev/null");
	if (system(command)) {
		print_message("not in this kernel: %s\n", words);
		assert_false(all);
		return;
	}
	assert_int_equal(ha_net_new(NULL, &n), 0);
	their_text = output(show);
	list(n, &theirs);
	assert_int_equal(theirs.n, 1);
	assert_int_equal(ha_net_route_remove(n, &r, 1, &status), 0);
	assert_int_equal(status, 0);
	if (ha_net_route_add(n, &r, 1, NULL) < 0)
		fail_msg("%s: %s", words, ha_net_error_text(n));
	our_text = output(show);
	assert_string_equal(our_text, their_text);
	list(n, &ours);
	assert_int_equal(ours.n, 1);
	assert_true(route_codec_same(&ours.r, &theirs.r));
	/* What was read can be asked for. */
	assert_int_equal(ha_net_route_remove(n, &ours.r, 1, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(ha_net_route_add(n, &theirs.r, 1, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(ha_net_route_remove(n, &theirs.r, 1, &status), 0);
	assert_int_equal(status, 0);
	free(our_text);
	free(their_text);
	ha_net_free(n);
}

static void labels_of_mpls(void **state)
{
	struct ha_net_route r = {.via = ip("192.0.2.254"), .dst = ip("203.0.113.0"), .dst_len = 24};

	r.encap = (struct ha_net_encap){
	    .type = LWTUNNEL_ENCAP_MPLS, .n_labels = 2, .u.labels = {100, 1048575}};
	as_iproute2("203.0.113.0/24 encap mpls 100/1048575 via 192.0.2.254", &r);
	r.encap = (struct ha_net_encap){
	    .type = LWTUNNEL_ENCAP_MPLS, .ttl = 9, .n_labels = 1, .u.labels = {16}};
	as_iproute2("203.0.113.0/24 encap mpls 16 ttl 9 via 192.0.2.254", &r);
}

static void tunnels_of_ip(void **state)
{
	struct ha_net_route r = {.ifindex = if_nametoindex("enc-a")};

	r.dst = ip("203.0.113.0");
	r.dst_len = 24;
	r.encap = (struct ha_net_encap){.type = LWTUNNEL_ENCAP_IP, .ttl = 7, .tos = 4};
	r.encap.u.ip.id = UINT64_C(0x123456789a);
	r.encap.u.ip.src = ip("192.0.2.1");
	r.encap.u.ip.dst = ip("198.51.100.9");
	as_iproute2("203.0.113.0/24 encap ip id 78187493530 dst 198.51.100.9 src 192.0.2.1 ttl 7 "
		    "tos 4 dev enc-a",
		    &r);
	r.dst = ip("2001:db8:99::");
	r.dst_len = 48;
	r.encap = (struct ha_net_encap){.type = LWTUNNEL_ENCAP_IP6, .ttl = 5};
	r.encap.u.ip.id = 7;
	r.encap.u.ip.dst = ip("2001:db8:1::9");
	as_iproute2("2001:db8:99::/48 encap ip6 id 7 dst 2001:db8:1::9 hoplimit 5 dev enc-a", &r);
}

static void locators_of_ila(void **state)
{
	struct ha_net_route r = {.via = ip("2001:db8:1::9")};

	r.dst = ip("2001:db8:99:0:2000::1");
	r.encap = (struct ha_net_encap){.type = LWTUNNEL_ENCAP_ILA};
	r.encap.u.ila.locator = UINT64_C(0x20010db800000007);
	r.encap.u.ila.csum_mode = ILA_CSUM_NO_ACTION;
	as_iproute2("2001:db8:99:0:2000::1/128 encap ila 2001:db8:0:7 csum-mode no-action via "
		    "2001:db8:1::9",
		    &r);
	r.encap.u.ila.csum_mode = ILA_CSUM_ADJUST_TRANSPORT;
	r.encap.u.ila.ident_type = ILA_ATYPE_LUID;
	as_iproute2("2001:db8:99:0:2000::1/128 encap ila 2001:db8:0:7 csum-mode adj-transport "
		    "ident-type luid "
		    "via 2001:db8:1::9",
		    &r);
}

static void each_way_has_its_own(void **state)
{
	struct ha_net_nexthop nh[2] = {
	    {.size = sizeof(nh[0]), .via = ip("192.0.2.254")},
	    {.size = sizeof(nh[0]), .via = ip("192.0.2.253"), .weight = 3}};
	struct ha_net_route r = {
	    .dst = ip("203.0.113.0"), .dst_len = 24, .nexthops = nh, .n_nexthops = 2};

	nh[0].encap =
	    (struct ha_net_encap){.type = LWTUNNEL_ENCAP_MPLS, .n_labels = 1, .u.labels = {100}};
	as_iproute2("203.0.113.0/24 nexthop encap mpls 100 via 192.0.2.254 nexthop via 192.0.2.253 "
		    "weight 3",
		    &r);
}

/* Behind, and before those in the same place. */
static void the_prepended_route_is_taken(void **state)
{
	struct ha_net_route r = {
	    .size = sizeof(r), .dst = ip("203.0.113.0"), .dst_len = 24, .via = ip("192.0.2.254")};
	struct ha_net *n;
	char *text;

	assert_int_equal(ha_net_new(NULL, &n), 0);
	assert_int_equal(ha_net_route_add(n, &r, 1, NULL), 0);
	r.via = ip("192.0.2.253");
	assert_int_equal(ha_net_route_append(n, &r, 1, NULL), 0);
	text = output("ip route get 203.0.113.9");
	assert_non_null(strstr(text, "via 192.0.2.254 "));
	free(text);
	r.via = ip("192.0.2.252");
	assert_int_equal(ha_net_route_prepend(n, &r, 1, NULL), 0);
	text = output("ip route get 203.0.113.9");
	assert_non_null(strstr(text, "via 192.0.2.252 "));
	free(text);
	assert_int_equal(system("ip route flush 203.0.113.0/24"), 0);
	ha_net_free(n);
}

static void a_vrf_tells_its_table(void **state)
{
	struct ha_net_link l = {.size = sizeof(l)};
	struct ha_net *n;

	if (system("ip link add enc-vrf type vrf table 77 2>/dev/null")) {
		assert_false(all);
		skip();
	}
	assert_int_equal(ha_net_new(NULL, &n), 0);
	assert_int_equal(ha_net_link_by_name(n, "enc-vrf", &l), 0);
	assert_string_equal(l.kind, "vrf");
	assert_int_equal(l.vrf_table, 77);
	assert_int_equal(ha_net_link_by_name(n, "enc-a", &l), 0);
	assert_int_equal(l.vrf_table, 0);
	ha_net_free(n);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(labels_of_mpls),
	    cmocka_unit_test(tunnels_of_ip),
	    cmocka_unit_test(locators_of_ila),
	    cmocka_unit_test(each_way_has_its_own),
	    cmocka_unit_test(the_prepended_route_is_taken),
	    cmocka_unit_test(a_vrf_tells_its_table),
	};

	all = argc > 1 && !strcmp(argv[1], "all");
	/* The namespace is this process's own and ends with it. */
	if (unshare(CLONE_NEWNET) < 0) {
		printf("skipped: a network namespace needs root: %s\n", strerror(errno));
		return 77;
	}
	if (system("ip link set lo up && ip link add enc-a type veth peer name enc-b && ip link "
		   "set enc-a up && "
		   "ip link set enc-b up && ip addr add 192.0.2.1/24 dev enc-a && "
		   "ip addr add 2001:db8:1::1/64 dev enc-a nodad")) {
		printf("skipped: iproute2 or veth is missing\n");
		return 77;
	}
	return cmocka_run_group_tests_name("netns/encap", tests, NULL, NULL);
}
