/* SPDX-License-Identifier: MIT */
/*
 * The four schools against sequences worked out by hand from their manuals. A sequence is a string of
 * verdicts and what must come of each: the state, and the interval that is next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include <libhealth/filter.h>

#define S UINT64_C(1000000000)
#define T0 (1000 * S)

/* One step: at T0 + `at` seconds, `verdict` is fed ('.' = tick only). */
struct step {
	unsigned int at;
	char verdict; /* o ok, d drain, g degraded, f fail, X fail-now, n neutral, '.' tick */
	enum health_state state;
	unsigned int interval_s;
};

static enum health_verdict verdict_of(char c)
{
	switch (c) {
	case 'o':
		return HEALTH_OK;
	case 'd':
		return HEALTH_OK_DRAIN;
	case 'g':
		return HEALTH_DEGRADED;
	case 'f':
		return HEALTH_FAIL;
	case 'X':
		return HEALTH_FAIL_NOW;
	default:
		return HEALTH_NEUTRAL;
	}
}

static void run(struct health_filter *f, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum health_state before = health_filter_state(f);
		uint64_t now = T0 + steps[i].at * S;
		bool changed = steps[i].verdict == '.'
				   ? health_filter_tick(f, now)
				   : health_filter_feed(f, verdict_of(steps[i].verdict), now);

		if (health_filter_state(f) != steps[i].state ||
		    health_filter_interval_ns(f) != steps[i].interval_s * S)
			print_error("step %zu ('%c' at %u s): %s, next in %llu ms\n", i,
				    steps[i].verdict, steps[i].at,
				    health_state_name(health_filter_state(f)),
				    (unsigned long long)(health_filter_interval_ns(f) / 1000000));
		assert_int_equal(health_filter_state(f), steps[i].state);
		assert_int_equal(changed, before != steps[i].state);
		assert_int_equal(health_filter_interval_ns(f), steps[i].interval_s * S);
	}
}

#define RUN(f, ...)                                                   \
	do {                                                          \
		const struct step steps_[] = {__VA_ARGS__};           \
		run((f), steps_, sizeof(steps_) / sizeof(steps_[0])); \
	} while (0)

#define UNKNOWN HEALTH_STATE_UNKNOWN
#define UP HEALTH_STATE_UP
#define DOWN HEALTH_STATE_DOWN
#define DRAIN HEALTH_STATE_DRAIN
#define DEGRADED HEALTH_STATE_DEGRADED

static struct health_filter_opts preset(enum health_school school)
{
	struct health_filter_opts o = {.size = sizeof(o)};

	assert_int_equal(health_filter_preset(school, &o), 0);
	return o;
}

static struct health_filter filter(const struct health_filter_opts *o)
{
	struct health_filter f;

	assert_int_equal(health_filter_init(&f, o, T0), 0);
	return f;
}

/* inter 2s fastinter 1s downinter 10s rise 2 fall 3 */
static struct health_filter_opts haproxy(void)
{
	struct health_filter_opts o = preset(HEALTH_SCHOOL_HAPROXY);

	o.fast_ns = 1 * S;
	o.down_ns = 10 * S;
	return o;
}

static void haproxy_starts_up_and_the_first_failure_drops_it(void **state)
{
	const struct health_filter_opts o = haproxy();
	struct health_filter f = filter(&o);

	assert_int_equal(health_filter_state(&f), UP);
	assert_int_equal(health_filter_interval(&f), HEALTH_INTERVAL_FAST); /* unchecked */
	RUN(&f, {0, 'f', DOWN, 10});
}

static void haproxy_counts_rise_and_fall(void **state)
{
	const struct health_filter_opts o = haproxy();
	struct health_filter f = filter(&o);

	RUN(&f, {0, 'o', UP, 2}, {2, 'f', UP, 1}, {3, 'f', UP, 1}, {4, 'o', UP, 2}, /* refilled */
	    {6, 'f', UP, 1}, {7, 'f', UP, 1}, {8, 'f', DOWN, 10}, {18, 'f', DOWN, 10},
	    {28, 'o', DOWN, 1}, {29, 'f', DOWN, 10}, /* one success is forgotten */
	    {39, 'o', DOWN, 1}, {40, 'o', UP, 2}, {42, 'f', UP, 1}, {43, 'f', UP, 1},
	    {44, 'f', DOWN, 10});
}

