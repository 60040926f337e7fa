/* SPDX-License-Identifier: MIT */
/*
 * What a real nf_tables (tests/netns/vrrp_accept.c) does not do on demand: a transaction that fails, an
 * answer that gets lost, memory that is short. The other end is a transport that answers as each test
 * tells it.
 */
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libha/vrrp_accept.h>

#include "../net/fake_nl.h"
#include "tests/support/fail_memory.h"
#include "nft/names.h"

#define NFT(type) (NFNL_SUBSYS_NFTABLES << 8 | (type))

/* How the far end behaves; all zero: an empty nf_tables that takes everything. */
static struct behaviour {
	int no_nf_tables;  /* the error of GETGEN */
	const char *table; /* the comment of a table that is there */
	int refuse_error;  /* of each set */
	bool loses;	   /* the answer to a transaction */
	uint32_t generation;
	const char *chain; /* of the table; NULL: it has none */
	int n_transactions, n_seals, n_elements; /* the seal has a transaction of its own, which is not among the others */
	uint16_t first; /* message of the transaction, after its begin */
} far;

static struct fake_nl *fake;

static void push_table(struct fake_nl *f, uint32_t seq)
{
	uint8_t buf[512];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t m = nl_msg_begin(&w, NFT(NFT_MSG_NEWTABLE), 0);

	nl_nfgen_put(&w, 1, 0);
	nft_comment_put(&w, NFTA_TABLE_USERDATA, far.table);
	nl_msg_end(&w, m);
	fake_push_msg(f, &w, seq, FAKE_PORT);
}

static void push_generation(struct fake_nl *f, uint32_t seq)
{
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t m = nl_msg_begin(&w, NFT(NFT_MSG_NEWGEN), 0);

	nl_nfgen_put(&w, 0, 0);
	nl_attr_put_be32(&w, NFTA_GEN_ID, far.generation);
	nl_msg_end(&w, m);
	fake_push_msg(f, &w, seq, FAKE_PORT);
}

static void push_chain(struct fake_nl *f, uint32_t seq)
{
	uint8_t buf[128];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t m = nl_msg_begin(&w, NFT(NFT_MSG_NEWCHAIN), NLM_F_MULTI);

	nl_nfgen_put(&w, 1, 0);
	nl_attr_put_str(&w, NFTA_CHAIN_TABLE, "hawser-vrrp");
	nl_attr_put_str(&w, NFTA_CHAIN_NAME, far.chain);
	nl_msg_end(&w, m);
	fake_push_msg(f, &w, seq, FAKE_PORT);
}

static void answer_question(struct fake_nl *f, const struct nl_msg *msg)
{
	int error = msg->type == NFT(NFT_MSG_GETGEN) ? far.no_nf_tables : 0;

	if (msg->type == NFT(NFT_MSG_GETGEN) && !error)
		push_generation(f, msg->seq);
	if (msg->type == NFT(NFT_MSG_GETCHAIN) && far.chain)
		push_chain(f, msg->seq);
	if (msg->type == NFT(NFT_MSG_GETTABLE) && far.table)
		push_table(f, msg->seq);
	else if (msg->type == NFT(NFT_MSG_GETTABLE))
		error = -ENOENT;
	fake_push_error(f, NLMSG_ERROR, msg->seq, error, 0, NULL);
}

static int count_elements(struct reader body)
{
	struct nl_nfgen h;
	struct nl_attr a, e;
	int n = 0;

	nl_nfgen_take(&body, &h);
	while (nl_attr_next(&body, &a))
		while (a.type == NFTA_SET_ELEM_LIST_ELEMENTS && nl_attr_next(&a.data, &e))
			n++;
	return n;
}

static bool is_seal(struct reader r)
{
	struct nl_msg msg;

	return nl_msg_next(&r, &msg) && nl_msg_next(&r, &msg) && msg.type == NFT(NFT_MSG_DELRULE);
}

