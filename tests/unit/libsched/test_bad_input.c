/* SPDX-License-Identifier: MIT */
/* What no caller should do and every caller will: an error code from every algorithm, and nothing lost. */
#include "support.h"

#define FOR_EACH_ALGO(name) \
	for (const char *name = lb_algo_name(0), *end_ = NULL; name != end_; name = after(name))

static const char *after(const char *name)
{
	for (size_t i = 0; lb_algo_name(i); i++)
		if (lb_algo_name(i) == name)
			return lb_algo_name(i + 1);
	return NULL;
}

static int pick_one(struct lb_picker *p)
{
	uint64_t id;

	return lb_pick(p, NULL, &id);
}

static void an_empty_group_is_enosr(void **state)
{
	FOR_EACH_ALGO(algo)
	{
		struct lb_group *g = group_new(algo);
		struct lb_picker *p = picker_of(g);

		assert_int_equal(pick_one(p), -ENOSR);
		add(g, 1, 1);
		commit(g);
		assert_int_equal(pick_one(p), 0);
		lb_server_remove(g, 1);
		commit(g);
		assert_int_equal(pick_one(p), -ENOSR);
		assert_int_equal(lb_done(p, 1, NULL), 0); /* of a removed one, still known */
		lb_group_free(g);
	}
}

static void nobody_to_choose_is_enosr(void **state)
{
	FOR_EACH_ALGO(algo)
	{
		struct lb_group *g = GROUP(algo, 1, 2, 3);
		struct lb_picker *p = picker_of(g);

		for (uint64_t id = 1; id <= 3; id++)
			lb_server_set_up(g, id, false);
		commit(g);
		assert_int_equal(pick_one(p), -ENOSR);
		for (uint64_t id = 1; id <= 3; id++) {
			lb_server_set_up(g, id, true);
			lb_server_set_weight(g, id, 0);
		}
		commit(g);
		assert_int_equal(pick_one(p), -ENOSR);
		lb_server_set_weight(g, 2, 1);
		lb_server_set_state(g, 2, LB_STATE_DISABLED);
		commit(g);
		assert_int_equal(pick_one(p), -ENOSR);
		lb_server_set_state(g, 2, LB_STATE_ENABLED);
		commit(g);
		assert_int_equal(pick_one(p), 0);
		lb_group_free(g);
	}
}

static void all_full_is_eagain_and_all_excluded_enosr(void **state)
{
	const uint64_t all[] = {1, 2, 3, 3, 2, 1, 7};
	const struct lb_request r = {.size = sizeof(r), .exclude = all, .n_exclude = 7};

	FOR_EACH_ALGO(algo)
	{
		struct lb_group *g = GROUP(algo, 1, 2, 3);
		struct lb_picker *p = picker_of(g);
		uint64_t id;

		assert_int_equal(lb_pick(p, &r, &id), -ENOSR);
		for (id = 1; id <= 3; id++)
			lb_server_set_maxconn(g, id, 1);
		commit(g);
		for (int i = 0; i < 3; i++)
			assert_int_equal(pick_one(p), 0);
		assert_int_equal(pick_one(p), -EAGAIN);
		assert_int_equal(lb_done(p, 2, NULL), 0);
		assert_int_equal(lb_pick(p, NULL, &id), 0);
		assert_int_equal(id, 2);
		lb_group_free(g);
	}
}

static void the_greatest_weights_work(void **state)
{
	FOR_EACH_ALGO(algo)
	{
		struct lb_group *g = group_new(algo);
		struct lb_picker *p = picker_of(g);

		for (uint64_t id = 1; id <= 9; id++)
			add(g, id, id % 3 ? LB_WEIGHT_MAX - (uint32_t)id : 1);
		commit(g);
		for (int i = 0; i < 200; i++)
			assert_int_equal(pick_one(p), 0);
		lb_group_free(g);
	}
}

