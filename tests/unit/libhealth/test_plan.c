/* SPDX-License-Identifier: MIT */
/* When checks start, and how many at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <libhealth/probe_exec.h>

#include "rig.h"

/* ---- the plan ---- */

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void a_thousand_starts_are_spread_evenly(void **state)
{
	enum { N = 1000 };
	static uint64_t at[N];
	static struct health_check *c[N];
	struct health_check_opts o;
	struct rig r;
	size_t first = 0;

	rig_open(
	    &r, &(struct health_engine_opts){.size = sizeof(struct health_engine_opts), .seed = 42},
	    &rig_listens);
	o = rig_opts(&r);
	o.flags = 0;
	for (size_t i = 0; i < N; i++)
		c[i] = rig_add(&r, &o);
	assert_int_equal(health_engine_deadline(r.engine), 0);
	for (int i = 0; i < 4; i++) /* a batch each */
		rig_dispatch(&r);
	for (size_t i = 0; i < N; i++)
		at[i] = rig_status(c[i]).next_ns;
	qsort(at, N, sizeof(*at), by_value);
	assert_true(at[0] >= RIG_T0 && at[N - 1] < RIG_T0 + 2 * S);
	assert_int_equal(health_engine_deadline(r.engine), at[0]);
	for (size_t i = 0; i < N; i++) { /* the mean of 10 ms is 5 */
		while (at[i] - at[first] >= 10 * MS)
			first++;
		assert_true(i - first + 1 <= 10);
	}
	rig_close(&r);
}

static void a_first_start_comes_when_the_host_says(void **state)
{
	struct health_check_opts o;
	struct health_check *c, *rests;
	struct rig r;
	uint64_t next;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.flags = 0;
	o.first_after_ns = 1500 * MS;
	o.start_within_ns = 10 * MS;
	c = rig_add(&r, &o);
	o.flags = HEALTH_CHECK_PAUSED;
	rests = rig_add(&r, &o);
	rig_dispatch(&r);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 1500 * MS);
	health_check_set_paused(c, true); /* it was for the first time only */
	health_check_set_paused(c, false);
	health_check_set_paused(rests, false);
	rig_dispatch(&r);
	next = rig_status(c).next_ns;
	assert_true(next >= RIG_T0 && next < RIG_T0 + 11 * MS);
	assert_true(rig_status(rests).next_ns < RIG_T0 + 11 * MS);
	o.first_after_ns = UINT64_MAX;
	assert_int_equal(health_check_add(r.engine, &o, NULL, &c), -EINVAL);
	rig_close(&r);
}

static void starts_wait_for_one_another_within_the_slack(void **state)
{
	enum { N = 500 };
	const struct health_engine_opts eo = {.size = sizeof(eo), .seed = 42, .slack_ns = 10 * MS};
	const struct health_filter_opts quick = rig_filter(199 * MS);
	struct health_check *c[N], *alone;
	struct health_check_opts o;
	uint64_t first = UINT64_MAX, due;
	unsigned int planned = 0;
	struct rig r;

	rig_open(&r, &eo, &rig_listens);
	o = rig_opts(&r);
	o.flags = 0;
	for (size_t i = 0; i < N; i++)
		c[i] = rig_add(&r, &o);
	rig_dispatch(&r);
	rig_dispatch(&r);
	for (size_t i = 0; i < N; i++)
		if (rig_status(c[i]).next_ns < first)
			first = rig_status(c[i]).next_ns;
	due = health_engine_deadline(r.engine);
	assert_true(due >= first && due < first + 10 * MS);
	assert_int_equal(due % (10 * MS), 0);
	for (size_t i = 0; i < N; i++)
		planned += rig_status(c[i]).next_ns <= due;
	assert_true(planned > 1);
	rig_pass(&r, due - r.now_ns);
	assert_int_equal(rig_stats(&r).started, planned);
	for (size_t i = 0; i < N; i++)
		health_check_remove(c[i]);

	o.filter = &quick; /* too short for this much slack */
	alone = rig_add(&r, &o);
	rig_dispatch(&r);
	assert_int_equal(health_engine_deadline(r.engine), rig_status(alone).next_ns);
	rig_close(&r);
}

