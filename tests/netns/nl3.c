/* SPDX-License-Identifier: MIT */
/* libha over a libnl-3 socket against a real kernel, in a network namespace of its own. */
#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libha/net.h>
#include <libha/nl3.h>

#define MANY 5000

static struct nl_sock *new_socket(struct ha_nl_transport *ret)
{
	struct nl_sock *sk = nl_socket_alloc();

	assert_non_null(sk);
	assert_int_equal(ha_nl3_transport(sk, ret), -ENOTCONN);
	assert_int_equal(nl_connect(sk, NETLINK_ROUTE), 0);
	assert_int_equal(ha_nl3_transport(sk, ret), 0);
	assert_int_equal(ha_nl3_transport(NULL, ret), -EINVAL);
	return sk;
}

static int count(void *userdata, const struct ha_net_address *a)
{
	++*(size_t *)userdata;
	return 0;
}

/* More than libnl's send buffer of 32 KiB holds: it grows. */
static void many_addresses_are_one_plan(void **state)
{
	struct ha_nl_transport t;
	struct nl_sock *sk = new_socket(&t);
	struct ha_net_opts o = {.size = sizeof(o), .transport = &t};
	struct ha_net_address *a = calloc(MANY, sizeof(*a));
	int *status = calloc(MANY, sizeof(*status));
	struct ha_net *n;
	size_t before = 0, after = 0;

	assert_int_equal(ha_net_new(&o, &n), 0);
	assert_int_equal(ha_net_address_list(n, 1, AF_INET, count, &before), 0);
	for (uint32_t i = 0; i < MANY; i++)
		a[i] = (struct ha_net_address){
		    .size = sizeof(*a),
		    .ifindex = i == 77 ? 0x7ffffff0 : 1,
		    .ip = {.family = AF_INET, .bytes = {10, 9, (uint8_t)(i >> 8), (uint8_t)i}}};
	assert_int_equal(ha_net_address_add(n, a, MANY, status), -ENODEV);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(status[i], i == 77 ? -ENODEV : 0);
	assert_int_equal(ha_net_address_list(n, 1, AF_INET, count, &after), 0);
	assert_int_equal(after, before + MANY - 1);
	assert_int_equal(ha_net_address_remove(n, a, MANY, NULL), 0);
	ha_net_free(n);
	/* It is the host's still. */
	assert_true(nl_socket_get_fd(sk) >= 0);
	nl_socket_free(sk);
	free(status);
	free(a);
}

static void address_added(void *userdata, const struct ha_net_address *a)
{
	*(uint8_t *)userdata = a->ip.bytes[3];
}

static void a_monitor_hears_over_it(void **state)
{
	const struct ha_net_monitor_ops ops = {.size = sizeof(ops), .address_added = address_added};
	struct ha_nl_transport t;
	struct nl_sock *sk = new_socket(&t);
	struct ha_net_monitor_opts o = {.size = sizeof(o), .transport = &t};
	struct ha_net_monitor *m;
	uint8_t heard = 0;
	uint64_t now = 0; /* of no consequence: nothing here waits for a timer */

	assert_int_equal(ha_net_monitor_new(&o, &ops, &heard, &m), 0);
	for (int i = 0; i < 100 && !ha_net_monitor_is_synced(m); i++)
		assert_int_equal(ha_net_monitor_dispatch(m, now), 0);
	assert_true(ha_net_monitor_is_synced(m));
	assert_int_equal(system("ip addr add 192.0.2.99/32 dev lo"), 0);
	for (int i = 0; i < 100 && heard != 99; i++) {
		struct pollfd fd = {.fd = ha_net_monitor_fd(m), .events = POLLIN};

		poll(&fd, 1, 100);
		assert_int_equal(ha_net_monitor_dispatch(m, now), 0);
	}
	assert_int_equal(heard, 99);
	ha_net_monitor_free(m);
	nl_socket_free(sk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(many_addresses_are_one_plan),
	    cmocka_unit_test(a_monitor_hears_over_it),
	};

	if (unshare(CLONE_NEWNET) < 0) {
		printf("skipped: a network namespace needs root: %s\n", strerror(errno));
		return 77;
	}
	if (system("ip link set lo up")) {
		printf("skipped: iproute2 is missing\n");
		return 77;
	}
	return cmocka_run_group_tests_name("netns/nl3", tests, NULL, NULL);
}
