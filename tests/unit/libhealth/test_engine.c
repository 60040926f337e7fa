/* SPDX-License-Identifier: MIT */
/* When checks start, how many at once, what the host is told, and what it may do meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "ping.h"
#include <libhealth/probe_exec.h>

#include "rig.h"

static const struct peer_script listens = {0};
static const struct peer_script deaf = {.deaf = true};

static struct health_filter_opts filter_opts(uint64_t interval_ns)
{
	return (struct health_filter_opts){
	    .size = sizeof(struct health_filter_opts),
	    .interval_ns = interval_ns,
	};
}

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
	    &listens);
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

static void starts_wait_for_one_another_within_the_slack(void **state)
{
	enum { N = 500 };
	const struct health_engine_opts eo = {.size = sizeof(eo), .seed = 42, .slack_ns = 10 * MS};
	const struct health_filter_opts quick = filter_opts(199 * MS);
	struct health_check *c[N], *alone;
	struct health_check_opts o;
	uint64_t first = UINT64_MAX, due;
	unsigned int planned = 0;
	struct rig r;

	rig_open(&r, &eo, &listens);
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

		rig_open(&r, &eo, &listens);
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
	const struct health_filter_opts f = filter_opts(100 * MS);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &listens);
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
	const struct health_filter_opts f = filter_opts(100 * MS);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &listens);
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
	rig_open(&r, NULL, &deaf);
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
	const struct health_filter_opts f = filter_opts(100 * MS);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;
	uint64_t before = RIG_T0, seen[3];

	rig_open(&r, NULL, &listens);
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
	const struct health_filter_opts f = filter_opts(100 * MS);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &listens);
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
	const struct health_filter_opts f = filter_opts(S);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &deaf);
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
	const struct health_filter_opts f = filter_opts(10 * S);
	struct health_engine_stats s;
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, &eo, &deaf);
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
	const struct health_filter_opts f = filter_opts(60 * S);
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, &eo, &deaf);
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
	const struct health_filter_opts f = filter_opts(100 * MS);
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

	rig_open(&r, &eo, &deaf);
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

/* ---- what the filter's clock and the host do ---- */

static void silence_takes_down_without_a_result(void **state)
{
	struct health_filter_opts f = {.size = sizeof(f)};
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	assert_int_equal(health_filter_preset(HEALTH_SCHOOL_F5, &f), 0);
	rig_open(&r, NULL, &deaf);
	o = rig_opts(&r);
	o.filter = &f;
	o.timeout_ns = 30 * S;
	c = rig_add(&r, &o);
	rig_pass(&r, 16 * S - 1);
	assert_int_equal(health_check_state(c), HEALTH_STATE_UNKNOWN);
	rig_pass(&r, 1);
	assert_int_equal(r.results, 0);
	assert_int_equal(r.transitions, 1);
	assert_int_equal(r.transition.reason, HEALTH_REASON_SILENCE);
	assert_int_equal(r.transition.code, HEALTH_CODE_INI);
	assert_int_equal(health_check_state(c), HEALTH_STATE_DOWN);
	rig_close(&r);
}

static void a_pause_ends_the_run_and_forgives_the_silence(void **state)
{
	struct health_filter_opts f = {.size = sizeof(f)};
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	assert_int_equal(health_filter_preset(HEALTH_SCHOOL_F5, &f), 0);
	rig_open(&r, NULL, &deaf);
	o = rig_opts(&r);
	o.filter = &f;
	o.timeout_ns = 30 * S;
	c = rig_add(&r, &o);
	rig_dispatch(&r);
	assert_int_equal(rig_status(c).running, 1);
	health_check_set_paused(c, true);
	health_check_set_paused(c, true);
	assert_int_equal(rig_status(c).paused, 1);
	assert_int_equal(rig_status(c).next_ns, UINT64_MAX);
	assert_int_equal(rig_stats(&r).in_flight, 0);
	assert_int_equal(health_engine_deadline(r.engine), UINT64_MAX);
	health_check_run_now(c);
	health_check_report(c, HEALTH_FAIL_NOW, r.now_ns);
	rig_pass(&r, 100 * S);
	assert_int_equal(r.results + r.transitions, 0);
	health_check_set_paused(c, false);
	rig_pass(&r, 16 * S - 1);
	assert_int_equal(r.transitions, 0);
	rig_pass(&r, 1);
	assert_int_equal(r.transitions, 1);
	rig_close(&r);
}

