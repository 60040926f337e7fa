/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "health/quorum.h"

static struct quorum_real farm[] = {{.weight = 10}, {.weight = 20}, {.weight = 30}};

static void live(bool a, bool b, bool c)
{
	farm[0].alive = a;
	farm[1].alive = b;
	farm[2].alive = c;
	for (int i = 0; i < 3; i++)
		farm[i].inhibit = false;
}

static void expect_weights(const struct quorum *q, int32_t a, int32_t b, int32_t c, int32_t sorry)
{
	int32_t got[4];

	quorum_weights(q, farm, 3, got);
	assert_int_equal(got[0], a);
	assert_int_equal(got[1], b);
	assert_int_equal(got[2], c);
	assert_int_equal(got[3], sorry);
}

static void live_weight_is_the_sum_of_those_that_live(void **state)
{
	live(true, false, true);
	assert_int_equal(quorum_live_weight(farm, 3), 40);
	assert_int_equal(quorum_live_weight(farm, 0), 0);
}

static void a_sum_of_large_weights_does_not_overflow(void **state)
{
	struct quorum_real two[] = {{.weight = INT32_MAX, .alive = true},
				    {.weight = INT32_MAX, .alive = true}};

	assert_true(quorum_live_weight(two, 2) == 2 * (int64_t)INT32_MAX);
}

static void quorum_is_lost_below_it_and_gained_at_it(void **state)
{
	struct quorum q = {.quorum = 30, .up = true};

	live(false, false, true);
	assert_false(quorum_update(&q, farm, 3));
	live(false, true, false);
	assert_true(quorum_update(&q, farm, 3));
	assert_false(q.up);
	live(true, true, false);
	assert_true(quorum_update(&q, farm, 3));
	assert_true(q.up);
}

static void hysteresis_keeps_it_where_it_is(void **state)
{
	struct quorum q = {.quorum = 30, .hysteresis = 10, .up = true};

	live(false, true, false); /* 20 = quorum - hysteresis: still there */
	assert_false(quorum_update(&q, farm, 3));
	live(true, false, false); /* 10 */
	assert_true(quorum_update(&q, farm, 3));
	live(false, false, true); /* 30 < quorum + hysteresis: still lost */
	assert_false(quorum_update(&q, farm, 3));
	live(true, false, true); /* 40 */
	assert_true(quorum_update(&q, farm, 3));
}

static void nobody_alive_is_no_quorum_whatever_the_hysteresis(void **state)
{
	struct quorum q = {.quorum = 1, .hysteresis = 100, .up = true};

	live(false, false, false);
	assert_true(quorum_update(&q, farm, 3));
	assert_false(q.up);
}

static void the_dead_are_absent_or_inhibited(void **state)
{
	struct quorum q = {.quorum = 1, .up = true};

	live(true, false, false);
	farm[2].inhibit = true;
	expect_weights(&q, 10, QUORUM_ABSENT, 0, QUORUM_ABSENT);
}

static void without_quorum_the_sorry_server_is_alone(void **state)
{
	struct quorum q = {.quorum = 50, .has_sorry = true, .sorry_weight = 7, .up = false};

	live(true, true, false);
	expect_weights(&q, QUORUM_ABSENT, QUORUM_ABSENT, QUORUM_ABSENT, 7);
	farm[1].inhibit = true;
	expect_weights(&q, QUORUM_ABSENT, 0, QUORUM_ABSENT, 7);
	farm[1].inhibit = false;
}

static void a_sorry_server_with_inhibit_waits_with_weight_0(void **state)
{
	struct quorum q = {
	    .quorum = 1, .has_sorry = true, .sorry_inhibit = true, .sorry_weight = 7, .up = true};

	live(true, false, false);
	expect_weights(&q, 10, QUORUM_ABSENT, QUORUM_ABSENT, 0);
	q.up = false;
	expect_weights(&q, QUORUM_ABSENT, QUORUM_ABSENT, QUORUM_ABSENT, 7);
}

static void without_quorum_and_sorry_server_the_living_go_on(void **state)
{
	struct quorum q = {.quorum = 50, .up = false};

	live(true, true, false);
	expect_weights(&q, 10, 20, QUORUM_ABSENT, QUORUM_ABSENT);
}

static void who_is_ordered_out_has_no_weight(void **state)
{
	struct quorum q = {.quorum = 1, .up = true, .has_sorry = true, .sorry_weight = 1};

	live(true, true, true);
	farm[0].admin = ORDER_DRAIN;
	farm[1].admin = ORDER_DISABLED;
	assert_int_equal(quorum_live_weight(farm, 3), 30);
	expect_weights(&q, 0, QUORUM_ABSENT, 30, QUORUM_ABSENT);
	/* The last one, too: the sorry server, and those that drain keep what they have. */
	farm[2].admin = ORDER_DRAIN;
	assert_true(quorum_update(&q, farm, 3));
	expect_weights(&q, 0, QUORUM_ABSENT, 0, 1);
	for (int i = 0; i < 3; i++)
		farm[i].admin = ORDER_READY;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_is_ordered_out_has_no_weight),
	    cmocka_unit_test(live_weight_is_the_sum_of_those_that_live),
	    cmocka_unit_test(a_sum_of_large_weights_does_not_overflow),
	    cmocka_unit_test(quorum_is_lost_below_it_and_gained_at_it),
	    cmocka_unit_test(hysteresis_keeps_it_where_it_is),
	    cmocka_unit_test(nobody_alive_is_no_quorum_whatever_the_hysteresis),
	    cmocka_unit_test(the_dead_are_absent_or_inhibited),
	    cmocka_unit_test(without_quorum_the_sorry_server_is_alone),
	    cmocka_unit_test(a_sorry_server_with_inhibit_waits_with_weight_0),
	    cmocka_unit_test(without_quorum_and_sorry_server_the_living_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
