/* SPDX-License-Identifier: MIT */
/*
 * What a real nf_tables (tests/netns/nft.sh) does not do on demand: transactions that fail, answers that
 * lie or get lost. The other end is a transport that answers as each test tells it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libha/nft.h>

#include "../net/fake_nl.h"
#include "tests/support/fail_memory.h"
#include "flows.h"
#include "nft/audit.h"
#include "nft/names.h"
#include "nft/put.h"
#include "nft/sets.h"
#include "words.h"

#define NFT(type) (NFNL_SUBSYS_NFTABLES << 8 | (type))
#define N_STEPS 4

/* How the far end behaves; all zero: an empty nf_tables that takes everything. */
static struct behaviour {
	int no_nf_tables, no_table_answer; /* errors of GETGEN and GETTABLE */
	const char *table;		   /* the comment of a table that is there */
	bool interrupted;		   /* every dump */
	uint16_t refuse_type;		   /* messages of this type fail .. */
	int refuse_error;		   /* .. so */
	bool loses;			   /* the answer to a transaction */
	size_t n_transactions;
	int no_conntrack, no_flows, no_delete; /* errors: its probe, its dump, each deletion */
	const char *flows[4];		       /* what it tracks (flows.h) */
	size_t n_deleted;
	char first[16]; /* in the transaction, after its begin: the type */
	const char *changing; /* each set has an element, and the first dump of this one's is interrupted */
	size_t n_interrupted;
} far;

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

/* One element in each set. */
static void push_element(struct fake_nl *f, uint32_t seq)
{
	const uint8_t key[4] = {10, 0, 0, 1};
	struct nl_batch b = {0};
	struct nft_ruleset r = {.batch = &b, .table = "t"};
	struct nft_elements e = {.r = &r, .set = "s", .type = NFT_MSG_NEWSETELEM};
	struct writer w;

	nft_put_element(&e, key, sizeof(key), NULL);
	nft_end_elements(&e);
	w = writer_of(b.buf, b.len);
	write_room(&w, b.len);
	fake_push_msg(f, &w, seq, FAKE_PORT);
	nl_batch_fini(&b);
}

/* The set that a question is about. */
static bool is_about(const struct nl_msg *msg, const char *set)
{
	struct reader body = msg->body;
	struct nl_attr a;

	read_bytes(&body, 4);
	while (nl_attr_next(&body, &a))
		if (a.type == NFTA_SET_ELEM_LIST_SET)
			return !strcmp((const char *)a.data.at, set);
	return false;
}

static void answer_elements(struct fake_nl *f, const struct nl_msg *msg)
{
	bool interrupted = is_about(msg, far.changing) && !far.n_interrupted++;

	push_element(f, msg->seq);
	fake_push_error(f, NLMSG_DONE, msg->seq, 0, NLM_F_MULTI | (interrupted ? NLM_F_DUMP_INTR : 0), NULL);
}

static void answer_question(struct fake_nl *f, const struct nl_msg *msg)
{
	int error = 0;

	if (msg->type == NFT(NFT_MSG_GETSETELEM) && far.changing) {
		answer_elements(f, msg);
		return;
	}
	if (msg->flags & NLM_F_DUMP) {
		fake_push_error(f, NLMSG_DONE, msg->seq, 0,
				NLM_F_MULTI | (far.interrupted ? NLM_F_DUMP_INTR : 0), NULL);
		return;
	}
	if (msg->type == NFT(NFT_MSG_GETGEN))
		error = far.no_nf_tables;
	else if (msg->type == NFT(NFT_MSG_GETTABLE))
		error = far.no_table_answer ? far.no_table_answer : far.table ? 0 : -ENOENT;
	if (!error && msg->type == NFT(NFT_MSG_GETTABLE))
		push_table(f, msg->seq);
	fake_push_error(f, NLMSG_ERROR, msg->seq, error, 0, NULL);
}

#define CT(type) (NFNL_SUBSYS_CTNETLINK << 8 | (type))