static void traffic_counts_like_a_check_and_hastens_the_next(void **state)
{
	struct health_filter_opts f = filter_opts(10 * S);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	f.fast_ns = S; /* HAProxy: observe, on-error fastinter */
	f.fall = 2;
	rig_open(&r, NULL, &listens);
	o = rig_opts(&r);
	o.filter = &f;
	c = rig_add(&r, &o);
	rig_settle(&r, 1);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 10 * S);
	rig_pass(&r, 2 * S);
	health_check_report(c, HEALTH_FAIL, r.now_ns);
	assert_int_equal(r.results, 2);
	assert_int_equal(r.result.code, HEALTH_CODE_HANA);
	assert_int_equal(r.result.phase, HEALTH_PHASE_PASSIVE);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 3 * S);
	assert_int_equal(rig_status(c).runs, 1);
	health_check_report(c, (enum health_verdict)77, r.now_ns); /* counts as neutral */
	assert_int_equal(r.result.verdict, HEALTH_NEUTRAL);
	assert_int_equal(r.result.code, HEALTH_CODE_UNK);
	health_check_report(c, HEALTH_FAIL, r.now_ns);
	assert_int_equal(r.transitions, 1);
	assert_int_equal(health_check_state(c), HEALTH_STATE_DOWN);
	rig_close(&r);
}

static void the_operator_sets_and_resumes(void **state)
{
	struct health_filter_opts f = filter_opts(10 * S);
	struct health_filter_status fs = {.size = sizeof(fs)};
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	f.manual_resume = 1;
	f.rise = 1;
	f.down_ns = 60 * S;
	rig_open(&r, NULL, &listens);
	o = rig_opts(&r);
	o.filter = &f;
	c = rig_add(&r, &o);
	health_check_set(c, HEALTH_START_DOWN, r.now_ns);
	assert_int_equal(r.transitions, 1);
	assert_int_equal(r.transition.reason, HEALTH_REASON_OPERATOR);
	health_check_set(c, HEALTH_START_DOWN, r.now_ns);
	assert_int_equal(r.transitions, 1);
	rig_settle(&r, 1);
	assert_int_equal(r.transitions, 2); /* the operator's down is not held */
	health_check_report(c, HEALTH_FAIL_NOW, r.now_ns);
	assert_int_equal(r.transitions, 3);
	health_check_run_now(c);
	rig_settle(&r, 3);
	assert_int_equal(health_check_state(c), HEALTH_STATE_DOWN);
	assert_int_equal(health_check_filter_status(c, &fs), 0);
	assert_int_equal(fs.held, 1);
	assert_int_equal(rig_status(c).next_ns, r.now_ns + 60 * S);
	health_check_resume(c, r.now_ns);
	assert_int_equal(r.transitions, 4);
	assert_int_equal(health_check_state(c), HEALTH_STATE_UP);
	assert_int_equal(rig_status(c).next_ns, r.now_ns + 10 * S); /* not as seldom as while down */
	rig_close(&r);
}

static void run_now_is_outside_the_plan(void **state)
{
	const struct health_filter_opts f = filter_opts(10 * S);
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &listens);
	o = rig_opts(&r);
	o.filter = &f;
	o.flags = 0;
	c = rig_add(&r, &o);
	health_check_run_now(c); /* before it has a time at all */
	rig_settle(&r, 1);
	assert_int_equal(r.results, 1);
	rig_pass(&r, 4 * S);
	assert_int_equal(r.results, 1);
	health_check_run_now(c);
	assert_true(health_engine_deadline(r.engine) <= r.now_ns);
	rig_settle(&r, 2);
	assert_int_equal(r.results, 2);
	assert_int_equal(r.result.late_ns, 0);
	assert_int_equal(rig_status(c).next_ns, RIG_T0 + 14 * S);
	rig_close(&r);
}

/* ---- inside callbacks ---- */

static struct health_check *other;

static void removes_itself_and_another(struct rig *r, struct health_check *c)
{
	health_check_remove(c);
	health_check_remove(other);
	health_check_remove(other); /* twice is harmless inside the callback */
}

static void checks_may_be_removed_in_a_callback(void **state)
{
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, NULL, &listens);
	close(
	    r.peer.listener); /* refused: a result and a transition, which must not come any more */
	r.has_peer = false;
	o = rig_opts(&r);
	rig_add(&r, &o);
	other = rig_add(&r, &o);
	r.on_result = removes_itself_and_another;
	rig_settle(&r, 1);
	rig_settle(&r, 2); /* nothing more comes */
	assert_int_equal(r.results, 1);
	assert_int_equal(r.transitions, 0);
	assert_int_equal(rig_stats(&r).checks, 0);
	assert_int_equal(rig_stats(&r).in_flight, 0);
	assert_int_equal(health_engine_deadline(r.engine), UINT64_MAX);
	rig_close(&r);
}

