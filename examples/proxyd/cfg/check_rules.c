/* SPDX-License-Identifier: MIT */
/* Variables and formats of checks: http-check set-var, tcp-check send-lf and their like. */
#include "cfg/read.h"
#include "cfg/rules.h"

#include <stdio.h>
#include <string.h>

#include "rules/rule.h"

/* A check has no client, and no message of HTTP but the answer that it judges. */
static bool can_be(struct reader *r, size_t i, unsigned needs, unsigned sees)
{
	if (needs & (EXPR_CLIENT | EXPR_SHAKEN | EXPR_KEPT | EXPR_SENT)) {
		say(r, DIAG_ERROR, i, "this asks a client for something: a check has none");
		return false;
	}
	if (!(needs & (EXPR_REQUEST | EXPR_RESPONSE | EXPR_ASKED | EXPR_ANSWERED | EXPR_MESSAGE) & ~sees))
		return true;
	if (sees)
		say(r, DIAG_ERROR, i, "this asks a request of HTTP for something: a check has its answer alone to be asked");
	else
		say(r, DIAG_ERROR, i, "this asks a request or response of HTTP for something: a check has none to be asked");
	return false;
}

const struct expr *cfg_check_expression(struct reader *r, size_t i, unsigned sees)
{
	const struct rule_memory *m = cfg_rule_memory(r);
	struct expr *x = keep(r, sizeof(*x));
	struct rule_error e = {""};
	const char *rest = "";

	if (!m || !x)
		return NULL;
	if (!expr_parse(word_at(r, i), m, x, &rest, &e) || *rest) {
		say(r, DIAG_ERROR, i, "%s", *e.text ? e.text : "this is no expression");
		return NULL;
	}
	return can_be(r, i, x->needs, sees) ? x : NULL;
}

const struct format *cfg_check_format(struct reader *r, size_t i, const char *text, unsigned sees)
{
	const struct rule_memory *m = cfg_rule_memory(r);
	struct format *f = keep(r, sizeof(*f));
	struct rule_error e = {""};

	if (!m || !f)
		return NULL;
	if (!format_parse(text, m, f, &e)) {
		say(r, DIAG_ERROR, i, "%s", e.text);
		return NULL;
	}
	return can_be(r, i, f->needs, sees) ? f : NULL;
}

bool cfg_is_check_rule(const char *word)
{
	size_t len = strcspn(word, "(");

	return (len == 7 && !strncmp(word, "set-var", len)) || (len == 11 && !strncmp(word, "set-var-fmt", len)) ||
	       (len == 9 && !strncmp(word, "unset-var", len));
}

static struct rule *read_rule(struct reader *r, size_t i, unsigned sees)
{
	const struct rule_memory *m = cfg_rule_memory(r);
	struct rule *rule = keep(r, sizeof(*rule));
	const char *word[LEX_WORDS_MAX];
	struct acl_reader reader = {.memory = m};
	struct rule_error e = {""};
	struct words w = {.r = &reader, .word = word, .i = 1, .e = &e};
	bool ok;

	if (!m || !rule)
		return NULL;
	for (w.n = 0; i + w.n < r->line->n; w.n++)
		word[w.n] = word_at(r, i + w.n);
	rule->data = !strncmp(word[0], "set-var-fmt", 11);
	rule->run = *word[0] == 'u' ? run_unset_var : run_set_var;
	ok = *word[0] == 'u' ? read_unset_var(&w, rule) : read_set_var(&w, rule);
	if (!ok)
		say(r, DIAG_ERROR, i, "%s", e.text);
	else if (w.i < w.n && strcmp(word[w.i], "comment") != 0)
		say(r, DIAG_ERROR, i + w.i, "\"%s\" is too much here: a check's variables have no condition", word[w.i]);
	else if (can_be(r, i, rule->expr.needs | rule->format.needs, sees))
		return rule;
	return NULL;
}

bool cfg_add_check_rule(struct reader *r, size_t i, unsigned sees, const struct rule **to)
{
	struct rule *rule = read_rule(r, i, sees), *copy, *first = NULL, **end = &first;

	/* A copy each time: sections that took them from their defaults keep what they have. */
	for (const struct rule *old = *to; rule && old; old = old->next, end = &copy->next) {
		copy = keep_copy(r, old, sizeof(*old));
		if (!copy)
			return false;
		copy->next = NULL;
		*end = copy;
	}
	*end = rule;
	if (rule)
		*to = first;
	return rule;
}
