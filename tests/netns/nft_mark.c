/* SPDX-License-Identifier: MIT */
/* Marks by destination, as the packets bring them to a socket of this host, in a network namespace of the test's own. */
#include <arpa/inet.h>
#include <errno.h>
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
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <libha/nft_mark.h>

#include "tests/support/fail_memory.h"

#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif

static struct ha_nft_marks *marks;

static void run(const char *command)
{
	assert_int_equal(system(command), 0);
}

static struct ha_nft_mark mark_of(const char *address, uint16_t port, uint32_t mark)
{
	struct ha_nft_mark m = {.mark = mark, .port = port, .protocol = IPPROTO_UDP};

	assert_int_equal(ha_ip_parse(address, &m.ip), 0);
	return m;
}

/* A socket there that hears with which mark a datagram arrives. */
static int listen_at(const char *address, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	const struct timeval patience = {.tv_sec = 10};
	struct ha_ip ip;
	int fd, on = 1;

	assert_int_equal(ha_ip_parse(address, &ip), 0);
	*ret_len = (socklen_t)ha_ip_to_sockaddr(&ip, port, 0, ret);
	fd = socket(ip.family, SOCK_DGRAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)ret, *ret_len), 0);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVMARK, &on, sizeof(on)) < 0) {
		close(fd);
		skip(); /* before Linux 5.19 */
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* False: nothing arrived. */
static bool hear(int fd, uint32_t *ret_mark)
{
	char bytes[1], control[CMSG_SPACE(sizeof(uint32_t))];
	struct iovec io = {bytes, sizeof(bytes)};
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};

	*ret_mark = 0;
	if (recvmsg(fd, &m, 0) != 1)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_MARK)
			memcpy(ret_mark, CMSG_DATA(c), sizeof(*ret_mark));
	return true;
}

/* The mark with which a datagram to that address and port arrives. */
static uint32_t arrives(const char *address, uint16_t port)
{
	struct sockaddr_storage at;
	socklen_t len;
	uint32_t mark;
	int fd = listen_at(address, port, &at, &len);

	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&at, len), 1);
	assert_true(hear(fd, &mark));
	close(fd);
	return mark;
}

static int enter(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	run("ip link set lo up && ip addr add 10.9.0.1/32 dev lo && ip addr add 2001:db8::1/128 "
	    "dev lo nodad");
	/* The kernel finishes an IPv6 address a moment later, by a worker: until then there is no way to it. */
	run("timeout 10 sh -c 'until ip -6 route show table local | grep -q 2001:db8::1; do sleep 0.01; done'");
	return ha_nft_marks_open(NULL, &marks);
}

static int leave(void **state)
{
	ha_nft_marks_close(marks);
	return 0;
}

static void each_destination_has_its_mark_and_others_have_none(void **state)
{
	const struct ha_nft_mark all[] = {
	    mark_of("10.9.0.1", 5000, 7), mark_of("10.9.0.1", 5001, 0x80000001),
	    mark_of("127.0.0.1", 0, 9), mark_of("2001:db8::1", 5000, 11), mark_of("::1", 0, 12)};

	assert_int_equal(ha_nft_marks_set(marks, all, 5), 0);
	assert_int_equal(arrives("10.9.0.1", 5000), 7);
	assert_int_equal(arrives("10.9.0.1", 5001), 0x80000001);
	assert_int_equal(arrives("10.9.0.1", 5002), 0);
	assert_int_equal(arrives("127.0.0.1", 5000), 9);
	assert_int_equal(arrives("2001:db8::1", 5000), 11);
	assert_int_equal(arrives("2001:db8::1", 5001), 0);
	assert_int_equal(arrives("::1", 5001), 12);
}

static void the_next_ones_replace_them_and_none_removes_the_table(void **state)
{
	const struct ha_nft_mark one = mark_of("10.9.0.1", 5002, 8);

	assert_int_equal(ha_nft_marks_set(marks, &one, 1), 0);
	assert_int_equal(arrives("10.9.0.1", 5000), 0);
	assert_int_equal(arrives("10.9.0.1", 5002), 8);
	run("nft list table inet hawser-marks | grep -q 'type ipv4_addr . inet_proto . "
	    "inet_service : mark'");
	assert_int_equal(ha_nft_marks_set(marks, NULL, 0), 0);
	assert_int_equal(arrives("10.9.0.1", 5002), 0);
	run("! nft list table inet hawser-marks 2>/dev/null");
	assert_int_equal(ha_nft_marks_set(marks, NULL, 0), 0);
}

