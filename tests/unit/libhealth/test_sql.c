/* SPDX-License-Identifier: MIT */
/* The MySQL and PostgreSQL probes against answers from arrays; the hashes were computed elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libhealth/probe_sql.h>

#include "examples/adapters/health_openssl.h"
#include "served.h"

/* A greeting of 10.11.6-MariaDB: nonce "abcdefghijklmnopqrst", mysql_native_password. */
#define GREETING                         \
	"\x53\0\0\0\x0a"                 \
	"10.11.6-MariaDB\0"              \
	"\x2a\0\0\0"                     \
	"abcdefgh\0"                     \
	"\xfe\xf7\x21\x02\0\xff\x81\x15" \
	"\0\0\0\0\0\0\0\0\0\0"           \
	"ijklmnopqrst\0"                 \
	"mysql_native_password\0"
#define SWITCH_SHA2               \
	"\x2c\0\0\x02\xfe"        \
	"caching_sha2_password\0" \
	"abcdefghijklmnopqrst\0"
#define OK_PACKET(sequence) "\x07\0\0" sequence "\0\0\0\x02\0\0\0"

static const struct health_sql_opts nobody = {.size = sizeof(nobody), .user = "haproxy"};
static const struct health_sql_opts someone = {.size = sizeof(someone),
					       .user = "u",
					       .password = "secret",
					       .database = "d",
					       .crypto = &health_openssl};
static const uint8_t native[] = {0x88, 0x17, 0xc5, 0x0f, 0xa7, 0x79, 0xda, 0xef, 0x01, 0x0e,
				 0xe7, 0x57, 0x78, 0x25, 0xb0, 0x84, 0x7d, 0xf9, 0x84, 0x2e};
static const uint8_t sha2[] = {0xc7, 0x6e, 0x28, 0x98, 0x61, 0x2a, 0x4c, 0xf0, 0x42, 0xc7, 0x7f,
			       0xa8, 0xc4, 0x70, 0x2c, 0x4c, 0x64, 0xc0, 0xc2, 0xc5, 0x57, 0xc5,
			       0x3c, 0x4d, 0x75, 0x59, 0x5a, 0xaa, 0x6a, 0xba, 0xe8, 0x09};

static bool sent(const struct talk *t, const void *bytes, size_t len)
{
	return memmem(t->sent, t->sent_len, bytes, len);
}

