/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sized.h"

/* The compiler shall not see the caller's struct through the call, as it would not across a library. */
static const void *over_the_border(const void *p)
{
	const void *volatile there = p;

	return there;
}

struct v1 {
	size_t size;
	uint64_t a;
};

struct v2 {
	size_t size;
	uint64_t a, b;
};

static void an_older_caller_gets_the_default_of_what_is_new(void **state)
{
	struct v1 given = {.size = sizeof(given), .a = 5};
	struct v2 own = {.b = 9};

	assert_int_equal(sized_in(&own, sizeof(own), over_the_border(&given)), 0);
	assert_int_equal(own.size, sizeof(own));
	assert_int_equal(own.a, 5);
	assert_int_equal(own.b, 0);
}

static void a_newer_caller_is_served_while_he_asks_for_nothing_new(void **state)
{
	struct v2 given = {.size = sizeof(given), .a = 5};
	struct v1 own = {0};

	assert_int_equal(sized_in(&own, sizeof(own), over_the_border(&given)), 0);
	assert_int_equal(own.a, 5);
	given.b = 1;
	assert_int_equal(sized_in(&own, sizeof(own), over_the_border(&given)), -E2BIG);
}

static void no_struct_and_no_size_are_refused(void **state)
{
	struct v1 given = {.size = sizeof(size_t) - 1}, own = {0};

	assert_int_equal(sized_in(&own, sizeof(own), NULL), -EINVAL);
	assert_int_equal(sized_in(&own, sizeof(own), over_the_border(&given)), -EINVAL);
	assert_int_equal(sized_out(NULL, &own, sizeof(own)), -EINVAL);
	assert_int_equal(sized_out(&given, &own, sizeof(own)), -EINVAL);
}

static void output_is_filled_up_to_the_callers_size(void **state)
{
	struct v2 own = {.size = sizeof(own), .a = 1, .b = 2}, big = {.size = sizeof(big), .b = 7};
	struct v1 small = {.size = sizeof(small)}, v1 = {.size = sizeof(v1), .a = 3};

	assert_int_equal(sized_out(&small, &own, sizeof(own)), 0);
	assert_int_equal(small.a, 1);
	assert_int_equal(small.size, sizeof(small));
	assert_int_equal(sized_out(&big, &v1, sizeof(v1)), 0);
	assert_int_equal(big.a, 3);
	assert_int_equal(big.b, 0);
	assert_int_equal(big.size, sizeof(big));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_older_caller_gets_the_default_of_what_is_new),
		cmocka_unit_test(a_newer_caller_is_served_while_he_asks_for_nothing_new),
		cmocka_unit_test(no_struct_and_no_size_are_refused),
		cmocka_unit_test(output_is_filled_up_to_the_callers_size),
	};

	return cmocka_run_group_tests_name("base/sized", tests, NULL, NULL);
}
