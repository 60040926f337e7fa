/* SPDX-License-Identifier: MIT */
/* The rows of RFC 9568 section 6.4, one test each; R-numbers are those of docs/rfc-map.md. */
#include "rig.h"

/* 3 s and (256-100)/256 s */
#define DOWN_100 (3 * S + 609375000)
#define SKEW_100 UINT64_C(609375000)

static struct rig r;

static void start(uint8_t priority)
{
	struct ha_vrrp_opts o = rig_opts();

	o.priority = priority;
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_start(r.v, T0), 0);
}

/* An Active, first adverts and announcements behind it. */
static uint64_t start_active(void)
{
	start(100);
	rig_run(&r, T0 + DOWN_100);
	assert_said(&r, "backup send100 up announce5 active");
	return T0 + DOWN_100;
}

static int down(void **state)
{
	rig_down(&r);
	return 0;
}

static void R17_R44_an_owner_starts_as_active_with_255(void **state)
{
	start(255);
	assert_said(&r, "send255 up announce5 active");
	assert_int_equal(r.change.reason, HA_VRRP_OWNER);
	assert_true(ha_vrrp_deadline(r.v) == T0 + S);
}

static void R45_another_router_starts_as_backup(void **state)
{
	start(100);
	assert_said(&r, "backup");
	assert_int_equal(r.change.from, HA_VRRP_INITIALIZE);
	assert_true(ha_vrrp_deadline(r.v) == T0 + DOWN_100);
}

static void R54_a_stopped_backup_says_nothing(void **state)
{
	start(100);
	assert_said(&r, "backup");
	assert_int_equal(ha_vrrp_stop(r.v, T0 + S), 0);
	assert_said(&r, "initialize");
	assert_true(ha_vrrp_deadline(r.v) == HA_VRRP_NEVER);
}

static void R55_the_down_timer_makes_it_active_advert_first(void **state)
{
	start(100);
	r.log[0] = 0;
	ha_vrrp_tick(r.v, T0 + DOWN_100 - 1);
	assert_said(&r, "");
	ha_vrrp_tick(r.v, T0 + DOWN_100);
	assert_said(&r, "send100 up announce5 active");
	assert_int_equal(r.change.reason, HA_VRRP_TIMEOUT);
}

static void R56_priority_zero_leaves_the_skew_time(void **state)
{
	start(100);
	hear(&r, T0 + S, 200);
	hear(&r, T0 + 2 * S, 0);
	assert_true(ha_vrrp_deadline(r.v) == T0 + 2 * S + SKEW_100);
	r.log[0] = 0;
	rig_run(&r, T0 + 2 * S + SKEW_100);
	assert_said(&r, "send100 up announce5 active");
	assert_int_equal(r.change.reason, HA_VRRP_RESIGNED);
}

static void R56_a_flood_of_priority_zero_does_not_hold_the_timer(void **state)
{
	start(100);
	for (unsigned i = 0; i < 100; i++)
		hear(&r, T0 + i * MS, 0);
	assert_true(ha_vrrp_deadline(r.v) == T0 + SKEW_100);
}

static void R57_an_advert_of_a_higher_one_restarts_the_timer(void **state)
{
	start(100);
	hear(&r, T0 + 2 * S, 101);
	assert_true(ha_vrrp_deadline(r.v) == T0 + 2 * S + DOWN_100);
}

static void R57_an_advert_of_an_equal_one_restarts_the_timer(void **state)
{
	start(100);
	hear(&r, T0 + 2 * S, 100);
	assert_true(ha_vrrp_deadline(r.v) == T0 + 2 * S + DOWN_100);
	assert_said(&r, "backup remark(equal priority)"); /* R88 */
}

