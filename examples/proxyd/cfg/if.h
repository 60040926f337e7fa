/* SPDX-License-Identifier: MIT */
/*
 * Conditions of the file itself: .if, .elif and -cc. An expression is an integer, a predicate such as
 * defined(NAME), or those joined by !, &&, || and parentheses. Pure but for the environment.
 */
#ifndef PROXYD_CFG_IF_H
#define PROXYD_CFG_IF_H

#include <stdbool.h>
#include <stddef.h>

#define CFG_IF_NESTED_MAX 32	     /* parentheses and ! within each other */
#define CFG_CLAIMED_VERSION "2.6.12" /* HAProxy's, whose language this is */

/* False: it cannot be read; error says why, *ret_at is the index in `text`. Empty text is false. */
bool cfg_if_eval(const char *text, bool *ret, char *error, size_t cap, size_t *ret_at);

/* What feature(NAME) and enabled(NAME) know; "" ends the walk. For -vv. */
const char *cfg_if_feature(size_t index, bool *ret_present);

#endif
