/* SPDX-License-Identifier: MIT */
/* set-bandwidth-limit */
#include <ctype.h>
#include <string.h>

#include "rules/rule.h"

struct bandwidth *bandwidth_named(struct bandwidth **list, const char *name,
				  const struct rule_memory *m)
{
	struct bandwidth *b = *list;
	size_t size = strlen(name) + 1;
	char *copy;

	while (b && strcmp(b->name, name) != 0)
		b = b->next;
	if (b)
		return b;
	b = m->alloc(m->owner, sizeof(*b));
	copy = m->alloc(m->owner, size);
	if (!b || !copy)
		return NULL;
	b->name = memcpy(copy, name, size);
	b->next = *list;
	return *list = b;
}

/* What may be a number of the file or an expression; ns and bytes have one each. */
struct bandwidth_change {
	struct expr limit, period;
};

/* "limit SIZE|EXPRESSION" and "period TIME|EXPRESSION", in any order. */
static bool read_change(struct words *w, struct rule *rule)
{
	bool is_limit = rule_take_word(w, "limit"), is_number;

	if (!is_limit && !rule_take_word(w, "period"))
		return rule_fail(w->e,
				 "\"%.60s\" is unknown here: set-bandwidth-limit takes limit SIZE "
				 "and period TIME",
				 w->word[w->i++]);
	is_number = w->i < w->n && isdigit((unsigned char)w->word[w->i][0]);
	if (is_number && is_limit)
		return rule_read_size(w, &rule->bytes) &&
		       (rule->bytes || rule_fail(w->e, "0 is no limit: nothing would pass"));
	if (is_number)
		return rule_read_time(w, &rule->ns) &&
		       (rule->ns || rule_fail(w->e, "0 is no period"));
	if (!rule_read_expr(w, is_limit ? &rule->change->limit : &rule->change->period))
		return false;
	rule->expr.needs |= (is_limit ? rule->change->limit : rule->change->period).needs;
	return true;
}

bool read_bandwidth(struct words *w, struct rule *rule)
{
	const struct rule_memory *m = w->r->memory;
	const char *name = rule_need_word(w, "the name of a filter bwlim-in or bwlim-out");
	struct bandwidth *b;

	if (!name)
		return false;
	if (!w->r->bandwidths)
		return rule_fail(w->e, "a defaults section has no filters: write this rule beside its filter");
	b = bandwidth_named(w->r->bandwidths, name, m);
	rule->change = m->alloc(m->owner, sizeof(*rule->change));
	if (!b || !rule->change)
		return rule_fail(w->e, "%s", "");
	rule->bandwidth = b;
	if (!b->line) {
		b->file = rule->file;
		b->line = rule->line;
	}
	while (w->i < w->n && !rule_is_condition(w->word[w->i])) {
		if (!read_change(w, rule))
			return false;
		b->changed_file = rule->file;
		b->changed_line = rule->line;
	}
	return true;
}

/* The value of an expression, if there is one and it says more than 0; else `usual`. */
static uint64_t value_of(const struct expr *x, struct run *r, uint64_t unit, uint64_t usual)
{
	struct sample s;

	if (!x->fetch || !expr_eval(x, r, NULL, &s) || !sample_cast(&s, SAMPLE_INT, &r->scratch) ||
	    s.number <= 0 || s.number > INT64_C(1) << 40)
		return usual;
	return (uint64_t)s.number * unit;
}

void run_bandwidth(const struct rule *rule, struct run *r, struct verdict *v)
{
	const struct bandwidth *b = rule->bandwidth;
	struct bandwidth_order *order = &v->bandwidth[b->is_out], new = {.filter = b};
	struct sample key;

	if (b->key) {
		struct table *t = b->table->table;

		if (!t || !expr_eval(b->key, r, NULL, &key) ||
		    !(new.entry = table_hold(t, &key, true, r->now_ns, &r->scratch)))
			return; /* as HAProxy: without a key there is no limit */
		new.bytes = b->bytes;
	} else {
		new.bytes =
		    value_of(&rule->change->limit, r, 1, rule->bytes ? rule->bytes : b->bytes);
		new.ns = value_of(&rule->change->period, r, 1000000, rule->ns ? rule->ns : b->ns);
	}
	if (order->entry)
		table_release(order->filter->table->table, order->entry);
	*order = new;
}
