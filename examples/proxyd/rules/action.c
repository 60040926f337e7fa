/* SPDX-License-Identifier: MIT */
#include "rules/action.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "rules/regex.h"
#include "rules/vars.h"

struct rule;
typedef void run_fn(const struct rule *rule, struct run *r, struct verdict *v);

struct rule {
	struct rule *next;
	struct cond *cond; /* NULL: always */
	run_fn *run;
	int data; /* for run */
	unsigned line;
	const char *name; /* of a header, a cookie's value … */
	const struct regex *regex;
	struct format format;
	struct expr expr;
	unsigned number; /* status, variable, slot … */
	struct answer *answer;
	/* redirect */
	const char *cookie;
	bool drop_query, append_slash, clears_cookie;
};

/* ---- Reading: the words of an action, one after the other ---- */

struct words {
	const struct acl_reader *r;
	const char *const *word;
	size_t n, i;
	struct rule_error *e;
};

static const char *next_word(struct words *w)
{
	return w->i < w->n ? w->word[w->i++] : NULL;
}

static bool is_condition(const char *word)
{
	return !strcmp(word, "if") || !strcmp(word, "unless");
}

static const char *need_word(struct words *w, const char *what)
{
	if (w->i >= w->n || is_condition(w->word[w->i])) {
		rule_fail(w->e, "%s is missing", what);
		return NULL;
	}
	return next_word(w);
}

static const char *keep(struct words *w, const char *text)
{
	char *copy = w->r->memory->alloc(w->r->memory->owner, strlen(text) + 1);

	if (!copy) {
		rule_fail(w->e, "%s", "");
		return NULL;
	}
	return strcpy(copy, text);
}

static bool is_token(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("!#$%&'*+-.^_`|~", *text))
			return false;
	return true;
}

static bool read_name(struct words *w, struct rule *rule)
{
	const char *name = need_word(w, "the name of a header");

	if (!name)
		return false;
	if (!is_token(name))
		return rule_fail(w->e, "\"%s\" is no name of a header", name);
	rule->name = keep(w, name);
	return rule->name;
}

static bool read_format(struct words *w, const char *what, struct format *ret)
{
	const char *text = need_word(w, what);

	return text && format_parse(text, w->r->memory, ret, w->e);
}

static bool read_number(struct words *w, const char *what, unsigned min, unsigned max,
			unsigned *ret)
{
	const char *text = need_word(w, what);
	int64_t value;

	if (!text)
		return false;
	if (!*text || text[strspn(text, "0123456789")] ||
	    !text_to_int(text_of(text, strlen(text)), &value) || value < min || value > max)
		return rule_fail(w->e, "\"%s\" is not %s: write a number from %u to %u", text, what,
				 min, max);
	*ret = (unsigned)value;
	return true;
}

/* ---- Messages of a rule ---- */

enum {
	OF_REQUEST,
	OF_RESPONSE,
};

/* `data` of rules of headers: whose, and how. */
#define MESSAGE_MASK 1
#define HEADER_ADD 2
#define HEADER_SET 4
#define HEADER_DEL 8
#define REPLACE_VALUE 16 /* each element, not the whole field */

static struct http_msg *message(const struct rule *rule, struct run *r)
{
	return (rule->data & MESSAGE_MASK) == OF_RESPONSE ? r->response : r->request;
}

/* What cannot be done fails the request: HAProxy's strict-mode, its default. */
static void fail(struct verdict *v)
{
	v->kind = VERDICT_ERROR;
	v->status = 500;
}

/* No rule makes two fields of one. */
static bool is_field_value(struct text t)
{
	return !t.len || (!memchr(t.at, '\r', t.len) && !memchr(t.at, '\n', t.len) &&
			  !memchr(t.at, '\0', t.len));
}

static void run_header(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct http_msg *m = message(rule, r);
	size_t name_len = strlen(rule->name);
	struct text value;
	int e;

	if (!m)
		return;
	if (rule->data & HEADER_DEL) {
		http_remove(m, rule->name, name_len);
		return;
	}
	if (!format_write(&rule->format, r, &value) || !is_field_value(value)) {
		fail(v);
		return;
	}
	e = rule->data & HEADER_SET ? http_set(m, rule->name, name_len, value.at, value.len)
				    : http_add(m, rule->name, name_len, value.at, value.len);
	if (e < 0)
		fail(v);
}