static void answer_conntrack(struct fake_nl *f, const struct nl_msg *msg, struct reader all)
{
	struct nl_msg each;

	if (msg->type == CT(IPCTNL_MSG_CT_GET_STATS)) {
		fake_push_error(f, NLMSG_ERROR, msg->seq, far.no_conntrack, 0, NULL);
	} else if (msg->type == CT(IPCTNL_MSG_CT_GET)) {
		for (size_t i = 0; i < 4 && far.flows[i] && !far.no_flows; i++) {
			uint8_t buf[1024];
			struct writer w = writer_of(buf, sizeof(buf));
			size_t m = nl_msg_begin(&w, CT(IPCTNL_MSG_CT_NEW), NLM_F_MULTI);

			put_flow(&w, far.flows[i]);
			nl_msg_end(&w, m);
			fake_push_msg(f, &w, msg->seq, FAKE_PORT);
		}
		fake_push_error(f, NLMSG_DONE, msg->seq, far.no_flows, NLM_F_MULTI, NULL);
	} else {
		while (nl_msg_next(&all, &each)) {
			assert_int_equal(each.type, CT(IPCTNL_MSG_CT_DELETE));
			far.n_deleted++;
			if (far.no_delete || each.flags & NLM_F_ACK)
				fake_push_error(f, NLMSG_ERROR, each.seq, far.no_delete, 0, NULL);
		}
	}
}

