/* SPDX-License-Identifier: MIT */
/* lb_pick_many() chooses what as many lb_pick() would, and lb_group_slots() shows what they look at. */
#include <stdlib.h>

#include "support.h"

#define BURST 200 /* more than the library takes at a time */
#define SERVERS 9

/* Two groups of one kind, so that one can be asked one by one and the other in bursts. */
static struct lb_group *twin(const char *algo, uint32_t maxconn)
{
	struct lb_group *g = group_new(algo);

	for (uint64_t id = 1; id <= SERVERS; id++) {
		struct lb_server_opts s = {.size = sizeof(s),
					   .id = id,
					   .weight = (uint32_t)(1 + id * 5 % 4),
					   .maxconn = maxconn};

		assert_int_equal(lb_server_add(g, &s, NULL), 0);
	}
	commit(g);
	return g;
}

static ssize_t pick_singly(struct lb_picker *p, const struct lb_request *r, const uint64_t *key,
			   size_t n, uint64_t *ret_ids)
{
	ssize_t got = 0;

	for (size_t i = 0; i < n; i++) {
		struct lb_request each = *r;

		if (key)
			each.key64 = key[i];
		ret_ids[i] = 0;
		got += lb_pick(p, &each, &ret_ids[i]) == 0;
	}
	return got;
}

static void assert_same_counts(const struct lb_group *g, const struct lb_group *h)
{
	for (uint64_t id = 1; id <= SERVERS; id++) {
		assert_int_equal(stats_of(g, id).active, stats_of(h, id).active);
		assert_int_equal(stats_of(g, id).picks, stats_of(h, id).picks);
	}
}

static void make_keys(uint32_t *x, uint64_t *key, size_t n)
{
	for (size_t i = 0; i < n; i++)
		key[i] = (uint64_t)draw(x, 1000) << 32 | draw(x, 1000);
}

static void compare(const char *algo, uint32_t maxconn, const struct lb_request *r, bool keys)
{
	struct lb_group *g = twin(algo, maxconn), *h = twin(algo, maxconn);
	struct lb_picker *one = picker_of(g), *many = picker_of(h);
	uint64_t key[BURST], expected[BURST], got[BURST];
	uint32_t x = 7;

	for (int round = 0; round < 3; round++) {
		ssize_t n;

		make_keys(&x, key, BURST);
		n = pick_singly(one, r, keys ? key : NULL, BURST, expected);
		assert_int_equal(lb_pick_many(many, r, keys ? key : NULL, BURST, got), n);
		assert_memory_equal(got, expected, sizeof(got));
		assert_same_counts(g, h);
	}
	lb_group_free(g);
	lb_group_free(h);
}

static void many_are_as_many_single_ones(void **state)
{
	const uint64_t exclude[] = {2, 5};
	struct lb_request r = {.size = sizeof(r)};

	for (size_t a = 0; lb_algo_name(a); a++) {
		const char *algo = lb_algo_name(a);

		r = (struct lb_request){.size = sizeof(r)};
		compare(algo, 0, &r, true);
		compare(algo, 0, &r, false);
		compare(algo, 20, &r, true); /* all are full before the end */
		r.flags = LB_REQUEST_UNCOUNTED;
		compare(algo, 0, &r, true);
		r = (struct lb_request){.size = sizeof(r), .exclude = exclude, .n_exclude = 2};
		compare(algo, 0, &r, true);
		r = (struct lb_request){.size = sizeof(r), .prefer = 3};
		compare(algo, 20, &r, true);
		r = (struct lb_request){.size = sizeof(r), .seed = 99};
		compare(algo, 0, &r, true);
	}
}

/* What happens between two bursts: ends and single picks through any picker, another weight. */
static void live_on(struct lb_group *const g[2], struct lb_picker *p[2][2], size_t pickers,
		    const uint64_t *ids, size_t n, uint32_t *x)
{
	const uint64_t id = 1 + draw(x, SERVERS);
	uint64_t got[2] = {0, 0};
	size_t k;

	for (size_t i = 0; i < n; i++) {
		k = draw(x, (uint32_t)pickers);
		if (!ids[i] || !draw(x, 4)) /* it lasts */
			continue;
		assert_int_equal(lb_done(p[0][k], ids[i], NULL), 0);
		assert_int_equal(lb_done(p[1][k], ids[i], NULL), 0);
	}
	for (uint32_t i = draw(x, 4); i > 0; i--) {
		k = draw(x, (uint32_t)pickers);
		assert_int_equal(lb_pick(p[0][k], NULL, &got[0]), lb_pick(p[1][k], NULL, &got[1]));
		assert_int_equal(got[0], got[1]);
	}
	if (draw(x, 20))
		return;
	for (size_t side = 0; side < 2; side++) {
		assert_int_equal(lb_server_set_weight(g[side], id, 1 + id % 4), 0);
		commit(g[side]);
	}
}

