/* SPDX-License-Identifier: MIT */
#include "support.h"

#define SECOND 1000000000u

static void round_robin_ignores_the_ratio(void **state)
{
	struct lb_group *g = GROUP("round-robin", 5, 1, 0, 3);

	assert_picks(picker_of(g), 7, "1 2 4 1 2 4 1");
	lb_group_free(g);
}

/* F5's example: 3:2:1:1 of 8 is what a ratio of 3, 2, 1, 1 and 1 means. */
static void ratios_are_kept_in_each_cycle(void **state)
{
	static const char *const algos[] = {"ratio-member", "ratio-node", "ratio-session",
					    "dynamic-ratio-member", "dynamic-ratio-node"};

	for (size_t a = 0; a < 5; a++) {
		struct lb_group *g = GROUP(algos[a], 3, 2, 1, 1, 1);
		struct tally t = tally_of(picker_of(g), 80);

		assert_int_equal(t.of[1], 30);
		assert_int_equal(t.of[2], 20);
		assert_int_equal(t.of[3], 10);
		assert_int_equal(t.of[5], 10);
		lb_group_free(g);
	}
}

static void least_connections_ignores_the_ratio_and_takes_turns(void **state)
{
	struct lb_group *g = GROUP("least-connections-member", 5, 1, 1);
	struct lb_picker *p = picker_of(g);

	lb_count(p, 1, LB_COUNTER_ACTIVE, 1);
	assert_picks_that_stay(p, 8, "2 3 1 2 3 1 2 3");
	lb_group_free(g);
}

static void the_ratio_divides_the_connections(void **state)
{
	struct lb_group *g = GROUP("ratio-least-connections-member", 3, 2, 1);
	struct lb_picker *p = picker_of(g);

	picks(p, 60, false);
	assert_int_equal(stats_of(g, 1).active, 30);
	assert_int_equal(stats_of(g, 2).active, 20);
	assert_int_equal(stats_of(g, 3).active, 10);
	lb_group_free(g);
}

static void weighted_fills_the_limits_alike(void **state)
{
	struct lb_group *g = GROUP("weighted-least-connections-member", 1, 1, 1);
	struct lb_picker *p = picker_of(g);

	lb_server_set_maxconn(g, 1, 100);
	lb_server_set_maxconn(g, 2, 50);
	lb_server_set_maxconn(g, 3, 10);
	commit(g);
	picks(p, 80, false);
	assert_int_equal(stats_of(g, 1).active, 50);
	assert_int_equal(stats_of(g, 2).active, 25);
	assert_int_equal(stats_of(g, 3).active, 5);
	picks(p, 80, false);
	assert_picks_that_stay(p, 1, "-EAGAIN");
	lb_group_free(g);
}

static void a_node_counts_what_it_does_elsewhere(void **state)
{
	static const char *const algos[] = {"least-connections-node",
					    "ratio-least-connections-node",
					    "weighted-least-connections-node", "fastest-node"};

	for (size_t a = 0; a < 4; a++) {
		struct lb_group *g = GROUP(algos[a], 1, 1);
		struct lb_picker *p = picker_of(g);

		lb_server_set_maxconn(g, 1, 1000);
		lb_server_set_maxconn(g, 2, 1000);
		commit(g);
		lb_count(p, 1, LB_COUNTER_ELSEWHERE, 3);
		assert_picks_that_stay(p, 3, "2 2 2");
		picks(p, 10, false);
		assert_int_equal(stats_of(g, 1).active, 5);
		assert_int_equal(stats_of(g, 2).active, 8);
		lb_group_free(g);
	}
}

static void what_is_elsewhere_is_no_connection_of_this_server(void **state)
{
	struct lb_group *g = GROUP("least-connections-member", 1, 1);
	struct lb_picker *p = picker_of(g);

	lb_count(p, 1, LB_COUNTER_ELSEWHERE, 3);
	assert_picks_that_stay(p, 2, "1 2");
	lb_group_free(g);
}

static void least_sessions_goes_by_the_records(void **state)
{
	struct lb_group *g = GROUP("least-sessions", 1, 1, 1);
	struct lb_picker *p = picker_of(g);

	lb_count(p, 1, LB_COUNTER_SESSIONS, 2);
	lb_count(p, 2, LB_COUNTER_SESSIONS, 1);
	assert_picks_that_stay(p, 2, "3 3");
	lb_count(p, 3, LB_COUNTER_SESSIONS, 4);
	assert_picks_that_stay(p, 2, "2 2");
	lb_group_free(g);
}

static struct tally at(struct lb_picker *p, uint64_t now_ns, size_t n)
{
	struct lb_request r = {.size = sizeof(r), .now_ns = now_ns, .flags = LB_REQUEST_UNCOUNTED};
	struct tally t = {{0}};

	for (size_t i = 0; i < n; i++) {
		uint64_t id;

		assert_int_equal(lb_pick(p, &r, &id), 0);
		t.of[id]++;
	}
	return t;
}