static void haproxy_init_states(void **state)
{
	struct health_filter_opts o = haproxy();
	struct health_filter f;

	o.start = HEALTH_START_FULLY_UP;
	f = filter(&o);
	RUN(&f, {0, 'f', UP, 1}, {1, 'f', UP, 1}, {2, 'f', DOWN, 10});
	o.start = HEALTH_START_DOWN;
	f = filter(&o);
	RUN(&f, {0, 'o', UP, 2});
	o.start = HEALTH_START_FULLY_DOWN;
	f = filter(&o);
	RUN(&f, {0, 'o', DOWN, 1}, {1, 'o', UP, 2});
}

static void haproxy_drains_on_404_only_while_up(void **state)
{
	const struct health_filter_opts o = haproxy();
	struct health_filter f = filter(&o);

	RUN(&f, {0, 'o', UP, 2}, {2, 'f', UP, 1}, {3, 'd', DRAIN, 2}, {5, 'd', DRAIN, 2},
	    {7, 'o', UP, 2}, {9, 'd', DRAIN, 2}, {11, 'f', DRAIN, 1}, {12, 'f', DRAIN, 1},
	    {13, 'f', DOWN, 10}, {23, 'o', DOWN, 1}, {24, 'd', DOWN, 10}, {34, 'o', DOWN, 1},
	    {35, 'o', UP, 2});
}

static void haproxy_sudden_death_leaves_one_failure(void **state)
{
	const struct health_filter_opts o = haproxy();
	struct health_filter f = filter(&o);

	RUN(&f, {0, 'o', UP, 2});
	assert_false(health_filter_set(&f, HEALTH_START_UP, T0 + S));
	assert_int_equal(health_filter_interval(&f), HEALTH_INTERVAL_FAST);
	RUN(&f, {2, 'f', DOWN, 10});
}

/* delay_loop 60, retry 2, delay_before_retry 3 */
static struct health_filter_opts keepalived(void)
{
	struct health_filter_opts o = preset(HEALTH_SCHOOL_KEEPALIVED);

	o.fall = 2 + 1;
	o.retry_ns = 3 * S;
	return o;
}

static void keepalived_retries_only_while_up(void **state)
{
	const struct health_filter_opts o = keepalived();
	struct health_filter f = filter(&o);

	RUN(&f, {0, 'o', UP, 60}, {60, 'f', UP, 3});
	assert_int_equal(health_filter_interval(&f), HEALTH_INTERVAL_RETRY);
	RUN(&f, {63, 'f', UP, 3}, {66, 'f', DOWN, 60}, {126, 'f', DOWN, 60},
	    {186, 'o', UP, 60}, /* one success is enough */
	    {246, 'f', UP, 3}, {249, 'o', UP, 60}, {309, 'f', UP, 3}, {312, 'f', UP, 3},
	    {315, 'f', DOWN, 60});
}

static void keepalived_before_the_first_success_one_failure_is_enough(void **state)
{
	const struct health_filter_opts o = keepalived();
	struct health_filter f = filter(&o);

	RUN(&f, {0, 'f', DOWN, 60}, {60, 'o', UP, 60}, {120, 'f', UP, 3});
}

static void keepalived_alpha_starts_down_and_its_first_failure_is_no_transition(void **state)
{
	struct health_filter_opts o = keepalived();
	struct health_filter f;

	o.start = HEALTH_START_DOWN;
	f = filter(&o);
	assert_int_equal(health_filter_state(&f), DOWN);
	RUN(&f, {0, 'f', DOWN, 60}, {60, 'o', UP, 60});
}

