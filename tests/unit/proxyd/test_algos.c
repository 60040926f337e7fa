/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "engine/algos.h"

/* Servers with ids 1, 2, … and these weights. */
static struct lb_picker *group(const char *algo, const uint32_t *weight, size_t n, uint32_t maxconn,
			       struct lb_group **ret)
{
	struct lb_group_opts o = {.size = sizeof(o), .own_algo = own_algo_find(algo)};
	struct lb_picker *p;

	assert_non_null(o.own_algo);
	assert_int_equal(lb_group_new(&o, ret), 0);
	for (size_t i = 0; i < n; i++) {
		struct lb_server_opts s = {
		    .size = sizeof(s), .id = i + 1, .weight = weight[i], .maxconn = maxconn};

		assert_int_equal(lb_server_add(*ret, &s, NULL), 0);
	}
	assert_int_equal(lb_group_commit(*ret), 0);
	assert_int_equal(lb_picker_new(*ret, &p), 0);
	return p;
}

static uint64_t pick(struct lb_picker *p, uint64_t key)
{
	struct lb_request r = {.size = sizeof(r), .key64 = key};
	uint64_t id = 0;
	int e = lb_pick(p, &r, &id);

	return e < 0 ? 1000u + (unsigned)-e : id;
}

static void source_gives_each_weight_its_share(void **state)
{
	const uint32_t weight[] = {2, 3, 1};
	unsigned n[4] = {0};
	struct lb_group *g;
	struct lb_picker *p = group("source", weight, 3, 0, &g);

	for (uint64_t key = 0; key < 600; key++)
		n[pick(p, key)]++;
	assert_int_equal(n[1], 200);
	assert_int_equal(n[2], 300);
	assert_int_equal(n[3], 100);
	lb_group_free(g);
}

static void source_stays(void **state)
{
	const uint32_t weight[] = {1, 1, 1};
	struct lb_group *g;
	struct lb_picker *p = group("source", weight, 3, 0, &g);
	uint64_t id = pick(p, 12345);

	for (int i = 0; i < 10; i++)
		assert_int_equal(pick(p, 12345), id);
	lb_group_free(g);
}

static void source_hands_on_what_a_full_server_cannot_take(void **state)
{
	const uint32_t weight[] = {1, 1};
	struct lb_group *g;
	struct lb_picker *p = group("source", weight, 2, 1, &g);

	assert_int_equal(pick(p, 0), 1);
	assert_int_equal(pick(p, 0), 2);
	assert_int_equal(pick(p, 0), 1000 + EAGAIN);
	lb_group_free(g);
}

static void without_servers_there_is_no_choice(void **state)
{
	struct lb_group *g;
	struct lb_picker *p = group("source", NULL, 0, 0, &g);

	assert_int_equal(pick(p, 5), 1000 + ENOSR);
	lb_group_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(source_gives_each_weight_its_share),
	    cmocka_unit_test(source_stays),
	    cmocka_unit_test(source_hands_on_what_a_full_server_cannot_take),
	    cmocka_unit_test(without_servers_there_is_no_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
