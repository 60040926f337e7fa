/* SPDX-License-Identifier: MIT */
/* Real sockets against a scripted server: how each run ends, and who is blamed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "ping.h"
#include "rig.h"

static void assert_result(const struct rig *r, enum health_verdict verdict, enum health_code code,
			  enum health_phase phase)
{
	if (r->result.code != code)
		print_error("%s %s (%s)\n", health_code_name(r->result.code), r->text,
			    health_phase_name(r->result.phase));
	assert_int_equal(r->result.verdict, verdict);
	assert_int_equal(r->result.code, code);
	assert_int_equal(r->result.phase, phase);
}

/* One check of the peer with the ping probe, to its end. */
static void ping_once(struct rig *r, const struct peer_script *script)
{
	struct health_check_opts o;

	rig_open(r, NULL, script);
	o = rig_opts(r);
	assert_int_equal(health_probe_new(&ping_ops, NULL, &o.probe), 0);
	rig_add(r, &o);
	health_probe_free(o.probe); /* the check keeps it */
	rig_settle(r, 1);
}

static void a_listener_is_ok(void **state)
{
	struct rig r;
	struct health_check_opts o;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	rig_add(&r, &o);
	rig_dispatch(&r); /* starts */
	r.now_ns += 3 * MS;
	rig_settle(&r, 1);
	assert_int_equal(r.results, 1);
	assert_result(&r, HEALTH_OK, HEALTH_CODE_L4OK, HEALTH_PHASE_CONNECT);
	assert_int_equal(r.result.error, 0);
	assert_int_equal(r.result.start_ns, RIG_T0);
	assert_int_equal(r.result.total_ns, 3 * MS);
	assert_int_equal(r.result.connect_ns, 3 * MS);
	assert_string_equal(r.text, "");
	assert_int_equal(r.transitions, 0);
	rig_close(&r);
}

static void a_listener_over_ipv6_and_unix_is_ok(void **state)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr *address[] = {(struct sockaddr *)&in6, (struct sockaddr *)&un};
	socklen_t len[] = {sizeof(in6), 0};

	len[1] = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			     (size_t)snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "health-%d",
					      (int)getpid()));
	for (size_t i = 0; i < 2; i++) {
		int fd = socket(address[i]->sa_family, SOCK_STREAM, 0);
		struct rig r;
		struct health_check_opts o;

		assert_true(fd >= 0);
		if (bind(fd, address[i], len[i]) < 0 && errno == EADDRNOTAVAIL) {
			print_message("[ NOTE ] no ::1 here\n");
			close(fd);
			continue;
		}
		assert_int_equal(listen(fd, 8), 0);
		if (i == 0)
			assert_int_equal(getsockname(fd, address[i], &len[i]), 0);
		rig_open(&r, NULL, NULL);
		o = rig_opts(&r);
		o.destination = address[i];
		o.destination_len = len[i];
		rig_add(&r, &o);
		rig_settle(&r, 1);
		assert_result(&r, HEALTH_OK, HEALTH_CODE_L4OK, HEALTH_PHASE_CONNECT);
		rig_close(&r);
		close(fd);
	}
}

static void a_closed_port_is_refused(void **state)
{
	struct rig r;
	struct health_check_opts o;

	for (int flagged = 0; flagged < 2; flagged++) {
		rig_open(&r, NULL, &rig_listens);
		close(r.peer.listener);
		r.has_peer = false;
		o = rig_opts(&r);
		o.flags |= flagged ? HEALTH_CHECK_REFUSED_NOW : 0;
		rig_add(&r, &o);
		rig_settle(&r, 1);
		assert_result(&r, flagged ? HEALTH_FAIL_NOW : HEALTH_FAIL, HEALTH_CODE_L4CON,
			      HEALTH_PHASE_CONNECT);
		assert_int_equal(r.result.error, ECONNREFUSED);
		assert_string_equal(r.text, "Connection refused");
		assert_int_equal(r.transitions, 1); /* up by default, unproven: one failure */
		rig_close(&r);
	}
}

