/* SPDX-License-Identifier: MIT */
/* The HTTP/2 and gRPC probes against frames from arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#ifdef HAVE_HEALTH_H2
#include <libhealth/h2.h>

#include "served.h"

#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define HEAD "\0\0\1\1\4\0\0\0\1\x88"		/* :status 200, more to come */
#define END(status) "\0\0\1\1\5\0\0\0\1" status /* the last; by HPACK's static table */
#define DATA(message) "\0\0\7\0\0\0\0\0\1\0\0\0\0\2" message
#define TRAILER(status) "\0\0\x0f\1\5\0\0\0\1\0\x0bgrpc-status\1" status
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static void a_status_is_judged(void **state)
{
	static const struct health_http_range found = {404, 404};
	const struct health_h2_opts o = {
	    .size = sizeof(o), .path = "/x", .status = &found, .n_status = 1};
	struct health_probe *p = served_probe(health_probe_h2(), NULL);
	static struct talk t;

	served_ok(p, BYTES(SETTINGS HEAD), 200); /* the body is not waited for */
	served_ok(p, BYTES(SETTINGS END("\x88")), 200);
	served_no(p, BYTES(SETTINGS END("\x8d")), TALK_CLOSES, HEALTH_CODE_L7STS, 404);
	served_no(p, BYTES(SETTINGS END("\x8e")), TALK_CLOSES, HEALTH_CODE_L7STS, 500);
	talk(&t, p, BYTES(SETTINGS HEAD), 0, TALK_SILENCE);
	assert_memory_equal(t.sent, PREFACE, sizeof(PREFACE) - 1);
	assert_string_equal(t.io.text, "HTTP/2 200");
	health_probe_free(p);
	p = served_probe(health_probe_h2(), &o);
	served_ok(p, BYTES(SETTINGS END("\x8d")), 404);
	served_no(p, BYTES(SETTINGS END("\x88")), TALK_CLOSES, HEALTH_CODE_L7STS, 200);
	health_probe_free(p);
}

static void a_reset_stream_and_another_protocol_are_failures(void **state)
{
	struct health_probe *p = served_probe(health_probe_h2(), NULL);

	served_no(p, BYTES(SETTINGS "\0\0\4\3\0\0\0\0\1\0\0\0\7"), TALK_CLOSES, HEALTH_CODE_L7RSP,
		  0);
	served_no(p, BYTES(SETTINGS "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\1"), TALK_CLOSES,
		  HEALTH_CODE_L7RSP, 0); /* GOAWAY before the stream */
	served_no(p, BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES(HEAD), TALK_CLOSES, HEALTH_CODE_L7RSP, 0); /* no SETTINGS */
	served_no(p, BYTES(SETTINGS "\0\0\1\1\5\0\0\0\1\xff"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

static void a_service_says_how_it_is(void **state)
{
	const struct health_grpc_opts o = {.size = sizeof(o), .service = "shop.Cart"};
	struct health_probe *p = served_probe(health_probe_grpc(), &o);
	static struct talk t;

	served_ok(p, BYTES(SETTINGS HEAD DATA("\x08\1") TRAILER("0")), 0);
	talk(&t, p, BYTES(SETTINGS HEAD DATA("\x08\1") TRAILER("0")), 0, TALK_SILENCE);
	assert_non_null(memmem(t.sent, t.sent_len, BYTES("\0\0\0\0\x0b\x0a\x09shop.Cart")));
	assert_string_equal(t.io.text, "SERVING");
	served_no(p, BYTES(SETTINGS HEAD DATA("\x08\2") TRAILER("0")), TALK_CLOSES,
		  HEALTH_CODE_L7STS, 0);
	talk(&t, p, BYTES(SETTINGS HEAD DATA("\x08\2") TRAILER("0")), 0, TALK_SILENCE);
	assert_string_equal(t.io.text, "NOT_SERVING");
	served_no(p, BYTES(SETTINGS HEAD TRAILER("5")), TALK_CLOSES, HEALTH_CODE_L7STS, 5);
	served_no(p, BYTES(SETTINGS END("\x8d")), TALK_CLOSES, HEALTH_CODE_L7STS, 404);
	served_no(p, BYTES(SETTINGS END("\x88")), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES(SETTINGS HEAD DATA("\x10\1") TRAILER("0")), TALK_CLOSES,
		  HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES(SETTINGS HEAD TRAILER("0")), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

static void options_out_of_range_are_refused(void **state)
{
	static char longest[HEALTH_GRPC_SERVICE_MAX + 2];
	struct health_grpc_opts g = {.size = sizeof(g), .authority = "a b"};
	struct health_h2_opts o = {.size = sizeof(o), .path = "x"};
	struct health_probe *p = NULL;
	static struct talk t;

	assert_int_equal(health_probe_new(health_probe_h2(), &o, &p), -EINVAL);
	o.path = "/a b";
	assert_int_equal(health_probe_new(health_probe_h2(), &o, &p), -EINVAL);
	o.path = NULL;
	o.n_status = 1;
	assert_int_equal(health_probe_new(health_probe_h2(), &o, &p), -EINVAL);
	assert_int_equal(health_probe_new(health_probe_grpc(), &g, &p), -EINVAL);
	g.authority = NULL;
	g.service = memset(longest, 's', HEALTH_GRPC_SERVICE_MAX + 1);
	assert_int_equal(health_probe_new(health_probe_grpc(), &g, &p), -EINVAL);
	longest[HEALTH_GRPC_SERVICE_MAX] = '\0';
	p = served_probe(health_probe_grpc(), &g);
	talk(&t, p, BYTES(SETTINGS), 0, TALK_SILENCE);
	assert_non_null(memmem(t.sent, t.sent_len, BYTES("\0\0\0\1\2\x0a\xff\1ssss")));
	health_probe_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_status_is_judged),
	    cmocka_unit_test(a_reset_stream_and_another_protocol_are_failures),
	    cmocka_unit_test(a_service_says_how_it_is),
	    cmocka_unit_test(options_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	print_message("skipped: built without nghttp2 (libnghttp2-dev)\n");
	return 77;
}
#endif
