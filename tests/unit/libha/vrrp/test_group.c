/* SPDX-License-Identifier: MIT */
/* Sync groups: two routers of one node on two links, Active together or not at all. */
#include "rig.h"

#define DOWN_100 (3 * S + 609375000)

static struct rig a, b;
static struct ha_vrrp_group *g;
static char group_log[512];
static enum ha_vrrp_state group_was; /* before the last change */

static void group_changed(struct ha_vrrp_group *group, enum ha_vrrp_state from,
			  enum ha_vrrp_state to, void *userdata)
{
	size_t at = strlen(group_log);

	assert_ptr_equal(userdata, &a);
	assert_ptr_equal(group, g);
	assert_int_not_equal(from, to);
	group_was = from;
	snprintf(group_log + at, sizeof(group_log) - at, "%s%s", at ? " " : "",
		 ha_vrrp_state_name(to));
}

#define assert_group_said(text)                         \
	do {                                            \
		assert_string_equal(group_log, (text)); \
		group_log[0] = 0;                       \
	} while (0)

static void make(uint8_t priority_a, uint8_t priority_b)
{
	const struct ha_vrrp_group_ops ops = {sizeof(ops), group_changed};
	struct ha_vrrp_opts o = rig_opts();

	group_log[0] = 0;
	o.priority = priority_a;
	rig_up(&a, &o);
	o.priority = priority_b;
	rig_up(&b, &o);
	assert_int_equal(ha_vrrp_group_new(&ops, &a, &g), 0);
	assert_int_equal(ha_vrrp_group_add(g, a.v), 0);
	assert_int_equal(ha_vrrp_group_add(g, b.v), 0);
}

static void both_run(uint64_t until_ns)
{
	for (;;) {
		struct rig *first = ha_vrrp_deadline(a.v) <= ha_vrrp_deadline(b.v) ? &a : &b;
		uint64_t due = ha_vrrp_deadline(first->v);

		if (due > until_ns)
			return;
		assert_int_equal(ha_vrrp_tick(first->v, due), 0);
		if (ha_vrrp_state(b.v) != HA_VRRP_INITIALIZE) /* I4: never one alone */
			assert_int_equal(ha_vrrp_state(a.v) == HA_VRRP_ACTIVE,
					 ha_vrrp_state(b.v) == HA_VRRP_ACTIVE);
	}
}

static void make_active(void)
{
	make(100, 100);
	assert_int_equal(ha_vrrp_group_start(g, T0), 0);
	both_run(T0 + DOWN_100);
	assert_int_equal(ha_vrrp_group_state(g), HA_VRRP_ACTIVE);
	a.log[0] = b.log[0] = group_log[0] = 0;
}

static int down(void **state)
{
	ha_vrrp_group_free(g);
	g = NULL;
	rig_down(&a);
	rig_down(&b);
	return 0;
}

static void it_becomes_active_as_one(void **state)
{
	struct ha_vrrp_status s = {.size = sizeof(s)};

	make(200, 100);
	assert_int_equal(ha_vrrp_group_start(g, T0), 0);
	assert_int_equal(ha_vrrp_group_start(g, T0), -EALREADY);
	assert_group_said("backup");
	both_run(T0 + DOWN_100 - 1); /* the first could be Active long since */
	ha_vrrp_status(a.v, &s);
	assert_true(s.waits_for_group);
	assert_said(&a, "backup");
	both_run(T0 + DOWN_100);
	assert_said(&a, "send200 up announce5 active");
	assert_int_equal(a.change.reason, HA_VRRP_FOLLOWED);
	assert_said(&b, "backup send100 up announce5 active");
	assert_int_equal(b.change.reason, HA_VRRP_TIMEOUT);
	assert_group_said("active");
}

