/* SPDX-License-Identifier: MIT */
#include "support.h"

static void goes_round_newest_first(void **state)
{
	struct lb_group *g = GROUP("rr", 1, 1, 1);

	assert_picks(picker_of(g), 7, "3 2 1 3 2 1 3");
	lb_group_free(g);
}

static void weights_count_only_as_zero_or_not(void **state)
{
	struct lb_group *g = GROUP("rr", 9, 0, 1, 5);

	assert_picks(picker_of(g), 6, "4 3 1 4 3 1");
	lb_group_free(g);
}

static void a_server_that_comes_does_not_move_the_cursor(void **state)
{
	struct lb_group *g = GROUP("rr", 1, 1, 1);
	struct lb_picker *p = picker_of(g);

	assert_picks(p, 2, "3 2");
	add(g, 4, 1);
	commit(g);
	assert_picks(p, 5, "1 4 3 2 1");
	lb_group_free(g);
}

static void when_the_cursor_leaves_its_successor_is_next(void **state)
{
	struct lb_group *g = GROUP("rr", 1, 1, 1, 1);
	struct lb_picker *p = picker_of(g);

	assert_picks(p, 2, "4 3");
	lb_server_remove(g, 3);
	commit(g);
	assert_picks(p, 4, "2 1 4 2");
	lb_server_remove(g, 4); /* the cursor is on 2, the first then */
	lb_server_remove(g, 2);
	commit(g);
	assert_picks(p, 2, "1 1");
	lb_group_free(g);
}

static void the_kth_picker_starts_k_picks_in(void **state)
{
	struct lb_group *g = GROUP("rr", 1, 1, 1);

	assert_picks(picker_of(g), 3, "3 2 1");
	assert_picks(picker_of(g), 3, "2 1 3");
	assert_picks(picker_of(g), 3, "1 3 2");
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(goes_round_newest_first),
	    cmocka_unit_test(weights_count_only_as_zero_or_not),
	    cmocka_unit_test(a_server_that_comes_does_not_move_the_cursor),
	    cmocka_unit_test(when_the_cursor_leaves_its_successor_is_next),
	    cmocka_unit_test(the_kth_picker_starts_k_picks_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