static void accepting_and_closing_is_a_connection(void **state)
{
	const struct peer_script closes = {.end = PEER_CLOSES}, resets = {.end = PEER_RESETS};
	const struct peer_script *script[] = {&closes, &resets};

	for (size_t i = 0; i < 2; i++) {
		struct rig r;
		struct health_check_opts o;

		rig_open(&r, NULL, script[i]);
		o = rig_opts(&r);
		rig_add(&r, &o);
		rig_settle(&r, 1);
		assert_result(&r, HEALTH_OK, HEALTH_CODE_L4OK, HEALTH_PHASE_CONNECT);
		rig_close(&r);
	}
}

static void a_full_backlog_times_out_and_not_before(void **state)
{
	struct rig r;
	struct health_check_opts o;

	rig_open(&r, NULL, &rig_deaf);
	o = rig_opts(&r);
	o.timeout_ns = 2 * S;
	o.connect_timeout_ns = 500 * MS;
	rig_add(&r, &o);
	rig_pass(&r, 500 * MS - 1);
	assert_int_equal(r.results, 0);
	assert_int_equal(health_engine_deadline(r.engine), RIG_T0 + 500 * MS);
	rig_pass(&r, 1);
	assert_int_equal(r.results, 1);
	assert_result(&r, HEALTH_FAIL, HEALTH_CODE_L4TOUT, HEALTH_PHASE_CONNECT);
	assert_int_equal(r.result.connect_ns, 0);
	assert_int_equal(rig_stats(&r).timeouts, 1);
	rig_close(&r);
}

static void who_answered_in_time_is_not_timed_out_by_a_late_host(void **state)
{
	struct rig r;
	struct health_check_opts o;
	struct pollfd p;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.timeout_ns = 100 * MS;
	rig_add(&r, &o);
	rig_dispatch(&r);
	p = (struct pollfd){.fd = health_engine_fd(r.engine), .events = POLLIN};
	assert_int_equal(poll(&p, 1, 1000), 1);
	r.now_ns += 5 * S; /* the host slept */
	rig_dispatch(&r);
	assert_int_equal(r.results, 1);
	assert_result(&r, HEALTH_OK, HEALTH_CODE_L4OK, HEALTH_PHASE_CONNECT);
	rig_close(&r);
}

/* All answers wait, more than one dispatch hears, and the time of all is over. */
static void nor_by_a_host_that_cannot_keep_up(void **state)
{
	const struct health_engine_opts eo = {.size = sizeof(eo), .batch = 8};
	const struct peer_script script = {
	    .hold = 50, .listen_for = 6, .reply = "pong\n", .reply_len = 5};
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, &eo, &script);
	o = rig_opts(&r);
	o.timeout_ns = 100 * MS;
	assert_int_equal(health_probe_new(&ping_ops, NULL, &o.probe), 0);
	for (int i = 0; i < 32; i++)
		rig_add(&r, &o);
	health_probe_free(o.probe);
	rig_settle(&r, 1); /* all have said ping; nothing is accepted yet */
	for (int i = 0; i < 50; i++)
		peer_step(&r.peer);
	assert_int_equal(r.peer.accepted, 32);
	r.now_ns += S;
	rig_dispatch(&r);
	assert_int_equal(r.results, 16); /* 8 heard, 8 asked again before they are given up */
	for (int i = 0; i < 4; i++)
		rig_dispatch(&r);
	assert_int_equal(rig_stats(&r).ok, 32);
	assert_int_equal(rig_stats(&r).failed, 0);
	rig_close(&r);
}

