/* SPDX-License-Identifier: MIT */
/* Who else was heard, what was missed, and who claims the addresses. */
#include "rig.h"

#define DOWN_100 (3 * S + 609375000)

static struct rig r;

static int down(void **state)
{
	rig_down(&r);
	return 0;
}

static void start(struct ha_vrrp_opts *o)
{
	rig_up(&r, o);
	ha_vrrp_start(r.v, T0);
	r.log[0] = 0;
}

static void an_accepted_sender_is_known(void **state)
{
	struct ha_vrrp_sender s = {.size = sizeof(s)};
	struct ha_vrrp_opts o = rig_opts();

	start(&o);
	assert_int_equal(ha_vrrp_sender(r.v, 0, &s), -ENOENT);
	hear(&r, T0 + S, 200);
	hear(&r, T0 + 2 * S, 201);
	assert_int_equal(ha_vrrp_sender(r.v, 0, &s), 0);
	assert_int_equal(ha_vrrp_sender(r.v, 1, &s), -ENOENT);
	assert_string_equal(inet(&s.address), "10.9.0.2");
	assert_int_equal(s.priority, 201);
	assert_int_equal(s.version, 3);
	assert_int_equal(s.interval_cs, 100);
	assert_int_equal(s.checksum, HA_VRRP_CHECKSUM_PSEUDO);
	assert_int_equal(s.adverts, 2);
	assert_int_equal(s.missed, 0);
	assert_true(s.first_ns == T0 + S && s.last_ns == T0 + 2 * S && s.longest_ns == S);
}

static void a_rejected_one_is_not(void **state)
{
	struct peer p = peer_make(3, 200, "10.9.0.2", 100);
	struct ha_vrrp_sender s = {.size = sizeof(s)};
	struct ha_vrrp_opts o = rig_opts();

	start(&o);
	p.pkt[6] ^= 1;
	assert_int_equal(peer_send(&r, T0 + S, &p), HA_VRRP_DROP_CHECKSUM);
	assert_int_equal(ha_vrrp_sender(r.v, 0, &s), -ENOENT);
}

static void the_one_heard_longest_ago_makes_room(void **state)
{
	struct ha_vrrp_sender s = {.size = sizeof(s)};
	struct ha_vrrp_opts o = rig_opts();
	unsigned n = 0;

	start(&o);
	for (unsigned i = 2; i < 2 + HA_VRRP_MAX_SENDERS + 1; i++) {
		struct peer p;
		char from[16];

		snprintf(from, sizeof(from), "10.9.0.%u", i);
		p = peer_make(3, 200, from, 100);
		assert_int_equal(peer_send(&r, T0 + i, &p), HA_VRRP_DROP_NONE);
	}
	for (; !ha_vrrp_sender(r.v, n, &s); n++)
		assert_string_not_equal(inet(&s.address), "10.9.0.2");
	assert_int_equal(n, HA_VRRP_MAX_SENDERS);
}

static void R92_missed_adverts_are_counted_and_told(void **state)
{
	struct ha_vrrp_sender s = {.size = sizeof(s)};
	struct ha_vrrp_opts o = rig_opts();

	start(&o);
	hear(&r, T0 + S, 200);
	hear(&r, T0 + 3 * S, 200); /* one: ordinary loss */
	assert_said(&r, "");
	hear(&r, T0 + 6 * S, 200); /* two: a step from a takeover */
	assert_said(&r, "remark(adverts missed)");
	assert_int_equal(ha_vrrp_sender(r.v, 0, &s), 0);
	assert_int_equal(s.missed, 3);
	assert_int_equal(s.missed_in_row, 2);
	assert_true(s.longest_ns == 3 * S);
}

static void the_pause_before_another_active_is_no_miss(void **state)
{
	struct peer p = peer_make(3, 210, "10.9.0.3", 100);
	struct ha_vrrp_sender s = {.size = sizeof(s)};
	struct ha_vrrp_opts o = rig_opts();

	start(&o);
	hear(&r, T0 + S, 200);
	peer_send(&r, T0 + 4 * S, &p);
	assert_said(&r, "");
	assert_int_equal(ha_vrrp_sender(r.v, 1, &s), 0);
	assert_int_equal(s.missed, 0);
}

/* The sum over the message alone, as RFC 9568 section 5.2.8 has it. */
static struct peer of_message_form(const char *from)
{
	struct peer p = peer_make(3, 200, from, 100);
	uint16_t sum;

	p.pkt[6] = p.pkt[7] = 0;
	sum = slow_csum(p.pkt, p.len, 0);
	p.pkt[6] = (uint8_t)(sum >> 8);
	p.pkt[7] = (uint8_t)sum;
	return p;
}

