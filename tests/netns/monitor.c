/* SPDX-License-Identifier: MIT */
/* The monitor beside a real kernel: its view of neighbours, routes and rules is the kernel's. */
#include "route_rig.h"

#include <poll.h>
#include <time.h>

#include "net/route_codec.h"
#include "net/rule_codec.h"

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

	h->changed++;
	h->last = *now;
}

static void neighbour_removed(void *userdata, const struct ha_net_neighbour *a)
{
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_mac_is_followed),
	    T(the_view_of_routes_is_never_stale),
	    T(the_view_of_rules_is_the_kernels),
	};

	enter_a_namespace();
	return cmocka_run_group_tests_name("netns/monitor", tests, NULL, NULL);
}
