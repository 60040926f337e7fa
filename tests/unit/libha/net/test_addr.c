/* SPDX-License-Identifier: MIT */
/* The handle over a scripted kernel; the real one is in tests/netns. */
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libha/net.h>

#include "fake_nl.h"
#include "nl/call.h"

#include "tests/support/fail_memory.h"

struct place {
	struct fake_nl *f;
	struct ha_net *n;
	int error[8]; /* what the kernel answers to the nth request */
};

/* Answers each request of a batch with its scripted error, and the fence. */
static void answer(struct fake_nl *f, const void *buf, size_t len)
{
	struct place *p = f->userdata;
	struct reader r = reader_of(buf, len);
	struct nl_msg msg;

	for (size_t i = 0; nl_msg_next(&r, &msg); i++)
		if (p->error[i] || msg.flags & NLM_F_ACK)
			fake_push_error(f, NLMSG_ERROR, msg.seq, p->error[i], 0,
					p->error[i] == -EEXIST ? "already there"
					: p->error[i]	       ? "no good"
							       : NULL);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct ha_nl_transport t;
	struct ha_net_opts o = {.size = sizeof(o), .transport = &t, .timeout_ms = 10};

	p->f = fake_new();
	p->f->userdata = p;
	p->f->on_send = answer;
	t = fake_transport(p->f);
	assert_int_equal(ha_net_new(&o, &p->n), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	ha_net_free(p->n);
	assert_int_equal(p->f->n_closes, 1);
	fake_free(p->f);
	free(p);
	return 0;
}

static void four(struct ha_net_address *a)
{
	for (uint8_t i = 0; i < 4; i++)
		a[i] = (struct ha_net_address){.size = sizeof(*a),
					       .ifindex = 2,
					       .ip = {.family = AF_INET, .bytes = {10, 0, 0, i}}};
}

static void each_address_gets_its_own_status(void **state)
{
	struct place *p = *state;
	struct ha_net_address a[4];
	int status[4];

	four(a);
	a[1].prefix_len = 99; /* never sent: the kernel's third request is the fourth address */
	p->error[0] = -EEXIST;
	p->error[2] = -EACCES;
	assert_int_equal(ha_net_address_add(p->n, a, 4, status), -EINVAL);
	assert_int_equal(status[0], HA_NET_ALREADY);
	assert_int_equal(status[1], -EINVAL);
	assert_int_equal(status[2], 0);
	assert_int_equal(status[3], -EACCES);
	assert_int_equal(fake_sent(p->f, 0).flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
}

static void the_value_is_the_first_error_in_the_callers_order(void **state)
{
	struct place *p = *state;
	struct ha_net_address a[4];
	int status[4];

	four(a);
	a[1].prefix_len = 99;
	p->error[2] = -EACCES; /* of a[3] */
	for (int i = 0; i < 2; i++)
		assert_int_equal(ha_net_address_add(p->n, a, 4, i ? status : NULL), -EINVAL);
	assert_int_equal(status[3], -EACCES);
	assert_string_equal(ha_net_error_text(p->n), ""); /* it was not the kernel's */
	p->error[0] = -ENODEV;
	for (int i = 0; i < 2; i++)
		assert_int_equal(ha_net_address_add(p->n, a, 4, i ? status : NULL), -ENODEV);
	assert_string_equal(ha_net_error_text(p->n), "no good");
}

/* Answers the third request before the second one. */
static void answer_in_disorder(struct fake_nl *f, const void *buf, size_t len)
{
	uint32_t seq = fake_sent(f, 0).seq;

	fake_push_error(f, NLMSG_ERROR, seq + 2, -EACCES, 0, NULL);
	fake_push_error(f, NLMSG_ERROR, seq + 1, -EPERM, 0, NULL);
	fake_push_error(f, NLMSG_ERROR, seq + 3, 0, 0, NULL);
}

static void answers_in_disorder_are_not_believed(void **state)
{
	struct place *p = *state;
	struct ha_net_address a[4];
	int status[4];

	four(a);
	p->f->on_send = answer_in_disorder;
	assert_int_equal(ha_net_address_add(p->n, a, 4, status), -EBADMSG);
	for (int i = 0; i < 4; i++)
		assert_int_equal(status[i], -EBADMSG);
}

static void adopted_and_gone_are_no_errors(void **state)
{
	static const int gone[] = {-EADDRNOTAVAIL, -ENODEV, -ENXIO, -EOPNOTSUPP};
	struct place *p = *state;
	struct ha_net_address a[4];
	int status[4];

	four(a);
	for (int i = 0; i < 4; i++)
		p->error[i] = -EEXIST;
	assert_int_equal(ha_net_address_add(p->n, a, 4, status), 0);
	assert_int_equal(status[3], HA_NET_ALREADY);
	assert_string_equal(ha_net_error_text(p->n), "");
	for (int i = 0; i < 4; i++)
		p->error[i] = gone[i];
	assert_int_equal(ha_net_address_remove(p->n, a, 4, status), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(status[i], HA_NET_ALREADY);
	p->error[1] = 0;
	assert_int_equal(ha_net_address_remove(p->n, a, 4, status), 0);
	assert_int_equal(status[1], 0);
}

static void nothing_is_known_after_lost_answers(void **state)
{
	struct place *p = *state;
	struct ha_net_address a[4];
	int status[4] = {0};

	four(a);
	p->f->on_send = NULL;
	assert_int_equal(ha_net_address_add(p->n, a, 4, status), -ETIMEDOUT);
	for (int i = 0; i < 4; i++)
		assert_int_equal(status[i], -ETIMEDOUT);
}

static void a_caller_with_another_size_is_understood(void **state)
{
	struct place *p = *state;
	struct {
		struct ha_net_address a;
		uint64_t later;
	} newer[2];
	int status[2];

	memset(newer, 0, sizeof(newer));
	for (uint8_t i = 0; i < 2; i++) {
		newer[i].a.size = sizeof(newer[i]);
		newer[i].a.ifindex = 2;
		newer[i].a.ip = (struct ha_ip){.family = AF_INET, .bytes = {10, 0, 0, i}};
	}
	assert_int_equal(ha_net_address_add(p->n, &newer[0].a, 2, status), 0);
	assert_int_equal(fake_sent(p->f, 1).type, RTM_NEWADDR);
	newer[1].later = 1; /* asks for what this library does not know */
	assert_int_equal(ha_net_address_add(p->n, &newer[0].a, 2, status), -EINVAL);
	assert_int_equal(status[0], 0);
	newer[1].a.size = sizeof(newer[1].a); /* one array, two sizes */
	assert_int_equal(ha_net_address_add(p->n, &newer[0].a, 2, status), -EINVAL);
}

static void misuse_is_refused(void **state)
{
	struct place *p = *state;
	struct ha_net_address a[4];
	struct ha_net_link l = {.size = sizeof(l)};

	four(a);
	assert_int_equal(ha_net_address_add(NULL, a, 1, NULL), -EINVAL);
	assert_int_equal(ha_net_address_add(p->n, NULL, 1, NULL), -EINVAL);
	assert_int_equal(ha_net_address_add(p->n, a, HA_NET_BATCH_MAX + 1, NULL), -EINVAL);
	assert_int_equal(ha_net_address_add(p->n, NULL, 0, NULL), 0);
	a[0].size = 0;
	assert_int_equal(ha_net_address_add(p->n, a, 1, NULL), -EINVAL);
	assert_int_equal(ha_net_address_list(p->n, 0, AF_UNIX, NULL, NULL), -EINVAL);
	assert_int_equal(ha_net_link_list(p->n, NULL, NULL), -EINVAL);
	assert_int_equal(ha_net_link_by_name(p->n, "", &l), -EINVAL);
	assert_int_equal(ha_net_link_by_index(p->n, 0, &l), -EINVAL);
	assert_int_equal(p->f->n_sends, 0);
	ha_net_free(NULL);
}

static int count(void *userdata, const struct ha_net_address *a)
{
	++*(int *)userdata;
	return 0;
}

/* Two addresses of which one is on another link; the first dump is interrupted. */
static void two_addresses(struct fake_nl *f, const void *buf, size_t len)
{
	uint32_t seq = fake_sent(f, 0).seq;

	for (uint8_t i = 1; i <= 2; i++) {
		uint8_t room[64];
		struct writer w = writer_of(room, sizeof(room));
		size_t m = nl_msg_begin(
		    &w, RTM_NEWADDR, f->n_sends == 1 ? NLM_F_MULTI | NLM_F_DUMP_INTR : NLM_F_MULTI);

		write_bytes(&w, "\2\40\0\0", 4);
		write_host32(&w, i);
		nl_attr_put(&w, 2, "\12\0\0\1", 4);
		nl_msg_end(&w, m);
		fake_push_msg(f, &w, seq, FAKE_PORT);
	}
	fake_push_error(f, NLMSG_DONE, seq, 0, 0, NULL);
}

static void a_list_is_given_when_it_is_whole_and_filtered(void **state)
{
	struct place *p = *state;
	int n = 0;

	p->f->on_send = two_addresses;
	assert_int_equal(ha_net_address_list(p->n, 2, AF_INET, count, &n), 0);
	assert_int_equal(p->f->n_sends, 2);
	assert_int_equal(n, 1);
	assert_int_equal(ha_net_address_list(p->n, 0, AF_INET6, count, &n), 0);
	assert_int_equal(n, 1);
}

static void any_allocation_may_fail(void **state)
{
	struct ha_net_address a[4];
	bool done = false;

	four(a);
	for (long nth = 0; !done; nth++) {
		struct fake_nl *f = fake_new();
		struct place p = {.f = f};
		struct ha_nl_transport t = fake_transport(f);
		struct ha_net_opts o = {.size = sizeof(o), .transport = &t};
		int n = 0, r;

		assert_true(nth < 50);
		f->userdata = &p;
		fail_in = nth;
		r = ha_net_new(&o, &p.n);
		if (!r) {
			f->on_send = answer;
			r = ha_net_address_add(p.n, a, 4, NULL);
		} else {
			assert_int_equal(f->n_closes, 0);
		}
		if (!r) {
			f->on_send = two_addresses;
			f->n_sends = 1;
			r = ha_net_address_list(p.n, 0, AF_UNSPEC, count, &n);
			assert_int_equal(n, r ? 0 : 2);
		}
		done = fail_in >= 0;
		fail_in = -1;
		assert_int_equal(r, done ? 0 : -ENOMEM);
		ha_net_free(p.n);
		fake_free(f);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(each_address_gets_its_own_status),
	    T(the_value_is_the_first_error_in_the_callers_order),
	    T(answers_in_disorder_are_not_believed),
	    T(adopted_and_gone_are_no_errors),
	    T(nothing_is_known_after_lost_answers),
	    T(a_caller_with_another_size_is_understood),
	    T(misuse_is_refused),
	    T(a_list_is_given_when_it_is_whole_and_filtered),
	    cmocka_unit_test(any_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("libha/net/addr", tests, NULL, NULL);
}
