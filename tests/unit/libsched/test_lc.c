/* SPDX-License-Identifier: MIT */
#include "support.h"

static void lc_fills_evenly_newest_first(void **state)
{
	struct lb_group *g = GROUP("lc", 5, 1, 1);
	struct lb_picker *p = picker_of(g);

	assert_picks_that_stay(p, 6, "3 2 1 3 2 1");
	lb_done(p, 1, NULL);
	assert_picks_that_stay(p, 2, "1 3");
	lb_group_free(g);
}

/* 0/1 0/2 0/3, ties to the first: 3 (1/3), 2 (1/2), 1; then 2/3 of 3 against 2/2 and 2/1 … */
static void wlc_divides_by_the_weight(void **state)
{
	struct lb_group *g = GROUP("wlc", 3, 2, 1);
	struct lb_picker *p = picker_of(g);

	assert_picks_that_stay(p, 3, "3 2 1");
	assert_picks_that_stay(p, 3, "1 2 1");
	assert_int_equal(stats_of(g, 1).active, 3);
	assert_int_equal(stats_of(g, 2).active, 2);
	assert_int_equal(stats_of(g, 3).active, 1);
	lb_group_free(g);
}

static void a_weight_of_zero_is_never_chosen(void **state)
{
	struct lb_group *g = GROUP("wlc", 0, 1, 0);

	assert_picks_that_stay(picker_of(g), 3, "2 2 2");
	lb_group_free(g);
}

static struct lb_group *overhead_group(uint32_t mul)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = "lc", .overhead_mul = mul};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), 0);
	add(g, 1, 1);
	add(g, 2, 1);
	commit(g);
	return g;
}

/* One active connection against n inactive ones: n below the factor is less, the factor is a tie. */
static void inactive_connections_weigh_one_in_256_or_257(void **state)
{
	static const struct {
		uint32_t mul, inactive;
		uint64_t chosen;
	} c[] = {{0, 255, 1}, {0, 256, 2}, {256, 256, 2}, {257, 256, 1}, {257, 257, 2}};

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		struct lb_group *g = overhead_group(c[i].mul);
		struct lb_picker *p = picker_of(g);
		uint64_t id;

		lb_count(p, 2, LB_COUNTER_ACTIVE, 1);
		lb_count(p, 1, LB_COUNTER_INACTIVE, c[i].inactive);
		assert_int_equal(lb_pick(p, NULL, &id), 0);
		assert_int_equal(id, c[i].chosen);
		lb_group_free(g);
	}
}

static void an_inactive_connection_ends_as_such(void **state)
{
	struct lb_group *g = GROUP("wlc", 1);
	struct lb_picker *p = picker_of(g);
	struct lb_outcome o = {.size = sizeof(o), .inactive = 1};

	assert_picks_that_stay(p, 2, "1 1");
	lb_count(p, 1, LB_COUNTER_ACTIVE, -1);
	lb_count(p, 1, LB_COUNTER_INACTIVE, 1);
	assert_int_equal(lb_done(p, 1, &o), 0);
	assert_int_equal(stats_of(g, 1).active, 1);
	assert_int_equal(stats_of(g, 1).inactive, 0);
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lc_fills_evenly_newest_first),
	    cmocka_unit_test(wlc_divides_by_the_weight),
	    cmocka_unit_test(a_weight_of_zero_is_never_chosen),
	    cmocka_unit_test(inactive_connections_weigh_one_in_256_or_257),
	    cmocka_unit_test(an_inactive_connection_ends_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