static void f5_goes_by_the_time_since_the_last_success(void **state)
{
	const struct health_filter_opts o = preset(HEALTH_SCHOOL_F5);
	struct health_filter f = filter(&o);

	assert_int_equal(health_filter_state(&f), UNKNOWN);
	RUN(&f, {0, 'o', UP, 5}, {5, 'f', UP, 5}, {10, 'f', UP, 5}, {15, 'f', UP, 5});
	assert_int_equal(health_filter_deadline(&f), T0 + 16 * S);
	RUN(&f, {15, '.', UP, 5}, {16, '.', DOWN, 5}, {20, 'f', DOWN, 5}, {25, 'o', UP, 5},
	    {30, 'f', UP, 5}, {35, 'f', UP, 5}, {40, 'o', UP, 5});
	assert_int_equal(health_filter_deadline(&f), T0 + 56 * S);
	RUN(&f,
	    {56, 'f', DOWN, 5}); /* a late tick changes nothing: the failure finds the time over */
	assert_int_equal(health_filter_deadline(&f), UINT64_MAX);
}

static void f5_never_up_goes_down_after_the_timeout(void **state)
{
	const struct health_filter_opts o = preset(HEALTH_SCHOOL_F5);
	struct health_filter f = filter(&o);

	RUN(&f, {1, 'f', UNKNOWN, 5}, {6, 'f', UNKNOWN, 5}, {15, '.', UNKNOWN, 5},
	    {16, '.', DOWN, 5});
}

static void f5_a_reset_is_down_at_once(void **state)
{
	const struct health_filter_opts o = preset(HEALTH_SCHOOL_F5);
	struct health_filter f = filter(&o);
	struct health_filter_status s = {.size = sizeof(s)};

	RUN(&f, {0, 'o', UP, 5}, {5, 'X', DOWN, 5});
	assert_int_equal(health_filter_status(&f, &s), 0);
	assert_int_equal(s.reason, HEALTH_REASON_FAIL_NOW);
}

static void f5_time_until_up_wants_no_failure_meanwhile(void **state)
{
	struct health_filter_opts o = preset(HEALTH_SCHOOL_F5);
	struct health_filter f;
	struct health_filter_status s = {.size = sizeof(s)};

	o.settle_ns = 12 * S;
	f = filter(&o);
	RUN(&f, {0, 'X', DOWN, 5}, {5, 'o', DOWN, 5}, {10, 'o', DOWN, 5}, {15, 'f', DOWN, 5});
	assert_int_equal(health_filter_deadline(&f), UINT64_MAX);
	RUN(&f, {20, 'o', DOWN, 5}, {25, 'o', DOWN, 5});
	assert_int_equal(health_filter_deadline(&f), T0 + 32 * S);
	assert_int_equal(health_filter_status(&f, &s), 0);
	assert_int_equal(s.settling, 1);
	RUN(&f, {30, 'o', DOWN, 5}, {31, '.', DOWN, 5}, {32, '.', UP, 5});
	assert_int_equal(health_filter_status(&f, &s), 0);
	assert_int_equal(s.reason, HEALTH_REASON_SETTLED);
	assert_int_equal(s.settling, 0);
}

static void f5_manual_resume_holds_until_the_operator(void **state)
{
	struct health_filter_opts o = preset(HEALTH_SCHOOL_F5);
	struct health_filter f;

	o.manual_resume = 1;
	f = filter(&o);
	RUN(&f, {0, 'o', UP, 5}, {5, 'X', DOWN, 5}, {10, 'o', DOWN, 5}, {15, 'o', DOWN, 5});
	assert_true(health_filter_resume(&f, T0 + 16 * S)); /* it works already: up now */
	assert_int_equal(health_filter_state(&f), UP);
	RUN(&f, {20, 'X', DOWN, 5}, {25, 'f', DOWN, 5});
	assert_false(health_filter_resume(&f, T0 + 26 * S)); /* it does not: the next success */
	assert_false(health_filter_resume(&f, T0 + 26 * S));
	RUN(&f, {30, 'o', UP, 5});
}

