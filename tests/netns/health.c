/* SPDX-License-Identifier: MIT */
/*
 * What loopback cannot show, in a network namespace of the test's own: black holes, unreachable networks,
 * marks and devices that choose the route, and that a thousand checks leave no socket behind.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <libhealth/probe_net.h>

#include "tests/unit/libhealth/rig.h"

static void run(const char *command)
{
	if (system(command)) {
		print_error("failed: %s\n", command);
		fail();
	}
}

/* 198.51.100.0/24 lies behind hole-a, whose other end swallows all. 203.0.113.0/24 has no route. */
static int set_up(void **state)
{
	run("ip link set hole-a up && ip link set hole-b up");
	run("ip addr add 198.51.100.1/24 dev hole-a");
	run("ip neigh add 198.51.100.7 lladdr 02:00:00:00:00:07 dev hole-a");
	run("ip route add unreachable 192.0.2.0/25");
	run("ip route add blackhole 192.0.2.128/25");
	return 0;
}

static struct sockaddr_in address(const char *text)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(80)};

	assert_int_equal(inet_pton(AF_INET, text, &sa.sin_addr), 1);
	return sa;
}

static void a_black_hole_times_out(void **state)
{
	const struct sockaddr_in to = address("198.51.100.7");
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, NULL, NULL);
	o = rig_opts(&r);
	o.destination = (const struct sockaddr *)&to;
	o.timeout_ns = S;
	rig_add(&r, &o);
	rig_pass(&r, S - 1);
	assert_int_equal(r.results, 0);
	rig_pass(&r, 1);
	assert_int_equal(r.results, 1);
	assert_int_equal(r.result.code, HEALTH_CODE_L4TOUT);
	rig_close(&r);
}

static void an_unreachable_target_fails_at_once(void **state)
{
	static const struct {
		const char *to;
		int error;
	} want[] = {
	    {"203.0.113.1", ENETUNREACH},
	    {"192.0.2.1", EHOSTUNREACH},
	    {"192.0.2.200", EINVAL},
	};

	for (size_t i = 0; i < 3; i++) {
		const struct sockaddr_in to = address(want[i].to);
		struct health_check_opts o;
		struct rig r;

		rig_open(&r, NULL, NULL);
		o = rig_opts(&r);
		o.destination = (const struct sockaddr *)&to;
		rig_add(&r, &o);
		rig_settle(&r, 1);
		assert_int_equal(r.result.verdict, HEALTH_FAIL);
		assert_int_equal(r.result.code, HEALTH_CODE_L4CON);
		assert_int_equal(r.result.error, want[i].error);
		rig_close(&r);
	}
}

/* Only table 77 knows a way to 203.0.113.0/24: into the hole. */
static void the_mark_chooses_the_route(void **state)
{
	const struct sockaddr_in to = address("203.0.113.9");
	struct health_check_opts o;
	struct rig r;

	run("ip rule add fwmark 77 lookup 77");
	run("ip route add 203.0.113.0/24 dev hole-a table 77");
	rig_open(&r, NULL, NULL);
	o = rig_opts(&r);
	o.destination = (const struct sockaddr *)&to;
	o.timeout_ns = S;
	o.fwmark = 77;
	rig_add(&r, &o);
	rig_pass(&r, S);
	assert_int_equal(r.results, 1);
	assert_int_equal(r.result.code, HEALTH_CODE_L4TOUT);
	o.fwmark = 78;
	rig_add(&r, &o);
	rig_settle(&r, 2);
	assert_int_equal(r.result.error, ENETUNREACH);
	rig_close(&r);
}

static void the_device_chooses_the_way_out(void **state)
{
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, NULL, &(struct peer_script){0});
	o = rig_opts(&r);
	o.device = "hole-a"; /* 127.0.0.1 is not to be found there */
	o.timeout_ns = S;
	rig_add(&r, &o);
	rig_pass(&r, S);
	assert_int_equal(r.results, 1);
	assert_int_equal(r.result.verdict, HEALTH_FAIL);
	o.device = "lo";
	rig_add(&r, &o);
	rig_settle(&r, 2);
	assert_int_equal(r.result.code, HEALTH_CODE_L4OK);
	rig_close(&r);
}

/* Lines of /proc/net/tcp in a state: 06 is TIME_WAIT. */
static unsigned int sockets_in(const char *tcp_state)
{
	char line[256], found[8];
	unsigned int n = 0;
	FILE *f = fopen("/proc/net/tcp", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += sscanf(line, " %*s %*s %*s %7s", found) == 1 && !strcmp(found, tcp_state);
	fclose(f);
	return n;
}

/* ---- icmp and half-open ---- */

static struct health_probe *made(const struct health_probe_ops *ops)
{
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(ops, NULL, &p), 0);
	return p;
}

/* One check to its end; the clock goes on only when nothing comes. */
static void ask(struct rig *r, struct health_probe *p, const void *to, socklen_t len)
{
	struct health_check_opts o = {.size = sizeof(o),
				      .flags = HEALTH_CHECK_AT_ONCE,
				      .timeout_ns = S,
				      .destination = to,
				      .destination_len = len,
				      .probe = p};

	rig_open(r, NULL, NULL);
	rig_add(r, &o);
	health_probe_free(p);
	rig_dispatch(r);
	rig_settle(r, 1);
	if (!r->results)
		rig_pass(r, S);
	assert_int_equal(r->results, 1);
}

