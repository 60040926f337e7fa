/* SPDX-License-Identifier: MIT */
/* anchor, dx, jump: even shares, and no key moves that need not. Keys are libsched's own to hash. */
#include "support.h"

#define KEYS 20000
#define MANY 40

static uint64_t owner[KEYS];

static void look(struct lb_picker *p)
{
	for (uint64_t key = 0; key < KEYS; key++)
		owner[key] = key_pick(p, key);
}

/* How many keys moved though neither their old nor their new server is `changed`; looks anew. */
static size_t needless_moves(struct lb_picker *p, uint64_t changed)
{
	size_t n = 0;

	for (uint64_t key = 0; key < KEYS; key++) {
		uint64_t now = key_pick(p, key);

		n += now != owner[key] && now != changed && owner[key] != changed;
		owner[key] = now;
	}
	return n;
}

static struct lb_group *group_many(const char *algo, uint32_t capacity)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = algo, .seed = 5, .capacity = capacity};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), 0);
	for (uint64_t id = 1; id <= MANY; id++)
		add(g, id, 1);
	commit(g);
	return g;
}

static const char *const algos[] = {"anchor", "dx", "jump"};

/* 500 keys each on average; five standard deviations. */
static void shares_are_even(void **state)
{
	for (size_t a = 0; a < 3; a++) {
		struct lb_group *g = group_many(algos[a], 0);
		size_t of[MANY + 1] = {0};

		look(picker_of(g));
		for (size_t i = 0; i < KEYS; i++)
			of[owner[i]]++;
		for (size_t i = 1; i <= MANY; i++)
			assert_in_range(of[i], 388, 612);
		lb_group_free(g);
	}
}

/* Any one at random goes down or comes back, often several at once being down. */
static void up_and_down_move_no_key_without_need(void **state)
{
	for (size_t a = 0; a < 3; a++) {
		struct lb_group *g = group_many(algos[a], 0);
		struct lb_picker *p = picker_of(g);
		bool down[MANY + 1] = {false};
		uint32_t x = 3;

		look(p);
		for (int i = 0; i < 60; i++) {
			uint64_t id = 1 + draw(&x, MANY);

			down[id] = !down[id];
			lb_server_set_up(g, id, !down[id]);
			commit(g);
			assert_int_equal(needless_moves(p, id), 0);
		}
		lb_group_free(g);
	}
}

/* With room for all there will be. */
static void added_and_removed_ones_move_no_other_keys(void **state)
{
	for (size_t a = 0; a < 2; a++) {
		struct lb_group *g = group_many(algos[a], 200);
		struct lb_picker *p = picker_of(g);
		uint32_t x = 9;

		look(p);
		for (uint64_t id = MANY + 1; id <= 190; id++) {
			uint64_t gone = 1 + draw(&x, (uint32_t)id - 1);

			add(g, id, 1);
			commit(g);
			if (id % 10 == 0)
				assert_int_equal(needless_moves(p, id), 0);
			else
				look(p);
			if (id % 10 || lb_server_remove(g, gone) < 0)
				continue;
			commit(g);
			assert_int_equal(needless_moves(p, gone), 0);
		}
		lb_group_free(g);
	}
}

/* The last one of the row is free to go; of another one's removal the last one's keys pay the price. */
static void jump_loses_twice_the_share_at_worst(void **state)
{
	struct lb_group *g = group_many("jump", 0);
	struct lb_picker *p = picker_of(g);

	look(p);
	add(g, MANY + 1, 1);
	commit(g);
	assert_int_equal(needless_moves(p, MANY + 1), 0);
	lb_server_remove(g, MANY + 1);
	commit(g);
	assert_int_equal(needless_moves(p, MANY + 1), 0);
	lb_server_remove(g, 7);
	commit(g);
	assert_in_range(needless_moves(p, 7), 1, KEYS / MANY * 2);
	lb_group_free(g);
}

static void who_comes_back_alone_has_his_keys_again(void **state)
{
	for (size_t a = 0; a < 3; a++) {
		struct lb_group *g = group_many(algos[a], 0);
		struct lb_picker *p = picker_of(g);
		static uint64_t was[KEYS];

		look(p);
		memcpy(was, owner, sizeof(was));
		lb_server_set_up(g, 11, false);
		commit(g);
		look(p);
		lb_server_set_up(g, 11, true);
		commit(g);
		look(p);
		assert_memory_equal(was, owner, sizeof(was));
		lb_group_free(g);
	}
}

/* The order comes from the keys: nodes that begin with the same members agree. */
static void the_order_of_adding_does_not_matter(void **state)
{
	for (size_t a = 0; a < 3; a++) {
		struct lb_group *g = group_many(algos[a], 0), *h;
		struct lb_group_opts o = {.size = sizeof(o), .algo = algos[a], .seed = 5};
		struct lb_picker *p = picker_of(g), *q;

		assert_int_equal(lb_group_new(&o, &h), 0);
		for (uint64_t id = MANY; id; id--)
			add(h, id, 1);
		commit(h);
		q = picker_of(h);
		for (uint64_t key = 0; key < 2000; key++)
			assert_int_equal(key_pick(p, key), key_pick(q, key));
		lb_group_free(g);
		lb_group_free(h);
	}
}

static void the_keys_of_a_full_server_go_to_all_the_others(void **state)
{
	for (size_t a = 0; a < 3; a++) {
		struct lb_group *g = group_many(algos[a], 0);
		struct lb_picker *p = picker_of(g);
		size_t of[MANY + 1] = {0};

		look(p);
		lb_server_set_maxconn(g, 4, 1);
		commit(g);
		lb_count(p, 4, LB_COUNTER_ACTIVE, 1);
		for (uint64_t key = 0; key < KEYS; key++) {
			uint64_t now = key_pick(p, key);

			assert_true(owner[key] == 4 || owner[key] == now);
			of[now] += owner[key] == 4;
		}
		assert_int_equal(of[4], 0);
		for (size_t i = 1; i <= MANY; i++)
			assert_in_range(of[i], i == 4 ? 0 : 1, 40);
		lb_group_free(g);
	}
}

/* One of very many is left: tries end, and the list is walked. */
static void the_last_one_is_found(void **state)
{
	for (size_t a = 0; a < 3; a++) {
		struct lb_group *g = group_new(algos[a]);
		struct lb_picker *p = picker_of(g);

		for (uint64_t id = 1; id <= 3000; id++)
			add(g, id, 1);
		for (uint64_t id = 1; id <= 3000; id++)
			lb_server_set_up(g, id, id == 1234);
		commit(g);
		for (uint64_t key = 0; key < 20; key++)
			assert_int_equal(key_pick(p, key), 1234);
		lb_server_set_up(g, 1234, false);
		commit(g);
		assert_picks(p, 1, "-ENOSR");
		lb_server_set_up(g, 1, true);
		commit(g);
		assert_int_equal(key_pick(p, 5), 1);
		lb_group_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shares_are_even),
	    cmocka_unit_test(up_and_down_move_no_key_without_need),
	    cmocka_unit_test(added_and_removed_ones_move_no_other_keys),
	    cmocka_unit_test(jump_loses_twice_the_share_at_worst),
	    cmocka_unit_test(who_comes_back_alone_has_his_keys_again),
	    cmocka_unit_test(the_order_of_adding_does_not_matter),
	    cmocka_unit_test(the_keys_of_a_full_server_go_to_all_the_others),
	    cmocka_unit_test(the_last_one_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
