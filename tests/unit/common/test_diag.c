/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "diag.h"

static const char *const known[] = {"virtual_router_id", "priority", "advert_int", "state",
				    "interface"};

static const char *nearest(const char *word)
{
	return diag_nearest(word, known, sizeof(known) / sizeof(known[0]));
}

static void a_slip_of_the_finger_finds_its_word(void **state)
{
	(void)state;
	assert_string_equal(nearest("virtual_routerid"), "virtual_router_id");
	assert_string_equal(nearest("prioriyt"), "priority");
	assert_string_equal(nearest("State"), "state");
	assert_string_equal(nearest("adver_int"), "advert_int");
}

static void a_foreign_word_finds_none(void **state)
{
	(void)state;
	assert_null(nearest("zebra"));
	assert_null(nearest(""));
	assert_null(nearest("a_word_that_is_longer_than_any_keyword_could_ever_be_in_here"));
}

static void a_place_is_printed_as_far_as_it_is_known(void **state)
{
	struct diag d = {0};
	char line[256];

	(void)state;
	diag_add(&d, DIAG_ERROR, &(struct diag_place){"a.conf", 3, 7}, "no %s", "good");
	diag_add(&d, DIAG_WARNING, &(struct diag_place){"a.conf", 3, 0}, "w");
	diag_add(&d, DIAG_NOTICE, NULL, "n");
	diag_format(&d.message[0], line, sizeof(line));
	assert_string_equal(line, "a.conf:3:7: error: no good");
	diag_format(&d.message[1], line, sizeof(line));
	assert_string_equal(line, "a.conf:3: warning: w");
	diag_format(&d.message[2], line, sizeof(line));
	assert_string_equal(line, "notice: n");
	assert_int_equal(d.count[DIAG_ERROR], 1);
	diag_fini(&d);
}

static void findings_past_the_limit_are_counted(void **state)
{
	struct diag d = {0};

	(void)state;
	for (int i = 0; i < DIAG_MAX + 5; i++)
		diag_add(&d, DIAG_ERROR, NULL, "%d", i);
	assert_int_equal(d.n, DIAG_MAX);
	assert_int_equal(d.count[DIAG_ERROR], DIAG_MAX + 5);
	diag_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_slip_of_the_finger_finds_its_word),
	    cmocka_unit_test(a_foreign_word_finds_none),
	    cmocka_unit_test(a_place_is_printed_as_far_as_it_is_known),
	    cmocka_unit_test(findings_past_the_limit_are_counted),
	};

	return cmocka_run_group_tests_name("common/diag", tests, NULL, NULL);
}
