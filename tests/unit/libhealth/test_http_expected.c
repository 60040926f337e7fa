/* SPDX-License-Identifier: MIT */
/* What the HTTP probe sends and expects beyond a status and a text: fields, digests, expressions, drains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <libhealth/probe_http.h>

#include "examples/adapters/health_foreign.h"
#include "served.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define HELLO OK "Content-Length: 5\r\n\r\nhello"
#define CHUNKS OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n"

static void is(const struct health_http_opts *o, const char *answer, enum health_verdict verdict,
	       enum health_code code)
{
	struct health_probe *p = served_probe(health_probe_http(), o);
	uint32_t status = (uint32_t)strtoul(answer + 9, NULL, 10);

	served_pieces(p, answer, strlen(answer), TALK_CLOSES, verdict, code, status);
	health_probe_free(p);
}

static void passes(const struct health_http_opts *o, const char *answer)
{
	is(o, answer, HEALTH_OK, HEALTH_CODE_L7OK);
}

static void fails(const struct health_http_opts *o, const char *answer)
{
	is(o, answer, HEALTH_FAIL, HEALTH_CODE_L7RSP);
}

static void refused(const struct health_http_opts *o)
{
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(health_probe_http(), o, &p), -EINVAL);
}

static void the_request_carries_headers_and_a_body(void **state)
{
	struct health_http_opts o = {.size = sizeof(o),
				     .method = HEALTH_HTTP_POST,
				     .headers = "Accept: */*\r\nX-A: b\r\n",
				     .content = "a=b",
				     .content_len = 3};
	struct health_probe *p = served_probe(health_probe_http(), &o);
	static struct talk t;

	talk(&t, p, "", 0, 0, TALK_SILENCE);
	assert_string_equal(t.sent,
			    "POST / HTTP/1.0\r\nUser-Agent: libhealth\r\nConnection: close\r\n"
			    "Accept: */*\r\nX-A: b\r\nContent-Length: 3\r\n\r\na=b");
	health_probe_free(p);
	o.method = HEALTH_HTTP_GET; /* has no body */
	refused(&o);
	o = (struct health_http_opts){.size = sizeof(o), .headers = "Host: x\r\n"};
	refused(&o);
	o.headers = "X-A: b";
	refused(&o);
	o.headers = "X-A b\r\n";
	refused(&o);
	o.headers = "X A: b\r\n";
	refused(&o);
	o.headers = "X-A: b\n\r\n";
	refused(&o);
	o.headers = "\r\nX-A: b\r\n";
	refused(&o);
}

static void a_field_must_be_there(void **state)
{
	struct health_http_field f[] = {{"X-State", NULL, HEALTH_HTTP_EXISTS},
					{"server", "ng", HEALTH_HTTP_CONTAINS}};
	struct health_http_opts o = {.size = sizeof(o), .fields = f, .n_fields = 2};
	struct health_probe *p;

	passes(&o, OK "Server: nginx\r\nx-state:\r\n\r\n");
	passes(&o, OK "Server: a\r\nX-STATE: b\r\nServer: sing\r\n\r\n");
	fails(&o, OK "Server: nginx\r\n\r\n");
	fails(&o, OK "X-State: 1\r\nServer: apache\r\n\r\n");
	p = served_probe(health_probe_http(), &o); /* what comes early is not the answer's */
	served_no(p, BYTES("HTTP/1.1 103 Early\r\nX-State: 1\r\nServer: ng\r\n\r\n" OK "\r\n"),
		  TALK_CLOSES, HEALTH_CODE_L7RSP, 200);
	health_probe_free(p);
}