static bool sent_message_form(void)
{
	return slow_csum(r.sent, r.sent_len, 0) == 0;
}

static void the_group_is_spoken_to_in_the_form_of_the_last_active(void **state)
{
	struct peer p = of_message_form("10.9.0.2");
	struct ha_vrrp_opts o = rig_opts();

	o.learn_checksum = true;
	start(&o);
	assert_int_equal(peer_send(&r, T0 + S, &p), HA_VRRP_DROP_NONE);
	rig_run(&r, T0 + S + DOWN_100);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
	assert_true(sent_message_form());
}

static void by_default_the_form_is_the_configured_one(void **state)
{
	struct peer p = of_message_form("10.9.0.2");
	struct ha_vrrp_opts o = rig_opts();

	start(&o);
	peer_send(&r, T0 + S, &p);
	assert_said(&r, "remark(checksum form differs)");
	rig_run(&r, T0 + S + DOWN_100);
	assert_false(sent_message_form());
}

static void each_unicast_peer_is_spoken_to_in_its_own_form(void **state)
{
	struct ha_ip peers[2] = {ip("10.9.0.3"), ip("10.9.0.2")}; /* the last one is in r.sent */
	struct peer p = of_message_form("10.9.0.2");
	struct ha_vrrp_opts o = rig_opts();

	o.learn_checksum = true;
	o.peers = peers;
	o.n_peers = 2;
	start(&o);
	p.meta.destination = ip("10.9.0.1");
	assert_int_equal(peer_send(&r, T0 + S, &p), HA_VRRP_DROP_NONE);
	rig_run(&r, T0 + S + DOWN_100);
	assert_string_equal(inet(&r.sent_to), "10.9.0.2");
	assert_true(sent_message_form());
}

static void an_address_claimed_by_another_machine_is_told(void **state)
{
	struct ha_vrrp_sighting s = {.size = sizeof(s),
				     .address = ip("10.9.0.100"),
				     .mac = {2, 0, 0, 0, 0, 9},
				     .own_mac = {2, 0, 0, 0, 0, 1}};
	struct ha_vrrp_opts o = rig_opts();
	uint64_t t = T0 + DOWN_100;

	start(&o);
	assert_int_equal(ha_vrrp_saw(r.v, T0 + S, &s), 0); /* the Active, of course */
	assert_said(&r, "");
	rig_run(&r, t);
	r.log[0] = 0;
	assert_int_equal(ha_vrrp_saw(r.v, t + 1, &s), 0);
	assert_said(&r, "remark(address claimed by another) announce5");
	ha_vrrp_saw(r.v, t + 2, &s); /* announced once a second */
	assert_said(&r, "remark(address claimed by another)");
}

static void its_own_frames_are_no_evidence(void **state)
{
	struct ha_vrrp_sighting s = {
	    .size = sizeof(s), .address = ip("10.9.0.100"), .own_mac = {2, 0, 0, 0, 0, 1}};
	struct ha_vrrp_opts o = rig_opts();

	start(&o);
	rig_run(&r, T0 + DOWN_100);
	r.log[0] = 0;
	memcpy(s.mac, s.own_mac, 6);
	ha_vrrp_saw(r.v, T0 + DOWN_100, &s);
	ha_vrrp_mac(AF_INET, 51, s.mac);
	ha_vrrp_saw(r.v, T0 + DOWN_100, &s);
	s.mac[5] = 52; /* another's, but for another address */
	s.address = ip("10.9.0.101");
	ha_vrrp_saw(r.v, T0 + DOWN_100, &s);
	assert_said(&r, "");
	assert_int_equal(ha_vrrp_saw(r.v, T0, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(an_accepted_sender_is_known, down),
	    cmocka_unit_test_teardown(a_rejected_one_is_not, down),
	    cmocka_unit_test_teardown(the_one_heard_longest_ago_makes_room, down),
	    cmocka_unit_test_teardown(R92_missed_adverts_are_counted_and_told, down),
	    cmocka_unit_test_teardown(the_pause_before_another_active_is_no_miss, down),
	    cmocka_unit_test_teardown(the_group_is_spoken_to_in_the_form_of_the_last_active, down),
	    cmocka_unit_test_teardown(by_default_the_form_is_the_configured_one, down),
	    cmocka_unit_test_teardown(each_unicast_peer_is_spoken_to_in_its_own_form, down),
	    cmocka_unit_test_teardown(an_address_claimed_by_another_machine_is_told, down),
	    cmocka_unit_test_teardown(its_own_frames_are_no_evidence, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
