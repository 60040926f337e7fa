/* SPDX-License-Identifier: MIT */
/* Checks of names, against a name server of the test's own; and what a library without c-ares says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cursor.h"
#include "rig.h"

/*
 * Answers every A question with 127.0.0.1, any other with nothing; or with an rcode; or not at all. Over UDP it may say that the answer
 * is too long: over TCP it answers what it was asked there when it is told to.
 */
struct dns {
	int fd;
	int listener, stream; /* of TCP; -1: none */
	bool silent, truncates;
	uint8_t rcode;
	uint32_t ttl_s;
	unsigned int asked;
	char address[64]; /* for health_engine_opts.name_servers */
};

static void dns_open(struct dns *d)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof(sa);

	*d = (struct dns){.ttl_s = 60, .listener = -1, .stream = -1};
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(d->fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(getsockname(d->fd, (struct sockaddr *)&sa, &len), 0);
	snprintf(d->address, sizeof(d->address), "127.0.0.1:%u", ntohs(sa.sin_port));
}

/* Over TCP by the same port; another one is taken when somebody has it. */
static void dns_listen(struct dns *d)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	for (int tries = 0; tries < 100; tries++) {
		assert_int_equal(getsockname(d->fd, (struct sockaddr *)&sa, &len), 0);
		d->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (!bind(d->listener, (struct sockaddr *)&sa, len) && !listen(d->listener, 1))
			return;
		close(d->listener);
		close(d->fd);
		dns_open(d);
	}
	fail_msg("no port is free in UDP and TCP");
}

static size_t dns_answer(struct dns *d, const uint8_t *question, size_t n, bool truncated, uint8_t *answer, size_t cap)
{
	struct writer w = writer_of(answer, cap);
	size_t end = 12;
	bool has_a;

	while (end < n && question[end])
		end += question[end] + 1u;
	has_a = question[end + 2] == 1 && !d->rcode && !truncated;
	end += 5;
	write_bytes(&w, question, 2);
	write_u8(&w, truncated ? 0x83 : 0x81);
	write_u8(&w, 0x80 | d->rcode);
	write_be16(&w, 1);
	write_be16(&w, has_a);
	write_zero(&w, 4);
	write_bytes(&w, question + 12, end - 12);
	if (has_a) {
		write_be16(&w, 0xc00c);
		write_be16(&w, 1);
		write_be16(&w, 1);
		write_be32(&w, d->ttl_s);
		write_be16(&w, 4);
		write_be32(&w, INADDR_LOOPBACK);
	}
	return writer_len(&w);
}

static void dns_step(struct dns *d)
{
	uint8_t question[512], answer[600];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n =
	    recvfrom(d->fd, question, sizeof(question), 0, (struct sockaddr *)&from, &from_len);

	if (d->listener >= 0 && d->stream < 0)
		d->stream = accept(d->listener, NULL, NULL);
	if (n < 17)
		return;
	d->asked++;
	if (d->silent)
		return;
	sendto(d->fd, answer, dns_answer(d, question, (size_t)n, d->truncates, answer, sizeof(answer)), 0, (struct sockaddr *)&from,
	       from_len);
}

/* The answer to what was asked over TCP (RFC 1035 section 4.2.2: behind its length). */
static void dns_answer_stream(struct dns *d)
{
	uint8_t question[512], answer[600];
	ssize_t n = recv(d->stream, question, sizeof(question), 0);
	size_t len;

	assert_true(n > 2 + 17);
	len = dns_answer(d, question + 2, (size_t)n - 2, false, answer + 2, sizeof(answer) - 2);
	answer[0] = (uint8_t)(len >> 8);
	answer[1] = (uint8_t)len;
	assert_int_equal(send(d->stream, answer, len + 2, MSG_NOSIGNAL), len + 2);
}

