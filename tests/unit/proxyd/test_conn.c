/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "engine/conn.h"

#define MS UINT64_C(1000000)

static const struct conn_timeouts timeouts = {
    .client_ns = 30 * MS,
    .server_ns = 50 * MS,
    .connect_ns = 5 * MS,
};

static struct conn opened(void)
{
	struct conn c;

	conn_begin(&c, 0);
	conn_set_state(&c, CONN_CONNECTING, 0);
	conn_set_state(&c, CONN_OPEN, 0);
	c.side[CONN_SERVER].writable = true;
	return c;
}

static void assert_step(const struct conn *c, enum conn_action action, enum conn_end end)
{
	struct conn_step s = conn_next(c);

	assert_int_equal(s.action, action);
	if (action != CONN_WAIT && action != CONN_CLOSE)
		assert_int_equal(s.end, end);
}

static void reads_what_is_readable(void **state)
{
	struct conn c = opened();

	assert_step(&c, CONN_WAIT, 0);
	c.side[CONN_SERVER].readable = true;
	assert_step(&c, CONN_READ, CONN_SERVER);
	conn_did_read(&c, CONN_SERVER, 100, true, 1);
	assert_step(&c, CONN_WAIT, 0);
	assert_int_equal(c.side[CONN_SERVER].bytes, 100);
}

static void pending_bytes_stop_their_source(void **state)
{
	struct conn c = opened();

	c.side[CONN_CLIENT].readable = true;
	conn_did_send(&c, CONN_SERVER, 0, 500, true, 1);
	assert_step(&c, CONN_WAIT, 0);
	c.side[CONN_SERVER].writable = true;
	assert_step(&c, CONN_FLUSH, CONN_SERVER);
	conn_did_send(&c, CONN_SERVER, 500, 0, false, 2);
	assert_step(&c, CONN_READ, CONN_CLIENT);
}

static void the_other_direction_goes_on_meanwhile(void **state)
{
	struct conn c = opened();

	conn_did_send(&c, CONN_SERVER, 0, 500, true, 1);
	c.side[CONN_SERVER].readable = true;
	assert_step(&c, CONN_READ, CONN_SERVER);
}

static void a_fin_is_passed_on_behind_the_last_byte(void **state)
{
	struct conn c = opened();

	conn_did_send(&c, CONN_SERVER, 0, 500, true, 1);
	conn_saw_eof(&c, CONN_CLIENT);
	assert_step(&c, CONN_WAIT, 0);
	conn_did_send(&c, CONN_SERVER, 500, 0, false, 2);
	assert_step(&c, CONN_SHUT, CONN_SERVER);
	conn_did_shut(&c, CONN_SERVER);
	assert_step(&c, CONN_WAIT, 0);
	c.side[CONN_SERVER].readable = true; /* the answer */
	assert_step(&c, CONN_READ, CONN_SERVER);
}

static void both_fins_close_without_shutdown(void **state)
{
	struct conn c = opened();

	conn_saw_eof(&c, CONN_CLIENT);
	conn_saw_eof(&c, CONN_SERVER);
	assert_step(&c, CONN_CLOSE, 0);
	assert_int_equal(c.cause.who, '-');
}

static void both_fins_wait_for_the_last_byte(void **state)
{
	struct conn c = opened();

	conn_did_send(&c, CONN_CLIENT, 0, 9, true, 1);
	conn_saw_eof(&c, CONN_SERVER);
	conn_saw_eof(&c, CONN_CLIENT);
	assert_step(&c, CONN_SHUT, CONN_SERVER);
	conn_did_shut(&c, CONN_SERVER);
	assert_step(&c, CONN_WAIT, 0);
	c.side[CONN_CLIENT].writable = true;
	assert_step(&c, CONN_FLUSH, CONN_CLIENT);
	conn_did_send(&c, CONN_CLIENT, 9, 0, false, 2);
	assert_step(&c, CONN_CLOSE, 0);
}

static void a_reset_server_lets_the_client_have_the_rest(void **state)
{
	struct conn c = opened();

	conn_did_send(&c, CONN_CLIENT, 0, 9, true, 1);
	conn_saw_error(&c, CONN_SERVER);
	conn_saw_eof(&c, CONN_SERVER);
	assert_step(&c, CONN_WAIT, 0);
	c.side[CONN_CLIENT].writable = true;
	assert_step(&c, CONN_FLUSH, CONN_CLIENT);
	conn_did_send(&c, CONN_CLIENT, 9, 0, false, 2);
	assert_step(&c, CONN_CLOSE, 0);
	assert_int_equal(c.cause.who, 'S');
	assert_int_equal(c.cause.phase, 'D');
}

