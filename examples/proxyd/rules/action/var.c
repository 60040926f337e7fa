/* SPDX-License-Identifier: MIT */
/* Actions on variables and the log. */
#include "rules/rule.h"

#include <string.h>

/* ---- Variables, captures, the log ---- */

void run_set_var(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct sample s;
	struct text t;

	if (rule->data) { /* set-var-fmt */
		if (!format_write(&rule->format, r, &t))
			return;
		s = sample_text(SAMPLE_STR, t.at, t.len);
	} else if (!expr_eval(&rule->expr, r, NULL, &s)) {
		return; /* as HAProxy: it keeps its value */
	}
	if (run_var_may(r, rule->number, rule->conditions, &s))
		run_var_set(r, rule->number, &s);
}

void run_unset_var(const struct rule *rule, struct run *r, struct verdict *v)
{
	run_var_unset(r, rule->number);
}

const char *rule_read_var(struct words *w, struct rule *rule)
{
	const char *word = w->word[0], *open = strchr(word, '('),
		   *end = open ? open + strcspn(open, ",)") : NULL;
	int number;

	if (!open || !*end) {
		rule_fail(w->e, "\"%s\" needs the name of a variable in parentheses: %.*s(txn.name)", word,
			  (int)strcspn(word, "("), word);
		return NULL;
	}
	number = var_number(text_of(open + 1, (size_t)(end - open) - 1), w->r->memory, w->e);
	rule->number = (unsigned)number;
	return number >= 0 ? end : NULL;
}

/* "set-var(txn.a[,condition…])" */
static bool read_var_name(struct words *w, struct rule *rule)
{
	const char *end = rule_read_var(w, rule);

	while (end && *end == ',') {
		struct text condition = text_of(end + 1, strcspn(end + 1, ",)"));
		unsigned bit = var_condition(condition);

		if (!bit)
			return rule_fail(w->e, "\"%.*s\" is no condition of set-var: write ifset, ifnotset, ifempty …",
					 (int)(condition.len > 30 ? 30 : condition.len), condition.at);
		rule->conditions |= bit;
		end += 1 + condition.len;
	}
	return end;
}

bool read_set_var(struct words *w, struct rule *rule)
{
	const char *text;

	if (!read_var_name(w, rule))
		return false;
	if (!rule->data)
		return rule_read_expr(w, &rule->expr);
	text = rule_need_word(w, "a text");
	return text && format_parse(text, w->r->memory, &rule->format, w->e);
}

bool read_unset_var(struct words *w, struct rule *rule)
{
	return read_var_name(w, rule);
}

static int64_t clamp(int64_t value, int64_t limit)
{
	return value < -limit ? -limit : value > limit ? limit : value;
}

/* set-priority-class, set-priority-offset: without a value it stays what it was */
void run_priority(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct sample s;

	if (!expr_eval(&rule->expr, r, NULL, &s) || !sample_cast(&s, SAMPLE_INT, &r->scratch))
		return;
	if (rule->data) {
		v->priority_offset = (int32_t)clamp(s.number, 0x7ffff);
		v->has_offset = true;
	} else {
		v->priority_class = (int16_t)clamp(s.number, 0x7ff);
		v->has_class = true;
	}
}

bool read_priority(struct words *w, struct rule *rule)
{
	return rule_read_expr(w, &rule->expr);
}

void run_log_level(const struct rule *rule, struct run *r, struct verdict *v)
{
	v->log_level = rule->data;
}

bool read_log_level(struct words *w, struct rule *rule)
{
	static const char *const levels[] = {"emerg",  "alert", "crit",	 "err",	  "warning",
					     "notice", "info",	"debug", "silent"};
	const char *word = rule_need_word(w, "a level");

	for (int i = 0; word && i < 9; i++)
		if (!strcmp(levels[i], word)) {
			rule->data = i;
			return true;
		}
	return word ? rule_fail(w->e, "\"%s\" is no level: write emerg to debug, or silent", word)
		    : false;
}
