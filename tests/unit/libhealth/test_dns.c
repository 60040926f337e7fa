/* SPDX-License-Identifier: MIT */
/* The DNS probe against datagrams from arrays; then over a real socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <libhealth/probe_dns.h>

#include "rig.h"
#include "tests/support/talk.h"

static struct health_probe *probe(const struct health_dns_opts *o)
{
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(health_probe_dns(), o, &p), 0);
	return p;
}

/* The id that a run at talk's time sends, which is always the same. */
static void ask(struct health_probe *p, uint8_t ret_id[2])
{
	static struct talk t;

	talk(&t, p, "", 0, 0, TALK_SILENCE);
	memcpy(ret_id, t.sent, 2);
}

/* One datagram of `len` bytes after the query. */
static void answer(struct talk *t, const void *datagram, size_t len)
{
	struct health_probe *p = probe(NULL);

	talk(t, p, datagram, len, 0, TALK_SILENCE);
	health_probe_free(p);
}

static void the_question_is_what_was_asked_for(void **state)
{
	static const uint8_t root[] = {1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1};
	static const uint8_t www[] = {1,   0,	0,   1, 0,   0,	  0, 0, 0,  0, 3,
				      'w', 'w', 'w', 2, 'e', 'x', 0, 0, 28, 0, 1};
	const struct health_dns_opts o = {.size = sizeof(o), .name = "www.ex.", .type = 28};
	struct health_probe *p = probe(NULL);
	static struct talk t;

	talk(&t, p, "", 0, 0, TALK_SILENCE);
	assert_int_equal(t.sent_len, 2 + sizeof(root));
	assert_memory_equal(t.sent + 2, root, sizeof(root));
	assert_int_equal(t.io.code, HEALTH_CODE_L7TOUT);
	health_probe_free(p);
	p = probe(&o);
	talk(&t, p, "", 0, 0, TALK_SILENCE);
	assert_int_equal(t.sent_len, 2 + sizeof(www));
	assert_memory_equal(t.sent + 2, www, sizeof(www));
	health_probe_free(p);
}

static void an_answer_of_any_length_from_a_header_on_is_a_success(void **state)
{
	uint8_t datagram[40] = {0, 0, 0x81, 0x80};
	struct health_probe *p = probe(NULL);
	static struct talk t;

	ask(p, datagram);
	health_probe_free(p);
	for (size_t len = 0; len <= sizeof(datagram); len++) {
		answer(&t, datagram, len);
		assert_int_equal(t.io.code, len < 12 ? HEALTH_CODE_L7TOUT : HEALTH_CODE_L7OK);
		assert_int_equal(t.io.verdict, len < 12 ? HEALTH_FAIL : HEALTH_OK);
	}
	datagram[2] |= 2; /* truncated: the server lives */
	answer(&t, datagram, 12);
	assert_int_equal(t.io.code, HEALTH_CODE_L7OK);
}

static void an_error_of_the_server_is_a_failure(void **state)
{
	uint8_t datagram[12] = {0, 0, 0x81, 0};
	struct health_probe *p = probe(NULL);
	static struct talk t;

	ask(p, datagram);
	health_probe_free(p);
	for (uint8_t rcode = 1; rcode < 16; rcode++) {
		datagram[3] = (uint8_t)(0x80 | rcode);
		answer(&t, datagram, sizeof(datagram));
		assert_int_equal(t.io.verdict, HEALTH_FAIL);
		assert_int_equal(t.io.code, HEALTH_CODE_L7STS);
		assert_int_equal(t.io.status, rcode);
		if (rcode == 2)
			assert_string_equal(t.io.text, "SERVFAIL");
	}
}

static void a_stranger_is_passed_over_and_the_answer_still_counts(void **state)
{
	uint8_t good[12] = {0, 0, 0x80, 0}, other_id[12], query[12];
	struct health_probe *p = probe(NULL);
	_Alignas(max_align_t) char room[HEALTH_PROBE_STATE_MAX];
	struct health_probe_io io;
	struct dialogue d;
	static struct talk t;

	ask(p, good);
	memcpy(other_id, good, sizeof(good));
	other_id[1] ^= 1;
	memcpy(query, good, sizeof(good));
	query[2] = 0;
	answer(&t, other_id, sizeof(other_id));
	assert_int_equal(t.io.code, HEALTH_CODE_L7TOUT);
	assert_string_equal(t.io.text, "datagrams came, none of them the answer");
	dialogue_init(&d, p, room);
	assert_int_equal(dialogue_open(&d, 1, &io), HEALTH_STEP_MORE);
	assert_int_equal(dialogue_received(&d, other_id, 12, 1, &io), HEALTH_STEP_MORE);
	assert_int_equal(dialogue_received(&d, query, 12, 1, &io), HEALTH_STEP_MORE);
	assert_int_equal(dialogue_received(&d, good, 11, 1, &io), HEALTH_STEP_MORE);
	assert_int_equal(dialogue_received(&d, good, 12, 1, &io), HEALTH_STEP_DONE);
	assert_int_equal(io.verdict, HEALTH_OK);
	dialogue_fini(&d);
	health_probe_free(p);
}

