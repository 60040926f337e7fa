/* SPDX-License-Identifier: MIT */
#include "support.h"

#define KEYS 8192

static uint64_t pick_of(struct lb_picker *p, uint64_t key)
{
	struct lb_request r = {.size = sizeof(r), .key64 = key, .flags = LB_REQUEST_UNCOUNTED};
	uint64_t id;

	return lb_pick(p, &r, &id) == 0 ? id : 0;
}

static struct tally shares(struct lb_picker *p)
{
	struct tally t = {{0}};

	for (uint64_t key = 0; key < KEYS; key++)
		t.of[pick_of(p, key)]++;
	return t;
}

static void shares_follow_the_weights(void **state)
{
	struct lb_group *g = GROUP("mh", 6, 2, 2);
	struct tally t = shares(picker_of(g));

	assert_in_range(t.of[1], KEYS * 57 / 100, KEYS * 63 / 100);
	assert_in_range(t.of[2], KEYS * 18 / 100, KEYS * 22 / 100);
	lb_group_free(g);
}

static void few_of_the_others_keys_move_when_one_leaves(void **state)
{
	struct lb_group *g = GROUP("mh", 1, 1, 1, 1, 1);
	struct lb_picker *p = picker_of(g);
	static uint64_t before[KEYS];
	size_t moved = 0;

	for (uint64_t key = 0; key < KEYS; key++)
		before[key] = pick_of(p, key);
	lb_server_set_up(g, 3, false);
	commit(g);
	for (uint64_t key = 0; key < KEYS; key++)
		moved += before[key] != 3 && pick_of(p, key) != before[key];
	assert_in_range(moved, 0, KEYS * 5 / 100);
	assert_int_equal(shares(p).of[3], 0);
	lb_group_free(g);
}

static void at_weight_0_the_last_weight_keeps_the_table(void **state)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = "mh"};
	static uint64_t before[KEYS];
	struct lb_picker *p;
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), 0);
	p = picker_of(g);
	add(g, 1, 5);
	add(g, 2, 3);
	add(g, 3, 0); /* never had a weight: never had a slot */
	commit(g);
	for (uint64_t key = 0; key < KEYS; key++)
		before[key] = pick_of(p, key);
	assert_int_equal(shares(p).of[0], 0);
	lb_server_set_weight(g, 2, 0);
	commit(g);
	for (uint64_t key = 0; key < KEYS; key++)
		assert_int_equal(pick_of(p, key), before[key] == 2 ? 0 : 1);
	lb_server_set_weight(g, 2, 3);
	commit(g);
	for (uint64_t key = 0; key < KEYS; key++)
		assert_int_equal(pick_of(p, key), before[key]);
	lb_group_free(g);
}

/* The ids differ, the keys do not. */
static void the_table_comes_from_the_keys(void **state)
{
	struct lb_group *g = group_new("mh"), *h = group_new("mh");
	struct lb_picker *p = picker_of(g), *q = picker_of(h);

	for (uint64_t i = 1; i <= 3; i++) {
		struct lb_server_opts s = {.size = sizeof(s), .id = i, .key64 = 100 + i};

		assert_int_equal(lb_server_add(g, &s, NULL), 0);
		s.id = i + 5;
		assert_int_equal(lb_server_add(h, &s, NULL), 0);
	}
	commit(g);
	commit(h);
	for (uint64_t key = 0; key < KEYS; key++)
		assert_int_equal(pick_of(p, key) + 5, pick_of(q, key));
	lb_group_free(g);
	lb_group_free(h);
}

static void great_weights_are_cut_to_six_bits(void **state)
{
	struct lb_group *g = GROUP("mh", 65535, 1);
	struct tally t = shares(picker_of(g));

	assert_in_range(t.of[2], 1, KEYS * 3 / 100); /* 1 of 64 */
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shares_follow_the_weights),
	    cmocka_unit_test(few_of_the_others_keys_move_when_one_leaves),
	    cmocka_unit_test(at_weight_0_the_last_weight_keeps_the_table),
	    cmocka_unit_test(the_table_comes_from_the_keys),
	    cmocka_unit_test(great_weights_are_cut_to_six_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
