/* SPDX-License-Identifier: MIT */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules/format.h"
#include "rules/regex.h"

/* ---- Patterns ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Two digits are a byte. False: they are none, or there is no room. */
static bool from_hex(struct scratch *scratch, struct text *t)
{
	char *to = t->len % 2 ? NULL : scratch_take(scratch, t->len / 2);

	if (!to)
		return false;
	for (size_t i = 0; i < t->len; i += 2) {
		int high = hex(t->at[i]), low = hex(t->at[i + 1]);

		if (high < 0 || low < 0)
			return false;
		to[i / 2] = (char)(high << 4 | low);
	}
	*t = text_of(to, t->len / 2);
	return true;
}

bool expect_bytes(const struct format *f, struct text as_is, bool is_hex, struct run *r, struct text *ret)
{
	*ret = as_is;
	if (!f)
		return true;
	r->scratch.used = 0;
	if (!format_write(f, r, ret) || !ret->len || ret->len > 2 * CFG_STEP_BYTES_MAX)
		return false;
	return !is_hex || from_hex(&r->scratch, ret);
}

/* rbinary looks at the digits of the bytes. */
static bool regex_in_hex(const struct regex *re, struct text data)
{
	static const char digits[] = "0123456789ABCDEF";
	char *p = malloc(2 * data.len + 1);
	bool found;

	if (!p)
		return false;
	for (size_t i = 0; i < data.len; i++) {
		p[2 * i] = digits[(unsigned char)data.at[i] >> 4];
		p[2 * i + 1] = digits[data.at[i] & 15];
	}
	found = regex_match(re, text_of(p, 2 * data.len), NULL);
	free(p);
	return found;
}

static bool found_in(const struct cfg_expect *x, struct text wanted, struct text data)
{
	const struct regex *re = x->pattern.regex;

	if (re)
		return x->is_binary ? regex_in_hex(re, data) : regex_match(re, data, NULL);
	return memmem(data.at, data.len, wanted.at, wanted.len);
}

enum expect_found expect_in(const struct cfg_expect *x, struct run *r, struct text data, bool last)
{
	const struct cfg_pattern *p = &x->pattern;
	bool is_plain = !p->regex && !p->format, found;
	struct text wanted;

	if (!data.len)
		return last ? ANSWER_FAIL : ANSWER_WAIT; /* also for what must not be there */
	if (!last && ((is_plain && data.len < p->len) || (int64_t)data.len < x->min_bytes))
		return ANSWER_WAIT;
	if (!expect_bytes(p->format, text_of(p->data, p->len), p->is_hex, r, &wanted))
		return ANSWER_NO_TEXT;
	found = found_in(x, wanted, data);
	if (!found && !last && x->min_bytes < 0)
		return ANSWER_WAIT; /* it may still come */
	return found == !x->not ? ANSWER_NEXT : ANSWER_FAIL;
}

/* ---- Heads of HTTP ---- */

static bool same(const char *a, const char *b, size_t len, bool ignore_case)
{
	return ignore_case ? !strncasecmp(a, b, len) : !memcmp(a, b, len);
}

static bool within(struct text t, struct text part, bool ignore_case)
{
	for (size_t i = 0; i + part.len <= t.len; i++)
		if (same(t.at + i, part.at, part.len, ignore_case))
			return true;
	return false;
}

static bool matches(enum cfg_match how, const struct regex *re, struct text wanted, struct text t, bool ignore_case)
{
	switch (how) {
	case CFG_MATCH_WHOLE:
		return t.len == wanted.len && same(t.at, wanted.at, t.len, ignore_case);
	case CFG_MATCH_BEGIN:
		return t.len >= wanted.len && same(t.at, wanted.at, wanted.len, ignore_case);
	case CFG_MATCH_END:
		return t.len >= wanted.len && same(t.at + t.len - wanted.len, wanted.at, wanted.len, ignore_case);
	case CFG_MATCH_WITHIN:
		return within(t, wanted, ignore_case);
	case CFG_MATCH_REGEX:
		return regex_match(re, t, NULL);
	}
	return false;
}

/* Any of a field's values; each element of a list, but for fhdr. */
static bool value_is(const struct cfg_expect *x, const struct http_msg *m, struct http_span all, struct text wanted)
{
	struct http_span one;
	uint32_t at = 0;

	if (!cfg_pattern_given(&x->pattern))
		return true;
	if (x->whole_value)
		return matches(x->match, x->pattern.regex, wanted, text_of(http_text(m, all), all.len), false);
	while (http_next_element(m, all, &at, &one))
		if (matches(x->match, x->pattern.regex, wanted, text_of(http_text(m, one), one.len), false))
			return true;
	return false;
}

/* A name in small letters, as an expression sees it. */
static struct text small(struct text name, char *buf, size_t cap)
{
	size_t len = name.len < cap ? name.len : cap;

