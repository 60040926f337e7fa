/* SPDX-License-Identifier: MIT */
/* "~SEQ(VARIABLE, START, STEP, END)" and "~LST(VARIABLE, VALUE, …)" before a line that is repeated. */
#ifndef VIPD_CONF_SEQUENCE_H
#define VIPD_CONF_SEQUENCE_H

#include "conf/variable.h"

#define CONF_LIST_VARIABLES_MAX 16 /* in "~LST({A, B}, …)" */
#define CONF_LIST_VALUES_MAX 4096

struct conf_span {
	const char *text;
	size_t len;
};

struct conf_sequence {
	struct conf_span variable[CONF_LIST_VARIABLES_MAX];
	size_t n_variables;
	bool hex;
	int64_t next, step, left; /* ~SEQ: left: how often still */
	struct conf_span *value;  /* ~LST: n_variables for each time; NULL: ~SEQ */
	size_t n_values, at;
};

/* Does one begin here? */
bool conf_sequence_begins(const char *text, size_t len);

/*
 * Reads it; its values are borrowed from the text. NULL, or what is wrong with it; *ret_len: how long
 * it is, with the blanks behind it.
 */
const char *conf_sequence_read(struct conf_memory *m, const char *text, size_t len,
			       struct conf_sequence *ret, size_t *ret_len);

/* Sets its variables for the next time. False: it has been gone through. */
bool conf_sequence_next(struct conf_sequence *s, struct conf_variables *v, struct diag_place at);

#endif
