/* SPDX-License-Identifier: MIT */
/*
 * Every probe over real sockets, against one server that does as its script says: the cases that arrays (served.h)
 * cannot show. Certificates are test_tls's, the way to TLS is test_starttls's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "answers.h"
#include "rig.h"

#define FLOOD (256 * 1024)

/* What came of one check of answers[i] by this script, after so much time. */
struct outcome {
	enum health_verdict verdict;
	enum health_code code;
};

static bool is_datagram(size_t i)
{
	static const char *const schemes[] = {
	    "dns:", "ntp:", "radius:", "sip-udp:", "snmp:", "udp:"};
	bool found = false;

	for (size_t j = 0; j < sizeof(schemes) / sizeof(*schemes); j++)
		found |= !strncmp(answers[i].url, schemes[j], strlen(schemes[j]));
	return found;
}

static bool is_stream(size_t i)
{
	return answers[i].len && !is_datagram(i);
}

/* An answer that does not name the very request, as SIP's does. */
static bool is_fixed_stream(size_t i)
{
	return is_stream(i) && strncmp(answers[i].url, "sip", 3) != 0;
}

static void check(struct rig *r, size_t i)
{
	struct health_url u = {.size = sizeof(u)};
	struct health_check_opts o = rig_opts(r);

	assert_int_equal(health_url_parse(answers[i].url, &health_foreign, &u, NULL), 0);
	o.probe = u.probe;
	rig_add(r, &o);
	health_probe_free(u.probe);
	rig_dispatch(r);
}

static struct outcome end(struct rig *r)
{
	struct outcome o = {r->result.verdict, r->result.code};

	assert_int_equal(r->results, 1);
	rig_close(r);
	return o;
}

static struct outcome served(size_t i, const struct peer_script *script, uint64_t pass_ns)
{
	struct rig r;

	rig_open(&r, NULL, script);
	check(&r, i);
	rig_settle(&r, 1);
	if (!r.results)
		rig_pass(&r, pass_ns);
	return end(&r);
}

/* An agent that is away says nothing about the server; all others fail. */
static void fails(size_t i, struct outcome o, enum health_code code)
{
	if (o.code != code)
		print_error("%s: %s, not %s\n", answers[i].url, health_code_name(o.code),
			    health_code_name(code));
	assert_int_equal(o.code, code);
	assert_int_equal(o.verdict, answers[i].is_agent ? HEALTH_NEUTRAL : HEALTH_FAIL);
}

static struct peer_script whole(size_t i)
{
	return (struct peer_script){.reply = answers[i].good, .reply_len = answers[i].len};
}

static void the_answer_byte_by_byte_is_a_success(void **state)
{
	for (size_t i = 0; i < ANSWERS; i++) {
		struct peer_script s;
		struct outcome o;

		if (!is_fixed_stream(i))
			continue;
		s = whole(i);
		s.chunk = 1;
		o = served(i, &s, 0);
		if (o.code != answers[i].code)
			print_error("%s: %s\n", answers[i].url, health_code_name(o.code));
		assert_int_equal(o.code, answers[i].code);
		assert_int_equal(o.verdict, HEALTH_OK);
	}
}

static void a_server_may_close_after_its_answer(void **state)
{
	for (size_t i = 0; i < ANSWERS; i++) {
		struct peer_script s;

		if (!is_fixed_stream(i))
			continue;
		s = whole(i);
		s.end = PEER_CLOSES;
		assert_int_equal(served(i, &s, 0).verdict, HEALTH_OK);
	}
}

static void a_reset_is_a_failure_wherever_it_comes(void **state)
{
	for (size_t i = 0; i < ANSWERS; i++) {
		struct peer_script s;
		struct outcome o;

		if (!is_stream(i))
			continue;
		s = whole(i);
		s.end = PEER_RESETS;
		s.reply_len = 0; /* after the connection: before or behind its first look */
		o = served(i, &s, 0);
		fails(i, o, o.code == HEALTH_CODE_L4CON ? HEALTH_CODE_L4CON : HEALTH_CODE_L7RSP);
		s.reply_len = answers[i].len / 2; /* amid the answer */
		fails(i, served(i, &s, 0), HEALTH_CODE_L7RSP);
	}
}

static void silence_is_a_failure_wherever_it_begins(void **state)
{
	for (size_t i = 0; i < ANSWERS; i++) {
		struct peer_script s;

		if (!is_stream(i))
			continue;
		s = whole(i);
		s.reply_len = 0;
		fails(i, served(i, &s, 3 * S), HEALTH_CODE_L7TOUT);
		s.reply_len = answers[i].len / 2;
		fails(i, served(i, &s, 3 * S), HEALTH_CODE_L7TOUT);
	}
}

