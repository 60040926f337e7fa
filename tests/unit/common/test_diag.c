/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "diag.h"
#include "diag_source.h"

static const char *const known[] = {"virtual_router_id", "priority", "advert_int", "state",
				    "interface"};

static const char *nearest(const char *word)
{
	return diag_nearest(word, known, sizeof(known) / sizeof(known[0]));
}

static void a_slip_of_the_finger_finds_its_word(void **state)
{
	assert_string_equal(nearest("virtual_routerid"), "virtual_router_id");
	assert_string_equal(nearest("prioriyt"), "priority");
	assert_string_equal(nearest("State"), "state");
	assert_string_equal(nearest("adver_int"), "advert_int");
}

static void a_foreign_word_finds_none(void **state)
{
	assert_null(nearest("zebra"));
	assert_null(nearest(""));
	assert_null(nearest("a_word_that_is_longer_than_any_keyword_could_ever_be_in_here"));
}

static void a_place_is_printed_as_far_as_it_is_known(void **state)
{
	struct diag d = {0};
	char line[256];

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

	for (int i = 0; i < DIAG_MAX + 5; i++)
		diag_add(&d, DIAG_ERROR, NULL, "%d", i);
	assert_int_equal(d.n, DIAG_MAX);
	assert_int_equal(d.count[DIAG_ERROR], DIAG_MAX + 5);
	diag_fini(&d);
}

static void findings_are_sorted_by_their_place(void **state)
{
	const struct diag_place place[] = {{"b", 2, 5},	 {"a", 9, 1}, {"b", 2, 3},
					   {NULL, 0, 0}, {"b", 1, 7}, {"a", 1, 1}};
	static const char *const want[] = {"4", "2", "0", "5", "1", "3"};
	struct diag d = {0};

	for (int i = 0; i < 6; i++)
		diag_add(&d, DIAG_WARNING, &place[i], "%d", i);
	diag_sort(&d);
	for (int i = 0; i < 6; i++)
		assert_string_equal(d.message[i].text, want[i]);
	diag_fini(&d);
}

static void the_same_finding_twice_is_said_once(void **state)
{
	const struct diag_place place = {"a", 1, 1}, other = {"a", 1, 2};
	struct diag d = {0};

	diag_add(&d, DIAG_WARNING, &place, "x");
	diag_add(&d, DIAG_WARNING, &place, "x");
	diag_add(&d, DIAG_WARNING, &other, "x");
	diag_add(&d, DIAG_WARNING, &place, "y");
	assert_int_equal(d.n, 3);
	assert_int_equal(d.count[DIAG_WARNING], 3);
	diag_fini(&d);
}

/* What is shown of `text` for a place in it. */
static const char *shown(const char *text, unsigned line, unsigned column)
{
	static char out[512];
	char name[] = "/tmp/diag-test-XXXXXX";
	struct diag_source s = {0};
	int fd = mkstemp(name);
	FILE *to = fmemopen(out, sizeof(out), "w");

	assert_true(fd >= 0 && to);
	out[0] = '\0';
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	diag_source_print(&s, &(struct diag_place){name, line, column}, to);
	fclose(to);
	diag_source_fini(&s);
	unlink(name);
	return out;
}

static void the_word_is_marked(void **state)
{
	assert_string_equal(shown("a\n\tb cde f\n", 2, 4), "    2 |  b cde f\n      |    ^~~\n");
	assert_string_equal(shown("\xc3\xa4 \xc3\xb6x", 1, 3),
			    "    1 | \xc3\xa4 \xc3\xb6x\n      |   ^~\n");
}

static void a_terminal_gets_no_control_characters(void **state)
{
	assert_string_equal(shown("a\033[2Jb", 1, 1), "    1 | a?[2Jb\n      | ^~~~~~\n");
}

static void a_long_line_is_cut(void **state)
{
	char text[1001];

	memset(text, 'a', sizeof(text) - 1);
	text[1000] = '\0';
	text[499] = ' ';
	assert_true(strlen(shown(text, 1, 501)) < 300);
}

static void secrets_are_not_shown(void **state)
{
	assert_string_equal(shown("auth_pass abc\n", 1, 11), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_slip_of_the_finger_finds_its_word),
	    cmocka_unit_test(a_foreign_word_finds_none),
	    cmocka_unit_test(a_place_is_printed_as_far_as_it_is_known),
	    cmocka_unit_test(findings_past_the_limit_are_counted),
	    cmocka_unit_test(findings_are_sorted_by_their_place),
	    cmocka_unit_test(the_same_finding_twice_is_said_once),
	    cmocka_unit_test(the_word_is_marked),
	    cmocka_unit_test(a_terminal_gets_no_control_characters),
	    cmocka_unit_test(a_long_line_is_cut),
	    cmocka_unit_test(secrets_are_not_shown),
	};

	return cmocka_run_group_tests_name("common/diag", tests, NULL, NULL);
}
