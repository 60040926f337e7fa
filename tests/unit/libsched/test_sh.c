/* SPDX-License-Identifier: MIT */
#include "support.h"

#define KEYS 4096

static uint64_t pick_of(struct lb_picker *p, uint64_t key)
{
	struct lb_request r = {.size = sizeof(r), .key64 = key, .flags = LB_REQUEST_UNCOUNTED};
	uint64_t id;

	return lb_pick(p, &r, &id) == 0 ? id : 0;
}

static struct lb_group *without_fallback(const char *algo)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = algo};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), 0);
	return g;
}

/* Key 0 is slot 0, the newest server's. */
static void one_key_one_server(void **state)
{
	struct lb_group *g = GROUP("sh", 1, 1, 1);
	struct lb_picker *p = picker_of(g);

	assert_int_equal(pick_of(p, 0), 3);
	for (uint64_t key = 0; key < 100; key++)
		assert_int_equal(pick_of(p, key), pick_of(p, key));
	lb_group_free(g);
}

static size_t share_of(struct lb_picker *p, uint64_t server)
{
	size_t n = 0;

	for (uint64_t key = 0; key < KEYS; key++)
		n += pick_of(p, key * 0x01000193u) == server;
	return n;
}

static void sh_shares_by_weight_and_dh_does_not(void **state)
{
	struct lb_group *sh = GROUP("sh", 3, 1), *dh = GROUP("dh", 3, 1);

	assert_in_range(share_of(picker_of(sh), 1), KEYS * 70 / 100, KEYS * 80 / 100);
	assert_in_range(share_of(picker_of(dh), 1), KEYS * 45 / 100, KEYS * 55 / 100);
	lb_group_free(sh);
	lb_group_free(dh);
}

static void check_fallback(const char *algo, bool weight_0)
{
	struct lb_group *g = without_fallback(algo);
	struct lb_group_opts o = {.size = sizeof(o), .algo = algo, .flags = LB_GROUP_FALLBACK};
	struct lb_picker *p = picker_of(g);
	uint64_t before[100];

	for (uint64_t id = 1; id <= 3; id++)
		add(g, id, 2);
	commit(g);
	for (uint64_t key = 0; key < 100; key++)
		before[key] = pick_of(p, key);
	if (weight_0)
		lb_server_set_weight(g, 2, 0);
	else
		lb_server_set_maxconn(g, 2, 1), lb_count(p, 2, LB_COUNTER_ACTIVE, 1);
	commit(g);
	for (uint64_t key = 0; key < 100; key++) /* the other slots may move in sh: weights count */
		assert_true(pick_of(p, key) != 2);
	assert_true(share_of(p, 0) > KEYS / 10); /* refused */
	assert_int_equal(lb_group_configure(g, &o), 0);
	commit(g);
	assert_int_equal(share_of(p, 0), 0);
	assert_int_equal(share_of(p, 2), 0);
	for (uint64_t key = 0; key < 100 && !weight_0; key++)
		if (before[key] != 2)
			assert_int_equal(pick_of(p, key), before[key]);
	lb_group_free(g);
}

static void without_fallback_the_keys_of_a_closed_server_are_refused(void **state)
{
	check_fallback("sh", true);
	check_fallback("sh", false);
	check_fallback("dh", true);
	check_fallback("dh", false);
}

static void who_is_down_is_out_of_the_table(void **state)
{
	struct lb_group *g = without_fallback("sh");
	struct lb_picker *p = picker_of(g);

	for (uint64_t id = 1; id <= 3; id++)
		add(g, id, 1);
	lb_server_set_up(g, 2, false);
	commit(g);
	assert_int_equal(share_of(p, 0), 0);
	assert_int_equal(share_of(p, 2), 0);
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_key_one_server),
	    cmocka_unit_test(sh_shares_by_weight_and_dh_does_not),
	    cmocka_unit_test(without_fallback_the_keys_of_a_closed_server_are_refused),
	    cmocka_unit_test(who_is_down_is_out_of_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
