/* SPDX-License-Identifier: MIT */
/* Slow start and priority groups that open as servers fill up. */
#include "support.h"

#define SECOND UINT64_C(1000000000)

static struct lb_group *slow_group(const char *algo, uint64_t slow_start_ns)
{
	struct lb_group_opts o = {
	    .size = sizeof(o), .algo = algo, .slow_start_ns = slow_start_ns, .seed = 1};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), 0);
	return g;
}

static void tick(struct lb_group *g, uint64_t now_ns)
{
	assert_in_range(lb_group_tick(g, now_ns), 0, 1);
	commit(g);
}

/* Of 1000 requests, how many go to server 2, beside server 1 of the same weight? */
static size_t of_the_second(struct lb_group *g)
{
	struct lb_picker *p = picker_of(g);
	size_t n = tally_of(p, 1000).of[2];

	lb_picker_free(p);
	return n;
}

/* Two of weight 1; the second comes up at 100 s. */
static struct lb_group *second_comes_late(const char *algo)
{
	struct lb_group *g = slow_group(algo, 10 * SECOND);

	add(g, 1, 1);
	add(g, 2, 1);
	lb_server_set_up(g, 2, false);
	tick(g, 1 * SECOND);
	tick(g, 50 * SECOND);
	lb_server_set_up(g, 2, true);
	commit(g);
	return g;
}

static void of_two_choices_one_in_slow_start_has_its_small_share(void **state)
{
	static const char *const algos[] = {"p2c", "peak-ewma"};

	for (size_t i = 0; i < 2; i++) {
		struct lb_group *g = second_comes_late(algos[i]);
		size_t early, half;

		tick(g, 100 * SECOND);
		early = of_the_second(g);
		tick(g, 105 * SECOND);
		half = of_the_second(g);
		assert_in_range(early, 20, 150);
		assert_in_range(half, early + 50, 450);
		lb_group_free(g);
	}
}

static void a_share_grows_with_the_time_in_service(void **state)
{
	struct lb_group *g = second_comes_late("wrr");

	assert_int_equal(lb_group_deadline(g), 0);
	assert_in_range(of_the_second(g), 50, 70); /* 1 of 17 */
	tick(g, 100 * SECOND);
	assert_int_equal(lb_group_deadline(g), 100 * SECOND + SECOND / 2);
	assert_in_range(of_the_second(g), 50, 70);
	tick(g, 105 * SECOND);
	assert_in_range(of_the_second(g), 300, 340); /* half beside a whole */
	tick(g, 110 * SECOND);
	assert_in_range(of_the_second(g), 495, 505);
	assert_int_equal(lb_group_deadline(g), UINT64_MAX);
	assert_int_equal(lb_group_tick(g, 200 * SECOND), 0);
	lb_group_free(g);
}

static void an_enabled_server_starts_slowly_too(void **state)
{
	struct lb_group *g = second_comes_late("wrr");

	tick(g, 100 * SECOND);
	tick(g, 110 * SECOND);
	lb_server_set_state(g, 2, LB_STATE_DRAINING);
	tick(g, 120 * SECOND);
	lb_server_set_state(g, 2, LB_STATE_ENABLED);
	tick(g, 130 * SECOND);
	assert_in_range(of_the_second(g), 50, 70);
	lb_group_free(g);
}

static void a_clock_that_goes_back_is_not_followed(void **state)
{
	struct lb_group *g = second_comes_late("wrr");

	tick(g, 100 * SECOND);
	tick(g, 105 * SECOND);
	tick(g, 3 * SECOND);
	assert_in_range(of_the_second(g), 300, 340);
	lb_group_free(g);
}

static void weights_that_are_capacities_stay(void **state)
{
	struct lb_group *g = second_comes_late("ovf");
	struct lb_server_stats s = {.size = sizeof(s)};

	tick(g, 100 * SECOND);
	assert_int_equal(lb_group_deadline(g), UINT64_MAX);
	assert_picks_that_stay(picker_of(g), 5, "2 2 1 1 -EAGAIN");
	assert_int_equal(lb_server_stats(g, 2, &s), 0);
	assert_int_equal(s.weight, 1);
	lb_group_free(g);
}

static void the_greatest_weights_have_room_for_it(void **state)
{
	struct lb_group *g = slow_group("wrr", 10 * SECOND);

	add(g, 1, LB_WEIGHT_MAX);
	add(g, 2, LB_WEIGHT_MAX);
	tick(g, 1 * SECOND);
	tick(g, 20 * SECOND);
	assert_in_range(of_the_second(g), 500, 1000); /* wrr: the newest takes its burst first */
	lb_group_free(g);
}

static void a_priority_group_opens_when_those_before_are_full(void **state)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = "lc", .min_active = 2};
	struct lb_group *g;
	struct lb_picker *p;

	assert_int_equal(lb_group_new(&o, &g), 0);
	for (uint64_t id = 1; id <= 3; id++)
		add(g, id, 1);
	lb_server_set_maxconn(g, 1, 1);
	lb_server_set_maxconn(g, 2, 2);
	lb_server_set_priority(g, 3, 1);
	commit(g);
	p = picker_of(g);
	assert_picks_that_stay(p, 3, "2 1 2");
	assert_picks_that_stay(p, 1, "-EAGAIN");
	assert_int_equal(lb_group_tick(g, 1), 1);
	commit(g);
	assert_picks_that_stay(p, 2, "3 3");
	assert_int_equal(lb_group_tick(g, 2), 0);
	assert_int_equal(lb_done(p, 1, NULL), 0);
	assert_int_equal(lb_done(p, 2, NULL), 0);
	assert_int_equal(lb_group_tick(g, 3), 1); /* two have room again: closed */
	commit(g);
	assert_picks_that_stay(p, 3, "1 2 -EAGAIN");
	lb_group_free(g);
}

static void a_backup_waits_until_nobody_else_is_usable(void **state)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = "roundrobin"};
	struct lb_group *g;
	struct lb_picker *p;

	assert_int_equal(lb_group_new(&o, &g), 0);
	for (uint64_t id = 1; id <= 2; id++)
		add(g, id, 1);
	lb_server_set_maxconn(g, 1, 1);
	lb_server_set_priority(g, 2, 1);
	commit(g);
	p = picker_of(g);
	assert_picks_that_stay(p, 2, "1 -EAGAIN");
	assert_int_equal(lb_group_tick(g, 1), 0);
	lb_server_set_weight(g, 2, 2); /* another edit opens nothing either */
	commit(g);
	assert_picks_that_stay(p, 1, "-EAGAIN");
	lb_server_set_up(g, 1, false);
	commit(g);
	assert_picks_that_stay(p, 1, "2");
	lb_group_free(g);
}

static void null_is_refused(void **state)
{
	assert_int_equal(lb_group_tick(NULL, 1), -EINVAL);
	assert_int_equal(lb_group_deadline(NULL), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_share_grows_with_the_time_in_service),
	    cmocka_unit_test(of_two_choices_one_in_slow_start_has_its_small_share),
	    cmocka_unit_test(an_enabled_server_starts_slowly_too),
	    cmocka_unit_test(a_clock_that_goes_back_is_not_followed),
	    cmocka_unit_test(weights_that_are_capacities_stay),
	    cmocka_unit_test(the_greatest_weights_have_room_for_it),
	    cmocka_unit_test(a_priority_group_opens_when_those_before_are_full),
	    cmocka_unit_test(a_backup_waits_until_nobody_else_is_usable),
	    cmocka_unit_test(null_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