static void answer_transaction(struct fake_nl *f, struct reader r)
{
	bool seal = is_seal(r);
	struct nl_msg msg;

	far.n_transactions += !seal;
	far.n_seals += seal;
	far.generation++;
	if (far.loses) {
		fake_push(f, NULL, 0, -ENOBUFS);
		return;
	}
	for (size_t i = 0; nl_msg_next(&r, &msg); i++) {
		bool refused = far.refuse_error && msg.type == NFT(NFT_MSG_NEWSET);

		if (i == 1 && !seal)
			far.first = msg.type;
		if (msg.type == NFT(NFT_MSG_NEWSETELEM))
			far.n_elements += count_elements(msg.body);
		if (refused || msg.flags & NLM_F_ACK)
			fake_push_error(f, NLMSG_ERROR, msg.seq, refused ? far.refuse_error : 0, 0,
					NULL);
	}
}

static void on_send(struct fake_nl *f, const void *buf, size_t len)
{
	struct reader r = reader_of(buf, len), all = r;
	struct nl_msg msg;

	assert_true(nl_msg_next(&r, &msg));
	if (msg.type == NFNL_MSG_BATCH_BEGIN)
		answer_transaction(f, all);
	else
		answer_question(f, &msg);
}

static int setup(void **state)
{
	far = (struct behaviour){0};
	fake = fake_new();
	fake->on_send = on_send;
	return 0;
}

static int teardown(void **state)
{
	fake_free(fake);
	return 0;
}

static int open_far(struct ha_vrrp_accept **ret)
{
	const struct ha_nl_transport t = fake_transport(fake);
	const struct ha_vrrp_accept_opts o = {.size = sizeof(o), .transport = &t};

	return ha_vrrp_accept_open(&o, ret);
}

static struct ha_vrrp_refused refused(const char *text, uint32_t ifindex)
{
	struct ha_vrrp_refused f = {.ifindex = ifindex};

	assert_int_equal(ha_ip_parse(text, &f.ip), 0);
	return f;
}

static void a_kernel_without_nf_tables_is_told_from_one_that_forbids(void **state)
{
	struct ha_vrrp_accept *a = NULL;

	far.no_nf_tables = -EINVAL;
	assert_int_equal(open_far(&a), -EOPNOTSUPP);
	far.no_nf_tables = -EPERM;
	assert_int_equal(open_far(&a), -EPERM);
	assert_null(a);
	assert_int_equal(fake->n_closes, 0); /* it stays the caller's */
}

static void each_address_stands_in_the_table_once(void **state)
{
	const struct ha_vrrp_refused all[] = {refused("10.9.0.1", 1),	 refused("fe80::1", 2),
					      refused("10.9.0.1", 2),	 refused("fe80::1", 3),
					      refused("2001:db8::1", 1), refused("fe80::1", 2),
					      refused("2001:db8::1", 9)};
	struct ha_vrrp_accept *a;

	assert_int_equal(open_far(&a), 0);
	assert_int_equal(ha_vrrp_accept_set(a, all, 7), 0);
	assert_int_equal(far.n_elements, 4); /* link-local: one on each of two interfaces */
	assert_int_equal(far.first, NFT(NFT_MSG_NEWTABLE));
	ha_vrrp_accept_close(a);
	assert_int_equal(fake->n_closes, 1);
}

static void our_table_is_replaced_in_one_transaction(void **state)
{
	const struct ha_vrrp_refused one = refused("10.9.0.1", 0);
	struct ha_vrrp_accept *a;

	far.table = "virtual addresses that accept nothing";
	assert_int_equal(open_far(&a), 0);
	assert_int_equal(ha_vrrp_accept_set(a, &one, 1), 0);
	assert_int_equal(far.first, NFT(NFT_MSG_DELTABLE));
	assert_int_equal(far.n_transactions, 1);
	far.table = "somebody's";
	assert_int_equal(ha_vrrp_accept_set(a, &one, 1), -EEXIST);
	assert_int_equal(ha_vrrp_accept_set(a, NULL, 0), 0);
	assert_int_equal(far.n_transactions, 1);
	ha_vrrp_accept_close(a);
}