static void R57_the_interval_of_the_active_is_learned(void **state)
{
	struct peer p = peer_make(3, 200, "10.9.0.2", 50);

	start(100);
	assert_int_equal(peer_send(&r, T0 + S, &p), 0);
	assert_true(ha_vrrp_deadline(r.v) == T0 + S + DOWN_100 / 2);
	assert_said(&r, "backup remark(advert interval differs)"); /* R41 */
}

static void R57_no_preempt_follows_a_lower_one(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.no_preempt = true;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	hear(&r, T0 + 2 * S, 1);
	assert_true(ha_vrrp_deadline(r.v) == T0 + 2 * S + DOWN_100);
}

static void R58_a_lower_one_does_not_touch_the_timer(void **state)
{
	start(100);
	hear(&r, T0 + 2 * S, 99);
	assert_true(ha_vrrp_deadline(r.v) == T0 + DOWN_100);
	rig_run(&r, T0 + DOWN_100);
	assert_int_equal(r.change.reason, HA_VRRP_PREEMPTED);
}

static void R59_no_preempt_never_holds_an_owner(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.no_preempt = true;
	o.priority = 255;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	assert_said(&r, "send255 up announce5 active");
	hear(&r, T0 + MS, 254);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
}

static void R69_a_stopped_active_drops_the_addresses_and_resigns(void **state)
{
	uint64_t t = start_active();

	ha_vrrp_stop(r.v, t + MS);
	assert_said(&r, "down send0 initialize"); /* R70: addresses first */
	assert_true(ha_vrrp_deadline(r.v) == HA_VRRP_NEVER);
}

static void R71_the_advert_timer_keeps_its_beat(void **state)
{
	uint64_t t = start_active();

	for (unsigned i = 1; i < 4; i++) {
		assert_true(ha_vrrp_deadline(r.v) == t + i * S);
		ha_vrrp_tick(r.v, t + i * S + 3 * MS); /* served late: the next is not */
		assert_said(&r, "send100");
	}
}

static void R72_an_active_answers_priority_zero_and_rearms(void **state)
{
	uint64_t t = start_active();

	hear(&r, t + 300 * MS, 0);
	assert_said(&r, "send100 announce5"); /* it may have announced after us */
	assert_true(ha_vrrp_deadline(r.v) == t + 1300 * MS);
	hear(&r, t + 305 * MS, 0); /* neither is done twice at once */
	assert_said(&r, "");
}

static void R73_a_higher_priority_makes_it_backup(void **state)
{
	uint64_t t = start_active();
	struct peer p = peer_make(3, 101, "10.9.0.2", 200);

	peer_send(&r, t + MS, &p);
	assert_said(&r, "remark(advert interval differs) down backup");
	assert_int_equal(r.change.reason, HA_VRRP_HIGHER_PRIORITY);
	assert_int_equal(r.change.peer_priority, 101);
	assert_int_equal(ha_ip_compare(&r.change.peer, &p.meta.source), 0);
	assert_true(ha_vrrp_deadline(r.v) == t + MS + 2 * DOWN_100);
}

static void R74_the_higher_address_breaks_the_tie(void **state)
{
	uint64_t t = start_active();

	hear(&r, t + MS, 100);
	assert_said(&r, "remark(equal priority) down backup");
	assert_int_equal(r.change.reason, HA_VRRP_HIGHER_ADDRESS);
}

static void R74_addresses_compare_unsigned_in_network_order(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	struct peer p = peer_make(3, 100, "10.9.0.200", 100);

	o.source = ip("10.9.0.127");
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	rig_run(&r, T0 + DOWN_100);
	peer_send(&r, T0 + DOWN_100 + 1, &p);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_BACKUP);
}

static void R75_the_lower_address_loses_the_tie(void **state)
{
	uint64_t t = start_active();
	struct peer p = peer_make(3, 100, "10.9.0.0", 100);

	peer_send(&r, t + MS, &p);
	assert_said(&r, "remark(equal priority) remark(losing advert heard) send100 announce5");
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
}

