/* SPDX-License-Identifier: MIT */
/* The agent's words, and the ssl-hello probe, which is too short for a file of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libhealth/probe_agent.h>

#include "served.h"

static struct talk says_word(const char *line, enum health_verdict verdict, enum health_code code, enum health_agent_word word)
{
	struct health_probe *p = served_probe(health_probe_agent(), NULL);
	static struct talk t;

	served_pieces(p, line, strlen(line), TALK_CLOSES, verdict, code, word);
	talk(&t, p, line, strlen(line), 0, TALK_CLOSES);
	health_probe_free(p);
	return t;
}

static struct talk says(const char *line, enum health_verdict verdict, enum health_code code)
{
	return says_word(line, verdict, code, HEALTH_AGENT_DOWN);
}

static void up_and_down_are_verdicts(void **state)
{
	struct talk t;

	says("up\n", HEALTH_OK, HEALTH_CODE_L7OK);
	says("UP\r\n", HEALTH_OK, HEALTH_CODE_L7OK);
	says("up", HEALTH_OK, HEALTH_CODE_L7OK); /* the end of the connection ends the line */
	says_word("fail\n", HEALTH_FAIL, HEALTH_CODE_L7STS, HEALTH_AGENT_FAIL);
	t = says("down #disk full\n", HEALTH_FAIL, HEALTH_CODE_L7STS);
	assert_string_equal(t.io.text, "disk full");
	t = says_word("stopped, #gone\n", HEALTH_FAIL, HEALTH_CODE_L7STS, HEALTH_AGENT_STOPPED);
	assert_string_equal(t.io.text, "gone");
}

static void the_rest_is_advice(void **state)
{
	struct talk t = says("75%\n", HEALTH_NEUTRAL, HEALTH_CODE_L7OK);

	assert_int_equal(t.io.advice.weight_kind, HEALTH_WEIGHT_PERCENT);
	assert_int_equal(t.io.advice.weight, 75);
	t = says("99999999999%\n", HEALTH_NEUTRAL, HEALTH_CODE_L7OK);
	assert_int_equal(t.io.advice.weight, HEALTH_AGENT_PERCENT_MAX);
	t = says("up ready,weight:30 maxconn:100\n", HEALTH_OK, HEALTH_CODE_L7OK);
	assert_int_equal(t.io.advice.weight_kind, HEALTH_WEIGHT_ABSOLUTE);
	assert_int_equal(t.io.advice.weight, 30);
	assert_int_equal(t.io.advice.admin, HEALTH_ADMIN_READY);
	assert_int_equal(t.io.advice.has_maxconn, 1);
	assert_int_equal(t.io.advice.maxconn, 100);
	t = says("weight:0% drain\n", HEALTH_NEUTRAL, HEALTH_CODE_L7OK);
	assert_int_equal(t.io.advice.weight_kind, HEALTH_WEIGHT_PERCENT);
	assert_int_equal(t.io.advice.weight, 0);
	assert_int_equal(t.io.advice.admin, HEALTH_ADMIN_DRAIN);
	assert_int_equal(t.io.advice.has_maxconn, 0);
	t = says("maint\n", HEALTH_NEUTRAL, HEALTH_CODE_L7OK);
	assert_int_equal(t.io.advice.admin, HEALTH_ADMIN_MAINT);
}

static void an_unknown_word_is_named_and_the_others_count(void **state)
{
	static const char *const odd[] = {
	    "75\n", "weight:x\n",     "weight:257\n", "maxconn:5%\n",
	    "%\n",  "99999999999999999999%%\n", "hello\n", "stopped#gone\n",
	};
	struct talk t = says("up hello there\n", HEALTH_OK, HEALTH_CODE_L7OK);

	assert_string_equal(t.io.text, "hello");
	t = says("down tired\n", HEALTH_FAIL, HEALTH_CODE_L7STS);
	assert_string_equal(t.io.text, "tired");
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		says_word(odd[i], HEALTH_NEUTRAL, HEALTH_CODE_L7RSP, HEALTH_AGENT_UNKNOWN);
}

static void an_agent_that_is_away_says_nothing_about_the_server(void **state)
{
	struct health_probe *p = served_probe(health_probe_agent(), NULL);
	static char line[HEALTH_AGENT_LINE_MAX + 2];

	says("", HEALTH_NEUTRAL, HEALTH_CODE_L7RSP);
	served_pieces(p, "up", 2, TALK_SILENCE, HEALTH_NEUTRAL, HEALTH_CODE_L7TOUT, 0);
	served_pieces(p, "up", 2, TALK_RESETS, HEALTH_NEUTRAL, HEALTH_CODE_L7RSP, 0);
	memset(line, 'u', HEALTH_AGENT_LINE_MAX + 1);
	served_pieces(p, line, strlen(line), TALK_SILENCE, HEALTH_NEUTRAL, HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

static void what_to_send_is_sent(void **state)
{
	const struct health_agent_opts o = {.size = sizeof(o), .send = "web1\n"};
	struct health_probe *p = served_probe(health_probe_agent(), &o);
	static struct talk t;

	talk(&t, p, BYTES("up\n"), 0, TALK_SILENCE);
	assert_string_equal(t.sent, "web1\n");
	health_probe_free(p);
}

static void a_tls_server_answers_a_hello(void **state)
{
	struct health_probe *p = served_probe(health_probe_ssl_hello(), NULL);
	static struct talk t;

	served_as(p, BYTES("\x15\x03\x00\x00\x02"), HEALTH_CODE_L6OK, 0);
	served_as(p, BYTES("\x16\x03\x03\x00\x40"), HEALTH_CODE_L6OK, 0);
	served_no(p, BYTES("\x16\x02\x00\x00\x02"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("HTTP/1.1 400 Bad Request\r\n"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	talk(&t, p, "", 0, 0, TALK_SILENCE);
	assert_int_equal(t.sent_len, 5 + 0x37);
	assert_memory_equal(t.sent, "\x16\x03\x00\x00\x37\x01\x00\x00\x33\x03\x00", 11);
	health_probe_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(up_and_down_are_verdicts),
	    cmocka_unit_test(the_rest_is_advice),
	    cmocka_unit_test(an_unknown_word_is_named_and_the_others_count),
	    cmocka_unit_test(an_agent_that_is_away_says_nothing_about_the_server),
	    cmocka_unit_test(what_to_send_is_sent),
	    cmocka_unit_test(a_tls_server_answers_a_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
