/* SPDX-License-Identifier: MIT */
/*
 * A command line of the runtime API: commands between ";", words between blanks, a backslash takes a blank, a ";"
 * or a backslash for what it is, and " <<" at the end says that the payload follows, up to an empty line, " <<END" up to the line END (HAProxy 2.9). Pure.
 */
#ifndef PROXYD_RUNTIME_LINE_H
#define PROXYD_RUNTIME_LINE_H

#include <stdbool.h>
#include <stddef.h>

#define LINE_MAX_BYTES 16384 /* with its end */
#define LINE_WORDS_MAX 64
#define PAYLOAD_MAX_BYTES (1u << 20) /* a bundle of authorities has 200 KiB */

/* One command of a line. */
struct line_command {
	char *word[LINE_WORDS_MAX]; /* in the line's own memory */
	size_t n;
};

/*
 * Takes the next command off *text, which it changes in place. False: no more. A command without words has n 0;
 * one with too many has n LINE_WORDS_MAX + 1.
 */
bool line_next(char **text, struct line_command *ret);

#define LINE_PATTERN_MAX 7

/* True: `line` ends in "<<", or "<<PATTERN" of at most LINE_PATTERN_MAX bytes, which is cut off: the line that ends the payload. */
bool line_has_payload(char *line, char ret_end[LINE_PATTERN_MAX + 1]);

#endif