static ssize_t look_at_the_sum(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	*(uint32_t *)lb_snapshot_userdata(s) = lb_snapshot_active(s);
	return 0;
}

/* The sum over all servers is counted apart, and shows itself to algorithms alone. */
static void assert_sum_is_right(struct lb_group *g, struct lb_picker *p)
{
	const struct lb_algo own = {.size = sizeof(own), .name = "own", .pick = look_at_the_sum};
	uint32_t seen = 0, sum = 0;
	struct lb_group_opts o = {.size = sizeof(o), .own_algo = &own, .own_userdata = &seen};
	uint64_t got;

	for (uint64_t id = 1; id <= SERVERS; id++)
		sum += stats_of(g, id).active;
	assert_int_equal(lb_group_configure(g, &o), 0);
	commit(g);
	assert_int_equal(lb_pick(p, NULL, &got), 0);
	assert_int_equal(seen, sum);
}

/* Bursts of every length, half of them without keys; some with a seed, some not counted. */
static void mix(const char *algo, size_t pickers)
{
	struct lb_group *const g[2] = {twin(algo, 0), twin(algo, 0)};
	uint64_t key[BURST], expected[BURST], got[BURST];
	struct lb_picker *p[2][2];
	uint32_t x = 7;

	for (size_t k = 0; k < 2 * pickers; k++)
		p[k % 2][k / 2] = picker_of(g[k % 2]);
	for (size_t n = 1; n <= BURST; n++) {
		const size_t k = draw(&x, (uint32_t)pickers);
		const uint64_t *const keys = draw(&x, 2) ? key : NULL;
		struct lb_request r = {.size = sizeof(r),
				       .seed = draw(&x, 8) ? 0 : n,
				       .flags = draw(&x, 4) ? 0 : LB_REQUEST_UNCOUNTED};
		ssize_t some;

		make_keys(&x, key, n);
		memset(got, 0xff, sizeof(got));
		some = pick_singly(p[0][k], &r, keys, n, expected);
		assert_int_equal(lb_pick_many(p[1][k], &r, keys, n, got), some);
		assert_memory_equal(got, expected, n * sizeof(*got));
		live_on(g, p, pickers, expected, r.flags ? 0 : n, &x);
		assert_same_counts(g[0], g[1]);
	}
	assert_sum_is_right(g[1], p[1][0]);
	lb_group_free(g[0]);
	lb_group_free(g[1]);
}

static void bursts_of_any_length_go_with_all_else(void **state)
{
	for (size_t a = 0; lb_algo_name(a); a++) {
		mix(lb_algo_name(a), 1);
		mix(lb_algo_name(a), 2);
	}
}

static void keys_and_ids_may_share_their_memory(void **state)
{
	struct lb_group *g = twin("maglev", 0);
	struct lb_picker *p = picker_of(g);
	struct lb_request r = {.size = sizeof(r), .flags = LB_REQUEST_UNCOUNTED};
	uint64_t both[BURST];

	for (size_t i = 0; i < BURST; i++)
		both[i] = i * i;
	assert_int_equal(lb_pick_many(p, &r, both, BURST, both), BURST);
	for (size_t i = 0; i < BURST; i++)
		assert_int_equal(both[i], key_pick(p, i * i));
	lb_group_free(g);
}

/* Places that are none, after the first. */
static void beyond_the_end(const struct lb_snapshot *s, void *cursor, const struct lb_query *q,
			   const uint64_t *key64, size_t n, uint32_t *ret_places)
{
	for (size_t i = 0; i < n; i++)
		ret_places[i] = i ? (uint32_t)lb_snapshot_count(s) + (uint32_t)i : 0;
}

static ssize_t the_first(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	return 0;
}

static void an_own_algorithm_cannot_choose_what_is_not_there(void **state)
{
	const struct lb_algo own = {
	    .size = sizeof(own), .name = "own", .pick = the_first, .pick_many = beyond_the_end};
	struct lb_group_opts o = {.size = sizeof(o), .own_algo = &own};
	uint64_t key[3] = {1, 2, 3}, id[3];
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), 0);
	add(g, 5, 1);
	commit(g);
	assert_int_equal(lb_pick_many(picker_of(g), NULL, key, 3, id), 1);
	assert_int_equal(id[0], 5);
	assert_int_equal(id[1] | id[2], 0);
	assert_int_equal(stats_of(g, 5).active, 1);
	lb_group_free(g);
}