/* What it counted stays: it is made anew only when it is not as wanted, or somebody changed it. */
static void a_table_that_is_as_wanted_is_left_alone(void **state)
{
	const struct ha_vrrp_refused one = refused("10.9.0.1", 0), other = refused("10.9.0.2", 0);
	struct ha_vrrp_accept *a;

	assert_int_equal(open_far(&a), 0);
	far.chain = "input";
	assert_int_equal(ha_vrrp_accept_set(a, &one, 1), 0);
	far.table = "virtual addresses that accept nothing";
	assert_int_equal(far.n_transactions, 1);
	assert_int_equal(ha_vrrp_accept_set(a, &one, 1), 0);
	far.generation++; /* somebody changed another table */
	assert_int_equal(ha_vrrp_accept_set(a, &one, 1), 0);
	assert_int_equal(far.n_transactions, 1);
	far.generation++; /* and now ours */
	far.chain = "output";
	assert_int_equal(ha_vrrp_accept_set(a, &one, 1), 0);
	assert_int_equal(far.n_transactions, 2);
	assert_int_equal(ha_vrrp_accept_set(a, &other, 1), 0);
	assert_int_equal(far.n_transactions, 3);
	assert_int_equal(far.n_seals, 3);
	ha_vrrp_accept_close(a);
}

static void misuse_is_refused(void **state)
{
	const struct ha_vrrp_refused odd = {.ip.family = 77};
	struct ha_vrrp_accept *a;

	assert_int_equal(ha_vrrp_accept_open(NULL, NULL), -EINVAL);
	assert_int_equal(ha_vrrp_accept_set(NULL, NULL, 0), -EINVAL);
	assert_int_equal(open_far(&a), 0);
	assert_int_equal(ha_vrrp_accept_set(a, NULL, 1), -EINVAL);
	assert_int_equal(ha_vrrp_accept_set(a, &odd, 1), -EINVAL);
	assert_int_equal(far.n_transactions, 0);
	ha_vrrp_accept_close(a);
}

static void errors_of_the_kernel_are_told(void **state)
{
	const struct ha_vrrp_refused one = refused("10.9.0.1", 0);
	struct ha_vrrp_accept *a;

	assert_int_equal(open_far(&a), 0);
	far.refuse_error = -EOPNOTSUPP;
	assert_int_equal(ha_vrrp_accept_set(a, &one, 1), -EOPNOTSUPP);
	far.refuse_error = 0;
	far.loses = true;
	assert_int_equal(ha_vrrp_accept_set(a, &one, 1), -ENOBUFS);
	far.loses = false;
	assert_int_equal(ha_vrrp_accept_set(a, &one, 1), 0);
	ha_vrrp_accept_close(a);
}

/* Each allocation fails once; nothing is half done, and all is given back (the sanitizer looks). */
static void no_memory_is_an_error_and_leaves_nothing(void **state)
{
	const struct ha_vrrp_refused one = refused("10.9.0.1", 0);
	bool whole = false;

	for (long nth = 0; nth < 20 && !whole; nth++) {
		struct ha_vrrp_accept *a = NULL;
		int r;

		fail_in = nth;
		r = open_far(&a);
		if (!r)
			r = ha_vrrp_accept_set(a, &one, 1);
		whole = fail_in >= 0;
		fail_in = -1;
		assert_int_equal(r, whole ? 0 : -ENOMEM);
		ha_vrrp_accept_close(a);
	}
	assert_true(whole);
	assert_int_equal(far.n_transactions, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_kernel_without_nf_tables_is_told_from_one_that_forbids),
	    T(each_address_stands_in_the_table_once),
	    T(our_table_is_replaced_in_one_transaction),
	    T(a_table_that_is_as_wanted_is_left_alone),
	    T(misuse_is_refused),
	    T(errors_of_the_kernel_are_told),
	    T(no_memory_is_an_error_and_leaves_nothing),
	};

	return cmocka_run_group_tests_name("vrrp/accept", tests, NULL, NULL);
}