static void counters_do_not_overflow(void **state)
{
	FOR_EACH_ALGO(algo)
	{
		struct lb_group *g = GROUP(algo, LB_WEIGHT_MAX, 1, LB_WEIGHT_MAX);
		struct lb_picker *p = picker_of(g), *other = picker_of(g);

		for (enum lb_counter c = 0; c <= LB_COUNTER_SESSIONS; c++) {
			for (uint64_t id = 1; id <= 3; id++) {
				assert_int_equal(lb_count(p, id, c, INT64_MAX), 0);
				assert_int_equal(lb_count(other, id, c, INT64_MAX), 0);
			}
		}
		assert_int_equal(stats_of(g, 1).active, INT32_MAX);
		assert_int_equal(stats_of(g, 1).inactive, INT32_MAX);
		assert_int_equal(stats_of(g, 1).queued, UINT32_MAX);
		assert_in_range(-pick_one(p), 0, EAGAIN); /* ovf refuses, the others choose */
		for (enum lb_counter c = 0; c <= LB_COUNTER_SESSIONS; c++)
			for (uint64_t id = 1; id <= 3; id++)
				assert_int_equal(lb_count(other, id, c, INT64_MIN), 0);
		assert_in_range(stats_of(g, 1).active, 0, 1);
		assert_int_equal(stats_of(g, 1).inactive, 0);
		assert_int_equal(stats_of(g, 1).queued, 0);
		assert_int_equal(pick_one(p), 0);
		lb_group_free(g);
	}
}

/* p2c writes cells by itself. */
static void active_connections_stand_still_at_their_end(void **state)
{
	static const char *const algos[] = {"p2c", "rr"};

	for (size_t a = 0; a < 2; a++) {
		struct lb_group *g = GROUP(algos[a], 1, 1);
		struct lb_picker *p = picker_of(g);
		uint64_t id;

		for (id = 1; id <= 2; id++)
			assert_int_equal(lb_count(p, id, LB_COUNTER_ACTIVE, INT64_MAX), 0);
		for (int i = 0; i < 8; i++)
			assert_int_equal(lb_pick(p, NULL, &id), 0);
		assert_int_equal(stats_of(g, 1).active, INT32_MAX);
		assert_int_equal(stats_of(g, 2).active, INT32_MAX);
		assert_int_equal(stats_of(g, 1).picks + stats_of(g, 2).picks, 8);
		assert_int_equal(lb_done(p, 1, NULL), 0);
		assert_int_equal(stats_of(g, 1).active, INT32_MAX - 1);
		lb_group_free(g);
	}
}