static bool read_header(struct words *w, struct rule *rule)
{
	if (!read_name(w, rule))
		return false;
	if (rule->data & HEADER_DEL) {
		if (w->i + 1 < w->n && !strcmp(w->word[w->i], "-m"))
			return rule_fail(
			    w->e, "del-header with a match is known to HAProxy, not supported by "
				  "this version: write each name");
		return true;
	}
	return read_format(w, "the value of the header", &rule->format);
}

/* The template is evaluated first, then \1 … are filled in. */
static void run_replace_header(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct http_msg *m = message(rule, r);
	size_t name_len = strlen(rule->name);
	struct text template, group[REGEX_GROUPS], value;

	for (unsigned i = 0; m && i < m->n_fields; i++) {
		const struct http_field *f = &m->field[i];
		struct text old = text_of(http_text(m, f->value), f->value.len);

		if (!http_same_name(http_text(m, f->name), f->name.len, rule->name, name_len))
			continue;
		if (!format_write(&rule->format, r, &template))
			goto failed;
		if (rule->data & REPLACE_VALUE) {
			struct http_span element;
			uint32_t at = 0;
			char *begin;
			size_t kept = 0, used;

			/* The elements that match whole are replaced where they stand. */
			begin = scratch_take(&r->scratch, 0);
			used = r->scratch.used;
			while (http_next_element(m, f->value, &at, &element)) {
				struct text t = text_of(http_text(m, element), element.len), piece;
				size_t offset = (size_t)(t.at - old.at);

				if (!regex_match(rule->regex, t, group) || group[0].len != t.len)
					continue;
				begin = r->scratch.at + used;
				if (!scratch_put(&r->scratch,
						 text_of(old.at + kept, offset - kept)) ||
				    !regex_fill(group, template, &r->scratch, &piece))
					goto failed;
				kept = offset + t.len;
			}
			if (!kept)
				continue;
			if (!scratch_put(&r->scratch, text_of(old.at + kept, old.len - kept)))
				goto failed;
			value = text_of(begin, (size_t)(r->scratch.at + r->scratch.used - begin));
		} else {
			if (!regex_match(rule->regex, old, group))
				continue;
			if (!regex_fill(group, template, &r->scratch, &value))
				goto failed;
		}
		if (!is_field_value(value) || http_set_value(m, i, value.at, value.len) < 0)
			goto failed;
	}
	return;
failed:
	fail(v);
}

static bool read_regex(struct words *w, const char *what, struct rule *rule)
{
	const char *text = need_word(w, what);

	if (!text)
		return false;
	rule->regex = rule_regex(w->r->memory, text, false, w->e);
	return rule->regex;
}

static bool read_replace_header(struct words *w, struct rule *rule)
{
	return read_name(w, rule) && read_regex(w, "a regular expression", rule) &&
	       read_format(w, "what it is replaced by", &rule->format);
}

/* ---- The start line ---- */

enum {
	PART_METHOD,
	PART_PATH,
	PART_PATH_QUERY,
	PART_QUERY,
	PART_URI,
};

static bool is_target(struct text t)
{
	if (!t.len)
		return false;
	for (size_t i = 0; i < t.len; i++)
		if ((unsigned char)t.at[i] <= ' ' || t.at[i] == 0x7f)
			return false;
	return true;
}

/* The target with one part of it replaced. */
static bool change_target(struct run *r, int part, struct text new)
{
	struct http_msg *m = r->request;
	struct text target = text_of(http_text(m, m->target), m->target.len);
	struct http_span path = http_path(m);
	size_t path_at = path.len ? path.at - m->target.at : target.len;
	size_t query_at = path.len ? path_at + path.len : target.len; /* of its "?" */
	struct text head = text_of(target.at, path_at), tail = text_of(target.at, 0);
	struct text mark = text_of("?", 0);
	char *begin = r->scratch.at + r->scratch.used;
	struct text whole;

	switch (part) {
	case PART_URI:
		head.len = 0;
		break;
	case PART_PATH:
		tail = text_of(target.at + query_at, target.len - query_at);
		break;
	case PART_QUERY:
		head.len = query_at;
		if (new.len &&*new.at == '?')
			new = text_of(new.at + 1, new.len - 1);
		mark.len = new.len != 0;
		break;
	default:
		break;
	}
	if (!scratch_put(&r->scratch, head) || !scratch_put(&r->scratch, mark) ||
	    !scratch_put(&r->scratch, new) || !scratch_put(&r->scratch, tail))
		return false;
	whole = text_of(begin, (size_t)(r->scratch.at + r->scratch.used - begin));
	return is_target(whole) && http_set_target(m, whole.at, whole.len) == 0;
}