/* Two routers of one priority on two links whose addresses stand the other way round there. */
static void make_crossed(void)
{
	const struct ha_ip first = ip("10.9.0.100"), second = ip("10.9.1.100");
	struct ha_vrrp_opts o = rig_opts();

	o.addresses = &first;
	rig_up(&a, &o);
	o.addresses = &second;
	rig_up(&b, &o);
	assert_int_equal(ha_vrrp_group_new(NULL, NULL, &g), 0);
	assert_int_equal(ha_vrrp_group_add(g, b.v), 0); /* the order of joining is of no interest */
	assert_int_equal(ha_vrrp_group_add(g, a.v), 0);
	assert_int_equal(ha_vrrp_group_start(g, T0), 0);
	both_run(T0 + DOWN_100);
	assert_int_equal(ha_vrrp_group_state(g), HA_VRRP_ACTIVE);
}

static void a_tie_is_decided_on_the_first_link(void **state)
{
	make_crossed();
	hear(&b, T0 + DOWN_100 + MS, 100); /* from a higher address than ours */
	assert_int_equal(ha_vrrp_group_state(g), HA_VRRP_ACTIVE);
	hear(&b, T0 + DOWN_100 + MS, 101); /* but not what is no tie */
	assert_int_equal(ha_vrrp_group_state(g), HA_VRRP_BACKUP);
	down(state);
	make_crossed();
	hear(&a, T0 + DOWN_100 + MS, 100);
	assert_int_equal(ha_vrrp_group_state(g), HA_VRRP_BACKUP);
}

static void a_tie_the_first_link_does_not_decide_is_decided_where_it_is(void **state)
{
	uint64_t began = T0 + DOWN_100 + MS;

	make_crossed();
	for (uint64_t at = began; at < began + DOWN_100; at += S) {
		both_run(at);
		hear(&b, at, 100);
		assert_int_equal(ha_vrrp_group_state(g), HA_VRRP_ACTIVE);
	}
	hear(&b, began + DOWN_100, 100);
	assert_int_equal(ha_vrrp_group_state(g), HA_VRRP_BACKUP);
}

static void one_that_hears_a_better_one_holds_all(void **state)
{
	make(100, 100);
	ha_vrrp_group_start(g, T0);
	for (unsigned i = 1; i < 10; i++) {
		both_run(T0 + i * S);
		hear(&b, T0 + i * S, 200);
	}
	assert_int_equal(ha_vrrp_group_state(g), HA_VRRP_BACKUP);
	assert_true(ha_vrrp_deadline(a.v) == HA_VRRP_NEVER);
	hear(&a, T0 + 9 * S, 200); /* and it falls in line again when it hears one, too */
	assert_true(ha_vrrp_deadline(a.v) == T0 + 9 * S + DOWN_100);
}

static void one_that_loses_drags_all(void **state)
{
	uint64_t t = T0 + DOWN_100 + MS;

	make_active();
	hear(&a, t, 200);
	assert_said(&a, "down backup"); /* beaten: it need not resign */
	assert_said(&b, "down send0 backup");
	assert_int_equal(b.change.reason, HA_VRRP_FOLLOWED);
	assert_group_said("backup");
}

static void one_fault_is_the_fault_of_all(void **state)
{
	uint64_t t = T0 + DOWN_100 + MS;
	struct ha_vrrp_status s = {.size = sizeof(s)};

	make_active();
	ha_vrrp_set_fault(b.v, t, 2, true);
	assert_said(&a, "down send0 fault");
	assert_said(&b, "down send0 fault");
	assert_group_said("fault");
	ha_vrrp_status(a.v, &s);
	assert_true(s.faults == HA_VRRP_FAULT_GROUP);
	ha_vrrp_set_fault(a.v, t, 1, true);
	ha_vrrp_set_fault(b.v, t, 2, false);
	assert_said(&b, "");
	ha_vrrp_set_fault(a.v, t, 1, false);
	assert_said(&a, "backup");
	assert_said(&b, "backup");
	assert_group_said("backup");
	both_run(t + DOWN_100);
	assert_group_said("active");
}

static void stopping_it_is_one_step(void **state)
{
	make_active();
	assert_int_equal(ha_vrrp_group_stop(g, T0 + DOWN_100 + S), 0);
	assert_said(&a, "down send0 initialize");
	assert_said(&b, "down send0 initialize");
	assert_group_said("initialize");
	assert_int_equal(ha_vrrp_group_stop(g, T0), -EALREADY);
}