static void a_dialogue_comes_to_its_answer_in_any_pieces(void **state)
{
	static const char reply[] = "wait\r\nwait\r\npong\r\n";
	struct rig r;

	for (size_t chunk = 0; chunk < sizeof(reply); chunk++) {
		const struct peer_script script = {
		    .listen_for = 6,
		    .reply = reply,
		    .reply_len = sizeof(reply) - 1,
		    .chunk = chunk,
		};

		ping_once(&r, &script);
		assert_result(&r, HEALTH_OK, HEALTH_CODE_L7OK, HEALTH_PHASE_TALK);
		assert_int_equal(r.result.status, 3);
		assert_string_equal(r.text, "pong..");
		rig_close(&r);
	}
}

static char flood[4 << 20];

static enum health_step floods(void *state, const void *config, const void *data, size_t len,
			       struct health_probe_io *io)
{
	enum health_step step = ping_received(state, config, data, len, io);

	if (io->send_len) {
		io->send = flood;
		io->send_len = sizeof(flood);
	}
	return step;
}

static void a_send_that_blocks_goes_on_and_then_the_rest_is_read(void **state)
{
	const struct peer_script script = {
	    .listen_for = 6, .reply = "wait\npong\n", .reply_len = 10};
	struct health_probe_ops ops = ping_ops;
	struct health_check_opts o;
	struct rig r;

	ops.received = floods;
	rig_open(&r, NULL, &script);
	o = rig_opts(&r);
	assert_int_equal(health_probe_new(&ops, NULL, &o.probe), 0);
	rig_add(&r, &o);
	health_probe_free(o.probe);
	rig_settle(&r, 1);
	assert_result(&r, HEALTH_OK, HEALTH_CODE_L7OK, HEALTH_PHASE_TALK);
	assert_int_equal(r.result.status, 2);
	assert_true(r.peer.connection[0].received > script.listen_for);
	rig_close(&r);
}

static void a_slow_accept_is_only_slow(void **state)
{
	const struct peer_script script = {
	    .hold = 10, .listen_for = 6, .reply = "pong\n", .reply_len = 5};
	struct rig r;

	ping_once(&r, &script);
	assert_result(&r, HEALTH_OK, HEALTH_CODE_L7OK, HEALTH_PHASE_TALK);
	assert_memory_equal(r.peer.received, "ping\r\n", 6);
	rig_close(&r);
}

static void a_server_that_hangs_up_fails_with_what_it_did(void **state)
{
	const struct peer_script closes = {
	    .listen_for = 6, .reply = "pon", .reply_len = 3, .end = PEER_CLOSES};
	const struct peer_script resets = {
	    .listen_for = 6, .reply = "pon", .reply_len = 3, .end = PEER_RESETS};
	struct rig r;

	ping_once(&r, &closes);
	assert_result(&r, HEALTH_FAIL, HEALTH_CODE_L7RSP, HEALTH_PHASE_TALK);
	assert_int_equal(r.result.error, 0);
	assert_string_equal(r.text, "closed before an answer");
	rig_close(&r);
	ping_once(&r, &resets);
	assert_result(&r, HEALTH_FAIL, HEALTH_CODE_L7RSP, HEALTH_PHASE_TALK);
	assert_int_equal(r.result.error, ECONNRESET);
	rig_close(&r);
}

/* The end came with the last bytes, before we looked: it is heard without another word from the kernel. */
static void an_end_that_came_with_the_answer_is_heard(void **state)
{
	const struct peer_script script[] = {
	    {.listen_for = 6, .reply = "wait", .reply_len = 4, .end = PEER_CLOSES},
	    {.reply = "wait", .reply_len = 4, .end = PEER_CLOSES}, /* speaks first */
	    {.listen_for = 6, .reply = "wait", .reply_len = 4, .end = PEER_RESETS},
	};

	for (size_t i = 0; i < 3; i++) {
		struct health_check_opts o;
		struct rig r;

		rig_open(&r, NULL, &script[i]);
		o = rig_opts(&r);
		assert_int_equal(health_probe_new(&ping_ops, NULL, &o.probe), 0);
		rig_add(&r, &o);
		health_probe_free(o.probe);
		rig_dispatch(&r); /* connects */
		for (int k = 0; k < 5 && i == 1; k++)
			peer_step(&r.peer); /* says all before we are connected, as we see it */
		rig_dispatch(&r);	    /* asks */
		for (int k = 0; k < 5; k++)
			peer_step(&r.peer); /* answers and is gone */
		rig_dispatch(&r);
		assert_int_equal(r.results, 1);
		assert_int_equal(r.result.code, HEALTH_CODE_L7RSP);
		rig_close(&r);
	}
}

