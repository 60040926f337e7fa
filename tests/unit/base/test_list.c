/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"

struct item {
	int value;
	struct list node;
};

static void keeps_the_order_of_adding(void **state)
{
	struct list head = LIST_INIT(head);
	struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
	struct list *i;
	int want = 1;

	list_add_tail(&head, &b.node);
	list_add_tail(&head, &c.node);
	list_add_head(&head, &a.node);
	list_for_each(i, &head)
		assert_int_equal(container_of(i, struct item, node)->value, want++);
	assert_int_equal(list_count(&head), 3);
}

static void removing_twice_is_harmless(void **state)
{
	struct list head = LIST_INIT(head);
	struct item a = {.value = 1}, b = {.value = 2};

	list_add_tail(&head, &a.node);
	list_add_tail(&head, &b.node);
	list_remove(&a.node);
	list_remove(&a.node);
	assert_int_equal(list_count(&head), 1);
	list_remove(&b.node);
	assert_true(list_empty(&head));
}

static void the_current_element_may_be_removed_in_a_safe_loop(void **state)
{
	struct list head = LIST_INIT(head);
	struct item item[4] = {0};
	struct list *i, *tmp;

	for (int k = 0; k < 4; k++)
		list_add_tail(&head, &item[k].node);
	list_for_each_safe(i, tmp, &head)
		list_remove(i);
	assert_true(list_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_order_of_adding),
		cmocka_unit_test(removing_twice_is_harmless),
		cmocka_unit_test(the_current_element_may_be_removed_in_a_safe_loop),
	};

	return cmocka_run_group_tests_name("base/list", tests, NULL, NULL);
}
