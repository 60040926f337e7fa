/* SPDX-License-Identifier: MIT */
/* State as bytes: what the next process gets, and that nothing in them is believed. */
#include <stdlib.h>

#include "support.h"

static uint8_t buf[4096];

static struct lb_group *busy_group(const char *algo)
{
	struct lb_group *g = GROUP(algo, 4, 2, 1);
	struct lb_picker *p = picker_of(g);
	struct lb_outcome o = {.size = sizeof(o), .bytes = 7, .result = LB_RESULT_SERVER};

	picks(p, 10, false);
	lb_done(p, 1, &o);
	lb_count(p, 2, LB_COUNTER_INACTIVE, 3);
	lb_count(p, 3, LB_COUNTER_QUEUED, 5);
	lb_server_set_maxconn(g, 1, 100);
	lb_server_set_priority(g, 2, 1);
	lb_server_set_state(g, 3, LB_STATE_DISABLED);
	lb_server_set_up(g, 2, false);
	commit(g);
	return g;
}

static size_t freeze(const struct lb_group *g)
{
	ssize_t n = lb_group_freeze(g, buf, sizeof(buf));

	assert_in_range(n, 1, sizeof(buf));
	return (size_t)n;
}

static void a_group_comes_back_with_settings_and_counters(void **state)
{
	struct lb_group *g = busy_group("wrr"), *h = group_new("wrr");
	size_t n = freeze(g);
	struct lb_picker *p;

	assert_int_equal(lb_group_thaw(h, buf, n, LB_THAW_COUNTERS), 0);
	commit(h);
	for (uint64_t id = 1; id <= 3; id++) {
		struct lb_server_stats a = stats_of(g, id), b = stats_of(h, id);

		assert_memory_equal(&a, &b, sizeof(a));
	}
	p = picker_of(h);
	for (uint32_t left = stats_of(h, 1).active; left;
	     left--) /* what began there may end here */
		assert_int_equal(lb_done(p, 1, NULL), 0);
	assert_int_equal(stats_of(h, 1).active, 0);
	lb_done(p, 1, NULL);
	assert_int_equal(stats_of(h, 1).active, 0);
	lb_group_free(g);
	lb_group_free(h);
}

static void a_limit_counts_the_connections_that_came_along(void **state)
{
	struct lb_group *g = GROUP("lc", 1), *h = group_new("lc");
	size_t n;

	lb_server_set_maxconn(g, 1, 3);
	commit(g);
	picks(picker_of(g), 2, false);
	n = freeze(g);
	assert_int_equal(lb_group_thaw(h, buf, n, LB_THAW_COUNTERS), 0);
	commit(h);
	assert_picks_that_stay(picker_of(h), 2, "1 -EAGAIN");
	lb_group_free(g);
	lb_group_free(h);
}

static void a_peer_gets_settings_without_counters(void **state)
{
	struct lb_group *g = busy_group("wrr"), *h = group_new("wrr");

	assert_int_equal(lb_group_thaw(h, buf, freeze(g), 0), 0);
	commit(h);
	assert_int_equal(stats_of(h, 1).maxconn, 100);
	assert_int_equal(stats_of(h, 1).active, 0);
	assert_int_equal(stats_of(h, 3).state, LB_STATE_DISABLED);
	lb_group_free(g);
	lb_group_free(h);
}

static void the_configuration_may_decide_who_is_a_member(void **state)
{
	struct lb_group *g = busy_group("wrr"), *h = GROUP("wrr", 9);
	uint64_t ids[4];

	assert_int_equal(lb_group_thaw(h, buf, freeze(g), LB_THAW_MEMBERS), 0);
	assert_int_equal(lb_group_servers(h, ids, 4), 1);
	assert_int_equal(stats_of(h, 1).weight, 4);
	lb_group_free(g);
	lb_group_free(h);
}

static void ids_the_library_chooses_stay_fresh(void **state)
{
	struct lb_group *g = group_new("rr"), *h = group_new("rr");
	uint64_t id;

	for (int i = 0; i < 5; i++)
		lb_server_add(g, NULL, &id);
	lb_server_remove(g, 5);
	assert_int_equal(lb_group_thaw(h, buf, freeze(g), 0), 0);
	assert_int_equal(lb_server_add(h, NULL, &id), 0);
	assert_int_equal(id, 6);
	lb_group_free(g);
	lb_group_free(h);
}

static void a_rotation_goes_on(void **state)
{
	static const char *const algos[] = {"rr", "wrr"};

	for (size_t a = 0; a < 2; a++) {
		for (size_t before = 0; before < 20; before++) {
			struct lb_group *g = GROUP(algos[a], 4, 2, 3),
					*h = GROUP(algos[a], 4, 2, 3);
			struct lb_picker *p = picker_of(g), *q = picker_of(h);
			char expected[200];
			ssize_t n;

			picks(p, before, true);
			n = lb_picker_freeze(p, buf, sizeof(buf));
			assert_in_range(n, 1, sizeof(buf));
			assert_int_equal(lb_picker_thaw(q, buf, (size_t)n), 0);
			snprintf(expected, sizeof(expected), "%s", picks(p, 30, true));
			assert_picks(q, 30, expected);
			lb_group_free(g);
			lb_group_free(h);
		}
	}
}

