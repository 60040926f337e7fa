/* SPDX-License-Identifier: MIT */
/* The script of tcp-check as a dialogue: what is sent when, what is waited for, what fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/check/tcp.h"

#define SEND(text)                                                             \
	{                                                                      \
		.action = CFG_STEP_SEND, .data = text, .len = sizeof(text) - 1 \
	}
#define LINE(words, ...) (const struct cfg_expect){.pattern = {.data = words, .len = sizeof(words) - 1}, __VA_ARGS__}
#define EXPECT_BY(line)                                       \
	{                                                     \
		.action = CFG_STEP_EXPECT, .expect = &(line) \
	}
#define EXPECT(text) EXPECT_BY(LINE(text, .min_bytes = -1))

struct talk {
	void *config, *state;
	struct health_probe_io io;
};

static void begin(struct talk *t, const struct cfg_step *step, unsigned n)
{
	const struct health_probe_ops *ops = tcp_check_ops();
	const struct tcp_check_opts o = {.step = step, .n = n};

	*t = (struct talk){.state = calloc(1, ops->state_size)};
	assert_non_null(t->state);
	assert_int_equal(ops->setup(&o, &t->config), 0);
}

static void end(struct talk *t)
{
	tcp_check_ops()->end(t->state, t->config);
	tcp_check_ops()->teardown(t->config);
	free(t->state);
}

static enum health_step opened(struct talk *t)
{
	t->io = (struct health_probe_io){0};
	return tcp_check_ops()->open(t->state, t->config, &t->io);
}

static enum health_step received(struct talk *t, const char *text)
{
	t->io = (struct health_probe_io){.consumed = strlen(text)};
	return tcp_check_ops()->received(t->state, t->config, text, strlen(text), &t->io);
}

static enum health_step closed(struct talk *t)
{
	t->io = (struct health_probe_io){0};
	return tcp_check_ops()->closed(t->state, t->config, 0, &t->io);
}

static void assert_sent(const struct talk *t, const char *text)
{
	assert_int_equal(t->io.send_len, strlen(text));
	assert_memory_equal(t->io.send, text, strlen(text));
}

static void sends_in_a_row_leave_together(void **state)
{
	const struct cfg_step step[] = {SEND("AUTH x\r\n"), SEND("PING\r\n"), EXPECT("+PONG")};
	struct talk t;

	begin(&t, step, 3);
	assert_int_equal(opened(&t), HEALTH_STEP_MORE);
	assert_sent(&t, "AUTH x\r\nPING\r\n");
	assert_int_equal(received(&t, "+OK\r\n+PO"), HEALTH_STEP_MORE);
	assert_int_equal(received(&t, "NG\r\n"), HEALTH_STEP_DONE);
	assert_int_equal(t.io.verdict, HEALTH_OK);
	assert_int_equal(t.io.code, HEALTH_CODE_L7OK);
	end(&t);
}

static void what_came_before_a_send_is_not_looked_at_again(void **state)
{
	const struct cfg_step step[] = {EXPECT("220"), SEND("QUIT\r\n"), EXPECT("2")};
	struct talk t;

	begin(&t, step, 3);
	assert_int_equal(opened(&t), HEALTH_STEP_MORE);
	assert_int_equal(received(&t, "220 hello\r\n"), HEALTH_STEP_MORE);
	assert_sent(&t, "QUIT\r\n");
	assert_int_equal(received(&t, "5"), HEALTH_STEP_MORE);
	assert_int_equal(closed(&t), HEALTH_STEP_DONE);
	assert_int_equal(t.io.verdict, HEALTH_FAIL);
	end(&t);
}

static void what_must_not_come_is_waited_for_until_the_end(void **state)
{
	const struct cfg_step step[] = {EXPECT_BY(LINE("-ERR", .not = true, .min_bytes = -1))};
	struct talk t;

	begin(&t, step, 1);
	assert_int_equal(opened(&t), HEALTH_STEP_MORE);
	assert_int_equal(received(&t, "+OK"), HEALTH_STEP_MORE);
	assert_int_equal(closed(&t), HEALTH_STEP_DONE);
	assert_int_equal(t.io.verdict, HEALTH_OK);
	end(&t);
	begin(&t, step, 1);
	assert_int_equal(received(&t, "+OK -ERR"), HEALTH_STEP_DONE);
	assert_int_equal(t.io.verdict, HEALTH_FAIL);
	end(&t);
}

static void enough_bytes_are_judged_without_more(void **state)
{
	const struct cfg_step step[] = {EXPECT_BY(LINE("bad", .not = true, .min_bytes = 4))};
	struct talk t;

	begin(&t, step, 1);
	assert_int_equal(received(&t, "oke"), HEALTH_STEP_MORE);
	assert_int_equal(received(&t, "y"), HEALTH_STEP_DONE);
	assert_int_equal(t.io.verdict, HEALTH_OK);
	end(&t);
}

static void a_second_connection_goes_where_it_is_told(void **state)
{
	const struct cfg_step step[] = {
	    {.action = CFG_STEP_CONNECT, .port.number = 1}, EXPECT("a"), {.action = CFG_STEP_CONNECT, .port.number = 2}, EXPECT("b")};
	struct talk t;

	begin(&t, step, 4);
	assert_int_equal(opened(&t), HEALTH_STEP_MORE);
	assert_int_equal(received(&t, "xax"), HEALTH_STEP_RECONNECT);
	assert_int_equal(t.io.port, 2);
	assert_int_equal(opened(&t), HEALTH_STEP_MORE);
	assert_int_equal(received(&t, "b"), HEALTH_STEP_DONE);
	assert_int_equal(t.io.verdict, HEALTH_OK);
	end(&t);
}

static void enough_is_judged_at_the_end_as_well(void **state)
{
	const struct cfg_step step[] = {EXPECT_BY(LINE("ok", .min_bytes = 100))};
	struct talk t;

	begin(&t, step, 1);
	assert_int_equal(received(&t, "ok"), HEALTH_STEP_MORE);
	assert_int_equal(closed(&t), HEALTH_STEP_DONE);
	assert_int_equal(t.io.verdict, HEALTH_OK);
	end(&t);
}

static void an_end_without_a_word_fails_also_what_must_not_come(void **state)
{
	const struct cfg_step step[] = {EXPECT_BY(LINE("bad", .not = true, .min_bytes = -1))};
	struct talk t;

	begin(&t, step, 1);
	assert_int_equal(opened(&t), HEALTH_STEP_MORE);
	assert_int_equal(closed(&t), HEALTH_STEP_DONE);
	assert_int_equal(t.io.verdict, HEALTH_FAIL);
	end(&t);
}

static void connections_alone_are_no_protocol(void **state)
{
	const struct cfg_step step[] = {{.action = CFG_STEP_CONNECT},
					{.action = CFG_STEP_CONNECT, .port.number = 2}};
	struct talk t;

	begin(&t, step, 2);
	assert_int_equal(opened(&t), HEALTH_STEP_RECONNECT);
	assert_int_equal(opened(&t), HEALTH_STEP_DONE);
	assert_int_equal(t.io.code, HEALTH_CODE_L4OK);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sends_in_a_row_leave_together),
	    cmocka_unit_test(what_came_before_a_send_is_not_looked_at_again),
	    cmocka_unit_test(what_must_not_come_is_waited_for_until_the_end),
	    cmocka_unit_test(enough_bytes_are_judged_without_more),
	    cmocka_unit_test(enough_is_judged_at_the_end_as_well),
	    cmocka_unit_test(an_end_without_a_word_fails_also_what_must_not_come),
	    cmocka_unit_test(a_second_connection_goes_where_it_is_told),
	    cmocka_unit_test(connections_alone_are_no_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
