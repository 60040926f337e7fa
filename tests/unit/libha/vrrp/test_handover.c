/* SPDX-License-Identifier: MIT */
/* Giving the addresses away on purpose, and losing them by accident. */
#include "rig.h"

#define DOWN_100 (3 * S + 609375000)

static struct rig r;
static uint64_t t; /* since when it is Active */

static int up(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	t = T0 + DOWN_100;
	rig_run(&r, t);
	r.log[0] = 0;
	return 0;
}

static int down(void **state)
{
	rig_down(&r);
	return 0;
}

static void the_addresses_stay_until_the_heir_is_heard(void **state)
{
	assert_int_equal(ha_vrrp_hand_over(r.v, t + 1), 0);
	assert_said(&r, "send0");
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
	hear(&r, t + 1 + 600 * MS, 50);
	assert_said(&r, "down backup");
	assert_int_equal(r.change.reason, HA_VRRP_HANDED_OVER);
	assert_int_equal(r.change.peer_priority, 50);
}

static void it_does_not_take_them_back_from_the_heir(void **state)
{
	ha_vrrp_hand_over(r.v, t + 1);
	for (int i = 1; i < 20; i++)
		hear(&r, t + (unsigned)i * S, 50);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_BACKUP);
}

static void it_succeeds_an_heir_that_fails(void **state)
{
	ha_vrrp_hand_over(r.v, t + 1);
	hear(&r, t + S, 50);
	rig_run(&r, t + S + DOWN_100);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
	hear(&r, t + 10 * S, 50); /* and is again as any other Active */
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
}

static void priority_0_is_repeated_and_answers_nobody(void **state)
{
	ha_vrrp_hand_over(r.v, t + 1);
	rig_run(&r, t + 1 + S);
	assert_said(&r, "send0 send0");
	hear(&r, t + 2 * S, 0); /* another one that resigns is no heir */
	assert_said(&r, "");
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
}

static void without_an_heir_it_goes_on(void **state)
{
	ha_vrrp_hand_over(r.v, t + 1);
	assert_int_equal(ha_vrrp_hand_over(r.v, t + 2), -EALREADY);
	rig_run(&r, t + 1 + 4 * S);
	assert_said(&r, "send0 send0 send0 send0 remark(nobody took over) send100");
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
	assert_int_equal(ha_vrrp_hand_over(r.v, t + 5 * S), 0);
}

static void of_two_that_hand_over_the_higher_address_goes_on(void **state)
{
	struct peer p = peer_make(3, 0, "10.9.0.0", 100);

	ha_vrrp_hand_over(r.v, t + 1);
	assert_int_equal(peer_send(&r, t + 2, &p), HA_VRRP_DROP_NONE);
	assert_said(&r, "send0 remark(nobody took over) send100");
	hear(&r, t + 3, 50);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
}

static void without_an_heir_and_without_addresses_it_is_silent(void **state)
{
	ha_vrrp_hand_over(r.v, t + 1);
	rig_run(&r, t + 3590 * MS);
	ha_vrrp_set_held(r.v, t + 3600 * MS, false);
	r.log[0] = 0;
	rig_run(&r, t + 3620 * MS);
	hear(&r, t + 3630 * MS, 50);
	assert_null(strstr(r.log, "send100"));
}

static void only_an_active_hands_over(void **state)
{
	ha_vrrp_stop(r.v, t + 1);
	assert_int_equal(ha_vrrp_hand_over(r.v, t + 2), -EALREADY);
	assert_int_equal(ha_vrrp_hand_over(NULL, t + 2), -EINVAL);
}

static void a_handover_is_thawed(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	uint8_t cold[HA_VRRP_FREEZE_SIZE];
	ssize_t len;

	ha_vrrp_hand_over(r.v, t + 1);
	len = ha_vrrp_freeze(r.v, cold, sizeof(cold));
	assert_true(len > 0);
	rig_down(&r);
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_thaw(r.v, t + 2, 0, cold, (size_t)len), 0);
	hear(&r, t + S, 50);
	assert_said(&r, "down backup");
	assert_int_equal(r.change.reason, HA_VRRP_HANDED_OVER);
}

