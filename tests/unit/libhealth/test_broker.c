/* SPDX-License-Identifier: MIT */
/* The MQTT and AMQP probes against answers from arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libhealth/probe_broker.h>

#include "served.h"

#define START "\1\0\0\0\0\0\x1c\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\5PLAIN\0\0\0\5en_US\xce"
#define TUNE "\1\0\0\0\0\0\x0c\0\x0a\0\x1e\7\xff\0\2\0\0\0\x3c\xce"
#define OPEN_OK "\1\0\0\0\0\0\5\0\x0a\0\x29\0\xce"
#define CLOSE "\1\0\0\0\0\0\x0d\0\x0a\0\x32\1\x93\2no\0\0\0\0\xce"

static const struct health_broker_opts who = {.size = sizeof(who), .user = "u", .password = "pw"};

static void mqtt_says_who_it_is(void **state)
{
	const struct health_broker_opts named = {
	    .size = sizeof(named), .user = "u", .password = "pw", .client_id = "lb1"};
	struct health_probe *p = served_probe(health_probe_mqtt(), NULL);
	static struct talk t;

	talk(&t, p, BYTES("\x20\2\0\0"), 0, TALK_SILENCE);
	assert_int_equal(t.sent_len, 2 + 10 + 2 + 17 + 2);
	assert_memory_equal(t.sent, "\x10\x1d\0\4MQTT\4\2\0\x3c\0\x11h0000000000000001\xe0\0", 33);
	health_probe_free(p);
	p = served_probe(health_probe_mqtt(), &named);
	talk(&t, p, BYTES("\x20\2\0\0"), 0, TALK_SILENCE);
	assert_memory_equal(t.sent, "\x10\x16\0\4MQTT\4\xc2\0\x3c\0\3lb1\0\1u\0\2pw\xe0\0", 26);
	health_probe_free(p);
}

static void mqtt_refusals_are_told(void **state)
{
	struct health_probe *p = served_probe(health_probe_mqtt(), &who);
	static struct talk t;

	served_no(p, BYTES("\x20\2\0\4"), TALK_CLOSES, HEALTH_CODE_L7STS, 4);
	talk(&t, p, BYTES("\x20\2\0\4"), 0, TALK_CLOSES);
	assert_string_equal(t.io.text, "bad user or password");
	served_no(p, BYTES("\x20\2\0\x99"), TALK_CLOSES, HEALTH_CODE_L7STS, 0x99);
	served_no(p, BYTES("\x20\3\0\0\0"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("AMQP\0\0\x09\1"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

static void amqp_logs_in_and_opens_the_host(void **state)
{
	struct health_probe *p = served_probe(health_probe_amqp(), &who);
	static struct talk t;

	served_ok(p, BYTES(START TUNE OPEN_OK), 0);
	talk(&t, p, BYTES(START TUNE OPEN_OK), 0, TALK_SILENCE);
	assert_memory_equal(t.sent, "AMQP\0\0\x09\1", 8);
	assert_non_null(memmem(t.sent, t.sent_len, BYTES("\5PLAIN\0\0\0\5\0u\0pw\5en_US\xce")));
	assert_non_null(
	    memmem(t.sent, t.sent_len, BYTES("\0\x0a\0\x1f\7\xff\0\2\0\0\0\x3c\xce"))); /* TuneOk */
	assert_non_null(memmem(t.sent, t.sent_len, BYTES("\0\x0a\0\x28\1/\0\0\xce")));
	assert_non_null(memmem(t.sent, t.sent_len, BYTES("\0\x0a\0\x32\0\xc8\3bye")));
	served_no(p, BYTES(START CLOSE), TALK_CLOSES, HEALTH_CODE_L7STS, 403);
	served_no(p, BYTES(START TUNE CLOSE), TALK_CLOSES, HEALTH_CODE_L7STS, 403);
	served_no(p, BYTES(START START), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES(TUNE), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

static void what_is_no_amqp_is_a_failure(void **state)
{
	struct health_probe *p = served_probe(health_probe_amqp(), NULL);

	served_no(p, BYTES("AMQP\0\1\0\0"), TALK_CLOSES, HEALTH_CODE_L7STS, 0);
	served_no(p, BYTES("HTTP/1.1 400 Bad\r\n"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("\1\0\0\0\0\0\4\0\x0a\0\x0a\xcd"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("\1\0\0\0\0\0\3\0\x0a\0\xce"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("\1\0\0\0\0\0\4\0\x14\0\x0a\xce"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("\1\0\0\0\1\0\0"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

static void options_out_of_range_are_refused(void **state)
{
	static char longest[HEALTH_BROKER_WORD_MAX + 2];
	struct health_broker_opts o = {.size = sizeof(o), .password = "p"};
	struct health_probe *p = NULL;
	static struct talk t;

	assert_int_equal(health_probe_new(health_probe_mqtt(), &o, &p), -EINVAL);
	assert_int_equal(health_probe_new(health_probe_amqp(), &o, &p), -EINVAL);
	o.user = "u";
	o.vhost = "v";
	assert_int_equal(health_probe_new(health_probe_mqtt(), &o, &p), -EINVAL);
	o.client_id = "c";
	assert_int_equal(health_probe_new(health_probe_amqp(), &o, &p), -EINVAL);
	o.vhost = NULL;
	o.user = memset(longest, 'x', HEALTH_BROKER_WORD_MAX + 1);
	assert_int_equal(health_probe_new(health_probe_mqtt(), &o, &p), -EINVAL);
	longest[HEALTH_BROKER_WORD_MAX] = '\0';
	o.password = o.client_id = longest;
	p = served_probe(health_probe_mqtt(), &o);
	talk(&t, p, BYTES("\x20\2\0\0"), 0, TALK_SILENCE);
	assert_int_equal(t.sent_len, 3 + 10 + 3 * (2 + HEALTH_BROKER_WORD_MAX) + 2);
	health_probe_free(p);
	o.client_id = NULL;
	o.vhost = longest;
	p = served_probe(health_probe_amqp(), &o);
	talk(&t, p, BYTES(START TUNE OPEN_OK), 0, TALK_SILENCE);
	assert_int_equal(t.io.code, HEALTH_CODE_L7OK);
	health_probe_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mqtt_says_who_it_is),
	    cmocka_unit_test(mqtt_refusals_are_told),
	    cmocka_unit_test(amqp_logs_in_and_opens_the_host),
	    cmocka_unit_test(what_is_no_amqp_is_a_failure),
	    cmocka_unit_test(options_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