static void run_start_line(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct text t;

	if (!r->request)
		return;
	if (!format_write(&rule->format, r, &t)) {
		fail(v);
	} else if (rule->data == PART_METHOD) {
		char word[64];

		if (t.len >= sizeof(word)) {
			fail(v);
			return;
		}
		memcpy(word, t.at, t.len);
		word[t.len] = '\0';
		if (!is_token(word) || http_set_method(r->request, t.at, t.len) < 0)
			fail(v);
	} else if (!change_target(r, rule->data, t)) {
		fail(v);
	}
}

static bool read_start_line(struct words *w, struct rule *rule)
{
	return read_format(w, "the new value", &rule->format);
}

/* replace-path, replace-pathq, replace-uri: the first match in the part is replaced */
static void run_replace_part(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct http_msg *m = r->request;
	struct text template, group[REGEX_GROUPS], part, new;
	struct http_span path;

	if (!m)
		return;
	path = http_path(m);
	part = rule->data == PART_URI ? text_of(http_text(m, m->target), m->target.len)
				      : text_of(http_text(m, path), path.len);
	if (rule->data == PART_PATH_QUERY && path.len)
		part.len = m->target.at + m->target.len - path.at;
	if (!regex_match(rule->regex, part, group))
		return;
	if (!format_write(&rule->format, r, &template) ||
	    !regex_fill(group, template, &r->scratch, &new) || !change_target(r, rule->data, new))
		fail(v);
}

static bool read_replace_part(struct words *w, struct rule *rule)
{
	return read_regex(w, "a regular expression", rule) &&
	       read_format(w, "what it is replaced by", &rule->format);
}

static void run_status(const struct rule *rule, struct run *r, struct verdict *v)
{
	if (r->response && http_set_status(r->response, rule->number, rule->name) < 0)
		fail(v);
}

static bool read_status(struct words *w, struct rule *rule)
{
	const char *reason;

	if (!read_number(w, "a status", 100, 999, &rule->number))
		return false;
	if (w->i < w->n && !strcmp(w->word[w->i], "reason")) {
		w->i++;
		reason = need_word(w, "the reason");
		rule->name = reason ? keep(w, reason) : NULL;
		return rule->name;
	}
	return true;
}

/* ---- Variables, captures, the log ---- */

static void run_set_var(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct sample s;
	struct text t;

	(void)v;
	if (!r->vars)
		return;
	if (rule->data) { /* set-var-fmt */
		if (!format_write(&rule->format, r, &t))
			return;
		s = sample_text(SAMPLE_STR, t.at, t.len);
	} else if (!expr_eval(&rule->expr, r, NULL, &s)) {
		return; /* as HAProxy: it keeps its value */
	}
	vars_set(r->vars, rule->number, &s);
}

static void run_unset_var(const struct rule *rule, struct run *r, struct verdict *v)
{
	(void)v;
	if (r->vars)
		vars_unset(r->vars, rule->number);
}

/* The name is in the action's parentheses: "set-var(txn.a[,condition])". */
static bool read_var_name(struct words *w, struct rule *rule)
{
	const char *word = w->word[0], *open = strchr(word, '('),
		   *end = open ? open + strcspn(open, ",)") : NULL;
	int number;

	if (!open || !*end)
		return rule_fail(
		    w->e, "\"%s\" needs the name of a variable in parentheses: %.*s(txn.name)",
		    word, (int)strcspn(word, "("), word);
	if (*end == ',')
		return rule_fail(
		    w->e, "a condition in set-var(…) is known to HAProxy, not supported by this "
			  "version: write it behind if");
	number = var_number(text_of(open + 1, (size_t)(end - open) - 1), w->r->memory, w->e);
	rule->number = (unsigned)number;
	return number >= 0;
}

