/* SPDX-License-Identifier: MIT */
/* What variables, sequences and lists make, and where it ends when it would never end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/read.h"

#define ANSWER_MAX 4096

/* What is read from `text`: words with a blank, lines with a "|" between. */
static char answer[ANSWER_MAX];
static char first_error[DIAG_TEXT_MAX];
static unsigned first_line, errors;

/* What there is no room for nobody compares. */
static void add(const char *text)
{
	if (strlen(answer) + strlen(text) < sizeof(answer))
		strcat(answer, text);
}

static void keep_line(void *userdata, const struct conf_line *l)
{
	add(*answer ? "|" : "");
	for (size_t i = 0; i < l->n; i++) {
		add(i ? " " : "");
		add(l->word[i].text);
	}
}

static void keep_findings(const struct diag *d)
{
	errors = (unsigned)d->count[DIAG_ERROR];
	first_line = 0;
	first_error[0] = '\0';
	for (size_t i = 0; i < d->n && !first_line; i++) {
		if (d->message[i].level != DIAG_ERROR)
			continue;
		first_line = d->message[i].at.line;
		snprintf(first_error, sizeof(first_error), "%s", d->message[i].text);
	}
}

/* False: it needs more memory than a configuration may have. */
static bool read_text(const char *text)
{
	char name[] = "/tmp/vipd-test-XXXXXX";
	const struct conf_source source = {.file = name, .config_id = "me", .random_seed = 7};
	struct diag *d = calloc(1, sizeof(*d));
	struct conf_memory m = {0};
	int fd = mkstemp(name);
	jmp_buf failed;
	volatile bool done = false;

	assert_true(d && fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	m.on_failure = &failed;
	answer[0] = '\0';
	if (!setjmp(failed)) {
		assert_int_equal(conf_read(&m, &m, &m, &source, d, keep_line, NULL), 0);
		keep_findings(d);
		done = true;
	} else {
		first_line = m.at.line;
	}
	unlink(name);
	diag_fini(d);
	free(d);
	conf_chunks_free(m.chunks);
	return done;
}

static void becomes(const char *text, const char *want)
{
	assert_true(read_text(text));
	assert_string_equal(answer, want);
	assert_int_equal(errors, 0);
}

static void ends_with_an_error(const char *text, unsigned line, const char *word)
{
	assert_true(read_text(text));
	assert_int_equal(errors, 1);
	assert_int_equal(first_line, line);
	assert_non_null(strstr(first_error, word));
}

/* ---- Values ---- */

static void a_value_is_looked_at_when_it_is_used(void **state)
{
	becomes("$A=10.2.${B}\n$B=0\n${A}.1\n$B=10\n${A}.1\n", "10.2.0.1|10.2.10.1");
}

static void a_name_without_braces_ends_with_a_blank(void **state)
{
	becomes("$A=5\n$A $A/24 ${A}/24 x$A\n", "5 $A/24 5/24 x5");
}

static void a_variable_that_is_not_set_stays_as_it_is(void **state)
{
	becomes("a $B \"${B}\"\n", "a $B ${B}");
}

static void a_value_is_put_into_quotes_but_not_into_comments(void **state)
{
	becomes("$A=x\n\"${A} y\" # $A\n$L= \\\nb \\\nc\n# $L\nd ! ${L}\n", "x y|d");
}

static void a_value_may_be_empty_or_have_a_comment(void **state)
{
	becomes("$A=\n$B=1 # one\na${A}b${B}c\n", "ab1c");
}

static void a_condition_may_come_from_a_value(void **state)
{
	becomes("$ME=@me\n$YOU=@you\n$ME a\n$YOU b\n@^you c\n@^me d\n", "a|c");
}

static void the_built_in_ones_are_there(void **state)
{
	setenv("VIPD_TEST", "home", 1);
	becomes("${_INSTANCE} ${_PWD} ${_ENV VIPD_TEST} a${_HASH}b ${_RANDOM 4 4}\n",
		"me /tmp home a#b 4");
	becomes("${_NONE} ${_RANDOM 5 4} ${_RANDOMX}\n",
		"$ { _NONE } $ { _RANDOM 5 4 } $ { _RANDOMX }");
}

static void escapes_are_those_of_a_shell(void **state)
{
	becomes("\"\\x41\\102\\t\\e\\\"\" it's 'a b'\nnotify 'a b' \"c\"\n",
		"AB\te\" it's 'a b'|notify a b c");
}

/* ---- Several lines ---- */

static void several_lines_are_read_one_by_one(void **state)
{
	becomes(
	    "$L= \\\n a ${N} { \\\n $M=x${N} \\\n @you no \\\n b $M \\\n }\n$N=1\n$L\n$N=2\n$L\n",
	    "a 1 {|b x1|}|a 2 {|b x2|}");
}

static void what_stands_around_several_lines_joins_the_outer_ones(void **state)
{
	becomes("$L= \\\na \\\nb \\\nc\nx $L y\n", "x a|b|c y");
}

static void a_definition_for_another_node_is_no_text(void **state)
{
	becomes("@you $L= \\\na \\\nb\nc $L\n", "c $L");
}

/* ---- Sequences and lists ---- */

static void a_sequence_counts_up_down_and_in_hex(void **state)
{
	becomes("~SEQ(i, 0, 2) a${i}\n", "a0|a1|a2");
	becomes("~SEQ(i, 3) a${i}\n~SEQ(j, -2) ${j}\n", "a1|a2|a3|-1|-2");
	becomes("~SEQ(i, 9, -4, 0) ${i}\n~SEQ(k, 1, 1, 0) ${k}\n", "9|5|1");
	becomes("~SEQx(i, 0x8, 2, 12) ${i}\n", "8|a|c");
}

static void lists_and_sequences_may_stand_in_each_other(void **state)
{
	becomes("~LST({a, b}, {1,x}, {2,y}) ~SEQ(i, 2) ${a}${b}${i}\n", "1x1|1x2|2y1|2y2");
	becomes("$N=2\n ~LST(a, p,q) ~SEQ(i, ${N}) $a $i\n", "p 1|p 2|q 1|q 2");
	becomes("~LST({a, b}, {1}, {2,y}) ${a}_${b}\n", "1_|2_y");
	becomes("~SEQ(i, 010, 0xa) ${i}\n", "8|9|10");
	becomes("~ASK(i, 1) $i\n", "~ASK(i, 1) $i"); /* neither, and no reason to try again */
}

/* ---- What would never end ---- */

static void variables_that_name_each_other_are_an_error_with_a_line(void **state)
{
	ends_with_an_error("$A=${B}\n$B=${A}\nx ${A}\n", 3, "itself");
	ends_with_an_error("$A= \\\na \\\n$A \\\nb\n\n$A\n", 2, "in each other");
}

static void doubling_is_an_error_with_a_line(void **state)
{
	char text[1024] = "$A0=0123456789012345678901234567890123456789\n";

	for (int i = 1; i < 15; i++)
		sprintf(text + strlen(text), "$A%d=${A%d}${A%d}\n", i, i - 1, i - 1);
	strcat(text, "${A14}\n");
	ends_with_an_error(text, 16, "too");
}

static void a_sequence_that_makes_nothing_ends(void **state)
{
	ends_with_an_error("\n~SEQ(a, 100000) ~SEQ(b, 100000) @you x\n", 2, "MiB");
}

static void a_sequence_that_makes_too_much_ends(void **state)
{
	if (read_text("\n~SEQ(a, 100000) ~SEQ(b, 100000) x ${a} ${b} y\n"))
		assert_int_equal(errors, 1);
	assert_int_equal(first_line, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_value_is_looked_at_when_it_is_used),
	    cmocka_unit_test(a_name_without_braces_ends_with_a_blank),
	    cmocka_unit_test(a_variable_that_is_not_set_stays_as_it_is),
	    cmocka_unit_test(a_value_is_put_into_quotes_but_not_into_comments),
	    cmocka_unit_test(a_value_may_be_empty_or_have_a_comment),
	    cmocka_unit_test(a_condition_may_come_from_a_value),
	    cmocka_unit_test(the_built_in_ones_are_there),
	    cmocka_unit_test(escapes_are_those_of_a_shell),
	    cmocka_unit_test(several_lines_are_read_one_by_one),
	    cmocka_unit_test(what_stands_around_several_lines_joins_the_outer_ones),
	    cmocka_unit_test(a_definition_for_another_node_is_no_text),
	    cmocka_unit_test(a_sequence_counts_up_down_and_in_hex),
	    cmocka_unit_test(lists_and_sequences_may_stand_in_each_other),
	    cmocka_unit_test(variables_that_name_each_other_are_an_error_with_a_line),
	    cmocka_unit_test(doubling_is_an_error_with_a_line),
	    cmocka_unit_test(a_sequence_that_makes_nothing_ends),
	    cmocka_unit_test(a_sequence_that_makes_too_much_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