/* Rated 3 below the average and 2 above: 600 picks of 3 + 3 + 2 + 2. */
static void observed_rates_by_the_average(void **state)
{
	static const char *const algos[] = {"observed-member", "observed-node"};

	for (size_t a = 0; a < 2; a++) {
		struct lb_group *g = GROUP(algos[a], 1, 1, 1, 1);
		struct lb_picker *p = picker_of(g);
		enum lb_counter c = a ? LB_COUNTER_ELSEWHERE : LB_COUNTER_ACTIVE;
		struct tally t = at(p, 0, 400); /* no clock: not rated */

		assert_int_equal(t.of[1], 100);
		lb_count(p, 1, c, 9);
		lb_count(p, 2, c, 9);
		lb_count(p, 3, c, 1);
		t = at(p, SECOND, 600);
		assert_in_range(t.of[1], 119, 121);
		assert_in_range(t.of[3], 179, 181);
		assert_in_range(t.of[4], 179, 181);
		lb_count(p, 3, c, 90);
		t = at(p, SECOND + SECOND / 2, 600); /* not yet */
		assert_in_range(t.of[3], 179, 181);
		t = at(p, 2 * (uint64_t)SECOND, 900); /* 3, 3, 2 and 3 */
		assert_in_range(t.of[3], 900 * 2 / 11 - 3, 900 * 2 / 11 + 3);
		lb_group_free(g);
	}
}

/* A rising count lowers the rating by one each second, a falling one raises it: 1 to 4, 2 at first. */
static void predictive_rates_by_the_trend(void **state)
{
	static const char *const algos[] = {"predictive-member", "predictive-node"};

	for (size_t a = 0; a < 2; a++) {
		struct lb_group *g = GROUP(algos[a], 1, 1, 1);
		struct lb_picker *p = picker_of(g);
		enum lb_counter c = a ? LB_COUNTER_ELSEWHERE : LB_COUNTER_ACTIVE;
		struct tally t;

		lb_count(p, 2, c, 100);
		lb_server_set_weight(g, 3, 7); /* the ratio of the editor does not matter */
		commit(g);
		for (uint64_t s = 1; s <= 5; s++) {
			lb_count(p, 1, c, 1);
			lb_count(p, 2, c, -1);
			at(p, s * SECOND, 1);
		}
		t = at(p, 6 * (uint64_t)SECOND, 700); /* 1, 4 and 2 */
		assert_in_range(t.of[1], 98, 102);
		assert_in_range(t.of[2], 398, 402);
		assert_in_range(t.of[3], 198, 202);
		lb_group_free(g);
	}
}

/* Servers 1 to 3 alike, of which the last came up 30 seconds ago; a slow ramp of 60. */
static struct lb_group *half_ramped(const char *algo)
{
	struct lb_group_opts o = {
	    .size = sizeof(o), .algo = algo, .slow_start_ns = 60 * (uint64_t)SECOND};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), 0);
	for (uint64_t id = 1; id <= 3; id++)
		add(g, id, 5);
	lb_server_set_up(g, 3, false);
	commit(g);
	for (uint64_t s = 1; s <= 100; s += 99) {
		assert_true(lb_group_tick(g, s * SECOND) >= 0);
		commit(g);
	}
	lb_server_set_up(g, 3, true);
	commit(g);
	lb_group_tick(g, 1000 * (uint64_t)SECOND);
	commit(g);
	lb_group_tick(g, 1030 * (uint64_t)SECOND);
	commit(g);
	return g;
}

/* F5's example: 30 of 60 seconds in the ramp, half the connections of the others. */
static void a_ramp_inflates_the_count(void **state)
{
	static const char *const algos[] = {"least-connections-member", "least-connections-node",
					    "ratio-least-connections-member"};

	for (size_t a = 0; a < 3; a++) {
		struct lb_group *g = half_ramped(algos[a]);

		picks(picker_of(g), 500, false);
		assert_in_range(stats_of(g, 3).active, 96, 104);
		assert_in_range(stats_of(g, 1).active, 197, 203);
		lb_group_free(g);
	}
}

static void round_robin_passes_over_turns_in_a_ramp(void **state)
{
	struct lb_group *g = half_ramped("round-robin");
	struct lb_picker *p = picker_of(g);

	picks(p, 500, false);
	assert_in_range(stats_of(g, 3).active, 96, 104);
	assert_in_range(stats_of(g, 1).active, 197, 203);
	/* The turns missed count over commits, and who is alone in a ramp takes all. */
	for (uint64_t s = 1031; s < 1051; s++) {
		lb_group_tick(g, s * SECOND);
		commit(g);
		picks(p, 5, false);
	}
	assert_in_range(stats_of(g, 3).active, 117, 132);
	lb_server_set_up(g, 1, false);
	lb_server_set_up(g, 2, false);
	commit(g);
	assert_picks(p, 3, "3 3 3");
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_robin_ignores_the_ratio),
	    cmocka_unit_test(ratios_are_kept_in_each_cycle),
	    cmocka_unit_test(least_connections_ignores_the_ratio_and_takes_turns),
	    cmocka_unit_test(the_ratio_divides_the_connections),
	    cmocka_unit_test(weighted_fills_the_limits_alike),
	    cmocka_unit_test(a_node_counts_what_it_does_elsewhere),
	    cmocka_unit_test(what_is_elsewhere_is_no_connection_of_this_server),
	    cmocka_unit_test(least_sessions_goes_by_the_records),
	    cmocka_unit_test(observed_rates_by_the_average),
	    cmocka_unit_test(predictive_rates_by_the_trend),
	    cmocka_unit_test(a_ramp_inflates_the_count),
	    cmocka_unit_test(round_robin_passes_over_turns_in_a_ramp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