static void adds_another(struct rig *r, struct health_check *c)
{
	struct health_check_opts o = rig_opts(r);

	if (r->results < 5)
		rig_add(r, &o);
}

static void checks_may_be_added_in_a_callback(void **state)
{
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, NULL, &listens);
	o = rig_opts(&r);
	r.on_result = adds_another;
	rig_add(&r, &o);
	rig_settle(&r, 5);
	assert_int_equal(r.results, 5);
	assert_int_equal(rig_stats(&r).checks, 5);
	rig_close(&r);
}

static int dispatched;

static void dispatches(struct rig *r, struct health_check *c)
{
	dispatched = health_engine_dispatch(r->engine, r->now_ns);
}

static void dispatch_in_a_callback_is_busy(void **state)
{
	struct health_check_opts o;
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, &listens);
	o = rig_opts(&r);
	r.on_result = dispatches;
	c = rig_add(&r, &o);
	rig_settle(&r, 1);
	assert_int_equal(dispatched, -EBUSY);
	dispatched = 0;
	health_check_report(c, HEALTH_OK, r.now_ns); /* outside of a dispatch: the same */
	assert_int_equal(dispatched, -EBUSY);
	rig_dispatch(&r);
	rig_close(&r);
}

static void frees(struct rig *r, struct health_check *c)
{
	health_engine_free(r->engine);
}

static void free_in_a_callback_asserts(void **state)
{
	const struct rlimit no_core = {0};
	struct health_check_opts o;
	struct rig r;
	int status = 0;
	pid_t child;

	rig_open(&r, NULL, &listens);
	o = rig_opts(&r);
	rig_add(&r, &o);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		close(STDERR_FILENO);
		r.on_result = frees;
		rig_settle(&r, 1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	rig_close(&r);
}

/* ---- misuse ---- */

static void engine_options_are_checked(void **state)
{
	struct health_engine_opts o;
	struct health_engine *e = NULL;
	struct {
		struct health_engine_opts o;
		uint64_t later;
	} grown = {.o = {.size = sizeof(grown)}, .later = 1};

	assert_int_equal(health_engine_new(NULL, NULL), -EINVAL);
	assert_int_equal(health_engine_new(&grown.o, &e), -E2BIG);
	o = (struct health_engine_opts){.size = sizeof(o), .rate = UINT32_MAX};
	assert_int_equal(health_engine_new(&o, &e), -EINVAL);
	o = (struct health_engine_opts){.size = sizeof(o), .batch = HEALTH_BATCH_MAX + 1};
	assert_int_equal(health_engine_new(&o, &e), -EINVAL);
	o = (struct health_engine_opts){.size = sizeof(o), .slack_ns = HEALTH_SLACK_MAX_NS + 1};
	assert_int_equal(health_engine_new(&o, &e), -EINVAL);
	assert_null(e);
	assert_int_equal(health_engine_new(NULL, &e), 0);
	assert_true(health_engine_fd(e) >= 0);
	assert_int_equal(health_engine_dispatch(e, 1), 0);
	assert_int_equal(health_engine_stats(e, NULL), -EINVAL);
	health_engine_free(e);
	health_engine_free(NULL);
	assert_int_equal(health_engine_dispatch(NULL, 1), -EINVAL);
	health_check_remove(NULL);
}

static void check_options_are_checked(void **state)
{
	struct health_filter_opts bad_filter = filter_opts(1);
	struct sockaddr_in portless = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = 1};
	const struct sockaddr strange = {.sa_family = AF_INET + 100};
	struct health_check_opts o;
	struct health_check *c = NULL;
	struct rig r;

	rig_open(&r, NULL, &listens);
	assert_int_equal(health_check_add(r.engine, NULL, NULL, &c), -EINVAL);
	o = rig_opts(&r);
	assert_int_equal(health_check_add(NULL, &o, NULL, &c), -EINVAL);
	assert_int_equal(health_check_add(r.engine, &o, NULL, NULL), -EINVAL);
#define REFUSED(error, field, value) \
	o = rig_opts(&r);            \
	o.field = (value);           \
	assert_int_equal(health_check_add(r.engine, &o, NULL, &c), (error))
	REFUSED(-EINVAL, size, 3);
	REFUSED(-EINVAL, destination, NULL);
	REFUSED(-EINVAL, destination_len, 1);
	REFUSED(-EINVAL, destination_len, sizeof(struct sockaddr_in) - 1);
	REFUSED(-EINVAL, destination_len, 1000);
	REFUSED(-EINVAL, destination, (struct sockaddr *)&portless);
	REFUSED(-EAFNOSUPPORT, destination, &strange);
	REFUSED(-EINVAL, device, "a-name-too-long-for-linux");
	REFUSED(-EINVAL, flags, 1u << 20);
	REFUSED(-EINVAL, jitter_percent, HEALTH_JITTER_MAX_PERCENT + 1);
	REFUSED(-EINVAL, timeout_ns, HEALTH_TIME_MAX_NS + 1);
	REFUSED(-EINVAL, connect_timeout_ns, HEALTH_TIME_MAX_NS + 1);
	REFUSED(-EINVAL, start_within_ns, HEALTH_TIME_MAX_NS + 1);
	REFUSED(-EINVAL, filter, &bad_filter);
	o = rig_opts(&r);
	o.source = (struct sockaddr *)&six;
	o.source_len = sizeof(six);
	assert_int_equal(health_check_add(r.engine, &o, NULL, &c), -EINVAL);
	assert_null(c);
	assert_int_equal(rig_stats(&r).checks, 0);
	o = rig_opts(&r);
	c = rig_add(&r, &o);
	assert_ptr_equal(health_check_userdata(c), &r);
	assert_int_equal(rig_status(c).code, HEALTH_CODE_INI);
	assert_int_equal(health_check_status(c, NULL), -EINVAL);
	rig_close(&r);
}

