/* SPDX-License-Identifier: MIT */
/* The send/expect probe against answers from arrays, in pieces of every size; then over a real socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include <libhealth/probe_expect.h>

#include "examples/adapters/health_foreign.h"
#include "rig.h"
#include "served.h"

#define SEND(s) .send = (s), .send_len = sizeof(s) - 1
#define EXPECT(s) .expect = (s), .expect_len = sizeof(s) - 1

static const struct health_expect_step redis[] = {{SEND("PING\r\n"), EXPECT("+PONG\r\n")}};
/* A greeting, then two questions, then a goodbye that nobody answers. */
static const struct health_expect_step talk_of_three[] = {
    {EXPECT("+OK")},	{SEND("USER\r\n"), EXPECT("+OK")},
    {SEND("A\0B")},	{SEND("C"), EXPECT("\0z")},
    {SEND("QUIT\r\n")},
};

static struct health_probe *probe(const struct health_expect_step *steps, size_t n, size_t max)
{
	const struct health_expect_opts o = {
	    .size = sizeof(o), .steps = steps, .n_steps = n, .reply_max_bytes = max};
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(health_probe_expect(), &o, &p), 0);
	return p;
}

/* The verdict on `answer`, in pieces of every size; `sent` is all that was said to get it. */
static void expect(struct health_probe *p, const char *answer, size_t len, enum talk_end end,
		   enum health_code code, uint32_t step)
{
	static struct talk t;

	for (size_t chunk = 0; chunk <= len && chunk < 400; chunk++) {
		talk(&t, p, answer, len, chunk, end);
		if (t.io.code != code || t.io.status != step)
			print_error("by %zu: %s %s\n", chunk, health_code_name(t.io.code),
				    t.io.text);
		assert_int_equal(t.io.code, code);
		assert_int_equal(t.io.status, step);
		assert_int_equal(t.io.verdict, code == HEALTH_CODE_L7OK ? HEALTH_OK : HEALTH_FAIL);
	}
}

static void the_steps_come_in_order(void **state)
{
	static const char answer[] = "+OK hello\r\n+OK who\r\n..\0\0z rest";
	static const char sent[] = "USER\r\nA\0BCQUIT\r\n";
	struct health_probe *p = probe(talk_of_three, 5, 0);
	static struct talk t;

	expect(p, answer, sizeof(answer) - 1, TALK_SILENCE, HEALTH_CODE_L7OK, 3);
	talk(&t, p, answer, sizeof(answer) - 1, 1, TALK_SILENCE);
	assert_int_equal(t.sent_len, sizeof(sent) - 1);
	assert_memory_equal(t.sent, sent, sizeof(sent) - 1);
	health_probe_free(p);
}

static void an_answer_that_differs_is_a_failure_of_its_step(void **state)
{
	struct health_probe *p = probe(talk_of_three, 5, 0);
	static struct talk t;

	expect(p, "-ERR", 4, TALK_CLOSES, HEALTH_CODE_L7RSP, 1);
	expect(p, "-ERR", 4, TALK_SILENCE, HEALTH_CODE_L7TOUT, 1);
	expect(p, "+OK\r\n-ERR no user", 17, TALK_CLOSES, HEALTH_CODE_L7RSP, 2);
	talk(&t, p, "+OK\r\n-ERR no user", 17, 3, TALK_CLOSES);
	assert_string_equal(t.io.text, "..-ERR no user"); /* the server's words in this step */
	talk(&t, p, "", 0, 0, TALK_CLOSES);
	assert_string_equal(t.io.text, "closed before an answer");
	talk(&t, p, "+O", 2, 0, TALK_RESETS);
	assert_int_equal(t.io.code, HEALTH_CODE_L7RSP);
	assert_string_equal(t.io.text, "reset");
	health_probe_free(p);
}

