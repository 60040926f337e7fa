/* SPDX-License-Identifier: MIT */
/* Allocations: each one may fail, and picking makes none. */
#include "support.h"

#include "tests/support/fail_memory.h"

static int no_row(const struct lb_explanation *e, void *userdata)
{
	return 0;
}

/* Uses every call that allocates; -ENOMEM as soon as one says so, and then the group is whole. */
static int scenario(const char *algo)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = algo};
	struct lb_picker *p, *q;
	struct lb_group *g;
	uint64_t id;
	int r;

	r = lb_group_new(&o, &g);
	if (r < 0)
		return r;
	r = lb_picker_new(g, &p);
	for (uint64_t i = 0; i < 20 && r == 0; i++)
		r = lb_server_add(g, NULL, NULL);
	if (r == 0)
		r = lb_group_commit(g);
	if (r == 0)
		r = lb_picker_new(g, &q);
	if (r == 0)
		assert_int_equal(lb_pick(p, NULL, &id), 0);
	if (r == 0)
		assert_int_equal(lb_server_remove(g, id), 0);
	if (r == 0)
		r = lb_group_commit(g);
	if (r == 0)
		r = lb_explain(p, NULL, no_row, NULL);
	lb_group_free(g);
	return r;
}

static void each_allocation_may_fail(void **state)
{
	for (size_t a = 0; lb_algo_name(a); a++) {
		long n = 0;
		int r;

		do {
			fail_in = n++;
			r = scenario(lb_algo_name(a));
			assert_true(r == 0 || r == -ENOMEM);
		} while (r == -ENOMEM);
		assert_in_range(n, 20, 1000);
		fail_in = -1;
	}
}

static void a_commit_that_failed_changes_nothing_and_may_be_repeated(void **state)
{
	for (size_t a = 0; lb_algo_name(a); a++) {
		struct lb_group *g = GROUP(lb_algo_name(a), 1, 1);
		struct lb_picker *p = picker_of(g);
		int r;

		lb_server_remove(g, 2);
		for (long n = 0;; n++) {
			struct lb_request r2 = {.size = sizeof(r2), .prefer = 2};
			uint64_t id;

			fail_in = n;
			r = lb_group_commit(g);
			fail_in = -1;
			if (r == 0)
				break;
			assert_int_equal(r, -ENOMEM);
			assert_int_equal(lb_pick(p, &r2, &id), 0);
			assert_int_equal(id, 2); /* still a member */
		}
		assert_picks(p, 2, "1 1");
		lb_group_free(g);
	}
}

static void picking_allocates_nothing_even_over_commits(void **state)
{
	for (size_t a = 0; lb_algo_name(a); a++) {
		struct lb_group *g = GROUP(lb_algo_name(a), 5, 3, 1);
		struct lb_picker *p = picker_of(g);

		for (uint32_t i = 0; i < 20; i++) {
			size_t before;

			lb_server_set_weight(g, 1, 5 + i % 3);
			lb_server_set_up(g, 2, i % 2);
			commit(g);
			before = allocations;
			picks(p, 50, i % 4 == 0);
			lb_count(p, 1, LB_COUNTER_QUEUED, 1);
			if (i == 10)
				lb_picker_offline(p);
			picks(p, 3, true);
			assert_int_equal(allocations, before);
		}
		lb_group_free(g);
	}
}

/* A proxy may have tens of thousands of backends with a server each. */
static void a_group_of_one_server_takes_a_page_at_most(void **state)
{
	struct lb_group *g;

	allocated_bytes = 0;
	g = GROUP("roundrobin", 1);
	assert_true(allocated_bytes <= 4096);
	allocated_bytes = 0;
	picker_of(g);
	assert_true(allocated_bytes <= 4096);
	lb_group_free(g);
}

static void each_of_very_many_servers_has_counters_of_its_own(void **state)
{
	struct lb_group *g = GROUP("rr", 1);
	struct lb_request r = {.size = sizeof(r), .flags = LB_REQUEST_STRICT};
	struct lb_outcome o = {.size = sizeof(o)};
	struct lb_server_stats stats = {.size = sizeof(stats)};
	struct lb_picker *p = picker_of(g);
	uint64_t id;

	for (uint64_t i = 2; i <= LB_SERVERS_MAX; i++)
		assert_int_equal(lb_server_add(g, NULL, NULL), 0);
	commit(g);
	for (r.prefer = 1; r.prefer <= LB_SERVERS_MAX; r.prefer++) {
		assert_int_equal(lb_pick(p, &r, &id), 0);
		if (id % 3)
			continue;
		o.bytes = id;
		assert_int_equal(lb_done(p, id, &o), 0);
	}
	for (id = 1; id <= LB_SERVERS_MAX; id++) {
		assert_int_equal(lb_server_stats(g, id, &stats), 0);
		assert_int_equal(stats.picks, 1);
		assert_int_equal(stats.active, id % 3 ? 1 : 0);
		assert_int_equal(stats.bytes, id % 3 ? 0 : id);
	}
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_allocation_may_fail),
	    cmocka_unit_test(a_commit_that_failed_changes_nothing_and_may_be_repeated),
	    cmocka_unit_test(picking_allocates_nothing_even_over_commits),
	    cmocka_unit_test(a_group_of_one_server_takes_a_page_at_most),
	    cmocka_unit_test(each_of_very_many_servers_has_counters_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