static void names_are_checked(void **state)
{
	char longest[256] = "", label[65];
	struct health_dns_opts o = {.size = sizeof(o)};
	static const char *const bad[] = {"", "..", ".a", "a..b", "a.b..", "a\\.b"};
	struct health_probe *p = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		o.name = bad[i];
		assert_int_equal(health_probe_new(health_probe_dns(), &o, &p), -EINVAL);
	}
	memset(label, 'a', sizeof(label));
	label[64] = '\0';
	o.name = label;
	assert_int_equal(health_probe_new(health_probe_dns(), &o, &p), -EINVAL);
	label[63] = '\0';
	health_probe_free(probe(&o));
	for (int i = 0; i < 126; i++) /* 127 labels of one letter: 255 bytes on the wire */
		strcat(longest, "a.");
	o.name = strcat(longest, "a");
	health_probe_free(probe(&o));
	strcat(longest, "b");
	assert_int_equal(health_probe_new(health_probe_dns(), &o, &p), -EINVAL);
	o.name = NULL;
	o.type = 65536;
	assert_int_equal(health_probe_new(health_probe_dns(), &o, &p), -EINVAL);
	assert_null(p);
}

/* A server of one datagram: the query's id, QR and this rcode; -1: silence. */
static void ask_socket(int rcode, bool closed, enum health_code code)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct health_check_opts check;
	struct rig r;

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	if (closed)
		close(fd);
	rig_open(&r, NULL, NULL);
	check = rig_opts(&r);
	check.destination = (struct sockaddr *)&address;
	check.destination_len = len;
	check.probe = probe(NULL);
	rig_add(&r, &check);
	health_probe_free(check.probe);
	rig_dispatch(&r);
	if (rcode >= 0) {
		uint8_t message[64];
		ssize_t n =
		    recvfrom(fd, message, sizeof(message), 0, (struct sockaddr *)&address, &len);

		assert_int_equal(n, 17);
		message[2] |= 0x80;
		message[3] = (uint8_t)rcode;
		assert_int_equal(
		    sendto(fd, message, (size_t)n, 0, (struct sockaddr *)&address, len), n);
	}
	rig_settle(&r, 1);
	if (!r.results)
		rig_pass(&r, 11 * S);
	assert_true(r.results >= 1);
	assert_int_equal(r.result.code, code);
	rig_close(&r);
	if (!closed)
		close(fd);
}

static void a_real_socket_ends_as_the_array_did(void **state)
{
	ask_socket(0, false, HEALTH_CODE_L7OK);
	ask_socket(5, false, HEALTH_CODE_L7STS);
	ask_socket(-1, false, HEALTH_CODE_L7TOUT);
	ask_socket(-1, true, HEALTH_CODE_L4CON);
}

/* A question for www.ex, then two records: a CNAME, and one of `type` whose name points to the question's. */
static size_t write_answer(uint8_t *to, struct health_probe *p, uint8_t type, const void *data,
			   uint8_t len)
{
	static const uint8_t head[] = {0, 0,   0x81, 0x80, 0, 1,   0,	2, 0, 0,  0, 0,
				       3, 'w', 'w',  'w',  2, 'e', 'x', 0, 0, 28, 0, 1};
	static const uint8_t alias[] = {0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, 'A', 0xc0, 16};
	const uint8_t record[] = {0xc0, 12, 0, type, 0, 1, 0, 0, 0, 9, 0, len};

	memcpy(to, head, sizeof(head));
	ask(p, to);
	memcpy(to + sizeof(head), alias, sizeof(alias));
	memcpy(to + sizeof(head) + sizeof(alias), record, sizeof(record));
	memcpy(to + sizeof(head) + sizeof(alias) + sizeof(record), data, len);
	return sizeof(head) + sizeof(alias) + sizeof(record) + len;
}

/* An answer with that record is a success if it is wanted, and no success cut at any place. */
static void record(uint8_t type, const char *wanted, const void *data, uint8_t len,
		   enum health_code code)
{
	const struct health_dns_opts o = {.size = sizeof(o),
					  .name = "www.ex",
					  .type = type,
					  .answer = wanted,
					  .flags = HEALTH_DNS_HAS_ANSWER};
	struct health_probe *p = probe(&o);
	static struct talk t;
	uint8_t datagram[512];
	size_t whole = write_answer(datagram, p, type, data, len);

