/* SPDX-License-Identifier: MIT */
#include "support.h"

static void fo_gives_all_to_the_heaviest_and_fails_over(void **state)
{
	struct lb_group *g = GROUP("fo", 2, 5, 5, 1);
	struct lb_picker *p = picker_of(g);

	assert_picks_that_stay(p, 3, "3 3 3"); /* of equals the newer */
	lb_server_set_up(g, 3, false);
	commit(g);
	assert_picks_that_stay(p, 2, "2 2");
	lb_server_set_weight(g, 2, 0);
	commit(g);
	assert_picks_that_stay(p, 2, "1 1");
	lb_group_free(g);
}

static void ovf_flows_over_at_weight_plus_one(void **state)
{
	struct lb_group *g = GROUP("ovf", 2, 1);
	struct lb_picker *p = picker_of(g);

	assert_picks_that_stay(p, 6, "1 1 1 2 2 -EAGAIN");
	lb_done(p, 1, NULL);
	assert_picks_that_stay(p, 2, "1 -EAGAIN");
	lb_group_free(g);
}

static void a_full_server_is_passed_over(void **state)
{
	struct lb_group *g = GROUP("fo", 1, 9);
	struct lb_picker *p = picker_of(g);

	lb_server_set_maxconn(g, 2, 2);
	commit(g);
	assert_picks_that_stay(p, 4, "2 2 1 1");
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fo_gives_all_to_the_heaviest_and_fails_over),
	    cmocka_unit_test(ovf_flows_over_at_weight_plus_one),
	    cmocka_unit_test(a_full_server_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