static void the_same_seed_gives_the_same_plan(void **state)
{
	uint64_t next[3];

	for (size_t i = 0; i < 3; i++) {
		const struct health_engine_opts eo = {.size = sizeof(eo), .seed = i < 2 ? 1 : 2};
		struct health_check_opts o;
		struct health_check *c;
		struct rig r;

		rig_open(&r, &eo, &rig_listens);
		o = rig_opts(&r);
		o.flags = 0;
		c = rig_add(&r, &o);
		rig_dispatch(&r);
		next[i] = rig_status(c).next_ns;
		rig_close(&r);
	}
	assert_int_equal(next[0], next[1]);
	assert_int_not_equal(next[0], next[2]);
}

static void starts_keep_their_distance_from_the_plan(void **state)
{
	const struct health_filter_opts f = rig_filter(100 * MS);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.filter = &f;
	c = rig_add(&r, &o);
	rig_dispatch(&r);
	r.now_ns += 7 * MS; /* the answer takes its time; the next start does not move */
	rig_settle(&r, 1);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 100 * MS);
	rig_pass(&r, 193 * MS);
	assert_int_equal(r.results, 3);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 300 * MS);
	assert_int_equal(r.result.late_ns, 0);
	assert_int_equal(rig_stats(&r).late, 0);
	rig_close(&r);
}

static void from_end_counts_from_the_end(void **state)
{
	const struct health_filter_opts f = rig_filter(100 * MS);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.filter = &f;
	o.flags |= HEALTH_CHECK_FROM_END;
	c = rig_add(&r, &o);
	rig_dispatch(&r);
	r.now_ns += 7 * MS;
	rig_settle(&r, 1);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 107 * MS);
	/* That the engine was late is not the server's time; but two checks do not come close for it. */
	r.now_ns = RIG_T0 + 117 * MS;
	rig_dispatch(&r);
	rig_settle(&r, 2);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 207 * MS);
	r.now_ns = RIG_T0 + 287 * MS;
	rig_dispatch(&r);
	rig_settle(&r, 3);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 287 * MS + 100 * MS - 100 * MS / 8);
	rig_close(&r);
}

/* keepalived: delay_loop 10, connect_timeout 1, retry 2, delay_before_retry 3. */
static void retries_wait_from_the_end_of_the_failure(void **state)
{
	struct health_filter_opts f = {.size = sizeof(f)};
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	assert_int_equal(health_filter_preset(HEALTH_SCHOOL_KEEPALIVED, &f), 0);
	f.interval_ns = f.down_ns = 10 * S;
	f.fall = 3;
	f.retry_ns = 3 * S;
	f.start = HEALTH_START_FULLY_UP;
	rig_open(&r, NULL, &rig_deaf);
	o = rig_opts(&r);
	o.filter = &f;
	o.timeout_ns = S;
	c = rig_add(&r, &o);
	rig_pass(&r, S);
	assert_int_equal(r.results, 1);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 4 * S);
	rig_pass(&r, 4 * S);
	assert_int_equal(r.results, 2);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 8 * S);
	assert_int_equal(r.transitions, 0);
	rig_pass(&r, 4 * S);
	assert_int_equal(r.results, 3);
	assert_int_equal(r.transitions, 1);
	assert_int_equal(r.transition.to, HEALTH_STATE_DOWN);
	assert_int_equal(r.transition.reason, HEALTH_REASON_FALL);
	assert_int_equal(r.transition.fail_run, 3);
	assert_int_equal(r.transition.fall, 3);
	assert_int_equal(r.transition.code, HEALTH_CODE_L4TOUT);
	assert_int_equal(r.transition.now_ns, RIG_T0 + 9 * S);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 18 * S); /* 8 + delay_loop */
	rig_close(&r);
}

