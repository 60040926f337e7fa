/* SPDX-License-Identifier: MIT */
/* HAProxy's hashes and bounded; HAProxy itself is asked in tests/interop/sched_haproxy.py. */
#include "support.h"

#include <libsched/lb_hash.h>

#define KEYS 20000
#define SERVERS 9

static struct lb_group *group_with(const char *algo, uint32_t flags, uint32_t factor)
{
	struct lb_group_opts o = {
	    .size = sizeof(o), .algo = algo, .flags = flags, .balance_factor = factor};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), 0);
	for (uint32_t id = 1; id <= SERVERS; id++)
		add(g, id, 1 + id % 4);
	commit(g);
	return g;
}

static int pick_counted(struct lb_picker *p, uint64_t key, uint64_t *ret_id)
{
	struct lb_request r = {.size = sizeof(r), .key64 = key};

	return lb_pick(p, &r, ret_id);
}

static void map_based_is_the_map_of_static_rr(void **state)
{
	struct lb_group *g = GROUP("uri", 3, 2, 1);
	struct lb_picker *p = picker_of(g);
	const uint64_t map[] = {1, 1, 2, 1, 2, 3};

	for (uint64_t key = 0; key < 600; key++)
		assert_int_equal(key_pick(p, key), map[key % 6]);
	lb_group_free(g);
}

static void the_map_keeps_its_length_when_a_divisor_goes_down(void **state)
{
	struct lb_group *g = GROUP("static-rr", 4, 2, 1);
	struct lb_picker *p = picker_of(g);

	lb_server_set_up(g, 3, false);
	commit(g);
	assert_int_equal(tally_of(p, 600).of[1], 400);
	lb_group_free(g);
}

/* The point nearest to the key on the circle, of all points; of two as near the one before it. */
static uint64_t nearest_of_all(uint32_t key, uint64_t down)
{
	uint64_t best_id = 0;
	uint32_t best = UINT32_MAX;
	bool best_before = false;

	for (uint64_t id = 1; id <= SERVERS; id++) {
		for (uint32_t i = 0; i < 16 * (1 + id % 4) && id != down; i++) {
			uint32_t at = lb_hash_avalanche((uint32_t)id * 4096 + i);
			uint32_t after = at - key, before = key - at;
			bool is_before = before <= after;
			uint32_t far = is_before ? before : after;

			if (far < best || (far == best && is_before && !best_before)) {
				best = far;
				best_before = is_before;
				best_id = id;
			}
		}
	}
	return best_id;
}

static void consistent_is_the_nearest_point(void **state)
{
	struct lb_group *g = group_with("source", LB_GROUP_CONSISTENT, 0);
	struct lb_picker *p = picker_of(g);
	uint32_t x = 1;

	for (int i = 0; i < 3000; i++) {
		uint32_t key = lb_hash_avalanche(draw(&x, 1 << 24) + (uint32_t)i);

		if (i == 1500) {
			lb_server_set_up(g, 4, false);
			commit(g);
		}
		assert_int_equal(key_pick(p, key), nearest_of_all(key, i < 1500 ? 0 : 4));
	}
	assert_int_equal(key_pick(p, 0), nearest_of_all(0, 4));
	assert_int_equal(key_pick(p, UINT32_MAX), nearest_of_all(UINT32_MAX, 4));
	lb_group_free(g);
}

static void a_full_server_is_waited_for_unless_falling_back(void **state)
{
	for (uint32_t flags = 0; flags < 4; flags++) { /* map-based and consistent */
		struct lb_group *g = group_with("hash", flags, 0);
		struct lb_picker *p = picker_of(g);
		uint64_t id, other;

		assert_int_equal(pick_counted(p, 12345, &id), 0);
		lb_server_set_maxconn(g, id, 1);
		commit(g);
		if (flags & LB_GROUP_FALLBACK) {
			assert_int_equal(pick_counted(p, 12345, &other), 0);
			assert_int_not_equal(other, id);
		} else {
			assert_int_equal(pick_counted(p, 12345, &other), -EAGAIN);
		}
		lb_group_free(g);
	}
}

static void an_excluded_server_is_left(void **state)
{
	for (uint32_t flags = 0; flags < 4; flags += LB_GROUP_CONSISTENT) {
		struct lb_group *g = group_with("hdr", flags, 0);
		struct lb_picker *p = picker_of(g);
		struct lb_request r = {.size = sizeof(r), .key64 = 777};
		uint64_t id, other;

		assert_int_equal(lb_pick(p, &r, &id), 0);
		r.exclude = &id;
		r.n_exclude = 1;
		assert_int_equal(lb_pick(p, &r, &other), 0);
		assert_int_not_equal(other, id);
		lb_group_free(g);
	}
}

