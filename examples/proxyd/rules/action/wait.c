/* SPDX-License-Identifier: MIT */
/* Waiting for a body, and how long the server may take. */
#include <string.h>
#include <strings.h>

#include "rules/rule.h"

bool time_from_text(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		uint64_t us;
	} unit[] = {{"us", 1},	      {"ms", 1000},	  {"", 1000},	       {"s", 1000000},
		    {"m", 60000000u}, {"h", 3600000000u}, {"d", 86400000000u}};
	size_t n = strspn(text, "0123456789");
	int64_t value;

	for (size_t i = 0; n && i < sizeof(unit) / sizeof(unit[0]); i++)
		if (!strcmp(text + n, unit[i].name) && text_to_int(text_of(text, n), &value) &&
		    (uint64_t)value <= UINT64_C(2147483647000) / unit[i].us) {
			*ret_ns = (uint64_t)value * unit[i].us * 1000;
			return true;
		}
	return false;
}

bool rule_read_time(struct words *w, uint64_t *ret_ns)
{
	const char *text = rule_need_word(w, "a time");

	if (!text)
		return false;
	return time_from_text(text, ret_ns) || rule_fail(w->e, "\"%.60s\" is no time: write 500ms, 10s or 5m", text);
}

/* "16k" */
bool rule_read_size(struct words *w, uint64_t *ret)
{
	const char *text = rule_need_word(w, "a number of bytes");
	size_t n = text ? strspn(text, "0123456789") : 0;
	unsigned shift;
	int64_t value;

	if (!text)
		return false;
	shift = !strcasecmp(text + n, "k") ? 10 : !strcasecmp(text + n, "m") ? 20 : !strcasecmp(text + n, "g") ? 30 : 0;
	if (!n || (text[n] && !shift) || !text_to_int(text_of(text, n), &value) || value > 1 << 30)
		return rule_fail(w->e, "\"%.60s\" is no size: write bytes, such as 1000 or 16k", text);
	*ret = (uint64_t)value << shift;
	return true;
}

/* "wait-for-body time TIME [at-least BYTES]" */
bool read_wait_body(struct words *w, struct rule *rule)
{
	bool timed = false;

	while (w->i < w->n && !rule_is_condition(w->word[w->i])) {
		if (rule_take_word(w, "time")) {
			timed = true;
			if (!rule_read_time(w, &rule->ns))
				return false;
		} else if (!rule_take_word(w, "at-least")) {
			return rule_fail(w->e, "\"%.60s\" is unknown here: wait-for-body takes time TIME and at-least BYTES",
					 rule_next_word(w));
		} else if (!rule_read_size(w, &rule->bytes)) {
			return false;
		}
	}
	return timed || rule_fail(w->e, "it says no time: write wait-for-body time 1s");
}

void run_wait_body(const struct rule *rule, struct run *r, struct verdict *v)
{
	v->kind = VERDICT_WAIT_BODY;
	v->wait_ns = rule->ns;
	v->wait_bytes = rule->bytes;
}

/* "pause TIME|EXPRESSION": an expression gives ms */
bool read_pause(struct words *w, struct rule *rule)
{
	if (w->i < w->n && w->word[w->i][0] >= '0' && w->word[w->i][0] <= '9')
		return rule_read_time(w, &rule->ns);
	return rule_read_expr(w, &rule->expr);
}

void run_pause(const struct rule *rule, struct run *r, struct verdict *v)
{
	uint64_t ns = rule->ns;
	struct sample s;

	if (rule->expr.fetch) {
		if (!expr_eval(&rule->expr, r, NULL, &s) || !sample_cast(&s, SAMPLE_INT, &r->scratch) || s.number < 0 ||
		    s.number > INT32_MAX)
			return;
		ns = (uint64_t)s.number * 1000000;
	}
	if (!ns)
		return;
	v->kind = VERDICT_PAUSE;
	v->wait_ns = ns;
}

/* "set-timeout server|tunnel TIME|EXPRESSION": an expression gives ms */
bool read_action_timeout(struct words *w, struct rule *rule)
{
	rule->data = rule_take_word(w, "tunnel");
	if (!rule->data && !rule_take_word(w, "server"))
		return rule_fail(w->e, "write set-timeout server TIME, or tunnel");
	if (w->i < w->n && w->word[w->i][0] >= '0' && w->word[w->i][0] <= '9')
		return rule_read_time(w, &rule->ns) && (rule->ns || rule_fail(w->e, "0 is no timeout"));
	return rule_read_expr(w, &rule->expr);
}

void run_action_timeout(const struct rule *rule, struct run *r, struct verdict *v)
{
	uint64_t ns = rule->ns;
	struct sample s;

	if (!ns) {
		if (!expr_eval(&rule->expr, r, NULL, &s) || !sample_cast(&s, SAMPLE_INT, &r->scratch) ||
		    s.number <= 0 || s.number > INT32_MAX)
			return; /* as HAProxy: it stays what it was */
		ns = (uint64_t)s.number * 1000000;
	}
	if (rule->data)
		v->tunnel_ns = ns;
	else
		v->server_ns = ns;
}