/* As the kernel: an error for each message that fails, an answer to each that asked for one. */
static void answer_transaction(struct fake_nl *f, struct reader r)
{
	struct nl_msg msg;

	far.n_transactions++;
	if (far.loses) {
		fake_push(f, NULL, 0, -ENOBUFS);
		return;
	}
	for (size_t i = 0; nl_msg_next(&r, &msg); i++) {
		bool refused = far.refuse_error && msg.type == far.refuse_type;

		if (i == 1)
			snprintf(far.first, sizeof(far.first), "%d", msg.type & 0xff);
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
	else if (msg.type >> 8 == NFNL_SUBSYS_CTNETLINK)
		answer_conntrack(f, &msg, all);
	else
		answer_question(f, &msg);
}

static struct fake_nl *fake;

static int open_far(struct ha_nft **ret)
{
	const struct ha_nl_transport t = fake_transport(fake);
	const struct ha_nft_opts o = {.size = sizeof(o), .transport = &t};

	return ha_nft_open(&o, ret);
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

static struct told {
	struct ha_nft *nft;
	size_t n;
	int error[N_STEPS], again;
} told;

static void tell(void *userdata, const struct ha_service_step *step, int error)
{
	struct ha_service_table *t;

	assert_ptr_equal(userdata, &told);
	assert_int_equal(step->index, told.n);
	told.error[told.n++] = error;
	told.again = ha_nft_dump(told.nft, &t);
}

/* Applies two services with a destination each, from nothing. */
static int apply_two(struct ha_nft *n)
{
	const struct ha_service_apply_ops ops = {.size = sizeof(ops), .done = tell};
	struct ha_service_table *none = table_of("");
	struct ha_service_table *want = table_of(
	    "tcp 192.0.2.1 80 rr\n 10.0.0.1 80 NAT 1\ntcp 192.0.2.2 80 sh\n 10.0.0.1 80 NAT 1");
	struct ha_service_plan *p;
	int r;

	told = (struct told){.nft = n};
	assert_int_equal(ha_service_plan(want, none, &p), 0);
	r = ha_nft_apply(n, p, &ops, &told);
	assert_int_equal(told.n, N_STEPS);
	ha_service_plan_free(p);
	ha_service_table_free(want);
	ha_service_table_free(none);
	return r;
}

static void assert_told(int a, int b, int c, int d)
{
	const int want[N_STEPS] = {a, b, c, d};

	for (size_t i = 0; i < N_STEPS; i++)
		assert_int_equal(told.error[i], want[i]);
}

static void a_kernel_without_nf_tables_is_not_supported(void **state)
{
	struct ha_nft *n;

	far.no_nf_tables = -EINVAL; /* nfnetlink knows no such subsystem */
	assert_int_equal(open_far(&n), -EOPNOTSUPP);
	far.no_nf_tables = -EPERM;
	assert_int_equal(open_far(&n), -EPERM);
	assert_int_equal(fake->n_closes, 0); /* the transport is still ours */
}

static void a_plan_is_one_transaction(void **state)
{
	struct ha_nft *n;

	assert_int_equal(open_far(&n), 0);
	assert_int_equal(apply_two(n), 0);
	assert_told(0, 0, 0, 0);
	assert_int_equal(far.n_transactions, 1);
	assert_int_equal(told.again, -EBUSY); /* in a callback */
	ha_nft_close(n);
	assert_int_equal(fake->n_closes, 1);
}

static void the_first_error_is_told_for_its_service_the_others_are_cancelled(void **state)
{
	struct ha_nft *n;

	assert_int_equal(open_far(&n), 0);
	far.refuse_type = NFT(NFT_MSG_NEWSETELEM); /* of both services */
	far.refuse_error = -EEXIST;
	assert_int_equal(apply_two(n), -EEXIST);
	assert_told(-EEXIST, -ECANCELED, -ECANCELED, -ECANCELED);
	far.refuse_error = 0; /* and the object is as good as new */
	assert_int_equal(apply_two(n), 0);
	ha_nft_close(n);
}

static void what_belongs_to_no_service_is_told_for_all_steps(void **state)
{
	struct ha_nft *n;

	assert_int_equal(open_far(&n), 0);
	far.refuse_type = NFT(NFT_MSG_NEWTABLE);
	far.refuse_error = -ENOSPC;
	assert_int_equal(apply_two(n), -ENOSPC);
	assert_told(-ENOSPC, -ENOSPC, -ENOSPC, -ENOSPC);
	far.refuse_type = NFNL_MSG_BATCH_BEGIN;
	far.refuse_error = -EPERM;
	assert_int_equal(apply_two(n), -EPERM);
	assert_told(-EPERM, -EPERM, -EPERM, -EPERM);
	ha_nft_close(n);
}

static void a_lost_answer_leaves_every_step_unknown(void **state)
{
	struct ha_nft *n;

	assert_int_equal(open_far(&n), 0);
	far.loses = true;
	assert_int_equal(apply_two(n), -ENOBUFS);
	assert_told(-ENOBUFS, -ENOBUFS, -ENOBUFS, -ENOBUFS);
	far.loses = false;
	far.no_table_answer = -EIO; /* before anything is sent */
	assert_int_equal(apply_two(n), -EIO);
	assert_told(-EIO, -EIO, -EIO, -EIO);
	assert_int_equal(far.n_transactions, 1);
	ha_nft_close(n);
}

static void a_table_of_somebody_else_is_replaced(void **state)
{
	struct ha_service_table *t;
	char delete_table[8];
	struct ha_nft *n;

	snprintf(delete_table, sizeof(delete_table), "%d", NFT_MSG_DELTABLE);
	assert_int_equal(open_far(&n), 0);
	far.table = "virtual services of hawser, format 1";
	assert_int_equal(ha_nft_dump(n, &t), 0);
	assert_int_equal(ha_service_table_count(t), 0);
	ha_service_table_free(t);
	far.refuse_type = NFT(NFT_MSG_DELTABLE);
	far.refuse_error = -EBUSY;
	assert_int_equal(apply_two(n), -EBUSY);
	far.refuse_error = 0; /* what failed is still to be done */
	far.first[0] = '\0';
	assert_int_equal(apply_two(n), 0);
	assert_string_equal(far.first, delete_table);
	ha_nft_close(n);
}

static void a_dump_that_never_ends_whole_is_given_up(void **state)
{
	struct ha_service_table *t = NULL;
	struct ha_nft *n;

	assert_int_equal(open_far(&n), 0);
	far.table = NFT_TABLE_COMMENT;
	far.interrupted = true;
	assert_int_equal(ha_nft_dump(n, &t), -EAGAIN);
	assert_null(t);
	ha_nft_close(n);
}

/* Or each service behind it would look changed by somebody else, and all of the table be made anew. */
static void an_audit_that_begins_again_forgets_what_it_read(void **state)
{
	struct ha_service_table *t = table_of("");
	struct ha_nft *n;

	for (unsigned group = 0; group < NFT_N_GROUPS; group++) {
		struct ha_service_opts o = service_of("tcp 192.0.2.1 80 rr");

		o.flags = HA_SERVICE_MASQUERADE;
		o.port = (uint16_t)(80 + group);
		assert_int_equal(ha_service_add(t, &o, NULL), 0);
	}
	assert_int_equal(open_far(&n), 0);
	for (unsigned group = 0; group < NFT_N_GROUPS; group++) {
		far.changing = nft_masquerade_set(group);
		far.n_interrupted = 0;
		assert_int_equal(nft_audit(n, t), 1);
		assert_int_equal(far.n_interrupted, 2);
	}
	ha_nft_close(n);
	ha_service_table_free(t);
}

static void memory_failure_changes_nothing(void **state)
{
	struct ha_service_table *none = table_of(""), *want;
	struct ha_service_plan *p;
	struct ha_nft *n;
	long at = 0;
	int r;

	want = table_of("tcp 192.0.2.1 80 rr 60\n 10.0.0.1 80 NAT 1");
	assert_int_equal(ha_service_plan(want, none, &p), 0);
	do {
		assert_int_equal(open_far(&n), 0);
		fail_in = at++;
		r = ha_nft_apply(n, p, NULL, NULL);
		fail_in = -1;
		assert_true(r == 0 || r == -ENOMEM);
		assert_int_equal(far.n_transactions, r ? 0 : 1);
		ha_nft_close(n);
	} while (r && at < 100);
	assert_int_equal(r, 0);
	assert_true(at > 3);
	ha_service_plan_free(p);
	ha_service_table_free(want);
	ha_service_table_free(none);
}

/* From one table to another, told to nobody. */
static int bring(struct ha_nft *n, const char *from, const char *to)
{
	struct ha_service_table *have = table_of(from), *want = table_of(to);
	struct ha_service_plan *p;
	int r;

	assert_int_equal(ha_service_plan(want, have, &p), 0);
	r = ha_nft_apply(n, p, NULL, NULL);
	ha_service_plan_free(p);
	ha_service_table_free(want);
	ha_service_table_free(have);
	return r;
}

static void a_table_that_went_since_the_dump_is_not_half_made(void **state)
{
	struct ha_nft *n;

	assert_int_equal(open_far(&n), 0);
	assert_int_equal(bring(n, "tcp 192.0.2.1 80 rr\n 10.0.0.1 80 NAT 1",
			       "tcp 192.0.2.1 80 rr\n 10.0.0.1 80 NAT 1\n"
			       "tcp 192.0.2.2 80 rr\n 10.0.0.1 80 NAT 1"),
			 -ENOENT);
	assert_int_equal(far.n_transactions, 0);
	ha_nft_close(n);
}

static void only_what_must_not_stay_is_forgotten(void **state)
{
	const struct ha_nl_transport t = fake_transport(fake);
	struct ha_nft_opts o = {.size = sizeof(o), .transport = &t};
	struct ha_nft *n, *cuts;

	far.table = NFT_TABLE_COMMENT;
	far.flows[0] = "udp 192.0.2.1 53 10.0.0.1 53 -1";
	far.flows[1] = "udp 192.0.2.1 53 10.0.0.2 53 -1";
	far.flows[2] = "udp 192.0.2.2 53 192.0.2.2 53 -1"; /* went past */
	far.flows[3] = "tcp 192.0.2.1 53 10.0.0.1 53 3";
	assert_int_equal(ha_nft_open(&o, &n), 0);
	o.cut_removed = true;
	assert_int_equal(ha_nft_open(&o, &cuts), 0);
	assert_int_equal(bring(n, "udp 192.0.2.1 53 rr\n 10.0.0.1 53 NAT 1",
			       "udp 192.0.2.1 53 rr\n 10.0.0.1 53 NAT 0\n 10.0.0.2 53 NAT 1"),
			 0);
	assert_int_equal(far.n_deleted, 0);
	assert_int_equal(bring(n, "udp 192.0.2.1 53 rr\n 10.0.0.1 53 NAT 1\n 10.0.0.2 53 NAT 1",
			       "udp 192.0.2.1 53 rr\n 10.0.0.2 53 NAT 1"),
			 0);
	assert_int_equal(far.n_deleted, 1);
	assert_int_equal(bring(n, "", "udp 192.0.2.2 53 rr\n 10.0.0.2 53 NAT 1"), 0);
	assert_int_equal(far.n_deleted, 2);
	assert_int_equal(bring(n, "tcp 192.0.2.1 53 rr\n 10.0.0.1 53 NAT 1", ""), 0);
	assert_int_equal(far.n_deleted, 2); /* established ones go on */
	assert_int_equal(bring(cuts, "tcp 192.0.2.1 53 rr\n 10.0.0.1 53 NAT 1", ""), 0);
	assert_int_equal(far.n_deleted, 3);
	ha_nft_close(cuts);
	ha_nft_close(n);
}

static void what_could_not_be_forgotten_is_an_error_after_the_steps(void **state)
{
	struct ha_nft *n;

	far.flows[0] = "udp 192.0.2.1 53 10.0.0.1 53 -1";
	assert_int_equal(open_far(&n), 0);
	far.no_delete = -ENOENT; /* it went by itself */
	assert_int_equal(bring(n, "udp 192.0.2.1 53 rr\n 10.0.0.1 53 NAT 1", ""), 0);
	far.no_delete = -EPERM;
	assert_int_equal(bring(n, "udp 192.0.2.1 53 rr\n 10.0.0.1 53 NAT 1", ""), -EPERM);
	far.no_flows = -ENOMEM;
	assert_int_equal(bring(n, "udp 192.0.2.1 53 rr\n 10.0.0.1 53 NAT 1", ""), -ENOMEM);
	ha_nft_close(n);
}

static void a_kernel_without_ctnetlink_balances_all_the_same(void **state)
{
	struct ha_nft *n;

	assert_int_equal(open_far(&n), 0);
	assert_true(ha_nft_caps(n) & HA_CAP_ACTIVE_CONNS);
	ha_nft_close(n);
	far.no_conntrack = -EINVAL; /* nfnetlink knows no such subsystem */
	assert_int_equal(open_far(&n), 0);
	assert_false(ha_nft_caps(n) & HA_CAP_ACTIVE_CONNS);
	assert_int_equal(bring(n, "udp 192.0.2.1 53 rr\n 10.0.0.1 53 NAT 1", ""), 0);
	assert_int_equal(far.n_deleted, 0);
	ha_nft_close(n);
}

/* What nft(8) takes without quotes. */
static void the_name_of_the_table_has_a_form(void **state)
{
	static const struct {
		const char *name;
		int result;
	} rows[] = {
	    {"a", 0},
	    {"Zz", 0},
	    {"a_b.c-9", 0},
	    {"", -EINVAL},
	    {"9a", -EINVAL},
	    {"-a", -EINVAL},
	    {"a b", -EINVAL},
	    {"a;b", -EINVAL},
	    {"\xc3\xa4", -EINVAL},
	    {"a/b", -EINVAL},
	    {"a:", -EINVAL},
	    {"a@", -EINVAL},
	    {"a`", -EINVAL},
	    {"a{", -EINVAL},
	    {"a[", -EINVAL},
	    {"abcdefghijabcdefghijabcdefghija", 0}, /* 31 */
	    {"abcdefghijabcdefghijabcdefghijab", -EINVAL},
	};
	const struct ha_nl_transport t = fake_transport(fake);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct ha_nft_opts o = {
		    .size = sizeof(o), .transport = &t, .table = rows[i].name};
		struct ha_nft *n = NULL;

		assert_int_equal(ha_nft_open(&o, &n), rows[i].result);
		ha_nft_close(n);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_kernel_without_nf_tables_is_not_supported),
	    TEST(the_name_of_the_table_has_a_form),
	    TEST(a_plan_is_one_transaction),
	    TEST(the_first_error_is_told_for_its_service_the_others_are_cancelled),
	    TEST(what_belongs_to_no_service_is_told_for_all_steps),
	    TEST(a_lost_answer_leaves_every_step_unknown),
	    TEST(a_table_of_somebody_else_is_replaced),
	    TEST(a_dump_that_never_ends_whole_is_given_up),
	    TEST(an_audit_that_begins_again_forgets_what_it_read),
	    TEST(memory_failure_changes_nothing),
	    TEST(a_table_that_went_since_the_dump_is_not_half_made),
	    TEST(only_what_must_not_stay_is_forgotten),
	    TEST(what_could_not_be_forgotten_is_an_error_after_the_steps),
	    TEST(a_kernel_without_ctnetlink_balances_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