static void a_field_is_compared_in_many_ways(void **state)
{
	static const struct {
		enum health_http_match match;
		const char *value, *good, *bad;
	} ways[] = {
	    {HEALTH_HTTP_EXACT, "up", "up", "upper"},
	    {HEALTH_HTTP_PREFIX, "up", "upper", "sup"},
	    {HEALTH_HTTP_SUFFIX, "up", "sup", "upper"},
	    {HEALTH_HTTP_CONTAINS, "up", "supper", "u p"},
#ifdef HAVE_PCRE2
	    {HEALTH_HTTP_REGEX, "^u.$", "up", "upper"},
#endif
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const struct health_http_field f = {"X", ways[i].value, ways[i].match};
		const struct health_http_opts o = {.size = sizeof(o),
						   .fields = &f,
						   .n_fields = 1,
						   .regex_ops = health_foreign.regex};
		char answer[80];

		snprintf(answer, sizeof(answer), OK "X: %s \r\n\r\n", ways[i].good);
		passes(&o, answer);
		snprintf(answer, sizeof(answer), OK "X: %s\r\n\r\n", ways[i].bad);
		fails(&o, answer);
		fails(&o, OK "X:\r\n\r\n");
	}
}

static void draining_and_degraded_are_successes_of_their_own(void **state)
{
	struct health_http_opts o = {.size = sizeof(o), .flags = HEALTH_HTTP_404_DRAINS};

	is(&o, "HTTP/1.1 404 Gone\r\n\r\n", HEALTH_OK_DRAIN, HEALTH_CODE_L7OKC);
	is(&o, "HTTP/1.1 500 No\r\n\r\n", HEALTH_FAIL, HEALTH_CODE_L7STS);
	passes(&o, OK "\r\n");
	o.flags = HEALTH_HTTP_ENVOY;
	is(&o, OK "X-Envoy-Degraded: 1\r\n\r\n", HEALTH_DEGRADED, HEALTH_CODE_L7OK);
	is(&o, OK "x-envoy-immediate-health-check-fail: true\r\n\r\n", HEALTH_FAIL_NOW,
	   HEALTH_CODE_L7STS);
	o = (struct health_http_opts){.size = sizeof(o), .body = "hell", .drain_body = "maint"};
	passes(&o, HELLO);
	is(&o, OK "\r\nin maintenance", HEALTH_OK_DRAIN, HEALTH_CODE_L7OKC);
	fails(&o, OK "\r\nnothing");
	passes(&o, OK "\r\nmaint: hello"); /* the text that says up wins */
	o.body = NULL;
	passes(&o, HELLO);
	is(&o, OK "\r\nin maintenance", HEALTH_OK_DRAIN, HEALTH_CODE_L7OKC);
}

static void a_body_without_a_text_can_be_wanted(void **state)
{
	const struct health_http_opts o = {
	    .size = sizeof(o), .body = "error", .flags = HEALTH_HTTP_NOT_BODY};

	passes(&o, HELLO);
	passes(&o, CHUNKS);
	passes(&o, OK "\r\n");
	fails(&o, OK "\r\nan error");
	refused(&(struct health_http_opts){.size = sizeof(o), .flags = HEALTH_HTTP_NOT_BODY});
}

static void a_digest_is_of_the_whole_body(void **state)
{
	struct health_http_opts o = {.size = sizeof(o),
				     .digest = "5D41402abc4b2a76b9719d911017c592",
				     .crypto = health_foreign.crypto};

	if (!o.crypto)
		skip();
	passes(&o, HELLO);
	passes(&o, CHUNKS);
	passes(&o, OK "\r\nhello");
	fails(&o, OK "\r\nhello!");
	fails(&o, OK "Content-Length: 6\r\n\r\nhello");
	fails(&o, OK "Content-Length: 0\r\n\r\n");
	o.body_max_bytes = 5;
	passes(&o, HELLO);
	fails(&o, OK "\r\nhello"); /* whether it ends there is not known */
	o.body_max_bytes = 0;
	o.digest = "d41d8cd98f00b204e9800998ecf8427e"; /* of nothing */
	passes(&o, OK "Content-Length: 0\r\n\r\n");
	passes(&o, "HTTP/1.1 204 No Content\r\n\r\n");
	o.digest = "xx";
	refused(&o);
	o.digest = "d41d8cd98f00b204e9800998ecf8427x";
	refused(&o);
	o.digest = "d41d8cd98f00b204e9800998ecf8427e";
	o.crypto = NULL;
	refused(&o);
}

