/* SPDX-License-Identifier: MIT */
/* The editor: ids, settings, staging, counters over edits, the rules of sized structs. */
#include "support.h"

static struct lb_group_stats group_stats(const struct lb_group *g)
{
	struct lb_group_stats s = {.size = sizeof(s)};

	assert_int_equal(lb_group_stats(g, &s), 0);
	return s;
}

static void an_unknown_algorithm_is_enoent(void **state)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = "fastest"};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), -ENOENT);
}

static void every_named_algorithm_exists_and_picks(void **state)
{
	size_t n = 0;

	for (; lb_algo_name(n); n++) {
		struct lb_group *g = GROUP(lb_algo_name(n), 2, 1);

		assert_string_equal(group_stats(g).algo, lb_algo_name(n));
		tally_of(picker_of(g), 9);
		lb_group_free(g);
	}
	assert_in_range(n, 6, 100);
}

static void the_default_algorithm_is_roundrobin(void **state)
{
	struct lb_group_opts o = {.size = sizeof(o)};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), 0);
	assert_string_equal(group_stats(g).algo, "roundrobin");
	lb_group_free(g);
}

static void what_is_staged_shows_after_the_commit(void **state)
{
	struct lb_group *g = group_new("rr");
	struct lb_picker *p = picker_of(g);

	add(g, 1, 1);
	assert_int_equal(group_stats(g).staged, 1);
	assert_int_equal(group_stats(g).servers, 0);
	assert_picks(p, 1, "-ENOSR");
	commit(g);
	assert_int_equal(group_stats(g).staged, 0);
	assert_int_equal(group_stats(g).servers, 1);
	assert_picks(p, 1, "1");
	lb_group_free(g);
}

static void nothing_staged_is_nothing_published(void **state)
{
	struct lb_group *g = GROUP("rr", 1);
	uint64_t generation = group_stats(g).generation;

	lb_server_set_weight(g, 1, 1); /* as it is */
	commit(g);
	assert_int_equal(group_stats(g).generation, generation);
	lb_server_set_weight(g, 1, 2);
	commit(g);
	assert_int_equal(group_stats(g).generation, generation + 1);
	lb_group_free(g);
}

static void the_library_chooses_ids_that_are_free(void **state)
{
	struct lb_group *g = group_new("rr");
	uint64_t id, other;

	add(g, 2, 1);
	assert_int_equal(lb_server_add(g, NULL, &id), 0);
	assert_int_equal(lb_server_add(g, NULL, &other), 0);
	assert_int_equal(id, 1);
	assert_int_equal(other, 3);
	lb_group_free(g);
}

static void ids_are_listed_in_the_order_of_adding(void **state)
{
	struct lb_group *g = group_new("rr");
	uint64_t id[3] = {0};

	add(g, 7, 1);
	add(g, 5, 1);
	add(g, 9, 1);
	lb_server_remove(g, 5);
	assert_int_equal(lb_group_servers(g, id, 1), 2);
	assert_int_equal(id[0], 7);
	assert_int_equal(id[1], 0);
	assert_int_equal(lb_group_servers(g, id, 3), 2);
	assert_int_equal(id[1], 9);
	assert_int_equal(lb_group_servers(g, NULL, 0), 2);
	assert_int_equal(lb_group_servers(g, NULL, 1), -EINVAL);
	lb_group_free(g);
}

static void values_out_of_range_are_einval(void **state)
{
	struct lb_group *g = GROUP("rr", 1);
	struct lb_server_opts s = {.size = sizeof(s), .weight = LB_WEIGHT_MAX + 1};
	struct lb_group_opts o = {.size = sizeof(o), .overhead_mul = 1025};

	assert_int_equal(lb_server_add(g, &s, NULL), -EINVAL);
	s = (struct lb_server_opts){.size = sizeof(s), .priority = LB_PRIORITY_MAX + 1};
	assert_int_equal(lb_server_add(g, &s, NULL), -EINVAL);
	s = (struct lb_server_opts){.size = sizeof(s), .state = 4};
	assert_int_equal(lb_server_add(g, &s, NULL), -EINVAL);
	assert_int_equal(lb_server_set_weight(g, 1, LB_WEIGHT_MAX + 1), -EINVAL);
	assert_int_equal(lb_server_set_priority(g, 1, LB_PRIORITY_MAX + 1), -EINVAL);
	assert_int_equal(lb_server_set_state(g, 1, (enum lb_state)4), -EINVAL);
	assert_int_equal(lb_group_configure(g, &o), -EINVAL);
	o = (struct lb_group_opts){.size = sizeof(o), .flags = LB_GROUP_OVERLOAD << 1};
	assert_int_equal(lb_group_configure(g, &o), -EINVAL);
	assert_int_equal(group_stats(g).staged, 0);
	lb_group_free(g);
}

