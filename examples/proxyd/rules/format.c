/* SPDX-License-Identifier: MIT */
#include "rules/format.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* The short names of the manual's table that are a fetch by another name. */
static const struct {
	const char *name, *expr;
} aliases[] = {
    {"HM", "method"},
    {"HP", "path"},
    {"HPO", "path"},
    {"HQ", "query"},
    {"HU", "url"},
    {"HV", "req.ver"},
    {"ST", "status"},
    {"b", "be_name"},
    {"ci", "src"},
    {"cp", "src_port"},
    {"f", "fe_name"},
    {"fi", "dst"},
    {"fp", "dst_port"},
    {"H", "hostname"},
    {"s", "srv_name"},
    {"ms", "date(0,ms),mod(1000)"},
    {"Ts", "date"},
};

static bool add_literal(struct format *f, const char *at, size_t len)
{
	if (!len)
		return true;
	if (f->n == FORMAT_PARTS_MAX)
		return false;
	f->part[f->n++].literal = text_of(at, len);
	return true;
}

static bool add_expr(struct format *f, const char *text, const struct rule_memory *m,
		     const char **rest, struct rule_error *e)
{
	struct expr *x = m->alloc(m->owner, sizeof(*x));

	if (!x)
		return rule_fail(e, "%s", "");
	if (f->n == FORMAT_PARTS_MAX)
		return rule_fail(e, "more than %d parts", FORMAT_PARTS_MAX);
	if (!expr_parse(text, m, x, rest, e))
		return false;
	f->needs |= x->needs;
	f->part[f->n++].expr = x;
	return true;
}

/* "%[expression]", with flags in braces before it, which change nothing in a header. */
static bool read_expression(struct format *f, const char **text, const struct rule_memory *m,
			    struct rule_error *e)
{
	const char *rest;

	if (!add_expr(f, *text + 1, m, &rest, e))
		return false;
	if (*rest != ']')
		return rule_fail(e, "\"%%[\" has no \"]\" behind its expression");
	*text = rest + 1;
	return true;
}

static bool read_alias(struct format *f, const char **text, const struct rule_memory *m,
		       struct rule_error *e)
{
	size_t len = 0;
	const char *rest;

	while (isalpha((unsigned char)(*text)[len]))
		len++;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
		if (strlen(aliases[i].name) == len && !strncmp(aliases[i].name, *text, len)) {
			*text += len;
			return add_expr(f, aliases[i].expr, m, &rest, e);
		}
	return rule_fail(
	    e,
	    "\"%%%.*s\" is no variable of a format here: write %%[expression], or %%%% for a "
	    "percent sign",
	    (int)(len > 16 ? 16 : len), *text);
}

bool format_parse(const char *text, const struct rule_memory *m, struct format *ret,
		  struct rule_error *e)
{
	char *copy = m->alloc(m->owner, strlen(text) + 1);
	struct format f = {.part = m->alloc(m->owner, FORMAT_PARTS_MAX * sizeof(*f.part))};
	const char *at, *begin;

	if (!copy || !f.part)
		return rule_fail(e, "%s", "");
	at = begin = strcpy(copy, text);
	while (*at) {
		if (*at != '%') {
			at++;
			continue;
		}
		if (!add_literal(&f, begin, (size_t)(at - begin)))
			return rule_fail(e, "more than %d parts", FORMAT_PARTS_MAX);
		at++;
		if (*at == '%') {
			begin = at++; /* one of the two stays */
			continue;
		}
		if (*at == '{') {
			const char *end = strchr(at, '}');

			if (!end)
				return rule_fail(e, "\"%%{\" has no \"}\"");
			at = end + 1;
		}
		if (!(*at == '[' ? read_expression(&f, &at, m, e) : read_alias(&f, &at, m, e)))
			return false;
		begin = at;
	}
	if (!add_literal(&f, begin, (size_t)(at - begin)))
		return rule_fail(e, "more than %d parts", FORMAT_PARTS_MAX);
	*ret = f;
	return true;
}

bool format_is_constant(const struct format *f)
{
	return !f->n || (f->n == 1 && !f->part[0].expr);
}

/* The parts of one format lie behind each other; what an expression needed meanwhile goes. */
bool format_write(const struct format *f, struct run *r, struct text *ret)
{
	struct scratch *s = &r->scratch;
	char *begin = s->at + s->used;

	if (format_is_constant(f)) {
		*ret = f->n ? f->part[0].literal : text_of("", 0);
		return true;
	}
	for (unsigned i = 0; i < f->n; i++) {
		char *to = s->at + s->used;
		struct text t = f->part[i].literal;

		if (f->part[i].expr && !expr_eval_text(f->part[i].expr, r, &t))
			t.len = 0;
		if (t.len > s->cap - (size_t)(to - s->at))
			return false;
		if (t.len)
			memmove(to, t.at, t.len);
		s->used = (size_t)(to - s->at) + t.len;
	}
	*ret = text_of(begin, (size_t)(s->at + s->used - begin));
	return true;
}
