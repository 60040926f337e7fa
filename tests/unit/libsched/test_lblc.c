/* SPDX-License-Identifier: MIT */
/* lblc and lblcr: a destination keeps its server, until that one is overloaded; the kernel suite has the rest. */
#include "support.h"

static uint64_t pick_key(struct lb_picker *p, uint64_t key, uint64_t now_ns)
{
	struct lb_request r = {.size = sizeof(r), .key64 = key, .now_ns = now_ns};
	uint64_t id;

	assert_int_equal(lb_pick(p, &r, &id), 0);
	return id;
}

static void a_destination_keeps_its_server(void **state)
{
	static const char *const algos[] = {"lblc", "lblcr"};

	for (size_t a = 0; a < 2; a++) {
		struct lb_group *g = GROUP(algos[a], 20, 20, 20);
		struct lb_picker *p = picker_of(g);
		uint64_t server[100];

		for (uint64_t key = 0; key < 100; key++) {
			server[key] = pick_key(p, key, 0);
			lb_done(p, server[key], NULL);
			pick_key(p, 1000 + key % 3, 0); /* load that shifts the balance */
			lb_done(p, 1 + key % 3, NULL);
		}
		lb_server_set_weight(g, 2, 21);
		commit(g);
		for (uint64_t key = 0; key < 100; key++) {
			assert_int_equal(pick_key(p, key, 0), server[key]);
			lb_done(p, server[key], NULL);
		}
		lb_group_free(g);
	}
}

/* 3 and 2 have weight 4; the one of key 7 gets 5 connections, and the other none. */
static void an_overloaded_server_hands_on(void **state)
{
	struct lb_group *g = GROUP("lblc", 4, 4);
	struct lb_picker *p = picker_of(g);

	for (int i = 0; i < 5; i++)
		assert_int_equal(pick_key(p, 7, 0), 2);
	assert_int_equal(pick_key(p, 7, 0), 1); /* and stays there */
	lb_done(p, 2, NULL);
	lb_done(p, 2, NULL);
	assert_int_equal(pick_key(p, 7, 0), 1);
	lb_group_free(g);
}

static void a_set_grows_and_shrinks_after_a_day(void **state)
{
	const uint64_t day = UINT64_C(24) * 3600 * 1000000000;
	struct lb_group *g = GROUP("lblcr", 4, 4);
	struct lb_picker *p = picker_of(g);

	for (int i = 0; i < 5; i++)
		assert_int_equal(pick_key(p, 7, 1), 2);
	assert_int_equal(pick_key(p, 7, 2), 1);
	for (int i = 0; i < 5; i++)
		lb_done(p, 2, NULL);
	assert_int_equal(pick_key(p, 7, 3), 2); /* both are in the set, the least loaded is taken */
	pick_key(p, 7, 4);
	lb_count(p, 2, LB_COUNTER_ACTIVE, 3); /* now 2 has the most: it leaves */
	pick_key(p, 7, 2 * day);
	for (int i = 0; i < 4; i++)
		lb_count(p, 2, LB_COUNTER_ACTIVE, -1);
	assert_int_equal(pick_key(p, 7, 2 * day + 1), 1); /* though 2 has less */
	lb_group_free(g);
}

static void a_removed_server_is_forgotten(void **state)
{
	struct lb_group *g = GROUP("lblc", 4, 4);
	struct lb_picker *p = picker_of(g);

	assert_int_equal(pick_key(p, 7, 0), 2);
	lb_server_remove(g, 2);
	commit(g);
	assert_int_equal(pick_key(p, 7, 0), 1);
	lb_group_free(g);
}

/* More destinations than there is memory for: none is refused, the last ones are remembered. */
static void memory_is_bounded(void **state)
{
	struct lb_group *g = GROUP("lblc", 4, 4, 4);
	struct lb_picker *p = picker_of(g);
	uint64_t last = 0;

	for (uint64_t key = 0; key < 200000; key++) {
		last = pick_key(p, key, key);
		lb_done(p, last, NULL);
	}
	lb_count(p, last, LB_COUNTER_INACTIVE, 1);
	assert_int_equal(pick_key(p, 199999, 200000), last);
	lb_group_free(g);
}

/* As many come and go as a set has room for: those that are left must not lose theirs. */
static void removed_servers_take_no_room_in_a_set(void **state)
{
	struct lb_group *g = GROUP("lblcr", 10);
	struct lb_picker *p = picker_of(g);
	uint64_t last;

	assert_picks_that_stay(p, 1, "1");
	for (last = 1; last < 12;
	     last++) { /* the old one is overloaded, the new one joins the set */
		char expected[8];

		lb_count(p, last, LB_COUNTER_ACTIVE, 20);
		add(g, last + 1, 10);
		commit(g);
		snprintf(expected, sizeof(expected), "%d", (int)last + 1);
		assert_picks_that_stay(p, 1, expected);
		if (last < 11)
			assert_int_equal(lb_server_remove(g, last), 0);
		commit(g);
	}
	lb_count(p, 11, LB_COUNTER_ACTIVE, -100);
	assert_picks_that_stay(p, 1, "11"); /* less loaded than 12, and still in the set */
	lb_group_free(g);
}

#define MANY_SERVERS 20

/* One after the other is the only one with room, and so joins the set of each destination. */
static void grow_sets(struct lb_group *g, struct lb_picker *p, uint64_t n_keys)
{
	for (uint64_t id = 1; id <= MANY_SERVERS; id++) {
		add(g, id, 10);
		commit(g);
		for (uint64_t key = 0; key < n_keys; key++) {
			struct lb_request r = {.size = sizeof(r),
					       .key64 = key,
					       .now_ns = 1,
					       .flags = LB_REQUEST_UNCOUNTED};
			uint64_t got = 0;

			assert_int_equal(lb_pick(p, &r, &got), 0);
			assert_int_equal(got, id);
		}
		lb_count(p, id, LB_COUNTER_ACTIVE, 20);
	}
}

/* As in the kernel, a set has as many as were needed. */
static void a_set_has_no_limit(void **state)
{
	struct lb_group *g = group_new("lblcr");
	struct lb_picker *p = picker_of(g);

	grow_sets(g, p, 1);
	add(g, 100, 1000);
	commit(g);
	lb_count(p, 1, LB_COUNTER_ACTIVE, -15);
	assert_int_equal(pick_key(p, 0, 2), 1); /* the first that came, though 100 is idle */
	lb_group_free(g);
}

/* There is room for 16,384 in all sets. */
static void sets_beyond_all_room_begin_anew(void **state)
{
	struct lb_group *g = group_new("lblcr");
	struct lb_picker *p = picker_of(g);

	grow_sets(g, p, 1000);
	lb_count(p, 7, LB_COUNTER_ACTIVE, -20);
	for (uint64_t key = 0; key < 1000; key++)
		pick_key(p, key, 2);
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_destination_keeps_its_server),
	    cmocka_unit_test(an_overloaded_server_hands_on),
	    cmocka_unit_test(a_set_grows_and_shrinks_after_a_day),
	    cmocka_unit_test(a_removed_server_is_forgotten),
	    cmocka_unit_test(memory_is_bounded),
	    cmocka_unit_test(removed_servers_take_no_room_in_a_set),
	    cmocka_unit_test(a_set_has_no_limit),
	    cmocka_unit_test(sets_beyond_all_room_begin_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