static bool read_expr(struct words *w, struct expr *ret)
{
	const char *text = need_word(w, "an expression"), *rest;

	if (!text || !expr_parse(text, w->r->memory, ret, &rest, w->e))
		return false;
	return !*rest || rule_fail(w->e, "\"%s\" is too much behind the expression", rest);
}

static bool read_set_var(struct words *w, struct rule *rule)
{
	if (!read_var_name(w, rule))
		return false;
	return rule->data ? read_format(w, "a text", &rule->format) : read_expr(w, &rule->expr);
}

static bool read_unset_var(struct words *w, struct rule *rule)
{
	return read_var_name(w, rule);
}

static void run_log_level(const struct rule *rule, struct run *r, struct verdict *v)
{
	(void)r;
	v->log_level = rule->data;
}

static bool read_log_level(struct words *w, struct rule *rule)
{
	static const char *const levels[] = {"emerg",  "alert", "crit",	 "err",	  "warning",
					     "notice", "info",	"debug", "silent"};
	const char *word = need_word(w, "a level");

	for (int i = 0; word && i < 9; i++)
		if (!strcmp(levels[i], word)) {
			rule->data = i;
			return true;
		}
	return word ? rule_fail(w->e, "\"%s\" is no level: write emerg to debug, or silent", word)
		    : false;
}

/* ---- Verdicts ---- */

static void run_verdict(const struct rule *rule, struct run *r, struct verdict *v)
{
	(void)r;
	v->kind = (enum verdict_kind)rule->data;
	v->status = rule->number;
	v->answer = rule->answer;
}

static bool read_nothing(struct words *w, struct rule *rule)
{
	(void)w;
	(void)rule;
	return true;
}

static bool add_answer_header(struct words *w, struct answer *a)
{
	const char *name = need_word(w, "the name of a header");

	if (!name)
		return false;
	if (a->n_headers == RETURN_HEADERS_MAX)
		return rule_fail(w->e, "more than %d headers", RETURN_HEADERS_MAX);
	if (!is_token(name))
		return rule_fail(w->e, "\"%s\" is no name of a header", name);
	a->header[a->n_headers].name = keep(w, name);
	if (!a->header[a->n_headers].name ||
	    !read_format(w, "its value", &a->header[a->n_headers].value))
		return false;
	a->n_headers++;
	return true;
}

static bool read_content(struct words *w, struct answer *a, bool is_format)
{
	const char *text = need_word(w, "a text");

	if (!text)
		return false;
	if (strlen(text) > RETURN_CONTENT_MAX)
		return rule_fail(w->e, "the text has more than %d bytes", RETURN_CONTENT_MAX);
	a->is_format = is_format;
	if (is_format)
		return format_parse(text, w->r->memory, &a->content, w->e);
	a->content.part = w->r->memory->alloc(w->r->memory->owner, sizeof(*a->content.part));
	if (!a->content.part)
		return rule_fail(w->e, "%s", "");
	text = keep(w, text);
	if (!text)
		return false;
	a->content.n = *text != '\0';
	a->content.part->literal = text_of(text, strlen(text));
	return true;
}