static void null_is_einval_and_freeing_it_is_fine(void **state)
{
	struct lb_group *g = group_new("rr");
	struct lb_group_opts o = {.size = sizeof(o)};

	assert_int_equal(lb_group_new(NULL, &g), -EINVAL);
	assert_int_equal(lb_group_new(&o, NULL), -EINVAL);
	assert_int_equal(lb_group_commit(NULL), -EINVAL);
	assert_int_equal(lb_server_add(NULL, NULL, NULL), -EINVAL);
	assert_int_equal(lb_server_set_up(NULL, 1, true), -EINVAL);
	assert_int_equal(lb_server_remove(NULL, 1), -EINVAL);
	assert_int_equal(lb_group_stats(g, NULL), -EINVAL);
	assert_int_equal(lb_picker_new(NULL, NULL), -EINVAL);
	lb_group_free(NULL);
	lb_picker_free(NULL);
	lb_group_free(g);
}

static void who_is_no_member_is_enoent(void **state)
{
	struct lb_group *g = GROUP("rr", 1);
	struct lb_server_stats s = {.size = sizeof(s)};

	assert_int_equal(lb_server_set_weight(g, 2, 1), -ENOENT);
	assert_int_equal(lb_server_set_up(g, 2, false), -ENOENT);
	assert_int_equal(lb_server_remove(g, 2), -ENOENT);
	assert_int_equal(lb_server_stats(g, 2, &s), -ENOENT);
	lb_group_free(g);
}

static void an_id_is_taken_once(void **state)
{
	struct lb_group *g = GROUP("rr", 1);
	struct lb_server_opts s = {.size = sizeof(s), .id = 1};

	assert_int_equal(lb_server_add(g, &s, NULL), -EEXIST);
	lb_group_free(g);
}

static void a_shorter_struct_means_defaults_and_an_unknown_tail_is_e2big(void **state)
{
	struct {
		struct lb_server_opts o;
		uint64_t beyond;
	} s = {.o = {.size = sizeof(s), .id = 1, .weight = 7}};
	struct lb_group *g = group_new("rr");

	assert_int_equal(lb_server_add(g, &s.o, NULL), 0); /* zero beyond: fine */
	s.o.id = 2;
	s.beyond = 1;
	assert_int_equal(lb_server_add(g, &s.o, NULL), -E2BIG);
	s.o.size = offsetof(struct lb_server_opts, weight);
	assert_int_equal(lb_server_add(g, &s.o, NULL), 0);
	assert_int_equal(stats_of(g, 1).weight, 7);
	assert_int_equal(stats_of(g, 2).weight, 1);
	s.o.size = sizeof(s.o.size) - 1;
	assert_int_equal(lb_server_add(g, &s.o, NULL), -EINVAL);
	lb_group_free(g);
}

static void counters_survive_edits_and_another_algorithm(void **state)
{
	struct lb_group *g = GROUP("rr", 1, 1);
	struct lb_picker *p = picker_of(g);
	struct lb_group_opts o = {.size = sizeof(o), .algo = "leastconn"};

	assert_picks_that_stay(p, 3, "2 1 2");
	lb_server_set_weight(g, 2, 5);
	add(g, 3, 1);
	commit(g);
	assert_int_equal(stats_of(g, 2).active, 2);
	assert_int_equal(stats_of(g, 2).picks, 2);
	assert_int_equal(lb_group_configure(g, &o), 0);
	lb_server_set_weight(g, 2, 1);
	commit(g);
	assert_string_equal(group_stats(g).algo, "leastconn");
	assert_picks_that_stay(p, 3, "3 1 3");
	lb_group_free(g);
}

static void the_same_options_again_keep_the_rotation(void **state)
{
	struct lb_group *g = GROUP("rr", 1, 1, 1);
	struct lb_picker *p = picker_of(g);
	struct lb_group_opts o = {
	    .size = sizeof(o), .algo = "rr", .seed = 1, .flags = LB_GROUP_FALLBACK};

	assert_picks(p, 1, "3");
	assert_int_equal(lb_group_configure(g, &o), 0);
	assert_int_equal(group_stats(g).staged, 0);
	assert_picks(p, 1, "2");
	o.seed = 2;
	assert_int_equal(lb_group_configure(g, &o), 0);
	commit(g);
	assert_picks(p, 1, "3");
	lb_group_free(g);
}

