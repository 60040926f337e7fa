/* SPDX-License-Identifier: MIT */
/* json_query: a value out of a JSON text (RFC 8259), by a path such as $.store.book[0].title. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/expr.h"
#include "rules/json.h"

#define DEPTH_MAX 20 /* of objects and arrays in one another, as HAProxy's */

static void skip_blanks(struct text *t)
{
	while (t->len && memchr(" \t\r\n", *t->at, 4))
		t->at++, t->len--;
}

static bool take(struct text *t, char c)
{
	skip_blanks(t);
	if (!t->len || *t->at != c)
		return false;
	t->at++, t->len--;
	return true;
}

/* What stands between the quotes, escapes as they are. */
static bool take_string(struct text *t, struct text *ret)
{
	size_t n = 0;

	if (!take(t, '"'))
		return false;
	while (n < t->len && t->at[n] != '"')
		n += t->at[n] == '\\' ? 2 : 1;
	if (n >= t->len)
		return false;
	*ret = text_of(t->at, n);
	*t = text_of(t->at + n + 1, t->len - n - 1);
	return true;
}

static bool take_value(struct text *t, unsigned depth, struct text *ret);

/* Steps over the next member; `key` is that of an object's. False: there is none, or it is no JSON. */
static bool take_member(struct text *t, bool *first, bool is_object, unsigned depth, struct text *key, struct text *value)
{
	if (!*first && !take(t, ','))
		return false;
	*first = false;
	if (is_object && (!take_string(t, key) || !take(t, ':')))
		return false;
	return take_value(t, depth, value);
}

static bool take_all(struct text *t, char close, unsigned depth)
{
	struct text key, value;
	bool first = true;

	if (depth == DEPTH_MAX)
		return false;
	while (!take(t, close))
		if (!take_member(t, &first, close == '}', depth + 1, &key, &value))
			return false;
	return true;
}

/* A whole value, from its first byte to its last. */
static bool take_value(struct text *t, unsigned depth, struct text *ret)
{
	struct text unused;
	bool ok = true;
	size_t n = 0;

	skip_blanks(t);
	*ret = *t;
	if (!t->len)
		return false;
	if (*t->at == '"') {
		ok = take_string(t, &unused);
	} else if (*t->at == '{' || *t->at == '[') {
		char close = *t->at == '{' ? '}' : ']';

		t->at++, t->len--;
		ok = take_all(t, close, depth);
	} else {
		while (n < t->len && !memchr(" \t\r\n,]}:", t->at[n], 8))
			n++;
		t->at += n, t->len -= n;
		ok = n > 0;
	}
	ret->len = (size_t)(t->at - ret->at);
	return ok;
}

/* The member of that name, or at that place. */
static bool descend(struct text *value, struct text name, int64_t place)
{
	struct text t = *value, key, member;
	bool first = true, is_object = place < 0;
	char close = is_object ? '}' : ']';

	if (!take(&t, is_object ? '{' : '['))
		return false;
	for (int64_t i = 0; !take(&t, close); i++) {
		if (!take_member(&t, &first, is_object, 1, &key, &member))
			return false;
		if (is_object ? text_same(key, name, false) : i == place) {
			*value = member;
			return true;
		}
	}
	return false;
}

bool json_find(struct text json, struct text path, struct text *ret)
{
	char name[256];

	if (!take_value(&json, 0, ret) || !path.len || *path.at != '$')
		return false;
	path = text_of(path.at + 1, path.len - 1);
	while (path.len) {
		int64_t place = -1;
		size_t n = 1, len = 0;

		if (*path.at == '[') {
			if (!text_to_int(text_of(path.at + 1, path.len - 1), &place) || place < 0)
				return false;
			while (n < path.len && path.at[n] != ']')
				n++;
			n++;
		} else if (*path.at == '.') {
			for (; n < path.len && path.at[n] != '.' && path.at[n] != '['; n++) {
				if (path.at[n] == '\\' && n + 1 < path.len)
					n++;
				if (len == sizeof(name))
					return false;
				name[len++] = path.at[n];
			}
		}
		if (n > path.len || (n == 1) || !descend(ret, text_of(name, len), place))
			return false;
		path = text_of(path.at + n, path.len - n);
	}
	return true;
}