	for (size_t i = 0; i < len; i++)
		buf[i] = (char)(name.at[i] >= 'A' && name.at[i] <= 'Z' ? name.at[i] | 32 : name.at[i]);
	return text_of(buf, len);
}

static enum expect_found has_field(const struct cfg_expect *x, struct run *r)
{
	const struct http_msg *m = r->response;
	char name_buf[CFG_STEP_BYTES_MAX], buf[256];
	struct text name, value;

	if (!expect_bytes(x->name.format, text_of(x->name.data, x->name.len), false, r, &name) || name.len > sizeof(name_buf))
		return ANSWER_NO_TEXT;
	memcpy(name_buf, name.at, name.len); /* the value is written there, too */
	if (!expect_bytes(x->pattern.format, text_of(x->pattern.data, x->pattern.len), false, r, &value))
		return ANSWER_NO_TEXT;
	for (unsigned i = 0; i < m->n_fields; i++) {
		struct text t = text_of(http_text(m, m->field[i].name), m->field[i].name.len);

		t = small(t, buf, sizeof(buf));
		if (matches(x->name_match, x->name.regex, text_of(name_buf, name.len), t, true) && value_is(x, m, m->field[i].value, value))
			return ANSWER_NEXT;
	}
	return ANSWER_FAIL;
}

static bool status_is(const struct cfg_expect *x, unsigned status)
{
	char digits[8];

	if (x->what == CFG_EXPECT_RSTATUS)
		return regex_match(x->pattern.regex, text_of(digits, (size_t)snprintf(digits, sizeof(digits), "%u", status)), NULL);
	for (unsigned i = 0; i < x->n_status; i++)
		if (status >= x->status[i].first && status <= x->status[i].last)
			return true;
	return false;
}

enum expect_found expect_of_head(const struct cfg_expect *x, struct run *r)
{
	enum expect_found found = x->what == CFG_EXPECT_FIELD		? has_field(x, r)
			    : status_is(x, r->response->status) ? ANSWER_NEXT
								: ANSWER_FAIL;

	if (found == ANSWER_NO_TEXT)
		return found;
	return (found == ANSWER_NEXT) == !x->not ? ANSWER_NEXT : ANSWER_FAIL;
}

/* ---- What is told ---- */

/* As the line writes it. */
static void tell(const struct format *f, struct run *r, const char *usual, char text[HEALTH_TEXT_MAX])
{
	struct text t = {usual, strlen(usual)};

	if (f) {
		r->scratch.used = 0;
		if (!format_write(f, r, &t))
			t.len = 0;
	}
	snprintf(text, HEALTH_TEXT_MAX, "%.*s", (int)(t.len < HEALTH_TEXT_MAX ? t.len : HEALTH_TEXT_MAX - 1), t.at);
}

static void tell_status(const struct cfg_expect *x, struct run *r, struct health_probe_io *io)
{
	struct sample s;

	if (!x->status_code)
		return;
	r->scratch.used = 0;
	if (expr_eval(x->status_code, r, NULL, &s) && sample_cast(&s, SAMPLE_INT, &r->scratch))
		io->status = (uint32_t)s.number;
}

static void add_comment(const struct cfg_expect *x, struct health_probe_io *io, const char *quote)
{
	size_t len = strlen(io->text);

	if (x->comment)
		snprintf(io->text + len, sizeof(io->text) - len, " comment: %s%s%s", quote, x->comment, quote);
}

static enum health_verdict verdict_of(enum health_code code, enum health_verdict usual)
{
	return code == HEALTH_CODE_L7OKC ? HEALTH_OK_DRAIN : usual;
}

void expect_failed(const struct cfg_expect *x, struct run *r, enum health_code code, const char *usual, struct health_probe_io *io)
{
	io->code = x->error ? (enum health_code)x->error : code;
	io->verdict = verdict_of(io->code, HEALTH_FAIL);
	tell(x->on_error, r, usual, io->text);
	add_comment(x, io, "");
	tell_status(x, r, io);
}

void expect_passed(const struct cfg_expect *x, struct run *r, enum health_code code, const char *usual, struct health_probe_io *io)
{
	io->code = x && x->ok ? (enum health_code)x->ok : code;
	io->verdict = verdict_of(io->code, HEALTH_OK);
	tell(x ? x->on_success : NULL, r, usual, io->text);
	if (x)
		tell_status(x, r, io);
}

void expect_late(const struct cfg_expect *x, const char *usual, struct health_probe_io *io)
{
	io->verdict = HEALTH_FAIL;
	io->code = x && x->timed_out ? (enum health_code)x->timed_out : HEALTH_CODE_L7TOUT;
	snprintf(io->text, sizeof(io->text), "%s", usual);
	if (x && *usual)
		add_comment(x, io, "'");
}
