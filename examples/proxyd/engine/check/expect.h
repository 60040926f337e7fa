/* SPDX-License-Identifier: MIT */
/* What an "expect" line of a check is worth, given what came, and HAProxy's words for it. Control thread. */
#ifndef PROXYD_ENGINE_CHECK_EXPECT_H
#define PROXYD_ENGINE_CHECK_EXPECT_H

#include <libhealth/probe.h>

#include "cfg/cfg.h"
#include "rules/run.h"

/* NO_TEXT: a format wrote nothing that could be looked for, and so it fails, whether or not it must be there. */
enum expect_found { ANSWER_WAIT, ANSWER_NEXT, ANSWER_FAIL, ANSWER_NO_TEXT };

#define EXPECT_NO_TEXT "log-format string evaluated to an empty string"

/* CFG_EXPECT_BYTES; `last`: no more of it comes. */
enum expect_found expect_in(const struct cfg_expect *x, struct run *r, struct text data, bool last);
/* The other kinds, of r->response. */
enum expect_found expect_of_head(const struct cfg_expect *x, struct run *r);

/* The verdict into `io`; the code is the line's own, or this one, and the text this one without a line of its own. */
void expect_failed(const struct cfg_expect *x, struct run *r, enum health_code code, const char *usual, struct health_probe_io *io);
/* `x` was the last line; NULL: the last one expects nothing. */
void expect_passed(const struct cfg_expect *x, struct run *r, enum health_code code, const char *usual, struct health_probe_io *io);
/* It is still waited for. */
void expect_late(const struct cfg_expect *x, const char *usual, struct health_probe_io *io);

/* The bytes that a format, or `as_is` without one, stands for. False: none, or no digits of bytes. */
bool expect_bytes(const struct format *f, struct text as_is, bool is_hex, struct run *r, struct text *ret);

#endif
