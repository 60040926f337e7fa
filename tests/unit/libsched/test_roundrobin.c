/* SPDX-License-Identifier: MIT */
#include "support.h"

/* What HAProxy 2.6.12 did with one thread and these weights. */
static void the_order_is_haproxys(void **state)
{
	static const struct {
		uint32_t weight[5];
		size_t n;
		const char *order;
	} seen[] = {
	    {{1, 1, 1}, 3, "1 2 3 1 2 3 1 2"},
	    {{3, 2, 1}, 3, "1 2 1 3 1 2 1 2 1 3 1 2 1 2"},
	    {{5, 1, 1}, 3, "1 1 1 2 1 1 3 1 1 1 2 1 1 3"},
	    {{4, 2, 2}, 3, "1 2 1 3 1 2 1 3 1 2 1 3"},
	    {{1, 2, 3}, 3, "3 2 3 1 3 2 3 2 3 1 3 2 3"},
	    {{7, 5, 3, 2}, 4, "1 2 1 3 2 1 4 1 2 3 1 2 1 1 3 2 4 1 2 1 3 2 1 4 1 2 3"},
	    {{100, 50, 10, 7},
	     4,
	     "1 1 2 1 3 1 2 1 1 2 1 1 2 1 4 1 2 1 1 2 1 3 1 2 1 1 2 1 1 2 1 1 2 1 1 2 1 3 4 1 2"},
	    {{13, 1, 9, 4, 4}, 5, "1 3 1 4 3 1 5 1 3 1 4 3 1 5 1 3 1 2 3 4 1 1 3 5 1 3 1 4 1 3 5"},
	    {{256, 1, 100}, 3, "1 1 1 3 1 1 3 1 1 1 3 1 1 3 1 1 1 3 1 1 1 3"},
	};

	for (size_t k = 0; k < sizeof(seen) / sizeof(seen[0]); k++) {
		struct lb_group *g = group_of("roundrobin", seen[k].weight, seen[k].n);
		size_t picks_seen = 1;

		for (const char *c = seen[k].order; *c; c++)
			picks_seen += *c == ' ';
		assert_picks(picker_of(g), picks_seen, seen[k].order);
		lb_group_free(g);
	}
}

static void a_window_gives_each_its_weight_exactly(void **state)
{
	static const uint32_t weights[][4] = {{4, 2, 2, 6}, {100, 50, 10, 7}, {256, 1, 0, 99}};

	for (size_t k = 0; k < sizeof(weights) / sizeof(weights[0]); k++) {
		struct lb_group *g = group_of("roundrobin", weights[k], 4);
		struct lb_picker *p = picker_of(g);
		size_t total = 0;

		for (size_t i = 0; i < 4; i++)
			total += weights[k][i];
		for (size_t window = 0; window < 3; window++) {
			struct tally t = tally_of(p, total * 16);

			for (size_t i = 0; i < 4; i++)
				assert_int_equal(t.of[i + 1], weights[k][i] * 16);
		}
		lb_group_free(g);
	}
}

static void edits_before_the_first_pick_leave_no_trace(void **state)
{
	struct lb_group *g = group_new("roundrobin"), *h = GROUP("roundrobin", 5, 1, 1);
	struct lb_picker *early = picker_of(g);
	char expected[512];

	for (uint64_t id = 1; id <= 3; id++) {
		add(g, id, id == 1 ? 5 : 1);
		commit(g);
		lb_picker_refresh(early);
	}
	snprintf(expected, sizeof(expected), "%s", picks(picker_of(h), 150, true));
	assert_picks(early, 150, expected);
	lb_group_free(g);
	lb_group_free(h);
}

static void an_unrelated_edit_keeps_the_rotation(void **state)
{
	struct lb_group *g = GROUP("roundrobin", 3, 2, 1);
	struct lb_picker *p = picker_of(g);

	assert_picks(p, 3, "1 2 1");
	for (uint32_t i = 1; i < 40; i++) { /* the order of 3,2,1 goes on under commits */
		static const char *const next[] = {"3", "1", "2", "1", "2", "1"};

		lb_server_set_maxconn(g, 1, 1000 + i);
		commit(g);
		assert_picks(p, 1, next[(i - 1) % 6]);
	}
	lb_group_free(g);
}

static void who_comes_back_is_served_within_a_round(void **state)
{
	struct lb_group *g = GROUP("roundrobin", 10, 10, 10);
	struct lb_picker *p = picker_of(g);
	struct tally t;

	tally_of(p, 100);
	lb_server_set_up(g, 3, false);
	commit(g);
	t = tally_of(p, 100);
	assert_int_equal(t.of[3], 0);
	assert_in_range(t.of[1], 49, 51);
	lb_server_set_up(g, 3, true);
	commit(g);
	t = tally_of(p, 6);
	assert_in_range(t.of[3], 1, 2);
	t = tally_of(p, 30 * 16 * 2);
	assert_in_range(t.of[3], 310, 330);
	lb_group_free(g);
}

static void a_weight_that_grows_counts_at_once(void **state)
{
	struct lb_group *g = GROUP("roundrobin", 100, 1);
	struct lb_picker *p = picker_of(g);
	struct tally t;

	tally_of(p, 150);
	lb_server_set_weight(g, 2, 100);
	commit(g);
	t = tally_of(p, 20);
	assert_in_range(t.of[2], 9, 11);
	lb_group_free(g);
}

static void a_full_server_is_passed_over_and_comes_back(void **state)
{
	struct lb_group *g = group_new("roundrobin");
	struct lb_server_opts s = {.size = sizeof(s), .id = 1, .weight = 2, .maxconn = 1};
	struct lb_picker *p;

	lb_server_add(g, &s, NULL);
	add(g, 2, 1);
	commit(g);
	p = picker_of(g);
	assert_picks_that_stay(p, 5, "1 2 2 2 2");
	lb_done(p, 1, NULL);
	assert_true(strstr(picks(p, 3, true), "1"));
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_order_is_haproxys),
	    cmocka_unit_test(a_window_gives_each_its_weight_exactly),
	    cmocka_unit_test(edits_before_the_first_pick_leave_no_trace),
	    cmocka_unit_test(an_unrelated_edit_keeps_the_rotation),
	    cmocka_unit_test(who_comes_back_is_served_within_a_round),
	    cmocka_unit_test(a_weight_that_grows_counts_at_once),
	    cmocka_unit_test(a_full_server_is_passed_over_and_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