static void a_removed_server_is_known_until_its_last_connection_is_done(void **state)
{
	struct lb_group *g = GROUP("rr", 1, 1);
	struct lb_picker *p = picker_of(g);
	struct lb_server_stats s = {.size = sizeof(s)};

	assert_picks_that_stay(p, 2, "2 1");
	lb_server_remove(g, 1);
	commit(g);
	assert_picks_that_stay(p, 1, "2");
	assert_int_equal(group_stats(g).removed, 1);
	assert_int_equal(stats_of(g, 1).removed, 1);
	assert_int_equal(stats_of(g, 1).active, 1);
	assert_int_equal(lb_group_reclaim(g), 0);
	assert_int_equal(stats_of(g, 1).active, 1);
	assert_int_equal(lb_done(p, 1, NULL), 0);
	assert_int_equal(lb_group_reclaim(g), 0);
	assert_int_equal(group_stats(g).removed, 0);
	assert_int_equal(lb_server_stats(g, 1, &s), -ENOENT);
	lb_server_set_weight(g, 2, 2);
	commit(g);
	assert_int_equal(lb_done(p, 1, NULL), -ENOENT);
	lb_group_free(g);
}

static void a_removed_server_comes_back_with_its_counters(void **state)
{
	struct lb_group *g = GROUP("rr", 1, 1);
	struct lb_picker *p = picker_of(g);

	assert_picks_that_stay(p, 2, "2 1");
	lb_server_remove(g, 1);
	commit(g);
	add(g, 1, 3);
	commit(g);
	assert_int_equal(stats_of(g, 1).active, 1);
	assert_int_equal(stats_of(g, 1).weight, 3);
	assert_int_equal(stats_of(g, 1).removed, 0);
	assert_int_equal(lb_done(p, 1, NULL), 0);
	assert_int_equal(stats_of(g, 1).active, 0);
	lb_group_free(g);
}

static void a_server_another_picker_may_still_choose_is_not_forgotten(void **state)
{
	struct lb_group *g = GROUP("rr", 1);
	struct lb_picker *p = picker_of(g);

	lb_server_remove(g, 1);
	commit(g); /* p has not moved yet: it could be in the middle of choosing 1 */
	assert_int_equal(lb_group_reclaim(g), 1);
	assert_int_equal(group_stats(g).removed, 1);
	lb_picker_refresh(p);
	assert_int_equal(lb_group_reclaim(g), 0);
	assert_int_equal(group_stats(g).removed, 0);
	lb_group_free(g);
}

static void an_idle_picker_keeps_only_the_servers_it_knows(void **state)
{
	struct lb_group *g = GROUP("rr", 1, 1);

	picker_of(g); /* never picks again */
	for (uint64_t id = 10; id < 1000; id++) {
		add(g, id, 1);
		commit(g);
		lb_server_remove(g, id);
		commit(g);
		assert_int_equal(group_stats(g).removed, 0);
	}
	lb_server_remove(g, 1);
	commit(g);
	assert_int_equal(group_stats(g).removed, 1);
	lb_group_free(g);
}

static void removing_what_was_never_published_leaves_nothing(void **state)
{
	struct lb_group *g = group_new("rr");

	add(g, 1, 1);
	assert_int_equal(lb_server_remove(g, 1), 0);
	assert_int_equal(lb_group_servers(g, NULL, 0), 0);
	add(g, 1, 1);
	commit(g);
	assert_int_equal(group_stats(g).servers, 1);
	lb_group_free(g);
}

static void snapshots_live_while_held_one_for_each_idle_picker(void **state)
{
	struct lb_group *g = GROUP("rr", 1);
	struct lb_picker *idle = picker_of(g), *busy = picker_of(g);

	for (uint32_t i = 2; i < 50; i++) {
		lb_server_set_weight(g, 1, i);
		commit(g);
		assert_picks(busy, 1, "1");
		assert_in_range(group_stats(g).snapshots, 1, 3);
	}
	assert_int_equal(lb_group_reclaim(g), 1);
	assert_picks(idle, 1, "1");
	assert_int_equal(lb_group_reclaim(g), 0);
	lb_server_set_weight(g, 1, 1);
	commit(g);
	assert_int_equal(lb_group_reclaim(g), 1); /* both pickers stand on the same one */
	lb_picker_offline(idle);
	lb_picker_offline(busy);
	assert_int_equal(lb_group_reclaim(g), 0);
	assert_picks(idle, 1, "1");
	lb_picker_free(busy);
	assert_int_equal(group_stats(g).pickers, 1);
	lb_group_free(g);
}

static void pickers_and_servers_have_a_limit(void **state)
{
	struct lb_group *g = GROUP("rr", 1);
	struct lb_picker *p[LB_PICKERS_MAX + 1];

	for (size_t i = 0; i < LB_PICKERS_MAX; i++)
		p[i] = picker_of(g);
	assert_int_equal(lb_picker_new(g, &p[LB_PICKERS_MAX]), -ENOSPC);
	lb_picker_free(p[7]);
	assert_int_equal(lb_picker_new(g, &p[7]), 0);
	for (size_t i = 1; i < LB_SERVERS_MAX; i++)
		assert_int_equal(lb_server_add(g, NULL, NULL), 0);
	assert_int_equal(lb_server_add(g, NULL, NULL), -ENOSPC);
	lb_group_free(g);
}