static void a_losing_advert_is_answered_a_second_time_when_asked_for(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	uint64_t t = T0 + DOWN_100;

	o.garp_delay_ns = HA_VRRP_NEVER;
	o.garp_lower_repeat = 2;
	o.garp_lower_delay_ns = 1500 * MS;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	rig_run(&r, t);
	r.log[0] = 0;
	hear(&r, t + 300 * MS, 50);
	assert_said(&r, "remark(losing advert heard) send100 announce2");
	rig_run(&r, t + 1799 * MS);
	assert_said(&r, "send100");
	rig_run(&r, t + 10 * S);
	assert_non_null(strstr(r.log, "announce2"));
	assert_null(strstr(strstr(r.log, "announce2") + 1, "announce"));
}

static void R76_a_losing_advert_is_answered_at_once(void **state)
{
	uint64_t t = start_active();

	hear(&r, t + 300 * MS, 50);
	assert_said(&r, "remark(losing advert heard) send100 announce5");
	assert_true(ha_vrrp_deadline(r.v) == t + S); /* the beat goes on */
}

static void R76_answers_are_limited_to_one_in_ten_milliseconds(void **state)
{
	uint64_t t = start_active();
	struct ha_vrrp_stats s = {.size = sizeof(s)};

	for (unsigned i = 0; i < 100; i++)
		hear(&r, t + i * MS, i % 2 ? 50 : 0);
	ha_vrrp_stats(r.v, &s);
	assert_int_equal(s.adverts_sent, 1 + 10);
	assert_int_equal(s.replies_withheld, 90);
}

static void R76_announcements_after_losing_adverts_come_once_a_second(void **state)
{
	uint64_t t = start_active();

	hear(&r, t + 100 * MS, 50);
	r.log[0] = 0;
	hear(&r, t + 200 * MS, 50);
	hear(&r, t + 300 * MS, 50);
	assert_said(&r, "remark(losing advert heard) send100 remark(losing advert heard) send100");
	rig_run(&r, t + 1099 * MS);
	assert_said(&r, "send100");
	rig_run(&r, t + 1100 * MS);
	assert_said(&r, "announce5");
}

static void R76_no_reply_can_be_asked_for(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.no_reply = true;
	o.priority = 255;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	r.log[0] = 0;
	hear(&r, T0 + MS, 50);
	assert_said(&r, "remark(losing advert heard) announce5");
}

static void R77_as_active_it_uses_its_own_interval(void **state)
{
	struct peer p = peer_make(3, 200, "10.9.0.2", 50);

	start(100);
	peer_send(&r, T0, &p);
	rig_run(&r, T0 + DOWN_100 / 2);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
	assert_true(ha_vrrp_deadline(r.v) == T0 + DOWN_100 / 2 + S);
	assert_int_equal(r.sent[4] << 8 | r.sent[5], 100);
}

static void R93_an_owner_elects_normally_and_says_so(void **state)
{
	start(255);
	r.log[0] = 0;
	hear(&r, T0 + MS, 255); /* from a higher address: erratum 8298 */
	assert_said(&r, "remark(second owner) down backup"); /* R87 */
}

static void R8_without_a_source_it_sends_nothing(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	struct ha_ip source = o.source;
	struct ha_vrrp_stats s = {.size = sizeof(s)};

	o.priority = 255;
	memset(&o.source, 0, sizeof(o.source));
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	assert_said(&r, "remark(no source address) up announce5 active");
	ha_vrrp_stats(r.v, &s);
	assert_int_equal(s.send_errors, 1);
	assert_int_equal(s.adverts_sent, 0);
	assert_int_equal(ha_vrrp_set_source(r.v, &source), 0);
	rig_run(&r, T0 + S);
	assert_said(&r, "send255");
}

static void the_priority_zero_of_a_lower_one_counts_too(void **state)
{
	start(100);
	hear(&r, T0 + S, 50);
	hear(&r, T0 + S + MS, 0);
	assert_true(ha_vrrp_deadline(r.v) == T0 + S + MS + SKEW_100);
}

