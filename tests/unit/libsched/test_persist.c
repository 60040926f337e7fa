/* SPDX-License-Identifier: MIT */
/* The table of keys, also against a slow model, and keys of masked addresses. */
#include <libsched/lb_persist.h>

#include "support.h"

static int sessions[8]; /* by server, as on_change tells */

static void count_sessions(uint64_t id, int by, void *userdata)
{
	assert_ptr_equal(userdata, sessions);
	assert_in_range(id, 1, 7);
	sessions[id] += by;
	assert_true(sessions[id] >= 0);
}

static struct lb_persist *table(uint32_t entries, uint64_t timeout_ns)
{
	struct lb_persist_opts o = {
	    .size = sizeof(o),
	    .entries = entries,
	    .timeout_ns = timeout_ns,
	    .seed = 42,
	    .on_change = count_sessions,
	    .userdata = sessions,
	};
	struct lb_persist *t;

	memset(sessions, 0, sizeof(sessions));
	assert_int_equal(lb_persist_new(&o, &t), 0);
	return t;
}

/* 0: none. */
static uint64_t get(struct lb_persist *t, uint64_t key, uint64_t now_ns)
{
	uint64_t id = 0;
	int r = lb_persist_get(t, key, now_ns, &id);

	assert_true(r == 0 || r == -ENOENT);
	return r == 0 ? id : 0;
}

static void a_key_finds_its_server(void **state)
{
	struct lb_persist *t = table(4, 0);

	assert_int_equal(get(t, 5, 0), 0);
	assert_int_equal(lb_persist_put(t, 5, 1, 0), 0);
	assert_int_equal(get(t, 5, 0), 1);
	assert_int_equal(lb_persist_put(t, 5, 2, 0), 0);
	assert_int_equal(get(t, 5, 0), 2);
	assert_int_equal(sessions[1], 0);
	assert_int_equal(sessions[2], 1);
	assert_int_equal(lb_persist_remove(t, 5), 0);
	assert_int_equal(lb_persist_remove(t, 5), -ENOENT);
	assert_int_equal(sessions[2], 0);
	lb_persist_free(t);
}

static void use_keeps_an_entry_and_time_ends_it(void **state)
{
	struct lb_persist *t = table(4, 100);
	struct lb_persist_stats s = {.size = sizeof(s)};

	lb_persist_put(t, 5, 1, 1000);
	assert_int_equal(get(t, 5, 1099), 1);
	assert_int_equal(get(t, 5, 1198), 1);
	assert_int_equal(get(t, 5, 900), 1); /* a clock that goes back takes nothing away */
	assert_int_equal(get(t, 5, 1298), 0);
	assert_int_equal(lb_persist_stats(t, &s), 0);
	assert_int_equal(s.expired, 1);
	assert_int_equal(s.hits, 3);
	assert_int_equal(s.used, 0);
	lb_persist_free(t);
}

static void the_default_is_three_minutes(void **state)
{
	struct lb_persist *t = table(1, 0);

	lb_persist_put(t, 5, 1, 1);
	assert_int_equal(get(t, 5, UINT64_C(180000000000)), 1);
	assert_int_equal(get(t, 5, UINT64_C(360000000001)), 0);
	lb_persist_free(t);
}

static void the_one_not_used_for_longest_gives_way(void **state)
{
	struct lb_persist *t = table(3, 0);
	struct lb_persist_stats s = {.size = sizeof(s)};

	for (uint64_t key = 1; key <= 3; key++)
		lb_persist_put(t, key, key, key);
	assert_int_equal(get(t, 1, 4), 1);
	lb_persist_put(t, 4, 4, 5);
	assert_int_equal(get(t, 2, 6), 0);
	assert_int_equal(get(t, 1, 6), 1);
	assert_int_equal(get(t, 3, 6), 3);
	assert_int_equal(get(t, 4, 6), 4);
	assert_int_equal(lb_persist_stats(t, &s), 0);
	assert_int_equal(s.evicted, 1);
	assert_int_equal(s.used, 3);
	assert_int_equal(sessions[2], 0);
	lb_persist_free(t);
}

static void a_server_is_forgotten_with_all_its_keys(void **state)
{
	struct lb_persist *t = table(100, 0);

	for (uint64_t key = 0; key < 100; key++)
		lb_persist_put(t, key, 1 + key % 3, 0);
	assert_int_equal(sessions[2], 33);
	assert_int_equal(lb_persist_forget(t, 2), 33);
	assert_int_equal(sessions[2], 0);
	for (uint64_t key = 0; key < 100; key++)
		assert_int_equal(get(t, key, 0), key % 3 == 1 ? 0 : 1 + key % 3);
	lb_persist_free(t);
}

#define MODEL_KEYS 40
#define MODEL_ENTRIES 16

struct model {
	uint64_t id[MODEL_KEYS], used[MODEL_KEYS], turn[MODEL_KEYS]; /* id 0: not there */
};

