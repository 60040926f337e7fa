/* SPDX-License-Identifier: MIT */
/* What the monitor tells of links and addresses, and what it refuses. */
#include "monitor_rig.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/support/fail_memory.h"

static void the_start_tells_everything_once(void **state)
{
	struct place *p = *state;

	assert_int_equal(p->f->n_joined, 3);
	assert_int_equal(p->f->joined[0], RTNLGRP_LINK);
	assert_int_equal(p->f->joined[1], RTNLGRP_IPV4_IFADDR);
	assert_int_equal(p->f->joined[2], RTNLGRP_IPV6_IFADDR);
	assert_int_equal(ha_net_monitor_fd(p->m), p->f->fd);
	assert_int_equal(ha_net_monitor_deadline(p->m), 0);
	assert_false(ha_net_monitor_is_synced(p->m));
	assert_int_equal(p->f->n_sends, 0);
	assert_int_equal(run(p, 1000), 0);
	assert_int_equal(p->came, 3);
	assert_int_equal(p->added, 6);
	assert_int_equal(p->resynced, 1);
	assert_true(ha_net_monitor_is_synced(p->m));
	assert_true(ha_net_monitor_deadline(p->m) == UINT64_MAX);
	the_view_is_the_kernels(p);
}

static void an_event_is_told_when_it_changes_something(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	forget(p);
	address_event(p, RTM_NEWADDR, 1, 5);
	address_event(p, RTM_NEWADDR, 1, 5); /* the same again */
	run(p, 1000);
	assert_int_equal(p->added, 1);
	assert_int_equal(p->last_ip.bytes[3], 5);
	p->k.flags = IFA_F_DEPRECATED;
	address_event(p, RTM_NEWADDR, 1, 5);
	run(p, 1000);
	assert_int_equal(p->updated, 1);
	address_event(p, RTM_DELADDR, 1, 5);
	address_event(p, RTM_DELADDR, 1, 5);
	run(p, 1000);
	assert_int_equal(p->removed, 1);
	link_event(p, RTM_NEWLINK, 2, IFF_UP);
	link_event(p, RTM_NEWLINK, 2, 0);
	link_event(p, RTM_NEWLINK, 5, 0);
	run(p, 1000);
	assert_int_equal(p->changed, 1);
	assert_int_equal(p->came, 1);
	assert_int_equal(p->added + p->removed + p->updated, 3);
	assert_int_equal(p->f->n_sends, 2); /* no dump but the first two */
	the_view_is_the_kernels(p);
}

static void a_link_takes_its_addresses_along(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	forget(p);
	p->k.address[2][1] = p->k.address[2][2] = false; /* no event of theirs */
	link_event(p, RTM_DELLINK, 2, 0);
	run(p, 1000);
	assert_int_equal(p->went, 1);
	assert_int_equal(p->removed, 2);
	the_view_is_the_kernels(p);
}

static void a_bridge_port_that_leaves_is_still_a_link(void **state)
{
	struct place *p = *state;
	uint8_t buf[128];
	struct writer w = writer_of(buf, sizeof(buf));

	run(p, 1000);
	link_bytes(&w, RTM_DELLINK, 0, AF_BRIDGE, 2, 0);
	fake_push_msg(p->f, &w, 0, 0);
	run(p, 1000);
	assert_int_equal(p->went, 0);
	the_view_is_the_kernels(p);
}

static void nonsense_is_counted_and_changes_nothing(void **state)
{
	struct place *p = *state;
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t m = nl_msg_begin(&w, RTM_NEWLINK, 0);

	run(p, 1000);
	forget(p);
	write_zero(&w, 4);
	write_host32(&w, 5);
	write_zero(&w, 8);
	nl_attr_put(&w, IFLA_ADDRESS, buf, 33); /* longer than any link-layer address */
	nl_msg_end(&w, m);
	fake_push_msg(p->f, &w, 0, 0);
	fake_push(p->f, "nonsense", 8, 0);
	fake_push(p->f, "", 0, 0);
	assert_int_equal(run(p, 1000), 0);
	assert_int_equal(stats(p).malformed, 2);
	assert_int_equal(p->came, 0);
	the_view_is_the_kernels(p);
}

static void one_dispatch_does_bounded_work(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	for (int i = 0; i < 200; i++)
		address_event(p, i % 2 ? RTM_DELADDR : RTM_NEWADDR, 1, 5);
	assert_int_equal(ha_net_monitor_dispatch(p->m, p->now), 0);
	assert_int_equal(p->f->n, 200 - 64);
}

static void more_links_than_the_limit_are_counted_and_left_out(void **state)
{
	static uint8_t buf[60000];
	struct place *p = *state;
	uint32_t ifindex = 100;

	run(p, 1000);
	while (ifindex < 100 + HA_NET_LINKS_MAX) {
		struct writer w = writer_of(buf, sizeof(buf));

		for (int i = 0; i < 1024; i++)
			link_bytes(&w, RTM_NEWLINK, 0, AF_UNSPEC, ifindex++, 0);
		assert_false(w.bad);
		fake_push(p->f, buf, writer_len(&w), 0);
	}
	assert_int_equal(run(p, 1000), 0);
	assert_int_equal(stats(p).links, HA_NET_LINKS_MAX);
	assert_int_equal(stats(p).over_limit, 3);
}

