/* SPDX-License-Identifier: MIT */
/* Policy rules. */
#include "route_rig.h"

#include <linux/fib_rules.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(rules_look_as_those_of_iproute2),
	    T(a_strangers_rule_is_not_removed),
	    T(five_thousand_rules_are_one_plan),
	};

	enter_a_namespace();
	return cmocka_run_group_tests_name("netns/rule", tests, NULL, NULL);
}