static void chance_goes_on(void **state)
{
	struct lb_group *g = GROUP("random", 1, 1, 1, 1);
	struct lb_picker *p = picker_of(g), *q = picker_of(g);
	char expected[200];
	ssize_t n;

	picks(p, 17, true);
	n = lb_picker_freeze(p, buf, sizeof(buf));
	snprintf(expected, sizeof(expected), "%s", picks(p, 30, true));
	assert_int_equal(lb_picker_thaw(q, buf, (size_t)n), 0);
	assert_picks(q, 30, expected);
	lb_group_free(g);
}

static void every_algorithm_freezes(void **state)
{
	for (size_t a = 0; lb_algo_name(a); a++) {
		struct lb_group *g = GROUP(lb_algo_name(a), 4, 2, 3);
		struct lb_picker *p = picker_of(g);
		ssize_t n;

		picks(p, 7, true);
		n = lb_picker_freeze(p, buf, sizeof(buf));
		assert_in_range(n, 1, sizeof(buf));
		assert_int_equal(lb_picker_thaw(p, buf, (size_t)n), 0);
		picks(p, 7, true);
		lb_group_free(g);
	}
}

static void a_short_buffer_is_told_the_size(void **state)
{
	struct lb_group *g = busy_group("wrr");
	struct lb_picker *p = picker_of(g);
	ssize_t n = lb_group_freeze(g, NULL, 0);

	memset(buf, 0x55, sizeof(buf));
	assert_int_equal(lb_group_freeze(g, buf, (size_t)n - 1), n);
	assert_int_equal(buf[0], 0x55);
	n = lb_picker_freeze(p, NULL, 0);
	assert_int_equal(lb_picker_freeze(p, buf, (size_t)n), n);
	lb_group_free(g);
}

/* Each byte changed and each length cut: an error and nothing staged, or something that commits. */
static void no_byte_is_believed(void **state)
{
	struct lb_group *g = busy_group("wrr");
	size_t n = freeze(g);

	for (size_t i = 0; i < 2 * n; i++) {
		struct lb_group *h = GROUP("wrr", 1);
		struct lb_group_stats s = {.size = sizeof(s)};
		size_t len = i < n ? n : i - n;
		uint8_t *copy = malloc(n);
		int r;

		memcpy(copy, buf, n);
		if (i < n)
			copy[i] ^= 0xff;
		r = lb_group_thaw(h, copy, len, LB_THAW_COUNTERS);
		assert_int_equal(lb_group_stats(h, &s), 0);
		assert_true(r == 0 || (r == -EBADMSG && !s.staged) ||
			    (r == -EPROTONOSUPPORT && !s.staged));
		assert_true(i < n || r == -EBADMSG);
		commit(h);
		picks(picker_of(h), 20, false);
		lb_group_free(h);
		free(copy);
	}
	lb_group_free(g);
}

static void another_algorithms_picker_is_refused(void **state)
{
	struct lb_group *g = GROUP("rr", 1, 1), *h = GROUP("wrr", 1, 1);
	ssize_t n = lb_picker_freeze(picker_of(g), buf, sizeof(buf));

	assert_int_equal(lb_picker_thaw(picker_of(h), buf, (size_t)n), -ENOENT);
	assert_int_equal(lb_picker_thaw(picker_of(g), buf, (size_t)n - 1), -EBADMSG);
	assert_int_equal(lb_picker_thaw(NULL, buf, (size_t)n), -EINVAL);
	assert_int_equal(lb_picker_freeze(NULL, buf, 1), -EINVAL);
	assert_int_equal(lb_group_thaw(NULL, buf, 1, 0), -EINVAL);
	assert_int_equal(lb_group_thaw(g, NULL, 1, 0), -EINVAL);
	assert_int_equal(lb_group_thaw(g, buf, 1, 4), -EINVAL);
	assert_int_equal(lb_group_freeze(NULL, NULL, 0), -EINVAL);
	lb_group_free(g);
	lb_group_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_group_comes_back_with_settings_and_counters),
	    cmocka_unit_test(a_limit_counts_the_connections_that_came_along),
	    cmocka_unit_test(a_peer_gets_settings_without_counters),
	    cmocka_unit_test(the_configuration_may_decide_who_is_a_member),
	    cmocka_unit_test(ids_the_library_chooses_stay_fresh),
	    cmocka_unit_test(a_rotation_goes_on),
	    cmocka_unit_test(chance_goes_on),
	    cmocka_unit_test(every_algorithm_freezes),
	    cmocka_unit_test(a_short_buffer_is_told_the_size),
	    cmocka_unit_test(no_byte_is_believed),
	    cmocka_unit_test(another_algorithms_picker_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