static void envoy_decides_by_the_first_check_and_then_by_thresholds(void **state)
{
	struct health_filter_opts o = preset(HEALTH_SCHOOL_ENVOY);
	struct health_filter f;

	o.down_ns = 20 * S;	 /* unhealthy_interval */
	o.up_edge_ns = 2 * S;	 /* healthy_edge_interval */
	o.down_edge_ns = 10 * S; /* unhealthy_edge_interval */
	f = filter(&o);
	RUN(&f, {0, 'o', UP, 2}, {2, 'o', UP, 5}, {7, 'f', UP, 5}, {12, 'f', UP, 5},
	    {17, 'f', DOWN, 10}, {27, 'f', DOWN, 20}, {47, 'o', DOWN, 20}, {67, 'o', UP, 2},
	    {69, 'X', DOWN, 10}); /* an unexpected status needs no second */
	f = filter(&o);
	RUN(&f, {0, 'f', DOWN, 10}, {10, 'o', DOWN, 20}, {30, 'o', UP, 2});
}

static void envoy_degraded_is_a_way_of_being_up(void **state)
{
	const struct health_filter_opts o = preset(HEALTH_SCHOOL_ENVOY);
	struct health_filter f = filter(&o);

	RUN(&f, {0, 'g', DEGRADED, 5}, {5, 'o', UP, 5}, {10, 'g', DEGRADED, 5},
	    {15, 'f', DEGRADED, 5}, {20, 'g', DEGRADED, 5}, {25, 'd', DRAIN, 5});
	assert_true(health_state_is_up(health_filter_state(&f)));
}

static void neutral_changes_nothing(void **state)
{
	const struct health_filter_opts o = haproxy();
	struct health_filter f = filter(&o), before;

	RUN(&f, {0, 'o', UP, 2}, {2, 'f', UP, 1});
	before = f;
	assert_false(health_filter_feed(&f, HEALTH_NEUTRAL, T0 + 3 * S));
	assert_false(health_filter_feed(&f, (enum health_verdict)77, T0 + 3 * S));
	assert_memory_equal(&f, &before, sizeof(f));
}

static void status_counts_what_haproxy_shows(void **state)
{
	const struct health_filter_opts o = haproxy();
	struct health_filter f = filter(&o);
	struct health_filter_status s = {.size = sizeof(s)};

	RUN(&f, {0, 'o', UP, 2}, {2, 'f', UP, 1}); /* "UP 2/3" */
	assert_int_equal(health_filter_status(&f, &s), 0);
	assert_int_equal(s.left, 2);
	assert_int_equal(s.fall, 3);
	assert_int_equal(s.fail_run, 1);
	assert_int_equal(s.ok_run, 0);
	assert_int_equal(s.last_ok_ns, T0);
	assert_int_equal(s.since_ns, T0);
	assert_int_equal(s.changes, 0);
	RUN(&f, {3, 'f', UP, 1}, {4, 'f', DOWN, 10}, {14, 'o', DOWN, 1}); /* "DOWN 1/2" */
	assert_int_equal(health_filter_status(&f, &s), 0);
	assert_int_equal(s.rise - s.left, 1);
	assert_int_equal(s.reason, HEALTH_REASON_FALL);
	assert_int_equal(s.since_ns, T0 + 4 * S);
	assert_int_equal(s.changes, 1);
}

static void rebase_forgives_a_pause(void **state)
{
	struct health_filter_opts o = preset(HEALTH_SCHOOL_F5);
	struct health_filter f = filter(&o);

	RUN(&f, {0, 'o', UP, 5});
	health_filter_rebase(&f, T0 + 100 * S);
	RUN(&f, {101, '.', UP, 5}, {115, 'f', UP, 5}, {116, '.', DOWN, 5});
}