/* p2c adds up by itself what others counted. */
static void as_many_as_there_can_be_with_others_are_not_few(void **state)
{
	struct lb_group *g = GROUP("p2c", 1, 1);
	struct lb_picker *p = picker_of(g), *other = picker_of(g);

	assert_int_equal(lb_count(other, 1, LB_COUNTER_ACTIVE, INT64_MAX), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(key_pick(p, 0), 2);
	lb_group_free(g);
}

static void too_many_ends_are_no_credit(void **state)
{
	FOR_EACH_ALGO(algo)
	{
		struct lb_group *g = GROUP(algo, 1);
		struct lb_picker *p = picker_of(g), *other = picker_of(g);

		for (int i = 0; i < 10; i++)
			assert_int_equal(lb_done(other, 1, NULL), 0);
		assert_int_equal(pick_one(p), 0);
		assert_int_equal(stats_of(g, 1).active, 1);
		assert_int_equal(lb_done(p, 2, NULL), -ENOENT);
		lb_server_set_maxconn(g, 1, 2);
		commit(g);
		for (int i = 0; i < 10; i++)
			assert_int_equal(lb_done(other, 1, NULL), 0);
		assert_int_equal(stats_of(g, 1).active, 0);
		assert_int_equal(pick_one(p), 0);
		assert_int_equal(pick_one(p), 0);
		assert_int_equal(pick_one(p), -EAGAIN);
		lb_group_free(g);
	}
}

/* A limit set, lifted and set again while connections last counts all of them. */
static void a_limit_that_comes_late_counts_what_is_there(void **state)
{
	FOR_EACH_ALGO(algo)
	{
		struct lb_group *g = GROUP(algo, 100);
		struct lb_picker *p = picker_of(g), *other = picker_of(g);

		assert_int_equal(pick_one(p), 0);
		assert_int_equal(pick_one(other), 0);
		lb_server_set_maxconn(g, 1, 3);
		commit(g);
		assert_int_equal(pick_one(p), 0);
		assert_int_equal(pick_one(other), -EAGAIN);
		lb_server_set_maxconn(g, 1, 0);
		commit(g);
		assert_int_equal(pick_one(p), 0);
		lb_server_set_maxconn(g, 1, 3);
		commit(g);
		for (int i = 0; i < 2; i++)
			assert_int_equal(lb_done(i ? p : other, 1, NULL), 0);
		assert_int_equal(stats_of(g, 1).active, 2);
		assert_int_equal(pick_one(p), 0);
		assert_int_equal(pick_one(p), -EAGAIN);
		lb_group_free(g);
	}
}

static int no_row(const struct lb_explanation *e, void *userdata)
{
	return 0;
}

static void a_picker_without_its_group_is_eshutdown(void **state)
{
	FOR_EACH_ALGO(algo)
	{
		struct lb_group *g = GROUP(algo, 1, 2);
		struct lb_picker *p = picker_of(g), *idle = picker_of(g);
		uint8_t buf[400];

		assert_int_equal(pick_one(p), 0);
		lb_picker_offline(idle);
		lb_group_close(g);
		for (int i = 0; i < 2; i++) { /* the second call says the same */
			assert_int_equal(pick_one(p), -ESHUTDOWN);
			assert_int_equal(pick_one(idle), -ESHUTDOWN);
			assert_int_equal(lb_done(p, 1, NULL), -ESHUTDOWN);
			assert_int_equal(lb_count(p, 1, LB_COUNTER_QUEUED, 1), -ESHUTDOWN);
			assert_int_equal(lb_picker_refresh(p), -ESHUTDOWN);
			assert_int_equal(lb_explain(p, NULL, no_row, NULL), -ESHUTDOWN);
			assert_int_equal(lb_picker_freeze(p, buf, sizeof(buf)), -ESHUTDOWN);
			assert_int_equal(lb_picker_offline(p), 0);
		}
		lb_picker_free(p);
		lb_picker_free(idle);
	}
	lb_group_close(NULL);
	lb_group_close(group_new("rr")); /* no picker: it goes at once */
}

/* Two groups with the same seed and edits choose alike; lb_explain() says the same beforehand. */
static int find_chosen(const struct lb_explanation *e, void *userdata)
{
	if (e->verdict == LB_VERDICT_CHOSEN)
		*(uint64_t *)userdata = e->id;
	assert_true(!e->note || strlen(e->note) <= LB_NOTE_MAX);
	return 0;
}

static void the_same_seed_gives_the_same_choices(void **state)
{
	FOR_EACH_ALGO(algo)
	{
		struct lb_group *g = GROUP(algo, 5, 1, 3, 2), *h = GROUP(algo, 5, 1, 3, 2);
		struct lb_picker *p = picker_of(g), *q = picker_of(h);
		uint32_t random = 7;

		for (uint64_t i = 0; i < 500; i++) {
			struct lb_request r = {
			    .size = sizeof(r), .key64 = draw(&random, 1000), .now_ns = i * 1000000};
			uint64_t a = 0, b = 0, said = 0;
			int e = lb_explain(p, &r, find_chosen, &said);

			assert_int_equal(lb_pick(p, &r, &a), e);
			assert_int_equal(lb_pick(q, &r, &b), e);
			assert_int_equal(a, b);
			assert_int_equal(a, said);
			if (e == 0 && draw(&random, 3)) {
				lb_done(p, a, NULL);
				lb_done(q, b, NULL);
			}
			if (i % 100 == 99) {
				uint32_t weight = draw(&random, 9);

				lb_server_set_weight(g, 2, weight);
				lb_server_set_weight(h, 2, weight);
				commit(g);
				commit(h);
			}
		}
		lb_group_free(g);
		lb_group_free(h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_group_is_enosr),
	    cmocka_unit_test(nobody_to_choose_is_enosr),
	    cmocka_unit_test(all_full_is_eagain_and_all_excluded_enosr),
	    cmocka_unit_test(the_greatest_weights_work),
	    cmocka_unit_test(counters_do_not_overflow),
	    cmocka_unit_test(active_connections_stand_still_at_their_end),
	    cmocka_unit_test(as_many_as_there_can_be_with_others_are_not_few),
	    cmocka_unit_test(too_many_ends_are_no_credit),
	    cmocka_unit_test(a_limit_that_comes_late_counts_what_is_there),
	    cmocka_unit_test(a_picker_without_its_group_is_eshutdown),
	    cmocka_unit_test(the_same_seed_gives_the_same_choices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