static void name_priority_and_counters_are_as_asked_for(void **state)
{
	const struct ha_nft_marks_opts o = {.size = sizeof(o),
					    .table = "other",
					    .priority = -7,
					    .set_priority = true,
					    .counters = true};
	const struct ha_nft_mark one = mark_of("10.9.0.1", 5000, 8), two[] = {mark_of("2001:db8::1", 5000, 10), mark_of("10.9.0.1", 5000, 9)};
	struct ha_nft_marks *m;

	assert_int_equal(ha_nft_marks_open(&o, &m), 0);
	assert_int_equal(ha_nft_marks_set(m, &one, 1), 0);
	assert_int_equal(arrives("10.9.0.1", 5000), 8);
	run("nft list table inet other | grep -q 'hook prerouting priority filter - 7'");
	run("nft list table inet other | grep -q 'counter packets 1 '");
	assert_int_equal(ha_nft_marks_set(m, two, 2), 0); /* in place: the counters go on */
	assert_int_equal(arrives("10.9.0.1", 5000), 9);
	assert_int_equal(arrives("2001:db8::1", 5000), 10);
	run("nft list table inet other | grep -q 'counter packets 2 '");
	run("nft delete element inet other ipv4 '{ 10.9.0.1 . udp . 5000 }'");
	assert_int_equal(ha_nft_marks_set(m, &one, 1), 0); /* somebody was there: all of it anew */
	assert_int_equal(arrives("10.9.0.1", 5000), 8);
	assert_int_equal(arrives("2001:db8::1", 5000), 0);
	run("nft list table inet other | grep -q 'counter packets 1 '");
	assert_int_equal(ha_nft_marks_set(m, NULL, 0), 0);
	ha_nft_marks_close(m);
}

/*
 * From a namespace behind a wire, so that nothing but the chain before routing gives them a mark, until `end` is readable. Prints and
 * returns how many arrived without one.
 */
static int send_from_outside(int wire, int end, int heard, const struct sockaddr_storage *to, socklen_t len)
{
	struct pollfd p = {.fd = end, .events = POLLIN};
	unsigned int sent = 0, unmarked = 0;
	uint32_t mark;
	int fd;

	if (unshare(CLONE_NEWNET) < 0 || write(wire, "x", 1) != 1 || read(end, &mark, 1) != 1 ||
	    system("ip addr add 10.9.7.2/24 dev mark1 && ip link set mark1 up"))
		return 255;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	for (; poll(&p, 1, 0) == 0; sent++) {
		if (sendto(fd, "x", 1, 0, (const struct sockaddr *)to, len) != 1 || !hear(heard, &mark))
			return 255;
		unmarked += mark != 7;
	}
	print_message("%u datagrams, %u without a mark\n", sent, unmarked);
	return sent < 100 ? 255 : unmarked < 254 ? (int)unmarked : 254;
}

