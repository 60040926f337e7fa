/* SPDX-License-Identifier: MIT */
/* A router that speaks version 2 beside 3 (RFC 9568 section 8.4). */
#include "rig.h"

#define DOWN_100 (3 * S + 609375000)

static struct rig r;
static unsigned sent[4]; /* by version */
static uint8_t seconds;	 /* the last interval field of version 2 */

static int on_send(struct ha_vrrp *v, const struct ha_ip *destination, const void *advert,
		   size_t len, void *userdata)
{
	const uint8_t *p = advert;

	assert_true(p[0] == 0x21 || p[0] == 0x31);
	sent[p[0] >> 4]++;
	if (p[0] == 0x21) {
		assert_int_equal(len, 20);
		assert_int_equal(slow_csum(advert, len, 0), 0);
		seconds = p[5];
	}
	return 0;
}

static int up(void **state)
{
	struct ha_vrrp_ops ops = rig_ops;
	struct ha_vrrp_opts o = rig_opts();

	memset(&r, 0, sizeof(r));
	memset(sent, 0, sizeof(sent));
	ops.send = on_send;
	o.v2_too = true;
	assert_null(ha_vrrp_check(&o));
	assert_int_equal(ha_vrrp_new(&o, &ops, &r, &r.v), 0);
	ha_vrrp_start(r.v, T0);
	r.log[0] = 0;
	return 0;
}

static int down(void **state)
{
	rig_down(&r);
	return 0;
}

static uint64_t hear_version(uint8_t version, uint64_t t, uint8_t priority, uint16_t cs,
			     int expected)
{
	struct peer p = peer_make(version, priority, "10.9.0.2", cs);

	assert_int_equal(peer_send(&r, t, &p), expected);
	return ha_vrrp_deadline(r.v);
}

static void R89_an_active_sends_both_at_its_rate(void **state)
{
	rig_run(&r, T0 + DOWN_100 + 4 * S);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
	assert_int_equal(sent[3], 5);
	assert_int_equal(sent[2], 5);
	assert_int_equal(seconds, 1);
}

static void R90_a_backup_times_out_by_the_rate_of_a_version_2_active(void **state)
{
	/* 3 * 2 s and 156/256 of 2 s */
	assert_true(hear_version(2, T0 + S, 200, 200, HA_VRRP_DROP_NONE) ==
		    T0 + S + 6 * S + 2 * 609375000);
}

static void R91_version_2_of_a_router_that_sends_3_is_ignored(void **state)
{
	uint64_t due = hear_version(3, T0 + S, 200, 100, HA_VRRP_DROP_NONE);

	assert_true(hear_version(2, T0 + 2 * S, 200, 100, HA_VRRP_DROP_OTHER_VERSION) == due);
	assert_said(&r, "drop(its version 3 is heard)");
}

static void version_2_counts_again_when_3_is_gone(void **state)
{
	hear_version(3, T0 + S, 200, 100, HA_VRRP_DROP_NONE);
	assert_true(hear_version(2, T0 + 4 * S + 1, 200, 100, HA_VRRP_DROP_NONE) ==
		    T0 + 4 * S + 1 + DOWN_100);
}

static void an_active_of_version_2_wins_and_loses_as_any_other(void **state)
{
	uint64_t t = T0 + DOWN_100;

	rig_run(&r, t);
	r.log[0] = 0;
	hear_version(2, t + 1, 50, 100, HA_VRRP_DROP_NONE);
	assert_said(&r, "remark(losing advert heard) announce5");
	assert_int_equal(sent[2], 2); /* it was answered in its own version, too */
	hear_version(2, t + 2, 200, 100, HA_VRRP_DROP_NONE);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_BACKUP);
}

static void wrong_options_are_refused(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.v2_too = true;
	o.advert_interval_cs = 150;
	assert_non_null(strstr(ha_vrrp_check(&o), "whole seconds"));
	o.advert_interval_cs = 100;
	o.version = 2;
	assert_non_null(strstr(ha_vrrp_check(&o), "version 3 over IPv4"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(R89_an_active_sends_both_at_its_rate, up, down),
	    cmocka_unit_test_setup_teardown(
		R90_a_backup_times_out_by_the_rate_of_a_version_2_active, up, down),
	    cmocka_unit_test_setup_teardown(R91_version_2_of_a_router_that_sends_3_is_ignored, up,
					    down),
	    cmocka_unit_test_setup_teardown(version_2_counts_again_when_3_is_gone, up, down),
	    cmocka_unit_test_setup_teardown(an_active_of_version_2_wins_and_loses_as_any_other, up,
					    down),
	    cmocka_unit_test(wrong_options_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
