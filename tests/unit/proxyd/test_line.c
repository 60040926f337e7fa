/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/line.h"

/* All words of all commands, with "|" between words and "/" between commands. */
static const char *parsed(const char *text)
{
	static char line[512], out[1024];
	char *rest = line;
	struct line_command c;

	snprintf(line, sizeof(line), "%s", text);
	*out = '\0';
	for (unsigned k = 0; line_next(&rest, &c); k++) {
		if (k)
			strcat(out, "/");
		for (size_t i = 0; i < c.n; i++) {
			if (i)
				strcat(out, "|");
			strcat(out, c.word[i]);
		}
	}
	return out;
}

static void words_stand_between_blanks(void **state)
{
	assert_string_equal(parsed("show stat"), "show|stat");
	assert_string_equal(parsed("  show \t stat  \r"), "show|stat");
	assert_string_equal(parsed(""), "");
}

static void a_semicolon_begins_another_command(void **state)
{
	assert_string_equal(parsed("a b;c"), "a|b/c");
	assert_string_equal(parsed("a;;b;"), "a//b/");
}

static void a_backslash_takes_what_follows_for_itself(void **state)
{
	assert_string_equal(parsed("a\\ b c"), "a b|c");
	assert_string_equal(parsed("a\\;b\\\\"), "a;b\\");
	assert_string_equal(parsed("^\\\\d \\d\\\\\\n"), "^\\d|d\\n");
	assert_string_equal(parsed("a\\"), "a");
	assert_string_equal(parsed("a \\"), "a"); /* no word without a character */
	assert_string_equal(parsed("\\ ;x"), " /x");
}

static void too_many_words_are_told(void **state)
{
	char line[3 * LINE_WORDS_MAX], *rest = line;
	struct line_command c;

	*line = '\0';
	for (unsigned i = 0; i <= LINE_WORDS_MAX; i++)
		strcat(line, "a ");
	assert_true(line_next(&rest, &c));
	assert_int_equal(c.n, LINE_WORDS_MAX + 1);
}

static void a_payload_is_announced_by_the_last_word(void **state)
{
	char yes[] = "add map x <<", spaces[] = "add <<  ", no[] = "add x<<", middle[] = "a << b", alone[] = "<<";
	char named[] = "add map x <<%EOF%", longest[] = "a <<1234567", longer[] = "a <<12345678", end[LINE_PATTERN_MAX + 1];

	assert_true(line_has_payload(yes, end));
	assert_string_equal(end, "");
	assert_string_equal(parsed(yes), "add|map|x");
	assert_true(line_has_payload(spaces, end));
	assert_false(line_has_payload(no, end));
	assert_false(line_has_payload(middle, end));
	assert_true(line_has_payload(alone, end));
	assert_true(line_has_payload(named, end));
	assert_string_equal(end, "%EOF%");
	assert_string_equal(parsed(named), "add|map|x");
	assert_true(line_has_payload(longest, end));
	assert_string_equal(end, "1234567");
	assert_false(line_has_payload(longer, end));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_stand_between_blanks),
	    cmocka_unit_test(a_semicolon_begins_another_command),
	    cmocka_unit_test(a_backslash_takes_what_follows_for_itself),
	    cmocka_unit_test(too_many_words_are_told),
	    cmocka_unit_test(a_payload_is_announced_by_the_last_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