static void a_destination_keeps_its_mark_while_others_change(void **state)
{
	const struct ha_nft_mark some[] = {mark_of("10.9.7.1", 5000, 7), mark_of("10.9.0.2", 0, 8), mark_of("10.9.0.3", 1, 9)};
	const time_t end = time(NULL) + 2;
	struct sockaddr_storage at;
	char command[128], byte;
	int wire[2], go[2], heard, status;
	socklen_t len;
	pid_t child;

	assert_int_equal(pipe(wire) + pipe(go), 0);
	run("ip link add mark0 type veth peer name mark1 && ip addr add 10.9.7.1/24 dev mark0 && ip link set mark0 up");
	heard = listen_at("10.9.7.1", 5000, &at, &len);
	assert_int_equal(ha_nft_marks_set(marks, some, 2), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		_exit(send_from_outside(wire[1], go[0], heard, &at, len));
	assert_int_equal(read(wire[0], &byte, 1), 1);
	snprintf(command, sizeof(command), "ip link set mark1 netns %d", (int)child);
	run(command);
	assert_int_equal(write(go[1], "x", 1), 1);
	for (size_t i = 0; time(NULL) < end; i++)
		assert_int_equal(ha_nft_marks_set(marks, some, 1 + i % 3), 0);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	for (int i = 0; i < 2; i++) {
		close(wire[i]);
		close(go[i]);
	}
	close(heard);
	assert_int_equal(ha_nft_marks_set(marks, NULL, 0), 0);
}

/* Another object made it again as it was: what this one wants there since is nothing. */
static void one_that_came_back_is_not_taken_for_what_was_left(void **state)
{
	const struct ha_nft_mark one = mark_of("10.9.0.1", 5000, 7), another = mark_of("10.9.0.1", 5001, 8);
	struct ha_nft_marks *other;

	assert_int_equal(ha_nft_marks_open(NULL, &other), 0);
	assert_int_equal(ha_nft_marks_set(marks, &one, 1), 0);
	assert_int_equal(ha_nft_marks_set(other, NULL, 0), 0);
	assert_int_equal(ha_nft_marks_set(marks, NULL, 0), 0);
	assert_int_equal(ha_nft_marks_set(other, &one, 1), 0);
	assert_int_equal(ha_nft_marks_set(marks, &another, 1), 0);
	assert_int_equal(arrives("10.9.0.1", 5000), 0);
	assert_int_equal(arrives("10.9.0.1", 5001), 8);
	assert_int_equal(ha_nft_marks_set(marks, NULL, 0), 0);
	ha_nft_marks_close(other);
}

/* With the number of each thing in it, which another one would not have. */
static void show(char ret[8192])
{
	FILE *f = popen("nft -a list table inet hawser-marks", "r");

	assert_non_null(f);
	ret[fread(ret, 1, 8191, f)] = '\0';
	assert_int_equal(pclose(f), 0);
}

static void a_successor_leaves_it_as_it_is_unless_somebody_was_at_it(void **state)
{
	const struct ha_nft_mark some[] = {mark_of("10.9.0.1", 5000, 7), mark_of("10.9.0.1", 5001, 8), mark_of("2001:db8::1", 5000, 9)};
	char before[8192], after[8192];
	struct ha_nft_marks *m;

	assert_int_equal(ha_nft_marks_set(marks, some, 1), 0);
	assert_int_equal(ha_nft_marks_set(marks, some, 3), 0);
	show(before);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ha_nft_marks_open(NULL, &m), 0);
		assert_int_equal(ha_nft_marks_set(m, some, 3), 0);
		show(after);
		assert_string_equal(after, before);
		ha_nft_marks_close(m);
		run("nft add table inet other && nft delete table inet other");
	}
	/* It goes on as if it had made it. */
	assert_int_equal(ha_nft_marks_open(NULL, &m), 0);
	assert_int_equal(ha_nft_marks_set(m, some, 3), 0);
	assert_int_equal(ha_nft_marks_set(m, some, 2), 0);
	assert_int_equal(arrives("10.9.0.1", 5001), 8);
	assert_int_equal(arrives("2001:db8::1", 5000), 0);
	ha_nft_marks_close(m);
	run("nft delete element inet hawser-marks ipv4 '{ 10.9.0.1 . udp . 5000 }'");
	assert_int_equal(ha_nft_marks_open(NULL, &m), 0);
	assert_int_equal(ha_nft_marks_set(m, some, 2), 0);
	assert_int_equal(arrives("10.9.0.1", 5000), 7);
	ha_nft_marks_close(m);
	/* Others are wanted. */
	assert_int_equal(ha_nft_marks_open(NULL, &m), 0);
	assert_int_equal(ha_nft_marks_set(m, some, 1), 0);
	assert_int_equal(arrives("10.9.0.1", 5000), 7);
	assert_int_equal(arrives("10.9.0.1", 5001), 0);
	ha_nft_marks_close(m);
	/* Saved, deleted and restored it is what it was. */
	show(before);
	run("nft list table inet hawser-marks | sh -c 'cat >saved-marks; nft delete table inet hawser-marks; nft -f saved-marks; rm saved-marks'");
	assert_int_equal(arrives("10.9.0.1", 5000), 7);
	assert_int_equal(ha_nft_marks_open(NULL, &m), 0);
	assert_int_equal(ha_nft_marks_set(m, some, 2), 0);
	assert_int_equal(arrives("10.9.0.1", 5001), 8);
	assert_int_equal(ha_nft_marks_set(m, NULL, 0), 0);
	ha_nft_marks_close(m);
}

