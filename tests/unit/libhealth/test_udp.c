/* SPDX-License-Identifier: MIT */
/* The UDP probe against datagrams from arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libhealth/probe_expect.h>

#include "served.h"

static void is(const struct health_udp_opts *o, const void *answer, size_t len,
	       enum health_verdict verdict, enum health_code code)
{
	struct health_probe *p = served_probe(health_probe_udp(), o);

	served_pieces(p, answer, len, TALK_SILENCE, verdict, code, 0);
	health_probe_free(p);
}

static void any_answer_will_do(void **state)
{
	struct health_probe *p = served_probe(health_probe_udp(), NULL);
	static struct talk t;

	is(NULL, "x", 1, HEALTH_OK, HEALTH_CODE_L7OK);
	talk(&t, p, "", 0, 0, TALK_SILENCE);
	assert_int_equal(t.io.code, HEALTH_CODE_L7TOUT);
	assert_int_equal(t.sent_len, 1);
	health_probe_free(p);
}

static void silence_is_a_success_if_told_so(void **state)
{
	const struct health_udp_opts o = {.size = sizeof(o),
					  .send = "hey",
					  .send_len = 3,
					  .expect = "ok",
					  .expect_len = 2,
					  .flags = HEALTH_UDP_SILENCE_OK};
	struct health_probe *p = served_probe(health_probe_udp(), &o);
	static struct talk t;

	talk(&t, p, "", 0, 0, TALK_SILENCE);
	assert_int_equal(t.io.verdict, HEALTH_OK);
	assert_int_equal(t.io.code, HEALTH_CODE_L4OK);
	assert_string_equal(t.sent, "hey");
	health_probe_free(p);
	is(&o, "no", 2, HEALTH_FAIL, HEALTH_CODE_L7RSP); /* a wrong answer is one nevertheless */
}

static void an_answer_is_compared_from_its_start(void **state)
{
	struct health_udp_opts o = {.size = sizeof(o), .expect = "\x81\x80", .expect_len = 2};

	is(&o, BYTES("\x81\x80more"), HEALTH_OK, HEALTH_CODE_L7OK);
	is(&o, BYTES("\x81\x83more"), HEALTH_FAIL, HEALTH_CODE_L7RSP);
	is(&o, BYTES("\x81"), HEALTH_FAIL, HEALTH_CODE_L7RSP);
	is(&o, BYTES("x\x81\x80"), HEALTH_FAIL, HEALTH_CODE_L7RSP);
	o.expect_mask = "\xff\xf0";
	is(&o, BYTES("\x81\x83more"), HEALTH_OK, HEALTH_CODE_L7OK);
	is(&o, BYTES("\x81\x93more"), HEALTH_FAIL, HEALTH_CODE_L7RSP);
	o.expect_mask = NULL;
	o.flags = HEALTH_UDP_ANYWHERE;
	is(&o, BYTES("x\x81\x80"), HEALTH_OK, HEALTH_CODE_L7OK);
	is(&o, BYTES("x\x81x\x80"), HEALTH_FAIL, HEALTH_CODE_L7RSP);
}

static void an_answer_has_a_length(void **state)
{
	const struct health_udp_opts o = {.size = sizeof(o), .reply_min = 2, .reply_max = 3};

	is(&o, "x", 1, HEALTH_FAIL, HEALTH_CODE_L7RSP);
	is(&o, "xx", 2, HEALTH_OK, HEALTH_CODE_L7OK);
	is(&o, "xxx", 3, HEALTH_OK, HEALTH_CODE_L7OK);
	is(&o, "xxxx", 4, HEALTH_FAIL, HEALTH_CODE_L7RSP);
}

static void options_out_of_range_are_refused(void **state)
{
	static const char many[HEALTH_UDP_BYTES_MAX + 1];
	const struct health_udp_opts bad[] = {
	    {.size = sizeof(*bad), .send = many, .send_len = sizeof(many)},
	    {.size = sizeof(*bad), .expect = many, .expect_len = sizeof(many)},
	    {.size = sizeof(*bad), .send = "x"},
	    {.size = sizeof(*bad), .expect_len = 1},
	    {.size = sizeof(*bad), .expect_mask = "x"},
	    {.size = sizeof(*bad), .reply_min = 2, .reply_max = 1},
	    {.size = sizeof(*bad), .flags = 4},
	};
	struct health_probe *p = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(health_probe_new(health_probe_udp(), &bad[i], &p), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_answer_will_do),
	    cmocka_unit_test(silence_is_a_success_if_told_so),
	    cmocka_unit_test(an_answer_is_compared_from_its_start),
	    cmocka_unit_test(an_answer_has_a_length),
	    cmocka_unit_test(options_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