static void dispatch_inside_a_callback_is_refused(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	assert_int_equal(p->dispatch_inside, -EBUSY);
}

static int dispatch_inside_walk(void *userdata, const struct ha_net_link *l)
{
	struct place *p = userdata;

	return ha_net_monitor_dispatch(p->m, p->now);
}

static int dispatch_inside_address_walk(void *userdata, const struct ha_net_address *a)
{
	struct place *p = userdata;

	return ha_net_monitor_dispatch(p->m, p->now);
}

static void dispatch_inside_a_walk_of_the_view_is_refused(void **state)
{
	struct place *p = *state;

	run(p, 1000);
	assert_int_equal(ha_net_monitor_links(p->m, dispatch_inside_walk, p), -EBUSY);
	assert_int_equal(ha_net_monitor_addresses(p->m, dispatch_inside_address_walk, p), -EBUSY);
	assert_int_equal(ha_net_monitor_dispatch(p->m, p->now), 0);
}

static void free_inside_a_callback_asserts(void **state)
{
	struct place *p = *state;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0});
		close(STDERR_FILENO); /* the assertion is expected */
		signal(SIGABRT, SIG_DFL);
		p->free_inside = true;
		run(p, 1000);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void a_transport_that_cannot_join_is_refused_and_stays_the_callers(void **state)
{
	struct place *p = *state;
	struct ha_nl_transport_ops deaf = fake_ops;
	struct ha_nl_transport t = {.ops = &deaf, .userdata = p->f};
	struct ha_net_monitor_opts o = {.size = sizeof(o), .transport = &t};
	struct ha_net_monitor *m;

	deaf.join = NULL;
	assert_int_equal(ha_net_monitor_new(&o, &ops, p, &m), -EOPNOTSUPP);
	assert_int_equal(ha_net_monitor_new(&o, NULL, p, &m), -EINVAL);
	o.reserved[4] = 1;
	assert_int_equal(ha_net_monitor_new(&o, &ops, p, &m), -EINVAL);
	assert_int_equal(p->f->n_closes, 0);
	ha_net_monitor_free(NULL);
}

static void getters_fill_up_to_the_callers_size(void **state)
{
	struct place *p = *state;
	struct ha_net_link l = {.size = offsetof(struct ha_net_link, flags), .flags = 77};
	struct ha_net_address a = {.size = sizeof(a)};
	struct ha_ip ip = {.family = AF_INET, .bytes = {10, 0, 0, 2}}, none = {0};

	run(p, 1000);
	assert_int_equal(ha_net_monitor_link(p->m, 2, &l), 0);
	assert_int_equal(l.ifindex, 2);
	assert_int_equal(l.flags, 77);
	assert_int_equal(ha_net_monitor_address(p->m, 2, &ip, &a), 0);
	assert_int_equal(a.prefix_len, 32);
	assert_int_equal(ha_net_monitor_address(p->m, 2, &none, &a), -EINVAL);
	assert_int_equal(ha_net_monitor_address(p->m, 7, &ip, &a), -EADDRNOTAVAIL);
}

static void any_allocation_may_fail_and_the_view_recovers(void **state)
{
	bool done = false;

	for (long nth = 0; !done; nth++) {
		struct place *p = new_place();
		int r;

		assert_true(nth < 100);
		fail_in = nth;
		r = new_monitor(p);
		if (r) {
			assert_int_equal(r, -ENOMEM);
			assert_int_equal(p->f->n_closes, 0);
		} else {
			r = run(p, 2000);
			address_event(p, RTM_NEWADDR, 1, 6);
			link_event(p, RTM_NEWLINK, 6, 0);
			r = run(p, 2000) | r;
			assert_true(ha_net_monitor_is_synced(p->m));
			the_view_is_the_kernels(p);
			assert_int_equal(p->came - p->went, 4);
			assert_int_equal(p->added - p->removed, 7);
		}
		done = fail_in >= 0;
		fail_in = -1;
		assert_int_equal(r, done ? 0 : -ENOMEM);
		free_place(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(the_start_tells_everything_once),
	    T(an_event_is_told_when_it_changes_something),
	    T(a_link_takes_its_addresses_along),
	    T(a_bridge_port_that_leaves_is_still_a_link),
	    T(nonsense_is_counted_and_changes_nothing),
	    T(one_dispatch_does_bounded_work),
	    T(more_links_than_the_limit_are_counted_and_left_out),
	    T(dispatch_inside_a_callback_is_refused),
	    T(dispatch_inside_a_walk_of_the_view_is_refused),
	    T(free_inside_a_callback_asserts),
	    T(a_transport_that_cannot_join_is_refused_and_stays_the_callers),
	    T(getters_fill_up_to_the_callers_size),
	    cmocka_unit_test(any_allocation_may_fail_and_the_view_recovers),
	};

	return cmocka_run_group_tests_name("libha/net/monitor", tests, NULL, NULL);
}
