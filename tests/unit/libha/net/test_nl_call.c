/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>
#include <cmocka.h>

#include "fake_nl.h"
#include "nl/call.h"

struct told {
	size_t n, index[16];
	int error[16];
	char text[NL_TEXT_SIZE];
};

static void failed(void *userdata, size_t index, int error, const char *text)
{
	struct told *t = userdata;

	assert_true(t->n < 16);
	t->index[t->n] = index;
	t->error[t->n++] = error;
	memcpy(t->text, text, strlen(text) + 1);
}

struct place {
	struct fake_nl *f;
	struct nl_channel c;
	struct nl_batch b;
	struct told told;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct ha_nl_transport t;

	p->f = fake_new();
	p->f->userdata = p;
	t = fake_transport(p->f);
	assert_int_equal(nl_channel_open(&p->c, NETLINK_GENERIC, &t, 20), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	nl_batch_fini(&p->b);
	nl_channel_close(&p->c);
	assert_int_equal(p->f->n_closes, 1);
	fake_free(p->f);
	free(p);
	return 0;
}

static void add(struct place *p, size_t n)
{
	while (n--) {
		nl_attr_put_u32(nl_batch_begin(&p->b, 32, 0), 1, (uint32_t)n);
		nl_batch_end(&p->b);
	}
}

static size_t count_sent(struct fake_nl *f)
{
	size_t n = 0;

	while (fake_sent(f, n).type)
		n++;
	return n;
}

/* A kernel that refuses every request whose attribute is a multiple of 100, and answers the fence.
 */
static void hundreds_fail(struct fake_nl *f, const void *buf, size_t len)
{
	struct reader r = reader_of(buf, len);
	struct nl_msg msg;
	struct nl_attr a;
	uint32_t v = 0;

	while (nl_msg_next(&r, &msg)) {
		assert_true(msg.flags & NLM_F_REQUEST);
		assert_true(nl_attr_next(&msg.body, &a) && nl_attr_u32(&a, &v));
		if (v % 100 == 0)
			fake_push_error(f, NLMSG_ERROR, msg.seq, -ESRCH, 0, "no such thing");
		else if (msg.flags & NLM_F_ACK)
			fake_push_error(f, NLMSG_ERROR, msg.seq, 0, 0, NULL);
	}
}

static void one_fence_answers_for_all(void **state)
{
	struct place *p = *state;

	p->f->on_send = hundreds_fail;
	nl_attr_put_u32(nl_batch_begin(&p->b, 32, 0), 1, 1);
	nl_batch_end(&p->b);
	nl_attr_put_u32(nl_batch_begin(&p->b, 32, NLM_F_ACK), 1, 2); /* not his to say */
	nl_batch_end(&p->b);
	nl_attr_put_u32(nl_batch_begin(&p->b, 32, 0), 1, 3);
	nl_batch_end(&p->b);
	assert_int_equal(nl_call(&p->c, &p->b, failed, &p->told), 0);
	assert_int_equal(p->f->n_sends, 1);
	assert_int_equal(fake_sent(p->f, 0).flags, NLM_F_REQUEST);
	assert_int_equal(fake_sent(p->f, 1).flags, NLM_F_REQUEST);
	assert_int_equal(fake_sent(p->f, 2).flags, NLM_F_REQUEST | NLM_F_ACK);
	assert_int_equal(p->told.n, 0);
}

static void an_error_finds_its_request_in_any_chunk(void **state)
{
	struct place *p = *state;

	p->f->on_send = hundreds_fail;
	add(p, 1000); /* carrying 999 ... 0 */
	assert_int_equal(nl_call(&p->c, &p->b, failed, &p->told), 10);
	assert_int_equal(p->f->n_sends, 2);
	assert_int_equal(p->told.n, 10);
	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(p->told.index[i], 99 + i * 100);
		assert_int_equal(p->told.error[i], -ESRCH);
	}
	assert_string_equal(p->told.text, "no such thing");
	assert_string_equal(p->c.text, "no such thing");
	/* The next call does not inherit what the last one said. */
	nl_batch_reset(&p->b);
	assert_int_equal(nl_call(&p->c, &p->b, failed, &p->told), 0);
	assert_string_equal(p->c.text, "");
}

static void a_chunk_of_large_messages_ends_by_bytes(void **state)
{
	static const uint8_t big[60000];
	struct place *p = *state;

	p->f->on_send = hundreds_fail;
	for (int i = 0; i < 5; i++) {
		struct writer *w = nl_batch_begin(&p->b, 32, 0);

		nl_attr_put_u32(w, 1, 1);
		nl_attr_put(w, 2, big, sizeof(big));
		nl_batch_end(&p->b);
	}
	assert_int_equal(nl_call(&p->c, &p->b, NULL, NULL), 0);
	assert_int_equal(p->f->n_sends, 3);
	assert_int_equal(count_sent(p->f), 1);
}