static void a_fault_resigns_and_its_end_makes_a_backup(void **state)
{
	uint64_t t = start_active();

	assert_int_equal(ha_vrrp_set_fault(r.v, t + MS, 1, true), 0);
	assert_said(&r, "down send0 fault");
	ha_vrrp_set_fault(r.v, t + MS, 4, true);
	ha_vrrp_set_fault(r.v, t + MS, 1, false);
	assert_said(&r, "");
	assert_true(ha_vrrp_deadline(r.v) == HA_VRRP_NEVER);
	ha_vrrp_set_fault(r.v, t + 2 * S, 4, false);
	assert_said(&r, "backup");
	assert_int_equal(r.change.reason, HA_VRRP_RECOVERED);
	assert_true(ha_vrrp_deadline(r.v) == t + 2 * S + DOWN_100);
}

static void a_router_with_a_fault_starts_in_fault(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	struct peer p = peer_make(3, 1, "10.9.0.2", 100);

	o.priority = 255;
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_set_fault(r.v, T0, 2, true), 0);
	assert_int_equal(ha_vrrp_set_fault(r.v, T0, HA_VRRP_FAULT_GROUP, true), -EINVAL);
	ha_vrrp_start(r.v, T0);
	assert_said(&r, "fault");
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_NOT_RUNNING);
	assert_said(&r, "drop(not running)");
	ha_vrrp_set_fault(r.v, T0 + 1, 2, false); /* an owner does not wait */
	assert_said(&r, "send255 up announce5 active");
}

static void preempt_delay_leaves_a_lower_active_in_peace(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.preempt_delay_ns = 60 * S;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	for (unsigned i = 1; i <= 60; i++) {
		rig_run(&r, T0 + i * S);
		hear(&r, T0 + i * S, 50);
		assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_BACKUP);
	}
	assert_true(ha_vrrp_deadline(r.v) == T0 + 60 * S + DOWN_100);
	hear(&r, T0 + 61 * S, 50); /* 60 s after the first: no more */
	assert_true(ha_vrrp_deadline(r.v) == T0 + 60 * S + DOWN_100);
	rig_run(&r, T0 + 60 * S + DOWN_100);
	assert_int_equal(r.change.reason, HA_VRRP_PREEMPTED);
}

static void preempt_delay_does_not_delay_a_failover(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.preempt_delay_ns = 60 * S;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	hear(&r, T0 + S, 50);
	rig_run(&r, T0 + S + DOWN_100);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
}

static void a_late_down_timer_listens_once_more(void **state)
{
	uint64_t t = T0 + DOWN_100 + 20 * S;

	start(100);
	ha_vrrp_tick(r.v, t); /* the process stood still for 20 s */
	assert_said(&r, "backup remark(timer served late)");
	assert_true(ha_vrrp_deadline(r.v) == t + S);
	hear(&r, t + 1, 200); /* what had waited in the socket */
	assert_true(ha_vrrp_deadline(r.v) == t + 1 + DOWN_100);
	ha_vrrp_tick(r.v, t + 100 * S);
	ha_vrrp_tick(r.v, t + 200 * S); /* late again: not a second time */
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
}

static void a_new_priority_does_not_end_the_listening(void **state)
{
	uint64_t t = T0 + 20 * S;

	start(100);
	hear(&r, T0 + S, 0);
	ha_vrrp_tick(r.v, t); /* far behind Skew_Time, too */
	assert_true(ha_vrrp_deadline(r.v) == t + S);
	ha_vrrp_set_priority(r.v, t + 1, 120);
	assert_true(ha_vrrp_deadline(r.v) == t + S);
}