static void an_owner_waits_for_the_others(void **state)
{
	make(255, 100);
	ha_vrrp_group_start(g, T0);
	assert_said(&a, "backup");
	both_run(T0 + DOWN_100);
	assert_said(&a, "send255 up announce5 active");
}

static void a_member_that_does_not_run_holds_all(void **state)
{
	make(100, 100);
	ha_vrrp_start(a.v, T0);
	both_run(T0 + 100 * S);
	assert_said(&a, "backup");
	assert_int_equal(ha_vrrp_group_state(g), HA_VRRP_INITIALIZE);
	ha_vrrp_start(b.v, T0 + 100 * S);
	both_run(T0 + 100 * S + DOWN_100);
	assert_said(&a, "send100 up announce5 active");
}

static void a_group_of_one_is_a_router(void **state)
{
	make(100, 100);
	assert_int_equal(ha_vrrp_group_remove(g, b.v), 0);
	assert_int_equal(ha_vrrp_group_remove(g, b.v), -ENOENT);
	ha_vrrp_group_start(g, T0);
	both_run(T0 + DOWN_100);
	assert_said(&a, "backup send100 up announce5 active");
	assert_group_said("backup active");
	hear(&a, T0 + 5 * S, 200);
	assert_group_said("backup");
}

static void who_waited_for_a_member_that_left_goes_on(void **state)
{
	make(100, 100);
	ha_vrrp_start(a.v, T0);
	both_run(T0 + 10 * S);
	assert_int_equal(ha_vrrp_group_remove(g, b.v), 0);
	assert_true(ha_vrrp_deadline(a.v) <= T0 + 10 * S);
	ha_vrrp_tick(a.v, T0 + 11 * S);
	assert_said(&a, "backup send100 up announce5 active");
}

static void without_its_group_a_fault_by_the_group_ends(void **state)
{
	uint64_t t = T0 + DOWN_100 + S;

	make_active();
	ha_vrrp_set_fault(b.v, t, 2, true);
	a.log[0] = 0;
	ha_vrrp_group_free(g);
	g = NULL;
	assert_said(&a, "");
	ha_vrrp_tick(a.v, t + S);
	assert_said(&a, "backup");
	assert_true(ha_vrrp_deadline(a.v) == t + S + DOWN_100);
	assert_int_equal(ha_vrrp_state(b.v), HA_VRRP_FAULT);
}

static void only_a_router_that_rests_can_join(void **state)
{
	struct ha_vrrp_group *other;

	make(100, 100);
	assert_int_equal(ha_vrrp_group_new(NULL, NULL, &other), 0);
	assert_int_equal(ha_vrrp_group_start(other, T0), -EINVAL);
	assert_int_equal(ha_vrrp_group_add(other, b.v), -EALREADY);
	ha_vrrp_group_remove(g, b.v);
	ha_vrrp_start(b.v, T0);
	assert_int_equal(ha_vrrp_group_add(other, b.v), -EINVAL);
	ha_vrrp_group_free(other);
}

static void stop_in_callback(struct rig *r, const char *what)
{
	if (!strcmp(what, "active") && r == &a) {
		assert_int_equal(ha_vrrp_tick(b.v, 0), -EBUSY); /* the group is one object here */
		assert_int_equal(ha_vrrp_group_remove(g, b.v), -EBUSY);
		assert_int_equal(ha_vrrp_set_fault(b.v, 0, 1, true), 0);
	}
}

static void a_callback_may_bring_the_group_down(void **state)
{
	make(100, 100);
	a.in_callback = stop_in_callback;
	ha_vrrp_group_start(g, T0);
	both_run(T0 + DOWN_100);
	assert_said(&a, "backup send100 up announce5 active down send0 fault");
	assert_said(&b, "backup send100 up announce5 active down send0 fault");
	assert_int_equal(ha_vrrp_group_state(g), HA_VRRP_FAULT);
	assert_group_said("backup active fault"); /* each step is told, in order */
}

