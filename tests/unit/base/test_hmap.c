/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hmap.h"
#include "base/list.h"

struct item {
	uint32_t key;
	struct hmap_node node;
};

static struct item *find(const struct hmap *m, uint32_t key)
{
	uint64_t hash = hmap_hash(&key, sizeof(key), 1);

	for (struct hmap_node *n = hmap_first(m, hash); n; n = hmap_next(n))
		if (container_of(n, struct item, node)->key == key)
			return container_of(n, struct item, node);
	return NULL;
}

static void finds_what_was_added_and_not_what_was_removed(void **state)
{
	static struct item item[1000];
	struct hmap m;

	hmap_init(&m);
	assert_null(find(&m, 1));
	for (uint32_t i = 0; i < 1000; i++) {
		item[i].key = i;
		assert_int_equal(hmap_add(&m, &item[i].node, hmap_hash(&i, sizeof(i), 1)), 0);
	}
	for (uint32_t i = 0; i < 1000; i += 2)
		hmap_remove(&m, &item[i].node);
	assert_int_equal(m.n, 500);
	for (uint32_t i = 0; i < 1000; i++)
		assert_ptr_equal(find(&m, i), i % 2 ? &item[i] : NULL);
	hmap_fini(&m);
}

static void equal_hashes_are_all_walked(void **state)
{
	struct item item[3] = {{.key = 1}, {.key = 2}, {.key = 3}};
	struct hmap m;
	uint32_t sum = 0;

	hmap_init(&m);
	for (int i = 0; i < 3; i++)
		assert_int_equal(hmap_add(&m, &item[i].node, 42), 0);
	for (struct hmap_node *n = hmap_first(&m, 42); n; n = hmap_next(n))
		sum += container_of(n, struct item, node)->key;
	assert_int_equal(sum, 6);
	hmap_fini(&m);
}

static void the_seed_and_every_byte_change_the_hash(void **state)
{
	char key[19] = "eighteen characters";
	uint64_t h = hmap_hash(key, sizeof(key), 1);

	assert_true(h != hmap_hash(key, sizeof(key), 2));
	assert_true(h != hmap_hash(key, sizeof(key) - 1, 1));
	for (size_t i = 0; i < sizeof(key); i++) {
		key[i] ^= 1;
		assert_true(h != hmap_hash(key, sizeof(key), 1));
		key[i] ^= 1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_added_and_not_what_was_removed),
		cmocka_unit_test(equal_hashes_are_all_walked),
		cmocka_unit_test(the_seed_and_every_byte_change_the_hash),
	};

	return cmocka_run_group_tests_name("base/hmap", tests, NULL, NULL);
}
