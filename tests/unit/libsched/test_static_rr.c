/* SPDX-License-Identifier: MIT */
#include "support.h"

static void heavy_ones_are_spread_as_haproxy_does(void **state)
{
	struct lb_group *g = GROUP("static-rr", 3, 2, 1);

	assert_picks(picker_of(g), 12, "1 1 2 1 2 3 1 1 2 1 2 3"); /* as HAProxy 2.6.12 did */
	lb_group_free(g);
}

static void common_divisors_do_not_matter(void **state)
{
	struct lb_group *g = GROUP("static-rr", 3000, 2000, 1000);

	assert_picks(picker_of(g), 6, "1 1 2 1 2 3");
	lb_group_free(g);
}

static void who_may_not_be_chosen_is_passed_over(void **state)
{
	struct lb_group *g = GROUP("static-rr", 1, 0, 1, 1);
	struct lb_picker *p = picker_of(g);

	lb_server_set_up(g, 3, false);
	lb_server_set_maxconn(g, 1, 1);
	commit(g);
	assert_picks_that_stay(p, 4, "1 4 4 4");
	lb_group_free(g);
}

/* Weights that share no divisor and sum up to more than the map holds. */
static void a_map_too_great_is_scaled_down(void **state)
{
	struct lb_group *g = group_new("static-rr");
	struct lb_picker *p;

	for (uint64_t id = 1; id <= 8; id++)
		add(g, id, id <= 7 ? 65535 - (uint32_t)id : 1);
	commit(g);
	p = picker_of(g);
	assert_in_range(tally_of(p, 7000).of[7], 990, 1010);
	lb_group_free(g);
}

static void an_edit_goes_on_at_the_same_entry(void **state)
{
	struct lb_group *g = GROUP("static-rr", 1, 1, 1);
	struct lb_picker *p = picker_of(g);

	assert_picks(p, 2, "1 2");
	add(g, 4, 1);
	commit(g);
	assert_picks(p, 3, "3 4 1");
	lb_group_free(g);
}

/* The rule itself, step by step: everyone gains his weight, the first with the most whole turns pays one. */
static void the_map_is_that_of_the_rule(void **state)
{
	uint32_t x = 1;

	for (int run = 0; run < 60; run++) {
		uint32_t weight[30], n = 1 + draw(&x, 30);
		int64_t score[30] = {0}, total = 0;
		struct lb_group *g = group_new("static-rr");
		struct lb_picker *p;

		for (uint32_t i = 0; i < n; i++) {
			/* the first without a divisor, the others now and then alike, or 0 */
			weight[i] = i ? draw(&x, run % 2 ? 9 : 250) : 1;
			total += weight[i];
			add(g, i + 1, weight[i]);
		}
		commit(g);
		p = picker_of(g);
		for (int64_t k = 0; k < total; k++) {
			int64_t most = 0;
			uint32_t best = 0;
			uint64_t id;

			for (uint32_t i = 0; i < n; i++) {
				score[i] += weight[i];
				if (weight[i] && (score[i] + total) / total > most) {
					most = (score[i] + total) / total;
					best = i;
				}
			}
			score[best] -= total;
			assert_int_equal(lb_pick(p, NULL, &id), 0);
			assert_int_equal(id, best + 1);
		}
		lb_group_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(heavy_ones_are_spread_as_haproxy_does),
	    cmocka_unit_test(common_divisors_do_not_matter),
	    cmocka_unit_test(who_may_not_be_chosen_is_passed_over),
	    cmocka_unit_test(a_map_too_great_is_scaled_down),
	    cmocka_unit_test(the_map_is_that_of_the_rule),
	    cmocka_unit_test(an_edit_goes_on_at_the_same_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
