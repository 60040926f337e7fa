/* SPDX-License-Identifier: MIT */
/* Trackers and the priority they make. */
#include "rig.h"

static struct rig r;

static int up(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	rig_up(&r, &o);
	return 0;
}

static int down(void **state)
{
	rig_down(&r);
	return 0;
}

static int priority(void)
{
	struct ha_vrrp_status s = {.size = sizeof(s)};

	assert_int_equal(ha_vrrp_status(r.v, &s), 0);
	return s.priority;
}

static void a_positive_weight_counts_while_up(void **state)
{
	assert_int_equal(ha_vrrp_track(r.v, T0, 0, 20, true), 0);
	assert_int_equal(priority(), 120);
	ha_vrrp_track(r.v, T0, 0, 20, false);
	assert_int_equal(priority(), 100);
}

static void a_negative_weight_counts_while_down(void **state)
{
	ha_vrrp_track(r.v, T0, 7, -30, true);
	assert_int_equal(priority(), 100);
	ha_vrrp_track(r.v, T0, 7, -30, false);
	assert_int_equal(priority(), 70);
}

static void trackers_add_up_and_are_bounded(void **state)
{
	ha_vrrp_track(r.v, T0, 0, 200, true);
	assert_int_equal(priority(), 254);
	ha_vrrp_track(r.v, T0, 1, -100, false);
	assert_int_equal(priority(), 200); /* the sum is bounded, not each step */
	ha_vrrp_track(r.v, T0, 0, 0, true);
	assert_int_equal(priority(), 1);
	ha_vrrp_track(r.v, T0, 1, 0, false);
	assert_int_equal(priority(), 100);
}

static void wrong_calls_are_refused(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	assert_int_equal(ha_vrrp_track(NULL, T0, 0, 1, true), -EINVAL);
	assert_int_equal(ha_vrrp_track(r.v, T0, HA_VRRP_MAX_TRACKERS, 1, true), -EINVAL);
	assert_int_equal(ha_vrrp_track(r.v, T0, 0, 255, true), -EINVAL);
	assert_int_equal(ha_vrrp_track(r.v, T0, 0, -255, true), -EINVAL);
	assert_int_equal(priority(), 100);
	rig_down(&r);
	o.priority = 255;
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_track(r.v, T0, 0, -10, false), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_positive_weight_counts_while_up, up, down),
	    cmocka_unit_test_setup_teardown(a_negative_weight_counts_while_down, up, down),
	    cmocka_unit_test_setup_teardown(trackers_add_up_and_are_bounded, up, down),
	    cmocka_unit_test_setup_teardown(wrong_calls_are_refused, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