/* Each byte comes in time for itself, the whole does not: the check's timeout is for all of it. */
static void a_slow_drip_does_not_hold_a_check(void **state)
{
	for (size_t i = 0; i < ANSWERS; i++) {
		struct peer_script s;
		struct rig r;

		if (!is_stream(i) || answers[i].len < 5)
			continue;
		s = whole(i);
		s.chunk = 1;
		s.reply_len--;
		rig_open(&r, NULL, &s);
		check(&r, i);
		for (int step = 0; step < 200 && !r.results; step++) {
			peer_step(&r.peer);
			r.now_ns += 500 * MS;
			rig_dispatch(&r);
		}
		fails(i, end(&r), HEALTH_CODE_L7TOUT);
	}
}

static void a_closed_port_and_a_black_hole_are_no_connection(void **state)
{
	for (size_t i = 0; i < ANSWERS; i++) {
		struct peer_script s = {.deaf = true};
		struct rig r;

		if (!is_stream(i))
			continue;
		fails(i, served(i, &s, 3 * S), HEALTH_CODE_L4TOUT);
		s.deaf = false;
		rig_open(&r, NULL, &s);
		close(r.peer.listener);
		r.peer.listener = -1;
		r.has_peer = false;
		check(&r, i);
		rig_settle(&r, 1);
		fails(i, end(&r), HEALTH_CODE_L4CON);
	}
}

static void another_protocol_and_a_flood_are_told_apart(void **state)
{
	static char flood[FLOOD];

	memset(flood, 'A', sizeof(flood));
	for (size_t i = 0; i < ANSWERS; i++) {
		struct peer_script s = {
		    .reply = "who are you?\r\n", .reply_len = 14, .end = PEER_CLOSES};
		struct outcome o;

		if (!is_stream(i))
			continue;
		fails(i, served(i, &s, 0), HEALTH_CODE_L7RSP);
		s = (struct peer_script){
		    .reply = flood, .reply_len = sizeof(flood), .chunk = 16384};
		o = served(i, &s, 0);
		fails(i, o, HEALTH_CODE_L7RSP);
	}
}

/* ---- datagrams ---- */

/* What a datagram probe makes of a server that sends this to whoever asks; NULL: it is not there at all. */
static struct outcome asked(size_t i, const void *reply, size_t len)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_storage from;
	socklen_t size = sizeof(address), from_len = sizeof(from);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct health_url u = {.size = sizeof(u)};
	struct health_check_opts o;
	char request[2048];
	struct rig r;

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	if (!reply)
		close(fd);
	rig_open(&r, NULL, NULL);
	assert_int_equal(health_url_parse(answers[i].url, &health_foreign, &u, NULL), 0);
	o = rig_opts(&r);
	o.destination = (struct sockaddr *)&address;
	o.destination_len = sizeof(address);
	o.probe = u.probe;
	rig_add(&r, &o);
	health_probe_free(u.probe);
	rig_dispatch(&r);
	if (reply) {
		assert_true(recvfrom(fd, request, sizeof(request), 0, (struct sockaddr *)&from,
				     &from_len) > 0);
		sendto(fd, reply, len, 0, (struct sockaddr *)&from, from_len);
	}
	rig_settle(&r, 1);
	if (!r.results)
		rig_pass(&r, 3 * S);
	if (reply)
		close(fd);
	return end(&r);
}

static void a_datagram_probe_fails_as_it_should(void **state)
{
	static char oversize[60000];

	memset(oversize, 'A', sizeof(oversize));
	for (size_t i = 0; i < ANSWERS; i++) {
		struct outcome o;

		if (!is_datagram(i))
			continue;
		fails(i, asked(i, NULL, 0), HEALTH_CODE_L4CON);
		o = asked(i, "", 0); /* an empty one */
		fails(i, o, o.code == HEALTH_CODE_L7RSP ? o.code : HEALTH_CODE_L7TOUT);
		o = asked(i, "who are you?\r\n", 14);
		fails(i, o, o.code == HEALTH_CODE_L7RSP ? o.code : HEALTH_CODE_L7TOUT);
		o = asked(i, answers[i].good, answers[i].len / 2);
		fails(i, o, o.code == HEALTH_CODE_L7RSP ? o.code : HEALTH_CODE_L7TOUT);
		o = asked(i, oversize, sizeof(oversize));
		fails(i, o, o.code == HEALTH_CODE_L7RSP ? o.code : HEALTH_CODE_L7TOUT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_answer_byte_by_byte_is_a_success),
	    cmocka_unit_test(a_server_may_close_after_its_answer),
	    cmocka_unit_test(a_reset_is_a_failure_wherever_it_comes),
	    cmocka_unit_test(silence_is_a_failure_wherever_it_begins),
	    cmocka_unit_test(a_slow_drip_does_not_hold_a_check),
	    cmocka_unit_test(a_closed_port_and_a_black_hole_are_no_connection),
	    cmocka_unit_test(another_protocol_and_a_flood_are_told_apart),
	    cmocka_unit_test(a_datagram_probe_fails_as_it_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