static void jitter_moves_each_start_within_its_bounds(void **state)
{
	const struct health_filter_opts f = rig_filter(100 * MS);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;
	uint64_t before = RIG_T0, seen[3];

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.filter = &f;
	o.jitter_percent = 50;
	c = rig_add(&r, &o);
	for (unsigned int i = 0; i < 3; i++) {
		rig_settle(&r, i + 1);
		seen[i] = rig_status(c).next_ns - before;
		assert_in_range(seen[i], 50 * MS, 150 * MS);
		before = rig_status(c).next_ns;
		r.now_ns = before;
	}
	assert_false(seen[0] == seen[1] && seen[1] == seen[2]);
	rig_close(&r);
}

static void a_host_that_slept_is_told_what_it_missed(void **state)
{
	const struct health_filter_opts f = rig_filter(100 * MS);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &rig_listens);
	o = rig_opts(&r);
	o.filter = &f;
	c = rig_add(&r, &o);
	rig_settle(&r, 1); /* the next is due at 100 ms */
	r.now_ns = RIG_T0 + 1025 * MS;
	rig_settle(&r, 2);
	assert_int_equal(r.result.late_ns, 925 * MS);
	assert_int_equal(rig_status(c).late, 1);
	assert_int_equal(rig_status(c).skipped, 9); /* 200 … 1000 ms */
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 1100 * MS);
	assert_int_equal(rig_stats(&r).late, 1);
	assert_int_equal(rig_stats(&r).late_max_ns, 925 * MS);
	assert_int_equal(rig_stats(&r).skipped, 9);
	rig_close(&r);
}

static void a_run_longer_than_the_interval_skips_slots(void **state)
{
	const struct health_filter_opts f = rig_filter(S);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &rig_deaf);
	o = rig_opts(&r);
	o.filter = &f;
	o.timeout_ns = 2500 * MS;
	c = rig_add(&r, &o);
	rig_pass(&r, 2500 * MS);
	assert_int_equal(r.results, 1);
	assert_int_equal(rig_status(c).skipped, 2);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 3 * S);
	assert_int_equal(rig_stats(&r).late, 0);
	rig_close(&r);
}

/* ---- limits ---- */

static void max_in_flight_makes_the_others_wait(void **state)
{
	const struct health_engine_opts eo = {.size = sizeof(eo), .max_in_flight = 3};
	const struct health_filter_opts f = rig_filter(10 * S);
	struct health_engine_stats s;
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, &eo, &rig_deaf);
	o = rig_opts(&r);
	o.filter = &f;
	o.timeout_ns = S;
	for (int i = 0; i < 10; i++)
		rig_add(&r, &o);
	rig_dispatch(&r);
	s = rig_stats(&r);
	assert_int_equal(s.in_flight, 3);
	assert_int_equal(s.waiting, 7);
	assert_int_equal(health_engine_deadline(r.engine), RIG_T0 + S); /* no busy loop meanwhile */
	rig_pass(&r, S);
	assert_int_equal(rig_stats(&r).in_flight, 3);
	assert_int_equal(rig_stats(&r).waiting, 4);
	rig_pass(&r, 3 * S);
	s = rig_stats(&r);
	assert_int_equal(s.started, 10);
	assert_int_equal(s.failed, 10);
	assert_int_equal(s.in_flight_peak, 3);
	assert_int_equal(s.waiting, 0);
	rig_close(&r);
}

static void the_rate_is_kept_and_the_deadline_says_when(void **state)
{
	const struct health_engine_opts eo = {.size = sizeof(eo), .rate = 10, .burst = 2};
	const struct health_filter_opts f = rig_filter(60 * S);
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, &eo, &rig_deaf);
	o = rig_opts(&r);
	o.filter = &f;
	for (int i = 0; i < 5; i++)
		rig_add(&r, &o);
	rig_dispatch(&r);
	assert_int_equal(rig_stats(&r).started, 2);
	assert_int_equal(health_engine_deadline(r.engine), RIG_T0 + 100 * MS);
	rig_pass(&r, 100 * MS);
	assert_int_equal(rig_stats(&r).started, 3);
	rig_pass(&r, 199 * MS);
	assert_int_equal(rig_stats(&r).started, 4);
	rig_pass(&r, 1 * MS);
	assert_int_equal(rig_stats(&r).started, 5);
	assert_int_equal(health_engine_deadline(r.engine), RIG_T0 + 60 * S);
	rig_close(&r);
}

