/* SPDX-License-Identifier: MIT */
/* The NTP, SNMP, RADIUS and SIP probes against answers from arrays; the hashes were computed elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libhealth/probe_services.h>

#include "examples/adapters/health_foreign.h"
#include "served.h"

/* One datagram; `code` L7TOUT: it was passed over. */
static struct talk answered(struct health_probe *p, const void *datagram, size_t len,
			    enum health_code code, uint32_t status)
{
	static struct talk t;

	talk(&t, p, datagram, len, 0, TALK_SILENCE);
	served_is(&t, "datagram of", len, code == HEALTH_CODE_L7OK ? HEALTH_OK : HEALTH_FAIL, code,
		  status);
	return t;
}

#define NTP(first, stratum, reference, cookie)                                                   \
	first stratum "\6\xe8\0\0\0\0\0\0\0\0" reference "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" cookie \
		      "1234567812345678"

static void a_clock_must_be_synchronized_and_near(void **state)
{
	struct health_ntp_opts o = {.size = sizeof(o), .stratum_max = 3};
	struct health_probe *p = served_probe(health_probe_ntp(), &o);
	struct talk t;

	answered(p, BYTES(NTP("\x24", "\3", "\x7f\x7f\1\1", "\1")), HEALTH_CODE_L7OK, 3);
	answered(p, BYTES(NTP("\x24", "\4", "\x7f\x7f\1\1", "\1")), HEALTH_CODE_L7STS, 4);
	answered(p, BYTES(NTP("\x24", "\x10", "\x7f\x7f\1\1", "\1")), HEALTH_CODE_L7STS, 16);
	answered(p, BYTES(NTP("\xe4", "\2", "INIT", "\1")), HEALTH_CODE_L7STS, 2);
	t = answered(p, BYTES(NTP("\x24", "\0", "RATE", "\1")), HEALTH_CODE_L7STS, 0);
	assert_string_equal(t.io.text, "kiss code RATE");
	answered(p, BYTES(NTP("\x24", "\3", "\x7f\x7f\1\1", "\2")), HEALTH_CODE_L7TOUT, 0);
	answered(p, BYTES(NTP("\x23", "\3", "\x7f\x7f\1\1", "\1")), HEALTH_CODE_L7TOUT, 0);
	assert_int_equal(t.sent_len, 48);
	assert_memory_equal(t.sent + 40, "\0\0\0\0\0\0\0\1", 8);
	health_probe_free(p);
	o.stratum_max = 16;
	assert_int_equal(health_probe_new(health_probe_ntp(), &o, &p), -EINVAL);
}

/* A Response with this value to the request of talk's time. */
#define SNMP(version, status, value)                                         \
	"\x30\x2a\2\1" version "\4\6public\xa2\x1d\2\4\x40\0\0\1\2\1" status \
	"\2\1\0\x30\x0f\x30\x0d\6\x08\x2b\6\1\2\1\1\3\0" value

static void a_variable_has_a_value(void **state)
{
	struct health_snmp_opts o = {.size = sizeof(o)};
	struct health_probe *p = served_probe(health_probe_snmp(), NULL);
	struct talk t;

	t = answered(p, BYTES(SNMP("\1", "\0", "\x43\1\x07")), HEALTH_CODE_L7OK, 0);
	assert_string_equal(t.io.text, "7");
	assert_memory_equal(t.sent + 4, "\2\1\1\4\6public\xa0\x82", 13);
	t = answered(p, BYTES(SNMP("\1", "\0", "\2\1\xff")), HEALTH_CODE_L7OK, 0);
	assert_string_equal(t.io.text, "-1");
	t = answered(p, BYTES(SNMP("\1", "\0", "\x41\1\xff")), HEALTH_CODE_L7OK, 0);
	assert_string_equal(t.io.text, "255");
	t = answered(p, BYTES(SNMP("\1", "\0", "\4\1x")), HEALTH_CODE_L7OK, 0);
	assert_string_equal(t.io.text, "x");
	answered(p, BYTES(SNMP("\1", "\5", "\5\0") "\0"), HEALTH_CODE_L7STS, 5);
	answered(p, BYTES(SNMP("\1", "\0", "\x81\1x")), HEALTH_CODE_L7STS, 0);
	answered(p, BYTES(SNMP("\0", "\0", "\4\1x")), HEALTH_CODE_L7TOUT, 0);
	answered(p, BYTES(SNMP("\1", "\0", "\4\2x")), HEALTH_CODE_L7RSP, 0);
	health_probe_free(p);
	o.value = "x";
	o.v1 = 1;
	p = served_probe(health_probe_snmp(), &o);
	answered(p, BYTES(SNMP("\0", "\0", "\4\1x")), HEALTH_CODE_L7OK, 0);
	answered(p, BYTES(SNMP("\0", "\0", "\4\1y")), HEALTH_CODE_L7RSP, 0);
	answered(p, BYTES(SNMP("\0", "\2", "\5\0") "\0"), HEALTH_CODE_L7STS, 2);
	health_probe_free(p);
}