/* Both Active once more, and nobody was told; `faults` of the first were found before. */
static void make_thawed(uint32_t faults)
{
	uint8_t cold_a[HA_VRRP_FREEZE_SIZE], cold_b[HA_VRRP_FREEZE_SIZE];
	ssize_t n_a, n_b;

	make_active();
	n_a = ha_vrrp_freeze(a.v, cold_a, sizeof(cold_a));
	n_b = ha_vrrp_freeze(b.v, cold_b, sizeof(cold_b));
	down(NULL);
	make(100, 100);
	if (faults)
		assert_int_equal(ha_vrrp_set_fault(a.v, T0 + 4 * S, faults, true), 0);
	assert_int_equal(ha_vrrp_thaw(a.v, T0 + 4 * S, 0, cold_a, (size_t)n_a), 0);
	assert_int_equal(ha_vrrp_group_state(g), HA_VRRP_INITIALIZE);
	assert_int_equal(ha_vrrp_thaw(b.v, T0 + 4 * S, 0, cold_b, (size_t)n_b), 0);
	assert_int_equal(ha_vrrp_group_state(g), HA_VRRP_ACTIVE);
	assert_group_said("");
}

static void thawed_members_stay_active(void **state)
{
	make_thawed(0);
	both_run(T0 + DOWN_100 + S);
	assert_said(&a, "send100");
	assert_said(&b, "send100");
	assert_group_said("");
}

static void a_fault_found_at_a_thaw_is_told_as_one_of_who_was_active(void **state)
{
	make_thawed(1);
	both_run(T0 + 4 * S);
	assert_said(&a, "down send0 fault");
	assert_said(&b, "down send0 fault");
	assert_group_said("fault");
	assert_int_equal(group_was, HA_VRRP_ACTIVE);
}

static void a_handover_moves_the_whole_group(void **state)
{
	uint64_t t = T0 + DOWN_100;

	make_active();
	assert_int_equal(ha_vrrp_group_hand_over(g, t + 1), 0);
	assert_int_equal(ha_vrrp_group_hand_over(g, t + 2), -EALREADY);
	assert_string_equal(a.log, "send0");
	assert_string_equal(b.log, "send0");
	a.log[0] = b.log[0] = 0;
	hear(&a, t + S / 2, 50);
	assert_string_equal(a.log, "down backup");
	assert_string_equal(b.log, "down send0 backup");
	assert_group_said("backup");
	for (unsigned i = 1; i < 20; i++) { /* both leave the heir in peace */
		hear(&a, t + i * S, 50);
		hear(&b, t + i * S, 50);
	}
	assert_int_equal(ha_vrrp_group_state(g), HA_VRRP_BACKUP);
}

static void only_an_active_group_hands_over(void **state)
{
	make(100, 100);
	assert_int_equal(ha_vrrp_group_hand_over(g, T0), -EALREADY);
	assert_int_equal(ha_vrrp_group_hand_over(NULL, T0), -EINVAL);
}

#define T(f) cmocka_unit_test_teardown(f, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(it_becomes_active_as_one),
	    T(a_tie_is_decided_on_the_first_link),
	    T(a_tie_the_first_link_does_not_decide_is_decided_where_it_is),
	    T(one_that_hears_a_better_one_holds_all),
	    T(one_that_loses_drags_all),
	    T(one_fault_is_the_fault_of_all),
	    T(stopping_it_is_one_step),
	    T(an_owner_waits_for_the_others),
	    T(a_member_that_does_not_run_holds_all),
	    T(a_group_of_one_is_a_router),
	    T(who_waited_for_a_member_that_left_goes_on),
	    T(without_its_group_a_fault_by_the_group_ends),
	    T(only_a_router_that_rests_can_join),
	    T(a_callback_may_bring_the_group_down),
	    T(thawed_members_stay_active),
	    T(a_fault_found_at_a_thaw_is_told_as_one_of_who_was_active),
	    T(a_handover_moves_the_whole_group),
	    T(only_an_active_group_hands_over),
	};

	return cmocka_run_group_tests_name("vrrp/group", tests, NULL, NULL);
}