	talk(&t, p, datagram, whole, 0, TALK_SILENCE);
	assert_int_equal(t.io.code, code);
	for (size_t at = 0; at < whole; at++) {
		talk(&t, p, datagram, at, 0, TALK_SILENCE);
		assert_int_equal(t.io.verdict, HEALTH_FAIL);
	}
	health_probe_free(p);
}

static void an_expected_record_must_be_there(void **state)
{
	record(28, NULL, "0123456789abcdef", 16, HEALTH_CODE_L7OK);
	record(28, "3031:3233:3435:3637:3839:6162:6364:6566", "0123456789abcdef", 16,
	       HEALTH_CODE_L7OK);
	record(28, "::1", "0123456789abcdef", 16, HEALTH_CODE_L7RSP);
	record(1, "192.0.2.1", "\xc0\0\2\1", 4, HEALTH_CODE_L7OK);
	record(1, "192.0.2.2", "\xc0\0\2\1", 4, HEALTH_CODE_L7RSP);
	record(1, "192.0.2.1", "\xc0\0\2\1\0", 5, HEALTH_CODE_L7RSP);
	record(12, "Mail.EX.", "\4mail\xc0\x10", 7, HEALTH_CODE_L7OK);
	record(12, ".", "", 1, HEALTH_CODE_L7OK);
	record(15, "mail.ex", "\0\x0a\4MAIL\xc0\x10", 9, HEALTH_CODE_L7OK);
	record(15, "mail.ey", "\0\x0a\4MAIL\xc0\x10", 9, HEALTH_CODE_L7RSP);
	record(33, "www.ex", "\0\1\0\1\0\x50\xc0\x0c", 8, HEALTH_CODE_L7OK);
	record(16, "v=spf1", "\3v=s\3pf1", 8, HEALTH_CODE_L7OK);
	record(16, "v=spf2", "\3v=s\3pf1", 8, HEALTH_CODE_L7RSP);
}

static void a_name_that_points_to_itself_ends(void **state)
{
	record(12, "x", "\xc0\x34", 2, HEALTH_CODE_L7RSP);
	record(12, "x", "\1x\xc0\x34", 4, HEALTH_CODE_L7RSP);
	record(12, "x", "\xff\xff", 2, HEALTH_CODE_L7RSP);
	record(12, "x", "\x80", 1, HEALTH_CODE_L7RSP);
}

static void every_rcode_is_a_sign_of_life_if_told_so(void **state)
{
	struct health_dns_opts o = {.size = sizeof(o), .flags = HEALTH_DNS_ANY_RCODE};
	struct health_probe *p = probe(&o), *none = NULL;
	uint8_t datagram[12] = {0, 0, 0x81, 0x83};
	static struct talk t;

	ask(p, datagram);
	talk(&t, p, datagram, sizeof(datagram), 0, TALK_SILENCE);
	assert_int_equal(t.io.code, HEALTH_CODE_L7OK);
	assert_int_equal(t.io.status, 3);
	health_probe_free(p);
	o.answer = "x";
	assert_int_equal(health_probe_new(health_probe_dns(), &o, &none), -EINVAL);
	o.flags = 4;
	assert_int_equal(health_probe_new(health_probe_dns(), &o, &none), -EINVAL);
	o.flags = 0; /* a SOA cannot be compared */
	assert_int_equal(health_probe_new(health_probe_dns(), &o, &none), -EINVAL);
	o.type = 1; /* no address */
	assert_int_equal(health_probe_new(health_probe_dns(), &o, &none), -EINVAL);
}

static void types_have_names(void **state)
{
	assert_int_equal(health_dns_type("a"), 1);
	assert_int_equal(health_dns_type("AAAA"), 28);
	assert_int_equal(health_dns_type("TYPE65"), 65);
	assert_int_equal(health_dns_type("TYPE65536"), 0);
	assert_int_equal(health_dns_type("TYPE6x"), 0);
	assert_int_equal(health_dns_type("B"), 0);
	assert_int_equal(health_dns_type(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_question_is_what_was_asked_for),
	    cmocka_unit_test(an_answer_of_any_length_from_a_header_on_is_a_success),
	    cmocka_unit_test(an_error_of_the_server_is_a_failure),
	    cmocka_unit_test(a_stranger_is_passed_over_and_the_answer_still_counts),
	    cmocka_unit_test(an_expected_record_must_be_there),
	    cmocka_unit_test(a_name_that_points_to_itself_ends),
	    cmocka_unit_test(every_rcode_is_a_sign_of_life_if_told_so),
	    cmocka_unit_test(types_have_names),
	    cmocka_unit_test(names_are_checked),
	    cmocka_unit_test(a_real_socket_ends_as_the_array_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
