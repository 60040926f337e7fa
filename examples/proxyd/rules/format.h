/* SPDX-License-Identifier: MIT */
/*
 * Text with expressions in it, HAProxy's log-format: "%[src]:%[src_port] %ci". Parsed once, written often.
 * Pure.
 */
#ifndef PROXYD_RULES_FORMAT_H
#define PROXYD_RULES_FORMAT_H

#include "rules/expr.h"

#define FORMAT_PARTS_MAX 128

struct format_part {
	struct text literal; /* when there is no expression */
	struct expr *expr;
};

struct format {
	unsigned n, needs;
	struct format_part *part;
};

/* False with e->text. */
bool format_parse(const char *text, const struct rule_memory *m, struct format *ret,
		  struct rule_error *e);

/* A text without anything to be replaced. */
bool format_is_constant(const struct format *f);

/* Into the scratch; what has no value is left out. False: full. */
bool format_write(const struct format *f, struct run *r, struct text *ret);

#endif
