/* SPDX-License-Identifier: MIT */
/*
 * Regular expressions by PCRE2, as HAProxy has them, with limits: a hostile text costs a bounded time. Pure
 * but for the memory that PCRE2 takes.
 */
#ifndef PROXYD_RULES_REGEX_H
#define PROXYD_RULES_REGEX_H

#include "rules/expr.h"

#define REGEX_GROUPS 10	       /* \0 .. \9 */
#define REGEX_STEPS_MAX 100000 /* of one match, in PCRE2's count */

struct regex;

/*
 * Any thread. True: it is found in `t`; `group` (NULL: of no interest) has what matched, groups without
 * part in it are {NULL, 0}. A match that is given up counts as none.
 */
bool regex_match(const struct regex *re, struct text t, struct text group[REGEX_GROUPS]);

/* `template` with \0 .. \9 replaced by the groups, into the scratch. False: full. */
bool regex_fill(const struct text group[REGEX_GROUPS], struct text template,
		struct scratch *scratch, struct text *ret);

/*
 * Every match in `t` (or the first) is replaced; the result is in the scratch, or `t` itself when nothing
 * matches. False: full.
 */
bool regex_replace(const struct regex *re, struct text t, struct text template, bool all,
		   struct scratch *scratch, struct text *ret);

#endif
