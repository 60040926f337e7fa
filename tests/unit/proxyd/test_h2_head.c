/* SPDX-License-Identifier: MIT */
/* A request's fields of HTTP/2 as a head of HTTP/1.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/http/h1.h"
#include "engine/http/h2_head.h"

struct pair {
	const char *name, *value;
};

#define GET {":method", "GET"}, {":scheme", "https"}, {":authority", "a.test"}, {":path", "/x?y"}
#define LINE "GET https://a.test/x?y HTTP/1.1\r\nhost: a.test\r\n"

static void feed(struct h2_head *h, const struct pair *p, uint32_t max, bool has_body)
{
	*h = (struct h2_head){.text = NULL};
	h2_head_begin(h, max);
	for (; p->name; p++)
		assert_true(h2_head_field(h, p->name, strlen(p->name), p->value, strlen(p->value)));
	assert_true(h2_head_end(h, has_body));
}

static void expect(const struct pair *p, bool has_body, const char *text)
{
	struct h2_head h;

	feed(&h, p, 1000, has_body);
	assert_false(h.is_malformed);
	assert_int_equal(h.len - h.start, strlen(text));
	assert_memory_equal(h.text + h.start, text, strlen(text));
	h2_head_free(&h);
}

static void test_text(void **state)
{
	(void)state;
	expect((struct pair[]){GET, {NULL, NULL}}, false, LINE "\r\n");
	expect((struct pair[]){GET, {"accept", "*/*"}, {"x", ""}, {NULL, NULL}}, false, LINE "accept: */*\r\nx: \r\n\r\n");
	/* the order of pseudo-header fields is free */
	expect((struct pair[]){{":path", "/"}, {":method", "HEAD"}, {":scheme", "http"}, {":authority", "b:81"}, {NULL, NULL}}, false,
	       "HEAD http://b:81/ HTTP/1.1\r\nhost: b:81\r\n\r\n");
	/* without an authority the target is a path */
	expect((struct pair[]){{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "c"}, {NULL, NULL}}, false,
	       "GET / HTTP/1.1\r\nhost: c\r\n\r\n");
	expect((struct pair[]){{":method", "OPTIONS"}, {":scheme", "http"}, {":authority", "c"}, {":path", "*"}, {NULL, NULL}}, false,
	       "OPTIONS * HTTP/1.1\r\nhost: c\r\n\r\n");
}

static void test_body(void **state)
{
	(void)state;
	expect((struct pair[]){GET, {NULL, NULL}}, true, LINE "transfer-encoding: chunked\r\n\r\n");
	expect((struct pair[]){GET, {"content-length", "5"}, {NULL, NULL}}, true, LINE "content-length: 5\r\n\r\n");
	expect((struct pair[]){GET, {"content-length", "0"}, {NULL, NULL}}, false, LINE "content-length: 0\r\n\r\n");
}

/* One of the same name is left out, another one is a second host for the reader to refuse. */
static void test_host(void **state)
{
	struct http_msg m;
	struct h2_head h;

	(void)state;
	expect((struct pair[]){GET, {"host", "A.test"}, {NULL, NULL}}, false, LINE "\r\n");
	feed(&h, (struct pair[]){GET, {"host", "b.test"}, {NULL, NULL}}, 1000, false);
	h1_begin(&m, h.text, 0, 0);
	assert_int_equal(h1_request(&m, h.start, h.len - h.start), -H1_FAULT_HOST);
	h2_head_free(&h);
}

static void test_cookies(void **state)
{
	(void)state;
	expect((struct pair[]){GET, {"cookie", "a=1"}, {"cookie", "b=2"}, {"cookie", "c=3"}, {NULL, NULL}}, false,
	       LINE "cookie: a=1; b=2; c=3\r\n\r\n");
	expect((struct pair[]){GET, {"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"z", "1"}, {"cookie", ""}, {NULL, NULL}}, false,
	       LINE "cookie: a=1; b=2; \r\nx: y\r\nz: 1\r\n\r\n");
}

static void test_malformed(void **state)
{
	static const struct pair lists[][8] = {
	    {{":method", "GET"}, {":scheme", "http"}, {NULL, NULL}},	/* no path */
	    {{":path", "/"}, {":scheme", "http"}, {NULL, NULL}},	/* no method */
	    {{"accept", "x"}, {NULL, NULL}},
	    {GET, {":path", "/"}, {NULL, NULL}},			/* twice */
	    {GET, {"accept", "x"}, {":status", "200"}, {NULL, NULL}},	/* unknown */
	    {{":method", "GET"}, {":path", "/"}, {"a", "b"}, {":scheme", "http"}, {NULL, NULL}}, /* behind fields */
	    {{":method", "GET /x"}, {":path", "/"}, {NULL, NULL}},
	    {{":method", "GET"}, {":path", "/ HTTP/1.1\r\nx: y"}, {NULL, NULL}},
	    {{":method", "GET"}, {":path", "/"}, {":authority", "a\tb"}, {NULL, NULL}},
	    {GET, {"x", "a\r\ny: b"}, {NULL, NULL}},
	    {GET, {"x", "a\nb"}, {NULL, NULL}},
	    {GET, {"x: y", "a"}, {NULL, NULL}},
	    {GET, {"x y", "a"}, {NULL, NULL}},
	    {GET, {"", "a"}, {NULL, NULL}},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct h2_head h;

		feed(&h, lists[i], 1000, false);
		if (!h.is_malformed)
			fail_msg("list %u is taken", i);
		h2_head_free(&h);
	}
}

/* What is too long is cut behind its limit, so that who reads it sees that. */
static void test_limit(void **state)
{
	struct h2_head h = {.text = NULL};
	struct http_msg m;
	char value[300];

	(void)state;
	memset(value, 'a', sizeof(value));
	h2_head_begin(&h, 1000);
	for (const struct pair *p = (struct pair[]){GET, {NULL, NULL}}; p->name; p++)
		assert_true(h2_head_field(&h, p->name, strlen(p->name), p->value, strlen(p->value)));
	for (unsigned i = 0; i < 100000; i++)
		assert_true(h2_head_field(&h, i % 2 ? "cookie" : "x", i % 2 ? 6 : 1, value, sizeof(value)));
	assert_true(h2_head_end(&h, true));
	assert_false(h.is_malformed);
	assert_int_equal(h.len - h.start, 1001);
	h1_begin(&m, h.text, 0, 0);
	m.head_max = 1000;
	assert_int_equal(h1_request(&m, h.start, h.len - h.start), -H1_FAULT_TOO_LARGE);
	h2_head_begin(&h, 1000); /* so is a path that alone is longer */
	for (unsigned i = 0; i < 4; i++)
		assert_true(h2_head_field(&h, ":path", 5, value, sizeof(value)));
	assert_true(h.is_malformed);
	h2_head_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),      cmocka_unit_test(test_body),  cmocka_unit_test(test_host), cmocka_unit_test(test_cookies),
	    cmocka_unit_test(test_malformed), cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