static void set_is_an_operators_word(void **state)
{
	const struct health_filter_opts o = haproxy();
	struct health_filter f = filter(&o);
	struct health_filter_status s = {.size = sizeof(s)};

	assert_true(health_filter_set(&f, HEALTH_START_FULLY_DOWN, T0 + S));
	assert_int_equal(health_filter_status(&f, &s), 0);
	assert_int_equal(s.state, DOWN);
	assert_int_equal(s.reason, HEALTH_REASON_OPERATOR);
	RUN(&f, {2, 'o', DOWN, 1}, {3, 'o', UP, 2});
	assert_false(health_filter_set(&f, (enum health_start)99, T0 + 4 * S));
	assert_true(health_filter_set(&f, HEALTH_START_UNKNOWN, T0 + 4 * S));
}

/* ---- damping ---- */

static struct health_filter damped_filter(uint64_t max_ns)
{
	const struct health_filter_opts o = {
	    .size = sizeof(o),
	    .rise = 1,
	    .fall = 1,
	    .damp_half_life_ns = 900 * S,
	    .damp_max_ns = max_ns,
	};
	struct health_filter f;

	assert_int_equal(health_filter_init(&f, &o, T0), 0);
	return f;
}

/* Down and up again, a second each. */
static void flap(struct health_filter *f, uint64_t *now)
{
	health_filter_feed(f, HEALTH_FAIL, *now += S);
	health_filter_feed(f, HEALTH_OK, *now += S);
}

static void a_third_fall_in_a_short_time_is_held_down(void **state)
{
	struct health_filter_status st = {.size = sizeof(st)};
	struct health_filter f = damped_filter(0);
	uint64_t now = T0, until;

	flap(&f, &now);
	flap(&f, &now); /* 1000 twice, less what has decayed: below 2000 */
	assert_int_equal(health_filter_state(&f), HEALTH_STATE_UP);
	flap(&f, &now);
	assert_int_equal(health_filter_state(&f), HEALTH_STATE_DOWN);
	health_filter_status(&f, &st);
	assert_int_equal(st.damped, 1);
	assert_true(st.penalty > 2900 && st.penalty < 3000);
	assert_int_equal(st.ok_run, 1);
	until = health_filter_deadline(&f);
	assert_int_equal(until, st.damped_until_ns);
	/* 3000 to 750 takes two half-lives. */
	assert_true(until - now > 1780 * S && until - now < 1800 * S);
	assert_false(health_filter_feed(&f, HEALTH_OK, until - 1));
	assert_false(health_filter_tick(&f, until - 1));
	assert_true(health_filter_tick(&f, until));
	health_filter_status(&f, &st);
	assert_int_equal(st.state, HEALTH_STATE_UP);
	assert_int_equal(st.reason, HEALTH_REASON_DAMPED);
	assert_int_equal(st.damped, 0);
}

static void damping_ends_at_its_most_and_by_an_operator(void **state)
{
	struct health_filter f = damped_filter(60 * S);
	uint64_t now = T0;

	for (int i = 0; i < 3; i++)
		flap(&f, &now);
	assert_int_equal(health_filter_state(&f), HEALTH_STATE_DOWN);
	assert_int_equal(health_filter_deadline(&f), now - S + 60 * S);
	assert_true(health_filter_set(&f, HEALTH_START_FULLY_UP, now));
	flap(&f, &now); /* forgiven: the penalty is gone */
	assert_int_equal(health_filter_state(&f), HEALTH_STATE_UP);
}

static void a_damped_target_that_fails_begins_anew(void **state)
{
	struct health_filter f = damped_filter(0);
	uint64_t now = T0, until;

	for (int i = 0; i < 3; i++)
		flap(&f, &now);
	until = health_filter_deadline(&f);
	assert_false(health_filter_feed(&f, HEALTH_FAIL, until - S));
	assert_int_equal(health_filter_deadline(&f), UINT64_MAX);
	assert_true(health_filter_feed(&f, HEALTH_OK, until));
}

/* ---- an operator's override ---- */

