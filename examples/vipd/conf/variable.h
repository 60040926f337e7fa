/* SPDX-License-Identifier: MIT */
/*
 * $VARIABLES of a configuration, and what a line says when they are put in. A value is text: it is
 * looked at when it is used, so it may name variables that are set later.
 */
#ifndef VIPD_CONF_VARIABLE_H
#define VIPD_CONF_VARIABLE_H

#include <stdint.h>

#include "conf/index.h"
#include "diag.h"
#include "lex.h"

#define CONF_VALUES_IN_VALUES 16 /* how deep values may name variables */

/* A line as it is written, or as it became. */
struct conf_text {
	const char *text; /* no NUL behind it */
	size_t len;
	struct diag_place at;	/* of its first byte */
	const uint16_t *column; /* where each byte comes from; NULL: one behind the other */
};

struct conf_variable {
	const char *name;
	struct conf_text *line;
	size_t n;   /* lines; at least 1 */
	char *room; /* a value of one line that may be written over */
	size_t room_size;
};

struct conf_variables {
	struct conf_memory *memory;
	struct conf_index index;
	const char *config_id;
	uint64_t random; /* state of the generator, never 0 */
};

/* How much of the text is a name: 0 when none begins here. */
size_t conf_variable_name(const char *text, size_t len);

void conf_variable_set(struct conf_variables *v, const char *name, size_t name_len,
		       const struct conf_text *value);
/* Several lines, which are borrowed. */
void conf_variable_set_lines(struct conf_variables *v, const char *name, size_t name_len,
			     struct conf_text *line, size_t n);

/* A line with its variables in place. */
struct conf_expansion {
	char text[LEX_LINE_MAX];
	uint16_t column[LEX_LINE_MAX];
	size_t len;
	const struct conf_variable *lines; /* it stopped at this one, of several lines; … */
	const char *rest;		   /* … behind which this follows, not looked at yet */
	size_t rest_len;
	const char *error; /* NULL, or why it cannot be done */
};

void conf_expand(struct conf_variables *v, const struct conf_text *from,
		 struct conf_expansion *ret);

/* Where byte `offset` of the line was written. */
struct diag_place conf_text_place(const struct conf_text *t, size_t offset);

/* The line without its first n bytes. */
void conf_text_skip(struct conf_text *t, size_t n);

#endif