static void a_server_that_answers_and_resets_has_answered(void **state)
{
	const struct peer_script script = {
	    .listen_for = 6, .reply = "pong\n", .reply_len = 5, .end = PEER_CLOSES};
	struct rig r;

	ping_once(&r, &script);
	assert_result(&r, HEALTH_OK, HEALTH_CODE_L7OK, HEALTH_PHASE_TALK);
	rig_close(&r);
}

static void silence_and_dripping_end_at_the_timeout(void **state)
{
	static char drip[4000];
	const struct peer_script silent = {.listen_for = 1000};
	const struct peer_script dripping = {.reply = drip, .reply_len = sizeof(drip), .chunk = 1};
	const struct peer_script *script[] = {&silent, &dripping};

	for (size_t i = 0; i < 2; i++) {
		struct rig r;
		struct health_check_opts o;

		rig_open(&r, NULL, script[i]);
		o = rig_opts(&r);
		o.timeout_ns = S;
		assert_int_equal(health_probe_new(&ping_ops, NULL, &o.probe), 0);
		rig_add(&r, &o);
		health_probe_free(o.probe);
		for (int step = 0; step < 20; step++) {
			peer_step(&r.peer);
			rig_dispatch(&r);
		}
		assert_int_equal(r.results, 0);
		assert_int_equal(health_engine_deadline(r.engine), RIG_T0 + S);
		peer_step(&r.peer); /* the drip is in the socket when the time is over */
		r.now_ns += S;
		rig_dispatch(&r);
		assert_int_equal(r.results, 1);
		assert_result(&r, HEALTH_FAIL, HEALTH_CODE_L7TOUT, HEALTH_PHASE_TALK);
		rig_close(&r);
	}
}

/* ---- datagrams ---- */

static enum health_step silence_is_fine(void *state, const void *config, struct health_probe_io *io)
{
	io->verdict = HEALTH_OK;
	return HEALTH_STEP_DONE;
}

static void datagrams_are_answered_refused_or_ignored(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	struct health_probe_ops ops = ping_ops;
	struct health_check_opts o;
	struct rig r;
	char got[16];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	ops.flags = HEALTH_PROBE_DATAGRAM;
	ops.timeout = silence_is_fine;
	rig_open(&r, NULL, NULL);
	o = rig_opts(&r);
	o.destination = (struct sockaddr *)&address;
	assert_int_equal(health_probe_new(&ops, NULL, &o.probe), 0);
	rig_add(&r, &o);
	health_probe_free(o.probe);
	rig_dispatch(&r);
	assert_int_equal(recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&address, &len), 6);
	assert_int_equal(sendto(fd, "pong\n", 5, 0, (struct sockaddr *)&address, len), 5);
	rig_settle(&r, 1);
	assert_result(&r, HEALTH_OK, HEALTH_CODE_L7OK, HEALTH_PHASE_TALK);
	rig_pass(&r, 2 * S); /* the second run: no answer, and its timeout says that this is fine */
	rig_pass(&r, 2 * S);
	assert_true(r.results >= 2);
	assert_result(&r, HEALTH_OK, HEALTH_CODE_L7OK, HEALTH_PHASE_TALK);
	assert_int_equal(r.result.error, ETIMEDOUT);
	close(fd);
	r.results = 0;
	rig_pass(&r, 2 * S);
	rig_settle(&r, 1);
	assert_true(r.results >= 1);
	assert_result(&r, HEALTH_FAIL, HEALTH_CODE_L4CON, HEALTH_PHASE_TALK);
	assert_int_equal(r.result.error, ECONNREFUSED);
	rig_close(&r);
}

