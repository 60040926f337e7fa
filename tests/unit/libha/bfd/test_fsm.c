/* SPDX-License-Identifier: MIT */
/* The state machine: RFC 5880 sections 6.2, 6.8.1, 6.8.4, 6.8.6, 6.8.7, 6.8.15 to 6.8.17. */
#include "rig.h"

static struct rig r;

static int down(void **state)
{
	rig_down(&r);
	return 0;
}

static void started(const struct ha_bfd_opts *o)
{
	rig_up(&r, o);
	assert_int_equal(ha_bfd_start(r.s, T0), 0);
	r.log[0] = 0;
}

/* Brings a fresh session into a state, at T0. */
static void bring(enum ha_bfd_state to)
{
	const struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_DOWN, 0, 0);

	started(&o);
	if (to == HA_BFD_INIT || to == HA_BFD_UP)
		assert_int_equal(peer_send(&r, T0, &p), 0);
	if (to == HA_BFD_UP)
		hear(&r, T0, HA_BFD_UP, 0);
	if (to == HA_BFD_ADMIN_DOWN)
		assert_int_equal(ha_bfd_set_admin_down(r.s, T0, true, 0), 0);
	assert_int_equal(ha_bfd_state(r.s), to);
	r.log[0] = 0;
}

/* ---- the whole table of section 6.8.6 ---- */

static void s6_8_6_every_state_hears_every_state(void **state)
{
	static const struct {
		enum ha_bfd_state from, heard, to;
		uint8_t diag;
		enum ha_bfd_reason reason;
	} row[] = {
	    {HA_BFD_DOWN, HA_BFD_ADMIN_DOWN, HA_BFD_DOWN, 0, 0},
	    {HA_BFD_DOWN, HA_BFD_DOWN, HA_BFD_INIT, 0, HA_BFD_HANDSHAKE},
	    {HA_BFD_DOWN, HA_BFD_INIT, HA_BFD_UP, 0, HA_BFD_HANDSHAKE},
	    {HA_BFD_DOWN, HA_BFD_UP, HA_BFD_DOWN, 0, 0},
	    {HA_BFD_INIT, HA_BFD_ADMIN_DOWN, HA_BFD_DOWN, 3, HA_BFD_NEIGHBOR_ADMIN_DOWN},
	    {HA_BFD_INIT, HA_BFD_DOWN, HA_BFD_INIT, 0, 0},
	    {HA_BFD_INIT, HA_BFD_INIT, HA_BFD_UP, 0, HA_BFD_HANDSHAKE},
	    {HA_BFD_INIT, HA_BFD_UP, HA_BFD_UP, 0, HA_BFD_HANDSHAKE},
	    {HA_BFD_UP, HA_BFD_ADMIN_DOWN, HA_BFD_DOWN, 3, HA_BFD_NEIGHBOR_ADMIN_DOWN},
	    {HA_BFD_UP, HA_BFD_DOWN, HA_BFD_DOWN, 3, HA_BFD_NEIGHBOR_DOWN},
	    {HA_BFD_UP, HA_BFD_INIT, HA_BFD_UP, 0, 0},
	    {HA_BFD_UP, HA_BFD_UP, HA_BFD_UP, 0, 0},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		bring(row[i].from);
		r.n_sent = 0;
		hear(&r, T0, row[i].heard, 0);
		assert_int_equal(ha_bfd_state(r.s), row[i].to);
		if (row[i].to != row[i].from) {
			assert_int_equal(r.change.from, row[i].from);
			assert_int_equal(r.change.to, row[i].to);
			assert_int_equal(r.change.reason, row[i].reason);
			assert_int_equal(r.change.diag, row[i].diag);
			assert_int_equal(r.change.remote_state, row[i].heard);
			/* 6.8.7: what changed is told at once, and once */
			assert_int_equal(r.n_sent, 1);
			assert_int_equal(r.sent[1] >> 6, row[i].to);
			assert_int_equal(r.sent[0] & 0x1f, row[i].diag);
		} else {
			assert_int_equal(r.n_sent, 0);
		}
		rig_down(&r);
	}
}

