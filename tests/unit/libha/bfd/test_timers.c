/* SPDX-License-Identifier: MIT */
/* When packets leave: RFC 5880 sections 6.5, 6.6, 6.8.2, 6.8.3, 6.8.7. */
#include "rig.h"

static struct rig r;

static int down(void **state)
{
	rig_down(&r);
	return 0;
}

static void set(uint64_t now_ns, uint32_t desired_us, uint32_t required_us, uint8_t mult)
{
	const struct ha_bfd_timers t = {.size = sizeof(t),
					.desired_min_tx_us = desired_us,
					.required_min_rx_us = required_us,
					.detect_mult = mult};

	assert_int_equal(ha_bfd_set_timers(r.s, now_ns, &t), 0);
}

/* The neighbour, Up, with these intervals. */
static void hear_intervals(uint64_t now_ns, uint8_t flags, uint32_t desired_us,
			   uint32_t required_us)
{
	struct peer p = peer_make(HA_BFD_UP, flags, OURS);

	peer_intervals(&p, desired_us, required_us);
	assert_int_equal(peer_send(&r, now_ns, &p), 0);
}

/* Sends n packets on time, the neighbour alive: the shortest and the longest distance. */
static void distances(unsigned n, uint64_t *ret_shortest, uint64_t *ret_longest)
{
	uint64_t last = 0;

	*ret_shortest = HA_BFD_NEVER;
	*ret_longest = 0;
	for (unsigned i = 0; i <= n; i++) {
		uint64_t due = ha_bfd_deadline(r.s);

		assert_int_equal(ha_bfd_tick(r.s, due), 0);
		if (i && due - last < *ret_shortest)
			*ret_shortest = due - last;
		if (i && due - last > *ret_longest)
			*ret_longest = due - last;
		last = due;
		hear(&r, due, HA_BFD_UP, 0);
		r.log[0] = 0;
	}
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_UP);
}

static void s6_8_7_jitter_is_within_75_and_100_percent(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	uint64_t shortest, longest;

	rig_established(&r, &o);
	distances(5000, &shortest, &longest);
	assert_in_range(shortest, 75 * MS, 76 * MS); /* the whole range is used */
	assert_in_range(longest, 99 * MS, 100 * MS);
}

static void s6_8_7_with_a_multiplier_of_one_at_most_90_percent(void **state)
{
	struct ha_bfd_opts o = rig_opts();
	uint64_t shortest, longest;

	o.detect_mult = 1;
	rig_established(&r, &o);
	distances(5000, &shortest, &longest);
	assert_in_range(shortest, 75 * MS, 76 * MS);
	assert_in_range(longest, 89 * MS, 90 * MS);
}

static void jitter_follows_the_seed(void **state)
{
	struct ha_bfd_opts o = rig_opts();
	uint64_t due[3];

	for (unsigned i = 0; i < 3; i++) {
		o.seed = i ? 1 : 2;
		rig_established(&r, &o);
		due[i] = ha_bfd_deadline(r.s);
		rig_down(&r);
	}
	assert_true(due[0] != due[1]);
	assert_true(due[1] == due[2]);
}

static void s6_8_7_the_slower_of_the_two_sets_the_beat(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	assert_true(rig_status(&r).tx_interval_ns == 100 * MS);
	hear_intervals(T0, 0, 100000, 250000);
	assert_true(rig_status(&r).tx_interval_ns == 250 * MS);
	assert_in_range(ha_bfd_deadline(r.s), T0 + 187500 * US, T0 + 250 * MS);
	hear_intervals(T0, 0, 100000, 10000);
	assert_true(rig_status(&r).tx_interval_ns == 100 * MS);
}

static void s6_8_3_once_a_second_while_not_up(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_DOWN, 0, 0);

	rig_up(&r, &o);
	ha_bfd_start(r.s, T0);
	assert_int_equal(be32_at(r.sent + 12), 1000000);
	assert_in_range(ha_bfd_deadline(r.s), T0 + 750 * MS, T0 + S);
	peer_send(&r, T0, &p); /* Init, too */
	assert_int_equal(be32_at(r.sent + 12), 1000000);
	assert_true(rig_status(&r).tx_interval_ns == S);
	hear(&r, T0, HA_BFD_UP, 0);
	assert_true(rig_status(&r).tx_interval_ns == 100 * MS);
	rig_run(&r, T0 + 300 * MS); /* and after it was Up */
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_DOWN);
	assert_int_equal(be32_at(r.sent + 12), 1000000);
	assert_true(rig_status(&r).tx_interval_ns == S);
}

