/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "msg.h"

static int pair[2];

static int set_up(void **state)
{
	return msg_pair(pair);
}

static int tear_down(void **state)
{
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static void a_message_arrives_as_it_was_sent(void **state)
{
	const struct msg sent = {.type = MSG_REAL, .index = 3, .index2 = 4, .value = -1};
	struct msg got;

	assert_int_equal(msg_receive(pair[1], &got, NULL), 0);
	assert_int_equal(msg_send(pair[0], &sent, -1), 0);
	assert_int_equal(msg_receive(pair[1], &got, NULL), 1);
	assert_memory_equal(&got, &sent, sizeof(got));
}

static void a_descriptor_is_passed_along(void **state)
{
	const struct msg sent = {.type = MSG_SOCKET};
	int null = open("/dev/null", O_RDONLY), passed = -1;
	struct msg got;

	assert_int_equal(msg_send(pair[0], &sent, null), 0);
	assert_int_equal(msg_receive(pair[1], &got, &passed), 1);
	assert_true(passed >= 0 && passed != null);
	assert_int_equal(fcntl(passed, F_GETFD), FD_CLOEXEC);
	close(passed);
	close(null);
}

static void a_descriptor_nobody_expects_is_closed(void **state)
{
	const struct msg sent = {.type = MSG_SOCKET};
	int ends[2];
	struct msg got;
	char byte;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(msg_send(pair[0], &sent, ends[1]), 0);
	close(ends[1]);
	assert_int_equal(msg_receive(pair[1], &got, NULL), 1);
	assert_int_equal(read(ends[0], &byte, 1), 0); /* no writer is left */
	close(ends[0]);
}

static void what_has_not_the_right_length_is_skipped(void **state)
{
	const struct msg sent = {.type = MSG_COMMIT};
	char longer[sizeof(struct msg) + 1] = {0};
	struct msg got;

	assert_int_equal(send(pair[0], "short", 5, 0), 5);
	assert_int_equal(send(pair[0], longer, sizeof(longer), 0), sizeof(longer));
	assert_int_equal(msg_send(pair[0], &sent, -1), 0);
	assert_int_equal(msg_receive(pair[1], &got, NULL), 1);
	assert_int_equal(got.type, MSG_COMMIT);
}

static void a_full_queue_is_said_and_never_waited_for(void **state)
{
	const struct msg m = {.type = MSG_HOLD};
	int r = 0, n = 0;

	while (n < 1000000 && (r = msg_send(pair[0], &m, -1)) == 0)
		n++;
	assert_int_equal(r, -EAGAIN);
	assert_true(n >= 1000);
}

static void the_other_side_going_is_told(void **state)
{
	struct msg got;

	close(pair[0]);
	assert_int_equal(msg_receive(pair[1], &got, NULL), -EPIPE);
	pair[0] = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_message_arrives_as_it_was_sent, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_descriptor_is_passed_along, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_descriptor_nobody_expects_is_closed, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(what_has_not_the_right_length_is_skipped, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_full_queue_is_said_and_never_waited_for, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(the_other_side_going_is_told, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
