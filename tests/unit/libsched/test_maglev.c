/* SPDX-License-Identifier: MIT */
#include "support.h"

#define KEYS 60000

static struct tally shares(struct lb_picker *p)
{
	struct tally t = {{0}};

	for (uint64_t key = 0; key < KEYS; key++)
		t.of[key_pick(p, key)]++;
	return t;
}

static void shares_follow_the_weights(void **state)
{
	struct lb_group *g = GROUP("maglev", 3, 1, 2, 0);
	struct tally t = shares(picker_of(g));

	assert_in_range(t.of[1], KEYS * 49 / 100, KEYS * 51 / 100);
	assert_in_range(t.of[2], KEYS * 16 / 100, KEYS * 18 / 100);
	assert_in_range(t.of[3], KEYS * 32 / 100, KEYS * 35 / 100);
	lb_group_free(g);
}

static void few_of_the_others_keys_move(void **state)
{
	struct lb_group *g = GROUP("maglev", 1, 1, 1, 1, 1, 1, 1, 1);
	struct lb_picker *p = picker_of(g);
	static uint64_t before[KEYS];
	size_t moved = 0;

	for (uint64_t key = 0; key < KEYS; key++)
		before[key] = key_pick(p, key);
	lb_server_set_up(g, 3, false);
	commit(g);
	for (uint64_t key = 0; key < KEYS; key++)
		moved += before[key] != 3 && key_pick(p, key) != before[key];
	assert_in_range(moved, 0, KEYS * 2 / 100);
	lb_server_set_up(g, 3, true);
	commit(g);
	for (uint64_t key = 0; key < KEYS; key++)
		assert_int_equal(key_pick(p, key), before[key]);
	lb_group_free(g);
}

static void the_order_of_adding_does_not_matter(void **state)
{
	struct lb_group *g = group_new("maglev"), *h = group_new("maglev");
	struct lb_picker *p = picker_of(g), *q = picker_of(h);

	for (uint64_t id = 1; id <= 9; id++) {
		add(g, id, 1 + (uint32_t)id % 3);
		add(h, 10 - id, 1 + (uint32_t)(10 - id) % 3);
	}
	commit(g);
	commit(h);
	for (uint64_t key = 0; key < KEYS; key++)
		assert_int_equal(key_pick(p, key), key_pick(q, key));
	lb_group_free(g);
	lb_group_free(h);
}

static void the_keys_of_a_full_server_go_to_all_the_others(void **state)
{
	struct lb_group *g = GROUP("maglev", 1, 1, 1, 1);
	struct lb_picker *p = picker_of(g);
	struct tally t;

	lb_server_set_maxconn(g, 2, 1);
	commit(g);
	lb_count(p, 2, LB_COUNTER_ACTIVE, 1);
	t = shares(p);
	assert_int_equal(t.of[2], 0);
	assert_in_range(t.of[1], KEYS * 31 / 100, KEYS * 36 / 100);
	assert_in_range(t.of[3], KEYS * 31 / 100, KEYS * 36 / 100);
	lb_group_free(g);
}

static void another_seed_is_another_table(void **state)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = "maglev", .seed = 99};
	struct lb_group *g = GROUP("maglev", 1, 1);
	struct lb_picker *p = picker_of(g);
	struct tally before = shares(p);
	static uint64_t was[100];
	size_t moved = 0;

	assert_true(before.of[1] && before.of[2]);
	for (uint64_t key = 0; key < 100; key++)
		was[key] = key_pick(p, key);
	assert_int_equal(lb_group_configure(g, &o), 0);
	commit(g);
	for (uint64_t key = 0; key < 100; key++)
		moved += was[key] != key_pick(p, key);
	assert_in_range(moved, 20, 80);
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shares_follow_the_weights),
	    cmocka_unit_test(few_of_the_others_keys_move),
	    cmocka_unit_test(the_order_of_adding_does_not_matter),
	    cmocka_unit_test(the_keys_of_a_full_server_go_to_all_the_others),
	    cmocka_unit_test(another_seed_is_another_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