static void s6_8_3_a_slower_wish_than_a_second_holds_while_down_too(void **state)
{
	struct ha_bfd_opts o = rig_opts();

	o.desired_min_tx_us = 5000000;
	rig_up(&r, &o);
	ha_bfd_start(r.s, T0);
	assert_int_equal(be32_at(r.sent + 12), 5000000);
}

static void s6_8_7_a_neighbour_that_takes_nothing_gets_nothing_regular(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	hear_intervals(T0, 0, 100000, 0);
	assert_true(rig_status(&r).tx_interval_ns == 0);
	assert_true(ha_bfd_deadline(r.s) == T0 + 300 * MS); /* only detection */
	hear_intervals(T0, P, 100000, 0);
	assert_said(&r, "remark(timers changed) tx:up+F"); /* a Poll is answered all the same */
	r.log[0] = 0;
	rig_run(&r, T0 + 300 * MS);
	/* Silent for a Detection Time: its wish is forgotten, else nobody would ever begin. */
	assert_said(&r, "tx:down+P =down");
	assert_in_range(ha_bfd_deadline(r.s), T0 + 1050 * MS, T0 + 1300 * MS);
}

static void s6_8_3_a_reduced_wish_of_the_neighbour_is_honoured_at_once(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	hear_intervals(T0, 0, 100000, 2000000);
	hear_intervals(T0 + 50 * MS, 0, 100000, 100000);
	assert_in_range(ha_bfd_deadline(r.s), T0 + 75 * MS, T0 + 100 * MS);
	hear_intervals(T0 + 50 * MS, 0, 5000000, 2000000);
	r.log[0] = 0;
	hear_intervals(T0 + 900 * MS, 0, 5000000, 100000); /* that time is over already */
	assert_said(&r, "remark(timers changed) tx:up");
}

/* ---- Poll Sequences ---- */

static void s6_8_3_a_slower_beat_waits_for_the_end_of_the_poll(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	set(T0, 400000, 0, 0);
	assert_true(rig_status(&r).polling);
	assert_int_equal(rig_status(&r).desired_min_tx_us, 400000);
	assert_true(rig_status(&r).tx_interval_ns == 100 * MS);
	assert_said(&r, ""); /* 6.5: no packet of its own */
	rig_run(&r, T0 + 100 * MS);
	assert_said(&r, "tx:up+P");
	assert_int_equal(be32_at(r.sent + 12), 400000);
	hear(&r, T0 + 100 * MS, HA_BFD_UP, 0); /* not the answer */
	assert_true(rig_status(&r).tx_interval_ns == 100 * MS);
	rig_run(&r, T0 + 200 * MS);
	assert_said(&r, "tx:up+P");
	hear(&r, T0 + 201 * MS, HA_BFD_UP, F);
	assert_said(&r, "remark(timers changed)");
	assert_true(rig_status(&r).tx_interval_ns == 400 * MS);
	hear(&r, T0 + 400 * MS, HA_BFD_UP, 0);
	rig_run(&r, T0 + 650 * MS);
	assert_said(&r, "tx:up");
}

static void s6_8_3_a_faster_beat_begins_at_once(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	hear_intervals(T0, 0, 100000, 10000);
	r.log[0] = 0;
	set(T0, 20000, 0, 0);
	assert_true(rig_status(&r).tx_interval_ns == 20 * MS);
	rig_run(&r, T0 + 20 * MS);
	assert_said(&r, "tx:up+P");
}

static void s6_8_3_a_shorter_detection_waits_for_the_end_of_the_poll(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	hear_intervals(T0, 0, 20000, 100000); /* it can do 20 ms */
	set(T0, 0, 50000, 0);
	assert_true(rig_status(&r).detect_ns == 300 * MS);
	assert_int_equal(rig_status(&r).required_min_rx_us, 50000);
	rig_run(&r, T0 + 100 * MS);
	hear_intervals(T0 + 100 * MS, F, 20000, 100000);
	assert_true(rig_status(&r).detect_ns == 150 * MS);
}

static void s6_8_3_a_longer_detection_begins_at_once(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	set(T0, 0, 200000, 0);
	assert_true(rig_status(&r).detect_ns == 600 * MS);
	assert_true(rig_status(&r).polling);
}