static void an_override_covers_what_goes_on_underneath(void **state)
{
	struct health_filter_status st = {.size = sizeof(st)};
	const struct health_filter_opts o = {.size = sizeof(o), .rise = 1, .fall = 1};
	struct health_filter f;

	assert_int_equal(health_filter_init(&f, &o, T0), 0);
	assert_true(health_filter_override(&f, HEALTH_OVERRIDE_DOWN, T0 + S));
	assert_false(health_filter_override(&f, HEALTH_OVERRIDE_DOWN, T0 + S));
	assert_int_equal(health_filter_state(&f), HEALTH_STATE_DOWN);
	assert_false(health_filter_feed(&f, HEALTH_FAIL, T0 + 2 * S));
	assert_false(health_filter_feed(&f, HEALTH_OK, T0 + 3 * S));
	assert_false(health_filter_feed(&f, HEALTH_DEGRADED, T0 + 4 * S));
	health_filter_status(&f, &st);
	assert_int_equal(st.checked, HEALTH_STATE_DEGRADED);
	assert_int_equal(st.override, HEALTH_OVERRIDE_DOWN);
	assert_int_equal(st.reason, HEALTH_REASON_OPERATOR);
	assert_int_equal(st.since_ns, T0 + S);
	assert_int_equal(st.changes, 1);
	assert_true(health_filter_override(&f, HEALTH_OVERRIDE_NONE, T0 + 5 * S));
	assert_int_equal(health_filter_state(&f), HEALTH_STATE_DEGRADED);
	assert_true(health_filter_override(&f, HEALTH_OVERRIDE_UP, T0 + 6 * S));
	assert_true(health_filter_override(&f, HEALTH_OVERRIDE_DRAIN, T0 + 6 * S));
	assert_int_equal(health_filter_state(&f), HEALTH_STATE_DRAIN);
	assert_false(health_filter_override(&f, (enum health_override)9, T0 + 6 * S));
}

/* ---- properties, over verdicts by chance ---- */

