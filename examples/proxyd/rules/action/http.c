/* SPDX-License-Identifier: MIT */
/* Actions that change a message: its header fields and its start line. */
#include "rules/rule.h"

#include <stdio.h>
#include <string.h>

static bool read_name(struct words *w, struct rule *rule)
{
	const char *name = rule_need_word(w, "the name of a header");
	char bare[256];

	if (!name)
		return false;
	if (name[0] && name[strlen(name) - 1] == ':') { /* HAProxy sends "X-Name:: value", which few understand */
		snprintf(bare, sizeof(bare), "%.*s", (int)strlen(name) - 1, name);
		rule_fail(w->e, "\"%s\": the name of a header ends before the colon: it is taken as \"%s\"", name, bare);
		name = bare;
	}
	if (!is_token(name))
		return rule_fail(w->e, "\"%s\" is no name of a header", name);
	rule->name = rule_keep_text(w, name);
	return rule->name;
}
/* ---- Messages of a rule ---- */

static struct http_msg *message(const struct rule *rule, struct run *r)
{
	return rule->kind == RULES_REQUEST ? r->request : r->response;
}

/* del-header NAME -m str|beg|end|sub|reg: which fields by their names, without case */
static bool name_matches(const struct rule *rule, struct text name)
{
	struct text want = text_of(rule->name, strlen(rule->name));

	if (rule->regex)
		return regex_match(rule->regex, name, NULL);
	if (want.len > name.len)
		return false;
	switch (rule->number) {
	case MATCH_BEG:
		return text_same(text_of(name.at, want.len), want, true);
	case MATCH_END:
		return text_same(text_of(name.at + name.len - want.len, want.len), want, true);
	case MATCH_SUB:
		for (size_t i = 0; i + want.len <= name.len; i++)
			if (text_same(text_of(name.at + i, want.len), want, true))
				return true;
		return false;
	default:
		return text_same(name, want, true);
	}
}

static void remove_matching(const struct rule *rule, struct http_msg *m)
{
	for (unsigned i = m->n_fields; i-- > 0;)
		if (name_matches(rule,
				 text_of(http_text(m, m->field[i].name), m->field[i].name.len)))
			http_remove_at(m, i);
}

static bool is_target(struct text t)
{
	if (!t.len)
		return false;
	for (size_t i = 0; i < t.len; i++)
		if ((unsigned char)t.at[i] <= ' ' || t.at[i] == 0x7f)
			return false;
	return true;
}

/*
 * Host and the authority of a target in absolute-form stay one: servers go by the target, which a client may choose
 * to write so (RFC 9112, section 3.2.2).
 */
static bool target_follows(struct http_msg *m, const char *name, size_t name_len, struct text value)
{
	return !m->absolute_form || http_id_of(name, name_len) != HTTP_ID_HOST ||
	       (is_target(value) && http_set_authority(m, value.at, value.len) == 0);
}

static bool host_follows(struct http_msg *m)
{
	const struct http_field *host = http_find_id(m, HTTP_ID_HOST);
	struct http_span name = http_authority(m);
	const char *text = http_text(m, name), *user = name.len ? memrchr(text, '@', name.len) : NULL;
	size_t skip = user ? (size_t)(user + 1 - text) : 0; /* who asks is not of the host (RFC 9110, section 4.2.4) */

	return !host || name.len == skip ||
	       http_set_value(m, (unsigned)(host - m->field), text + skip, name.len - skip) == 0;
}

void run_header(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct http_msg *m = message(rule, r);
	size_t name_len = strlen(rule->name);
	struct text value;
	int e;

	if (!m)
		return;
	if (rule->data & HEADER_DEL) {
		if (rule->regex || rule->data & HEADER_MATCH)
			remove_matching(rule, m);
		else
			http_remove(m, rule->name, name_len);
		return;
	}
	if (!format_write(&rule->format, r, &value) || !is_field_value(value)) {
		fail_rule(v);
		return;
	}
	e = rule->data & HEADER_SET ? http_set(m, rule->name, name_len, value.at, value.len)
				    : http_add(m, rule->name, name_len, value.at, value.len);
	if (e < 0 || !target_follows(m, rule->name, name_len, value))
		fail_rule(v);
}

/* NAME [-m MATCH] */
static bool read_delete(struct words *w, struct rule *rule)
{
	const char *name = rule_need_word(w, "the name of a header"), *how;
	enum match match;

	if (!name)
		return false;
	rule->name = rule_keep_text(w, name);
	if (!rule_take_word(w, "-m"))
		return rule->name &&
		       (is_token(name) || rule_fail(w->e, "\"%s\" is no name of a header", name));
	how = rule_need_word(w, "str, beg, end, sub or reg");
	if (!how)
		return false;
	if (!match_of(how, &match) ||
	    (match != MATCH_STR && match != MATCH_BEG && match != MATCH_END && match != MATCH_SUB &&
	     match != MATCH_REG))
		return rule_fail(
		    w->e, "\"%s\" is no match of names: str, beg, end, sub and reg are", how);
	rule->data |= HEADER_MATCH;
	rule->number = match;
	if (match == MATCH_REG)
		rule->regex = rule_regex(w->r->memory, name, true, w->e);
	return rule->name && (match != MATCH_REG || rule->regex);
}

