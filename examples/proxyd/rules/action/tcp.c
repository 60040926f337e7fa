/* SPDX-License-Identifier: MIT */
/* Actions on connections: accept and reject, where they are from and went to, marks of their packets. */
#include "rules/rule.h"

#include <stdlib.h>
#include <string.h>

void run_expect_proxy(const struct rule *rule, struct run *r, struct verdict *v)
{
	v->expect_proxy = true;
}

void run_expect_cip(const struct rule *rule, struct run *r, struct verdict *v)
{
	v->expect_cip = true;
}

/* "expect-proxy layer4", "expect-netscaler-cip layer4" */
bool read_expect_proxy(struct words *w, struct rule *rule)
{
	return rule_take_word(w, "layer4") ||
	       rule_fail(w->e, "write layer4 behind it: there is no other layer");
}

/* In mode http it is so already: as accept, as in HAProxy. */
void run_switch(const struct rule *rule, struct run *r, struct verdict *v)
{
	v->kind = VERDICT_ALLOW;
	v->to_http = true;
}

/* "switch-mode http [proto h1]" */
bool read_switch(struct words *w, struct rule *rule)
{
	if (!rule_take_word(w, "http"))
		return rule_fail(w->e, "write switch-mode http: there is no other mode to go to");
	if (!rule_take_word(w, "proto") || rule_take_word(w, "h1"))
		return true;
	return rule_fail(w->e, "\"%.30s\" is not spoken by this version: write proto h1, or leave it out",
			 w->i < w->n ? rule_next_word(w) : "");
}

void run_set_end(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct run_end *end = rule->data & SET_DESTINATION ? &r->destination : &r->source;
	struct sample s;

	if (!expr_eval(&rule->expr, r, NULL, &s))
		return; /* as HAProxy: it stays what it was */
	if (rule->data & SET_PORT) {
		if (sample_cast(&s, SAMPLE_INT, &r->scratch))
			end->port = (uint16_t)s.number;
	} else if (s.type == SAMPLE_IPV4 || s.type == SAMPLE_IPV6 ||
		   (sample_cast(&s, SAMPLE_STR, &r->scratch) && text_to_ip(s.text, &s))) {
		end->address = s;
	} else {
		return;
	}
	r->moved = true;
}

bool read_set_end(struct words *w, struct rule *rule)
{
	return rule_read_expr(w, &rule->expr);
}

/* set-mark, set-tos, set-nice: a number, which may be hexadecimal */
void run_packet(const struct rule *rule, struct run *r, struct verdict *v)
{
	if (rule->data == PACKET_MARK)
		v->mark = rule->number, v->has_mark = true;
	else if (rule->data == PACKET_TOS)
		v->tos = (uint8_t)rule->number, v->has_tos = true;
}

bool read_packet(struct words *w, struct rule *rule)
{
	const char *text = rule_need_word(w, "a number");
	long long value, low = rule->data == PACKET_NICE ? -1024 : 0,
			 high = rule->data == PACKET_NICE  ? 1024
				: rule->data == PACKET_TOS ? 255
							   : UINT32_MAX;
	char *end;

	if (!text)
		return false;
	value = strtoll(text, &end, 0);
	if (!*text || *end || value < low || value > high)
		return rule_fail(w->e, "\"%s\" is no number from %lld to %lld", text, low, high);
	rule->number = (unsigned)value;
	return true;
}
