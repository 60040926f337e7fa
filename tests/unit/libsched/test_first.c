/* SPDX-License-Identifier: MIT */
#include "support.h"

static void the_first_with_room_takes_all(void **state)
{
	struct lb_group *g = GROUP("first", 1, 9, 1);
	struct lb_picker *p = picker_of(g);

	lb_server_set_maxconn(g, 1, 2);
	lb_server_set_maxconn(g, 2, 1);
	commit(g);
	assert_picks_that_stay(p, 5, "1 1 2 3 3");
	lb_done(p, 1, NULL);
	assert_picks_that_stay(p, 2, "1 3");
	lb_group_free(g);
}

static void who_has_a_queue_is_not_given_more(void **state)
{
	struct lb_group *g = GROUP("first", 1, 1);
	struct lb_picker *p = picker_of(g);

	lb_server_set_maxconn(g, 1, 2);
	commit(g);
	lb_count(p, 1, LB_COUNTER_QUEUED, 1);
	assert_picks(p, 1, "2");
	lb_count(p, 1, LB_COUNTER_QUEUED, -1);
	assert_picks(p, 1, "1");
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_with_room_takes_all),
	    cmocka_unit_test(who_has_a_queue_is_not_given_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