/* [status N | deny_status N] [content-type T] [string S | lf-string F] [hdr N F] … */
static bool read_answer(struct words *w, struct rule *rule)
{
	struct answer *a = w->r->memory->alloc(w->r->memory->owner, sizeof(*a));
	bool more = false;

	if (!a)
		return rule_fail(w->e, "%s", "");
	a->status = rule->number;
	while (w->i < w->n && !is_condition(w->word[w->i])) {
		const char *word = next_word(w);

		if (!strcmp(word, "status") || !strcmp(word, "deny_status")) {
			if (!read_number(w, "a status", 200, 599, &a->status))
				return false;
		} else if (!strcmp(word, "content-type")) {
			const char *type = need_word(w, "a media type");

			a->content_type = type ? keep(w, type) : NULL;
			if (!a->content_type)
				return false;
			more = true;
		} else if (!strcmp(word, "string") || !strcmp(word, "lf-string")) {
			if (!read_content(w, a, *word == 'l'))
				return false;
			more = true;
		} else if (!strcmp(word, "hdr")) {
			if (!add_answer_header(w, a))
				return false;
			more = true;
		} else if (!strcmp(word, "default-errorfiles")) {
			/* what is sent anyway */
		} else if (!strcmp(word, "file") || !strcmp(word, "lf-file") ||
			   !strcmp(word, "errorfile") || !strcmp(word, "errorfiles")) {
			return rule_fail(w->e,
					 "\"%s\" here is known to HAProxy, not supported by this "
					 "version: write string or lf-string",
					 word);
		} else {
			return rule_fail(w->e,
					 "\"%s\" is not known here: status, content-type, string, "
					 "lf-string and hdr are",
					 word);
		}
	}
	if (a->content.n && !a->content_type)
		return rule_fail(
		    w->e, "a text needs a content-type: write content-type text/plain before it");
	rule->number = a->status;
	rule->answer = more || rule->data == VERDICT_RETURN ? a : NULL;
	return true;
}

/* ---- Redirects ---- */

enum {
	REDIRECT_LOCATION,
	REDIRECT_PREFIX,
	REDIRECT_SCHEME,
};

/* Path and query behind a prefix or a scheme; both options change it. */
static bool put_target(const struct rule *rule, struct run *r)
{
	struct http_msg *m = r->request;
	struct http_span path = http_path(m);
	struct text t = text_of(http_text(m, path), path.len);
	size_t query = path.len ? m->target.at + m->target.len - path.at - path.len : 0;

	if (!path.len)
		return true;
	if (!scratch_put(&r->scratch, t))
		return false;
	if (rule->append_slash && t.at[t.len - 1] != '/' &&
	    !scratch_put(&r->scratch, text_of("/", 1)))
		return false;
	return rule->drop_query || scratch_put(&r->scratch, text_of(t.at + t.len, query));
}

static bool put_host(struct run *r)
{
	const struct http_field *f = http_find_id(r->request, HTTP_ID_HOST);

	return scratch_put(&r->scratch, text_of("://", 3)) &&
	       (!f ||
		scratch_put(&r->scratch, text_of(http_text(r->request, f->value), f->value.len)));
}

static void run_redirect(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct text base;
	char *begin;
	bool ok;

	if (!r->request || !format_write(&rule->format, r, &base)) {
		fail(v);
		return;
	}
	begin = r->scratch.at + r->scratch.used;
	/* The prefix "/" alone is none: HAProxy's way to redirect to the same place. */
	if (rule->data == REDIRECT_PREFIX && base.len == 1 && *base.at == '/')
		base.len = 0;
	ok = scratch_put(&r->scratch, base);
	if (ok && rule->data == REDIRECT_SCHEME)
		ok = put_host(r);
	if (ok && rule->data != REDIRECT_LOCATION)
		ok = put_target(rule, r);
	v->location = text_of(begin, (size_t)(r->scratch.at + r->scratch.used - begin));
	if (!ok || !is_field_value(v->location)) {
		fail(v);
		return;
	}
	if (rule->cookie)
		v->cookie = text_of(rule->cookie, strlen(rule->cookie));
	v->kind = VERDICT_REDIRECT;
	v->status = rule->number;
}

static bool read_redirect_cookie(struct words *w, struct rule *rule, bool clear)
{
	const char *text = need_word(w, "a cookie");
	char buf[512];

	if (!text)
		return false;
	if ((size_t)snprintf(buf, sizeof(buf), clear ? "%s; path=/; Max-Age=0" : "%s; path=/;",
			     text) >= sizeof(buf))
		return rule_fail(w->e, "the cookie is too long");
	if (strpbrk(buf, "\r\n"))
		return rule_fail(w->e, "a cookie has no line end");
	rule->cookie = keep(w, buf);
	return rule->cookie;
}

