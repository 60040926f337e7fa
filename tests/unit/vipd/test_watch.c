/* SPDX-License-Identifier: MIT */
/* The number in a track_file is what keepalived takes it for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "watch/watch.h"

static void a_number_begins_the_file(void **state)
{
	static const struct {
		const char *text;
		int result;
		int32_t number;
	} of[] = {{"5\n", 0, 5},      {" \n-7\n9\n", 0, -7},  {"15x", 0, 15}, {"15 up", 0, 15},
		  {"0.52 0.40", 0, 0}, {"7.9", 0, 7},	      {"+7", 0, 7},   {"0x10", 0, 16},
		  {"010", 0, 8},       {"2147483647", 0, INT32_MAX}, {"2147483648", -ERANGE, 0},
		  {"-99999999999999999999", -ERANGE, 0}, {"abc5", -EINVAL, 0}, {"- 5", -EINVAL, 0}, {" ", -EINVAL, 0}, {"", -EINVAL, 0}};

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
		int32_t number = 0;

		assert_int_equal(watch_number(of[i].text, strlen(of[i].text), &number), of[i].result);
		assert_int_equal(number, of[i].number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_number_begins_the_file)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