static void s6_8_6_admin_down_notes_values_and_stays(void **state)
{
	struct peer p = peer_make(HA_BFD_UP, P, OURS);

	for (enum ha_bfd_state heard = HA_BFD_ADMIN_DOWN; heard <= HA_BFD_UP; heard++) {
		bring(HA_BFD_ADMIN_DOWN);
		p.pkt[1] = (uint8_t)(heard << 6 | P);
		assert_int_equal(peer_send(&r, T0, &p), HA_BFD_DROP_ADMIN_DOWN);
		assert_int_equal(ha_bfd_state(r.s), HA_BFD_ADMIN_DOWN);
		assert_int_equal(rig_status(&r).remote_discriminator, THEIRS);
		assert_int_equal(rig_status(&r).remote_state, heard);
		assert_said(&r, "drop(admin down)"); /* and no answer */
		rig_down(&r);
	}
	bring(HA_BFD_ADMIN_DOWN);
}

static void s6_2_three_ways_to_up(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_DOWN, 0, 0);

	rig_up(&r, &o);
	assert_int_equal(ha_bfd_start(r.s, T0), 0);
	assert_said(&r, "tx:down =down");
	assert_int_equal(peer_send(&r, T0 + MS, &p), 0);
	assert_said(&r, "tx:init =init");
	assert_int_equal(be32_at(r.sent + 8), THEIRS);
	hear(&r, T0 + 2 * MS, HA_BFD_UP, 0);
	/* Up wants another interval, and a Poll Sequence says so (6.8.3). */
	assert_said(&r, "tx:up+P =up remark(timers changed)");
	assert_int_equal(rig_stats(&r).became_up, 1);
	assert_int_equal(ha_bfd_start(r.s, T0), -EALREADY);
}

/* ---- detection ---- */

static void s6_8_4_detection_is_neither_early_nor_late(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_UP, 0, OURS);

	rig_established(&r, &o);
	p.pkt[2] = 4;			   /* the neighbour's multiplier, not ours */
	peer_intervals(&p, 50000, 100000); /* it would be faster than we can take */
	assert_int_equal(peer_send(&r, T0 + 50 * MS, &p), 0);
	assert_true(rig_status(&r).detect_ns == 400 * MS);
	rig_run(&r, T0 + 450 * MS - 1);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_UP);
	assert_true(ha_bfd_deadline(r.s) >= T0 + 450 * MS - 1);
	r.log[0] = 0;
	rig_run(&r, T0 + 450 * MS);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_DOWN);
	assert_int_equal(r.change.reason, HA_BFD_TIMEOUT);
	assert_int_equal(r.sent[0] & 0x1f, 1); /* Control Detection Time Expired */
	assert_true(r.sent[1] >> 6 == HA_BFD_DOWN);
	rig_down(&r);

	rig_established(&r, &o);
	peer_intervals(&p, 700000, 1); /* it is slower than we want it: its interval counts */
	assert_int_equal(peer_send(&r, T0 + 50 * MS, &p), 0);
	assert_true(rig_status(&r).detect_ns == 2800 * MS);
}

static void s6_8_4_init_ends_by_silence_too(void **state)
{
	bring(HA_BFD_INIT);
	rig_run(&r, T0 + 300 * MS - 1);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_INIT);
	rig_run(&r, T0 + 300 * MS);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_DOWN);
	assert_int_equal(r.change.diag, HA_BFD_DIAG_TIME_EXPIRED);
}

static void s6_8_4_a_dropped_packet_is_no_sign_of_life(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_UP, 0, OURS);

	rig_established(&r, &o);
	p.meta.ttl = 254;
	assert_int_equal(peer_send(&r, T0 + 299 * MS, &p), HA_BFD_DROP_TTL);
	rig_run(&r, T0 + 300 * MS);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_DOWN);
}