static void object_names_are_checked(void **state)
{
	static const char *const bad[] = {"",	  "1",	   "1.",   "3.1",
					  "1.40", "1.3.x", "1..3", "1.3.4294967296"};
	struct health_snmp_opts o = {.size = sizeof(o)};
	struct health_probe *p = NULL;
	static struct talk t;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		o.oid = bad[i];
		assert_int_equal(health_probe_new(health_probe_snmp(), &o, &p), -EINVAL);
	}
	o.oid = ".2.999.128.4294967295"; /* X.690 §8.19.5 has 2.999 */
	p = served_probe(health_probe_snmp(), &o);
	talk(&t, p, "", 0, 0, TALK_SILENCE);
	assert_non_null(
	    memmem(t.sent, t.sent_len, BYTES("\6\x09\x88\x37\x81\0\x8f\xff\xff\xff\x7f\5\0")));
	health_probe_free(p);
}

/* Answers to the request of talk's time, with the secret "testing123". */
#define ACCEPT                                                                                     \
	"\x02\x01\x00\x2d\x54\x69\x9f\xe7\x5a\x08\x50\xc4\x97\x72\x64\x78\x43\x48\x1b\xd4\x50\x12" \
	"\x37\x21\x6c\x41\x1c\xc2\xaf\x89\xd5\x07\xf4\xf4\x24\xfa\x48\x3b\x12\x07\x68\x65\x6c\x6c" \
	"\x6f"
#define ACCEPT_PLAIN \
	"\x02\x01\x00\x14\xc9\x1b\x62\x91\x63\x84\x09\xde\x32\xb2\x1c\x79\xaf\x29\x7e\x7f"
#define REJECT                                                                                     \
	"\x03\x01\x00\x2c\xf7\x7b\x47\xac\xb8\x6e\x53\xba\xc0\x92\xa0\x7f\xb9\xd5\x78\xe6\x50\x12" \
	"\x60\xb1\xd7\xcd\x5e\x65\x89\x8c\x05\xf9\x58\xdf\xad\x90\x07\xa3\x12\x06\x6e\x6f\x21\x21"
#define CHALLENGE                                                                                  \
	"\x0b\x01\x00\x26\x0c\x56\x6a\xbe\x5d\x88\x08\x2d\xe9\xa2\x3d\xa9\x93\xf3\xd9\x10\x50\x12" \
	"\x78\x9d\x8c\x39\x18\xfa\x10\x5c\xfd\x1e\x0e\x10\x5f\x05\xa7\x97"
#define ACCOUNTING                                                                                 \
	"\x05\x01\x00\x26\x4b\xf9\x7c\xfd\x2b\x61\x33\xc7\xb3\x65\xc1\x8b\x49\xb9\xd6\xf6\x50\x12" \
	"\x48\xe5\x79\x20\xcb\x6c\xe3\x81\x31\x2a\x1d\x1a\x7d\x8a\x86\x55"
#define BAD_PROOF                                                                                  \
	"\x02\x01\x00\x26\x39\x97\x72\xe9\xee\xad\x2d\xc2\xc2\x99\xb3\x4e\xae\x18\xd4\x46\x50\x12" \
	"\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78\x78"
#define HIDDEN                                                                                     \
	"\x02\x22\xd4\x3d\xed\x07\xa8\xfe\x7d\xd1\x5b\x9f\xdc\x29\x95\x12\xfc\xda\x5a\x08\x63\x8d" \
	"\x1a\xae\x82\xe3\x58\x00\xc2\xd9\x82\x44\x81\xd2"

