/* SPDX-License-Identifier: MIT */
/* The bytes that leave, and what is let in: RFC 5880 sections 4.1, 6.8.6, 6.8.7. */
#include "rig.h"

#include <stdlib.h>

static struct rig r;

static int down(void **state)
{
	rig_down(&r);
	return 0;
}

static void s4_1_the_first_packet_byte_by_byte(void **state)
{
	static const uint8_t want[24] = {
	    0x20, 0x40, 3,    24,		/* version 1, no diagnostic, Down, three, length */
	    0x11, 0x22, 0x33, 0x44,		/* My Discriminator */
	    0,	  0,	0,    0,		/* Your Discriminator */
	    0x00, 0x0f, 0x42, 0x40,		/* 1 s while not Up */
	    0x00, 0x01, 0x86, 0xa0, 0, 0, 0, 0, /* 100 ms; no echo */
	};
	const struct ha_bfd_opts o = rig_opts();

	rig_up(&r, &o);
	assert_int_equal(ha_bfd_start(r.s, T0), 0);
	assert_said(&r, "tx:down =down");
	assert_int_equal(r.sent_len, 24);
	assert_memory_equal(r.sent, want, 24);
}

static void s6_8_7_an_up_packet_says_what_it_must(void **state)
{
	struct ha_bfd_opts o = rig_opts();

	o.independent = true;
	o.detect_mult = 5;
	o.desired_min_tx_us = 20000;
	o.required_min_rx_us = 30000;
	rig_established(&r, &o);
	rig_run(&r, T0 + 90 * MS);
	assert_int_equal(r.sent[0], 0x20);
	assert_int_equal(r.sent[1], 0xc0 | C); /* no P, F, A, D or M */
	assert_int_equal(r.sent[2], 5);
	assert_int_equal(be32_at(r.sent + 8), THEIRS);
	assert_int_equal(be32_at(r.sent + 12), 20000);
	assert_int_equal(be32_at(r.sent + 16), 30000);
	assert_int_equal(be32_at(r.sent + 20), 0);
}

/* ---- every discard rule: one counter moves, nothing else ---- */

static void dropped(struct peer p, enum ha_bfd_drop why)
{
	struct ha_bfd_status before, after;
	struct ha_bfd_stats s = rig_stats(&r);
	uint64_t deadline = ha_bfd_deadline(r.s), counted = s.dropped[why], received = s.received;
	char want[64];

	rig_look(&r, &before);
	r.log[0] = 0;
	assert_int_equal(peer_send(&r, T0 + 1, &p), why);
	rig_look(&r, &after);
	s = rig_stats(&r);
	snprintf(want, sizeof(want), "drop(%s)", ha_bfd_drop_name(why));
	assert_said(&r, want);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_true(ha_bfd_deadline(r.s) == deadline);
	assert_true(s.dropped[why] == counted + 1 && s.received == received);
}

#define DROPPED(why, change)                                   \
	do {                                                   \
		struct peer p = peer_make(HA_BFD_UP, 0, OURS); \
		change;                                        \
		dropped(p, why);                               \
	} while (0)

static void s6_8_6_each_discard_rule_in_an_up_session(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	DROPPED(HA_BFD_DROP_TTL, p.meta.ttl = 254); /* RFC 5881 section 5 */
	DROPPED(HA_BFD_DROP_VERSION, p.pkt[0] = 0);
	DROPPED(HA_BFD_DROP_VERSION, p.pkt[0] = 2 << 5);
	DROPPED(HA_BFD_DROP_VERSION, p.pkt[0] = 7 << 5);
	DROPPED(HA_BFD_DROP_LENGTH, p.len = 0);
	DROPPED(HA_BFD_DROP_LENGTH, p.len = 1);
	DROPPED(HA_BFD_DROP_LENGTH, p.len = 23);
	DROPPED(HA_BFD_DROP_LENGTH, p.pkt[3] = 0);
	DROPPED(HA_BFD_DROP_LENGTH, p.pkt[3] = 23);
	DROPPED(HA_BFD_DROP_LENGTH, p.pkt[3] = 25); /* more than the datagram holds */
	DROPPED(HA_BFD_DROP_LENGTH, p.pkt[1] |= A); /* with authentication 26 is the least */
	DROPPED(HA_BFD_DROP_DETECT_MULT, p.pkt[2] = 0);
	DROPPED(HA_BFD_DROP_MULTIPOINT, p.pkt[1] |= M);
	DROPPED(HA_BFD_DROP_MY_DISCRIMINATOR, be32_put(p.pkt + 4, 0));
	DROPPED(HA_BFD_DROP_YOUR_DISCRIMINATOR, be32_put(p.pkt + 8, OURS + 1));
	DROPPED(HA_BFD_DROP_STATE, be32_put(p.pkt + 8, 0));
	DROPPED(HA_BFD_DROP_STATE, (be32_put(p.pkt + 8, 0), p.pkt[1] = HA_BFD_INIT << 6));
	DROPPED(HA_BFD_DROP_ADDRESS, (be32_put(p.pkt + 8, 0), p.pkt[1] = HA_BFD_DOWN << 6,
				      p.meta.source = ip("10.9.0.3")));
	DROPPED(HA_BFD_DROP_ADDRESS, (be32_put(p.pkt + 8, 0), p.pkt[1] = HA_BFD_DOWN << 6,
				      p.meta.source = ip("2001:db8::2")));
	DROPPED(HA_BFD_DROP_AUTH, (p.pkt[1] |= A, p.pkt[3] = 26, p.len = 26));
}

