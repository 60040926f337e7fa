/* SPDX-License-Identifier: MIT */
/* Decay in whole numbers, beside the same by the math library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>

#include "decay.h"

#define S UINT64_C(1000000000)
#define HALF (900 * S) /* 15 minutes, RFC 2439's */

static void it_halves_with_every_half_life(void **state)
{
	assert_int_equal(decay(1000, 0, HALF), 1000);
	assert_int_equal(decay(1000, HALF, HALF), 500);
	assert_int_equal(decay(1000, 3 * HALF, HALF), 125);
	assert_int_equal(decay(1000, 100 * HALF, HALF), 0);
	assert_int_equal(decay(1000000, UINT64_MAX, 1), 0);
}

static void it_is_what_the_math_library_says(void **state)
{
	for (uint64_t age = 0; age < 8 * HALF; age += 7 * S + 13) {
		double want = 100000 * exp2(-(double)age / (double)HALF);

		assert_true(fabs((double)decay(100000, age, HALF) - want) <= 3);
	}
}

static void the_goal_is_reached_at_that_time_and_not_before(void **state)
{
	static const uint32_t goal[] = {2999, 750, 100, 1};

	for (int i = 0; i < 4; i++) {
		uint64_t at = decay_until(3000, goal[i], HALF);
		double want = log2(3000.0 / (goal[i] + 1.0)) * (double)HALF;

		assert_true(decay(3000, at, HALF) <= goal[i]);
		assert_true(decay(3000, at - 1, HALF) > goal[i]);
		assert_true(fabs((double)at - want) < 0.02 * (double)HALF);
	}
	assert_int_equal(decay_until(700, 750, HALF), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_halves_with_every_half_life),
	    cmocka_unit_test(it_is_what_the_math_library_says),
	    cmocka_unit_test(the_goal_is_reached_at_that_time_and_not_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