static bool read_redirect(struct words *w, struct rule *rule)
{
	static const unsigned codes[] = {301, 302, 303, 307, 308};
	bool known = false, to = false;

	rule->number = 302;
	while (w->i < w->n && !is_condition(w->word[w->i])) {
		const char *word = next_word(w);

		if (!strcmp(word, "location") || !strcmp(word, "prefix") ||
		    !strcmp(word, "scheme")) {
			rule->data = *word == 'l'   ? REDIRECT_LOCATION
				     : *word == 'p' ? REDIRECT_PREFIX
						    : REDIRECT_SCHEME;
			to = true;
			if (!read_format(w, "where it leads to", &rule->format))
				return false;
		} else if (!strcmp(word, "code")) {
			if (!read_number(w, "a code", 301, 308, &rule->number))
				return false;
			for (size_t i = 0; i < 5; i++)
				known |= codes[i] == rule->number;
			if (!known)
				return rule_fail(
				    w->e,
				    "%u is no code of a redirect: write 301, 302, 303, 307 "
				    "or 308",
				    rule->number);
		} else if (!strcmp(word, "drop-query")) {
			rule->drop_query = true;
		} else if (!strcmp(word, "append-slash")) {
			rule->append_slash = true;
		} else if (!strcmp(word, "set-cookie") || !strcmp(word, "clear-cookie")) {
			if (!read_redirect_cookie(w, rule, *word == 'c'))
				return false;
		} else {
			return rule_fail(
			    w->e,
			    "\"%s\" is not known here: location, prefix, scheme, code, "
			    "drop-query, append-slash, set-cookie and clear-cookie are",
			    word);
		}
	}
	return to || rule_fail(w->e, "a redirect needs location, prefix or scheme");
}

/* ---- The table ---- */

#define IN_REQUEST 1u
#define IN_RESPONSE 2u
#define IN_AFTER 4u
#define IN_ANY_RESPONSE (IN_RESPONSE | IN_AFTER)
#define IN_ALL 7u

static const struct action {
	const char *name;
	unsigned kinds;
	bool (*read)(struct words *w, struct rule *rule);
	run_fn *run;
	int data;
	unsigned number;
} actions[] = {
    {"add-header", IN_ALL, read_header, run_header, HEADER_ADD, 0},
    {"allow", IN_ALL, read_nothing, run_verdict, VERDICT_ALLOW, 0},
    {"del-header", IN_ALL, read_header, run_header, HEADER_DEL, 0},
    {"deny", IN_REQUEST, read_answer, run_verdict, VERDICT_DENY, 403},
    {"deny", IN_RESPONSE, read_answer, run_verdict, VERDICT_DENY, 502},
    {"redirect", IN_REQUEST | IN_RESPONSE, read_redirect, run_redirect, 0, 0},
    {"reject", IN_REQUEST, read_nothing, run_verdict, VERDICT_REJECT, 0},
    {"replace-header", IN_ALL, read_replace_header, run_replace_header, 0, 0},
    {"replace-path", IN_REQUEST, read_replace_part, run_replace_part, PART_PATH, 0},
    {"replace-pathq", IN_REQUEST, read_replace_part, run_replace_part, PART_PATH_QUERY, 0},
    {"replace-uri", IN_REQUEST, read_replace_part, run_replace_part, PART_URI, 0},
    {"replace-value", IN_ALL, read_replace_header, run_replace_header, REPLACE_VALUE, 0},
    {"return", IN_REQUEST | IN_RESPONSE, read_answer, run_verdict, VERDICT_RETURN, 200},
    {"set-header", IN_ALL, read_header, run_header, HEADER_SET, 0},
    {"set-log-level", IN_REQUEST | IN_RESPONSE, read_log_level, run_log_level, 0, 0},
    {"set-method", IN_REQUEST, read_start_line, run_start_line, PART_METHOD, 0},
    {"set-path", IN_REQUEST, read_start_line, run_start_line, PART_PATH, 0},
    {"set-pathq", IN_REQUEST, read_start_line, run_start_line, PART_PATH_QUERY, 0},
    {"set-query", IN_REQUEST, read_start_line, run_start_line, PART_QUERY, 0},
    {"set-status", IN_ANY_RESPONSE, read_status, run_status, 0, 0},
    {"set-uri", IN_REQUEST, read_start_line, run_start_line, PART_URI, 0},
    {"set-var", IN_ALL, read_set_var, run_set_var, 0, 0},
    {"set-var-fmt", IN_ALL, read_set_var, run_set_var, 1, 0},
    {"silent-drop", IN_REQUEST, read_nothing, run_verdict, VERDICT_SILENT_DROP, 0},
    {"tarpit", IN_REQUEST, read_answer, run_verdict, VERDICT_TARPIT, 500},
    {"unset-var", IN_ALL, read_unset_var, run_unset_var, 0, 0},
};
#define N_ACTIONS (sizeof(actions) / sizeof(*actions))

