/* SPDX-License-Identifier: MIT */
/* do-resolve, and early-hint: what a request asks for, or tells, before it goes on. */
#include <ctype.h>
#include <string.h>

#include "rules/rule.h"

/* "do-resolve(VARIABLE,RESOLVERS[,ipv4|ipv6]) EXPRESSION" */
bool read_resolve(struct words *w, struct rule *rule)
{
	const char *at = rule_read_var(w, rule);
	size_t len = at && *at == ',' ? strcspn(at + 1, ",)") : 0;
	char *section;

	if (!at)
		return false;
	if (!len || !at[1 + len])
		return rule_fail(w->e, "it says no section to ask: write do-resolve(txn.ip,RESOLVERS)");
	section = w->r->memory->alloc(w->r->memory->owner, len + 1);
	if (!section)
		return rule_fail(w->e, "%s", "");
	memcpy(section, at + 1, len);
	rule->name = section;
	at += 1 + len;
	rule->data = !strcmp(at, ",ipv4)");
	if (!rule->data && strcmp(at, ",ipv6)") != 0 && strcmp(at, ")") != 0)
		return rule_fail(w->e, "\"%.30s\" is no family: write ipv4 or ipv6", at + 1);
	return rule_read_expr(w, &rule->expr);
}

void run_resolve(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct text name;

	if (!expr_eval_text(&rule->expr, r, &name) || !name.len || name.len > 253 || memchr(name.at, '\0', name.len))
		return; /* as HAProxy: it stays unset */
	v->kind = VERDICT_RESOLVE;
	v->name = name;
	v->resolvers = rule->name;
	v->variable = rule->number;
	v->prefers_ipv4 = rule->data;
}

void rules_check_resolvers(const struct rules *rules, check_resolvers_fn *check, void *userdata)
{
	for (const struct rule *rule = rules->first; rule; rule = rule->next)
		if (rule->run == run_resolve)
			check(userdata, rule->name, rule->file, rule->line);
}

/* "early-hint NAME TEXT" (RFC 8297) */
bool read_hint(struct words *w, struct rule *rule)
{
	const char *name = rule_need_word(w, "the name of a header");

	if (name && !is_token(name))
		return rule_fail(w->e, "\"%.60s\" is no name of a header", name);
	rule->name = name ? rule_keep_text(w, name) : NULL;
	return rule->name && rule_read_format(w, "a value", &rule->format);
}

/* Those of one set of rules are told in one answer. */
void run_hint(const struct rule *rule, struct run *r, struct verdict *v)
{
	size_t name_len = strlen(rule->name);
	struct text value;
	char *to;

	if (!r->hints.at)
		return;
	to = r->hints.at + r->hints.used;
	if (!format_write(&rule->format, r, &value) || !is_field_value(value) ||
	    name_len + value.len + 4 > r->hints.cap - r->hints.used) {
		fail_rule(v);
		return;
	}
	for (size_t i = 0; i < name_len; i++) /* as HAProxy writes it */
		to[i] = (char)tolower((unsigned char)rule->name[i]);
	memcpy(to + name_len, ": ", 2);
	if (value.len)
		memcpy(to + name_len + 2, value.at, value.len);
	memcpy(to + name_len + 2 + value.len, "\r\n", 2);
	r->hints.used += name_len + value.len + 4;
}