static void an_expression_is_sought_in_the_body(void **state)
{
	struct health_http_opts o = {
	    .size = sizeof(o), .regex = "(?<=e)l+o$", .regex_ops = health_foreign.regex};

	if (!o.regex_ops)
		skip();
	passes(&o, HELLO);
	passes(&o, CHUNKS);
	fails(&o, OK "\r\nhello!");
	o.regex_min_offset = 2; /* what stands before may still be looked at */
	passes(&o, HELLO);
	o.regex_min_offset = 3;
	fails(&o, HELLO);
	o.regex_min_offset = 9; /* behind the end */
	fails(&o, HELLO);
	o.regex_min_offset = 0;
	o.regex_max_offset = 2;
	passes(&o, HELLO);
	o.regex_max_offset = 1;
	fails(&o, HELLO);
	o.flags = HEALTH_HTTP_NOT_BODY;
	passes(&o, HELLO);
	o = (struct health_http_opts){
	    .size = sizeof(o), .regex = "(", .regex_ops = health_foreign.regex};
	refused(&o);
	o.regex = "x";
	o.regex_ops = NULL;
	refused(&o);
	o.regex_ops = &(const struct health_regex){.size = sizeof(struct health_regex)};
	refused(&o); /* no functions */
	/* a body made to take forever ends at the limit */
	o.regex = "^(a+)+$";
	o.regex_ops = health_foreign.regex;
	fails(&o, OK "\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
}

static void requests_go_out_in_turn(void **state)
{
	const struct health_http_opts third = {.size = sizeof(third), .path = "/c"};
	const struct health_http_opts second = {
	    .size = sizeof(second), .path = "/b", .body = "hello", .next = &third};
	const struct health_http_opts first = {
	    .size = sizeof(first), .path = "/a", .flags = HEALTH_HTTP_404_DRAINS, .next = &second};
	struct health_probe *p = served_probe(health_probe_http(), &first);
	static struct talk t;

	talk(&t, p, BYTES("HTTP/1.1 404 Gone\r\n\r\n" HELLO OK "\r\n"), 1, TALK_SILENCE);
	served_is(&t, "three", 3, HEALTH_OK_DRAIN, HEALTH_CODE_L7OKC, 200); /* the worst counts */
	assert_non_null(strstr(t.sent, "GET /a "));
	assert_non_null(strstr(t.sent, "GET /b "));
	assert_non_null(strstr(t.sent, "GET /c "));
	talk(&t, p, BYTES(OK "\r\n" OK "\r\nhell no"), 1, TALK_CLOSES);
	served_is(&t, "two", 2, HEALTH_FAIL, HEALTH_CODE_L7RSP, 200);
	assert_null(strstr(t.sent, "GET /c "));
	talk(&t, p,
	     BYTES(OK "\r\n"
		      "HTTP/1.1 500 No\r\n\r\n"),
	     1, TALK_SILENCE);
	served_is(&t, "two", 2, HEALTH_FAIL, HEALTH_CODE_L7STS, 500);
	health_probe_free(p);
}

static void requests_are_counted(void **state)
{
	struct health_http_opts o[HEALTH_HTTP_REQUESTS_MAX + 1] = {0};
	struct health_probe *p;

	for (size_t i = 0; i <= HEALTH_HTTP_REQUESTS_MAX; i++)
		o[i] = (struct health_http_opts){.size = sizeof(*o), .next = &o[i + 1]};
	o[HEALTH_HTTP_REQUESTS_MAX].next = NULL;
	refused(o);
	p = served_probe(health_probe_http(), o + 1);
	health_probe_free(p);
	o[1].next = o; /* a ring */
	refused(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_request_carries_headers_and_a_body),
	    cmocka_unit_test(a_field_must_be_there),
	    cmocka_unit_test(a_field_is_compared_in_many_ways),
	    cmocka_unit_test(draining_and_degraded_are_successes_of_their_own),
	    cmocka_unit_test(a_body_without_a_text_can_be_wanted),
	    cmocka_unit_test(a_digest_is_of_the_whole_body),
	    cmocka_unit_test(an_expression_is_sought_in_the_body),
	    cmocka_unit_test(requests_go_out_in_turn),
	    cmocka_unit_test(requests_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
