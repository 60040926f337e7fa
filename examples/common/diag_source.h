/* SPDX-License-Identifier: MIT */
/* The line that a finding is about, with a mark under the word. */
#ifndef COMMON_DIAG_SOURCE_H
#define COMMON_DIAG_SOURCE_H

#include "diag.h"

/* The file that was read last; zero: none. Findings of one file come one behind the other. */
struct diag_source {
	const char *name; /* borrowed from the finding */
	char *text;
	size_t len;
};

void diag_source_fini(struct diag_source *s);

/*
 * Two lines: what stands there, and a mark. Nothing when there is nothing to show: no place, a file that
 * cannot be read again (a pipe), a line that may hold a secret.
 */
void diag_source_print(struct diag_source *s, const struct diag_place *at, FILE *to);

#endif
