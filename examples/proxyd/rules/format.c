/* SPDX-License-Identifier: MIT */
#include "rules/format.h"

#include <ctype.h>
#include <string.h>

#include "rules/log_facts.h"
#include "rules/log_json.h"

#define LOG_EXPR_MAX 4096 /* bytes of an expression with flags */

/* At most: each "%" begins a part, and may end a literal. */
static size_t parts_of(const char *text)
{
	size_t n = 1;

	while ((text = strchr(text, '%'))) {
		n += 2;
		text++;
	}
	return n;
}

static void add_literal(struct format *f, const char *at, size_t len)
{
	if (len)
		f->part[f->n++] = (struct format_part){.literal = text_of(at, len)};
}

static bool add_expr(struct format *f, const char *text, const struct rule_memory *m,
		     unsigned flags, const char **rest, struct rule_error *e)
{
	struct expr *x = m->alloc(m->owner, sizeof(*x));

	if (!x)
		return rule_fail(e, "%s", "");
	if (!expr_parse(text, m, x, rest, e))
		return false;
	f->needs |= x->needs;
	f->asks_destination = true;
	f->part[f->n++] = (struct format_part){FORMAT_EXPR, .expr = x, .flags = flags};
	return true;
}

/* "%[expression]" */
static bool read_expression(struct format *f, const char **text, const struct rule_memory *m,
			    unsigned flags, struct rule_error *e)
{
	const char *rest;

	if (!add_expr(f, *text + 1, m, flags, &rest, e))
		return false;
	if (*rest != ']')
		return rule_fail(e, "\"%%[\" has no \"]\" behind its expression");
	*text = rest + 1;
	return true;
}

/* "%ci"; "%o" has no value, its flags count from there on */
static bool read_var(struct format *f, const char **text, unsigned *all, unsigned flags,
		     struct rule_error *e)
{
	size_t len = 0;
	int var;

	while (isalnum((unsigned char)(*text)[len]))
		len++;
	if (len == 1 && **text == 'o') {
		*all = flags;
		++*text;
		return true;
	}
	if (!log_var_find(text_of(*text, len), &var)) {
		return rule_fail(
		    e,
		    "\"%%%.*s\" is no variable of a format: write %%[expression], or %%%% for a "
		    "percent sign",
		    (int)(len > 16 ? 16 : len), *text);
	}
	*text += len;
	f->asks_destination |= !strncmp(*text - len, "fi", 2) || !strncmp(*text - len, "fp", 2);
	f->part[f->n++] = (struct format_part){FORMAT_VAR, .var = var, .flags = flags};
	return true;
}

/* "{+Q,-X}" */
static bool read_flags(const char **text, unsigned *flags, struct rule_error *e)
{
	const char *p = *text + 1;

	for (; *p && *p != '}'; p++) {
		bool on = *p == '+';
		unsigned bit;

		if (*p == ',' || *p == ' ')
			continue;
		if (*p != '+' && *p != '-')
			return rule_fail(e, "a flag has a sign: write %%{+Q}");
		p++;
		bit = *p == 'Q' ? LOG_QUOTE : *p == 'X' ? LOG_HEX : *p == 'E' ? LOG_ESCAPE : 0;
		if (!bit)
			return rule_fail(e, "\"%c\" is no flag: Q, X and E are", *p ? *p : '}');
		*flags = on ? *flags | bit : *flags & ~bit;
	}
	if (!*p)
		return rule_fail(e, "\"%%{\" has no \"}\"");
	*text = p + 1;
	return true;
}

bool format_parse(const char *text, const struct rule_memory *m, struct format *ret,
		  struct rule_error *e)
{
	char *copy = m->alloc(m->owner, strlen(text) + 1);
	struct format f = {.part = m->alloc(m->owner, parts_of(text) * sizeof(*f.part))};
	unsigned all = 0, flags;
	const char *at, *begin;

	if (!copy || !f.part)
		return rule_fail(e, "%s", "");
	at = begin = strcpy(copy, text);
	while (*at) {
		if (*at != '%') {
			at++;
			continue;
		}
		add_literal(&f, begin, (size_t)(at - begin));
		at++;
		if (*at == '%') {
			begin = at++; /* one of the two stays */
			continue;
		}
		flags = all;
		if (*at == '{' && !read_flags(&at, &flags, e))
			return false;
		if (!(*at == '[' ? read_expression(&f, &at, m, flags, e)
				 : read_var(&f, &at, &all, flags, e)))
			return false;
		begin = at;
	}
	add_literal(&f, begin, (size_t)(at - begin));
	*ret = f;
	return true;
}

bool format_parse_http(const char *text, const struct rule_memory *m, struct format *ret, struct rule_error *e)
{
	if (!format_parse(text, m, ret, e))
		return false;
	ret->is_http = true;
	return true;
}

bool format_is_constant(const struct format *f)
{
	return !f->is_json && (!f->n || (f->n == 1 && f->part[0].kind == FORMAT_TEXT));
}

