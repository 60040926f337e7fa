/* SPDX-License-Identifier: MIT */
/* Files with a whole answer: "errorfile" of sections and of rules. Pure. */
#ifndef PROXYD_ERRORFILE_H
#define PROXYD_ERRORFILE_H

#include <stdbool.h>
#include <stddef.h>

#define ERRORFILE_MAX 16384u /* bytes, as in HAProxy's buffer */

/* Why it cannot be sent, for a message behind its name; NULL: it can, or it is empty. */
const char *errorfile_fault(const char *raw, size_t len);

/* Copies, with CR LF at each line of the head. `out` has room for 2 * len; returns how much it got. */
size_t errorfile_copy(char *out, const char *raw, size_t len);

#endif