static void a_text_is_not_used_twice(void **state)
{
	static const struct health_expect_step twice[] = {{EXPECT("aa")}, {EXPECT("aa")}};
	struct health_probe *p = probe(twice, 2, 0);

	expect(p, "aaa", 3, TALK_CLOSES, HEALTH_CODE_L7RSP, 2);
	expect(p, "aaaa", 4, TALK_CLOSES, HEALTH_CODE_L7OK, 2);
	health_probe_free(p);
}

static void a_flood_ends_at_the_limit(void **state)
{
	static char flood[70000];
	struct health_probe *p = probe(redis, 1, 20);

	memset(flood, 'x', sizeof(flood));
	memcpy(flood + 13, "+PONG\r\n", 7);
	expect(p, flood, 100, TALK_SILENCE, HEALTH_CODE_L7OK, 1);
	memcpy(flood + 13, "x+PONG\r\n", 8);
	expect(p, flood, 100, TALK_SILENCE, HEALTH_CODE_L7RSP, 1);
	health_probe_free(p);
	p = probe(redis, 1, 0);
	memcpy(flood + HEALTH_EXPECT_REPLY_DEFAULT_BYTES - 6, "+PONG\r\n", 7);
	expect(p, flood, sizeof(flood), TALK_SILENCE, HEALTH_CODE_L7OK, 1); /* the first one */
	memset(flood, 'x', 100);
	expect(p, flood, sizeof(flood), TALK_SILENCE, HEALTH_CODE_L7RSP, 1);
	health_probe_free(p);
}

static void options_out_of_range_are_refused(void **state)
{
	static const char big[HEALTH_EXPECT_SEND_MAX + 1];
	static const struct health_expect_step bad[] = {
	    {.send = NULL},
	    {.send = "x", EXPECT("y")},
	    {.send_len = 1, EXPECT("y")},
	    {.expect = "x", SEND("y")},
	    {.expect_len = 1, SEND("y")},
	    {SEND("nothing expected")},
	    {.send = big, .send_len = sizeof(big), EXPECT("y")},
	    {.expect = big, .expect_len = HEALTH_EXPECT_TEXT_MAX + 1},
	    {EXPECT("y"), .flags = 2},
	    {EXPECT("y"), .min_bytes = 1},
	    {SEND("y"), .flags = HEALTH_EXPECT_ABSENT},
	    {EXPECT("y"), .flags = HEALTH_EXPECT_ABSENT, .min_bytes = 16385},
	};
	struct health_expect_opts o = {.size = sizeof(o), .n_steps = 1};
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(health_probe_expect(), NULL, &p), -EINVAL);
	assert_int_equal(health_probe_new(health_probe_expect(), &o, &p), -EINVAL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		o.steps = &bad[i];
		assert_int_equal(health_probe_new(health_probe_expect(), &o, &p), -EINVAL);
	}
	o.steps = redis;
	o.n_steps = 0;
	assert_int_equal(health_probe_new(health_probe_expect(), &o, &p), -EINVAL);
	o.n_steps = HEALTH_EXPECT_STEPS_MAX + 1;
	assert_int_equal(health_probe_new(health_probe_expect(), &o, &p), -EINVAL);
	o.n_steps = 1;
	o.reply_max_bytes = HEALTH_EXPECT_REPLY_MAX_BYTES + 1;
	assert_int_equal(health_probe_new(health_probe_expect(), &o, &p), -EINVAL);
	assert_null(p);
}

static void the_most_steps_are_taken(void **state)
{
	struct health_expect_step steps[HEALTH_EXPECT_STEPS_MAX];
	static const char answer[] = "aaaaaaaaaaaaaaaa";
	struct health_probe *p;

	for (size_t i = 0; i < HEALTH_EXPECT_STEPS_MAX; i++)
		steps[i] = (struct health_expect_step){SEND("b"), EXPECT("a")};
	p = probe(steps, HEALTH_EXPECT_STEPS_MAX, 0);
	expect(p, answer, HEALTH_EXPECT_STEPS_MAX - 1, TALK_CLOSES, HEALTH_CODE_L7RSP,
	       HEALTH_EXPECT_STEPS_MAX);
	expect(p, answer, HEALTH_EXPECT_STEPS_MAX, TALK_SILENCE, HEALTH_CODE_L7OK,
	       HEALTH_EXPECT_STEPS_MAX);
	health_probe_free(p);
}