static void s6_8_1_a_silent_neighbour_is_forgotten_in_every_state(void **state)
{
	bring(HA_BFD_UP);
	rig_run(&r, T0 + 300 * MS);
	assert_int_equal(rig_status(&r).remote_discriminator, 0);
	assert_int_equal(be32_at(r.sent + 8), 0);
	assert_int_equal(rig_status(&r).remote_state, HA_BFD_DOWN);
	rig_down(&r);

	bring(HA_BFD_DOWN);
	hear(&r, T0, HA_BFD_ADMIN_DOWN, 0);
	assert_int_equal(rig_status(&r).remote_discriminator, THEIRS);
	rig_run(&r, T0 + 300 * MS);
	assert_int_equal(rig_status(&r).remote_discriminator, 0);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_DOWN);
	rig_down(&r);

	bring(HA_BFD_UP);
	assert_int_equal(ha_bfd_set_admin_down(r.s, T0, true, 0), 0);
	rig_run(&r, T0 + 300 * MS);
	assert_int_equal(rig_status(&r).remote_discriminator, 0);
}

/* It lost us, and speaks with Your Discriminator 0 again. */
static void a_neighbour_that_started_anew_is_found_again(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_DOWN, 0, 0);

	rig_established(&r, &o);
	be32_put(p.pkt + 4, THEIRS + 1);
	assert_int_equal(peer_send(&r, T0 + 10 * MS, &p), 0);
	assert_said(&r, "remark(the neighbor has another discriminator) tx:down+P =down");
	assert_int_equal(r.change.reason, HA_BFD_NEIGHBOR_DOWN);
	assert_int_equal(be32_at(r.sent + 8), THEIRS + 1);
	assert_int_equal(peer_send(&r, T0 + 20 * MS, &p), 0);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_INIT);
}

static void the_diagnostic_stays_until_up(void **state)
{
	struct peer p = peer_make(HA_BFD_DOWN, 0, 0);

	bring(HA_BFD_UP);
	rig_run(&r, T0 + 300 * MS);
	assert_int_equal(peer_send(&r, T0 + 400 * MS, &p), 0);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_INIT);
	assert_int_equal(r.sent[0] & 0x1f, HA_BFD_DIAG_TIME_EXPIRED);
	hear(&r, T0 + 401 * MS, HA_BFD_UP, 0);
	assert_int_equal(r.sent[0] & 0x1f, HA_BFD_DIAG_NONE);
}

/* ---- the administrator ---- */

static void s6_8_16_admin_down_is_told_and_told_again(void **state)
{
	bring(HA_BFD_UP);
	assert_int_equal(ha_bfd_set_admin_down(r.s, T0 + MS, true, 0), 0);
	assert_said(&r, "tx:admin+P =admin");
	assert_int_equal(r.sent[0] & 0x1f, HA_BFD_DIAG_ADMIN_DOWN);
	assert_int_equal(r.change.reason, HA_BFD_ADMIN);
	r.n_sent = 0;
	rig_run(&r, T0 + 10 * S);
	assert_in_range(r.n_sent, 10, 14); /* once a second, jittered */
	r.log[0] = 0;
	assert_int_equal(ha_bfd_set_admin_down(r.s, T0 + 10 * S, true, 0), 0); /* nothing new */
	assert_said(&r, "");
	assert_int_equal(ha_bfd_set_admin_down(r.s, T0 + 10 * S, false, 0), 0);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_DOWN);
	assert_int_equal(r.sent[0] & 0x1f, HA_BFD_DIAG_NONE);
}

static void s6_8_17_a_path_behind_us_is_told_by_its_diagnostic(void **state)
{
	bring(HA_BFD_UP);
	assert_int_equal(ha_bfd_set_admin_down(r.s, T0, true, HA_BFD_DIAG_CONCATENATED_PATH_DOWN),
			 0);
	assert_int_equal(r.sent[0] & 0x1f, HA_BFD_DIAG_CONCATENATED_PATH_DOWN);
	assert_int_equal(ha_bfd_set_admin_down(r.s, T0, true, HA_BFD_N_DIAGS), -EINVAL);
	r.n_sent = 0;
	assert_int_equal(ha_bfd_set_admin_down(r.s, T0, true, HA_BFD_DIAG_PATH_DOWN), 0);
	assert_int_equal(r.n_sent, 1);
	assert_int_equal(r.sent[0] & 0x1f, HA_BFD_DIAG_PATH_DOWN);
}