static void an_active_that_slept_listens_before_it_asserts(void **state)
{
	uint64_t t = start_active();

	ha_vrrp_tick(r.v, t + 4 * S); /* its last advert is 4 s old: others may have taken over */
	assert_said(&r, "remark(timer served late)");
	assert_true(ha_vrrp_deadline(r.v) == t + 5 * S);
	rig_run(&r, t + 5 * S);
	assert_said(&r, "send100 announce5 announce5"); /* the second: garp_delay is over, too */
	assert_true(ha_vrrp_deadline(r.v) == t + 6 * S);
}

static void an_active_that_slept_yields_to_a_winner_without_a_word(void **state)
{
	uint64_t t = start_active();

	ha_vrrp_tick(r.v, t + 4 * S);
	hear(&r, t + 4 * S + 1, 200);
	assert_said(&r, "remark(timer served late) down backup");
}

static void an_active_that_slept_asserts_against_a_loser_at_once(void **state)
{
	uint64_t t = start_active();

	ha_vrrp_tick(r.v, t + 4 * S);
	hear(&r, t + 4 * S + 1, 50);
	assert_said(&r, "remark(timer served late) remark(losing advert heard) send100 announce5");
}

static void an_active_that_is_a_little_late_keeps_its_beat(void **state)
{
	uint64_t t = start_active();

	ha_vrrp_tick(r.v, t + 3 * S); /* two beats late: nobody has taken over yet */
	assert_said(&r, "remark(timer served late) send100");
	assert_true(ha_vrrp_deadline(r.v) == t + 4 * S);
}

/* An Active with no_preempt whose rivals have at most `rival`, first adverts behind it: since when. */
static uint64_t start_polite(uint8_t rival)
{
	struct ha_vrrp_opts o = rig_opts();

	o.no_preempt = true;
	o.rival_priority = rival;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	rig_run(&r, T0 + DOWN_100);
	r.log[0] = 0;
	return T0 + DOWN_100;
}

static void an_active_that_may_not_preempt_gives_way_when_a_rival_has_taken_over(void **state)
{
	uint64_t t = start_polite(128);

	ha_vrrp_tick(r.v, t + 3 * S + S / 2 + 1); /* the rival's Active_Down_Interval */
	assert_said(&r, "remark(timer served late) down backup");
	assert_int_equal(r.change.reason, HA_VRRP_OVERSLEPT);
	assert_true(ha_vrrp_deadline(r.v) == t + 3 * S + S / 2 + 1 + DOWN_100);
}

static void and_follows_the_rival_that_it_hears_before_its_timer(void **state)
{
	uint64_t t = start_polite(254);

	hear(&r, t + 5 * S, 50);
	assert_said(&r, "remark(timer served late) down backup");
	hear(&r, t + 6 * S, 50);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_BACKUP);
	assert_true(ha_vrrp_deadline(r.v) == t + 6 * S + DOWN_100);
}

static void before_that_it_goes_on_and_an_owner_always_does(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	uint64_t t = start_polite(128);

	ha_vrrp_tick(r.v, t + 3 * S + S / 2);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
	rig_down(&r);
	o.no_preempt = true;
	o.rival_priority = 254;
	o.priority = 255;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	ha_vrrp_tick(r.v, T0 + 100 * S);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
}

static void a_deaf_owner_answers_nobody_until_it_is_none(void **state)
{
	struct peer loser = peer_make(3, 50, "10.9.0.2", 100);
	struct ha_vrrp_opts o = rig_opts();

	o.deaf_owner = true;
	o.priority = 255;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	r.log[0] = 0;
	peer_send(&r, T0 + MS, &loser);
	assert_said(&r, "drop(an owner that hears nobody)");
	rig_down(&r);
	o.priority = 200;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	r.log[0] = 0;
	hear(&r, T0 + MS, 201);
	assert_said(&r, "");
}