/* ---- memory ---- */

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static unsigned int allocations, fail_at; /* the nth from now; 0: none */

static bool fails(void)
{
	allocations++;
	return fail_at && allocations == fail_at;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

/* Everything that allocates, once. The first error, or 0. */
static int whole_life(struct rig *r)
{
	struct sockaddr_in source = {.sin_family = AF_INET};
	struct health_check_opts o = rig_opts(r);
	struct health_check *c;
	int e = health_engine_new(NULL, &r->engine);

	if (e < 0)
		return e;
	e = health_probe_new(&ping_ops, NULL, &o.probe);
	o.source = (struct sockaddr *)&source;
	o.source_len = sizeof(source);
	if (e == 0)
		e = health_check_add(r->engine, &o, NULL, &c);
	health_probe_free(o.probe);
	if (e == 0) {
		rig_settle(r, 1);
		if (rig_status(c).code == HEALTH_CODE_SOCKERR)
			e = -ENOMEM; /* in the middle of the run: no verdict about the server */
		assert_int_equal(rig_status(c).verdict, e ? HEALTH_NEUTRAL : HEALTH_OK);
	}
	health_engine_free(r->engine);
	return e;
}

static void every_allocation_may_fail(void **state)
{
	const struct peer_script script = {
	    .listen_for = 6, .reply = "pong\n", .reply_len = 5, .chunk = 2};
	unsigned int n;
	int e = -ENOMEM;

	for (n = 1; e == -ENOMEM; n++) {
		struct rig r = {.now_ns = RIG_T0, .has_peer = true};
		size_t fds = rig_open_fds();

		peer_open(&r.peer, &script);
		allocations = 0;
		fail_at = n;
		e = whole_life(&r);
		fail_at = 0;
		peer_close(&r.peer);
		assert_int_equal(rig_open_fds(), fds);
	}
	assert_int_equal(e, 0);
	assert_true(n > 8); /* engine, probe, check, two heaps, source, unread bytes */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_thousand_starts_are_spread_evenly),
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
	    cmocka_unit_test(silence_takes_down_without_a_result),
	    cmocka_unit_test(a_pause_ends_the_run_and_forgives_the_silence),
	    cmocka_unit_test(traffic_counts_like_a_check_and_hastens_the_next),
	    cmocka_unit_test(the_operator_sets_and_resumes),
	    cmocka_unit_test(run_now_is_outside_the_plan),
	    cmocka_unit_test(checks_may_be_removed_in_a_callback),
	    cmocka_unit_test(checks_may_be_added_in_a_callback),
	    cmocka_unit_test(dispatch_in_a_callback_is_busy),
	    cmocka_unit_test(free_in_a_callback_asserts),
	    cmocka_unit_test(engine_options_are_checked),
	    cmocka_unit_test(check_options_are_checked),
	    cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