static void wrong_arguments_choose_nothing(void **state)
{
	struct lb_group *g = twin("maglev", 0);
	struct lb_picker *p = picker_of(g);
	struct lb_request r = {.size = sizeof(r), .flags = 1u << 31};
	uint64_t key[2] = {1, 2}, id[2] = {77, 77};

	assert_int_equal(lb_pick_many(NULL, NULL, key, 2, id), -EINVAL);
	assert_int_equal(lb_pick_many(p, NULL, key, 2, NULL), -EINVAL);
	assert_int_equal(lb_pick_many(p, NULL, key, SIZE_MAX, id), -EINVAL);
	assert_int_equal(lb_pick_many(p, &r, key, 2, id), -EINVAL);
	assert_int_equal(id[0], 77);
	assert_int_equal(lb_pick_many(p, NULL, NULL, 0, NULL), 0);
	lb_group_close(g);
	assert_int_equal(lb_pick_many(p, NULL, key, 2, id), -ESHUTDOWN);
	lb_picker_free(p);
	g = group_new("maglev");
	p = picker_of(g);
	assert_int_equal(lb_pick_many(p, NULL, key, 2, id), 0); /* nobody is there */
	assert_int_equal(id[0] | id[1], 0);
	lb_group_free(g);
}

static void slots_show_each_server_its_share(void **state)
{
	static const struct {
		const char *algo;
		ssize_t slots;
	} expected[] = {{"maglev", 65537}, {"mh", 4093}, {"sh", 256}, {"dh", 256}};
	uint64_t *id = calloc(65537, sizeof(*id));

	for (size_t k = 0; k < 4; k++) {
		struct lb_group *g = GROUP(expected[k].algo, 1, 2, 3);
		size_t of[4] = {0};

		assert_int_equal(lb_group_slots(g, NULL, 0), expected[k].slots);
		assert_int_equal(lb_group_slots(g, id, 65537), expected[k].slots);
		for (ssize_t i = 0; i < expected[k].slots; i++) {
			assert_in_range(id[i], 1, 3);
			of[id[i]]++;
		}
		if (k < 3) /* dh knows no weight */
			for (size_t w = 1; w <= 3; w++)
				assert_in_range(of[w] * 6 * 100 / (w * (size_t)expected[k].slots),
						97, 103);
		lb_group_free(g);
	}
	free(id);
}

static void slots_are_where_maglev_looks(void **state)
{
	struct lb_group *g = twin("maglev", 0);
	uint64_t *before = calloc(65537, sizeof(*before)), *after = calloc(65537, sizeof(*after));
	size_t moved = 0;

	lb_group_slots(g, before, 65537);
	lb_server_set_up(g, 4, false);
	lb_group_slots(g, after, 65537);
	assert_memory_equal(before, after, 65537 * sizeof(*after)); /* not yet committed */
	commit(g);
	lb_group_slots(g, after, 65537);
	for (size_t i = 0; i < 65537; i++) {
		assert_int_not_equal(after[i], 4);
		moved += before[i] != 4 && before[i] != after[i];
	}
	assert_in_range(moved, 0, 65537 / 50);
	free(before);
	free(after);
	lb_group_free(g);
}

static void groups_without_slots_say_so(void **state)
{
	struct lb_group *g = GROUP("rr", 1), *none = group_new("maglev");
	uint64_t id[2] = {9, 9};

	assert_int_equal(lb_group_slots(g, id, 2), -EOPNOTSUPP);
	assert_int_equal(lb_group_slots(NULL, id, 2), -EINVAL);
	assert_int_equal(lb_group_slots(none, NULL, 2), -EINVAL);
	assert_int_equal(lb_group_slots(none, id, 2), 65537);
	assert_int_equal(id[0] | id[1], 0);
	lb_group_free(g);
	lb_group_free(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(many_are_as_many_single_ones),
	    cmocka_unit_test(bursts_of_any_length_go_with_all_else),
	    cmocka_unit_test(keys_and_ids_may_share_their_memory),
	    cmocka_unit_test(an_own_algorithm_cannot_choose_what_is_not_there),
	    cmocka_unit_test(wrong_arguments_choose_nothing),
	    cmocka_unit_test(slots_show_each_server_its_share),
	    cmocka_unit_test(slots_are_where_maglev_looks),
	    cmocka_unit_test(groups_without_slots_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
