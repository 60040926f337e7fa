/* SPDX-License-Identifier: MIT */
/* Probes that change to TLS on the way: in its place, and with nothing slipped in before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "answers.h"
#include "served.h"

static const struct {
	const char *url;
	const char *clear; /* what the server says before the handshake */
	size_t clear_len;
	const char *hidden; /* and what over TLS */
	size_t hidden_len;
	const char *sent; /* by the probe; NULL: not text */
	const char *no;	  /* instead of the last answer in the clear */
	size_t no_len;
} served[] = {
    {"smtp://h#starttls&helo=me", BYTES("220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n"),
     BYTES("250 x\r\n"), "EHLO me\r\nSTARTTLS\r\nEHLO me\r\nQUIT\r\n",
     BYTES("220 x\r\n250 x\r\n502 no\r\n")},
    {"lmtp://h#starttls", BYTES("220 x\r\n250 x\r\n220 go\r\n"), BYTES("250-x\r\n250 y\r\n"),
     "LHLO localhost\r\nSTARTTLS\r\nLHLO localhost\r\nQUIT\r\n",
     BYTES("220 x\r\n250 x\r\n454 later\r\n")},
    {"ftp://h#starttls", BYTES("220 x\r\n234 go\r\n"), BYTES("221 bye\r\n"),
     "AUTH TLS\r\nQUIT\r\nQUIT\r\n", BYTES("220 x\r\n530 no\r\n")},
    {"ftp://u:p@h/f#starttls", BYTES("220 x\r\n234 go\r\n"),
     BYTES("331 x\r\n230 x\r\n200 x\r\n213 1\r\n"),
     "AUTH TLS\r\nUSER u\r\nPASS p\r\nTYPE I\r\nSIZE f\r\nQUIT\r\n", BYTES("220 x\r\n530 no\r\n")},
    {"pop3://h#starttls", BYTES("+OK\r\n+OK go\r\n"), BYTES("+OK\r\n"), "STLS\r\nQUIT\r\nQUIT\r\n",
     BYTES("+OK\r\n-ERR no\r\n")},
    {"pop3://u:p@h#starttls", BYTES("+OK\r\n+OK go\r\n"), BYTES("+OK\r\n+OK\r\n"),
     "STLS\r\nUSER u\r\nPASS p\r\nQUIT\r\n", BYTES("+OK\r\n-ERR no\r\n")},
    {"imap://h#starttls", BYTES("* OK x\r\nh OK go\r\n"), BYTES("* OK x\r\nh OK\r\n"),
     "h STARTTLS\r\nh NOOP\r\nh LOGOUT\r\n", BYTES("* OK x\r\nh BAD no\r\n")},
    {"imap://u:p@h/INBOX#starttls", BYTES("* OK x\r\nh OK go\r\n"),
     BYTES("h OK\r\n* x\r\nh OK\r\n"),
     "h STARTTLS\r\nh LOGIN \"u\" \"p\"\r\nh EXAMINE \"INBOX\"\r\nh LOGOUT\r\n",
     BYTES("* OK x\r\nh NO no\r\n")},
    {"ldap://h#starttls", BYTES("\x30\x0c\2\1\4\x78\7\x0a\1\0\4\0\4\0"),
     BYTES("\x30\x0c\2\1\1\x61\7\x0a\1\0\4\0\4\0"), NULL,
     BYTES("\x30\x0c\2\1\4\x78\7\x0a\1\2\4\0\4\0")},
    {"pgsql://u@h#starttls", BYTES("S"), BYTES("R\0\0\0\x08\0\0\0\0"), NULL, BYTES("N")},
    {"mysql://u@h#starttls",
     BYTES("\x31\0\0\0\x0a"
	   "5.5\0"
	   "1234"
	   "12345678\0"
	   "\0\x8a\x21\2\0\0\0\0"
	   "\0\0\0\0\0\0\0\0\0\0"
	   "123456789012\0"),
     BYTES("\7\0\0\3\0\0\0\2\0\0\0"), NULL,
     BYTES("\x31\0\0\0\x0a"
	   "5.5\0"
	   "1234"
	   "12345678\0"
	   "\0\x82\x21\2\0\0\0\0"
	   "\0\0\0\0\0\0\0\0\0\0"
	   "123456789012\0")},
};

#define SERVED (sizeof(served) / sizeof(*served))

static struct health_probe *probe_of(size_t i)
{
	struct health_url u = {.size = sizeof(u)};

	assert_int_equal(health_url_parse(served[i].url, &health_foreign, &u, NULL), 0);
	assert_int_equal(u.tls, 1);
	assert_int_equal(u.starttls, 1);
	return u.probe;
}