static void model_put(struct model *m, uint64_t key, uint64_t id, uint64_t now, uint64_t turn)
{
	uint64_t oldest = MODEL_KEYS, n = 0;

	for (uint64_t k = 0; k < MODEL_KEYS; k++) {
		n += m->id[k] != 0;
		if (m->id[k] && (oldest == MODEL_KEYS || m->turn[k] < m->turn[oldest]))
			oldest = k;
	}
	if (!m->id[key] && n == MODEL_ENTRIES)
		m->id[oldest] = 0;
	m->id[key] = id;
	m->used[key] = now;
	m->turn[key] = turn;
}

static void it_is_the_slow_model(void **state)
{
	struct lb_persist *t = table(MODEL_ENTRIES, 300);
	struct model m = {{0}, {0}, {0}};
	uint32_t random = 1;
	uint64_t now = 0;

	for (uint64_t turn = 1; turn < 50000; turn++) {
		uint64_t key = draw(&random, MODEL_KEYS), id = 1 + draw(&random, 7);

		now += draw(&random, 20);
		if (draw(&random, 3) == 0) {
			lb_persist_put(t, key, id, now);
			model_put(&m, key, id, now, turn);
		} else if (draw(&random, 50) == 0) {
			lb_persist_forget(t, id);
			for (size_t k = 0; k < MODEL_KEYS; k++)
				m.id[k] = m.id[k] == id ? 0 : m.id[k];
		} else {
			if (m.id[key] && now - m.used[key] >= 300)
				m.id[key] = 0;
			assert_int_equal(get(t, key, now), m.id[key]);
			m.used[key] = now;
			m.turn[key] = turn;
		}
		if (turn % 100)
			continue;
		for (uint64_t i = 1; i <= 7; i++) {
			int n = 0;

			for (size_t k = 0; k < MODEL_KEYS; k++)
				n += m.id[k] == i;
			assert_int_equal(sessions[i], n);
		}
	}
	lb_persist_free(t);
}

static void addresses_are_masked(void **state)
{
	const uint8_t a[4] = {192, 0, 2, 1}, b[4] = {192, 0, 2, 200}, c[4] = {192, 0, 3, 1};
	const uint8_t six[16] = {192, 0, 2, 1};
	uint64_t ka, kb, kc, k6;

	assert_int_equal(lb_persist_key(a, 4, 24, &ka), 0);
	assert_int_equal(lb_persist_key(b, 4, 24, &kb), 0);
	assert_int_equal(lb_persist_key(c, 4, 24, &kc), 0);
	assert_int_equal(lb_persist_key(six, 16, 24, &k6), 0);
	assert_int_equal(ka, kb);
	assert_int_not_equal(ka, kc);
	assert_int_not_equal(ka, k6);
	assert_int_equal(lb_persist_key(a, 4, 23, &ka), 0);
	assert_int_equal(lb_persist_key(c, 4, 23, &kc), 0);
	assert_int_equal(ka, kc);
	assert_int_equal(lb_persist_key(a, 4, 32, &ka), 0);
	assert_int_equal(lb_persist_key(b, 4, 32, &kb), 0);
	assert_int_not_equal(ka, kb);
	assert_int_equal(lb_persist_key(a, 4, 0, &ka), 0);
	assert_int_equal(lb_persist_key(c, 4, 0, &kc), 0);
	assert_int_equal(ka, kc);
	assert_int_equal(lb_persist_key(a, 4, 33, &ka), -EINVAL);
	assert_int_equal(lb_persist_key(a, 5, 8, &ka), -EINVAL);
	assert_int_equal(lb_persist_key(NULL, 4, 8, &ka), -EINVAL);
}

static void misuse_is_einval(void **state)
{
	struct lb_persist_opts o = {.size = sizeof(o)};
	struct lb_persist *t;
	uint64_t id;

	assert_int_equal(lb_persist_new(&o, &t), -EINVAL);
	o.entries = LB_PERSIST_ENTRIES_MAX + 1;
	assert_int_equal(lb_persist_new(&o, &t), -EINVAL);
	assert_int_equal(lb_persist_new(NULL, &t), -EINVAL);
	lb_persist_free(NULL);
	t = table(1, 0);
	assert_int_equal(lb_persist_put(t, 1, 0, 0), -EINVAL);
	assert_int_equal(lb_persist_put(NULL, 1, 1, 0), -EINVAL);
	assert_int_equal(lb_persist_get(NULL, 1, 0, &id), -EINVAL);
	assert_int_equal(lb_persist_get(t, 1, 0, NULL), -EINVAL);
	assert_int_equal(lb_persist_forget(t, 0), -EINVAL);
	assert_int_equal(lb_persist_remove(NULL, 1), -EINVAL);
	assert_int_equal(lb_persist_stats(t, NULL), -EINVAL);
	lb_persist_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_finds_its_server),
	    cmocka_unit_test(use_keeps_an_entry_and_time_ends_it),
	    cmocka_unit_test(the_default_is_three_minutes),
	    cmocka_unit_test(the_one_not_used_for_longest_gives_way),
	    cmocka_unit_test(a_server_is_forgotten_with_all_its_keys),
	    cmocka_unit_test(it_is_the_slow_model),
	    cmocka_unit_test(addresses_are_masked),
	    cmocka_unit_test(misuse_is_einval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