/* Answers of an earlier call, of another port and of no interest before the real one. */
static void strays_first(struct fake_nl *f, const void *buf, size_t len)
{
	uint8_t room[64];
	struct writer w = writer_of(room, sizeof(room));
	size_t m = nl_msg_begin(&w, NLMSG_ERROR, NLM_F_CAPPED);
	uint32_t seq = fake_sent(f, 0).seq;

	write_host32(&w, (uint32_t)-EPERM);
	write_zero(&w, 16);
	nl_msg_end(&w, m);
	fake_push_msg(f, &w, seq, FAKE_PORT + 1);
	fake_push_error(f, NLMSG_ERROR, seq - 1, -EPERM, 0, NULL);
	fake_push_error(f, NLMSG_DONE, seq, 0, 0, NULL);
	hundreds_fail(f, buf, len);
}

static void answers_of_others_are_not_taken_for_ours(void **state)
{
	struct place *p = *state;

	p->f->on_send = strays_first;
	p->c.next_seq = UINT32_MAX; /* and the number wraps in between */
	nl_attr_put_u32(nl_batch_begin(&p->b, 32, 0), 1, 1);
	nl_batch_end(&p->b);
	nl_attr_put_u32(nl_batch_begin(&p->b, 32, 0), 1, 2);
	nl_batch_end(&p->b);
	assert_int_equal(nl_call(&p->c, &p->b, failed, &p->told), 0);
	assert_int_equal(p->told.n, 0);
}

static void lost_answers(struct fake_nl *f, const void *buf, size_t len)
{
	fake_push(f, NULL, 0, -ENOBUFS);
}

static void garbage(struct fake_nl *f, const void *buf, size_t len)
{
	fake_push(f, "12345678901", 11, 0);
}

static void what_cannot_be_known_is_an_error(void **state)
{
	struct place *p = *state;

	add(p, 2);
	assert_int_equal(nl_call(&p->c, &p->b, failed, &p->told), -ETIMEDOUT); /* silence */
	p->f->on_send = lost_answers;
	assert_int_equal(nl_call(&p->c, &p->b, failed, &p->told), -ENOBUFS);
	p->f->on_send = garbage;
	assert_int_equal(nl_call(&p->c, &p->b, failed, &p->told), -EBADMSG);
	p->f->send_error = -EMSGSIZE;
	assert_int_equal(nl_call(&p->c, &p->b, failed, &p->told), -EMSGSIZE);
	assert_int_equal(p->told.n, 0);
}

static void a_message_that_does_not_fit_spoils_the_batch(void **state)
{
	static const uint8_t big[65000];
	struct place *p = *state;
	struct writer *w = nl_batch_begin(&p->b, 32, 0);

	for (int i = 0; i < 3; i++)
		nl_attr_put(w, 1, big, sizeof(big));
	nl_batch_end(&p->b);
	add(p, 1);
	assert_int_equal(nl_call(&p->c, &p->b, failed, &p->told), -EMSGSIZE);
	assert_int_equal(p->f->n_sends, 0);
}

static void fourth_and_end_fail(struct fake_nl *f, const void *buf, size_t len)
{
	assert_int_equal(fake_sent(f, 5).flags, NLM_F_REQUEST);
	assert_true(fake_sent(f, 4).flags & NLM_F_ACK);
	fake_push_error(f, NLMSG_ERROR, fake_sent(f, 3).seq, -ENOENT, 0, "no table");
	fake_push_error(f, NLMSG_ERROR, fake_sent(f, 4).seq, 0, 0, NULL);
}

static void refused_as_a_whole(struct fake_nl *f, const void *buf, size_t len)
{
	fake_push_error(f, NLMSG_ERROR, fake_sent(f, 0).seq, -EPERM, 0, NULL);
}

static void a_transaction_has_its_fence_before_the_end(void **state)
{
	struct place *p = *state;

	p->f->on_send = fourth_and_end_fail;
	add(p, 6);
	assert_int_equal(nl_transaction(&p->c, &p->b, failed, &p->told), 1);
	assert_int_equal(p->told.index[0], 3);
	assert_int_equal(p->told.error[0], -ENOENT);
}

static void a_transaction_refused_as_a_whole_waits_for_nothing(void **state)
{
	struct place *p = *state;

	p->f->on_send = refused_as_a_whole;
	add(p, 3);
	assert_int_equal(nl_transaction(&p->c, &p->b, failed, &p->told), 1);
	assert_int_equal(p->told.index[0], 0);
	assert_int_equal(p->told.error[0], -EPERM);
	nl_batch_reset(&p->b);
	add(p, 2);
	assert_int_equal(nl_transaction(&p->c, &p->b, failed, &p->told), -EINVAL);
}