static void an_answer_must_be_authentic(void **state)
{
	struct health_radius_opts o = {.size = sizeof(o),
				       .secret = "testing123",
				       .user = "u",
				       .password = "ppppppppppppppppp",
				       .crypto = health_foreign.crypto};
	struct health_probe *p;
	struct talk t;

	if (!o.crypto)
		skip();
	p = served_probe(health_probe_radius(), &o);
	t = answered(p, BYTES(ACCEPT), HEALTH_CODE_L7OK, 2);
	assert_string_equal(t.io.text, "hello");
	assert_non_null(memmem(t.sent, t.sent_len, BYTES(HIDDEN)));
	assert_memory_equal(t.sent + 20, "\x50\x12", 2);
	assert_int_equal((uint8_t)t.sent[3], t.sent_len);
	answered(p, BYTES(ACCEPT_PLAIN), HEALTH_CODE_L7OK, 2);
	t = answered(p, BYTES(REJECT), HEALTH_CODE_L7STS, 3);
	assert_string_equal(t.io.text, "no!!");
	answered(p, BYTES(CHALLENGE), HEALTH_CODE_L7STS, 11);
	answered(p, BYTES(ACCOUNTING), HEALTH_CODE_L7STS, 5);
	t = answered(p, BYTES(BAD_PROOF), HEALTH_CODE_L7TOUT, 0);
	assert_non_null(strstr(t.io.text, "secret"));
	health_probe_free(p);
	o.flags = HEALTH_RADIUS_REJECT_OK;
	o.user = o.password = NULL;
	p = served_probe(health_probe_radius(), &o);
	t = answered(p, BYTES(ACCOUNTING), HEALTH_CODE_L7OK, 5);
	assert_int_equal(t.sent[0], 12); /* Status-Server */
	answered(p, BYTES(REJECT), HEALTH_CODE_L7OK, 3);
	health_probe_free(p);
	o.secret = "other";
	p = served_probe(health_probe_radius(), &o);
	answered(p, BYTES(REJECT), HEALTH_CODE_L7TOUT, 0);
	health_probe_free(p);
	o.secret = NULL;
	assert_int_equal(health_probe_new(health_probe_radius(), &o, &p), -EINVAL);
	o.secret = "s";
	o.crypto = NULL;
	assert_int_equal(health_probe_new(health_probe_radius(), &o, &p), -EINVAL);
	assert_int_equal(health_probe_new(health_probe_radius(), NULL, &p), -EINVAL);
}

#define OURS "Call-ID: 0000000000000001\r\n\r\n"

static void sip_waits_for_the_final_answer(void **state)
{
	const struct health_sip_opts o = {
	    .size = sizeof(o), .uri = "sip:x@h", .flags = HEALTH_SIP_ANY_STATUS};
	struct health_probe *p = served_probe(health_probe_sip(), NULL);
	static struct talk t;

	served_ok(p,
		  BYTES("\r\nSIP/2.0 100 Trying\r\n\r\nSIP/2.0 302 Moved\r\ncall-id :1\r\n" OURS),
		  302);
	served_no(p, BYTES("SIP/2.0 503 Busy\r\n" OURS), TALK_CLOSES, HEALTH_CODE_L7STS, 503);
	served_no(p, BYTES("SIP/2.0 200 OK\r\nCall-ID: 2\r\n\r\n"), TALK_CLOSES, HEALTH_CODE_L7RSP,
		  0);
	served_no(p, BYTES("HTTP/1.1 200 OK\r\n"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	served_no(p, BYTES("SIP/2.0 20 OK\r\n"), TALK_CLOSES, HEALTH_CODE_L7RSP, 0);
	talk(&t, p, "", 0, 0, TALK_SILENCE);
	assert_ptr_equal(strstr(t.sent, "OPTIONS sip:localhost SIP/2.0\r\nVia: SIP/2.0/TCP "),
			 t.sent);
	health_probe_free(p);
	p = served_probe(health_probe_sip_udp(), &o);
	answered(p, BYTES("SIP/2.0 404 None\r\n" OURS), HEALTH_CODE_L7OK, 404);
	answered(p, BYTES("SIP/2.0 200 OK\r\ni:2\r\n\r\n"), HEALTH_CODE_L7TOUT, 0);
	answered(p, BYTES("SIP/2.0 200 OK\r\nCall-ID: 0000000000000001\r\n"), HEALTH_CODE_L7TOUT,
		 0);
	talk(&t, p, "", 0, 0, TALK_SILENCE);
	assert_ptr_equal(strstr(t.sent, "OPTIONS sip:x@h SIP/2.0\r\nVia: SIP/2.0/UDP "), t.sent);
	health_probe_free(p);
}

static void sip_options_out_of_range_are_refused(void **state)
{
	static const char *const bad[] = {"", "h", "tel:1", "sip:a b", "sip:<a>", "sip:a\r\nX: y"};
	struct health_probe *p = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct health_sip_opts o = {.size = sizeof(o), .uri = bad[i]};

		assert_int_equal(health_probe_new(health_probe_sip(), &o, &p), -EINVAL);
		o.uri = NULL;
		o.from = bad[i];
		assert_int_equal(health_probe_new(health_probe_sip_udp(), &o, &p), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_clock_must_be_synchronized_and_near),
	    cmocka_unit_test(a_variable_has_a_value),
	    cmocka_unit_test(object_names_are_checked),
	    cmocka_unit_test(an_answer_must_be_authentic),
	    cmocka_unit_test(sip_waits_for_the_final_answer),
	    cmocka_unit_test(sip_options_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