static void a_failed_write_still_reads_the_answer(void **state)
{
	struct conn c = opened();

	conn_saw_error(&c, CONN_SERVER); /* EPIPE */
	assert_step(&c, CONN_READ, CONN_SERVER);
}

static void before_the_server_one_buffer_of_the_client_is_read(void **state)
{
	struct conn c;

	conn_begin(&c, 0);
	c.side[CONN_CLIENT].readable = true;
	assert_step(&c, CONN_READ, CONN_CLIENT);
	conn_did_read(&c, CONN_CLIENT, 100, false, 1);
	conn_did_send(&c, CONN_SERVER, 0, 100, false, 1);
	assert_step(&c, CONN_WAIT, 0);
	conn_set_state(&c, CONN_CONNECTING, 1);
	assert_int_equal(c.side[CONN_SERVER].pending, 100);
	assert_step(&c, CONN_WAIT, 0);
	conn_set_state(&c, CONN_OPEN, 2);
	c.side[CONN_SERVER].writable = true;
	assert_step(&c, CONN_FLUSH, CONN_SERVER);
}

static void a_client_that_resets_needs_no_server(void **state)
{
	struct conn c;

	conn_begin(&c, 0);
	conn_set_state(&c, CONN_CONNECTING, 0);
	conn_saw_error(&c, CONN_CLIENT);
	assert_step(&c, CONN_CLOSE, 0);
	assert_int_equal(c.cause.who, 'C');
	assert_int_equal(c.cause.phase, 'C');
}

static void bytes_move_the_deadline(void **state)
{
	struct conn c = opened();

	assert_int_equal(conn_deadline(&c, &timeouts), 30 * MS);
	conn_did_read(&c, CONN_CLIENT, 1, true, 20 * MS);
	conn_did_send(&c, CONN_SERVER, 1, 0, false, 20 * MS);
	assert_int_equal(conn_deadline(&c, &timeouts), 50 * MS);
	assert_true(conn_expire(&c, &timeouts, 50 * MS));
	assert_int_equal(c.cause.who, 'c');
	assert_int_equal(c.cause.phase, 'D');
}

static void a_client_that_has_spoken_is_not_waited_for(void **state)
{
	struct conn c = opened();

	conn_saw_eof(&c, CONN_CLIENT);
	assert_int_equal(conn_deadline(&c, &timeouts), 50 * MS);
	assert_true(conn_expire(&c, &timeouts, 50 * MS));
	assert_int_equal(c.cause.who, 's');
}

static void an_end_that_is_not_read_is_not_waited_for(void **state)
{
	struct conn_timeouts t = timeouts;
	struct conn c = opened();

	t.server_ns = 10 * MS;
	conn_did_send(&c, CONN_CLIENT, 1, 500, true, 1 * MS);
	assert_int_equal(conn_deadline(&c, &t), 31 * MS); /* the client's */
	conn_did_send(&c, CONN_CLIENT, 500, 0, false, 20 * MS);
	assert_int_equal(conn_deadline(&c, &t), 30 * MS); /* the server's, from now */
}

static void half_closed_has_its_own_timeouts(void **state)
{
	struct conn_timeouts t = timeouts;
	struct conn c = opened();

	t.server_fin_ns = 3 * MS;
	conn_saw_eof(&c, CONN_CLIENT);
	assert_int_equal(conn_deadline(&c, &t), 3 * MS);
}

static void a_tunnel_has_one_timeout(void **state)
{
	struct conn_timeouts t = timeouts;
	struct conn c = opened();

	t.tunnel_ns = 100 * MS;
	conn_did_read(&c, CONN_SERVER, 1, true, 7 * MS);
	assert_int_equal(conn_deadline(&c, &t), 107 * MS);
}

static void waiting_has_its_timeouts(void **state)
{
	struct conn_timeouts t = timeouts;
	struct conn c;

	conn_begin(&c, 1 * MS);
	assert_int_equal(conn_deadline(&c, &t), 6 * MS); /* timeout connect stands in */
	t.queue_ns = 9 * MS;
	assert_int_equal(conn_deadline(&c, &t), 10 * MS);
	assert_true(conn_expire(&c, &t, 10 * MS));
	assert_int_equal(c.cause.phase, 'Q');
	conn_begin(&c, 0);
	conn_set_state(&c, CONN_CONNECTING, 2 * MS);
	assert_int_equal(conn_deadline(&c, &t), 7 * MS);
	assert_false(conn_expire(&c, &t, 7 * MS)); /* the host tries again */
	t.connect_ns = 0;
	assert_int_equal(conn_deadline(&c, &t), CONN_NEVER);
}