static void a_dead_peer_shortens_the_timer_of_its_backup(void **state)
{
	const struct ha_ip active = ip("10.9.0.2"), other = ip("10.9.0.3");

	start(100);
	hear(&r, T0 + S, 200);
	assert_int_equal(ha_vrrp_peer_down(r.v, T0 + 2 * S, &other), 0);
	assert_true(ha_vrrp_deadline(r.v) == T0 + S + DOWN_100);
	assert_int_equal(ha_vrrp_peer_down(r.v, T0 + 2 * S, &active), 0);
	assert_true(ha_vrrp_deadline(r.v) == T0 + 2 * S + SKEW_100);
	rig_run(&r, T0 + 2 * S + SKEW_100);
	assert_int_equal(r.change.reason, HA_VRRP_PEER_DOWN);
}

static void an_advert_undoes_a_dead_peer(void **state)
{
	const struct ha_ip active = ip("10.9.0.2");

	start(100);
	hear(&r, T0 + S, 200);
	ha_vrrp_peer_down(r.v, T0 + 2 * S, &active);
	hear(&r, T0 + 2 * S + 1, 200);
	assert_true(ha_vrrp_deadline(r.v) == T0 + 2 * S + 1 + DOWN_100);
}

static void a_dead_peer_is_nothing_to_an_active(void **state)
{
	const struct ha_ip peer = ip("10.9.0.2");
	uint64_t t = start_active();

	assert_int_equal(ha_vrrp_peer_down(r.v, t + 1, &peer), 0);
	assert_int_equal(ha_vrrp_peer_down(r.v, t + 1, NULL), -EINVAL);
	assert_said(&r, "");
	assert_true(ha_vrrp_deadline(r.v) == t + S);
}

static void a_new_priority_moves_the_running_timer(void **state)
{
	struct ha_vrrp_status s = {.size = sizeof(s)};

	start(100);
	assert_int_equal(ha_vrrp_set_priority(r.v, T0 + S, 228), 0);
	assert_true(ha_vrrp_deadline(r.v) == T0 + 3 * S + 28 * S / 256);
	ha_vrrp_status(r.v, &s);
	assert_int_equal(s.priority, 228);
	ha_vrrp_set_priority(r.v, T0 + S, 1);
	rig_run(&r, T0 + 3900 * MS);
	ha_vrrp_set_priority(r.v, T0 + 3900 * MS, 254); /* would have been due: is due, not late */
	rig_run(&r, T0 + 3900 * MS);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
}

static void an_owner_keeps_its_priority(void **state)
{
	start(255);
	assert_int_equal(ha_vrrp_set_priority(r.v, T0, 100), -EINVAL);
	rig_down(&r);
	start(100);
	assert_int_equal(ha_vrrp_set_priority(r.v, T0, 0), -EINVAL); /* R18 */
	assert_int_equal(ha_vrrp_set_priority(r.v, T0, 255), -EINVAL);
}

static void the_last_advert_tells_the_winner_of_the_split(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.last_advert = true;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	rig_run(&r, T0 + DOWN_100);
	r.log[0] = 0;
	hear(&r, T0 + DOWN_100 + 1, 200);
	assert_said(&r, "send100 down backup");
}

static void announcements_follow_the_schedule(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.priority = 255;
	o.advert_interval_cs = 4000;
	o.garp_repeat = 3;
	o.garp_delay_ns = 2 * S;
	o.garp_refresh_ns = 10 * S;
	o.garp_refresh_repeat = 2;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	assert_said(&r, "send255 up announce3 active");
	rig_run(&r, T0 + 2 * S - 1);
	assert_said(&r, "");
	rig_run(&r, T0 + 2 * S);
	assert_said(&r, "announce3");
	rig_run(&r, T0 + 32 * S);
	assert_said(&r, "announce2 announce2 announce2");
	ha_vrrp_announce(r.v, T0 + 33 * S);
	assert_said(&r, "announce3");
	ha_vrrp_stop(r.v, T0 + 34 * S);
	assert_true(ha_vrrp_deadline(r.v) == HA_VRRP_NEVER);
}

