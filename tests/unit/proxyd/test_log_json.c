/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "rules/log_json.h"

#define TEXT(s) text_of(s, sizeof(s) - 1)

static const struct log_facts nothing = {
    .client.address.type = SAMPLE_BOOL,
    .request = -1,
    .queue = -1,
    .connect = -1,
    .response = -1,
    .data = -1,
    .active = -1,
    .status = -1,
    .state = "----",
};

/* The line, in a buffer of its own. */
static const char *line_of(const struct log_facts *f)
{
	static char buf[4096];
	struct log_writer w = {.at = buf, .cap = sizeof(buf) - 1};

	log_put_json(&w, f);
	assert_false(w.full);
	buf[w.len] = '\0';
	return buf;
}

static void assert_says(const struct log_facts *f, const char *member)
{
	if (!strstr(line_of(f), member))
		fail_msg("no %s in %s", member, line_of(f));
}

static void what_is_not_known_has_no_member(void **state)
{
	assert_string_equal(line_of(&nothing),
			    "{\"time\":\"1970-01-01T00:00:00.000Z\",\"client\":\"unix\",\"bytes\":0,\"bytes_uploaded\":0,"
			    "\"termination\":\"----\",\"process_connections\":0,\"frontend_connections\":0,"
			    "\"backend_connections\":0,\"server_connections\":0,\"retries\":0,\"server_queue\":0,\"backend_queue\":0}");
}

static void a_request_is_told_in_parts(void **state)
{
	struct log_facts f = nothing;

	f.line = TEXT("GET /a?b=c?d HTTP/1.1");
	assert_says(&f, ",\"method\":\"GET\",\"version\":\"HTTP/1.1\",\"path\":\"/a\",\"query\":\"b=c?d\"}");
	f.line = TEXT("GET /a? HTTP/1.0");
	assert_says(&f, "\"path\":\"/a\"}");
}

static void any_bytes_are_a_text_of_json(void **state)
{
	struct log_facts f = nothing;

	f.cookie = TEXT("a\"b\\c\n\x7f\0d");
	assert_says(&f, "\"request_cookie\":\"a\\\"b\\\\c\\u000a\\u007f\\u0000d\"");
	f.cookie = TEXT("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"); /* UTF-8 */
	assert_says(&f, "\"request_cookie\":\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
	f.cookie = TEXT("\xe9 \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82"); /* none: Latin 1, overlong, surrogate, too great, cut */
	assert_says(&f, "\"request_cookie\":\"\\u00e9 \\u00c0\\u00af \\u00ed\\u00a0\\u0080 \\u00f4\\u0090\\u0080\\u0080 \\u00e2\\u0082\"");
}

static void a_failure_is_told_alone(void **state)
{
	struct log_facts f = nothing;

	f.frontend_name = TEXT("web");
	f.failure = TEXT("SSL handshake failure");
	assert_string_equal(line_of(&f),
			    "{\"time\":\"1970-01-01T00:00:00.000Z\",\"client\":\"unix\",\"frontend\":\"web\",\"failure\":\"SSL handshake failure\"}");
}

static void assert_cut(const char *line, size_t room, const char *expected)
{
	const char *end;
	struct text t = log_json_cut(text_of(line, strlen(line)), room, &end);
	char got[256];

	snprintf(got, sizeof(got), "%.*s%s", (int)t.len, t.at, end);
	assert_string_equal(got, expected);
	assert_true(strlen(got) <= room);
}

static void what_is_cut_is_an_object_still(void **state)
{
	static const char line[] = "{\"n\":12,\"list\":[\"a,b\",null],\"path\":\"/x\\u00e9\xc3\xa9,\\\\y\"}";

	assert_cut(line, sizeof(line) - 1, line);
	assert_cut(line, sizeof(line) - 2, "{\"n\":12,\"list\":[\"a,b\",null],\"path\":\"/\",\"cut\":true}");
	assert_cut(line, 30, "{\"n\":12,\"cut\":true}"); /* within the list */
	assert_cut(line, 19, "");
	assert_cut(line, 0, "");
}

static void wherever_it_is_cut(void **state)
{
	static const char line[] = "{\"path\":\"ab\\u00e9\\\\\xc3\xa9\\\"c, d e f g h i j k l m n\"}";

	for (size_t room = 0; room < sizeof(line) - 1; room++) {
		const char *end;
		struct text t = log_json_cut(TEXT(line), room, &end);

		assert_true(t.len + strlen(end) <= room);
		if (!t.len)
			continue;
		assert_string_equal(end, "\",\"cut\":true}");
		/* before a character or an escape, never in one */
		assert_true(t.len <= 11 || t.len == 17 || t.len == 19 || t.len == 21 || t.len >= 23);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_not_known_has_no_member), cmocka_unit_test(a_request_is_told_in_parts),
	    cmocka_unit_test(any_bytes_are_a_text_of_json),    cmocka_unit_test(a_failure_is_told_alone),
	    cmocka_unit_test(what_is_cut_is_an_object_still),  cmocka_unit_test(wherever_it_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