/* By the kernel's echo sockets, and by raw ones where it allows none. */
static void echoes_come_back_or_not(void **state)
{
	static const char *const range[] = {"0 0", "1 0"};
	struct sockaddr_in here = address("127.0.0.1"), hole = address("198.51.100.7");
	struct sockaddr_in6 here6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	here.sin_port = hole.sin_port = 0;
	for (int raw = 0; raw < 2; raw++) {
		char command[96];
		struct rig r;

		snprintf(command, sizeof(command), "echo %s > /proc/sys/net/ipv4/ping_group_range",
			 range[raw]);
		run(command);
		ask(&r, made(health_probe_icmp()), &here, sizeof(here));
		assert_int_equal(r.result.verdict, HEALTH_OK);
		rig_close(&r);
		ask(&r, made(health_probe_icmp()), &here6, sizeof(here6));
		assert_int_equal(r.result.verdict, HEALTH_OK);
		rig_close(&r);
		ask(&r, made(health_probe_icmp()), &hole, sizeof(hole));
		assert_int_equal(r.result.verdict, HEALTH_FAIL);
		assert_int_equal(r.result.code, HEALTH_CODE_L4TOUT);
		rig_close(&r);
	}
}

static void half_open_tells_open_from_closed_and_wakes_nobody(void **state)
{
	static const struct peer_script listens = {.hold = UINT32_MAX};
	struct sockaddr_in hole = address("198.51.100.7"), closed = address("127.0.0.1");
	struct sockaddr_in6 here6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t len = sizeof(here6);
	struct peer peer;
	struct rig r;
	int fd;

	peer_open(&peer, &listens);
	ask(&r, made(health_probe_half_open()), &peer.address, sizeof(peer.address));
	assert_int_equal(r.result.verdict, HEALTH_OK);
	assert_int_equal(r.result.code, HEALTH_CODE_L4OK);
	rig_close(&r);
	assert_int_equal(sockets_in("03"), 0); /* SYN_RECV: our RST has ended it */
	peer.script.hold = 0;
	peer_step(&peer);
	assert_int_equal(peer.accepted, 0);
	peer_close(&peer);

	fd = socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&here6, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&here6, &len), 0);
	ask(&r, made(health_probe_half_open()), &here6, sizeof(here6));
	assert_int_equal(r.result.code, HEALTH_CODE_L4OK);
	rig_close(&r);
	close(fd);

	ask(&r, made(health_probe_half_open()), &closed, sizeof(closed));
	assert_int_equal(r.result.verdict, HEALTH_FAIL);
	assert_int_equal(r.result.code, HEALTH_CODE_L4CON);
	rig_close(&r);
	ask(&r, made(health_probe_half_open()), &hole, sizeof(hole));
	assert_int_equal(r.result.code, HEALTH_CODE_L4TOUT);
	rig_close(&r);
}

/* A server that listens in another namespace only. */
static void a_check_asks_from_another_namespace(void **state)
{
	struct health_check_opts o;
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), there;
	struct peer peer;
	struct rig r;

	assert_true(home >= 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	run("ip link set lo up");
	there = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	peer_open(&peer, &(struct peer_script){0});
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	for (int from_there = 0; from_there < 2; from_there++) {
		rig_open(&r, NULL, NULL);
		o = rig_opts(&r);
		o.destination = (const struct sockaddr *)&peer.address;
		o.destination_len = sizeof(peer.address);
		o.netns_fd = from_there ? there : 0;
		rig_add(&r, &o);
		rig_settle(&r, 1);
		assert_int_equal(r.result.code, from_there ? HEALTH_CODE_L4OK : HEALTH_CODE_L4CON);
		rig_close(&r);
	}
	peer_close(&peer);
	close(there);
	close(home);
	run("ip link show hole-a >/dev/null"); /* and we are still at home */
}

static void checks_leave_no_time_wait_and_wake_no_accept(void **state)
{
	const struct health_filter_opts f = {.size = sizeof(f), .interval_ns = 10 * MS};
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, NULL, &(struct peer_script){.hold = UINT32_MAX});
	o = rig_opts(&r);
	o.filter = &f;
	rig_add(&r, &o);
	rig_pass(&r, 3 * S);
	assert_true(rig_stats(&r).ok >= 300);
	assert_int_equal(rig_stats(&r).failed, 0);
	assert_int_equal(sockets_in("06"), 0);
	r.peer.script.hold = 0;
	peer_step(&r.peer);
	assert_int_equal(r.peer.accepted,
			 0); /* SYN, SYN-ACK, RST: never established for the server */
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_black_hole_times_out),
	    cmocka_unit_test(an_unreachable_target_fails_at_once),
	    cmocka_unit_test(the_mark_chooses_the_route),
	    cmocka_unit_test(the_device_chooses_the_way_out),
	    cmocka_unit_test(echoes_come_back_or_not),
	    cmocka_unit_test(half_open_tells_open_from_closed_and_wakes_nobody),
	    cmocka_unit_test(a_check_asks_from_another_namespace),
	    cmocka_unit_test(checks_leave_no_time_wait_and_wake_no_accept),
	};

	/* The namespace is this process's own and ends with it. */
	if (unshare(CLONE_NEWNET) < 0) {
		printf("skipped: a network namespace needs root: %s\n", strerror(errno));
		return 77;
	}
	if (system("ip link set lo up && ip link add hole-a type veth peer name hole-b")) {
		printf("skipped: iproute2 or veth is missing\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, NULL);
}