/* The one that it preempts may announce still, after it has. */
static void who_preempts_announces_again_a_second_later(void **state)
{
	start(100);
	hear(&r, T0 + S, 50);
	rig_run(&r, T0 + DOWN_100);
	assert_said(&r, "backup send100 up announce5 active");
	assert_int_equal(r.change.reason, HA_VRRP_PREEMPTED);
	rig_run(&r, T0 + DOWN_100 + S - 1);
	assert_said(&r, "");
	rig_run(&r, T0 + DOWN_100 + S);
	assert_said(&r, "send100 announce5");
	rig_run(&r, T0 + DOWN_100 + 4 * S);
	assert_said(&r, "send100 send100 send100");
	rig_run(&r, T0 + DOWN_100 + 5 * S);
	assert_said(&r, "send100 announce5"); /* garp_delay */
}

/* It has not heard of its loss: neighbours that learned it again do not wait for that. */
static void a_losing_advert_meanwhile_is_answered_at_once(void **state)
{
	start(100);
	hear(&r, T0 + S, 50);
	rig_run(&r, T0 + DOWN_100);
	assert_said(&r, "backup send100 up announce5 active");
	hear(&r, T0 + DOWN_100 + S / 4, 50);
	assert_said(&r, "remark(losing advert heard) send100 announce5");
	hear(&r, T0 + DOWN_100 + S / 2, 50); /* once a second */
	assert_said(&r, "remark(losing advert heard) send100");
	rig_run(&r, T0 + DOWN_100 + S + S / 4 - 1);
	assert_said(&r, "send100");
	rig_run(&r, T0 + DOWN_100 + S + S / 4);
	assert_said(&r, "announce5");
	rig_run(&r, T0 + DOWN_100 + 3 * S);
	assert_said(&r, "send100 send100");
}

static void the_second_burst_can_be_left_out(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.priority = 255;
	o.garp_delay_ns = HA_VRRP_NEVER;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	r.log[0] = 0;
	rig_run(&r, T0 + 9 * S);
	assert_said(&r, "send255 send255 send255 send255 send255 send255 send255 send255 send255");
}

static void a_failed_send_is_counted_and_changes_nothing(void **state)
{
	struct ha_vrrp_stats s = {.size = sizeof(s)};

	start(100);
	r.send_result = -ENETDOWN;
	rig_run(&r, T0 + DOWN_100);
	assert_said(&r, "backup send100 remark(sending failed) up announce5 active");
	ha_vrrp_stats(r.v, &s);
	assert_int_equal(s.send_errors, 1);
}

static void accept_mode_is_passed_on(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.no_accept = true;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	rig_run(&r, T0 + DOWN_100);
	assert_said(&r, "backup send100 up-noaccept announce5 active"); /* R67 */
	rig_down(&r);
	o.priority = 255;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	assert_said(&r, "send255 up announce5 active"); /* R66: an owner accepts */
}

static void starting_and_stopping_twice_is_refused(void **state)
{
	start(100);
	assert_int_equal(ha_vrrp_start(r.v, T0), -EALREADY);
	assert_int_equal(ha_vrrp_stop(r.v, T0), 0);
	assert_int_equal(ha_vrrp_stop(r.v, T0), -EALREADY);
	assert_int_equal(ha_vrrp_start(r.v, T0 + S), 0);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_BACKUP);
}

static void time_that_goes_back_stands_still(void **state)
{
	start(100);
	hear(&r, T0 + 2 * S, 200);
	hear(&r, T0 + S, 200);
	assert_true(ha_vrrp_deadline(r.v) == T0 + 2 * S + DOWN_100);
}