static void s6_8_3_a_second_change_waits_until_an_f_bit_can_only_be_its_own(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	set(T0, 200000, 0, 0);
	rig_run(&r, T0 + 200 * MS); /* two packets with P: a round trip longer than the beat */
	assert_int_equal(rig_stats(&r).polls_sent, 3);
	set(T0 + 201 * MS, 400000, 0, 0);
	assert_int_equal(rig_status(&r).desired_min_tx_us, 200000);
	hear(&r, T0 + 205 * MS, HA_BFD_UP, F);
	assert_int_equal(rig_status(&r).desired_min_tx_us, 200000);
	assert_true(rig_status(&r).tx_interval_ns == 200 * MS);
	assert_false(rig_status(&r).polling);
	hear(&r, T0 + 206 * MS, HA_BFD_UP, F); /* the answer to the other one */
	assert_int_equal(rig_status(&r).desired_min_tx_us, 200000);
	/* A round trip, which the Poll Sequence took, after its last packet. */
	rig_run(&r, T0 + 254 * MS);
	assert_int_equal(rig_status(&r).desired_min_tx_us, 200000);
	rig_run(&r, T0 + 330 * MS);
	assert_int_equal(rig_status(&r).desired_min_tx_us, 400000);
	assert_true(rig_status(&r).polling);
	assert_true(rig_status(&r).tx_interval_ns == 200 * MS);
}

/* The other way to know: a packet without F, for they do not overtake each other as a rule. */
static void s6_8_3_or_until_a_packet_without_an_f_bit_was_heard(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	set(T0, 200000, 0, 0);
	rig_run(&r, T0 + 200 * MS);
	set(T0 + 201 * MS, 400000, 0, 0);
	hear(&r, T0 + 205 * MS, HA_BFD_UP, F);
	assert_int_equal(rig_status(&r).desired_min_tx_us, 200000);
	hear(&r, T0 + 206 * MS, HA_BFD_UP, 0);
	assert_int_equal(rig_status(&r).desired_min_tx_us, 400000);
}

/* Polls that nobody heard say nothing about the round trip; found by simulation. */
static void a_long_absence_does_not_keep_the_slow_beat(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_DOWN, 0, 0);

	rig_established(&r, &o);
	rig_run(&r, T0 + 60 * S);
	assert_true(rig_status(&r).polling);
	peer_send(&r, T0 + 60 * S, &p);
	hear(&r, T0 + 60 * S + MS, HA_BFD_UP, F);
	hear(&r, T0 + 60 * S + 2 * MS, HA_BFD_UP, 0);
	assert_true(rig_status(&r).tx_interval_ns == 100 * MS);
}

static void a_final_that_nobody_asked_for_ends_nothing(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	set(T0, 400000, 0, 0);
	hear(&r, T0 + 1, HA_BFD_UP, F); /* no P has left yet */
	assert_true(rig_status(&r).polling);
	assert_true(rig_status(&r).tx_interval_ns == 100 * MS);
}

static void s6_8_7_a_poll_is_answered_at_once_in_every_state(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_UP, P, OURS);

	rig_up(&r, &o);
	ha_bfd_start(r.s, T0);
	r.log[0] = 0;
	assert_int_equal(peer_send(&r, T0, &p), 0); /* Down hears Up: no change */
	assert_said(&r, "tx:down+F");
	p = peer_make(HA_BFD_DOWN, P, 0);
	assert_int_equal(peer_send(&r, T0, &p), 0);
	assert_said(&r, "tx:init+F =init"); /* one packet says both */
	hear(&r, T0, HA_BFD_UP, P);
	assert_said(&r, "tx:up+F =up remark(timers changed)"); /* never P and F together */
}

static void s6_8_7_an_answer_does_not_shift_the_beat(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	uint64_t due;

	rig_established(&r, &o);
	due = ha_bfd_deadline(r.s);
	hear(&r, T0 + 10 * MS, HA_BFD_UP, P);
	assert_said(&r, "tx:up+F");
	assert_true(ha_bfd_deadline(r.s) == due);
}

/* Four at once, then one in 10 ms; the bound RFC 5880 section 6.8.7 sets is our Desired Min TX. */
static void a_storm_of_polls_is_answered_in_measure(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	for (unsigned i = 0; i < 1000; i++)
		hear(&r, T0 + 1 * S + i, HA_BFD_UP, P);
	assert_int_equal(rig_stats(&r).finals_sent, 4);
	r.log[0] = 0;
	rig_run(&r, T0 + 1 * S + 10 * MS + 1);
	assert_int_equal(rig_stats(&r).finals_sent, 5); /* the last question has its answer */
	rig_run(&r, T0 + 1 * S + 90 * MS);
	assert_int_equal(rig_stats(&r).finals_sent, 5);
}

/* ---- Demand mode of the neighbour ---- */

