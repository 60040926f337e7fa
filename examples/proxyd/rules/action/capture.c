/* SPDX-License-Identifier: MIT */
/* "capture EXPRESSION len N" and "capture EXPRESSION id SLOT". */
#include "rules/rule.h"

#include "rules/capture.h"

static enum capture_side side_of(const struct rule *rule)
{
	bool answer = rule->kind == RULES_RESPONSE || rule->kind == RULES_AFTER_RESPONSE;

	return answer ? CAPTURE_RESPONSE : CAPTURE_REQUEST;
}

void run_capture(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct text t;

	if (r->captures && r->slots && expr_eval_text(&rule->expr, r, &t))
		capture_set(r->captures, r->slots, side_of(rule), rule->number, t);
}

bool read_capture(struct words *w, struct rule *rule)
{
	unsigned len;
	int slot;

	if (!rule_read_expr(w, &rule->expr))
		return false;
	if (rule_take_word(w, "id"))
		return rule_read_number(w, "a slot", 0, CAPTURES_MAX - 1, &rule->number);
	if (side_of(rule) == CAPTURE_RESPONSE || !w->r->slots)
		return rule_fail(w->e,
				 "write id and the number of a slot of \"declare capture\" here");
	if (!rule_take_word(w, "len"))
		return rule_fail(w->e, "write len and a number of bytes, or id and that of a slot");
	if (!rule_read_number(w, "a length", 1, CAPTURE_LEN_MAX, &len))
		return false;
	slot = capture_declare(w->r->slots, side_of(rule), len);
	rule->number = (unsigned)slot;
	return slot >= 0 || rule_fail(w->e, "more than %d captures", CAPTURES_MAX);
}