#define ROW(f) cmocka_unit_test_teardown(f, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ROW(R17_R44_an_owner_starts_as_active_with_255),
	    ROW(R45_another_router_starts_as_backup),
	    ROW(R54_a_stopped_backup_says_nothing),
	    ROW(R55_the_down_timer_makes_it_active_advert_first),
	    ROW(R56_priority_zero_leaves_the_skew_time),
	    ROW(R56_a_flood_of_priority_zero_does_not_hold_the_timer),
	    ROW(R57_an_advert_of_a_higher_one_restarts_the_timer),
	    ROW(R57_an_advert_of_an_equal_one_restarts_the_timer),
	    ROW(R57_the_interval_of_the_active_is_learned),
	    ROW(R57_no_preempt_follows_a_lower_one),
	    ROW(R58_a_lower_one_does_not_touch_the_timer),
	    ROW(R59_no_preempt_never_holds_an_owner),
	    ROW(R69_a_stopped_active_drops_the_addresses_and_resigns),
	    ROW(R71_the_advert_timer_keeps_its_beat),
	    ROW(R72_an_active_answers_priority_zero_and_rearms),
	    ROW(R73_a_higher_priority_makes_it_backup),
	    ROW(R74_the_higher_address_breaks_the_tie),
	    ROW(R74_addresses_compare_unsigned_in_network_order),
	    ROW(R75_the_lower_address_loses_the_tie),
	    ROW(R76_a_losing_advert_is_answered_at_once),
	    ROW(R76_answers_are_limited_to_one_in_ten_milliseconds),
	    ROW(R76_announcements_after_losing_adverts_come_once_a_second),
	    ROW(R76_no_reply_can_be_asked_for),
	    ROW(R77_as_active_it_uses_its_own_interval),
	    ROW(R93_an_owner_elects_normally_and_says_so),
	    ROW(R8_without_a_source_it_sends_nothing),
	    ROW(the_priority_zero_of_a_lower_one_counts_too),
	    ROW(a_fault_resigns_and_its_end_makes_a_backup),
	    ROW(a_router_with_a_fault_starts_in_fault),
	    ROW(preempt_delay_leaves_a_lower_active_in_peace),
	    ROW(preempt_delay_does_not_delay_a_failover),
	    ROW(a_late_down_timer_listens_once_more),
	    ROW(a_new_priority_does_not_end_the_listening),
	    ROW(an_active_that_slept_listens_before_it_asserts),
	    ROW(an_active_that_slept_yields_to_a_winner_without_a_word),
	    ROW(an_active_that_slept_asserts_against_a_loser_at_once),
	    ROW(an_active_that_is_a_little_late_keeps_its_beat),
	    ROW(an_active_that_may_not_preempt_gives_way_when_a_rival_has_taken_over),
	    ROW(and_follows_the_rival_that_it_hears_before_its_timer),
	    ROW(before_that_it_goes_on_and_an_owner_always_does),
	    ROW(a_deaf_owner_answers_nobody_until_it_is_none),
	    ROW(a_dead_peer_shortens_the_timer_of_its_backup),
	    ROW(an_advert_undoes_a_dead_peer),
	    ROW(a_dead_peer_is_nothing_to_an_active),
	    ROW(a_new_priority_moves_the_running_timer),
	    ROW(an_owner_keeps_its_priority),
	    ROW(the_last_advert_tells_the_winner_of_the_split),
	    ROW(announcements_follow_the_schedule),
	    ROW(who_preempts_announces_again_a_second_later),
	    ROW(a_losing_advert_meanwhile_is_answered_at_once),
	    ROW(the_second_burst_can_be_left_out),
	    ROW(a_losing_advert_is_answered_a_second_time_when_asked_for),
	    ROW(a_failed_send_is_counted_and_changes_nothing),
	    ROW(accept_mode_is_passed_on),
	    ROW(starting_and_stopping_twice_is_refused),
	    ROW(time_that_goes_back_stands_still),
	};

	return cmocka_run_group_tests_name("vrrp/fsm", tests, NULL, NULL);
}
