/* SPDX-License-Identifier: MIT */
/* Dialogues from arrays: what the engine does for a probe besides the I/O. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "dialogue.h"
#include "ping.h"

static struct health_probe *ping(void)
{
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(&ping_ops, NULL, &p), 0);
	return p;
}

static void the_answer_is_the_same_split_at_every_byte(void **state)
{
	static const char reply[] = "wait a bit\r\nwait\npong of mine\r\n";
	const size_t len = sizeof(reply) - 1;
	struct health_probe *p = ping();

	for (size_t chunk = 1; chunk <= len; chunk++) {
		struct health_probe_io io;
		struct ping_state room;
		struct dialogue d;
		enum health_step step = HEALTH_STEP_MORE;

		dialogue_init(&d, p, &room);
		assert_int_equal(dialogue_open(&d, 1, &io), HEALTH_STEP_MORE);
		assert_memory_equal(io.send, "ping\r\n", io.send_len);
		for (size_t at = 0; at < len && step == HEALTH_STEP_MORE; at += chunk) {
			step = dialogue_received(&d, reply + at,
						 len - at < chunk ? len - at : chunk, 1, &io);
			while (step == HEALTH_STEP_MORE && d.again) /* as after a send */
				step = dialogue_received(&d, NULL, 0, 1, &io);
		}
		assert_int_equal(step, HEALTH_STEP_DONE);
		assert_int_equal(io.verdict, HEALTH_OK);
		assert_int_equal(io.code, HEALTH_CODE_L7OK);
		assert_int_equal(io.status, 3);
		assert_string_equal(io.text, "pong of mine..");
		dialogue_fini(&d);
	}
	health_probe_free(p);
}

static void a_reply_without_end_is_too_long(void **state)
{
	static const char flood[1000];
	struct health_probe *p = ping();
	struct health_probe_io io;
	struct ping_state room;
	struct dialogue d;
	size_t sent = 0;

	dialogue_init(&d, p, &room);
	while (dialogue_received(&d, flood, sizeof(flood), 1, &io) == HEALTH_STEP_MORE)
		sent += sizeof(flood);
	assert_int_equal(sent, HEALTH_PROBE_UNREAD_MAX / 1000 * 1000);
	assert_int_equal(io.verdict, HEALTH_FAIL);
	assert_int_equal(io.code, HEALTH_CODE_L7RSP);
	dialogue_fini(&d);
	health_probe_free(p);
}

static void codes_follow_the_verdict_when_the_probe_names_none(void **state)
{
	static const struct {
		const char *line;
		enum health_verdict verdict;
		enum health_code code;
	} want[] = {
	    {"pong\n", HEALTH_OK, HEALTH_CODE_L7OK},
	    {"drain\n", HEALTH_OK_DRAIN, HEALTH_CODE_L7OKC},
	    {"lost\n", HEALTH_NEUTRAL, HEALTH_CODE_UNK},
	    {"\x1b[2J\xff\n", HEALTH_FAIL, HEALTH_CODE_L7STS},
	};
	struct health_probe *p = ping();
	struct health_probe_io io;
	struct ping_state room;
	struct dialogue d;

	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		dialogue_init(&d, p, &room);
		assert_int_equal(dialogue_received(&d, want[i].line, strlen(want[i].line), 1, &io),
				 HEALTH_STEP_DONE);
		assert_int_equal(io.verdict, want[i].verdict);
		assert_int_equal(io.code, want[i].code);
		dialogue_fini(&d);
	}
	assert_string_equal(io.text, ".[2J.."); /* no escape reaches a log */
	health_probe_free(p);
}

static void closing_and_silence_are_failures_unless_the_probe_says_otherwise(void **state)
{
	struct health_probe *p = ping();
	struct health_probe_io io;
	struct ping_state room;
	struct dialogue d;

	dialogue_init(&d, p, &room);
	dialogue_closed(&d, 0, "closed before an answer", 1, &io);
	assert_int_equal(io.code, HEALTH_CODE_L7RSP);
	assert_string_equal(io.text, "closed before an answer");
	dialogue_closed(&d, ECONNREFUSED, "refused", 1, &io);
	assert_int_equal(io.code, HEALTH_CODE_L4CON);
	dialogue_timeout(&d, 1, &io);
	assert_int_equal(io.verdict, HEALTH_FAIL);
	assert_int_equal(io.code, HEALTH_CODE_L7TOUT);
	health_probe_free(p);
}