static void mysql_greets(void **state)
{
	struct health_probe *p = served_probe(health_probe_mysql(), NULL);
	static struct talk t;

	served_ok(p, BYTES(GREETING), 0);
	talk(&t, p, BYTES(GREETING), 0, TALK_SILENCE);
	assert_string_equal(t.io.text, "10.11.6-MariaDB");
	assert_int_equal(t.sent_len, 0);
	served_no(p, BYTES("\x0f\0\0\0\xff\x10\x04Too many hosts"), TALK_CLOSES, HEALTH_CODE_L7STS,
		  1040);
	served_no(p, BYTES("\x15\0\0\1\xff\x69\x04#HY000Host blocked"), TALK_CLOSES,
		  HEALTH_CODE_L7STS, 1129);
	served_no(p, BYTES("\x04\0\0\0\x09old"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p,
		  BYTES("\x0b\0\0\0\x0a"
			"5.5.5\0abcd"),
		  TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("\0\0\0\0"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("SSH-2.0-OpenSSH_9.2p1\r\n"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

static void mysql_takes_a_user_without_a_password(void **state)
{
	struct health_probe *p = served_probe(health_probe_mysql(), &nobody);
	static struct talk t;

	served_ok(p, BYTES(GREETING OK_PACKET("\2")), 0);
	talk(&t, p, BYTES(GREETING OK_PACKET("\2")), 0, TALK_SILENCE);
	assert_true(sent(&t, BYTES("haproxy\0\0mysql_native_password\0")));
	assert_true(sent(&t, BYTES("\1\0\0\0\1"))); /* COM_QUIT */
	served_no(p, BYTES(GREETING "\x0b\0\0\2\xff\x15\x04#28000no"), TALK_CLOSES,
		  HEALTH_CODE_L7STS, 1045);
	served_no(p, BYTES(GREETING OK_PACKET("\7")), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES(GREETING "\1\0\0\2\xfe"), TALK_CLOSES, HEALTH_CODE_L7STS, 0);
	served_no(p,
		  BYTES(GREETING "\6\0\0\2\xfe"
				 "gss\0x"),
		  TALK_CLOSES, HEALTH_CODE_L7STS, 0);
	served_no(p, BYTES(GREETING "\1\0\0\2\x77"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

static void mysql_passwords_are_hashed_as_the_plugin_wants(void **state)
{
	struct health_probe *p = served_probe(health_probe_mysql(), &someone);
	static struct talk t;

	served_ok(p, BYTES(GREETING OK_PACKET("\2")), 0);
	talk(&t, p, BYTES(GREETING OK_PACKET("\2")), 0, TALK_SILENCE);
	assert_true(sent(&t, native, sizeof(native)));
	assert_true(sent(&t, BYTES("d\0mysql_native_password\0")));
	served_ok(p, BYTES(GREETING SWITCH_SHA2 "\2\0\0\4\1\3" OK_PACKET("\5")), 0);
	talk(&t, p, BYTES(GREETING SWITCH_SHA2), 0, TALK_SILENCE);
	assert_true(sent(&t, sha2, sizeof(sha2)));
	/* the server has forgotten it: only TLS may carry the password */
	served_no(p, BYTES(GREETING SWITCH_SHA2 "\2\0\0\4\1\4"), TALK_CLOSES, HEALTH_CODE_L7STS, 0);
	talk(&t, p, BYTES(GREETING SWITCH_SHA2 "\2\0\0\4\1\4"), 0, TALK_SILENCE);
	assert_false(sent(&t, BYTES("secret")));
	served_no(p, BYTES(GREETING "\2\0\0\2\1\4"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

/* ---- PostgreSQL ---- */

#define AUTH(kind) "R\0\0\0\x08\0\0\0" kind
#define READY         \
	"S\0\0\0\x0c" \
	"x\0"         \
	"y\0"         \
	"1234"        \
	"Z\0\0\0\x05I"
#define SCRAM "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"
#define NONCE "oGP7Tr5wWPUo0DXqOMnb3Kh1XY4kfPR4"
#define CHALLENGE "R\0\0\0\x52\0\0\0\x0br=" NONCE "SERVER,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define PROOF "c=biws,r=" NONCE "SERVER,p=d1KwUXmKnGft4WjxVOLtwrKGUXsLA1qgAbZGid12wKs="
#define PROVEN "R\0\0\0\x36\0\0\0\x0cv=XdxWV8WedGGjlTEJ0JNxXH8PgUbfXvmer8xmmdvF1SY="

static const struct health_sql_opts pencil = {
    .size = sizeof(pencil), .user = "u", .password = "pencil", .crypto = &health_openssl};

static void pgsql_asks_for_an_authentication(void **state)
{
	struct health_probe *p = served_probe(health_probe_pgsql(), &nobody);
	static struct talk t;

	served_ok(p, BYTES(AUTH("\5")), 0);
	served_ok(p, BYTES(AUTH("\0")), 0);
	served_ok(p, BYTES(SCRAM), 0);
	talk(&t, p, BYTES(AUTH("\0")), 0, TALK_SILENCE);
	assert_int_equal(t.sent_len, 22);
	assert_memory_equal(t.sent, "\0\0\0\x16\0\3\0\0user\0haproxy\0", 22);
	served_no(p, BYTES("E\0\0\0\x1dSFATAL\0C28000\0Mno entry\0\0"), TALK_CLOSES,
		  HEALTH_CODE_L7STS, 0);
	talk(&t, p, BYTES("E\0\0\0\x1dSFATAL\0C28000\0Mno entry\0\0"), 0, TALK_CLOSES);
	assert_string_equal(t.io.text, "no entry");
	served_no(p, BYTES("E\0\0\0\x04"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("E\0\0\0\x06MX"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES(AUTH("\x63")), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("Z\0\0\0\5I"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("HTTP/1.1 400 Bad\r\n"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

static void pgsql_logs_in(void **state)
{
	struct health_probe *p = served_probe(health_probe_pgsql(), &pencil);
	static struct talk t;

	served_ok(p, BYTES(AUTH("\0") READY), 0);
	served_ok(p, BYTES(AUTH("\3") AUTH("\0") READY), 0);
	talk(&t, p, BYTES(AUTH("\3")), 0, TALK_SILENCE);
	assert_true(sent(&t, BYTES("p\0\0\0\x0bpencil\0")));
	served_ok(p, BYTES("R\0\0\0\x0c\0\0\0\5SALT" AUTH("\0") READY), 0);
	talk(&t, p, BYTES("R\0\0\0\x0c\0\0\0\5SALT"), 0, TALK_SILENCE);
	assert_true(sent(&t, BYTES("p\0\0\0\x28md5e9f4d1231445b6ecbbf009a8cd002fc3\0")));
	served_no(p, BYTES(AUTH("\7")), TALK_CLOSES, HEALTH_CODE_L7STS, 0);
	served_no(p, BYTES("R\0\0\0\x0a\0\0\0\5SA"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

static void pgsql_proves_by_scram_and_wants_proof(void **state)
{
	struct health_probe *p = served_probe(health_probe_pgsql(), &pencil);
	static struct talk t;

	talk(&t, p, BYTES(SCRAM CHALLENGE PROVEN AUTH("\0") READY), 0, TALK_SILENCE);
	assert_true(sent(&t, BYTES("SCRAM-SHA-256\0\0\0\0\x28n,,n=,r=" NONCE)));
	assert_true(sent(&t, BYTES(PROOF)));
	served_pieces(p, BYTES(SCRAM CHALLENGE PROVEN AUTH("\0") READY), TALK_CLOSES, HEALTH_OK,
		      HEALTH_CODE_L7OK, 0);
	/* a server that does not know the password may not skip its proof */
	served_no(p, BYTES(SCRAM CHALLENGE AUTH("\0") READY), TALK_CLOSES, HEALTH_CODE_L7STS, 0);
	served_no(p, BYTES(SCRAM CHALLENGE "R\0\0\0\x0a\0\0\0\x0cv="), TALK_CLOSES,
		  HEALTH_CODE_L7STS, 0);
	served_no(p, BYTES("R\0\0\0\x0d\0\0\0\x0aSCRA\0"), TALK_CLOSES, HEALTH_CODE_L7STS, 0);
	served_no(p, BYTES(CHALLENGE), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p,
		  BYTES(SCRAM "R\0\0\0\x19\0\0\0\x0br="
			      "other,s=AA==,i=1"),
		  TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES(SCRAM "R\0\0\0\x3d\0\0\0\x0br=" NONCE "S,s=AA==,i=999999"), TALK_CLOSES,
		  HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
}

static void options_out_of_range_are_refused(void **state)
{
	static char longest[HEALTH_SQL_WORD_MAX + 2];
	struct health_sql_opts o = {.size = sizeof(o), .password = "p", .crypto = &health_openssl};
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(health_probe_mysql(), &o, &p), -EINVAL); /* no user */
	o.user = "u";
	o.crypto = NULL;
	assert_int_equal(health_probe_new(health_probe_mysql(), &o, &p), -EINVAL);
	o.password = NULL;
	o.user = memset(longest, 'u', HEALTH_SQL_WORD_MAX + 1);
	assert_int_equal(health_probe_new(health_probe_mysql(), &o, &p), -EINVAL);
	assert_int_equal(health_probe_new(health_probe_pgsql(), &o, &p), -EINVAL);
	assert_int_equal(health_probe_new(health_probe_pgsql(), NULL, &p), -EINVAL);
	longest[HEALTH_SQL_WORD_MAX] = '\0';
	o = (struct health_sql_opts){sizeof(o), longest, longest, longest, &health_openssl, 0};
	p = served_probe(health_probe_mysql(), &o);
	served_pieces(p, BYTES(GREETING SWITCH_SHA2 OK_PACKET("\4")), TALK_SILENCE, HEALTH_OK,
		      HEALTH_CODE_L7OK, 0);
	health_probe_free(p);
	p = served_probe(health_probe_pgsql(), &o);
	served_ok(p, BYTES("R\0\0\0\x0c\0\0\0\5SALT" AUTH("\0") READY), 0);
	health_probe_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mysql_greets),
	    cmocka_unit_test(mysql_takes_a_user_without_a_password),
	    cmocka_unit_test(mysql_passwords_are_hashed_as_the_plugin_wants),
	    cmocka_unit_test(pgsql_asks_for_an_authentication),
	    cmocka_unit_test(pgsql_logs_in),
	    cmocka_unit_test(pgsql_proves_by_scram_and_wants_proof),
	    cmocka_unit_test(options_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