static void admin_down_before_start_is_remembered(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_up(&r, &o);
	assert_int_equal(ha_bfd_set_admin_down(r.s, T0, true, 0), 0);
	assert_said(&r, "");
	assert_int_equal(ha_bfd_start(r.s, T0), 0);
	assert_said(&r, "tx:admin =admin");
}

static void s6_8_15_a_reset_forwarding_plane_ends_up(void **state)
{
	bring(HA_BFD_UP);
	assert_int_equal(ha_bfd_reset(r.s, T0), 0);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_DOWN);
	assert_int_equal(r.sent[0] & 0x1f, HA_BFD_DIAG_FORWARDING_RESET);
	r.log[0] = 0;
	assert_int_equal(ha_bfd_reset(r.s, T0), 0);
	assert_said(&r, "");
}

static void stop_says_admin_down_once_and_is_silent(void **state)
{
	bring(HA_BFD_UP);
	assert_int_equal(ha_bfd_stop(r.s, T0), 0);
	assert_said(&r, "tx:admin =admin");
	assert_int_equal(r.change.reason, HA_BFD_STOPPED);
	assert_true(ha_bfd_deadline(r.s) == HA_BFD_NEVER);
	assert_int_equal(ha_bfd_stop(r.s, T0), -EALREADY);
	assert_int_equal(ha_bfd_start(r.s, T0 + S), 0);
	assert_said(&r, "tx:down =down");
	assert_int_equal(be32_at(r.sent + 8), 0);
}

/* ---- roles ---- */

static void s6_8_7_a_passive_session_waits_for_the_neighbour(void **state)
{
	struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_DOWN, 0, 0);

	o.multihop = o.passive = true;
	rig_up(&r, &o);
	assert_int_equal(ha_bfd_start(r.s, T0), 0);
	assert_said(&r, "=down");
	assert_true(ha_bfd_deadline(r.s) == HA_BFD_NEVER);
	assert_int_equal(peer_send(&r, T0 + S, &p), 0);
	assert_said(&r, "tx:init =init");
	rig_run(&r, T0 + 2 * S); /* silent again: nobody to speak to */
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_DOWN);
	assert_true(ha_bfd_deadline(r.s) == HA_BFD_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(s6_8_6_every_state_hears_every_state),
	    cmocka_unit_test_teardown(s6_8_6_admin_down_notes_values_and_stays, down),
	    cmocka_unit_test_teardown(s6_2_three_ways_to_up, down),
	    cmocka_unit_test_teardown(s6_8_4_detection_is_neither_early_nor_late, down),
	    cmocka_unit_test_teardown(s6_8_4_init_ends_by_silence_too, down),
	    cmocka_unit_test_teardown(s6_8_4_a_dropped_packet_is_no_sign_of_life, down),
	    cmocka_unit_test_teardown(s6_8_1_a_silent_neighbour_is_forgotten_in_every_state, down),
	    cmocka_unit_test_teardown(a_neighbour_that_started_anew_is_found_again, down),
	    cmocka_unit_test_teardown(the_diagnostic_stays_until_up, down),
	    cmocka_unit_test_teardown(s6_8_16_admin_down_is_told_and_told_again, down),
	    cmocka_unit_test_teardown(s6_8_17_a_path_behind_us_is_told_by_its_diagnostic, down),
	    cmocka_unit_test_teardown(admin_down_before_start_is_remembered, down),
	    cmocka_unit_test_teardown(s6_8_15_a_reset_forwarding_plane_ends_up, down),
	    cmocka_unit_test_teardown(stop_says_admin_down_once_and_is_silent, down),
	    cmocka_unit_test_teardown(s6_8_7_a_passive_session_waits_for_the_neighbour, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
