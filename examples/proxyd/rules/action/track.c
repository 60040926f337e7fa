/* SPDX-License-Identifier: MIT */
/* track-sc0 KEY [table NAME]; sc-inc-gpc0(N), sc-set-gpt0(N) VALUE and their like */
#include "rules/rule.h"

#include <stdlib.h>
#include <string.h>

#include "rules/map.h"
#include "rules/track.h"

void run_track(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct track *t = r->track ? &r->track[rule->data] : NULL;
	struct sample key;
	bool found;

	if (!t || t->entry || !rule->table->table)
		return;
	r->may_change = false;
	found = expr_eval(&rule->expr, r, NULL, &key);
	if (r->may_change && !r->ended) {
		v->kind = VERDICT_WAIT;
		return;
	}
	if (!found)
		return;
	track_begin(t, rule->table->table, &key,
		    rule->kind != RULES_CONNECTION && rule->kind != RULES_SESSION, r->now_ns,
		    &r->scratch);
	if (t->entry && (rule->kind == RULES_REQUEST || rule->kind == RULES_RESPONSE))
		table_count(t->table, t->entry, table_at(TABLE_HTTP_REQ_CNT), 1, r->now_ns);
}

bool read_track(struct words *w, struct rule *rule)
{
	const struct rule_memory *m = w->r->memory;
	const char *name = m->proxy;

	if (!m->shared)
		return rule_fail(w->e, "there are no tables here");
	if (!rule_read_expr(w, &rule->expr))
		return false;
	if (rule_take_word(w, "table")) {
		name = rule_need_word(w, "the name of a proxy with a stick-table");
		if (!name)
			return false;
	}
	rule->table = table_ref(m, name);
	return rule->table || rule_fail(w->e, "%s", "");
}

/* The slot in the action's parentheses, of arrays behind the place: "sc-inc-gpc(1,0)". */
static bool read_slot(struct words *w, struct rule *rule)
{
	bool is_array = table_data_is_array((enum table_data)rule->data);
	const char *p = strchr(w->word[0], '(');
	int length = (int)strcspn(w->word[0], "(");
	unsigned long index = 0;
	char *end;

	if (p && is_array) {
		index = p[1] >= '0' && p[1] <= '9' ? strtoul(p + 1, &end, 10) : TABLE_ARRAY_MAX;
		p = index < TABLE_ARRAY_MAX && *end == ',' ? end : NULL;
	}
	if (!p || p[1] < '0' || p[1] >= '0' + TRACK_MAX || strcmp(p + 2, ")") != 0)
		return rule_fail(w->e, "\"%.60s\" needs %sa slot from 0 to %d: %.*s(%s0)", w->word[0],
				 is_array ? "the place in the array, and " : "", TRACK_MAX - 1, length,
				 w->word[0], is_array ? "0," : "");
	rule->number = (unsigned)(p[1] - '0');
	rule->index = (unsigned)index;
	return true;
}

static struct table_place place_of(const struct rule *rule)
{
	return (struct table_place){(enum table_data)rule->data, rule->index};
}

void run_count(const struct rule *rule, struct run *r, struct verdict *v)
{
	const struct track *t = r->track ? &r->track[rule->number] : NULL;

	if (t && t->entry)
		table_count(t->table, t->entry, place_of(rule), 1, r->now_ns);
}

bool read_count(struct words *w, struct rule *rule)
{
	return read_slot(w, rule);
}

void run_tag(const struct rule *rule, struct run *r, struct verdict *v)
{
	const struct track *t = r->track ? &r->track[rule->number] : NULL;
	struct sample s;

	if (t && t->entry && expr_eval(&rule->expr, r, NULL, &s) &&
	    sample_cast(&s, SAMPLE_INT, &r->scratch))
		table_set(t->table, t->entry, place_of(rule), (uint64_t)s.number, r->now_ns);
}

void run_add(const struct rule *rule, struct run *r, struct verdict *v)
{
	const struct track *t = r->track ? &r->track[rule->number] : NULL;
	struct sample s;

	if (t && t->entry && expr_eval(&rule->expr, r, NULL, &s) &&
	    sample_cast(&s, SAMPLE_INT, &r->scratch) && s.number > 0 && s.number <= UINT32_MAX)
		table_count(t->table, t->entry, place_of(rule), s.number, r->now_ns);
}

/* A number stands for int(number). */
bool read_tag(struct words *w, struct rule *rule)
{
	const char *text = w->i < w->n ? w->word[w->i] : "", *rest;
	char number[64] = "int(";

	if (!read_slot(w, rule))
		return false;
	if (!*text || text[strspn(text, "0123456789")] || strlen(text) > 20)
		return rule_read_expr(w, &rule->expr);
	strcat(strcat(number, text), ")");
	w->i++;
	return expr_parse(number, w->r->memory, &rule->expr, &rest, w->e);
}