/* The clear part cut at `at`, then the hidden part cut at `hidden_at`; less of it, if `len` says so. */
static void play(struct talk *t, size_t i, size_t at, size_t hidden_at, size_t len,
		 enum talk_end end)
{
	_Alignas(max_align_t) static char state[HEALTH_PROBE_STATE_MAX];
	const size_t cut[] = {at, served[i].clear_len, served[i].clear_len + hidden_at,
			      served[i].clear_len + served[i].hidden_len};
	struct health_probe *p = probe_of(i);
	char all[256];
	struct dialogue d;
	size_t from = 0;

	memcpy(all, served[i].clear, served[i].clear_len);
	memcpy(all + served[i].clear_len, served[i].hidden, served[i].hidden_len);
	memset(t, 0, sizeof(*t));
	dialogue_init(&d, p, state);
	t->step = dialogue_open(&d, 1, &t->io);
	talk_note(t);
	for (size_t j = 0; j < 4 && t->step == HEALTH_STEP_MORE; j++) {
		size_t to = cut[j] < len ? cut[j] : len;

		if (to > from) {
			talk_piece(t, &d, all + from, to - from);
			talk_reopen(t, &d);
		}
		from = to > from ? to : from;
	}
	if (t->step == HEALTH_STEP_MORE && end == TALK_SILENCE)
		dialogue_timeout(&d, 1, &t->io);
	else if (t->step == HEALTH_STEP_MORE)
		dialogue_closed(&d, 0, "closed", 1, &t->io);
	dialogue_fini(&d);
	health_probe_free(p);
}

static void tls_begins_in_its_place_however_the_answer_is_cut(void **state)
{
	static struct talk t;

	for (size_t i = 0; i < SERVED; i++)
		for (size_t at = 0; at <= served[i].clear_len; at++)
			for (size_t hidden = 0; hidden <= served[i].hidden_len; hidden++) {
				play(&t, i, at, hidden, SIZE_MAX, TALK_CLOSES);
				if (t.io.verdict != HEALTH_OK || !t.reopened)
					print_error("%s cut at %zu and %zu: %s %s, sent '%s'\n",
						    served[i].url, at, hidden,
						    health_code_name(t.io.code), t.io.text, t.sent);
				assert_int_equal(t.io.verdict, HEALTH_OK);
				assert_true(t.reopened);
				if (served[i].sent)
					assert_string_equal(t.sent, served[i].sent);
			}
}

static void less_is_no_success(void **state)
{
	static struct talk t;

	for (size_t i = 0; i < SERVED; i++)
		for (size_t len = 0; len < served[i].clear_len + served[i].hidden_len; len++) {
			play(&t, i, 0, 0, len, TALK_SILENCE);
			assert_int_equal(t.io.verdict, HEALTH_FAIL);
			assert_int_equal(t.io.code, HEALTH_CODE_L7TOUT);
			play(&t, i, 0, 0, len, TALK_CLOSES);
			assert_int_equal(t.io.verdict, HEALTH_FAIL);
			assert_int_equal(t.io.code, HEALTH_CODE_L7RSP);
		}
}

/* Bytes behind the server's consent could be a stranger's: they are never taken for encrypted ones. */
static void nothing_is_slipped_in_before_the_handshake(void **state)
{
	static struct talk t;
	char all[256];

	for (size_t i = 0; i < SERVED; i++) {
		struct health_probe *p = probe_of(i);

		memcpy(all, served[i].clear, served[i].clear_len);
		memcpy(all + served[i].clear_len, served[i].hidden, served[i].hidden_len);
		talk(&t, p, all, served[i].clear_len + served[i].hidden_len, 0, TALK_SILENCE);
		assert_int_equal(t.io.verdict, HEALTH_FAIL);
		assert_int_equal(t.io.code, HEALTH_CODE_L7RSP);
		assert_string_equal(t.io.text, "bytes before the handshake");
		health_probe_free(p);
	}
}

static void a_server_without_tls_fails_and_hears_no_password(void **state)
{
	static struct talk t;

	for (size_t i = 0; i < SERVED; i++) {
		struct health_probe *p = probe_of(i);

		talk(&t, p, served[i].no, served[i].no_len, 0, TALK_SILENCE);
		if (t.io.code != HEALTH_CODE_L7STS)
			print_error("%s: %s\n", served[i].url, health_code_name(t.io.code));
		assert_int_equal(t.io.code, HEALTH_CODE_L7STS);
		assert_false(t.reopened);
		assert_null(strstr(t.sent, "PASS"));
		assert_null(strstr(t.sent, "LOGIN"));
		health_probe_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tls_begins_in_its_place_however_the_answer_is_cut),
	    cmocka_unit_test(less_is_no_success),
	    cmocka_unit_test(nothing_is_slipped_in_before_the_handshake),
	    cmocka_unit_test(a_server_without_tls_fails_and_hears_no_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