/* Each allocation of a change once: it fails and changes nothing, or it does without. */
static void when_memory_is_short_the_marks_of_before_stay(void **state)
{
	const struct ha_nft_mark before[] = {mark_of("10.9.0.1", 5000, 7), mark_of("10.9.0.1", 5001, 8)};
	struct ha_nft_mark after[10000];
	int n_failed = 0;
	bool failed = true;

	for (uint16_t i = 0; i < 10000; i++)
		after[i] = mark_of("10.9.0.1", (uint16_t)(5001 + i), 9);
	for (long nth = 0; failed; nth++) {
		struct ha_nft_marks *m;
		int r;

		assert_int_equal(ha_nft_marks_open(NULL, &m), 0);
		assert_int_equal(ha_nft_marks_set(m, before, 2), 0);
		fail_in = nth;
		r = ha_nft_marks_set(m, after, 10000);
		failed = fail_in < 0;
		fail_in = -1;
		n_failed += r == -ENOMEM;
		assert_true(!r || (failed && r == -ENOMEM));
		assert_int_equal(arrives("10.9.0.1", 5000), r ? 7 : 0);
		assert_int_equal(arrives("10.9.0.1", 5001), r ? 8 : 9);
		assert_int_equal(ha_nft_marks_set(m, before, 1), 0);
		assert_int_equal(arrives("10.9.0.1", 5000), 7);
		assert_int_equal(arrives("10.9.0.1", 5001), 0);
		ha_nft_marks_close(m);
	}
	assert_true(n_failed > 1); /* the marks, the messages */
	assert_int_equal(ha_nft_marks_set(marks, NULL, 0), 0);
}

static void a_table_of_somebody_else_is_left_alone(void **state)
{
	const struct ha_nft_mark one = mark_of("10.9.0.1", 5000, 8);

	run("nft add table inet hawser-marks");
	assert_int_equal(ha_nft_marks_set(marks, &one, 1), -EEXIST);
	assert_int_equal(ha_nft_marks_set(marks, NULL, 0), 0);
	run("nft list table inet hawser-marks && nft delete table inet hawser-marks");
}

static void what_makes_no_sense_is_refused_and_changes_nothing(void **state)
{
	const struct ha_nft_marks_opts name = {.size = sizeof(name), .table = "1st"};
	const struct ha_nft_mark good = mark_of("10.9.0.1", 5000, 7),
				 twice[] = {good, mark_of("10.9.0.1", 5000, 8)};
	struct ha_nft_mark bad = good;
	struct ha_nft_marks *m;

	assert_int_equal(ha_nft_marks_set(marks, &good, 1), 0);
	assert_int_equal(ha_nft_marks_set(marks, twice, 2), -EEXIST);
	bad.protocol = 0;
	assert_int_equal(ha_nft_marks_set(marks, &bad, 1), -EINVAL);
	bad = good;
	bad.ip.family = 0;
	assert_int_equal(ha_nft_marks_set(marks, &bad, 1), -EINVAL);
	assert_int_equal(ha_nft_marks_set(marks, &good, HA_NFT_MARKS_MAX + 1), -E2BIG);
	assert_int_equal(ha_nft_marks_set(NULL, &good, 1), -EINVAL);
	assert_int_equal(ha_nft_marks_open(&name, &m), -EINVAL);
	assert_int_equal(ha_nft_marks_open(NULL, NULL), -EINVAL);
	ha_nft_marks_close(NULL);
	assert_int_equal(arrives("10.9.0.1", 5000), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_destination_has_its_mark_and_others_have_none),
	    cmocka_unit_test(the_next_ones_replace_them_and_none_removes_the_table),
	    cmocka_unit_test(name_priority_and_counters_are_as_asked_for),
	    cmocka_unit_test(a_destination_keeps_its_mark_while_others_change),
	    cmocka_unit_test(one_that_came_back_is_not_taken_for_what_was_left),
	    cmocka_unit_test(a_successor_leaves_it_as_it_is_unless_somebody_was_at_it),
	    cmocka_unit_test(when_memory_is_short_the_marks_of_before_stay),
	    cmocka_unit_test(a_table_of_somebody_else_is_left_alone),
	    cmocka_unit_test(what_makes_no_sense_is_refused_and_changes_nothing),
	};

	if (geteuid() != 0 || system("command -v nft >/dev/null")) {
		puts("skipped: needs root and nft");
		return 77;
	}
	return cmocka_run_group_tests_name("nft/mark", tests, enter, leave);
}
