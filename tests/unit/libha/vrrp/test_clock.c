/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vrrp/clock.h"

static void nothing_is_due_on_an_empty_clock(void **state)
{
	struct vrrp_clock c;

	vrrp_clock_init(&c);
	assert_true(vrrp_clock_first_ns(&c) == VRRP_CLOCK_NEVER);
	assert_int_equal(vrrp_clock_first(&c), 0);
}

static void each_vrid_can_be_the_first(void **state)
{
	struct vrrp_clock c;

	for (unsigned vrid = 1; vrid < 256; vrid++) {
		vrrp_clock_init(&c);
		for (unsigned other = 1; other < 256; other++)
			c.at_ns[other] = 1000 + other;
		c.at_ns[vrid] = 7;
		assert_int_equal(vrrp_clock_first_ns(&c), 7);
		assert_int_equal(vrrp_clock_first(&c), vrid);
	}
}

static void of_equal_ones_the_lowest_vrid_is_first(void **state)
{
	struct vrrp_clock c;

	vrrp_clock_init(&c);
	c.at_ns[200] = c.at_ns[9] = c.at_ns[255] = 5;
	assert_int_equal(vrrp_clock_first(&c), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_due_on_an_empty_clock),
		cmocka_unit_test(each_vrid_can_be_the_first),
		cmocka_unit_test(of_equal_ones_the_lowest_vrid_is_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