static void settle(struct rig *r, struct dns *d, unsigned int results)
{
	struct pollfd p = {.fd = health_engine_fd(r->engine), .events = POLLIN};

	for (int quiet = 0, turns = 0; r->results < results && quiet < 50 && turns < 5000; turns++) {
		dns_step(d);
		if (r->has_peer)
			peer_step(&r->peer);
		quiet = poll(&p, 1, 1) > 0 ? 0 : quiet + 1;
		rig_dispatch(r);
	}
}

static void open_rig(struct rig *r, struct dns *d)
{
	struct health_engine_opts o = {.size = sizeof(o)};

	dns_open(d);
	o.name_servers = d->address;
	rig_open(r, &o, &rig_listens);
}

static struct health_check_opts named(const struct rig *r, const char *host)
{
	struct health_check_opts o = rig_opts(r);

	o.destination = NULL;
	o.destination_len = 0;
	o.host = host;
	o.port = ntohs(r->peer.address.sin_port);
	o.family = AF_INET;
	return o;
}

static void a_name_is_looked_up_once_for_all_its_checks(void **state)
{
	struct health_check_opts o;
	struct dns d;
	struct rig r;

	open_rig(&r, &d);
	o = named(&r, "server.test");
	for (int i = 0; i < 3; i++)
		rig_add(&r, &o);
	settle(&r, &d, 3);
	assert_int_equal(r.results, 3);
	assert_int_equal(r.result.code, HEALTH_CODE_L4OK);
	assert_true(r.result.name_ns > 0);
	assert_int_equal(d.asked, 1);
	r.now_ns += 2 * S; /* all are due again; the answer is good for a minute */
	settle(&r, &d, 6);
	assert_int_equal(r.results, 6);
	assert_int_equal(d.asked, 1);
	r.now_ns += 60 * S;
	settle(&r, &d, 9);
	assert_int_equal(d.asked, 2);
	rig_close(&r);
	close(d.fd);
}

static void an_address_in_text_asks_nobody(void **state)
{
	struct health_check_opts o;
	struct dns d;
	struct rig r;

	open_rig(&r, &d);
	o = named(&r, "127.0.0.1");
	rig_add(&r, &o);
	settle(&r, &d, 1);
	assert_int_equal(r.result.code, HEALTH_CODE_L4OK);
	assert_int_equal(r.result.name_ns, 0);
	assert_int_equal(d.asked, 0);
	rig_close(&r);
	close(d.fd);
}

/* A socket that was waited for until it could be written to is waited for no more: it could be written to for ever. */
static void a_question_over_tcp_is_waited_for_in_peace(void **state)
{
	struct health_engine_opts eo = {.size = sizeof(eo)};
	struct health_check_opts o;
	struct pollfd p = {.events = POLLIN};
	struct dns d;
	struct rig r;

	dns_open(&d);
	dns_listen(&d);
	d.truncates = true;
	eo.name_servers = d.address;
	rig_open(&r, &eo, &rig_listens);
	o = named(&r, "server.test");
	rig_add(&r, &o);
	settle(&r, &d, 1);
	assert_int_equal(r.results, 0);
	assert_true(d.stream >= 0);
	p.fd = health_engine_fd(r.engine);
	assert_int_equal(poll(&p, 1, 0), 0);
	dns_answer_stream(&d);
	settle(&r, &d, 1);
	assert_int_equal(r.results, 1);
	assert_int_equal(r.result.code, HEALTH_CODE_L4OK);
	rig_close(&r);
	close(d.stream);
	close(d.listener);
	close(d.fd);
}

