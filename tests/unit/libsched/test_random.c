/* SPDX-License-Identifier: MIT */
#include "support.h"

#define PICKS 10000

static struct lb_group *random_group(uint32_t draws, uint64_t seed)
{
	struct lb_group_opts o = {
	    .size = sizeof(o), .algo = "random", .seed = seed, .draws = draws};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), 0);
	for (uint32_t id = 1; id <= 4; id++)
		add(g, id, id);
	commit(g);
	return g;
}

/* The seed is fixed: five standard deviations around the tenths. */
static void one_draw_shares_by_weight(void **state)
{
	struct lb_group *g = random_group(1, 7);
	struct tally t = tally_of(picker_of(g), PICKS);

	for (uint32_t id = 1; id <= 4; id++)
		assert_in_range(t.of[id], PICKS * id / 10 - 245, PICKS * id / 10 + 245);
	lb_group_free(g);
}

static uint32_t busiest(uint32_t draws)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = "random", .seed = 3, .draws = draws};
	struct lb_picker *p;
	struct lb_group *g;
	uint32_t most = 0;

	assert_int_equal(lb_group_new(&o, &g), 0);
	for (uint64_t id = 1; id <= 100; id++)
		add(g, id, 1);
	commit(g);
	p = picker_of(g);
	for (int i = 0; i < 1000; i++)
		picks(p, 1, false);
	for (uint64_t id = 1; id <= 100; id++)
		if (most < stats_of(g, id).active)
			most = stats_of(g, id).active;
	lb_group_free(g);
	return most;
}

static void two_draws_avoid_the_busiest_and_two_is_the_default(void **state)
{
	assert_true(busiest(1) > 15);
	assert_in_range(busiest(2), 11, 13);
	assert_int_equal(busiest(0), busiest(2));
	assert_in_range(busiest(LB_DRAWS_MAX), 10, 11);
}

static void the_seed_decides(void **state)
{
	struct lb_group *g = random_group(2, 7), *h = random_group(2, 7), *i = random_group(2, 8);
	char one[256];

	snprintf(one, sizeof(one), "%s", picks(picker_of(g), 50, true));
	assert_picks(picker_of(h), 50, one);
	assert_string_not_equal(picks(picker_of(i), 50, true), one);
	lb_group_free(g);
	lb_group_free(h);
	lb_group_free(i);
}

static void too_many_draws_are_refused(void **state)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = "random", .draws = LB_DRAWS_MAX + 1};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), -EINVAL);
}

/* Of 1 and 2 the idle one is the better unless 1 is drawn twice; inactive connections count in twos. */
static void twos_weighs_inactive_connections_too(void **state)
{
	struct lb_group *twos = GROUP("twos", 1, 1), *random = GROUP("random", 1, 1);
	struct lb_picker *p = picker_of(twos), *q = picker_of(random);

	lb_count(p, 1, LB_COUNTER_INACTIVE, 100);
	lb_count(q, 1, LB_COUNTER_INACTIVE, 100);
	assert_in_range(tally_of(p, PICKS).of[1], PICKS * 9 / 100, PICKS * 13 / 100); /* 1/3 * 1/3 */
	assert_in_range(tally_of(q, PICKS).of[1], PICKS * 47 / 100, PICKS * 53 / 100);
	lb_group_free(twos);
	lb_group_free(random);
}

/*
 * What the kernel's twos does with two numbers it has drawn, step by step, over all of them: in how many of the
 * (sum + 1)^2 cases each server is chosen. The list begins with the server added last.
 */
#define TWOS 5
static const uint32_t twos_weight[TWOS + 1] = {0, 3, 0, 1, 4, 2}, twos_sum = 10;
static const uint32_t twos_active[TWOS + 1] = {0, 2, 0, 1, 2, 4};
static const uint32_t twos_inactive[TWOS + 1] = {0, 9, 0, 0, 300, 7};

static uint64_t walk(int64_t left)
{
	for (uint64_t id = TWOS; id >= 1; id--) {
		left -= twos_weight[id];
		if (twos_weight[id] && left <= 0)
			return id;
	}
	return 0;
}

static uint64_t twos_choice(uint32_t first, uint32_t second)
{
	uint64_t a = walk(first), b = walk(second);
	uint64_t load_a = twos_active[a] * 256 + twos_inactive[a];
	uint64_t load_b = twos_active[b] * 256 + twos_inactive[b];

	return twos_weight[b] * load_a > twos_weight[a] * load_b ? b : a;
}

static void twos_has_the_kernels_odds(void **state)
{
	struct lb_group *g = GROUP("twos", 3, 0, 1, 4, 2);
	struct lb_picker *p = picker_of(g);
	uint32_t cases[TWOS + 1] = {0}, n_cases = 0;
	struct tally t;

	for (uint32_t first = 0; first <= twos_sum; first++)
		for (uint32_t second = 0; second <= twos_sum; second++, n_cases++)
			cases[twos_choice(first, second)]++;
	for (uint64_t id = 1; id <= TWOS; id++) {
		lb_count(p, id, LB_COUNTER_ACTIVE, twos_active[id]);
		lb_count(p, id, LB_COUNTER_INACTIVE, twos_inactive[id]);
	}
	t = tally_of(p, 20 * PICKS);
	for (uint64_t id = 1; id <= TWOS; id++) {
		double odds = (double)cases[id] / n_cases, expected = odds * 20 * PICKS;
		double sigma2 = expected * (1 - odds), off = (double)t.of[id] - expected;

		assert_true(off * off <= 16 * sigma2); /* four standard deviations; the seed is fixed */
	}
	lb_group_free(g);
}

static void when_nearly_all_are_full_the_free_one_is_found(void **state)
{
	struct lb_group *g = group_new("random");
	struct lb_picker *p = picker_of(g);

	for (uint64_t id = 1; id <= 9; id++) {
		add(g, id, id == 5 ? 1 : 60000);
		if (id != 5) {
			lb_server_set_maxconn(g, id, 1);
		}
	}
	commit(g);
	for (uint64_t id = 1; id <= 9; id++)
		if (id != 5)
			lb_count(p, id, LB_COUNTER_ACTIVE, 1);
	assert_picks_that_stay(p, 3, "5 5 5");
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_draw_shares_by_weight),
	    cmocka_unit_test(two_draws_avoid_the_busiest_and_two_is_the_default),
	    cmocka_unit_test(the_seed_decides),
	    cmocka_unit_test(too_many_draws_are_refused),
	    cmocka_unit_test(twos_weighs_inactive_connections_too),
	    cmocka_unit_test(twos_has_the_kernels_odds),
	    cmocka_unit_test(when_nearly_all_are_full_the_free_one_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
