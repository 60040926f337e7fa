/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lex.h"

static const char *variable(const char *name, void *userdata)
{
	return !strcmp(name, "PORT") ? "80" : !strcmp(name, "LIST") ? " one  two three " : NULL;
}

static const struct lex_dialect keepalived = {
    .comment = "#!", .comment_in_word = true, .braces = true, .single_quotes = true};
static const struct lex_dialect haproxy = {
    .comment = "#", .single_quotes = true, .backslash = true, .variable = variable};

/* All lines as "word word|word", each word in <> when it was quoted. */
static char *lexed(const char *text, size_t len, const struct lex_dialect *dialect, struct diag *d)
{
	static char out[4096];
	struct lex *lx;
	struct lex_line line;

	out[0] = '\0';
	assert_int_equal(lex_open_text("t", text, len, dialect, d, &lx), 0);
	while (lex_next(lx, &line)) {
		if (out[0])
			strcat(out, "|");
		for (size_t i = 0; i < line.n; i++) {
			strcat(out, i ? " " : "");
			strcat(out, line.word[i].quoted ? "<" : "");
			strcat(out, line.word[i].text);
			strcat(out, line.word[i].quoted ? ">" : "");
		}
	}
	lex_free(lx);
	return out;
}

static void expect(const char *text, const struct lex_dialect *dialect, const char *want)
{
	struct diag d = {0};

	assert_string_equal(lexed(text, strlen(text), dialect, &d), want);
	assert_int_equal(d.n, 0);
	diag_fini(&d);
}

static void expect_error(const char *text, size_t len, const struct lex_dialect *dialect,
			 unsigned line, unsigned column)
{
	struct diag d = {0};

	lexed(text, len, dialect, &d);
	assert_int_equal(d.n, 1);
	assert_int_equal(d.message[0].at.line, line);
	assert_int_equal(d.message[0].at.column, column);
	diag_fini(&d);
}

static void braces_are_words_also_when_glued(void **state)
{
	expect("virtual_server 10.0.0.1 80{ #farm\n\tdelay_loop 10 }\n", &keepalived,
	       "virtual_server 10.0.0.1 80 {|delay_loop 10 }");
	expect("a \"{\" b", &keepalived, "a <{> b");
}

static void variables_have_lists_and_substitutes(void **state)
{
	expect("\"a${LIST[*]}b\" \"${LIST}\"", &haproxy, "<aone> <two> <threeb> < one  two three >");
	expect("\"${NOPE-x y}\" \"${NOPE[*]-x y}\" \"${NOPE-}\" \"${PORT-x}\"", &haproxy, "<x y> <x> <y> <> <80>");
	expect_error("\"${PORT-80\"", 11, &haproxy, 1, 12);
	expect_error("\"${LIST[0]}\"", 12, &haproxy, 1, 8);
}

static void comments_begin_where_the_dialect_says(void **state)
{
	expect("a b#c\n!d\n e !f\n", &keepalived, "a b|e");
	expect("a b#c # d\n#e\n", &haproxy, "a b#c");
}

static void quotes_and_escapes_follow_haproxy(void **state)
{
	expect("a\\ b 'c \"d' \"e\\\"f\" \"$PORT\" '$PORT' $PORT \"x${PORT}y\"", &haproxy,
	       "a b <c \"d> <e\"f> <80> <$PORT> $PORT <x80y>");
}

static void a_backslash_joins_lines(void **state)
{
	expect("a \\\n  b\\\n c\nd", &haproxy, "a b c|d");
	expect("a \\", &haproxy, "a"); /* there is nothing to join */
	expect("a b\\", &haproxy, "a b");
}

static void words_know_their_place(void **state)
{
	struct diag d = {0};
	struct lex *lx;
	struct lex_line line;
	const char *text = "\n\t\xc3\xa4 b\n";

	assert_int_equal(lex_open_text("t", text, strlen(text), &haproxy, &d, &lx), 0);
	assert_true(lex_next(lx, &line));
	assert_int_equal(line.word[0].line, 2);
	assert_int_equal(line.word[0].column, 2);
	assert_int_equal(line.word[1].column, 4); /* the umlaut is one character */
	assert_false(lex_next(lx, &line));
	lex_free(lx);
	diag_fini(&d);
}

static void line_ends_of_every_kind(void **state)
{
	expect("a\r\nb\nc", &keepalived, "a|b|c");
	expect("\n\n", &keepalived, "");
	expect("", &keepalived, "");
}

static void what_cannot_be_read_is_said_with_its_place(void **state)
{
	expect_error("a\nb 'c\nd", 8, &haproxy, 2, 5);
	expect_error("a b\0c", 5, &haproxy, 1, 4);
	expect_error("a \"${PORT\"", 10, &haproxy, 1, 10);
	expect_error("a \"$NONE\"", 9, &haproxy, 1, 9); /* unset: a warning */
}

static void too_many_words_and_bytes_are_refused(void **state)
{
	struct diag d = {0};
	size_t len = 2 * LEX_LINE_MAX;
	char *text = malloc(len);

	assert_non_null(text);
	memset(text, 'x', len);
	lexed(text, len, &keepalived, &d);
	for (size_t i = 0; i < len; i += 2)
		text[i] = ' ';
	lexed(text, len, &keepalived, &d);
	assert_int_equal(d.count[DIAG_ERROR], 2);
	diag_fini(&d);
	free(text);
}

static void a_file_that_is_none_is_an_errno(void **state)
{
	struct diag d = {0};
	struct lex *lx;

	assert_true(lex_open("/nonexistent/x", &haproxy, &d, &lx) < 0);
	assert_true(lex_open("/", &haproxy, &d, &lx) < 0);
	assert_true(lex_open("/dev/zero", &haproxy, &d, &lx) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(braces_are_words_also_when_glued),
	    cmocka_unit_test(variables_have_lists_and_substitutes),
	    cmocka_unit_test(comments_begin_where_the_dialect_says),
	    cmocka_unit_test(quotes_and_escapes_follow_haproxy),
	    cmocka_unit_test(a_backslash_joins_lines),
	    cmocka_unit_test(words_know_their_place),
	    cmocka_unit_test(line_ends_of_every_kind),
	    cmocka_unit_test(what_cannot_be_read_is_said_with_its_place),
	    cmocka_unit_test(too_many_words_and_bytes_are_refused),
	    cmocka_unit_test(a_file_that_is_none_is_an_errno),
	};

	return cmocka_run_group_tests_name("common/lex", tests, NULL, NULL);
}