static unsigned bit_of(enum rules_kind kind)
{
	return 1u << kind;
}

static const struct action *find_action(const char *word, enum rules_kind kind)
{
	size_t len = strcspn(word, "(");

	for (size_t i = 0; i < N_ACTIONS; i++)
		if ((actions[i].kinds & bit_of(kind)) && strlen(actions[i].name) == len &&
		    !strncmp(actions[i].name, word, len))
			return &actions[i];
	return NULL;
}

const char *rules_action_name(enum rules_kind kind, unsigned index)
{
	for (size_t i = 0; i < N_ACTIONS; i++)
		if ((actions[i].kinds & bit_of(kind)) && !index--)
			return actions[i].name;
	return NULL;
}

void rules_init(struct rules *rules)
{
	*rules = (struct rules){.first = NULL};
	rules->tail = &rules->first;
}

unsigned rule_line(const struct rule *rule)
{
	return rule->line;
}

/* The message that headers and variables of `message()` mean. */
static int whose(enum rules_kind kind)
{
	return kind == RULES_REQUEST ? OF_REQUEST : OF_RESPONSE;
}

static bool is_of_message(const struct action *a)
{
	return a->read == read_header || a->read == read_replace_header;
}

static bool read_condition(struct words *w, struct rule *rule, size_t *ret_word)
{
	size_t wrong;

	if (w->i == w->n)
		return true;
	if (!is_condition(w->word[w->i]))
		return rule_fail(w->e,
				 "\"%s\" is too much here: a condition begins with if or unless",
				 w->word[w->i]);
	rule->cond = w->r->memory->alloc(w->r->memory->owner, sizeof(*rule->cond));
	if (!rule->cond)
		return rule_fail(w->e, "%s", "");
	if (cond_parse(w->r, w->word + w->i, w->n - w->i, rule->cond, &wrong, w->e))
		return true;
	*ret_word = w->i + wrong;
	return false;
}

bool rules_add(struct rules *rules, enum rules_kind kind, const struct acl_reader *r,
	       const char *const *word, size_t n, unsigned line, size_t *ret_word,
	       struct rule_error *e)
{
	struct words w = {.r = r, .word = word, .n = n, .i = 1, .e = e};
	const struct action *a = n ? find_action(word[0], kind) : NULL;
	struct rule *rule;

	*ret_word = 0;
	if (!a)
		return rule_fail(e, "unknown action \"%.100s\"", n ? word[0] : "");
	rule = r->memory->alloc(r->memory->owner, sizeof(*rule));
	if (!rule)
		return rule_fail(e, "%s", "");
	rule->run = a->run;
	rule->line = line;
	rule->number = a->number;
	rule->data = a->data | (is_of_message(a) ? whose(kind) : 0);
	if (!a->read(&w, rule)) {
		*ret_word = w.i ? w.i - 1 : 0;
		return false;
	}
	*ret_word = w.i < n ? w.i : n - 1;
	if (!read_condition(&w, rule, ret_word))
		return false;
	if (rules->tail == NULL)
		rules_init(rules);
	*rules->tail = rule;
	rules->tail = &rule->next;
	return true;
}

void rules_run(const struct rules *rules, struct run *r, struct verdict *ret)
{
	*ret = (struct verdict){.kind = VERDICT_GO_ON, .log_level = ret->log_level};
	for (const struct rule *rule = rules->first; rule; rule = rule->next) {
		if (rule->cond && !cond_eval(rule->cond, r))
			continue;
		rule->run(rule, r, ret);
		if (ret->kind != VERDICT_GO_ON) {
			ret->rule = rule;
			return;
		}
		r->scratch.used = 0; /* messages keep what they need in their own buffers */
	}
}
