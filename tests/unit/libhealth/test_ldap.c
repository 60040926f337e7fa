/* SPDX-License-Identifier: MIT */
/* The LDAP probe against answers from arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libhealth/probe_ldap.h>

#include "served.h"

#define BOUND "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"
#define ENTRY                                  \
	"\x30\x0b\x02\x01\x02\x64\x06\x04\x02" \
	"dc\x30\x00"
#define DONE "\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\x00\x04\x00\x04\x00"

static const struct health_ldap_opts whole = {
    .size = sizeof(whole), .bind_dn = "cn=p", .password = "secret", .base = "dc=x"};

static void an_anonymous_bind_is_answered(void **state)
{
	struct health_probe *p = served_probe(health_probe_ldap(), NULL);
	static struct talk t;

	served_ok(p, BYTES(BOUND), 0);
	/* lengths in the long form are as good: Active Directory writes them so */
	served_ok(
	    p, BYTES("\x30\x84\0\0\0\x10\x02\x01\x01\x61\x84\0\0\0\x07\x0a\x01\0\x04\0\x04\0"), 0);
	talk(&t, p, BYTES(BOUND), 0, TALK_SILENCE);
	assert_memory_equal(t.sent,
			    "\x30\x82\0\x0e\x02\x01\x01\x60\x82\0\x07\x02\x01\x03\x04\0\x80\0"
			    "\x30\x82\0\x05\x02\x01\x03\x42\0",
			    t.sent_len);
	assert_int_equal(t.sent_len, 27);
	health_probe_free(p);
}

static void a_base_must_be_there(void **state)
{
	struct health_probe *p = served_probe(health_probe_ldap(), &whole);
	static struct talk t;

	served_ok(p, BYTES(BOUND ENTRY DONE), 0);
	talk(&t, p, BYTES(BOUND ENTRY DONE), 0, TALK_SILENCE);
	assert_non_null(memmem(t.sent, t.sent_len,
			       BYTES("\x04\x04"
				     "cn=p\x80\x06secret")));
	assert_non_null(memmem(t.sent, t.sent_len,
			       BYTES("\x04\x04"
				     "dc=x\x0a\1\0\x0a\1\0")));
	served_no(p, BYTES(BOUND DONE), TALK_SILENCE, HEALTH_CODE_L7STS, 0);
	served_no(p, BYTES(BOUND "\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\x20\x04\x00\x04\x00"),
		  TALK_SILENCE, HEALTH_CODE_L7STS, 32);
	served_no(p, BYTES(ENTRY), TALK_SILENCE, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES(BOUND BOUND), TALK_SILENCE, HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

static void a_refusal_is_told_in_words(void **state)
{
	struct health_probe *p = served_probe(health_probe_ldap(), NULL);
	static struct talk t;

#define REFUSED                                                    \
	"\x30\x0f\x02\x01\x01\x61\x0a\x0a\x01\x31\x04\x00\x04\x03" \
	"bad"
	served_no(p, BYTES(REFUSED), TALK_CLOSES, HEALTH_CODE_L7STS, 49);
	talk(&t, p, BYTES(REFUSED), 0, TALK_CLOSES);
	assert_string_equal(t.io.text, "invalidCredentials: bad");
	/* the notice of disconnection */
	served_no(p, BYTES("\x30\x0c\x02\x01\x00\x78\x07\x0a\x01\x34\x04\x00\x04\x00"), TALK_CLOSES,
		  HEALTH_CODE_L7STS, 52);
	health_probe_free(p);
}

static void what_is_no_ldap_is_a_failure(void **state)
{
	struct health_probe *p = served_probe(health_probe_ldap(), NULL);

	served_no(p, BYTES("220 smtp\r\n"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("\x30\x85"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("\x30\x80"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("\x30\x83\x01\x00\x00"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("\x30\x00"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("\x30\x05\x02\x01\x01\x61\x09"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("\x30\x07\x02\x01\x01\x61\x02\x0a\x00"), TALK_CLOSES, HEALTH_CODE_L7RSP,
		  0);
	served_no(p, BYTES("\x30\x0c\x02\x01\x07\x61\x07\x0a\x01\x00\x04\x00\x04\x00"), TALK_CLOSES,
		  HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

static void options_out_of_range_are_refused(void **state)
{
	static char longest[HEALTH_LDAP_WORD_MAX + 2];
	struct health_ldap_opts o = {.size = sizeof(o), .bind_dn = "cn=p"};
	struct health_probe *p = NULL;
	static struct talk t;

	assert_int_equal(health_probe_new(health_probe_ldap(), &o, &p), -EINVAL);
	o.password = "";
	assert_int_equal(health_probe_new(health_probe_ldap(), &o, &p), -EINVAL);
	o.password = memset(longest, 'x', HEALTH_LDAP_WORD_MAX + 1);
	assert_int_equal(health_probe_new(health_probe_ldap(), &o, &p), -EINVAL);
	longest[HEALTH_LDAP_WORD_MAX] = '\0';
	o.bind_dn = o.base = longest;
	p = served_probe(health_probe_ldap(), &o);
	talk(&t, p, BYTES(BOUND ENTRY DONE), 0, TALK_SILENCE);
	assert_int_equal(t.io.code, HEALTH_CODE_L7OK);
	assert_true(t.sent_len > 3 * HEALTH_LDAP_WORD_MAX);
	health_probe_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_anonymous_bind_is_answered),
	    cmocka_unit_test(a_base_must_be_there),
	    cmocka_unit_test(a_refusal_is_told_in_words),
	    cmocka_unit_test(what_is_no_ldap_is_a_failure),
	    cmocka_unit_test(options_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
