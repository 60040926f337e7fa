/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/heap.h"

#define N 500

/* A small fixed generator: the test is the same on every machine. */
static uint32_t next(uint32_t *x)
{
	*x = *x * 1664525u + 1013904223u;
	return *x >> 8;
}

static void leaves_in_the_order_of_deadlines(void **state)
{
	static struct heap_node node[N];
	struct heap h;
	struct heap_node *first;
	uint32_t seed = 1;
	uint64_t last = 0;
	size_t n = 0;

	heap_init(&h);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(heap_arm(&h, &node[i], next(&seed) % 97), 0);
	for (size_t i = 0; i < N; i += 3) /* re-arm some, cancel some */
		assert_int_equal(heap_arm(&h, &node[i], next(&seed) % 97), 0);
	for (size_t i = 1; i < N; i += 5)
		heap_disarm(&h, &node[i]);
	while ((first = heap_pop_due(&h, 1000))) {
		assert_true(first->deadline_ns >= last);
		assert_int_equal(first->place, 0);
		last = first->deadline_ns;
		n++;
	}
	assert_int_equal(n, N - N / 5);
	heap_fini(&h);
}

static void equal_deadlines_leave_in_the_order_of_arming(void **state)
{
	struct heap_node node[9] = {0};
	struct heap h;

	heap_init(&h);
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(heap_arm(&h, &node[i], 7), 0);
	assert_int_equal(heap_arm(&h, &node[0], 7), 0); /* re-armed: now the last */
	for (size_t i = 1; i < 9; i++)
		assert_ptr_equal(heap_pop_due(&h, 7), &node[i]);
	assert_ptr_equal(heap_pop_due(&h, 7), &node[0]);
	heap_fini(&h);
}

/* Postponed entries lie in the heap under an earlier key: nobody may see that. */
static void any_order_of_calls_gives_what_a_plain_list_would(void **state)
{
	enum { NODES = 64 };
	static struct heap_node node[NODES];
	static uint64_t deadline[NODES], armed[NODES]; /* the list; armed 0: not in it */
	struct heap h;
	uint32_t seed = 7;

	heap_init(&h);
	for (uint64_t call = 1; call <= 20000; call++) {
		size_t i = next(&seed) % NODES, first = NODES;
		uint64_t now_ns = call / 4;

		if (next(&seed) % 8) {
			deadline[i] = now_ns + next(&seed) % 50;
			armed[i] = call;
			assert_int_equal(heap_arm(&h, &node[i], deadline[i]), 0);
		} else {
			armed[i] = 0;
			heap_disarm(&h, &node[i]);
		}
		for (i = 0; i < NODES; i++) {
			if (!armed[i])
				continue;
			if (first == NODES || deadline[i] < deadline[first] ||
			    (deadline[i] == deadline[first] && armed[i] < armed[first]))
				first = i;
		}
		assert_int_equal(heap_deadline(&h), first < NODES ? deadline[first] : HEAP_NEVER);
		assert_ptr_equal(heap_first(&h), first < NODES ? &node[first] : NULL);
		if (first < NODES && deadline[first] <= now_ns) {
			assert_ptr_equal(heap_pop_due(&h, now_ns), &node[first]);
			armed[first] = 0;
		}
	}
	heap_fini(&h);
}

static void nothing_is_due_before_its_time(void **state)
{
	struct heap_node node = {0};
	struct heap h;

	heap_init(&h);
	assert_true(heap_deadline(&h) == HEAP_NEVER);
	assert_int_equal(heap_arm(&h, &node, 10), 0);
	assert_null(heap_pop_due(&h, 9));
	assert_int_equal(heap_deadline(&h), 10);
	assert_ptr_equal(heap_pop_due(&h, 10), &node);
	heap_disarm(&h, &node); /* not armed: nothing happens */
	heap_fini(&h);
}

static void a_reserved_heap_does_not_allocate(void **state)
{
	static struct heap_node node[64];
	struct heap h;
	struct heap_entry *at;

	heap_init(&h);
	assert_int_equal(heap_reserve(&h, 64), 0);
	at = h.at;
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(heap_arm(&h, &node[i], i), 0);
	assert_ptr_equal(h.at, at);
	heap_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_in_the_order_of_deadlines),
		cmocka_unit_test(equal_deadlines_leave_in_the_order_of_arming),
		cmocka_unit_test(any_order_of_calls_gives_what_a_plain_list_would),
		cmocka_unit_test(nothing_is_due_before_its_time),
		cmocka_unit_test(a_reserved_heap_does_not_allocate),
	};

	return cmocka_run_group_tests_name("base/heap", tests, NULL, NULL);
}