static void s6_6_demand_of_the_neighbour_ends_regular_packets_but_not_polls(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	hear(&r, T0, HA_BFD_UP, D);
	assert_true(rig_status(&r).remote_demand);
	assert_true(rig_status(&r).tx_interval_ns == 0);
	assert_true(ha_bfd_deadline(r.s) == T0 + 300 * MS);
	r.log[0] = 0;
	set(T0, 0, 200000, 0); /* a change is polled until answered */
	rig_run(&r, T0 + 100 * MS);
	assert_said(&r, "tx:up+P");
	hear(&r, T0 + 101 * MS, HA_BFD_UP, D | F);
	assert_true(rig_status(&r).tx_interval_ns == 0);
	r.log[0] = 0;
	set(T0 + 101 * MS, 0, 0, 7); /* 6.6: a change of any field is */
	assert_true(rig_status(&r).polling);
	rig_run(&r, T0 + 200 * MS);
	assert_said(&r, "tx:up+P");
	assert_int_equal(r.sent[2], 7);
	hear(&r, T0 + 201 * MS, HA_BFD_UP, F); /* no longer */
	assert_true(rig_status(&r).tx_interval_ns == 100 * MS);
}

static void s6_8_12_a_new_multiplier_needs_no_poll(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	set(T0, 0, 0, 9);
	assert_false(rig_status(&r).polling);
	rig_run(&r, T0 + 100 * MS);
	assert_said(&r, "tx:up");
	assert_int_equal(r.sent[2], 9);
}

static void wrong_timers_are_refused(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct ha_bfd_timers t = {.size = sizeof(t), .desired_min_tx_us = 999};

	rig_established(&r, &o);
	assert_int_equal(ha_bfd_set_timers(r.s, T0, &t), -EINVAL);
	t.desired_min_tx_us = 60000001;
	assert_int_equal(ha_bfd_set_timers(r.s, T0, &t), -EINVAL);
	assert_int_equal(ha_bfd_set_timers(r.s, T0, NULL), -EINVAL);
	assert_false(rig_status(&r).polling);
}

static void late_service_is_measured(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	uint64_t due;

	rig_established(&r, &o);
	due = ha_bfd_deadline(r.s);
	ha_bfd_tick(r.s, due + 3 * MS);
	assert_true(rig_stats(&r).worst_late_ns == 3 * MS);
	hear(&r, due + 20 * MS, HA_BFD_UP, 0);
	assert_true(rig_stats(&r).longest_gap_ns == due + 20 * MS - T0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(s6_8_7_jitter_is_within_75_and_100_percent, down),
	    cmocka_unit_test_teardown(s6_8_7_with_a_multiplier_of_one_at_most_90_percent, down),
	    cmocka_unit_test(jitter_follows_the_seed),
	    cmocka_unit_test_teardown(s6_8_7_the_slower_of_the_two_sets_the_beat, down),
	    cmocka_unit_test_teardown(s6_8_3_once_a_second_while_not_up, down),
	    cmocka_unit_test_teardown(s6_8_3_a_slower_wish_than_a_second_holds_while_down_too,
				      down),
	    cmocka_unit_test_teardown(s6_8_7_a_neighbour_that_takes_nothing_gets_nothing_regular,
				      down),
	    cmocka_unit_test_teardown(s6_8_3_a_reduced_wish_of_the_neighbour_is_honoured_at_once,
				      down),
	    cmocka_unit_test_teardown(s6_8_3_a_slower_beat_waits_for_the_end_of_the_poll, down),
	    cmocka_unit_test_teardown(s6_8_3_a_faster_beat_begins_at_once, down),
	    cmocka_unit_test_teardown(s6_8_3_a_shorter_detection_waits_for_the_end_of_the_poll,
				      down),
	    cmocka_unit_test_teardown(s6_8_3_a_longer_detection_begins_at_once, down),
	    cmocka_unit_test_teardown(
		s6_8_3_a_second_change_waits_until_an_f_bit_can_only_be_its_own, down),
	    cmocka_unit_test_teardown(s6_8_3_or_until_a_packet_without_an_f_bit_was_heard, down),
	    cmocka_unit_test_teardown(a_long_absence_does_not_keep_the_slow_beat, down),
	    cmocka_unit_test_teardown(a_final_that_nobody_asked_for_ends_nothing, down),
	    cmocka_unit_test_teardown(s6_8_7_a_poll_is_answered_at_once_in_every_state, down),
	    cmocka_unit_test_teardown(s6_8_7_an_answer_does_not_shift_the_beat, down),
	    cmocka_unit_test_teardown(a_storm_of_polls_is_answered_in_measure, down),
	    cmocka_unit_test_teardown(
		s6_6_demand_of_the_neighbour_ends_regular_packets_but_not_polls, down),
	    cmocka_unit_test_teardown(s6_8_12_a_new_multiplier_needs_no_poll, down),
	    cmocka_unit_test_teardown(wrong_timers_are_refused, down),
	    cmocka_unit_test_teardown(late_service_is_measured, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
