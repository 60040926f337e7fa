/* SPDX-License-Identifier: MIT */
/* The Redis and memcached probes against answers from arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libhealth/probe_store.h>

#include "served.h"

static const struct health_redis_opts whole = {
    .size = sizeof(whole),
    .user = "probe",
    .password = "secret word",
    .role = "primary",
    .absent_key = "maintenance",
};

static void bad(const struct health_redis_opts *o, const char *answer, enum health_code code)
{
	struct health_probe *p = served_probe(health_probe_redis(), o);

	served_no(p, answer, strlen(answer), TALK_CLOSES, code, 0);
	health_probe_free(p);
}

static void redis_answers_a_ping(void **state)
{
	struct health_probe *p = served_probe(health_probe_redis(), NULL);
	static struct talk t;

	served_ok(p, BYTES("+PONG\r\n"), 0);
	talk(&t, p, BYTES("+PONG\r\n"), 0, TALK_SILENCE);
	assert_string_equal(t.sent, "*1\r\n$4\r\nPING\r\n");
	health_probe_free(p);
	bad(NULL, "-NOAUTH Authentication required.\r\n", HEALTH_CODE_L7STS);
	bad(NULL, "-LOADING Redis is loading the dataset in memory\r\n", HEALTH_CODE_L7STS);
	bad(NULL, "+PONGO\r\n", HEALTH_CODE_L7RSP);
	bad(NULL, "HTTP/1.1 400 Bad Request\r\n", HEALTH_CODE_L7RSP);
}

static void redis_is_asked_all_that_was_told(void **state)
{
	struct health_probe *p = served_probe(health_probe_redis(), &whole);
	const char *answer = "+OK\r\n+PONG\r\n:0\r\n*3\r\n$6\r\nmaster\r\n";
	static struct talk t;

	served_ok(p, answer, strlen(answer), 0);
	talk(&t, p, answer, strlen(answer), 0, TALK_SILENCE);
	assert_string_equal(t.sent, "*3\r\n$4\r\nAUTH\r\n$5\r\nprobe\r\n$11\r\nsecret word\r\n"
				    "*1\r\n$4\r\nPING\r\n"
				    "*2\r\n$6\r\nEXISTS\r\n$11\r\nmaintenance\r\n"
				    "*1\r\n$4\r\nROLE\r\n");
	health_probe_free(p);
	bad(&whole, "-WRONGPASS no\r\n", HEALTH_CODE_L7STS);
	bad(&whole, "+OK\r\n+PONG\r\n:1\r\n", HEALTH_CODE_L7STS);
	bad(&whole, "+OK\r\n+PONG\r\n:2\r\n", HEALTH_CODE_L7RSP);
	bad(&whole, "+OK\r\n+PONG\r\n:0\r\n*5\r\n$5\r\nslave\r\n", HEALTH_CODE_L7STS);
	bad(&whole, "+OK\r\n+PONG\r\n:0\r\n$6\r\nmaster\r\n", HEALTH_CODE_L7RSP);
}

static void redis_options_out_of_range_are_refused(void **state)
{
	struct health_redis_opts o = {.size = sizeof(o), .role = "king"};
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(health_probe_redis(), &o, &p), -EINVAL);
	o = (struct health_redis_opts){.size = sizeof(o), .user = "u"};
	assert_int_equal(health_probe_new(health_probe_redis(), &o, &p), -EINVAL);
	o = (struct health_redis_opts){.size = sizeof(o), .password = "a\r\n"};
	assert_int_equal(health_probe_new(health_probe_redis(), &o, &p), -EINVAL);
}

static void memcached_tells_its_version(void **state)
{
	struct health_probe *p = served_probe(health_probe_memcached(), NULL);
	static struct talk t;

	served_ok(p, BYTES("VERSION 1.6.18\r\n"), 0);
	talk(&t, p, BYTES("VERSION 1.6.18\r\n"), 0, TALK_SILENCE);
	assert_string_equal(t.sent, "version\r\n");
	assert_string_equal(t.io.text, "VERSION 1.6.18");
	served_no(p, BYTES("ERROR\r\n"), TALK_SILENCE, HEALTH_CODE_L7STS, 0);
	served_no(p, BYTES("-ERR unknown command\r\n"), TALK_SILENCE, HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(redis_answers_a_ping),
	    cmocka_unit_test(redis_is_asked_all_that_was_told),
	    cmocka_unit_test(redis_options_out_of_range_are_refused),
	    cmocka_unit_test(memcached_tells_its_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