bool read_header(struct words *w, struct rule *rule)
{
	if (rule->data & HEADER_DEL)
		return read_delete(w, rule);
	if (!read_name(w, rule))
		return false;
	return rule_read_format(w, "the value of the header", &rule->format);
}

enum replaced { NONE_MATCHES, REPLACED, NO_ROOM };

/* The elements of a field's value in which something matches are replaced where they stand. */
static enum replaced replace_elements(const struct rule *rule, struct run *r, const struct http_msg *m, struct http_span field,
				      struct text template, struct text *ret)
{
	struct text old = text_of(http_text(m, field), field.len), group[REGEX_GROUPS], piece;
	struct http_span element;
	uint32_t at = 0;
	size_t kept = 0, used = r->scratch.used;

	while (http_next_element(m, field, &at, &element)) {
		struct text t = text_of(http_text(m, element), element.len);
		size_t offset = (size_t)(t.at - old.at);

		if (!regex_match(rule->regex, t, group))
			continue;
		if (!scratch_put(&r->scratch, text_of(old.at + kept, offset - kept)) ||
		    !regex_fill(group, template, &r->scratch, &piece))
			return NO_ROOM;
		kept = offset + t.len;
	}
	if (!kept)
		return NONE_MATCHES;
	if (!scratch_put(&r->scratch, text_of(old.at + kept, old.len - kept)))
		return NO_ROOM;
	*ret = text_of(r->scratch.at + used, r->scratch.used - used);
	return REPLACED;
}

/* What matches of a field's value, wherever it stands, makes the value. */
static enum replaced replace_whole(const struct rule *rule, struct run *r, const struct http_msg *m, struct http_span field,
				   struct text template, struct text *ret)
{
	struct text group[REGEX_GROUPS];

	if (!regex_match(rule->regex, text_of(http_text(m, field), field.len), group))
		return NONE_MATCHES;
	return regex_fill(group, template, &r->scratch, ret) ? REPLACED : NO_ROOM;
}

/* The template is evaluated first, then \1 … are filled in. */
void run_replace_header(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct http_msg *m = message(rule, r);
	size_t name_len = strlen(rule->name);
	struct text template, value;

	for (unsigned i = 0; m && i < m->n_fields; i++) {
		const struct http_field *f = &m->field[i];
		enum replaced how = NO_ROOM;

		if (!http_same_name(http_text(m, f->name), f->name.len, rule->name, name_len))
			continue;
		if (format_write(&rule->format, r, &template))
			how = rule->data & REPLACE_VALUE ? replace_elements(rule, r, m, f->value, template, &value)
							 : replace_whole(rule, r, m, f->value, template, &value);
		if (how == NONE_MATCHES)
			continue;
		if (how == NO_ROOM || !is_field_value(value) || http_set_value(m, i, value.at, value.len) < 0 ||
		    !target_follows(m, rule->name, name_len, value)) {
			fail_rule(v);
			return;
		}
	}
}

static bool read_regex(struct words *w, const char *what, struct rule *rule)
{
	const char *text = rule_need_word(w, what);

	if (!text)
		return false;
	rule->regex = rule_regex(w->r->memory, text, false, w->e);
	return rule->regex;
}

bool read_replace_header(struct words *w, struct rule *rule)
{
	return read_name(w, rule) && read_regex(w, "a regular expression", rule) &&
	       rule_read_format(w, "what it is replaced by", &rule->format);
}

/* ---- The start line ---- */

/* The target with one part of it replaced. */
bool change_target(struct run *r, int part, struct text new)
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
	return is_target(whole) && http_set_target(m, whole.at, whole.len) == 0 && (part != PART_URI || host_follows(m));
}

void run_start_line(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct text t;

	if (!r->request)
		return;
	if (!format_write(&rule->format, r, &t)) {
		fail_rule(v);
	} else if (rule->data == PART_METHOD) {
		char word[64];

		if (t.len >= sizeof(word)) {
			fail_rule(v);
			return;
		}
		memcpy(word, t.at, t.len);
		word[t.len] = '\0';
		if (!is_token(word) || http_set_method(r->request, t.at, t.len) < 0)
			fail_rule(v);
	} else if (!change_target(r, rule->data, t)) {
		fail_rule(v);
	}
}

bool read_start_line(struct words *w, struct rule *rule)
{
	return rule_read_format(w, "the new value", &rule->format);
}

/* replace-path, replace-pathq, replace-uri: the first match in the part is replaced */
void run_replace_part(const struct rule *rule, struct run *r, struct verdict *v)
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
		fail_rule(v);
}

bool read_replace_part(struct words *w, struct rule *rule)
{
	return read_regex(w, "a regular expression", rule) &&
	       rule_read_format(w, "what it is replaced by", &rule->format);
}

void run_status(const struct rule *rule, struct run *r, struct verdict *v)
{
	if (r->response && http_set_status(r->response, rule->number, rule->name) < 0)
		fail_rule(v);
}

bool read_status(struct words *w, struct rule *rule)
{
	const char *reason;

	if (!rule_read_number(w, "a status", 100, 999, &rule->number))
		return false;
	if (w->i < w->n && !strcmp(w->word[w->i], "reason")) {
		w->i++;
		reason = rule_need_word(w, "the reason");
		rule->name = reason ? rule_keep_text(w, reason) : NULL;
		return rule->name;
	}
	return true;
}