/* ---- The converter ---- */

/* Writes a character as UTF-8. */
static size_t put_utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	to[0] = (char)(0xe0 | c >> 12);
	to[1] = (char)(0x80 | (c >> 6 & 63));
	to[2] = (char)(0x80 | (c & 63));
	return 3;
}

/* "\uXXXX" takes more room than what it stands for. */
static bool unescape(struct text t, struct scratch *scratch, struct sample *ret)
{
	static const char from[] = "bfnrt\"\\/", to[] = "\b\f\n\r\t\"\\/";
	char *p = scratch_take(scratch, t.len), digits[5] = "";
	size_t n = 0;

	if (!p)
		return false;
	for (size_t i = 0; i < t.len; i++) {
		const char *known;

		if (t.at[i] != '\\') {
			p[n++] = t.at[i];
			continue;
		}
		if (++i == t.len)
			return false;
		known = strchr(from, t.at[i]);
		if (known && *known) {
			p[n++] = to[known - from];
		} else if (t.at[i] == 'u' && t.len - i > 4) {
			memcpy(digits, t.at + i + 1, 4);
			if (strspn(digits, "0123456789abcdefABCDEF") != 4)
				return false;
			n += put_utf8(p + n, (unsigned)strtoul(digits, NULL, 16));
			i += 4;
		} else {
			return false;
		}
	}
	scratch_trim(scratch, t.len, n);
	*ret = sample_text(SAMPLE_STR, p, n);
	return true;
}

/* HAProxy: "%g", or a whole number with "int" */
static bool number(struct text t, bool is_int, struct scratch *scratch, struct sample *ret)
{
	char text[64], *end, *p;
	double value;
	int n;

	if (is_int) {
		int64_t whole;

		if (!text_to_int(t, &whole))
			return false;
		*ret = sample_int(whole);
		return true;
	}
	if (t.len >= sizeof(text))
		return false;
	memcpy(text, t.at, t.len);
	text[t.len] = '\0';
	value = strtod(text, &end);
	p = scratch_take(scratch, sizeof(text));
	if (end == text || !p)
		return false;
	n = snprintf(p, sizeof(text), "%g", value);
	*ret = sample_text(SAMPLE_STR, p, (size_t)n);
	return true;
}

bool json_value(struct text t, bool is_int, struct scratch *scratch, struct sample *ret)
{
	if (!t.len)
		return false;
	switch (*t.at) {
	case '"': return unescape(text_of(t.at + 1, t.len - 2), scratch, ret);
	case '[': *ret = sample_text(SAMPLE_STR, t.at, t.len); return true;
	case 't':
	case 'f':
		*ret = sample_bool(*t.at == 't');
		return text_same(t, *t.at == 't' ? text_of("true", 4) : text_of("false", 5), false);
	default: return (*t.at == '-' || (*t.at >= '0' && *t.at <= '9')) && number(t, is_int, scratch, ret);
	}
}

bool json_check(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	if (n && arg[0].text.len && *arg[0].text.at != '$')
		return rule_fail(e, "\"%.60s\" is no path: it begins with $, such as $.user.name", arg[0].text.at);
	return n < 2 || !arg[1].text.len || !strcmp(arg[1].text.at, "int") ||
	       rule_fail(e, "\"%.20s\" is no type: write int, or nothing", arg[1].text.at);
}

static bool check_query(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	return arg[0].text.len ? json_check(arg, n, m, e) : rule_fail(e, "json_query needs a path, such as $.user.name");
}

static bool query(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct text value;

	return json_find(s->text, arg[0].text, &value) &&
	       json_value(value, n_args > 1 && arg[1].text.len, &r->scratch, s);
}

const struct conv convs_json[] = {
    {"json_query", "sS", SAMPLE_STR, SAMPLE_STR, query, 0, check_query, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
