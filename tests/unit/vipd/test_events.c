/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/events.h"

static int told;

static void count(void *userdata, const char *line)
{
	told++;
}

static json_int_t number_of(const json_t *list, size_t i)
{
	return json_integer_value(json_object_get(json_array_get(list, i), "number"));
}

static void the_last_are_kept_in_order(void **state)
{
	struct events e = {.fn = count};
	json_t *list;

	told = 0;
	for (int i = 0; i < EVENTS_MAX + 10; i++)
		events_add(&e, json_pack("{s:s, s:i}", "type", i % 2 ? "odd" : "even", "i", i));
	assert_int_equal(told, EVENTS_MAX + 10);
	list = events_last(&e, NULL, NULL, SIZE_MAX);
	assert_int_equal(json_array_size(list), EVENTS_MAX);
	assert_int_equal(number_of(list, 0), 11);
	assert_int_equal(number_of(list, EVENTS_MAX - 1), EVENTS_MAX + 10);
	json_decref(list);
	list = events_last(&e, "type", "odd", 3);
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(number_of(list, 2), EVENTS_MAX + 10);
	assert_int_equal(number_of(list, 0), EVENTS_MAX + 6);
	json_decref(list);
	events_fini(&e);
}

static void none_is_an_empty_list(void **state)
{
	struct events e = {0};
	json_t *list = events_last(&e, NULL, NULL, 10);

	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	events_add(&e, NULL); /* no memory: nothing happened */
	assert_int_equal(e.next, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_last_are_kept_in_order),
	    cmocka_unit_test(none_is_an_empty_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
