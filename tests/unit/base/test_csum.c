/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/csum.h"

/* The worked example of RFC 1071, section 3. */
static void matches_the_example_of_the_rfc(void **state)
{
	const uint8_t data[8] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	assert_int_equal(csum_finish(csum_add(0, data, sizeof(data))), (uint16_t)~0xddf2);
}

static void pieces_sum_as_the_whole(void **state)
{
	const uint8_t data[7] = {1, 2, 3, 4, 5, 6, 7};

	assert_int_equal(csum_finish(csum_add(csum_add(0, data, 4), data + 4, 3)),
			 csum_finish(csum_add(0, data, 7)));
}

static void data_with_its_checksum_gives_zero(void **state)
{
	uint8_t data[6] = {0xff, 0xff, 0x12, 0x34, 0, 0};
	uint16_t sum = csum_finish(csum_add(0, data, sizeof(data)));

	data[4] = (uint8_t)(sum >> 8);
	data[5] = (uint8_t)sum;
	assert_int_equal(csum_finish(csum_add(0, data, sizeof(data))), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_the_example_of_the_rfc),
		cmocka_unit_test(pieces_sum_as_the_whole),
		cmocka_unit_test(data_with_its_checksum_gives_zero),
	};

	return cmocka_run_group_tests_name("base/csum", tests, NULL, NULL);
}