static void retries_rest_a_second_at_most(void **state)
{
	struct conn c = opened();

	conn_set_state(&c, CONN_RETRY, 0);
	assert_int_equal(conn_deadline(&c, &timeouts), 5 * MS);
	assert_int_equal(conn_deadline(&c, &(struct conn_timeouts){.connect_ns = 3000 * MS}),
			 1000 * MS);
}

/* The letters of what follows each failure: s same server, r redispatch, x over. */
static void assert_retries(unsigned retries, int redispatch, const char *expected)
{
	struct conn_attempts a = {0};
	char got[16] = "";
	size_t n = 0;

	for (; n < 15; n++) {
		enum conn_retry r = conn_connect_failed(&a, retries, redispatch);

		got[n] = r == CONN_RETRY_SAME ? 's' : r == CONN_REDISPATCH ? 'r' : 'x';
		if (r == CONN_GIVE_UP)
			break;
	}
	assert_string_equal(got, expected);
}

static void retries_are_counted_as_haproxy_does(void **state)
{
	assert_retries(3, 0, "sssx");
	assert_retries(3, -1, "ssrx"); /* option redispatch: the last one */
	assert_retries(3, -2, "srsx");
	assert_retries(3, 1, "rrrx");
	assert_retries(4, 2, "srsrx");
	assert_retries(0, -1, "x");
}

/* A host arms its timer by this: a deadline that came nearer unsaid would be missed. */
static void what_brings_the_deadline_nearer_says_so(void **state)
{
	static const struct conn_timeouts t = {
	    .client_ns = 300 * MS, .server_ns = 50 * MS, .client_fin_ns = 20 * MS};
	uint32_t seed = 1;

	for (unsigned round = 0; round < 300; round++) {
		struct conn c = opened();
		uint64_t now_ns = 0, armed_ns = conn_deadline(&c, &t);

		c.sooner = false;
		for (unsigned i = 0; i < 40; i++) {
			enum conn_end end = (seed = seed * 1664525 + 1013904223) >> 16 & 1;
			uint64_t deadline_ns;

			now_ns += seed >> 20 & 7;
			if (armed_ns <= now_ns * MS) /* it fires, and is armed for what is true now */
				armed_ns = conn_deadline(&c, &t);
			switch (seed >> 24 & 7) {
			case 0:
				conn_saw_eof(&c, end);
				break;
			case 1:
				conn_did_send(&c, end, 10, 0, false, now_ns * MS);
				break;
			case 2:
				conn_did_send(&c, end, 10, 90, true, now_ns * MS);
				break;
			case 3:
				if (!(seed >> 27))
					conn_saw_error(&c, end);
				break;
			default:
				conn_did_read(&c, end, 10, false, now_ns * MS);
			}
			deadline_ns = conn_deadline(&c, &t);
			assert_true(deadline_ns >= armed_ns || c.sooner);
			if (c.sooner && deadline_ns < armed_ns)
				armed_ns = deadline_ns;
			c.sooner = false;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_what_is_readable),
	    cmocka_unit_test(pending_bytes_stop_their_source),
	    cmocka_unit_test(the_other_direction_goes_on_meanwhile),
	    cmocka_unit_test(a_fin_is_passed_on_behind_the_last_byte),
	    cmocka_unit_test(both_fins_close_without_shutdown),
	    cmocka_unit_test(both_fins_wait_for_the_last_byte),
	    cmocka_unit_test(a_reset_server_lets_the_client_have_the_rest),
	    cmocka_unit_test(a_failed_write_still_reads_the_answer),
	    cmocka_unit_test(before_the_server_one_buffer_of_the_client_is_read),
	    cmocka_unit_test(a_client_that_resets_needs_no_server),
	    cmocka_unit_test(bytes_move_the_deadline),
	    cmocka_unit_test(a_client_that_has_spoken_is_not_waited_for),
	    cmocka_unit_test(an_end_that_is_not_read_is_not_waited_for),
	    cmocka_unit_test(half_closed_has_its_own_timeouts),
	    cmocka_unit_test(a_tunnel_has_one_timeout),
	    cmocka_unit_test(waiting_has_its_timeouts),
	    cmocka_unit_test(retries_rest_a_second_at_most),
	    cmocka_unit_test(retries_are_counted_as_haproxy_does),
cmocka_unit_test(what_brings_the_deadline_nearer_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