static void a_real_connection_ends_as_the_array_did(void **state)
{
	const struct {
		struct peer_script script;
		enum health_code code;
	} cases[] = {
	    {{.listen_for = 6, .reply = "+PONG\r\n", .reply_len = 7, .chunk = 1}, HEALTH_CODE_L7OK},
	    {{.listen_for = 6, .reply = "+PONG\r\n", .reply_len = 7, .end = PEER_CLOSES},
	     HEALTH_CODE_L7OK},
	    {{.listen_for = 6, .reply = "-LOADING\r\n", .reply_len = 10, .end = PEER_CLOSES},
	     HEALTH_CODE_L7RSP},
	    {{.listen_for = 6, .reply = "+PO", .reply_len = 3, .end = PEER_RESETS},
	     HEALTH_CODE_L7RSP},
	    {{.listen_for = 6, .reply = "+PONG", .reply_len = 5}, HEALTH_CODE_L7TOUT},
	    {{.deaf = true}, HEALTH_CODE_L4TOUT},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct health_check_opts check;
		struct rig r;

		rig_open(&r, NULL, &cases[i].script);
		check = rig_opts(&r);
		check.probe = probe(redis, 1, 0);
		rig_add(&r, &check);
		health_probe_free(check.probe);
		rig_settle(&r, 1);
		if (!r.results)
			rig_pass(&r, 11 * S);
		assert_true(r.results >= 1);
		assert_int_equal(r.result.code, cases[i].code);
		rig_close(&r);
	}
}

static void expressions_are_sought_in_what_came_since_the_step_began(void **state)
{
	const struct health_expect_step steps[] = {
	    {.send = "a", .send_len = 1, .expect_regex = "^2\\d\\d [^\n]*\n"},
	    {.send = "b", .send_len = 1, .expect = "+", .expect_len = 1},
	    {.send = "c", .send_len = 1, .expect_regex = "(?i)ok"},
	};
	struct health_expect_opts o = {
	    .size = sizeof(o), .steps = steps, .n_steps = 3, .regex = health_foreign.regex};
	struct health_probe *p;
	static struct talk t;

	if (!o.regex)
		skip();
	p = served_probe(health_probe_expect(), &o);
	served_ok(p, BYTES("250 x\n2+200\nOk"), 3);
	talk(&t, p, BYTES("250 x\n+ok"), 0, TALK_SILENCE);
	assert_string_equal(t.sent, "abc");
	served_no(p, BYTES("150 x\n+ok"), TALK_CLOSES, HEALTH_CODE_L7RSP, 1);
	talk(&t, p, BYTES("150 x\n"), 1, TALK_CLOSES);
	assert_string_equal(t.io.text, "150 x.");
	health_probe_free(p);
	o.reply_max_bytes = 4;
	p = served_probe(health_probe_expect(), &o);
	served_no(p, BYTES("250 x\n"), TALK_SILENCE, HEALTH_CODE_L7RSP, 1);
	health_probe_free(p);
}

static void expressions_out_of_range_are_refused(void **state)
{
	struct health_expect_step step = {.expect_regex = "a*"}; /* matches nothing at once */
	struct health_expect_opts o = {
	    .size = sizeof(o), .steps = &step, .n_steps = 1, .regex = health_foreign.regex};
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(health_probe_expect(), &o, &p), -EINVAL);
	step.expect_regex = "(";
	assert_int_equal(health_probe_new(health_probe_expect(), &o, &p), -EINVAL);
	step.expect_regex = "a";
	step.expect = "a";
	step.expect_len = 1;
	assert_int_equal(health_probe_new(health_probe_expect(), &o, &p), -EINVAL);
	step.expect = NULL;
	step.expect_len = 0;
	o.regex = NULL;
	assert_int_equal(health_probe_new(health_probe_expect(), &o, &p), -EINVAL);
	o.regex = &(const struct health_regex){.size = sizeof(struct health_regex)};
	assert_int_equal(health_probe_new(health_probe_expect(), &o, &p), -EINVAL);
}