static unsigned int torn_down;

static int double_it(const void *opts, void **ret_config)
{
	int *config;

	if (!opts)
		return -EINVAL;
	config = malloc(sizeof(*config));
	assert_non_null(config);
	*config = *(const int *)opts * 2;
	*ret_config = config;
	return 0;
}

static void tear_down(void *config)
{
	torn_down++;
	free(config);
}

static void a_probe_lives_until_its_last_user_is_gone(void **state)
{
	struct health_probe_ops ops = ping_ops;
	struct health_probe *p = NULL;
	const int seven = 7;

	ops.setup = double_it;
	ops.teardown = tear_down;
	assert_int_equal(health_probe_new(&ops, NULL, &p), -EINVAL); /* setup's word */
	assert_null(p);
	assert_int_equal(health_probe_new(&ops, &seven, &p), 0);
	assert_int_equal(*(int *)p->config, 14);
	probe_use(p);
	health_probe_free(p);
	assert_int_equal(torn_down, 0);
	assert_string_equal(health_probe_name(p), "ping");
	health_probe_free(p);
	assert_int_equal(torn_down, 1);
	health_probe_free(NULL);
}

static void probe_ops_are_checked(void **state)
{
	struct health_probe_ops ops;
	struct health_probe *p;
	struct {
		struct health_probe_ops ops;
		void *later;
	} grown = {.ops = ping_ops};

	assert_int_equal(health_probe_new(NULL, NULL, &p), -EINVAL);
	assert_int_equal(health_probe_new(&ping_ops, NULL, NULL), -EINVAL);
	assert_int_equal(health_probe_new(&ping_ops, "options", &p), -EINVAL);
#define REFUSED(field, value) \
	ops = ping_ops;       \
	ops.field = (value);  \
	assert_int_equal(health_probe_new(&ops, NULL, &p), -EINVAL)
	REFUSED(size, 0);
	REFUSED(name, NULL);
	REFUSED(name, "");
	REFUSED(name, "Ping");
	REFUSED(name, "a-name-of-more-than-thirty-one-characters");
	REFUSED(state_size, HEALTH_PROBE_STATE_MAX + 1);
	REFUSED(flags, 1u << 31);
	ops = *health_probe_tcp();
	ops.flags = HEALTH_PROBE_DATAGRAM; /* "connected" proves nothing on UDP */
	assert_int_equal(health_probe_new(&ops, NULL, &p), -EINVAL);
	REFUSED(flags, HEALTH_PROBE_ICMP); /* its messages are datagrams */
	grown.ops.size = sizeof(grown);
	grown.later = &grown;
	assert_int_equal(health_probe_new(&grown.ops, NULL, &p), -E2BIG);
}

/* ---- a probe that asks for TLS, and then for another connection ---- */

struct hopper {
	unsigned int opened;
	void *held;
};

static unsigned int held;

static enum health_step hop_open(void *state, const void *config, struct health_probe_io *io)
{
	struct hopper *h = state;

	if (!h->held) {
		h->held = malloc(16);
		held++;
	}
	h->opened++;
	io->status = h->opened;
	io->send = "hello";
	io->send_len = 5;
	return HEALTH_STEP_MORE;
}

static enum health_step hop_received(void *state, const void *config, const void *data, size_t len,
				     struct health_probe_io *io)
{
	io->consumed = 1;
	if (*(const char *)data == 's')
		return HEALTH_STEP_TLS;
	io->port = 99;
	return HEALTH_STEP_RECONNECT;
}

static enum health_step hop_closed(void *state, const void *config, int error,
				   struct health_probe_io *io)
{
	if (((struct hopper *)state)->opened < 3)
		return HEALTH_STEP_RECONNECT;
	io->verdict = HEALTH_OK;
	return HEALTH_STEP_DONE;
}

static void hop_end(void *state, const void *config)
{
	free(((struct hopper *)state)->held);
	held--;
}

static const struct health_probe_ops hop_ops = {
    .size = sizeof(hop_ops),
    .name = "hop",
    .state_size = sizeof(struct hopper),
    .open = hop_open,
    .received = hop_received,
    .closed = hop_closed,
    .end = hop_end,
};

