/* SPDX-License-Identifier: MIT */
/*
 * The regular expressions of url blocks, by PCRE2 (as keepalived). libhealth hands one text through: the
 * pattern, behind the options of regex_options in REGEX_OPTIONS_LEN digits.
 */
#ifndef VIPD_REGEX_H
#define VIPD_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libhealth/foreign.h>

#define REGEX_OPTIONS_LEN 8

/* False: this program was built without PCRE2. */
bool regex_available(void);

/* Adds an option of pcre2api(3) by its name in lower case; false: there is none. */
bool regex_option(const char *name, uint32_t *options);

/* NULL, or what is wrong with the pattern, and where: text that lives until the next call. */
const char *regex_check(const char *pattern, uint32_t options, size_t *ret_at);

/* For health_http_opts.regex_ops. */
const struct health_regex *regex_ops(void);

#endif