/* -- queries -------------------------------------------------------------------------------------
 */

struct got {
	struct place *p;
	size_t n, restarts;
	int stop_at;
};

static int message(void *userdata, const struct nl_msg *msg)
{
	struct got *g = userdata;

	assert_int_equal(msg->type, 33);
	return (int)++g->n == g->stop_at ? -ECANCELED : 0;
}

static void restart(void *userdata)
{
	struct got *g = userdata;

	g->n = 0;
	g->restarts++;
}

static const struct nl_query_ops got_ops = {.message = message, .restart = restart};

static void push_item(struct fake_nl *f, uint32_t seq, uint16_t flags)
{
	uint8_t room[64];
	struct writer w = writer_of(room, sizeof(room));
	size_t m = nl_msg_begin(&w, 33, NLM_F_MULTI | flags);

	nl_msg_end(&w, m);
	fake_push_msg(f, &w, seq, FAKE_PORT);
}

/* Three items; the first `*userdata` dumps are interrupted at the second item or at the end. */
static void dump(struct fake_nl *f, const void *buf, size_t len)
{
	int *bad_dumps = f->userdata;
	uint32_t seq = fake_sent(f, 0).seq;
	bool bad = *bad_dumps > 0, at_end = *bad_dumps % 2;

	assert_int_equal(fake_sent(f, 0).flags, NLM_F_REQUEST | NLM_F_DUMP);
	--*bad_dumps;
	push_item(f, seq - 1, 0); /* of the dump before */
	push_item(f, seq, 0);
	push_item(f, seq, bad && !at_end ? NLM_F_DUMP_INTR : 0);
	push_item(f, seq, 0);
	fake_push_error(f, NLMSG_DONE, seq, 0, bad && at_end ? NLM_F_DUMP_INTR : 0, NULL);
}

static void ask_for_dump(struct place *p)
{
	nl_batch_begin(&p->b, 33, NLM_F_DUMP);
	nl_batch_end(&p->b);
}

static void an_interrupted_dump_begins_again(void **state)
{
	struct place *p = *state;
	struct got g = {.p = p};
	int bad_dumps = 2;

	p->f->on_send = dump;
	p->f->userdata = &bad_dumps;
	ask_for_dump(p);
	assert_int_equal(nl_query(&p->c, &p->b, &got_ops, &g), 0);
	assert_int_equal(g.n, 3);
	assert_int_equal(g.restarts, 2);
}

static void a_dump_interrupted_for_ever_is_told(void **state)
{
	struct place *p = *state;
	struct got g = {.p = p};
	int bad_dumps = 1000;

	p->f->on_send = dump;
	p->f->userdata = &bad_dumps;
	ask_for_dump(p);
	assert_int_equal(nl_query(&p->c, &p->b, &got_ops, &g), -EINTR);
	assert_int_equal(p->f->n_sends, NL_DUMP_TRIES);
	assert_int_equal(g.n, 0);
}

static void a_consumer_may_stop_and_the_dump_is_read_out(void **state)
{
	struct place *p = *state;
	struct got g = {.p = p, .stop_at = 2};
	int bad_dumps = 0;

	p->f->on_send = dump;
	p->f->userdata = &bad_dumps;
	ask_for_dump(p);
	assert_int_equal(nl_query(&p->c, &p->b, &got_ops, &g), -ECANCELED);
	assert_int_equal(g.n, 2);
	assert_int_equal(p->f->n, 0);
}

static void overrun_dump(struct fake_nl *f, const void *buf, size_t len)
{
	int *bad_dumps = f->userdata;

	if (*bad_dumps > 0)
		fake_push(f, NULL, 0, -ENOBUFS);
	*bad_dumps = *bad_dumps > 0 ? 0 : *bad_dumps;
	dump(f, buf, len);
}

static void a_dump_with_lost_messages_begins_again(void **state)
{
	struct place *p = *state;
	struct got g = {.p = p};
	int bad_dumps = 1;

	p->f->on_send = overrun_dump;
	p->f->userdata = &bad_dumps;
	ask_for_dump(p);
	assert_int_equal(nl_query(&p->c, &p->b, &got_ops, &g), 0);
	assert_int_equal(g.n, 3);
	assert_int_equal(g.restarts, 1);
}

static void refuse(struct fake_nl *f, const void *buf, size_t len)
{
	fake_push_error(f, NLMSG_ERROR, fake_sent(f, 0).seq, -EOPNOTSUPP, 0, "not here");
}

static void fail_at_end(struct fake_nl *f, const void *buf, size_t len)
{
	push_item(f, fake_sent(f, 0).seq, 0);
	fake_push_error(f, NLMSG_DONE, fake_sent(f, 0).seq, -ESRCH, 0, "gone");
}

