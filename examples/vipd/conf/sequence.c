/* SPDX-License-Identifier: MIT */
#include "conf/sequence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 24

static const char say_seq[] = "write ~SEQ(VARIABLE, [START,] [STEP,] END) with whole numbers";
static const char say_lst[] =
    "write ~LST(VARIABLE, VALUE, ...) or ~LST({VARIABLE, ...}, {VALUE, ...}, ...)";

bool conf_sequence_begins(const char *text, size_t len)
{
	return len > 4 && (!memcmp(text, "~SEQ", 4) || !memcmp(text, "~LST", 4));
}

struct cursor {
	const char *text;
	size_t len, at;
};

static int peek(const struct cursor *c)
{
	return c->at < c->len ? (unsigned char)c->text[c->at] : -1;
}

static void blanks(struct cursor *c)
{
	while (peek(c) == ' ' || peek(c) == '\t')
		c->at++;
}

static bool take(struct cursor *c, char what)
{
	blanks(c);
	if (peek(c) != what)
		return false;
	c->at++;
	blanks(c);
	return true;
}

/* Up to a comma or bracket, without blanks around it. */
static struct conf_span item(struct cursor *c)
{
	struct conf_span s = {.text = c->text + c->at};

	while (peek(c) >= 0 && !strchr(",(){}", peek(c)))
		c->at++;
	s.len = (size_t)(c->text + c->at - s.text);
	while (s.len && (s.text[s.len - 1] == ' ' || s.text[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static bool is_variable(const struct conf_span *s)
{
	return s->len && conf_variable_name(s->text, s->len) == s->len;
}

/* As C writes them: decimal, hexadecimal behind 0x, octal behind 0; the bound keeps sums within 64 bits. */
static bool number(const struct conf_span *s, int64_t *ret)
{
	char text[NUMBER_MAX], *end;

	if (!s->len || s->len >= sizeof(text))
		return false;
	memcpy(text, s->text, s->len);
	text[s->len] = '\0';
	*ret = strtoll(text, &end, 0);
	return !*end && *ret > -INT64_C(1000000000000) && *ret < INT64_C(1000000000000);
}

static const char *read_seq(struct cursor *c, struct conf_sequence *s)
{
	int64_t v[3], start, end;
	size_t n = 0;

	s->variable[s->n_variables++] = item(c);
	while (n < 3 && take(c, ',')) {
		struct conf_span text = item(c);

		if (!number(&text, &v[n++]))
			return say_seq;
	}
	if (!n || !is_variable(&s->variable[0]) || !take(c, ')'))
		return say_seq;
	end = v[n - 1];
	start = n > 1 ? v[0] : end > 0 ? 1 : -1;
	s->step = n > 2 ? v[1] : end >= start ? 1 : -1;
	if (!s->step)
		return "a step of 0 never gets to the end: write 1 or -1";
	s->next = start;
	s->left = (end - start) / s->step + 1;
	if ((s->step > 0 && start > end) || (s->step < 0 && start < end))
		s->left = 0;
	return NULL;
}

/* One word, or as many in braces as there are variables; their number, 0: it is not right. */
static size_t words(struct cursor *c, struct conf_span *ret, size_t max)
{
	size_t n = 0;

	if (!take(c, '{')) {
		ret[n++] = item(c);
		return n;
	}
	do {
		if (n == max)
			return 0;
		ret[n++] = item(c);
	} while (take(c, ','));
	return take(c, '}') ? n : 0;
}

static const char *read_lst(struct conf_memory *m, struct cursor *c, struct conf_sequence *s)
{
	struct conf_span one[CONF_LIST_VARIABLES_MAX];

	s->n_variables = words(c, s->variable, CONF_LIST_VARIABLES_MAX);
	for (size_t i = 0; i < s->n_variables; i++)
		if (!is_variable(&s->variable[i]))
			return say_lst;
	while (take(c, ',')) {
		size_t n = words(c, one, CONF_LIST_VARIABLES_MAX);

		if (!n || n > s->n_variables)
			return say_lst;
		for (size_t i = 0; i < s->n_variables; i++) {
			if (s->n_values == CONF_LIST_VALUES_MAX)
				return "more than 4096 values in one list";
			s->value = conf_grow(m, s->value, s->n_values, sizeof(*s->value));
			s->value[s->n_values++] = i < n ? one[i] : (struct conf_span){"", 0};
		}
	}
	return s->n_values && take(c, ')') ? NULL : say_lst;
}

const char *conf_sequence_read(struct conf_memory *m, const char *text, size_t len,
			       struct conf_sequence *ret, size_t *ret_len)
{
	struct cursor c = {.text = text, .len = len, .at = 4};
	bool list = text[1] == 'L';
	const char *error;

	*ret = (struct conf_sequence){.hex = !list && peek(&c) == 'x'};
	c.at += ret->hex;
	if (!take(&c, '('))
		return list ? say_lst : say_seq;
	error = list ? read_lst(m, &c, ret) : read_seq(&c, ret);
	blanks(&c);
	*ret_len = c.at;
	return error;
}

bool conf_sequence_next(struct conf_sequence *s, struct conf_variables *v, struct diag_place at)
{
	char number_text[NUMBER_MAX];
	struct conf_text value = {.at = at};

	if (s->value) {
		if (s->at == s->n_values)
			return false;
		for (size_t i = 0; i < s->n_variables; i++, s->at++) {
			value.text = s->value[s->at].text;
			value.len = s->value[s->at].len;
			conf_variable_set(v, s->variable[i].text, s->variable[i].len, &value);
		}
		return true;
	}
	if (s->left <= 0)
		return false;
	s->left--;
	if (s->hex)
		snprintf(number_text, sizeof(number_text), "%llx", (unsigned long long)s->next);
	else
		snprintf(number_text, sizeof(number_text), "%lld", (long long)s->next);
	s->next += s->step;
	value.text = number_text;
	value.len = strlen(number_text);
	conf_variable_set(v, s->variable[0].text, s->variable[0].len, &value);
	return true;
}