static void no_such_name_is_a_failure_and_no_server_is_none(void **state)
{
	struct health_check_opts o;
	struct dns d;
	struct rig r;

	open_rig(&r, &d);
	d.rcode = 3;
	o = named(&r, "nothing.test");
	rig_add(&r, &o);
	settle(&r, &d, 1);
	assert_int_equal(r.result.verdict, HEALTH_FAIL);
	assert_int_equal(r.result.code, HEALTH_CODE_L4CON);
	assert_int_equal(r.result.phase, HEALTH_PHASE_NAME);
	assert_string_equal(r.text, "no such name");
	rig_close(&r);
	close(d.fd);

	open_rig(&r, &d);
	d.silent = true;
	o = named(&r, "server.test");
	o.name_timeout_ns = S;
	rig_add(&r, &o);
	settle(&r, &d, 1);
	assert_int_equal(r.results, 0); /* and nothing blocked */
	r.now_ns += S;
	rig_dispatch(&r);
	assert_int_equal(r.results, 1);
	assert_int_equal(r.result.verdict, HEALTH_NEUTRAL);
	assert_int_equal(r.result.code, HEALTH_CODE_SOCKERR);
	assert_int_equal(r.result.error, ETIMEDOUT);
	rig_close(&r);
	close(d.fd);
}

static void the_last_address_goes_on_when_the_name_server_fails(void **state)
{
	struct health_check_opts o;
	struct dns d;
	struct rig r;

	open_rig(&r, &d);
	o = named(&r, "server.test");
	rig_add(&r, &o);
	settle(&r, &d, 1);
	assert_int_equal(r.result.code, HEALTH_CODE_L4OK);
	d.rcode = 2; /* SERVFAIL */
	r.now_ns += 100 * S;
	settle(&r, &d, 2);
	assert_int_equal(r.results, 2);
	assert_int_equal(r.result.code, HEALTH_CODE_L4OK);
	assert_true(d.asked > 1);
	rig_close(&r);
	close(d.fd);
}

static void a_check_removed_while_its_name_is_looked_up_leaves_nothing(void **state)
{
	struct health_check_opts o;
	struct health_check *c;
	struct dns d;
	struct rig r;

	for (int answered = 0; answered < 2; answered++) {
		open_rig(&r, &d);
		o = named(&r, "server.test");
		c = rig_add(&r, &o);
		rig_dispatch(&r);
		assert_int_equal(rig_stats(&r).in_flight, 1);
		health_check_remove(c);
		if (answered)
			settle(&r, &d, 1);
		assert_int_equal(r.results, 0);
		rig_close(&r);
		close(d.fd);
	}
}

static void names_are_checked(void **state)
{
	char long_name[HEALTH_NAME_MAX + 2];
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	rig_open(&r, NULL, NULL);
	o = named(&r, "server.test");
	o.port = 0;
	assert_int_equal(health_check_add(r.engine, &o, NULL, &c), -EINVAL);
	o = named(&r, long_name);
	o.port = 80;
	assert_int_equal(health_check_add(r.engine, &o, NULL, &c), -EINVAL);
	o = named(&r, "server.test");
	o.port = 80;
	o.family = AF_UNIX;
	assert_int_equal(health_check_add(r.engine, &o, NULL, &c), -EINVAL);
	o.family = 0;
	if (!health_has_names())
		assert_int_equal(health_check_add(r.engine, &o, NULL, &c), -EOPNOTSUPP);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest with[] = {
	    cmocka_unit_test(a_name_is_looked_up_once_for_all_its_checks),
	    cmocka_unit_test(an_address_in_text_asks_nobody),
	    cmocka_unit_test(a_question_over_tcp_is_waited_for_in_peace),
	    cmocka_unit_test(no_such_name_is_a_failure_and_no_server_is_none),
	    cmocka_unit_test(the_last_address_goes_on_when_the_name_server_fails),
	    cmocka_unit_test(a_check_removed_while_its_name_is_looked_up_leaves_nothing),
	    cmocka_unit_test(names_are_checked),
	};
	const struct CMUnitTest without[] = {
	    cmocka_unit_test(an_address_in_text_asks_nobody),
	    cmocka_unit_test(names_are_checked),
	};

	return health_has_names() ? cmocka_run_group_tests(with, NULL, NULL)
				  : cmocka_run_group_tests(without, NULL, NULL);
}
