/* SPDX-License-Identifier: MIT */
/* What the monitor follows only when it is asked to: neighbours, rules, routes. */
#include "monitor_rig.h"

/* In place of the monitor that set_up made. */
static void follow_more(struct place *p)
{
	struct ha_nl_transport t = fake_transport(p->f);
	struct ha_net_monitor_opts o = {
	    .size = sizeof(o), .transport = &t, .neighbours = true, .routes = true, .rules = true};

	ha_net_monitor_free(p->m);
	p->f->n_joined = 0;
	p->k.gateway = 5;
	assert_int_equal(ha_net_monitor_new(&o, &ops, p, &p->m), 0);
	assert_int_equal(p->f->n_joined, 8);
	assert_int_equal(run(p, 1000), 0);
	forget(p);
}

static void what_was_not_asked_for_is_not_told(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	push_route(p, RTM_NEWROUTE, 0, 0, 0, 5);
	push_neighbour(p, RTM_NEWNEIGH, 7);
	push_rule(p, RTM_NEWRULE, 0, 0, 0);
	run(p, 1000);
	assert_int_equal(p->routes_added + p->neighbours_changed + p->rules_added, 0);
	assert_int_equal(stats(p).routes + stats(p).neighbours + stats(p).rules, 0);
}

static void a_neighbours_mac_is_followed(void **state)
{
	struct place *p = *state;

	follow_more(p);
	push_neighbour(p, RTM_NEWNEIGH, 7);
	push_neighbour(p, RTM_NEWNEIGH, 7);
	run(p, 0);
	assert_int_equal(p->neighbours_changed, 1);
	push_neighbour(p, RTM_NEWNEIGH, 8);
	run(p, 0);
	assert_int_equal(p->neighbours_changed, 2);
	push_neighbour(p, RTM_DELNEIGH, 8);
	run(p, 0);
	assert_int_equal(p->neighbours_removed, 1);
	/* Of a link that goes they go too, and one the dump does not know. */
	push_neighbour(p, RTM_NEWNEIGH, 7);
	link_event(p, RTM_DELLINK, 1, 0);
	run(p, 0);
	assert_int_equal(p->neighbours_removed, 2);
	push_neighbour(p, RTM_NEWNEIGH, 7);
	run(p, 0);
	ha_net_monitor_resync(p->m);
	run(p, 1000);
	assert_int_equal(p->neighbours_removed, 3);
}

static void rules_are_followed_and_a_twin_is_not_lost(void **state)
{
	struct place *p = *state;

	follow_more(p);
	p->k.rules = 2;
	push_rule(p, RTM_NEWRULE, 0, 0, 0);
	push_rule(p, RTM_NEWRULE, 0, 0, 0);
	run(p, 0);
	assert_int_equal(p->rules_added, 1);
	assert_int_equal(stats(p).rules, 1);
	p->k.rules = 1;
	push_rule(p, RTM_DELRULE, 0, 0, 0);
	run(p, 0);
	assert_int_equal(p->rules_removed, 1);
	run(p, 1000); /* a later reading finds the other one */
	assert_int_equal(p->rules_added, 2);
	assert_int_equal(stats(p).rules, 1);
	p->k.rules = 0;
	push_rule(p, RTM_DELRULE, 0, 0, 0);
	run(p, 1000);
	assert_int_equal(p->rules_removed, 2);
	assert_int_equal(stats(p).rules, 0);
	assert_true(ha_net_monitor_is_synced(p->m));
}

static void what_a_replaced_route_leaves_is_made_up_for(void **state)
{
	struct place *p = *state;

	follow_more(p);
	assert_int_equal(stats(p).routes, 1);
	p->k.gateway = 6;
	push_route(p, RTM_NEWROUTE, NLM_F_REPLACE, 0, 0, 6);
	run(p, 0);
	assert_int_equal(p->routes_added, 1);
	assert_false(ha_net_monitor_is_synced(p->m));
	run(p, 1000);
	assert_int_equal(p->routes_removed, 1);
	assert_int_equal(p->last_ip.bytes[3], 5);
	assert_int_equal(stats(p).routes, 1);
	assert_true(ha_net_monitor_is_synced(p->m));
}

/* IPv4's routes go with their link or address without a word. */
static void routes_that_go_silently_are_missed(void **state)
{
	struct place *p = *state;

	for (int i = 0; i < 4; i++) {
		follow_more(p);
		p->k.gateway = 0;
		if (i == 0)
			link_event(p, RTM_NEWLINK, 1, 0);
		if (i == 1)
			address_event(p, RTM_DELADDR, 1, 1);
		if (i == 2)
			link_event(p, RTM_DELLINK, 2, 0);
		if (i == 3)
			push_route(p, RTM_DELROUTE, 0, 0, 0, 9); /* one that was not known */
		run(p, 1000);
		assert_int_equal(p->routes_removed, 1);
		assert_int_equal(stats(p).routes, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(what_was_not_asked_for_is_not_told),
	    T(a_neighbours_mac_is_followed),
	    T(rules_are_followed_and_a_twin_is_not_lost),
	    T(what_a_replaced_route_leaves_is_made_up_for),
	    T(routes_that_go_silently_are_missed),
	};

	return cmocka_run_group_tests_name("libha/net/monitor_routes", tests, NULL, NULL);
}
