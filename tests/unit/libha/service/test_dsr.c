/* SPDX-License-Identifier: MIT */
/* Direct server return as messages, and what it refuses; with packets: tests/netns/nft_dsr.sh. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <libha/dsr.h>

#include "tests/support/fail_memory.h"
#include "nft/dsr_ruleset.h"
#include "nft/read.h"
#include "words.h"

static const char *const links[] = {"eth0", "eth1"};

static struct ha_service_table *table(const uint16_t *slots, size_t n)
{
	struct ha_service_opts o = service_of("tcp 192.0.2.1 80 mh");
	struct ha_dest_opts a = dest_of("10.0.0.1 80 DR 1"), b = dest_of("10.0.0.2 80 DR 1");
	struct ha_service_table *t = table_of("");
	struct ha_service *s;

	o.flags = HA_SERVICE_SLOTS;
	assert_int_equal(ha_service_add(t, &o, &s), 0);
	assert_int_equal(ha_dest_set(s, &a, NULL), 0);
	assert_int_equal(ha_dest_set(s, &b, NULL), 0);
	assert_int_equal(ha_service_set_slots(s, slots, n), 0);
	return t;
}

/* The servers of the slots as letters, from the elements of a batch; "" when there are none. */
static void slots_text(const struct nl_batch *b, char *ret)
{
	struct reader r = reader_of(b->buf, b->len), list;
	struct nft_element e;
	struct nl_msg msg;

	while (nl_msg_next(&r, &msg)) {
		if (msg.type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
			continue;
		assert_true(nft_read_elements(msg.body, &list));
		while (nft_read_element(&list, &e))
			if (e.key_len == sizeof(uint32_t))
				*ret++ = strstr(e.chain, "10.0.0.1") ? 'A' : 'B';
	}
	*ret = '\0';
}

static void a_slot_of_an_unknown_server_goes_to_the_next_known(void **state)
{
	static const uint16_t slots[] = {0, 1, 1, 0, 1};
	static const struct {
		struct dsr_hop hops[2];
		const char *text;
	} rows[] = {
	    {{{.ifindex = 2}, {.ifindex = 2}}, "ABBAB"},
	    {{{.ifindex = 2}, {.ifindex = 0}}, "AAAAA"},
	    {{{.ifindex = 0}, {.ifindex = 2}}, "BBBBB"},
	    {{{.ifindex = 0}, {.ifindex = 0}}, ""},
	};
	struct ha_service_table *t = table(slots, 5);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct nl_batch b = {0};
		struct nft_ruleset r = {.batch = &b, .table = "t", .family = NFPROTO_NETDEV};
		char text[8];

		assert_int_equal(dsr_put_table(&r, links, 2, t, rows[i].hops), 0);
		assert_int_equal(b.error, 0);
		slots_text(&b, text);
		assert_string_equal(text, rows[i].text);
		nl_batch_fini(&b);
	}
	ha_service_table_free(t);
}

static void what_needs_a_memory_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *service, *dest;
		int result;
	} rows[] = {
	    {"tcp 192.0.2.1 80 sh", "10.0.0.1 80 DR 1", 0},
	    {"udp 2001:db8::1 53 sh", "2001:db8::2 53 DR 1", 0},
	    {"tcp 192.0.2.1 0 sh 60/32", "10.0.0.1 0 DR 1", 0},
	    {"tcp 192.0.2.1 0 sh 60/24", "10.0.0.1 0 DR 1", -EOPNOTSUPP},
	    {"tcp 192.0.2.1 80 sh 60/32", "10.0.0.1 80 DR 1", -EOPNOTSUPP},
	    {"tcp 192.0.2.1 80 rr", "10.0.0.1 80 DR 1", -EOPNOTSUPP},
	    {"tcp 192.0.2.1 80 wlc", "10.0.0.1 80 DR 1", -EOPNOTSUPP},
	    {"tcp 192.0.2.1 80 mh", "10.0.0.1 80 DR 1", -EOPNOTSUPP},
	    {"fwmark 7 sh", "10.0.0.1 0 DR 1", -EOPNOTSUPP},
	    {"tcp 192.0.2.1 80 sh", "10.0.0.1 80 NAT 1", -EOPNOTSUPP},
	    {"tcp 192.0.2.1 80 sh", "10.0.0.1 81 DR 1", -EOPNOTSUPP},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ha_service_opts s = service_of(rows[i].service);
		struct ha_dest_opts d = dest_of(rows[i].dest);
		const char *reason = NULL;

		assert_int_equal(ha_dsr_check(&s, &d, &reason), rows[i].result);
		assert_int_equal(reason != NULL, rows[i].result != 0);
	}
}

static void senseless_options_are_refused(void **state)
{
	static const char *const empty[] = {""}, *const longest[] = {"sixteen-letters-"};
	const struct ha_net_monitor_ops ops = {.size = sizeof(ops)};
	struct ha_dsr_opts o = {.size = sizeof(o)};
	struct ha_net_monitor *m;
	struct ha_dsr *d;

	assert_int_equal(ha_dsr_open(NULL, &d), -EINVAL);
	assert_int_equal(ha_net_monitor_new(NULL, &ops, NULL, &m), 0);
	o.links = links;
	o.n_links = 2;
	assert_int_equal(ha_dsr_open(&o, &d), -EINVAL); /* no monitor */
	o.monitor = m;
	o.n_links = 0;
	assert_int_equal(ha_dsr_open(&o, &d), -EINVAL);
	o.n_links = HA_DSR_LINKS_MAX + 1;
	assert_int_equal(ha_dsr_open(&o, &d), -EINVAL);
	o.n_links = 1;
	o.links = empty;
	assert_int_equal(ha_dsr_open(&o, &d), -EINVAL);
	o.links = longest;
	assert_int_equal(ha_dsr_open(&o, &d), -EINVAL);
	o.links = links;
	o.table = "no table";
	assert_int_equal(ha_dsr_open(&o, &d), -EINVAL);
	assert_int_equal(ha_dsr_update(NULL), -EINVAL);
	assert_int_equal(ha_dsr_unknown(NULL), 0);
	ha_dsr_close(NULL);
	ha_net_monitor_free(m);
}

static void memory_failure_is_an_error(void **state)
{
	static const uint16_t slots[] = {0, 1};
	static const struct dsr_hop hops[] = {{.ifindex = 2}, {.ifindex = 2}};
	struct ha_service_table *t = table(slots, 2);
	long n = 0;
	int r;

	do {
		struct nl_batch b = {0};
		struct nft_ruleset ruleset = {.batch = &b, .table = "t", .family = NFPROTO_NETDEV};

		fail_in = n++;
		r = dsr_put_table(&ruleset, links, 2, t, hops);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_slot_of_an_unknown_server_goes_to_the_next_known),
	    cmocka_unit_test(what_needs_a_memory_is_refused_with_a_reason),
	    cmocka_unit_test(senseless_options_are_refused),
	    cmocka_unit_test(memory_failure_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
