/* SPDX-License-Identifier: MIT */
/* A router without virtual addresses, as keepalived has them: the election is all there is. */
#include "rig.h"

#define DOWN_100 (3 * S + 609375000)

static struct rig r;

static struct ha_vrrp_opts opts_of(uint8_t version)
{
	struct ha_vrrp_opts o = rig_opts();

	o.version = version;
	o.addresses = NULL;
	o.n_addresses = 0;
	o.no_addresses = true;
	return o;
}

/* An advert that names none. */
static struct peer empty(uint8_t version, uint8_t priority)
{
	struct peer p = peer_make(version, priority, "10.9.0.2", 100);

	p.pkt[3] = 0;
	memmove(p.pkt + 8, p.pkt + 12, sizeof(p.pkt) - 12);
	p.len -= 4;
	peer_sum(&p);
	return p;
}

static void elects(uint8_t version, size_t bytes)
{
	struct ha_vrrp_opts o = opts_of(version);
	struct peer p = empty(version, 200);

	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	rig_run(&r, T0 + DOWN_100);
	assert_said(&r, "backup send100 up announce5 active");
	assert_int_equal(r.sent_len, bytes);
	assert_int_equal(r.sent[3], 0);
	assert_int_equal(peer_send(&r, T0 + DOWN_100 + MS, &p), HA_VRRP_DROP_NONE);
	assert_said(&r, "down backup");
	rig_down(&r);
}

static void it_takes_over_and_gives_way_in_both_versions(void **state)
{
	elects(2, 16);
	elects(3, 8);
}

static void addresses_of_another_router_are_said(void **state)
{
	struct ha_vrrp_opts o = opts_of(3);

	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	hear(&r, T0 + S, 200);
	assert_said(&r, "backup remark(address list differs)");
	rig_down(&r);
}

static void a_router_with_addresses_takes_no_empty_advert(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	struct peer p = empty(3, 200);

	o.no_addresses = true;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	assert_int_equal(peer_send(&r, T0 + S, &p), HA_VRRP_DROP_LENGTH);
	rig_down(&r);
}

static void an_empty_advert_that_is_longer_is_refused(void **state)
{
	struct ha_vrrp_opts o = opts_of(3);
	struct peer p = empty(3, 200);

	p.len += 4;
	peer_sum(&p);
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	assert_int_equal(peer_send(&r, T0 + S, &p), HA_VRRP_DROP_LENGTH);
	rig_down(&r);
}

static void it_must_be_asked_for(void **state)
{
	struct ha_vrrp_opts o = opts_of(3);

	o.no_addresses = false;
	assert_non_null(strstr(ha_vrrp_check(&o), "at least one"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_takes_over_and_gives_way_in_both_versions),
	    cmocka_unit_test(addresses_of_another_router_are_said),
	    cmocka_unit_test(a_router_with_addresses_takes_no_empty_advert),
	    cmocka_unit_test(an_empty_advert_that_is_longer_is_refused),
	    cmocka_unit_test(it_must_be_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
