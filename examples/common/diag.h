/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with a configuration, each finding said once: file:line:column: what, and what to
 * write instead. Findings are collected, so that all of them are printed, not only the first.
 */
#ifndef COMMON_DIAG_H
#define COMMON_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* More findings than this are counted, not kept: nobody reads the five hundredth. */
#define DIAG_MAX 200
#define DIAG_TEXT_MAX 512

enum diag_level {
	DIAG_NOTICE,  /* accepted; there is a modern word or a better way */
	DIAG_WARNING, /* skipped or replaced by a default; the daemon goes on */
	DIAG_ERROR,   /* the configuration cannot run */
};

struct diag_place {
	const char *file; /* borrowed: lives as long as the diag; NULL: not about a file */
	unsigned line;	  /* from 1; 0: the file as a whole */
	unsigned column;  /* from 1; 0: the line as a whole */
};

struct diag_message {
	enum diag_level level;
	struct diag_place at;
	char *text;
};

struct diag {
	struct diag_message message[DIAG_MAX];
	size_t n;
	size_t count[DIAG_ERROR + 1]; /* all, also those not kept */
};

/* Zero is a valid empty diag. */
void diag_fini(struct diag *d);

__attribute__((format(printf, 4, 5))) void diag_add(struct diag *d, enum diag_level level,
						    const struct diag_place *at, const char *format,
						    ...);

/* True: further findings are only counted, so none needs to be made pretty. */
bool diag_full(const struct diag *d);

/* One finding without its newline: "file:line:column: level: text", as far as the place is known.
 */
void diag_format(const struct diag_message *m, char *buf, size_t cap);

/* By file, in the order in which files were found wrong, then by line and column. */
void diag_sort(struct diag *d);

/*
 * The known word that is nearest to `word` (letters added, left out, changed or swapped), or NULL
 * when none is near enough to be what was meant.
 */
const char *diag_nearest(const char *word, const char *const *known, size_t n);

#endif