/* ---- unwanted texts, and those that drain ---- */

static void what_must_not_come_fails_when_it_does(void **state)
{
	static const struct health_expect_step until_closed[] = {
	    {EXPECT("error"), .flags = HEALTH_EXPECT_ABSENT}};
	static const struct health_expect_step ten_bytes[] = {
	    {EXPECT("error"), .flags = HEALTH_EXPECT_ABSENT, .min_bytes = 10}, {EXPECT("fine")}};
	struct health_probe *p = probe(until_closed, 1, 16);

	served_no(p, BYTES("an error"), TALK_SILENCE, HEALTH_CODE_L7RSP, 1);
	served_pieces(p, BYTES("all well"), TALK_CLOSES, HEALTH_OK, HEALTH_CODE_L7OK, 1);
	served_pieces(p, BYTES("sixteen bytes ok"), TALK_SILENCE, HEALTH_OK, HEALTH_CODE_L7OK, 1);
	served_no(p, BYTES("all well"), TALK_SILENCE, HEALTH_CODE_L7TOUT, 1);
	served_no(p, BYTES("all well"), TALK_RESETS, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES(""), TALK_CLOSES, HEALTH_CODE_L7RSP, 1); /* not a word */
	health_probe_free(p);
	p = probe(ten_bytes, 2, 0);
	served_pieces(p, BYTES("well, wellerror fine"), TALK_SILENCE, HEALTH_OK, HEALTH_CODE_L7OK,
		      2); /* the ten bytes were good */
	served_no(p, BYTES("1234 error fine"), TALK_SILENCE, HEALTH_CODE_L7RSP, 1);
	served_no(p, BYTES("all well"), TALK_CLOSES, HEALTH_CODE_L7RSP,
		  1); /* the next step waits */
	health_probe_free(p);
}

static void a_text_drains_if_it_comes_first(void **state)
{
	static const struct health_expect_step up[] = {{EXPECT("up")}};
	const struct health_expect_opts o = {
	    .size = sizeof(o), .steps = up, .n_steps = 1, .drain = "leaving", .drain_len = 7};
	struct health_probe *p = served_probe(health_probe_expect(), &o);

	served_pieces(p, BYTES("I am leaving"), TALK_SILENCE, HEALTH_OK_DRAIN, HEALTH_CODE_L7OKC,
		      1);
	served_pieces(p, BYTES("leaving, but up"), TALK_SILENCE, HEALTH_OK_DRAIN, HEALTH_CODE_L7OKC,
		      1);
	served_pieces(p, BYTES("up, leaving"), TALK_SILENCE, HEALTH_OK, HEALTH_CODE_L7OK, 1);
	served_no(p, BYTES("leavin"), TALK_CLOSES, HEALTH_CODE_L7RSP, 1);
	health_probe_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_steps_come_in_order),
	    cmocka_unit_test(an_answer_that_differs_is_a_failure_of_its_step),
	    cmocka_unit_test(a_text_is_not_used_twice),
	    cmocka_unit_test(a_flood_ends_at_the_limit),
	    cmocka_unit_test(options_out_of_range_are_refused),
	    cmocka_unit_test(the_most_steps_are_taken),
	    cmocka_unit_test(a_real_connection_ends_as_the_array_did),
	    cmocka_unit_test(expressions_are_sought_in_what_came_since_the_step_began),
	    cmocka_unit_test(expressions_out_of_range_are_refused),
	    cmocka_unit_test(what_must_not_come_fails_when_it_does),
	    cmocka_unit_test(a_text_drains_if_it_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
