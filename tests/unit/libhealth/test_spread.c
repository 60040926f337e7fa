/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "spread.h"

#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define N_MAX 10000

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The most offsets that any window of this width holds. */
static size_t crowd(uint64_t *at, size_t n, uint64_t window)
{
	size_t most = 0, first = 0;

	qsort(at, n, sizeof(*at), by_value);
	for (size_t i = 0; i < n; i++) {
		while (at[i] - at[first] >= window)
			first++;
		if (i - first + 1 > most)
			most = i - first + 1;
	}
	return most;
}

static void no_window_holds_twice_the_mean(void **state)
{
	static uint64_t at[N_MAX];

	for (uint64_t seed = 0; seed < 5; seed++) {
		for (size_t n = 1000; n <= N_MAX; n *= 10) {
			for (size_t i = 0; i < n; i++)
				at[i] = spread_offset(seed, i + 1, 2 * S);
			assert_true(crowd(at, n, 10 * MS) <= 2 * n / 200);
		}
	}
}

static void offsets_stay_inside_and_follow_the_seed(void **state)
{
	assert_int_equal(spread_offset(1, 1, 1), 0);
	for (uint64_t id = 0; id < 1000; id++) {
		assert_true(spread_offset(7, id, 3 * S) < 3 * S);
		assert_int_equal(spread_offset(7, id, S), spread_offset(7, id, S));
	}
	assert_int_not_equal(spread_offset(7, 1, S), spread_offset(8, 1, S));
}

static void jitter_stays_inside_and_centres(void **state)
{
	uint64_t sum = 0, min = UINT64_MAX, max = 0;

	assert_int_equal(spread_jitter(1, 2, 3, S, 0), S);
	for (uint64_t run = 0; run < 10000; run++) {
		uint64_t ns = spread_jitter(1, 2, run, S, 20);

		sum += ns;
		min = ns < min ? ns : min;
		max = ns > max ? ns : max;
	}
	assert_in_range(min, 800 * MS, 801 * MS);
	assert_in_range(max, 1199 * MS, 1200 * MS);
	assert_in_range(sum / 10000, 995 * MS, 1005 * MS);
	assert_int_equal(spread_jitter(1, 2, 3, S, 20), spread_jitter(1, 2, 3, S, 20));
	assert_int_not_equal(spread_jitter(1, 2, 3, S, 20), spread_jitter(1, 3, 3, S, 20));
}

static void bucket_gives_the_burst_and_then_the_rate(void **state)
{
	struct bucket b = {0};
	uint64_t now = 100 * S;

	bucket_set(&b, 10, 3);
	for (int i = 0; i < 3; i++)
		assert_true(bucket_take(&b, now));
	assert_false(bucket_take(&b, now));
	assert_int_equal(bucket_ready_ns(&b), now + 100 * MS);
	assert_false(bucket_take(&b, now + 100 * MS - 1));
	assert_true(bucket_take(&b, now + 100 * MS));
	assert_false(bucket_take(&b, now + 100 * MS));
	now += 100 * S; /* full again, and no fuller */
	for (int i = 0; i < 3; i++)
		assert_true(bucket_take(&b, now));
	assert_false(bucket_take(&b, now));
}

/* 10,000 starts a second: never more than 200 of them in 10 ms, and a backlog goes away. */
static void the_rate_follows_the_demand(void **state)
{
	const uint64_t per_second = UINT64_C(1000000000);

	assert_int_equal(spread_rate(0, 5000), 5000);
	assert_int_equal(spread_rate(10000 * per_second, 5000), 12500);
	assert_int_equal(spread_burst(12500, 32), 68);
	assert_int_equal(spread_rate(100000 * per_second, 5000), 125000);
	assert_int_equal(spread_burst(125000, 32), 687);
	assert_int_equal(spread_rate(UINT64_C(1000000) * 1000 * per_second, 5000), SPREAD_RATE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_window_holds_twice_the_mean),
	    cmocka_unit_test(offsets_stay_inside_and_follow_the_seed),
	    cmocka_unit_test(jitter_stays_inside_and_centres),
	    cmocka_unit_test(bucket_gives_the_burst_and_then_the_rate),
	    cmocka_unit_test(the_rate_follows_the_demand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
