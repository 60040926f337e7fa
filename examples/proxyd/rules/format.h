/* SPDX-License-Identifier: MIT */
/*
 * Text with variables and expressions in it, HAProxy's log-format: "%[src]:%[src_port] %ci %{+Q}r". Parsed
 * once, written often. Pure.
 */
#ifndef PROXYD_RULES_FORMAT_H
#define PROXYD_RULES_FORMAT_H

#include "rules/expr.h"

enum format_kind {
	FORMAT_TEXT,
	FORMAT_EXPR,
	FORMAT_VAR, /* log_facts.h */
};

struct format_part {
	enum format_kind kind;
	struct text literal;
	struct expr *expr;
	int var;
	unsigned flags; /* LOG_… */
};

struct format {
	unsigned n, needs;
	struct format_part *part;
	bool asks_destination; /* it may say where the client connected to */
	bool is_log;	       /* spaces are one, and it is cut where it is full */
	bool has_dashes;       /* what has no value is "-" */
	bool is_http;	       /* control bytes of expressions are encoded */
	bool is_json;	       /* it has no parts: log_json.h */
};

/* False with e->text. */
bool format_parse(const char *text, const struct rule_memory *m, struct format *ret,
		  struct rule_error *e);

/* The same, for HTTP: control bytes of expressions are encoded, as "%" and two digits. */
bool format_parse_http(const char *text, const struct rule_memory *m, struct format *ret, struct rule_error *e);

/* A text without anything to be replaced. */
bool format_is_constant(const struct format *f);

/*
 * Into the scratch; what has no value is left out. False: full. Variables ask r->facts, or what r says of
 * itself.
 */
bool format_write(const struct format *f, struct run *r, struct text *ret);

#endif