static void a_dump_may_be_refused_at_either_end(void **state)
{
	struct place *p = *state;
	struct got g = {.p = p};

	ask_for_dump(p);
	p->f->on_send = refuse;
	assert_int_equal(nl_query(&p->c, &p->b, &got_ops, &g), -EOPNOTSUPP);
	assert_string_equal(p->c.text, "not here");
	p->f->on_send = fail_at_end;
	assert_int_equal(nl_query(&p->c, &p->b, &got_ops, &g), -ESRCH);
	assert_string_equal(p->c.text, "gone");
}

static void family(struct fake_nl *f, const void *buf, size_t len)
{
	uint8_t room[128];
	struct writer w = writer_of(room, sizeof(room));
	size_t m = nl_msg_begin(&w, 16, 0);

	assert_int_equal(fake_sent(f, 0).flags, NLM_F_REQUEST | NLM_F_ACK);
	nl_genl_put(&w, 1, 2);
	nl_attr_put_str(&w, 2, "IPVS");
	nl_attr_put_u16(&w, 1, 29);
	nl_msg_end(&w, m);
	fake_push_msg(f, &w, fake_sent(f, 0).seq, FAKE_PORT);
	fake_push_error(f, NLMSG_ERROR, fake_sent(f, 0).seq, 0, 0, NULL);
}

static void a_family_is_found_by_its_name(void **state)
{
	struct place *p = *state;
	uint16_t type = 0;

	p->f->on_send = family;
	assert_int_equal(nl_genl_resolve(&p->c, "IPVS", &type), 0);
	assert_int_equal(type, 29);
	p->f->on_send = refuse;
	assert_int_equal(nl_genl_resolve(&p->c, "IPVS", &type), -EOPNOTSUPP);
}

static void a_transport_that_lacks_a_function_is_refused(void **state)
{
	struct place *p = *state;
	struct ha_nl_transport_ops ops = fake_ops;
	struct ha_nl_transport t = {.ops = &ops, .userdata = p->f};
	struct nl_channel c;

	ops.recv = NULL;
	assert_int_equal(nl_channel_open(&c, 0, &t, 0), -EINVAL);
	t.ops = NULL;
	assert_int_equal(nl_channel_open(&c, 0, &t, 0), -EINVAL);
	assert_int_equal(p->f->n_closes, 0);
}

static volatile sig_atomic_t n_signals;

static void count_signal(int number)
{
	n_signals++;
}

static void signals_do_not_prolong_the_wait(void **state)
{
	struct place *p = *state;
	struct got g = {.p = p};
	struct sigaction count = {.sa_handler = count_signal}, before;
	const struct itimerval often = {{0, 5000}, {0, 5000}}, never = {0};

	nl_batch_begin(&p->b, 33, 0);
	nl_batch_end(&p->b);
	sigaction(SIGALRM, &count, &before);
	setitimer(ITIMER_REAL, &often, NULL);
	assert_int_equal(nl_query(&p->c, &p->b, &got_ops, &g), -ETIMEDOUT); /* after 20 ms */
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &before, NULL);
	assert_true(n_signals < 100);
}

static void a_longer_timeout_than_poll_knows_is_the_longest_it_knows(void **state)
{
	struct place *p = *state;
	struct ha_nl_transport t = fake_transport(p->f);
	struct nl_channel c;

	assert_int_equal(nl_channel_open(&c, 0, &t, UINT_MAX), 0);
	assert_int_equal(c.timeout_ms, INT_MAX);
	c.ops.close = NULL;
	nl_channel_close(&c);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(one_fence_answers_for_all),
	    T(an_error_finds_its_request_in_any_chunk),
	    T(a_chunk_of_large_messages_ends_by_bytes),
	    T(answers_of_others_are_not_taken_for_ours),
	    T(what_cannot_be_known_is_an_error),
	    T(a_message_that_does_not_fit_spoils_the_batch),
	    T(a_transaction_has_its_fence_before_the_end),
	    T(a_transaction_refused_as_a_whole_waits_for_nothing),
	    T(an_interrupted_dump_begins_again),
	    T(a_dump_interrupted_for_ever_is_told),
	    T(a_consumer_may_stop_and_the_dump_is_read_out),
	    T(a_dump_with_lost_messages_begins_again),
	    T(a_dump_may_be_refused_at_either_end),
	    T(a_family_is_found_by_its_name),
	    T(a_transport_that_lacks_a_function_is_refused),
	    T(signals_do_not_prolong_the_wait),
	    T(a_longer_timeout_than_poll_knows_is_the_longest_it_knows),
	};

	return cmocka_run_group_tests_name("libha/nl/call", tests, NULL, NULL);
}
