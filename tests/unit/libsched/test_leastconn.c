/* SPDX-License-Identifier: MIT */
#include "support.h"

static void idle_servers_take_turns(void **state)
{
	struct lb_group *g = GROUP("leastconn", 3, 2, 1); /* as HAProxy 2.6.12 did */

	(void)state;
	assert_picks(picker_of(g), 12, "1 2 3 1 2 3 1 2 3 1 2 3");
	lb_group_free(g);
}

/* Keys (n + 1) * 256 / weight: after one each 170 256 512; 1 has 256 with two and 341 with three. */
static void the_busy_fill_by_weight(void **state)
{
	struct lb_group *g = GROUP("leastconn", 3, 2, 1);
	struct lb_picker *p = picker_of(g);

	(void)state;
	assert_picks_that_stay(p, 4, "1 2 3 1");
	assert_picks_that_stay(p, 2, "2 1");
	for (int i = 0; i < 594; i++)
		picks(p, 1, false);
	assert_in_range(stats_of(g, 1).active, 299, 301);
	assert_in_range(stats_of(g, 2).active, 199, 201);
	assert_in_range(stats_of(g, 3).active, 99, 101);
	lb_group_free(g);
}

static void queued_requests_count_too(void **state)
{
	struct lb_group *g = GROUP("leastconn", 1, 1);
	struct lb_picker *p = picker_of(g);

	(void)state;
	assert_int_equal(lb_count(p, 1, LB_COUNTER_QUEUED, 3), 0);
	assert_picks_that_stay(p, 4, "2 2 2 1");
	assert_int_equal(lb_count(p, 1, LB_COUNTER_QUEUED, -3), 0);
	assert_picks_that_stay(p, 2, "1 1");
	lb_group_free(g);
}

static void weights_above_haproxys_still_differ(void **state)
{
	struct lb_group *g = GROUP("leastconn", 60000, 30000);
	struct lb_picker *p = picker_of(g);

	(void)state;
	for (int i = 0; i < 300; i++)
		picks(p, 1, false);
	assert_in_range(stats_of(g, 1).active, 199, 201);
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(idle_servers_take_turns),
	    cmocka_unit_test(the_busy_fill_by_weight),
	    cmocka_unit_test(queued_requests_count_too),
	    cmocka_unit_test(weights_above_haproxys_still_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
