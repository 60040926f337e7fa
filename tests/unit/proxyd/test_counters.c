/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/counters.h"

#define SECOND UINT64_C(1000000000)

static void sums_are_of_all_workers(void **state)
{
	struct tally *t = tally_new(3);
	struct tally_sum s;

	assert_non_null(t);
	counter_inc(counters_of(t, 0), COUNT_REQUESTS);
	counter_add(&counters_of(t, 2)->n[COUNT_BYTES_IN], 70);
	counter_inc(counters_of(t, 2), COUNT_REQUESTS);
	counter_max(&counters_of(t, 0)->sessions_max, 4);
	counter_max(&counters_of(t, 2)->sessions_max, 9);
	tally_read(t, 0, &s);
	assert_int_equal(s.n[COUNT_REQUESTS], 2);
	assert_int_equal(s.n[COUNT_BYTES_IN], 70);
	assert_int_equal(s.sessions_max, 9);
	tally_free(t);
}

static void a_clear_counts_from_there_on(void **state)
{
	struct tally *t = tally_new(2);
	struct tally_sum s;

	for (unsigned i = 0; i < 5; i++)
		counter_inc(counters_of(t, 1), COUNT_SESSIONS);
	counter_max(&counters_of(t, 1)->queue_max, 3);
	assert_true(tally_clear(t, false));
	tally_read(t, 0, &s);
	assert_int_equal(s.n[COUNT_SESSIONS], 5);
	assert_int_equal(s.queue_max, 0);
	assert_true(tally_clear(t, true));
	counter_inc(counters_of(t, 1), COUNT_SESSIONS);
	assert_true(tally_clear(t, true));
	counter_inc(counters_of(t, 0), COUNT_SESSIONS);
	counter_inc(counters_of(t, 1), COUNT_SESSIONS);
	tally_read(t, 0, &s);
	assert_int_equal(s.n[COUNT_SESSIONS], 2);
	tally_free(t);
}

static void a_rate_slides_over_a_second(void **state)
{
	struct tally *t = tally_new(2);
	struct counters *c = counters_of(t, 0);
	struct tally_sum s;

	for (unsigned i = 0; i < 10; i++)
		count_rate_at(&c->sessions, 7);
	tally_read(t, 7 * SECOND + SECOND / 2, &s);
	assert_int_equal(s.session_rate, 10);
	tally_read(t, 8 * SECOND + SECOND / 2, &s); /* half of the second before is in view */
	assert_int_equal(s.session_rate, 5);
	count_rate_at(&c->sessions, 8);
	tally_read(t, 8 * SECOND + SECOND / 2, &s);
	assert_int_equal(s.session_rate, 6);
	assert_int_equal(s.session_rate_max, 10);
	tally_read(t, 10 * SECOND, &s);
	assert_int_equal(s.session_rate, 0);
	count_rate_at(&c->sessions, 12); /* a pause forgets the second before it */
	tally_read(t, 12 * SECOND, &s);
	assert_int_equal(s.session_rate, 1);
	tally_free(t);
}

static void times_are_averaged(void **state)
{
	struct tally *t = tally_new(1);
	struct tally_sum s;

	for (unsigned i = 0; i < 10; i++)
		count_times(counters_of(t, 0), (const uint64_t[]){0, i < 5 ? 10 : 20, 7, 100});
	tally_read(t, 0, &s);
	assert_int_equal(tally_average(&s, TIME_CONNECT), 15);
	assert_int_equal(tally_average(&s, TIME_RESPONSE), 7);
	assert_int_equal(s.time_max[TIME_CONNECT], 20);
	for (unsigned i = 0; i < 20 * COUNTED_TIMES; i++) /* the old ones fade */
		count_times(counters_of(t, 0), (const uint64_t[]){0, 0, 50, 0});
	tally_read(t, 0, &s);
	assert_int_equal(tally_average(&s, TIME_CONNECT), 0);
	assert_int_equal(tally_average(&s, TIME_RESPONSE), 50);
	assert_int_equal(s.time_max[TIME_TOTAL], 100);
	tally_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sums_are_of_all_workers),
	    cmocka_unit_test(a_clear_counts_from_there_on),
	    cmocka_unit_test(a_rate_slides_over_a_second),
	    cmocka_unit_test(times_are_averaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