/* On the ring as on the map everyone has his share of a whole round. */
static void without_a_key_they_go_round(void **state)
{
	const struct lb_request r = {.size = sizeof(r), .flags = LB_REQUEST_KEYLESS};

	for (uint32_t flags = 0; flags < 4; flags += LB_GROUP_CONSISTENT) {
		struct lb_group *g = group_with("url_param", flags, 0);
		struct lb_picker *p = picker_of(g);
		size_t points = flags ? 16 : 1, total = 0, of[SERVERS + 1] = {0};
		uint64_t id;

		for (uint32_t i = 1; i <= SERVERS; i++)
			total += points * (1 + i % 4);
		for (size_t i = 0; i < total; i++) {
			assert_int_equal(lb_pick(p, &r, &id), 0);
			of[id]++;
		}
		for (uint32_t i = 1; i <= SERVERS; i++)
			assert_int_equal(of[i], points * (1 + i % 4));
		lb_group_free(g);
	}
}

/* ceil(factor * (all + 1) / 100), by weight, rounded up; counted here, not by the library. */
static void the_bound_is_never_exceeded(void **state)
{
	static const char *const algos[] = {"bounded", "hash"};

	for (size_t a = 0; a < 2; a++) {
		for (uint32_t factor = 101; factor <= 301; factor += 50) {
			struct lb_group *g = group_with(algos[a], LB_GROUP_CONSISTENT, factor);
			struct lb_picker *p = picker_of(g);
			uint64_t held[SERVERS + 1] = {0}, all = 0, weights = 0, id;
			uint32_t x = factor;

			for (uint64_t i = 1; i <= SERVERS; i++)
				weights += 1 + i % 4;
			for (int i = 0; i < 3000; i++) {
				/* few keys, so that the bound matters */
				assert_int_equal(
				    pick_counted(p, lb_hash_avalanche(draw(&x, 5)), &id), 0);
				all++;
				held[id]++;
				assert_in_range(held[id], 1,
						1 + (all * factor + 99) / 100 * (1 + id % 4) /
							weights);
				id = 1 + draw(&x, SERVERS);
				if (held[id] && all > 50) {
					held[id]--;
					all--;
					lb_done(p, id, NULL);
				}
			}
			lb_group_free(g);
		}
	}
}

static void without_load_bounded_is_a_plain_ring(void **state)
{
	struct lb_group *g = group_with("bounded", 0, 0);
	struct lb_picker *p = picker_of(g);
	static uint64_t before[KEYS];
	size_t of[SERVERS + 1] = {0}, weights = 0;

	for (uint64_t key = 0; key < KEYS; key++)
		of[before[key] = key_pick(p, key)]++;
	for (size_t i = 1; i <= SERVERS; i++)
		weights += 1 + i % 4;
	for (size_t i = 1; i <= SERVERS; i++)
		assert_in_range(of[i], KEYS * (1 + i % 4) / weights * 8 / 10,
				KEYS * (1 + i % 4) / weights * 12 / 10);
	lb_server_set_up(g, 5, false);
	commit(g);
	for (uint64_t key = 0; key < KEYS; key++)
		assert_true(before[key] == 5 || key_pick(p, key) == before[key]);
	lb_group_free(g);
}

/* Pointers as ids, heavy weights, more points than the ring holds: shares stay what they are. */
static void great_keys_and_weights_are_scaled(void **state)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = "hash", .flags = LB_GROUP_CONSISTENT};
	struct lb_group *g;
	struct lb_picker *p;
	size_t of[5] = {0};

	assert_int_equal(lb_group_new(&o, &g), 0);
	for (uint64_t i = 1; i <= 4; i++)
		add(g, i << 40, i == 4 ? 65535 : 65535 / 2);
	commit(g);
	p = picker_of(g);
	for (uint32_t key = 0; key < KEYS; key++)
		of[key_pick(p, lb_hash_avalanche(key)) >> 40]++;
	assert_in_range(of[4], KEYS * 38 / 100, KEYS * 42 / 100);
	assert_in_range(of[1], KEYS * 18 / 100, KEYS * 22 / 100);
	lb_group_free(g);
}

static void a_bound_at_or_below_the_share_is_refused(void **state)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = "bounded", .balance_factor = 100};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), -EINVAL);
	o.balance_factor = 65536;
	assert_int_equal(lb_group_new(&o, &g), -EINVAL);
	o.balance_factor = 0;
	o.points = LB_POINTS_MAX + 1;
	assert_int_equal(lb_group_new(&o, &g), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(map_based_is_the_map_of_static_rr),
	    cmocka_unit_test(the_map_keeps_its_length_when_a_divisor_goes_down),
	    cmocka_unit_test(consistent_is_the_nearest_point),
	    cmocka_unit_test(a_full_server_is_waited_for_unless_falling_back),
	    cmocka_unit_test(an_excluded_server_is_left),
	    cmocka_unit_test(without_a_key_they_go_round),
	    cmocka_unit_test(the_bound_is_never_exceeded),
	    cmocka_unit_test(without_load_bounded_is_a_plain_ring),
	    cmocka_unit_test(great_keys_and_weights_are_scaled),
	    cmocka_unit_test(a_bound_at_or_below_the_share_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