/* The most starts in any 10 ms of a second, with the engine kept from its work for 55 ms in the middle. */
static uint64_t most_in_10_ms(struct rig *r)
{
	uint64_t at[1000], most = 0;

	for (unsigned int ms = 0; ms < 1000; ms++) {
		r->now_ns += MS;
		if (ms < 500 || ms >= 555)
			for (int i = 0; i < 8; i++)
				rig_dispatch(r);
		at[ms] = rig_stats(r).started;
		if (ms >= 10 && at[ms] - at[ms - 10] > most)
			most = at[ms] - at[ms - 10];
	}
	return most;
}

static void without_a_limit_the_starts_follow_what_is_asked(void **state)
{
	const struct health_file_opts file = {
	    .size = sizeof(file), .path = "/no/such/file", .missing_ok = 1};
	const struct health_filter_opts f = rig_filter(100 * MS);
	struct health_check *c[1000];
	struct health_check_opts o;
	struct health_probe *p;
	struct rig r;

	assert_int_equal(health_probe_new(health_probe_file(), &file, &p), 0); /* done when begun */
	for (int at_once = 0; at_once < 2; at_once++) {
		rig_open(&r, NULL, NULL);
		o = rig_opts(&r);
		o.destination = NULL;
		o.filter = &f;
		o.probe = p;
		if (!at_once)
			o.flags &= ~HEALTH_CHECK_AT_ONCE;
		for (int i = 0; i < 1000; i++)
			c[i] = rig_add(&r, &o);
		assert_true(most_in_10_ms(&r) <= 200); /* of 100 in the mean */
		assert_true(rig_stats(&r).started >= 9000);
		assert_int_equal(rig_stats(&r).waiting, 0);
		for (int i = 0; i < 1000; i++) /* what leaves asks for nothing any more */
			health_check_remove(c[i]);
		rig_close(&r);
	}
	health_probe_free(p);
}

static void one_dispatch_does_a_batch_and_asks_for_another(void **state)
{
	const struct health_engine_opts eo = {.size = sizeof(eo), .batch = 4};
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, &eo, &rig_deaf);
	o = rig_opts(&r);
	for (int i = 0; i < 10; i++)
		rig_add(&r, &o);
	for (unsigned int i = 1; i <= 3; i++) {
		assert_true(health_engine_deadline(r.engine) <= r.now_ns);
		rig_dispatch(&r);
		assert_int_equal(rig_stats(&r).started, i < 3 ? 4 * i : 10);
	}
	assert_true(health_engine_deadline(r.engine) > r.now_ns);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_thousand_starts_are_spread_evenly),
	    cmocka_unit_test(a_first_start_comes_when_the_host_says),
	    cmocka_unit_test(starts_wait_for_one_another_within_the_slack),
	    cmocka_unit_test(the_same_seed_gives_the_same_plan),
	    cmocka_unit_test(starts_keep_their_distance_from_the_plan),
	    cmocka_unit_test(from_end_counts_from_the_end),
	    cmocka_unit_test(retries_wait_from_the_end_of_the_failure),
	    cmocka_unit_test(jitter_moves_each_start_within_its_bounds),
	    cmocka_unit_test(a_host_that_slept_is_told_what_it_missed),
	    cmocka_unit_test(a_run_longer_than_the_interval_skips_slots),
	    cmocka_unit_test(max_in_flight_makes_the_others_wait),
	    cmocka_unit_test(the_rate_is_kept_and_the_deadline_says_when),
	    cmocka_unit_test(without_a_limit_the_starts_follow_what_is_asked),
	    cmocka_unit_test(one_dispatch_does_a_batch_and_asks_for_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
