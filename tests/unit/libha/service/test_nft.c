/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <libha/nft.h>

#include "tests/support/fail_memory.h"
#include "nft/expr.h"
#include "nft/read.h"
#include "nft/ruleset.h"
#include "nft/slots.h"
#include "service/plan.h"
#include "words.h"

/* ---- Slots ---- */

/* The slots as letters, the first destination is A. */
static void slots_text(const char *table, char *ret)
{
	struct ha_service_table *t = table_of(table);
	const struct ha_service *s = ha_service_next(t, NULL);
	const struct ha_dest **slots;
	uint32_t n;

	assert_int_equal(nft_slots(s, &slots, &n), 0);
	for (uint32_t i = 0; i < n; i++) {
		char letter = 'A';

		for (const struct ha_dest *d = NULL; (d = ha_dest_next(s, d)) != slots[i];)
			letter++;
		*ret++ = letter;
	}
	*ret = '\0';
	free(slots);
	ha_service_table_free(t);
}

static void slots_follow_the_weights_evenly(void **state)
{
	static const struct {
		const char *table, *slots;
	} rows[] = {
	    {"tcp 192.0.2.1 80 wrr", ""},
	    {"tcp 192.0.2.1 80 wrr\n 10.0.0.1 80 NAT 0", ""},
	    {"tcp 192.0.2.1 80 wrr\n 10.0.0.1 80 NAT 3\n 10.0.0.2 80 NAT 1", "AABA"},
	    {"tcp 192.0.2.1 80 wrr\n 10.0.0.1 80 NAT 300\n 10.0.0.2 80 NAT 100", "AABA"},
	    {"tcp 192.0.2.1 80 rr\n 10.0.0.1 80 NAT 300\n 10.0.0.2 80 NAT 1\n 10.0.0.3 80 NAT 0",
	     "AB"},
	    {"tcp 192.0.2.1 80 sh\n 10.0.0.1 80 NAT 2\n 10.0.0.2 80 NAT 2\n 10.0.0.3 80 NAT 4",
	     "CABC"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[64];

		slots_text(rows[i].table, text);
		assert_string_equal(text, rows[i].slots);
	}
}

static void failover_is_the_first_of_the_greatest_weight(void **state)
{
	char text[64];

	slots_text(
	    "tcp 192.0.2.1 80 fo\n 10.0.0.1 80 NAT 1\n 10.0.0.2 80 NAT 3\n 10.0.0.3 80 NAT 3",
	    text);
	assert_string_equal(text, "B");
	slots_text("tcp 192.0.2.1 80 fo\n 10.0.0.1 80 NAT 0", text);
	assert_string_equal(text, "");
}

static struct ha_service_table *with_slots(const uint16_t *dests, size_t n)
{
	struct ha_service_opts o = service_of("tcp 192.0.2.1 80 mh");
	struct ha_dest_opts a = dest_of("10.0.0.1 80 NAT 1"), b = dest_of("10.0.0.2 80 NAT 1");
	struct ha_service_table *t = table_of("");
	struct ha_service *s;

	o.flags = HA_SERVICE_SLOTS;
	assert_int_equal(ha_service_add(t, &o, &s), 0);
	assert_int_equal(ha_dest_set(s, &a, NULL), 0);
	assert_int_equal(ha_dest_set(s, &b, NULL), 0);
	assert_int_equal(ha_service_set_slots(s, dests, n), 0);
	return t;
}

static void the_callers_slots_are_taken_and_described(void **state)
{
	static const uint16_t dests[] = {1, 0, 1};
	struct ha_service_table *t = with_slots(dests, 3);
	const struct ha_service *s = ha_service_next(t, NULL);
	const struct ha_dest **slots;
	char comment[NFT_COMMENT_SIZE], scheduler[HA_SERVICE_NAME_SIZE];
	struct service_slots again;
	struct ha_service_opts o;
	uint32_t n;

	assert_int_equal(nft_slots(s, &slots, &n), 0);
	assert_int_equal(n, 3);
	assert_ptr_equal(slots[1], ha_dest_next(s, NULL));
	assert_ptr_equal(slots[0], slots[2]);
	free(slots);
	nft_comment_service(&s->o, &s->slots, comment);
	assert_true(nft_comment_read_service(comment, &o, scheduler, &again));
	assert_true(again.n == 3 && again.digest == s->slots.digest && !again.dests);
	ha_service_table_free(t);
}

static void too_many_slots_are_rounded(void **state)
{
	struct ha_service_table *t =
	    table_of("tcp 192.0.2.1 80 wrr\n 10.0.0.1 80 NAT 2147483647\n 10.0.0.2 80 NAT 2147483646\n"
		     " 10.0.0.3 80 NAT 1");
	const struct ha_service *s = ha_service_next(t, NULL);
	const struct ha_dest *first = ha_dest_next(s, NULL),
			     *last = ha_dest_next(s, ha_dest_next(s, first));
	const struct ha_dest **slots;
	uint32_t n, firsts = 0, lasts = 0;

	assert_int_equal(nft_slots(s, &slots, &n), 0);
	assert_true(n <= NFT_SLOTS_EXACT + 3);
	for (uint32_t i = 0; i < n; i++) {
		firsts += slots[i] == first;
		lasts += slots[i] == last;
	}
	assert_int_equal(firsts, NFT_SLOTS_EXACT / 2);
	assert_int_equal(lasts, 1);
	free(slots);
	ha_service_table_free(t);
}

/* ---- Names and comments ---- */

static void services_describe_themselves(void **state)
{
	static const struct {
		const char *service, *name, *comment;
	} rows[] = {
	    {"tcp 192.0.2.1 80 wrr", "tcp-192.0.2.1-80", "service tcp 192.0.2.1 80 wrr 0x0 0/0"},
	    {"udp 2001:db8::1 53 rr 300/64", "udp-2001_db8__1-53",
	     "service udp 2001:db8::1 53 rr 0x0 300/64"},
	    {"fwmark 7 sh", "mark-ipv4-7", "service mark ipv4 7 sh 0x0 0/0"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ha_service_opts o = service_of(rows[i].service), again;
		struct service_slots slots = {0};
		char name[NFT_NAME_SIZE], comment[NFT_COMMENT_SIZE],
		    scheduler[HA_SERVICE_NAME_SIZE];

		service_normalize(&o);
		nft_name_chain(&o, name);
		assert_string_equal(name, rows[i].name);
		nft_comment_service(&o, &slots, comment);
		assert_string_equal(comment, rows[i].comment);
		assert_true(nft_comment_read_service(comment, &again, scheduler, &slots));
		assert_true(service_equal(&o, &again));
		nft_name_chain(&again, name);
		assert_string_equal(name, rows[i].name);
	}
}

static void the_longest_names_fit(void **state)
{
	struct ha_service_opts s =
	    service_of("tcp 2001:db8:1111:2222:3333:4444:5555:6666 65535 rr");
	struct ha_dest_opts d = dest_of("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff 65535 NAT 65535");
	char name[NFT_NAME_SIZE];

	s.protocol = IPPROTO_SCTP;
	nft_name_clients(&s, &d, name);
	assert_string_equal(name, "clients-sctp-2001_db8_1111_2222_3333_4444_5555_6666-65535"
				  "-2001_db8_aaaa_bbbb_cccc_dddd_eeee_ffff-65535");
}

static void foreign_comments_are_not_taken_for_ours(void **state)
{
	static const char *const service[] = {
	    "",
	    "service",
	    "service tcp",
	    "service tcp 192.0.2.1 80 wrr 0x0 0/0 ",
	    "service tcp 192.0.2.1 80 wrr 0x0 0/0 x",
	    "service tcp 192.0.2.1 080 wrr 0x0 0/0",
	    "service tcp 192.0.2.1 65536 wrr 0x0 0/0",
	    "service tcp 192.0.2.1 80 wrr 0x0 -1/0",
	    "service icmp 192.0.2.1 80 wrr 0x0 0/0",
	    "service tcp 192.0.2.1 80 averyveryverylongname 0x0 0/0",
	    "service mark ipv4 0 rr 0x0 0/0",
	    "service mark ipv5 7 rr 0x0 0/0",
	    "service tcp 192.0.2.1 80 wrr 0x100 0/0",
	    "service tcp 192.0.2.1 80 wrr 0x0 99999999999999999999/0",
	    "service tcp 192.0.2.1 80 mh 0x20 0/0",
	    "service tcp 192.0.2.1 80 mh 0x20 0/0 slots 251 123",
	    "service tcp 192.0.2.1 80 mh 0x20 0/0 slots 65538 0123456789abcdef",
	    "service tcp 192.0.2.1 80 mh 0x0 0/0 slots 251 0123456789abcdef",
	};
	static const char *const weight[] = {
	    "",		 "weight",     "weight ", "weight 03", "weight 2147483648",
	    "weight -1", "weight 3 x", "wait 3",
	};
	char scheduler[HA_SERVICE_NAME_SIZE];
	struct service_slots slots;
	struct ha_service_opts s;
	uint32_t n;

	for (size_t i = 0; i < sizeof(service) / sizeof(*service); i++)
		assert_false(nft_comment_read_service(service[i], &s, scheduler, &slots));
	for (size_t i = 0; i < sizeof(weight) / sizeof(*weight); i++)
		assert_false(nft_comment_read_weight(weight[i], &n));
}

static void comments_travel_as_user_data(void **state)
{
	static const uint8_t other_first[] = {5, 1, 'x', 0, 3, 'h', 'i', 0};
	static const uint8_t unended[] = {0, 2, 'h', 'i'};
	static const uint8_t cut[] = {0, 9, 'h', 0};
	char comment[NFT_COMMENT_SIZE];

	assert_true(nft_comment_take(reader_of(other_first, sizeof(other_first)), comment));
	assert_string_equal(comment, "hi");
	assert_false(nft_comment_take(reader_of(unended, sizeof(unended)), comment));
	assert_false(nft_comment_take(reader_of(cut, sizeof(cut)), comment));
	assert_false(nft_comment_take(reader_of(NULL, 0), comment));
}

/* ---- Messages ---- */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static void expressions_have_the_kernels_bytes(void **state)
{
	static const uint8_t golden[] = {
	    52, 0, 1, 0x80,					  /* NFTA_LIST_ELEM */
	    12, 0, 1, 0,    'p', 'a', 'y', 'l', 'o', 'a', 'd', 0, /* NFTA_EXPR_NAME */
	    36, 0, 2, 0x80,					  /* NFTA_EXPR_DATA */
	    8,	0, 1, 0,    0,	 0,   0,   9,			  /* DREG: NFT_REG32_01 */
	    8,	0, 2, 0,    0,	 0,   0,   2,			  /* BASE: transport header */
	    8,	0, 3, 0,    0,	 0,   0,   2,			  /* OFFSET */
	    8,	0, 4, 0,    0,	 0,   0,   2,			  /* LEN */
	};
	uint8_t buf[128];
	struct writer w = writer_of(buf, sizeof(buf));

	nft_expr_payload(&w, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 1);
	assert_false(w.bad);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
}
#endif

static void keys_are_padded_like_registers(void **state)
{
	static const uint8_t golden[] = {192, 0, 2, 1, 6, 0, 0, 0, 0, 80, 0, 0};
	struct ha_service_opts o = service_of("tcp 192.0.2.1 80 rr"), again;
	struct nft_element e = {0};

	e.key_len = nft_key(&o, e.key);
	assert_int_equal(e.key_len, sizeof(golden));
	assert_memory_equal(e.key, golden, sizeof(golden));
	assert_true(nft_read_key(&e, NFT_KIND_PORT4, &again));
	assert_int_equal(again.port, 80);
	assert_int_equal(again.protocol, IPPROTO_TCP);
	assert_false(nft_read_key(&e, NFT_KIND_PORT6, &again));
	assert_false(nft_read_key(&e, NFT_KIND_ANY4, &again));
}

/* The kinds of messages in a batch, "NEWCHAIN NEWSET …" as letters and numbers: the type's number. */
static void batch_types(const struct nl_batch *b, char *ret, size_t cap)
{
	struct reader r = reader_of(b->buf, b->len);
	struct nl_msg msg;
	size_t len = 0;

	*ret = '\0';
	while (nl_msg_next(&r, &msg)) {
		static const char *const names[] = {
		    [NFT_MSG_NEWTABLE] = "+table",  [NFT_MSG_DELTABLE] = "-table",
		    [NFT_MSG_NEWCHAIN] = "+chain",  [NFT_MSG_DELCHAIN] = "-chain",
		    [NFT_MSG_NEWRULE] = "+rule",    [NFT_MSG_DELRULE] = "-rules",
		    [NFT_MSG_NEWSET] = "+set",	    [NFT_MSG_DELSET] = "-set",
		    [NFT_MSG_NEWSETELEM] = "+elem", [NFT_MSG_DELSETELEM] = "-elem",
		    [NFT_MSG_NEWOBJ] = "+counter",  [NFT_MSG_DELOBJ] = "-counter",
		};

		assert_int_equal(msg.type >> 8, NFNL_SUBSYS_NFTABLES);
		len += (size_t)snprintf(ret + len, cap - len, "%s ", names[msg.type & 0xff]);
		assert_true(len < cap);
	}
	assert_false(r.bad);
}

static struct nft_ruleset ruleset_of(struct nl_batch *b)
{
	return (struct nft_ruleset){.batch = b, .table = "hawser", .affinity_max = 10};
}

static void a_service_is_these_messages(void **state)
{
	struct ha_service_table *t = table_of("tcp 192.0.2.1 80 rr 60/24\n 10.0.0.1 80 NAT 1");
	struct nl_batch b = {0};
	struct nft_ruleset r = ruleset_of(&b);
	char types[256];

	assert_int_equal(nft_put_add(&r, ha_service_next(t, NULL)), 0);
	batch_types(&b, types, sizeof(types));
	assert_string_equal(types, "+chain "		      /* of the service */
				   "+chain +set +rule +rule " /* of the destination: its clients */
				   "+elem +elem "	      /* it is known, and counted */
				   "+set +elem +rule +rule +elem "); /* slots, rules, dispatch */
	nl_batch_reset(&b);
	nft_put_remove(&r, ha_service_next(t, NULL));
	batch_types(&b, types, sizeof(types));
	assert_string_equal(types, "-elem -rules -set -elem -elem -rules -chain -set -chain ");
	assert_int_equal(b.error, 0);
	nl_batch_fini(&b);
	ha_service_table_free(t);
}

static void a_change_touches_what_changed(void **state)
{
	struct ha_service_table *have =
	    table_of("tcp 192.0.2.1 80 wrr\n 10.0.0.1 80 NAT 1\n 10.0.0.2 80 NAT 1");
	struct ha_service_table *want =
	    table_of("tcp 192.0.2.1 80 wrr\n 10.0.0.1 80 NAT 0\n 10.0.0.3 80 NAT 1");
	struct ha_service *s = ha_service_next(want, NULL), *old = ha_service_next(have, NULL);
	struct nl_batch b = {0};
	struct nft_ruleset r = ruleset_of(&b);
	struct ha_service_plan *p;
	char types[256];

	assert_int_equal(ha_service_plan(want, have, &p), 0);
	assert_int_equal(p->n, 3);
	assert_int_equal(nft_put_change(&r, s, old, p->steps, p->n), 0);
	batch_types(&b, types, sizeof(types));
	assert_string_equal(types, "-rules -set "      /* the service's chain and slots .. */
				   "+set +elem +rule " /* .. of which there are fewer now */
				   "-elem -elem "      /* 10.0.0.1 to be described anew, 10.0.0.2 */
				   "+elem +elem "); /* 10.0.0.1, 10.0.0.3; the count of 10.0.0.3 */
	ha_service_plan_free(p);
	nl_batch_fini(&b);
	ha_service_table_free(want);
	ha_service_table_free(have);
}

static void as_many_slots_leave_the_rules_alone(void **state)
{
	struct ha_service_table *have =
	    table_of("tcp 192.0.2.1 80 wrr\n 10.0.0.1 80 NAT 1\n 10.0.0.2 80 NAT 3");
	struct ha_service_table *want =
	    table_of("tcp 192.0.2.1 80 wrr\n 10.0.0.1 80 NAT 3\n 10.0.0.2 80 NAT 1");
	struct nl_batch b = {0};
	struct nft_ruleset r = ruleset_of(&b);
	struct ha_service_plan *p;
	char types[256];

	assert_int_equal(ha_service_plan(want, have, &p), 0);
	assert_int_equal(nft_put_change(&r, ha_service_next(want, NULL),
					ha_service_next(have, NULL), p->steps, p->n),
			 0);
	batch_types(&b, types, sizeof(types));
	assert_string_equal(types, "-elem +elem "   /* slots */
				   "-elem +elem "); /* weights */
	ha_service_plan_free(p);
	nl_batch_fini(&b);
	ha_service_table_free(want);
	ha_service_table_free(have);
}

static void memory_failure_is_an_error_everywhere(void **state)
{
	struct ha_service_table *t = table_of("tcp 192.0.2.1 80 rr 60/24\n 10.0.0.1 80 NAT 1");
	long n = 0;
	int r;

	do {
		struct nl_batch b = {0};
		struct nft_ruleset ruleset = ruleset_of(&b);

		fail_in = n++;
		nft_put_begin(&ruleset);
		nft_put_skeleton(&ruleset);
		r = nft_put_add(&ruleset, ha_service_next(t, NULL));
		fail_in = -1;
		if (!r)
			r = b.error;
		assert_true(r == 0 || r == -ENOMEM);
		nl_batch_fini(&b);
	} while (r && n < 100);
	assert_int_equal(r, 0);
	assert_true(n > 3);
	ha_service_table_free(t);
}

/* What we write has the attributes the kernel's answers have: read at every length. */
static void what_is_cut_short_is_refused_at_every_length(void **state)
{
	struct ha_service_table *t = table_of("tcp 192.0.2.1 80 rr\n 10.0.0.1 80 NAT 1");
	struct nl_batch b = {0};
	struct nft_ruleset ruleset = ruleset_of(&b);
	struct nl_msg msg;
	struct reader r;
	size_t rules = 0, elements = 0;

	assert_int_equal(nft_put_add(&ruleset, ha_service_next(t, NULL)), 0);
	r = reader_of(b.buf, b.len);
	while (nl_msg_next(&r, &msg)) {
		size_t len = reader_left(&msg.body), whole = 0;

		for (size_t n = 0; n <= len; n++) {
			struct reader cut = reader_of(msg.body.at, n), list;
			char chain[NFT_NAME_SIZE], comment[NFT_COMMENT_SIZE];
			struct nft_element e;

			if (msg.type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
				rules += nft_read_rule(cut, chain, comment) && *comment && n == len;
			else if (msg.type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM)) {
				if (!nft_read_elements(cut, &list))
					continue;
				while (nft_read_element(&list, &e))
					whole++;
				elements += whole && n == len;
			}
		}
		assert_true(whole <= 1);
	}
	assert_int_equal(rules, 1);
	assert_int_equal(elements, 4); /* destinations, counts, slots, dispatch */
	nl_batch_fini(&b);
	ha_service_table_free(t);
}

/* ---- What it can ---- */

static void what_needs_ipvs_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *service, *dest;
		int result;
	} rows[] = {
	    {"tcp 192.0.2.1 80 rr", "10.0.0.1 8080 NAT 1", 0},
	    {"udp 192.0.2.1 80 wrr 60/24", "10.0.0.1 80 NAT 1", 0},
	    {"tcp 192.0.2.1 80 sh", "10.0.0.1 80 NAT 1", 0},
	    {"fwmark 7 rr", "10.0.0.1 0 NAT 1", 0},
	    {"fwmark 7 rr", "10.0.0.1 80 NAT 1", -EOPNOTSUPP},
	    {"tcp 192.0.2.1 80 wlc", "10.0.0.1 80 NAT 1", -EOPNOTSUPP},
	    {"tcp 192.0.2.1 80 lblcr", "10.0.0.1 80 NAT 1", -EOPNOTSUPP},
	    {"tcp 192.0.2.1 80 mh", "10.0.0.1 80 NAT 1", -EOPNOTSUPP},
	    {"tcp 192.0.2.1 80 rr", "10.0.0.1 80 DR 1", -EOPNOTSUPP},
	    {"tcp 192.0.2.1 80 rr", "10.0.0.1 80 TUN 1", -EOPNOTSUPP},
	    {"tcp 192.0.2.1 0 rr", "10.0.0.1 80 NAT 1", -EINVAL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ha_service_opts s = service_of(rows[i].service);
		struct ha_dest_opts d = dest_of(rows[i].dest);
		const char *reason = NULL;

		assert_int_equal(ha_nft_check(&s, &d, &reason), rows[i].result);
		assert_int_equal(reason != NULL, rows[i].result != 0);
	}
}

static void the_default_scheduler_is_refused_too(void **state)
{
	struct ha_service_opts s = service_of("tcp 192.0.2.1 80 rr");
	const char *reason = NULL;

	s.scheduler = NULL;
	assert_int_equal(ha_nft_check(&s, NULL, &reason), -EOPNOTSUPP);
	assert_non_null(strstr(reason, "rr, wrr, random or sh"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slots_follow_the_weights_evenly),
	    cmocka_unit_test(failover_is_the_first_of_the_greatest_weight),
	    cmocka_unit_test(the_callers_slots_are_taken_and_described),
	    cmocka_unit_test(too_many_slots_are_rounded),
	    cmocka_unit_test(services_describe_themselves),
	    cmocka_unit_test(the_longest_names_fit),
	    cmocka_unit_test(foreign_comments_are_not_taken_for_ours),
	    cmocka_unit_test(comments_travel_as_user_data),
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	    cmocka_unit_test(expressions_have_the_kernels_bytes),
#endif
	    cmocka_unit_test(keys_are_padded_like_registers),
	    cmocka_unit_test(a_service_is_these_messages),
	    cmocka_unit_test(a_change_touches_what_changed),
	    cmocka_unit_test(as_many_slots_leave_the_rules_alone),
	    cmocka_unit_test(memory_failure_is_an_error_everywhere),
	    cmocka_unit_test(what_is_cut_short_is_refused_at_every_length),
	    cmocka_unit_test(what_needs_ipvs_is_refused_with_a_reason),
	    cmocka_unit_test(the_default_scheduler_is_refused_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
