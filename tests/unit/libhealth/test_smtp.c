/* SPDX-License-Identifier: MIT */
/* The SMTP probe against answers from arrays, in pieces of every size; then over a real socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include <libhealth/probe_smtp.h>

#include "rig.h"
#include "tests/support/talk.h"

#define GOOD "220 mail.example.com ESMTP\r\n250 mail.example.com\r\n"

static struct health_probe *probe(const struct health_smtp_opts *o)
{
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(health_probe_smtp(), o, &p), 0);
	return p;
}

static void expect(const char *answer, enum talk_end end, enum health_code code, uint32_t status)
{
	struct health_probe *p = probe(NULL);
	size_t len = strlen(answer);
	static struct talk t;

	for (size_t chunk = 0; chunk <= len && chunk < 400; chunk++) {
		talk(&t, p, answer, len, chunk, end);
		if (t.io.code != code || t.io.status != status)
			print_error("'%.60s' by %zu: %s %s\n", answer, chunk,
				    health_code_name(t.io.code), t.io.text);
		assert_int_equal(t.io.code, code);
		assert_int_equal(t.io.status, status);
		assert_int_equal(t.io.verdict, code == HEALTH_CODE_L7OK ? HEALTH_OK : HEALTH_FAIL);
	}
	health_probe_free(p);
}

static void a_greeting_and_a_word_back_are_a_success(void **state)
{
	expect(GOOD, TALK_SILENCE, HEALTH_CODE_L7OK, 250);
	expect("220\n250\n", TALK_SILENCE, HEALTH_CODE_L7OK,
	       250); /* RFC 5321 §4.2: text may lack */
	expect("220-one\r\n220-\r\n220 three\r\n250-a\r\n250-b\r\n250 c\r\n", TALK_SILENCE,
	       HEALTH_CODE_L7OK, 250);
}

static void what_is_said_is_what_was_asked_for(void **state)
{
	const struct health_smtp_opts o = {.size = sizeof(o), .helo = "lb.example.com", .ehlo = 1};
	struct health_probe *p = probe(NULL);
	static struct talk t;

	talk(&t, p, GOOD, strlen(GOOD), 0, TALK_SILENCE);
	assert_string_equal(t.sent, "HELO localhost\r\nQUIT\r\n");
	assert_string_equal(t.io.text, "250 mail.example.com");
	health_probe_free(p);
	p = probe(&o);
	talk(&t, p, GOOD, strlen(GOOD), 0, TALK_SILENCE);
	assert_string_equal(t.sent, "EHLO lb.example.com\r\nQUIT\r\n");
	talk(&t, p, "", 0, 0, TALK_SILENCE);
	assert_string_equal(t.sent, ""); /* the server speaks first */
	health_probe_free(p);
}

static void another_code_is_a_failure(void **state)
{
	expect("554 no service\r\n", TALK_CLOSES, HEALTH_CODE_L7STS, 554);
	expect("421-busy\r\n421 come later\r\n", TALK_CLOSES, HEALTH_CODE_L7STS, 421);
	expect("250 hello\r\n", TALK_SILENCE, HEALTH_CODE_L7STS, 250);
	expect("220 x\r\n502 what\r\n", TALK_SILENCE, HEALTH_CODE_L7STS, 502);
	expect("220 x\r\n220 x\r\n", TALK_SILENCE, HEALTH_CODE_L7STS, 220);
}

static void what_is_no_answer_is_a_failure(void **state)
{
	static const char *const odd[] = {
	    "\r\n",	 "22\r\n",   "2200 x\r\n",	    "abc x\r\n",
	    "099 x\r\n", "220x\r\n", "HTTP/1.1 400 No\r\n",
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		expect(odd[i], TALK_SILENCE, HEALTH_CODE_L7RSP, 0);
	expect("220-x\r\n221 x\r\n", TALK_SILENCE, HEALTH_CODE_L7RSP, 220);
	expect("220 x\r\n250-a\r\n220 b\r\n", TALK_SILENCE, HEALTH_CODE_L7RSP, 250);
	expect("220 x", TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	expect("220-x\r\n", TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	expect("220 x\r\n", TALK_RESETS, HEALTH_CODE_L7RSP, 0);
	expect("220 x\r\n250-a\r\n", TALK_SILENCE, HEALTH_CODE_L7TOUT, 0);
}

static void a_banner_without_end_is_bounded(void **state)
{
	static char banner[65536 + 1];
	size_t len = 0;

	memset(banner, '2', 65536);
	memcpy(banner, "220 ", 4);
	expect(banner, TALK_SILENCE, HEALTH_CODE_L7RSP, 0); /* no line end */
	while (len < 1000)
		len += strlen(strcpy(banner + len, "220-x\r\n"));
	expect(banner, TALK_SILENCE, HEALTH_CODE_L7RSP, 220); /* no last line */
}

static void options_out_of_range_are_refused(void **state)
{
	char longest[HEALTH_SMTP_HELO_MAX + 2];
	struct health_smtp_opts o = {.size = sizeof(o), .helo = ""};
	struct health_probe *p = NULL;
	static struct talk t;

	assert_int_equal(health_probe_new(health_probe_smtp(), &o, &p), -EINVAL);
	o.helo = "a b";
	assert_int_equal(health_probe_new(health_probe_smtp(), &o, &p), -EINVAL);
	o.helo = "a\r\nMAIL";
	assert_int_equal(health_probe_new(health_probe_smtp(), &o, &p), -EINVAL);
	memset(longest, 'a', sizeof(longest));
	longest[HEALTH_SMTP_HELO_MAX + 1] = '\0';
	o.helo = longest;
	assert_int_equal(health_probe_new(health_probe_smtp(), &o, &p), -EINVAL);
	longest[HEALTH_SMTP_HELO_MAX] = '\0';
	p = probe(&o);
	talk(&t, p, "220\n", 4, 0, TALK_SILENCE);
	assert_string_equal(t.sent + t.sent_len - 3, "a\r\n");
	health_probe_free(p);
}

static void a_real_connection_ends_as_the_array_did(void **state)
{
	const struct {
		struct peer_script script;
		enum health_code code;
	} cases[] = {
	    {{.reply = GOOD, .reply_len = sizeof(GOOD) - 1, .chunk = 1}, HEALTH_CODE_L7OK},
	    {{.reply = GOOD, .reply_len = 30, .end = PEER_RESETS}, HEALTH_CODE_L7RSP},
	    {{.reply = GOOD, .reply_len = 30}, HEALTH_CODE_L7TOUT},
	    {{.end = PEER_CLOSES}, HEALTH_CODE_L7RSP},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct health_check_opts check;
		struct rig r;

		rig_open(&r, NULL, &cases[i].script);
		check = rig_opts(&r);
		check.probe = probe(NULL);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_greeting_and_a_word_back_are_a_success),
	    cmocka_unit_test(what_is_said_is_what_was_asked_for),
	    cmocka_unit_test(another_code_is_a_failure),
	    cmocka_unit_test(what_is_no_answer_is_a_failure),
	    cmocka_unit_test(a_banner_without_end_is_bounded),
	    cmocka_unit_test(options_out_of_range_are_refused),
	    cmocka_unit_test(a_real_connection_ends_as_the_array_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
