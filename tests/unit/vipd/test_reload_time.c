/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "reload_time.h"

#define NOW 1795910400 /* 2026-11-29 00:00:00 UTC, a Sunday; winter in Berlin: 01:00:00 */

static time_t at(const char *line)
{
	time_t t = -1;

	return reload_time_read(line, strlen(line), NOW, &t) ? t : -1;
}

static void each_form_is_read(void **state)
{
	assert_int_equal(at("00:00:01Z"), NOW + 1);
	assert_int_equal(at("26-11-29 12:00:00Z"), NOW + 12 * 3600);
	assert_int_equal(at("2026-11-29 12:00:00Z\n"), NOW + 12 * 3600);
	assert_int_equal(at("2026-11-28 23:59:59Z"), NOW - 1); /* gone by, which the caller says */
	assert_int_equal(at("01:00:01"), NOW + 1);
	assert_int_equal(at("2026-07-01 02:00:00\nmore"), at("2026-07-01 00:00:00Z"));
}

static void a_time_of_day_that_has_gone_by_is_tomorrows(void **state)
{
	assert_int_equal(at("00:00:00Z"), NOW + 86400);
	assert_int_equal(at("00:59:59"), NOW + 86400 - 1);
	assert_int_equal(at("23:59:59Z"), NOW + 86399);
}

static void nothing_else_is_a_time(void **state)
{
	static const char *const lines[] = {"",
					    "\n",
					    "Z",
					    "now",
					    "1:00:00",
					    " 01:00:00",
					    "01:00:00 ",
					    "01:00:00ZZ",
					    "24:00:00Z",
					    "01:60:00",
					    "01:00:60Z",
					    "2026-02-30 00:00:00Z",
					    "2026-13-01 00:00:00Z",
					    "2026-00-01 00:00:00Z",
					    "2026-11-29  00:00:00",
					    "126-11-29 00:00:00",
					    "01-00-00",
					    "2026-11-29T00:00:00Z",
					    "01:00:0\xff"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		assert_int_equal(at(lines[i]), -1);
}

static void it_ends_where_the_bytes_end(void **state)
{
	time_t t;

	assert_true(reload_time_read("12:00:00Z", 9, NOW, &t));
	assert_false(reload_time_read("12:00:00Z", 7, NOW, &t));
	assert_false(reload_time_read("12:00:00Z", 0, NOW, &t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_form_is_read),
	    cmocka_unit_test(a_time_of_day_that_has_gone_by_is_tomorrows),
	    cmocka_unit_test(nothing_else_is_a_time),
	    cmocka_unit_test(it_ends_where_the_bytes_end),
	};

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
