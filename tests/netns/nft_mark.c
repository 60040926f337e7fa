/* SPDX-License-Identifier: MIT */
/* Marks by destination, as the packets bring them to a socket of this host, in a network namespace of the test's own. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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

#include <libha/nft_mark.h>

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

/* The mark with which a datagram to that address and port arrives. */
static uint32_t arrives(const char *address, uint16_t port)
{
	struct sockaddr_storage at;
	char bytes[1], control[CMSG_SPACE(sizeof(uint32_t))];
	struct iovec io = {bytes, sizeof(bytes)};
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	const struct timeval patience = {.tv_sec = 10};
	struct ha_ip ip;
	uint32_t mark = 0;
	socklen_t len;
	int fd, on = 1;

	assert_int_equal(ha_ip_parse(address, &ip), 0);
	len = (socklen_t)ha_ip_to_sockaddr(&ip, port, 0, &at);
	fd = socket(ip.family, SOCK_DGRAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVMARK, &on, sizeof(on)) < 0) {
		close(fd);
		skip(); /* before Linux 5.19 */
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&at, len), 1);
	assert_int_equal(recvmsg(fd, &m, 0), 1);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_MARK)
			memcpy(&mark, CMSG_DATA(c), sizeof(mark));
	close(fd);
	return mark;
}

static int enter(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	run("ip link set lo up && ip addr add 10.9.0.1/32 dev lo && ip addr add 2001:db8::1/128 "
	    "dev lo nodad");
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
	const struct ha_nft_mark one = mark_of("10.9.0.1", 5000, 8);
	struct ha_nft_marks *m;

	assert_int_equal(ha_nft_marks_open(&o, &m), 0);
	assert_int_equal(ha_nft_marks_set(m, &one, 1), 0);
	assert_int_equal(arrives("10.9.0.1", 5000), 8);
	run("nft list table inet other | grep -q 'hook prerouting priority filter - 7'");
	run("nft list table inet other | grep -q 'counter packets 1 '");
	assert_int_equal(ha_nft_marks_set(m, NULL, 0), 0);
	ha_nft_marks_close(m);
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
	    cmocka_unit_test(a_table_of_somebody_else_is_left_alone),
	    cmocka_unit_test(what_makes_no_sense_is_refused_and_changes_nothing),
	};

	if (geteuid() != 0 || system("command -v nft >/dev/null")) {
		puts("skipped: needs root and nft");
		return 77;
	}
	return cmocka_run_group_tests_name("nft/mark", tests, enter, leave);
}