/* ---- where the socket comes from ---- */

/* Asks once on each of three connections; the server's close is where it goes on. */
static enum health_step thrice_open(void *state, const void *config, struct health_probe_io *io)
{
	++*(unsigned int *)state;
	io->send = "x";
	io->send_len = 1;
	return HEALTH_STEP_MORE;
}

static enum health_step thrice_closed(void *state, const void *config, int error,
				      struct health_probe_io *io)
{
	io->status = *(unsigned int *)state;
	if (*(unsigned int *)state < *(const unsigned int *)config)
		return HEALTH_STEP_RECONNECT;
	io->verdict = error ? HEALTH_FAIL : HEALTH_OK;
	return HEALTH_STEP_DONE;
}

static int thrice_setup(const void *opts, void **ret_config)
{
	*ret_config = (void *)(uintptr_t)opts;
	return 0;
}

static void a_probe_may_connect_again_but_not_for_ever(void **state)
{
	static const struct peer_script script = {
	    .listen_for = 1, .reply = ".", .reply_len = 1, .end = PEER_CLOSES};
	static const unsigned int times[] = {3, 1000};
	struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "thrice",
	    .state_size = sizeof(unsigned int),
	    .setup = thrice_setup,
	    .open = thrice_open,
	    .closed = thrice_closed,
	};
	struct health_check_opts o;
	struct rig r;

	for (size_t i = 0; i < 2; i++) {
		rig_open(&r, NULL, &script);
		o = rig_opts(&r);
		assert_int_equal(health_probe_new(&ops, &times[i], &o.probe), 0);
		rig_add(&r, &o);
		health_probe_free(o.probe);
		rig_settle(&r, 1);
		assert_int_equal(r.results, 1);
		if (i == 0)
			assert_result(&r, HEALTH_OK, HEALTH_CODE_L7OK, HEALTH_PHASE_TALK);
		else
			assert_result(&r, HEALTH_FAIL, HEALTH_CODE_L7RSP, HEALTH_PHASE_TALK);
		assert_int_equal(r.peer.accepted, i == 0 ? 3 : 1 + HEALTH_PROBE_RECONNECTS_MAX);
		rig_close(&r);
	}
}

/* The second connection goes to `config`, the third to where the check does. */
static enum health_step elsewhere_closed(void *state, const void *config, int error, struct health_probe_io *io)
{
	if (*(unsigned int *)state == 3) {
		io->verdict = HEALTH_OK;
		return HEALTH_STEP_DONE;
	}
	if (*(unsigned int *)state == 1) {
		io->to = config;
		io->to_len = io->to->sa_family == AF_INET ? sizeof(struct sockaddr_in) : 2;
	}
	return HEALTH_STEP_RECONNECT;
}

static void a_probe_may_connect_elsewhere(void **state)
{
	static const struct peer_script script = {
	    .listen_for = 1, .reply = ".", .reply_len = 1, .end = PEER_CLOSES};
	const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "elsewhere",
	    .state_size = sizeof(unsigned int),
	    .setup = thrice_setup,
	    .open = thrice_open,
	    .closed = elsewhere_closed,
	};
	struct health_check_opts o;
	struct peer other;
	struct rig r;

	for (int bad = 0; bad < 2; bad++) {
		rig_open(&r, NULL, &script);
		peer_open(&other, &script);
		if (bad)
			other.address.sin_family = AF_NETLINK;
		o = rig_opts(&r);
		assert_int_equal(health_probe_new(&ops, &other.address, &o.probe), 0);
		rig_add(&r, &o);
		health_probe_free(o.probe);
		for (int i = 0; i < 100 && !r.results; i++) {
			rig_settle(&r, 1);
			peer_step(&other);
		}
		assert_int_equal(r.results, 1);
		assert_int_equal(r.result.code, bad ? HEALTH_CODE_SOCKERR : HEALTH_CODE_L7OK);
		assert_int_equal(r.peer.accepted, bad ? 1 : 2);
		assert_int_equal(other.accepted, bad ? 0 : 1);
		peer_close(&other);
		rig_close(&r);
	}
}