static void outcomes_are_counted_by_result(void **state)
{
	struct lb_group *g = GROUP("rr", 1);
	struct lb_picker *p = picker_of(g);
	struct lb_outcome o = {.size = sizeof(o), .latency_ns = 5, .bytes = 10};

	assert_picks_that_stay(p, 4, "1 1 1 1");
	for (o.result = 0; o.result < 4; o.result++)
		assert_int_equal(lb_done(p, 1, &o), 0);
	assert_int_equal(lb_done(p, 1, &o), -EINVAL);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(stats_of(g, 1).done[i], 1);
	assert_int_equal(stats_of(g, 1).bytes, 40);
	assert_int_equal(stats_of(g, 1).latency_sum_ns, 20);
	assert_int_equal(stats_of(g, 1).active, 0);
	lb_group_free(g);
}

static void counters_stay_within_their_range(void **state)
{
	struct lb_group *g = GROUP("rr", 1);
	struct lb_picker *p = picker_of(g);

	assert_int_equal(lb_done(p, 1, NULL), 0); /* one done too many */
	assert_int_equal(stats_of(g, 1).active, 0);
	lb_count(p, 1, LB_COUNTER_QUEUED, INT64_MAX);
	assert_int_equal(stats_of(g, 1).queued, UINT32_MAX);
	lb_count(p, 1, LB_COUNTER_QUEUED, -1);
	assert_int_equal(stats_of(g, 1).queued, UINT32_MAX - 1);
	lb_count(p, 1, LB_COUNTER_QUEUED, INT64_MIN);
	assert_int_equal(stats_of(g, 1).queued, 0);
	assert_int_equal(lb_count(p, 1, (enum lb_counter)5, 1), -EINVAL);
	assert_int_equal(lb_count(p, 2, LB_COUNTER_QUEUED, 1), -ENOENT);
	lb_group_free(g);
}

static void a_priority_group_opens_when_those_before_are_too_few(void **state)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = "roundrobin", .min_active = 2};
	struct lb_group *g;
	struct lb_picker *p;

	assert_int_equal(lb_group_new(&o, &g), 0);
	for (uint64_t id = 1; id <= 4; id++)
		add(g, id, 1);
	lb_server_set_priority(g, 3, 1);
	lb_server_set_priority(g, 4, 2);
	commit(g);
	p = picker_of(g);
	assert_picks(p, 4, "1 2 1 2");
	lb_server_set_up(g, 2, false);
	commit(g);
	assert_int_equal(tally_of(p, 10).of[3], 5);
	lb_server_set_up(g, 1, false);
	commit(g);
	assert_int_equal(tally_of(p, 10).of[4], 5);
	lb_server_set_up(g, 3, false);
	commit(g);
	assert_picks(p, 2, "4 4");
	lb_server_set_up(g, 1, true);
	lb_server_set_up(g, 2, true);
	commit(g);
	assert_int_equal(tally_of(p, 10).of[4], 0);
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_unknown_algorithm_is_enoent),
	    cmocka_unit_test(every_named_algorithm_exists_and_picks),
	    cmocka_unit_test(the_default_algorithm_is_roundrobin),
	    cmocka_unit_test(what_is_staged_shows_after_the_commit),
	    cmocka_unit_test(nothing_staged_is_nothing_published),
	    cmocka_unit_test(the_library_chooses_ids_that_are_free),
	    cmocka_unit_test(ids_are_listed_in_the_order_of_adding),
	    cmocka_unit_test(values_out_of_range_are_einval),
	    cmocka_unit_test(null_is_einval_and_freeing_it_is_fine),
	    cmocka_unit_test(who_is_no_member_is_enoent),
	    cmocka_unit_test(an_id_is_taken_once),
	    cmocka_unit_test(a_shorter_struct_means_defaults_and_an_unknown_tail_is_e2big),
	    cmocka_unit_test(counters_survive_edits_and_another_algorithm),
	    cmocka_unit_test(the_same_options_again_keep_the_rotation),
	    cmocka_unit_test(a_removed_server_is_known_until_its_last_connection_is_done),
	    cmocka_unit_test(a_removed_server_comes_back_with_its_counters),
	    cmocka_unit_test(a_server_another_picker_may_still_choose_is_not_forgotten),
	    cmocka_unit_test(an_idle_picker_keeps_only_the_servers_it_knows),
	    cmocka_unit_test(removing_what_was_never_published_leaves_nothing),
	    cmocka_unit_test(snapshots_live_while_held_one_for_each_idle_picker),
	    cmocka_unit_test(pickers_and_servers_have_a_limit),
	    cmocka_unit_test(outcomes_are_counted_by_result),
	    cmocka_unit_test(counters_stay_within_their_range),
	    cmocka_unit_test(a_priority_group_opens_when_those_before_are_too_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