static void a_session_that_is_not_started_hears_nothing(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_up(&r, &o);
	DROPPED(HA_BFD_DROP_NOT_RUNNING, (void)0);
}

static void bytes_behind_the_length_are_nobodys(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_UP, 0, OURS);

	rig_established(&r, &o);
	p.len = 40;
	assert_int_equal(peer_send(&r, T0 + 1, &p), HA_BFD_DROP_NONE);
}

/* RFC 5880 section 6.3: once it knows us, its address may become another. */
static void s6_3_the_discriminator_alone_tells_whose_packet_it_is(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_UP, 0, OURS);

	rig_established(&r, &o);
	p.meta.source = ip("10.9.0.77");
	assert_int_equal(peer_send(&r, T0 + 1, &p), HA_BFD_DROP_NONE);
	assert_int_equal(ha_bfd_your_discriminator(p.pkt, p.len), OURS);
	assert_int_equal(ha_bfd_your_discriminator(p.pkt, 11), 0);
	assert_int_equal(ha_bfd_your_discriminator(NULL, 0), 0);
}

/* RFC 5881 section 6. */
static void a_point_to_point_neighbour_may_have_any_address(void **state)
{
	struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_DOWN, 0, 0);

	o.point_to_point = true;
	rig_up(&r, &o);
	ha_bfd_start(r.s, T0);
	p.meta.source = ip("172.16.0.9");
	assert_int_equal(peer_send(&r, T0, &p), HA_BFD_DROP_NONE);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_INIT);
}

/* RFC 5883 section 3: the pair of addresses; section 5 knows no TTL, min_ttl is the host's. */
static void several_hops_take_any_ttl_down_to_the_least_and_look_at_both_addresses(void **state)
{
	struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_DOWN, 0, 0);

	o.multihop = true;
	rig_up(&r, &o);
	ha_bfd_start(r.s, T0);
	p.meta.ttl = 0;
	p.meta.destination = ip("10.9.0.9");
	assert_int_equal(peer_send(&r, T0, &p), HA_BFD_DROP_ADDRESS);
	p.meta.destination = ip("10.9.0.1");
	assert_int_equal(peer_send(&r, T0, &p), HA_BFD_DROP_NONE);
	rig_down(&r);
	o.min_ttl = 250;
	rig_up(&r, &o);
	ha_bfd_start(r.s, T0);
	p.meta.ttl = 249;
	assert_int_equal(peer_send(&r, T0, &p), HA_BFD_DROP_TTL);
	p.meta.ttl = 250;
	assert_int_equal(peer_send(&r, T0, &p), HA_BFD_DROP_NONE);
}

static void names_are_words(void **state)
{
	assert_string_equal(ha_bfd_state_name(HA_BFD_UP), "up");
	assert_string_equal(ha_bfd_diag_name(8), "reverse concatenated path down");
	assert_string_equal(ha_bfd_diag_name(9), "?");
	assert_string_equal(ha_bfd_reason_name(HA_BFD_N_REASONS), "?");
	assert_string_equal(ha_bfd_drop_name(HA_BFD_N_DROPS), "?");
	assert_string_equal(ha_bfd_remark_name(HA_BFD_N_REMARKS), "?");
	for (unsigned i = 0; i < HA_BFD_N_DROPS; i++)
		assert_string_not_equal(ha_bfd_drop_name(i), "?");
	for (unsigned i = 0; i < HA_BFD_N_REASONS; i++)
		assert_string_not_equal(ha_bfd_reason_name(i), "?");
	for (unsigned i = 0; i < HA_BFD_N_REMARKS; i++)
		assert_string_not_equal(ha_bfd_remark_name(i), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(s4_1_the_first_packet_byte_by_byte, down),
	    cmocka_unit_test_teardown(s6_8_7_an_up_packet_says_what_it_must, down),
	    cmocka_unit_test_teardown(s6_8_6_each_discard_rule_in_an_up_session, down),
	    cmocka_unit_test_teardown(a_session_that_is_not_started_hears_nothing, down),
	    cmocka_unit_test_teardown(bytes_behind_the_length_are_nobodys, down),
	    cmocka_unit_test_teardown(s6_3_the_discriminator_alone_tells_whose_packet_it_is, down),
	    cmocka_unit_test_teardown(a_point_to_point_neighbour_may_have_any_address, down),
	    cmocka_unit_test_teardown(
		several_hops_take_any_ttl_down_to_the_least_and_look_at_both_addresses, down),
	    cmocka_unit_test(names_are_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
