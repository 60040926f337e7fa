/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/support/fail_memory.h"
#include "flows.h"
#include "nft/flow.h"
#include "words.h"

static size_t flow_of(const char *text, uint8_t *buf, size_t cap, struct flow *ret)
{
	struct writer w = writer_of(buf, cap);

	put_flow(&w, text);
	assert_false(w.bad);
	assert_true(flow_read(reader_of(buf, writer_len(&w)), ret));
	return writer_len(&w);
}

static void a_flow_is_active_as_ipvs_counts(void **state)
{
	static const struct {
		const char *flow;
		bool active;
	} rows[] = {
	    {"tcp 192.0.2.1 80 10.0.0.1 8080 1", true},	 /* SYN_SENT */
	    {"tcp 192.0.2.1 80 10.0.0.1 8080 2", true},	 /* SYN_RECV */
	    {"tcp 192.0.2.1 80 10.0.0.1 8080 3", true},	 /* ESTABLISHED */
	    {"tcp 192.0.2.1 80 10.0.0.1 8080 4", false}, /* FIN_WAIT */
	    {"tcp 192.0.2.1 80 10.0.0.1 8080 7", false}, /* TIME_WAIT */
	    {"tcp 192.0.2.1 80 10.0.0.1 8080 8", false}, /* CLOSE */
	    {"tcp 192.0.2.1 80 10.0.0.1 8080 9", true},	 /* SYN_SENT2 */
	    {"tcp 192.0.2.1 80 10.0.0.1 8080 -1", false},
	    {"sctp 192.0.2.1 80 10.0.0.1 8080 3", false}, /* COOKIE_ECHOED */
	    {"sctp 192.0.2.1 80 10.0.0.1 8080 4", true},  /* ESTABLISHED */
	    {"udp 192.0.2.1 80 10.0.0.1 8080 -1", false},
	};
	uint8_t buf[512];
	struct flow f;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		flow_of(rows[i].flow, buf, sizeof(buf), &f);
		assert_int_equal(f.active, rows[i].active);
	}
}

static void a_flow_tells_what_was_asked_for_and_who_answers(void **state)
{
	uint8_t buf[512];
	char text[HA_IP_TEXT_SIZE];
	struct flow f;

	flow_of("udp 2001:db8::1 53 fd00::7 5353 -1", buf, sizeof(buf), &f);
	assert_int_equal(f.family, AF_INET6);
	assert_int_equal(f.protocol, IPPROTO_UDP);
	assert_int_equal(f.asked_port, 53);
	assert_int_equal(f.server_port, 5353);
	assert_true(ha_ip_format(&f.asked, text, sizeof(text)) > 0);
	assert_string_equal(text, "2001:db8::1");
	assert_true(ha_ip_format(&f.server, text, sizeof(text)) > 0);
	assert_string_equal(text, "fd00::7");
	assert_true(f.rewritten);
	flow_of("udp 192.0.2.1 53 192.0.2.1 53 -1", buf, sizeof(buf), &f);
	assert_false(f.rewritten);
}

static void what_is_cut_short_is_refused_at_every_length(void **state)
{
	uint8_t buf[512];
	struct flow f;
	size_t len = flow_of("tcp 192.0.2.1 80 10.0.0.1 8080 3", buf, sizeof(buf), &f), whole = 0;

	for (size_t n = 0; n < len; n++) {
		/* The ends of attributes are ends; both tuples are needed. */
		if (flow_read(reader_of(buf, n), &f))
			whole++;
	}
	assert_int_equal(whole, 3); /* behind the reply's tuple, the status and the id */
}

static void a_flow_without_addresses_is_none(void **state)
{
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof(buf));
	struct flow f;

	nl_nfgen_put(&w, AF_INET, 0);
	nl_attr_put_be32(&w, CTA_ID, 1);
	assert_false(flow_read(reader_of(buf, writer_len(&w)), &f));
}