static void the_source_address_is_used(void **state)
{
	const struct peer_script script = {.listen_for = 6, .reply = "pong\n", .reply_len = 5};
	struct sockaddr_in source = {.sin_family = AF_INET};
	struct health_check_opts o;
	struct rig r;

	source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	rig_open(&r, NULL, &script);
	o = rig_opts(&r);
	o.source = (struct sockaddr *)&source;
	o.source_len = sizeof(source);
	assert_int_equal(health_probe_new(&ping_ops, NULL, &o.probe), 0);
	rig_add(&r, &o);
	health_probe_free(o.probe);
	rig_settle(&r, 1);
	assert_result(&r, HEALTH_OK, HEALTH_CODE_L7OK, HEALTH_PHASE_TALK);
	assert_int_equal(r.peer.last_client.sin_addr.s_addr, source.sin_addr.s_addr);
	rig_close(&r);
}

static void the_checkers_own_trouble_blames_nobody(void **state)
{
	struct sockaddr_in source = {.sin_family = AF_INET};
	struct rlimit full, limit = {.rlim_cur = 3};
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	source.sin_addr.s_addr = htonl(0xcb007101); /* 203.0.113.1: documentation, not ours */
	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.source = (struct sockaddr *)&source;
	o.source_len = sizeof(source);
	health_check_remove(rig_add(&r, &o));
	c = rig_add(&r, &o);
	rig_dispatch(&r);
	assert_result(&r, HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR, HEALTH_PHASE_SOCKET);
	assert_int_equal(r.result.error, EADDRNOTAVAIL);
	assert_string_equal(r.text, "bind: Cannot assign requested address");
	assert_int_equal(health_check_state(c), HEALTH_STATE_UP);
	health_check_remove(c);

	o.source = NULL;
	c = rig_add(&r, &o);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &full), 0);
	limit.rlim_max = full.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	rig_dispatch(&r);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &full), 0);
	assert_result(&r, HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR, HEALTH_PHASE_SOCKET);
	assert_int_equal(r.result.error, EMFILE);
	assert_int_equal(rig_stats(&r).neutral, 2);
	rig_close(&r);
}

static struct {
	unsigned int calls;
	struct health_socket_want want;
	char device[HEALTH_DEVICE_MAX + 1];
	int fails;
} hook;

static int open_for_the_engine(const struct health_socket_want *want, void *engine_userdata)
{
	assert_ptr_equal(engine_userdata, &hook);
	hook.calls++;
	hook.want = *want;
	snprintf(hook.device, sizeof(hook.device), "%s", want->device ? want->device : "");
	return hook.fails ? hook.fails : socket(want->family, want->type, want->protocol);
}

static void the_host_may_open_the_sockets(void **state)
{
	const struct health_engine_ops ops = {.size = sizeof(ops),
					      .open_socket = open_for_the_engine};
	const struct health_engine_opts eo = {.size = sizeof(eo), .ops = &ops, .userdata = &hook};
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, &eo, &rig_listens);
	o = rig_opts(&r);
	o.fwmark = 77; /* would need CAP_NET_ADMIN if the engine did it */
	o.device = "lo";
	rig_add(&r, &o);
	rig_settle(&r, 1);
	assert_result(&r, HEALTH_OK, HEALTH_CODE_L4OK, HEALTH_PHASE_CONNECT);
	assert_int_equal(hook.calls, 1);
	assert_int_equal(hook.want.fwmark, 77);
	assert_int_equal(hook.want.type, SOCK_STREAM);
	assert_string_equal(hook.device, "lo");
	hook.fails = -EPERM;
	rig_add(&r, &o);
	rig_settle(&r, 2);
	assert_result(&r, HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR, HEALTH_PHASE_SOCKET);
	assert_int_equal(r.result.error, EPERM);
	rig_close(&r);
}