void run_facts(struct run *r, bool rare, struct log_facts *ret)
{
	*ret = (struct log_facts){
	    .client = r->source,
	    .frontend = r->destination,
	    .accepted = r->wall,
	    .began = r->wall,
	    .tls = r->client_tls,
	    .state = {'-', '-', '-', '-'},
	    .server.address.type = SAMPLE_BOOL,
	    .asks_rare = rare,
	    .listener_open = -1,
	    .client_timeout = -1,
	    .server_timeout = -1,
	    .tunnel_timeout = -1,
	};
	if (r->frontend.name)
		ret->frontend_name = text_of(r->frontend.name, strlen(r->frontend.name));
	if (r->backend.name)
		ret->backend_name = text_of(r->backend.name, strlen(r->backend.name));
	if (r->server.name)
		ret->server_name = text_of(r->server.name, strlen(r->server.name));
	if (r->client_error_text)
		ret->failure = text_of(r->client_error_text, strlen(r->client_error_text));
	if (r->facts)
		r->facts(r->facts_of, ret);
}

/* Spaces are one, and none at the beginning; so what is not there leaves no gap. *spaced: a space was the last. */
static void put_literal(struct log_writer *w, struct text t, bool *spaced)
{
	for (size_t i = 0; i < t.len; i++) {
		if (t.at[i] != ' ' || !*spaced)
			log_put(w, t.at + i, 1);
		*spaced = t.at[i] == ' ';
	}
}

static bool is_control(unsigned char c)
{
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* Control bytes as "%" and two digits. False: no room. */
static bool encode_controls(struct scratch *s, struct text *t)
{
	static const char digit[] = "0123456789ABCDEF";
	size_t n = 0, to = 0;
	char *p;

	for (size_t i = 0; i < t->len; i++)
		n += is_control((unsigned char)t->at[i]);
	if (!n)
		return true;
	p = scratch_take(s, t->len + 2 * n);
	if (!p)
		return false;
	for (size_t i = 0; i < t->len; i++) {
		unsigned char c = (unsigned char)t->at[i];

		if (!is_control(c)) {
			p[to++] = (char)c;
			continue;
		}
		p[to++] = '%';
		p[to++] = digit[c >> 4];
		p[to++] = digit[c & 15];
	}
	*t = text_of(p, to);
	return true;
}

/* The parts of one format lie behind each other; what an expression needed meanwhile goes. */
static void write_part(const struct format *f, const struct format_part *p, struct run *r,
		       struct log_writer *to, struct log_facts *facts, bool *has_facts, bool *spaced)
{
	unsigned optional = f->has_dashes ? 0 : LOG_OPTIONAL;
	unsigned flags = f->is_http ? p->flags & ~LOG_QUOTE : p->flags; /* of an expression: HAProxy quotes it in lines only */
	struct text t = {0};

	switch (p->kind) {
	case FORMAT_TEXT:
		if (f->is_log)
			put_literal(to, p->literal, spaced);
		else
			log_put(to, p->literal.at, p->literal.len);
		return;
	case FORMAT_VAR:
		if (!*has_facts)
			run_facts(r, false, facts);
		*has_facts = true;
		if (log_put_var(to, p->var, p->flags | optional, facts))
			*spaced = false;
		return;
	case FORMAT_EXPR:
		*spaced = false;
		break;
	}
	r->scratch.used = (size_t)(to->at + to->len - r->scratch.at);
	if (!expr_eval_text(p->expr, r, &t))
		t.len = 0;
	if (!f->is_http && t.len) /* as HAProxy: a line has no NUL */
		t.len = strnlen(t.at, t.len);
	if ((f->is_http && !encode_controls(&r->scratch, &t)) || t.len > to->cap - to->len) {
		to->full = true;
	} else if (flags || (!t.len && f->has_dashes)) {
		char copy[LOG_EXPR_MAX]; /* it lies where the quotes go */

		t.len = t.len > sizeof(copy) ? sizeof(copy) : t.len;
		if (t.len)
			memcpy(copy, t.at, t.len);
		log_put_text(to, text_of(copy, t.len), flags | optional, false);
	} else if (t.len) {
		memmove(to->at + to->len, t.at, t.len);
		to->len += t.len;
	}
}

static void write_json(struct run *r, struct log_writer *to)
{
	struct log_facts facts;
	const char *end;

	run_facts(r, false, &facts);
	log_put_json(to, &facts);
	if (!to->full)
		return;
	to->len = log_json_cut(text_of(to->at, to->len), to->len - 1, &end).len;
	log_put(to, end, strlen(end));
}

bool format_write(const struct format *f, struct run *r, struct text *ret)
{
	struct scratch *s = &r->scratch;
	struct log_writer to = {.at = s->at + s->used, .cap = s->cap - s->used};
	struct log_facts facts;
	bool has_facts = false, spaced = true;

	if (format_is_constant(f)) {
		*ret = f->n ? f->part[0].literal : text_of("", 0);
		return true;
	}
	if (f->is_json)
		write_json(r, &to);
	for (unsigned i = 0; i < f->n && !to.full; i++)
		write_part(f, &f->part[i], r, &to, &facts, &has_facts, &spaced);
	if (to.full && !f->is_log) /* a log line is cut */
		return false;
	s->used = (size_t)(to.at + to.len - s->at);
	*ret = text_of(to.at, to.len);
	return true;
}