static uint32_t chance(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

static struct health_filter_opts some_opts(uint64_t *seed)
{
	return (struct health_filter_opts){
	    .size = sizeof(struct health_filter_opts),
	    .rise = 1 + chance(seed) % 4,
	    .fall = 1 + chance(seed) % 4,
	    .start = (enum health_start)(chance(seed) % 5),
	    .manual_resume = chance(seed) % 4 == 0,
	    .silence_ns = chance(seed) % 3 ? 0 : 5 * S,
	    .settle_ns = chance(seed) % 3 ? 0 : 3 * S,
	    .damp_half_life_ns = chance(seed) % 3 ? 0 : 20 * S,
	};
}

/* Whatever comes in whatever order: the return value tells of every change, the counters stay in their bounds,
 * a verdict alone never takes up what failed, nor down what is well, and a thawed copy goes on as its original. */
static void properties_hold_for_verdicts_by_chance(void **state)
{
	uint64_t seed = 7;

	for (int run = 0; run < 2000; run++) {
		struct health_filter_opts o = some_opts(&seed);
		uint8_t frozen[HEALTH_FILTER_FREEZE_MAX];
		struct health_filter f, copy;
		uint64_t now = T0;

		assert_int_equal(health_filter_init(&f, &o, now), 0);
		for (int i = 0; i < 60; i++) {
			struct health_filter_status a = {.size = sizeof(a)}, b = a, c = a;
			enum health_verdict v = (enum health_verdict)(chance(&seed) % 6);
			ssize_t len;
			bool told, ticks = chance(&seed) % 4 == 0;

			now += chance(&seed) % 2 ? S : S / 7;
			len = health_filter_freeze(&f, now, frozen, sizeof(frozen));
			assert_true(len > 0);
			assert_int_equal(health_filter_init(&copy, &o, now), 0);
			assert_int_equal(health_filter_thaw(&copy, now, frozen, (size_t)len), 0);
			health_filter_status(&f, &a);
			if (ticks)
				v = HEALTH_NEUTRAL;
			told = ticks ? health_filter_tick(&f, now) : health_filter_feed(&f, v, now);
			health_filter_status(&f, &b);
			if (ticks)
				health_filter_tick(&copy, now);
			else
				health_filter_feed(&copy, v, now);
			health_filter_status(&copy, &c);
			assert_memory_equal(&b, &c, sizeof(b));

			assert_int_equal(told, a.state != b.state);
			assert_int_equal(b.changes - a.changes, a.state != b.state);
			assert_true(b.left <= (health_state_is_up(b.state) ? b.fall : b.rise));
			assert_true(b.ok_run == 0 || b.fail_run == 0);
			if (v == HEALTH_OK && health_state_is_up(a.state))
				assert_int_equal(b.state, HEALTH_STATE_UP);
			if (v >= HEALTH_FAIL && !health_state_is_up(a.state))
				assert_false(health_state_is_up(b.state));
			if (v == HEALTH_FAIL_NOW)
				assert_int_equal(b.state, HEALTH_STATE_DOWN);
			if (a.held)
				assert_false(health_state_is_up(b.state));
			assert_true(health_filter_interval_ns(&f) >= HEALTH_INTERVAL_MIN_NS);
		}
	}
}

static void a_thaw_takes_nothing_for_granted(void **state)
{
	uint8_t frozen[HEALTH_FILTER_FREEZE_MAX], wrong[HEALTH_FILTER_FREEZE_MAX + 1];
	struct health_filter f, g, before;
	ssize_t len;

	assert_int_equal(health_filter_init(&f, NULL, T0), 0);
	health_filter_feed(&f, HEALTH_FAIL, T0 + S);
	len = health_filter_freeze(&f, T0 + 2 * S, frozen, sizeof(frozen));
	assert_true(len > 0);
	assert_int_equal(health_filter_freeze(&f, T0, frozen, (size_t)len - 1), -ENOBUFS);
	len = health_filter_freeze(&f, T0 + 2 * S, frozen, sizeof(frozen));
	/* Another clock: ages, not times, are carried. */
	assert_int_equal(health_filter_init(&g, NULL, 500 * S), 0);
	assert_int_equal(health_filter_thaw(&g, 500 * S, frozen, (size_t)len), 0);
	assert_int_equal(health_filter_state(&g), HEALTH_STATE_DOWN);
	before = g;
	for (size_t cut = 0; cut < (size_t)len; cut++)
		assert_int_equal(health_filter_thaw(&g, 500 * S, frozen, cut), -EBADMSG);
	memcpy(wrong, frozen, (size_t)len);
	assert_int_equal(health_filter_thaw(&g, 500 * S, wrong, (size_t)len + 1), -EBADMSG);
	for (size_t at = 0; at < 10; at++) { /* magic, version and the enums */
		memcpy(wrong, frozen, (size_t)len);
		wrong[at] = 0xee;
		assert_int_equal(health_filter_thaw(&g, 500 * S, wrong, (size_t)len), -EBADMSG);
	}
	assert_memory_equal(&g, &before, sizeof(g));
	assert_int_equal(health_filter_thaw(NULL, 0, frozen, 1), -EINVAL);
}

static void options_are_checked(void **state)
{
	struct {
		struct health_filter_opts o;
		uint64_t tail;
	} grown = {.o = {.size = sizeof(grown)}};
	struct health_filter_opts o;
	struct health_filter f;

	assert_int_equal(health_filter_init(NULL, NULL, 0), -EINVAL);
	assert_int_equal(health_filter_init(&f, NULL, 0), 0);
	assert_int_equal(health_filter_interval_ns(&f), HEALTH_INTERVAL_DEFAULT_NS);
#define REFUSED(field, value)                                                 \
	o = (struct health_filter_opts){.size = sizeof(o), .field = (value)}; \
	assert_int_equal(health_filter_init(&f, &o, 0), -EINVAL)
	REFUSED(rise, HEALTH_COUNT_MAX + 1);
	REFUSED(fall, HEALTH_COUNT_MAX + 1);
	REFUSED(start, (enum health_start)5);
	REFUSED(interval_ns, HEALTH_INTERVAL_MIN_NS - 1);
	REFUSED(fast_ns, HEALTH_TIME_MAX_NS + 1);
	REFUSED(down_ns, 1);
	REFUSED(retry_ns, 1);
	REFUSED(up_edge_ns, 1);
	REFUSED(down_edge_ns, 1);
	REFUSED(silence_ns, HEALTH_TIME_MAX_NS + 1);
	REFUSED(settle_ns, HEALTH_TIME_MAX_NS + 1);
	assert_int_equal(health_filter_init(&f, &grown.o, 0), 0);
	grown.tail = 1;
	assert_int_equal(health_filter_init(&f, &grown.o, 0), -E2BIG);
	assert_int_equal(health_filter_preset((enum health_school)9, &o), -EINVAL);
	assert_int_equal(health_filter_preset(HEALTH_SCHOOL_F5, NULL), -EINVAL);
	assert_int_equal(health_filter_status(&f, NULL), -EINVAL);
}

static void names_are_there(void **state)
{
	assert_string_equal(health_verdict_name(HEALTH_FAIL_NOW), "fail-now");
	assert_string_equal(health_state_name(HEALTH_STATE_DEGRADED), "DEGRADED");
	assert_string_equal(health_reason_name(HEALTH_REASON_OPERATOR), "operator");
	for (unsigned int i = 0; i <= HEALTH_STATE_UP; i++)
		assert_string_not_equal(health_state_name((enum health_state)i), "?");
	for (unsigned int i = 0; i <= HEALTH_REASON_DAMPED; i++)
		assert_string_not_equal(health_reason_name((enum health_reason)i), "?");
	assert_string_equal(health_state_name((enum health_state) - 1), "?");
	assert_string_equal(health_reason_name((enum health_reason)9), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(haproxy_starts_up_and_the_first_failure_drops_it),
	    cmocka_unit_test(haproxy_counts_rise_and_fall),
	    cmocka_unit_test(haproxy_init_states),
	    cmocka_unit_test(haproxy_drains_on_404_only_while_up),
	    cmocka_unit_test(haproxy_sudden_death_leaves_one_failure),
	    cmocka_unit_test(keepalived_retries_only_while_up),
	    cmocka_unit_test(keepalived_before_the_first_success_one_failure_is_enough),
	    cmocka_unit_test(keepalived_alpha_starts_down_and_its_first_failure_is_no_transition),
	    cmocka_unit_test(f5_goes_by_the_time_since_the_last_success),
	    cmocka_unit_test(f5_never_up_goes_down_after_the_timeout),
	    cmocka_unit_test(f5_a_reset_is_down_at_once),
	    cmocka_unit_test(f5_time_until_up_wants_no_failure_meanwhile),
	    cmocka_unit_test(f5_manual_resume_holds_until_the_operator),
	    cmocka_unit_test(envoy_decides_by_the_first_check_and_then_by_thresholds),
	    cmocka_unit_test(envoy_degraded_is_a_way_of_being_up),
	    cmocka_unit_test(neutral_changes_nothing),
	    cmocka_unit_test(status_counts_what_haproxy_shows),
	    cmocka_unit_test(rebase_forgives_a_pause),
	    cmocka_unit_test(set_is_an_operators_word),
	    cmocka_unit_test(a_third_fall_in_a_short_time_is_held_down),
	    cmocka_unit_test(damping_ends_at_its_most_and_by_an_operator),
	    cmocka_unit_test(a_damped_target_that_fails_begins_anew),
	    cmocka_unit_test(an_override_covers_what_goes_on_underneath),
	    cmocka_unit_test(properties_hold_for_verdicts_by_chance),
	    cmocka_unit_test(a_thaw_takes_nothing_for_granted),
	    cmocka_unit_test(options_are_checked),
	    cmocka_unit_test(names_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
