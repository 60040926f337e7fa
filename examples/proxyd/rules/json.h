/* SPDX-License-Identifier: MIT */
/* Values out of a JSON text (RFC 8259). Pure. */
#ifndef PROXYD_RULES_JSON_H
#define PROXYD_RULES_JSON_H

#include "rules/expr.h"

/* The value at a path, "$.a.b[0]", as it is written. False: there is none, or what stands before it is no JSON. */
bool json_find(struct text json, struct text path, struct text *ret);

/* It as a sample: a text, a bool, a number as text or (is_int) as a number, an array as it is written. False: another. */
bool json_value(struct text value, bool is_int, struct scratch *scratch, struct sample *ret);

/* The arguments ([path[,int]]). */
bool json_check(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e);

#endif