static void a_flow_is_forgotten_by_its_tuple_and_id(void **state)
{
	struct nl_batch b = {0};
	uint8_t buf[512];
	struct flow f;
	struct nl_nfgen header;
	struct nl_attr a;
	struct nl_msg msg;
	struct reader r;
	uint32_t id = 0;
	size_t tuple = 0;

	flow_of("udp 192.0.2.1 53 10.0.0.1 53 -1", buf, sizeof(buf), &f);
	flow_put_delete(&b, &f);
	assert_int_equal(b.error, 0);
	r = reader_of(b.buf, b.len);
	assert_true(nl_msg_next(&r, &msg));
	assert_int_equal(msg.type, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE);
	assert_true(nl_nfgen_take(&msg.body, &header));
	assert_int_equal(header.family, AF_INET);
	while (nl_attr_next(&msg.body, &a)) {
		if (a.type == CTA_ID)
			assert_true(nl_attr_be32(&a, &id));
		else if (a.type == CTA_TUPLE_ORIG) {
			tuple = reader_left(&a.data);
			assert_memory_equal(a.data.at, f.tuple.at, tuple);
		}
	}
	assert_int_equal(id, FLOW_ID);
	assert_true(tuple > 0);
	nl_batch_fini(&b);
}

/* The destinations of a flow as text. */
static void dests_text(const struct flow_index *index, const char *flow, char *ret, size_t cap)
{
	uint8_t buf[512];
	struct ha_dest *d;
	struct flow f;
	size_t at = 0, len = 0;

	*ret = '\0';
	flow_of(flow, buf, sizeof(buf), &f);
	while ((d = flow_dest(index, &f, &at))) {
		struct ha_service_opts s = {.size = sizeof(s)};
		char address[HA_IP_TEXT_SIZE];

		assert_int_equal(ha_service_get(d->service, &s), 0);
		assert_true(ha_ip_format(&d->o.address, address, sizeof(address)) > 0);
		len += (size_t)snprintf(ret + len, cap - len, "%s of %u/%u;", address, s.fwmark,
					s.port);
		assert_true(len < cap);
	}
}

static void a_flow_belongs_to_its_service_by_address_then_to_marks(void **state)
{
	struct ha_service_table *t = table_of("tcp 192.0.2.1 80 rr\n 10.0.0.1 8080 NAT 1\n"
					      "tcp 192.0.2.1 0 rr 60\n 10.0.0.2 0 NAT 1\n"
					      "fwmark 7 rr\n 10.0.0.3 0 NAT 1\n 10.0.0.1 0 NAT 1\n"
					      "fwmark 8 rr\n 10.0.0.3 0 NAT 1");
	static const struct {
		const char *flow, *dests;
	} rows[] = {
	    {"tcp 192.0.2.1 80 10.0.0.1 8080 3", "10.0.0.1 of 0/80;"},
	    {"tcp 192.0.2.1 81 10.0.0.2 81 3", "10.0.0.2 of 0/0;"},
	    {"tcp 192.0.2.1 80 10.0.0.2 80 3", "10.0.0.2 of 0/0;"},
	    {"tcp 198.51.100.1 22 10.0.0.1 22 3", "10.0.0.1 of 7/0;"},
	    {"tcp 192.0.2.1 80 10.0.0.9 80 3", ""},
	    {"udp 192.0.2.1 80 10.0.0.2 80 -1", ""},
	    {"tcp 10.0.0.3 80 10.0.0.3 80 3", ""}, /* not rewritten */
	};
	struct flow_index index;
	char text[256];

	assert_int_equal(flow_index_init(&index, t), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		dests_text(&index, rows[i].flow, text, sizeof(text));
		assert_string_equal(text, rows[i].dests);
	}
	/* Which of two marks it was, nobody knows. */
	dests_text(&index, "tcp 198.51.100.1 22 10.0.0.3 22 3", text, sizeof(text));
	assert_true(strstr(text, "of 7/0;") && strstr(text, "of 8/0;"));
	flow_index_fini(&index);
	fail_in = 0;
	assert_int_equal(flow_index_init(&index, t), -ENOMEM);
	fail_in = -1;
	ha_service_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_flow_is_active_as_ipvs_counts),
	    cmocka_unit_test(a_flow_tells_what_was_asked_for_and_who_answers),
	    cmocka_unit_test(what_is_cut_short_is_refused_at_every_length),
	    cmocka_unit_test(a_flow_without_addresses_is_none),
	    cmocka_unit_test(a_flow_is_forgotten_by_its_tuple_and_id),
	    cmocka_unit_test(a_flow_belongs_to_its_service_by_address_then_to_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
