/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/patience.h"

#define S UINT64_C(1000000000)

static void test_it_gives_way(void **state)
{
	static const uint64_t wanted_s[] = {2, 4, 8, 16, 32, 60, 60};
	uint64_t gap_ns = PATIENCE_GAP_NS;

	(void)state;
	for (size_t i = 0; i < sizeof(wanted_s) / sizeof(*wanted_s); i++) {
		gap_ns = patience_next(gap_ns, true, false);
		assert_int_equal(gap_ns, wanted_s[i] * S);
	}
}

static void test_it_is_quick_after_a_quiet_time(void **state)
{
	(void)state;
	assert_true(patience_is_calm(0, 5 * S));
	assert_false(patience_is_calm(5 * S, 5 * S + 90 * S)); /* longer than the longest gap: the other one may come after each repair */
	assert_true(patience_is_calm(5 * S, 5 * S + 121 * S));
	assert_int_equal(patience_next(16 * S, false, false), 16 * S);
	assert_int_equal(patience_next(16 * S, false, true), PATIENCE_GAP_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_gives_way),
	    cmocka_unit_test(test_it_is_quick_after_a_quiet_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
