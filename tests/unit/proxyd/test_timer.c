/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/timer.h"

#define N 500

/* Deterministic; Knuth's MMIX constants. */
static uint64_t next(uint64_t *x)
{
	*x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *x >> 33;
}

static void first_is_the_earliest(void **state)
{
	struct timers t = {0};
	struct timer timer[N] = {{0}};
	uint64_t x = 7;

	assert_int_equal(timers_reserve(&t, N), 0);
	for (unsigned step = 0; step < 20000; step++) {
		struct timer *one = &timer[next(&x) % N];
		uint64_t earliest = TIMER_NEVER;

		if (next(&x) % 3)
			timer_arm(&t, one, next(&x) % 1000);
		else
			timer_disarm(&t, one);
		for (size_t i = 0; i < N; i++)
			if (timer[i].place && timer[i].deadline_ns < earliest)
				earliest = timer[i].deadline_ns;
		if (earliest == TIMER_NEVER)
			assert_null(timers_first(&t));
		else
			assert_int_equal(timers_first(&t)->deadline_ns, earliest);
	}
	timers_fini(&t);
}

static void drains_in_order(void **state)
{
	struct timers t = {0};
	struct timer timer[N] = {{0}};
	uint64_t x = 11, last = 0;
	size_t n = 0;

	assert_int_equal(timers_reserve(&t, N), 0);
	for (size_t i = 0; i < N; i++)
		timer_arm(&t, &timer[i], next(&x));
	for (struct timer *first; (first = timers_first(&t)); n++) {
		assert_true(first->deadline_ns >= last);
		last = first->deadline_ns;
		timer_disarm(&t, first);
	}
	assert_int_equal(n, N);
	timers_fini(&t);
}

static void never_disarms(void **state)
{
	struct timers t = {0};
	struct timer timer = {0};

	assert_int_equal(timers_reserve(&t, 1), 0);
	timer_arm(&t, &timer, 5);
	timer_arm(&t, &timer, TIMER_NEVER);
	assert_null(timers_first(&t));
	timer_disarm(&t, &timer); /* twice is once */
	timers_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_is_the_earliest),
	    cmocka_unit_test(drains_in_order),
	    cmocka_unit_test(never_disarms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