static void a_new_channel_opens_the_same_state_again(void **state)
{
	struct health_probe *p = NULL;
	struct health_probe_io io;
	struct hopper room;
	struct dialogue d;

	assert_int_equal(health_probe_new(&hop_ops, NULL, &p), 0);
	dialogue_init(&d, p, &room);
	dialogue_fini(&d); /* not one call: nothing to end */
	assert_int_equal(held, 0);
	dialogue_init(&d, p, &room);
	d.nonce = 4711;
	assert_int_equal(dialogue_open(&d, 1, &io), HEALTH_STEP_MORE);
	assert_int_equal(io.tls, 0);
	assert_string_equal(io.alpn, "");
	assert_int_equal(io.nonce, 4711);
	assert_int_equal(dialogue_received(&d, "s", 1, 1, &io), HEALTH_STEP_TLS);
	d.tls = true;
	d.alpn = "h2";
	assert_int_equal(dialogue_open(&d, 1, &io), HEALTH_STEP_MORE);
	assert_int_equal(io.tls, 1);
	assert_string_equal(io.alpn, "h2");
	assert_int_equal(io.status, 2);
	assert_int_equal(dialogue_received(&d, "rest", 4, 1, &io), HEALTH_STEP_RECONNECT);
	assert_int_equal(io.port, 99);
	assert_int_equal(d.unread_len, 0); /* of the old connection */
	assert_int_equal(dialogue_closed(&d, 0, "closed", 1, &io), HEALTH_STEP_RECONNECT);
	assert_int_equal(dialogue_open(&d, 1, &io), HEALTH_STEP_MORE);
	assert_int_equal(dialogue_closed(&d, 0, "closed", 1, &io), HEALTH_STEP_DONE);
	assert_int_equal(io.code, HEALTH_CODE_L7OK);
	assert_int_equal(held, 1);
	dialogue_fini(&d);
	dialogue_fini(&d);
	assert_int_equal(held, 0);
	health_probe_free(p);
}

/* CVE-2011-0411: what stood behind the answer to STARTTLS was taken for encrypted. */
static void bytes_before_the_handshake_fail(void **state)
{
	struct health_probe *p = NULL;
	struct health_probe_io io;
	struct hopper room;
	struct dialogue d;

	assert_int_equal(health_probe_new(&hop_ops, NULL, &p), 0);
	dialogue_init(&d, p, &room);
	dialogue_open(&d, 1, &io);
	assert_int_equal(dialogue_received(&d, "s250 OK", 7, 1, &io), HEALTH_STEP_DONE);
	assert_int_equal(io.verdict, HEALTH_FAIL);
	assert_int_equal(io.code, HEALTH_CODE_L7RSP);
	dialogue_fini(&d);
	assert_int_equal(held, 0);
	health_probe_free(p);
}

static void codes_have_haproxys_names(void **state)
{
	assert_string_equal(health_code_name(HEALTH_CODE_L4TOUT), "L4TOUT");
	assert_string_equal(health_code_name(HEALTH_CODE_L7OKC), "L7OKC");
	for (unsigned int i = 0; i <= HEALTH_CODE_HANA; i++)
		assert_string_not_equal(health_code_name((enum health_code)i), "?");
	for (unsigned int i = 0; i <= HEALTH_PHASE_NAME; i++)
		assert_string_not_equal(health_phase_name((enum health_phase)i), "?");
	assert_string_equal(health_code_name((enum health_code)18), "?");
	assert_string_equal(health_phase_name((enum health_phase)6), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_answer_is_the_same_split_at_every_byte),
	    cmocka_unit_test(a_reply_without_end_is_too_long),
	    cmocka_unit_test(codes_follow_the_verdict_when_the_probe_names_none),
	    cmocka_unit_test(closing_and_silence_are_failures_unless_the_probe_says_otherwise),
	    cmocka_unit_test(a_probe_lives_until_its_last_user_is_gone),
	    cmocka_unit_test(probe_ops_are_checked),
	    cmocka_unit_test(a_new_channel_opens_the_same_state_again),
	    cmocka_unit_test(bytes_before_the_handshake_fail),
	    cmocka_unit_test(codes_have_haproxys_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