static void lost_addresses_are_asked_for_and_no_advert_leaves(void **state)
{
	assert_int_equal(ha_vrrp_set_held(r.v, t + 960 * MS, false), 0);
	assert_said(&r, "remark(addresses lost) up");
	assert_true(ha_vrrp_deadline(r.v) == t + S);
	ha_vrrp_tick(r.v, t + S);
	hear(&r, t + S + 1, 0);
	hear(&r, t + S + 2, 50);
	assert_said(&r, "remark(losing advert heard) announce5");
	assert_int_equal(ha_vrrp_set_held(r.v, t + S + 3, true), 0);
	assert_said(&r, "send100 announce5");
}

static void without_heir_and_addresses_no_advert_leaves(void **state)
{
	ha_vrrp_hand_over(r.v, t + 1);
	rig_run(&r, t + 1 + 3 * S);
	r.log[0] = 0;
	ha_vrrp_set_held(r.v, t + 1 + 4 * S - HA_VRRP_RESTORE_NS / 2, false);
	rig_run(&r, t + 1 + 4 * S);
	assert_said(&r, "remark(addresses lost) up remark(nobody took over)");
	ha_vrrp_set_held(r.v, t + 2 + 4 * S, true);
	assert_said(&r, "send100 announce5");
}

static void addresses_that_do_not_come_back_are_a_fault_within_100_ms(void **state)
{
	struct ha_vrrp_status s = {.size = sizeof(s)};

	ha_vrrp_set_held(r.v, t + 1, false);
	rig_run(&r, t + 100 * MS);
	assert_said(&r, "remark(addresses lost) up down send0 fault");
	ha_vrrp_status(r.v, &s);
	assert_int_equal(s.faults, HA_VRRP_FAULT_ADDRESS);
	assert_true(ha_vrrp_deadline(r.v) == HA_VRRP_NEVER);
	assert_int_equal(ha_vrrp_set_fault(r.v, t + S, HA_VRRP_FAULT_ADDRESS, false), 0);
	assert_said(&r, "backup");
}

static void a_loss_is_told_once_and_only_to_an_active(void **state)
{
	ha_vrrp_set_held(r.v, t + 1, false);
	ha_vrrp_set_held(r.v, t + 2, false);
	assert_said(&r, "remark(addresses lost) up");
	ha_vrrp_set_held(r.v, t + 3, true);
	ha_vrrp_set_held(r.v, t + 4, true);
	assert_said(&r, "send100 announce5");
	ha_vrrp_stop(r.v, t + 5);
	r.log[0] = 0;
	assert_int_equal(ha_vrrp_set_held(r.v, t + 6, false), 0);
	assert_said(&r, "");
	assert_int_equal(ha_vrrp_set_held(NULL, t + 6, false), -EINVAL);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ROW(the_addresses_stay_until_the_heir_is_heard),
	    ROW(it_does_not_take_them_back_from_the_heir),
	    ROW(it_succeeds_an_heir_that_fails),
	    ROW(priority_0_is_repeated_and_answers_nobody),
	    ROW(without_an_heir_it_goes_on),
	    ROW(of_two_that_hand_over_the_higher_address_goes_on),
	    ROW(without_an_heir_and_without_addresses_it_is_silent),
	    ROW(only_an_active_hands_over),
	    ROW(a_handover_is_thawed),
	    ROW(lost_addresses_are_asked_for_and_no_advert_leaves),
	    ROW(without_heir_and_addresses_no_advert_leaves),
	    ROW(addresses_that_do_not_come_back_are_a_fault_within_100_ms),
	    ROW(a_loss_is_told_once_and_only_to_an_active),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