static void a_check_bound_to_a_device_reaches_only_through_it(void **state)
{
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.device = "lo";
	rig_add(&r, &o);
	rig_settle(&r, 1);
	assert_result(&r, HEALTH_OK, HEALTH_CODE_L4OK, HEALTH_PHASE_CONNECT);
	o.device = "no-such-dev";
	rig_add(&r, &o);
	rig_settle(&r, 2);
	assert_result(&r, HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR, HEALTH_PHASE_SOCKET);
	rig_close(&r);
}

static void a_thousand_checks_cancelled_in_flight_leak_no_fd(void **state)
{
	enum { N = 1000 };
	static struct health_check *c[N];
	struct health_check_opts o;
	const struct health_engine_opts eo = {.size = sizeof(eo), .rate = 1000000, .burst = N};
	struct rlimit limit;
	size_t before = rig_open_fds();
	struct rig r;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < N + 100)
		skip();
	limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	rig_open(&r, &eo, &rig_deaf);
	o = rig_opts(&r);
	for (size_t i = 0; i < N; i++)
		c[i] = rig_add(&r, &o);
	for (size_t i = 0; i < 10; i++, r.now_ns += 10 * MS)
		rig_dispatch(&r);
	assert_int_equal(rig_stats(&r).in_flight, N);
	assert_true(rig_open_fds() >= before + N);
	for (size_t i = 0; i < N; i += 2)
		health_check_remove(c[i]);
	for (size_t i = 1; i < N; i += 4)
		health_check_set_paused(c[i], true);
	assert_int_equal(rig_stats(&r).in_flight, N / 4);
	rig_close(&r); /* and the rest with the engine */
	assert_int_equal(rig_open_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_listener_is_ok),
	    cmocka_unit_test(a_listener_over_ipv6_and_unix_is_ok),
	    cmocka_unit_test(a_closed_port_is_refused),
	    cmocka_unit_test(accepting_and_closing_is_a_connection),
	    cmocka_unit_test(a_full_backlog_times_out_and_not_before),
	    cmocka_unit_test(who_answered_in_time_is_not_timed_out_by_a_late_host),
	    cmocka_unit_test(nor_by_a_host_that_cannot_keep_up),
	    cmocka_unit_test(a_dialogue_comes_to_its_answer_in_any_pieces),
	    cmocka_unit_test(a_send_that_blocks_goes_on_and_then_the_rest_is_read),
	    cmocka_unit_test(a_slow_accept_is_only_slow),
	    cmocka_unit_test(a_server_that_hangs_up_fails_with_what_it_did),
	    cmocka_unit_test(an_end_that_came_with_the_answer_is_heard),
	    cmocka_unit_test(a_server_that_answers_and_resets_has_answered),
	    cmocka_unit_test(silence_and_dripping_end_at_the_timeout),
	    cmocka_unit_test(datagrams_are_answered_refused_or_ignored),
	    cmocka_unit_test(a_probe_may_connect_again_but_not_for_ever),
	    cmocka_unit_test(a_probe_may_connect_elsewhere),
	    cmocka_unit_test(the_source_address_is_used),
	    cmocka_unit_test(the_checkers_own_trouble_blames_nobody),
	    cmocka_unit_test(the_host_may_open_the_sockets),
	    cmocka_unit_test(a_check_bound_to_a_device_reaches_only_through_it),
	    cmocka_unit_test(a_thousand_checks_cancelled_in_flight_leak_no_fd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
