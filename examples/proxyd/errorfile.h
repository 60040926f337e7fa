/* SPDX-License-Identifier: MIT */
/* Files with a whole answer: "errorfile" of sections and of rules. Pure. */
#ifndef PROXYD_ERRORFILE_H
#define PROXYD_ERRORFILE_H

#include <stdbool.h>
#include <stddef.h>

#define ERRORFILE_MAX 16384u /* bytes, as in HAProxy's buffer */
#define ERRORFILE_WANTED                                                                           \
	"it must begin with a line such as \"HTTP/1.1 503 Service Unavailable\", then headers, an "  \
	"empty line and the page"

bool errorfile_is_answer(const char *raw, size_t len);

/* Copies, with CR LF at each line of the head. `out` has room for 2 * len; returns how much it got. */
size_t errorfile_copy(char *out, const char *raw, size_t len);

#endif
