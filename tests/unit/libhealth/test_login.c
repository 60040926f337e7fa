/* SPDX-License-Identifier: MIT */
/* The FTP, POP3, IMAP and LMTP probes against answers from arrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libhealth/probe_login.h>
#include <libhealth/probe_smtp.h>

#include "served.h"

static const struct health_login_opts who = {
    .size = sizeof(who), .user = "u", .password = "p w", .path = "f"};
static const struct health_login_opts mail = {.size = sizeof(mail), .user = "u", .password = "p"};

static void says(const struct health_probe_ops *ops, const void *opts, const char *answer,
		 const char *sent)
{
	struct health_probe *p = served_probe(ops, opts);
	static struct talk t;

	talk(&t, p, answer, strlen(answer), 0, TALK_SILENCE);
	assert_string_equal(t.sent, sent);
	health_probe_free(p);
}

static void good(const struct health_probe_ops *ops, const void *opts, const char *answer,
		 uint32_t status)
{
	struct health_probe *p = served_probe(ops, opts);

	served_ok(p, answer, strlen(answer), status);
	health_probe_free(p);
}

static void bad(const struct health_probe_ops *ops, const void *opts, const char *answer,
		enum health_code code, uint32_t status)
{
	struct health_probe *p = served_probe(ops, opts);

	served_no(p, answer, strlen(answer), TALK_CLOSES, code, status);
	health_probe_free(p);
}

static void ftp_logs_in_and_finds_the_file(void **state)
{
	const char *all = "220-hello\r\n 220 not yet\r\n220 there\r\n331 password\r\n230 in\r\n"
			  "200 binary\r\n213 42\r\n";

	good(health_probe_ftp(), NULL, "220 hello\r\n", 220);
	good(health_probe_ftp(), &who, all, 213);
	says(health_probe_ftp(), &who, all, "USER u\r\nPASS p w\r\nTYPE I\r\nSIZE f\r\nQUIT\r\n");
	good(health_probe_ftp(), &who, "220 x\n230 no password\n200 binary\n213 1\n", 213);
	says(health_probe_ftp(), &who, "220 x\n230 in\n200 x\n213 1\n",
	     "USER u\r\nTYPE I\r\nSIZE f\r\nQUIT\r\n");
}

static void ftp_refused_is_a_failure(void **state)
{
	const struct health_probe_ops *ftp = health_probe_ftp();

	bad(ftp, NULL, "421 too many users\r\n", HEALTH_CODE_L7STS, 421);
	bad(ftp, NULL, "120 in a minute\r\n", HEALTH_CODE_L7STS, 120);
	bad(ftp, &who, "220 x\r\n331 x\r\n530 wrong\r\n", HEALTH_CODE_L7STS, 530);
	bad(ftp, &who, "220 x\r\n331 x\r\n230 x\r\n200 x\r\n550 none\r\n", HEALTH_CODE_L7STS, 550);
	bad(ftp, NULL, "SSH-2.0-OpenSSH_9.2\r\n", HEALTH_CODE_L7RSP, 0);
	bad(ftp, NULL, "220-hello\r\n22", HEALTH_CODE_L7RSP, 0);
}

static void pop3_logs_in(void **state)
{
	const struct health_probe_ops *pop3 = health_probe_pop3();

	good(pop3, NULL, "+OK\r\n", 0);
	good(pop3, &mail, "+OK hello\r\n+OK\r\n+OK in\r\n", 0);
	says(pop3, &mail, "+OK hello\r\n+OK\r\n+OK in\r\n", "USER u\r\nPASS p\r\nQUIT\r\n");
	bad(pop3, &mail, "+OK\r\n+OK\r\n-ERR wrong\r\n", HEALTH_CODE_L7STS, 0);
	bad(pop3, NULL, "-ERR busy\r\n", HEALTH_CODE_L7STS, 0);
	bad(pop3, NULL, "* OK imap\r\n", HEALTH_CODE_L7RSP, 0);
	assert_int_equal(health_probe_new(pop3, &who, &(struct health_probe *){NULL}), -EINVAL);
}

static void imap_logs_in_and_opens_the_mailbox(void **state)
{
	const struct health_probe_ops *imap = health_probe_imap();
	const struct health_login_opts quotes = {
	    .size = sizeof(quotes), .user = "a\"b\\c", .password = NULL};
	const char *all = "* OK [CAPABILITY IMAP4rev1] hi\r\n* CAPABILITY X\r\nh OK in\r\n"
			  "* 3 EXISTS\r\n* FLAGS ()\r\nh OK [READ-ONLY] x\r\n";

	good(imap, NULL, "* OK hello\r\n", 0);
	good(imap, NULL, "* PREAUTH hello\r\n", 0);
	good(imap, &who, all, 0);
	says(imap, &who, all, "h LOGIN \"u\" \"p w\"\r\nh EXAMINE \"f\"\r\nh LOGOUT\r\n");
	says(imap, &quotes, "* OK\r\n", "h LOGIN \"a\\\"b\\\\c\" \"\"\r\n");
	bad(imap, NULL, "* BYE busy\r\n", HEALTH_CODE_L7STS, 0);
	bad(imap, &who, "* OK\r\nh NO wrong\r\n", HEALTH_CODE_L7STS, 0);
	bad(imap, &who, "* OK\r\nh BAD what\r\n", HEALTH_CODE_L7STS, 0);
	bad(imap, &who, "* OK\r\nh OK\r\n* BYE\r\n", HEALTH_CODE_L7STS, 0);
	bad(imap, &who, "* OK\r\n+ go on\r\n", HEALTH_CODE_L7RSP, 0);
	bad(imap, NULL, "+OK pop\r\n", HEALTH_CODE_L7RSP, 0);
}

static void lmtp_is_greeted_by_its_own_word(void **state)
{
	const struct health_smtp_opts ehlo = {.size = sizeof(ehlo), .ehlo = 1};
	const struct health_probe_ops *lmtp = health_probe_lmtp();

	good(lmtp, NULL, "220 x LMTP\r\n250-x\r\n250 PIPELINING\r\n", 250);
	says(lmtp, NULL, "220 x\r\n250 x\r\n", "LHLO localhost\r\nQUIT\r\n");
	bad(lmtp, NULL, "220 x\r\n500 what\r\n", HEALTH_CODE_L7STS, 500);
	assert_int_equal(health_probe_new(lmtp, &ehlo, &(struct health_probe *){NULL}), -EINVAL);
}

static void options_out_of_range_are_refused(void **state)
{
	const struct health_probe_ops *all[] = {health_probe_ftp(), health_probe_pop3(),
						health_probe_imap()};
	static char longest[HEALTH_LOGIN_WORD_MAX + 2];
	struct health_probe *p = NULL;

	for (size_t i = 0; i < 3; i++) {
		struct health_login_opts o = {.size = sizeof(o), .password = "p"};

		assert_int_equal(health_probe_new(all[i], &o, &p), -EINVAL); /* no user */
		o.user = "";
		assert_int_equal(health_probe_new(all[i], &o, &p), -EINVAL);
		o.user = "u\r\nDELE 1";
		assert_int_equal(health_probe_new(all[i], &o, &p), -EINVAL);
		o.user = "u";
		o.password = "p\n";
		assert_int_equal(health_probe_new(all[i], &o, &p), -EINVAL);
		memset(longest, '"', HEALTH_LOGIN_WORD_MAX + 1);
		o.password = longest;
		assert_int_equal(health_probe_new(all[i], &o, &p), -EINVAL);
		longest[HEALTH_LOGIN_WORD_MAX] = '\0'; /* the longest of all fits, quoted, too */
		o.user = longest;
		o.path = all[i] == health_probe_pop3() ? NULL : longest;
		assert_int_equal(health_probe_new(all[i], &o, &p), 0);
		health_probe_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ftp_logs_in_and_finds_the_file),
	    cmocka_unit_test(ftp_refused_is_a_failure),
	    cmocka_unit_test(pop3_logs_in),
	    cmocka_unit_test(imap_logs_in_and_opens_the_mailbox),
	    cmocka_unit_test(lmtp_is_greeted_by_its_own_word),
	    cmocka_unit_test(options_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
