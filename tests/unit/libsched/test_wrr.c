/* SPDX-License-Identifier: MIT */
#include "support.h"

/* As the kernel went through them: Linux 6.1, servers added one by one. */
static void the_first_cycle_starts_low(void **state)
{
	struct lb_group *g = GROUP("wrr", 4, 2, 2);

	assert_picks(picker_of(g), 9, "3 2 1 1 3 2 1 1 3");
	lb_group_free(g);
}

static void one_commit_of_all_starts_at_the_top(void **state)
{
	struct lb_group *g = group_new("wrr");
	struct lb_picker *p = picker_of(g);

	add(g, 1, 4);
	add(g, 2, 2);
	add(g, 3, 2);
	commit(g);
	assert_picks(p, 8, "1 3 2 1 1 3 2 1");
	lb_group_free(g);
}

static void a_picker_that_missed_the_edits_replays_them(void **state)
{
	struct lb_group *g = group_new("wrr");
	struct lb_picker *p = picker_of(g); /* there before the servers, and never moved */

	add(g, 1, 4);
	commit(g);
	add(g, 2, 2);
	commit(g);
	add(g, 3, 2);
	commit(g);
	assert_picks(p, 4, "3 2 1 1");
	lb_group_free(g);
}

static void heavy_servers_come_in_bursts(void **state)
{
	struct lb_group *g = GROUP("wrr", 100, 50, 10, 7);
	struct lb_picker *p = picker_of(g);
	size_t burst = 0, longest = 0;

	for (size_t i = 0; i < 2 * 167; i++) {
		uint64_t id;

		assert_int_equal(lb_pick(p, NULL, &id), 0);
		burst = id == 1 ? burst + 1 : 0;
		longest = longest < burst ? burst : longest;
	}
	assert_in_range(longest, 50,
			51); /* 50 alone above the weight of 50, and the end of a level */
	lb_group_free(g);
}

static void a_cycle_gives_each_its_weight_exactly(void **state)
{
	static const uint32_t weights[][4] = {{4, 2, 2, 6}, {100, 50, 10, 7}, {1, 1, 1, 1},
					      {7, 5, 3, 2}, {9, 6, 3, 12},    {65535, 1, 2, 0}};

	for (size_t k = 0; k < sizeof(weights) / sizeof(weights[0]); k++) {
		struct lb_group *g = group_of("wrr", weights[k], 4);
		struct lb_picker *p = picker_of(g);
		size_t total = 0;
		struct tally t;

		for (size_t i = 0; i < 4; i++)
			total += weights[k][i];
		tally_of(p, 3); /* wherever it starts */
		t = tally_of(p, total);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(t.of[i + 1], weights[k][i]);
		lb_group_free(g);
	}
}

/* The rule of an edit: head of the list, threshold to the new ladder. Worked out by hand from it. */
static void an_edit_puts_the_threshold_on_the_new_ladder(void **state)
{
	struct lb_group *g = GROUP("wrr", 1, 3);
	struct lb_picker *p = picker_of(g);

	assert_picks(p, 5, "2 1 2 2 2"); /* levels 1; 3, 2, 1 */
	lb_server_set_weight(g, 1, 5);
	commit(g); /* the level stays at 1: both, then from the top at 5 */
	assert_picks(p, 10, "2 1 1 1 2 1 2 1 2 1");
	lb_server_set_weight(g, 1, 1);
	lb_server_set_weight(g, 2, 2);
	commit(g);
	assert_picks(p, 3, "2 1 2");
	lb_group_free(g);
}

static void a_full_heavy_server_costs_no_search_of_its_levels(void **state)
{
	struct lb_group *g = group_new("wrr");
	struct lb_server_opts heavy = {
	    .size = sizeof(heavy), .id = 1, .weight = 65535, .maxconn = 1};
	struct lb_picker *p;

	assert_int_equal(lb_server_add(g, &heavy, NULL), 0);
	add(g, 2, 1);
	commit(g);
	p = picker_of(g);
	assert_picks_that_stay(p, 4, "1 2 2 2");
	assert_int_equal(lb_done(p, 1, NULL), 0);
	assert_picks_that_stay(p, 2, "1 2");
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_cycle_starts_low),
	    cmocka_unit_test(one_commit_of_all_starts_at_the_top),
	    cmocka_unit_test(a_picker_that_missed_the_edits_replays_them),
	    cmocka_unit_test(heavy_servers_come_in_bursts),
	    cmocka_unit_test(a_cycle_gives_each_its_weight_exactly),
	    cmocka_unit_test(an_edit_puts_the_threshold_on_the_new_ladder),
	    cmocka_unit_test(a_full_heavy_server_costs_no_search_of_its_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
