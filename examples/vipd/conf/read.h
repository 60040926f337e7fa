/* SPDX-License-Identifier: MIT */
/*
 * From a file to lines of words: comments, quotes, includes, @ID lines, $VARIABLES, ~SEQ and ~LST are
 * dealt with here, what the words mean is not. A word knows where it was written.
 */
#ifndef VIPD_CONF_READ_H
#define VIPD_CONF_READ_H

#include "conf/conf.h"
#include "conf/memory.h"

#define CONF_INCLUDE_MAX 16	      /* files in files */
#define CONF_BRACES_MAX 4	      /* {a,b} in a pattern: each multiplies it */
#define CONF_FILES_MAX 4096	      /* files in all */
#define CONF_WORDS_MAX 4000000u	      /* words of all files */
#define CONF_MACROS_MAX 16	      /* sequences and variables of several lines in each other */
#define CONF_EXPANDED_MAX (64u << 20) /* bytes that macros may make, in all */

struct conf_word {
	const char *text;
	struct diag_place at;
	bool quoted;
};

struct conf_line {
	struct conf_word *word;
	size_t n;
};

typedef void conf_line_fn(void *userdata, const struct conf_line *l);

/*
 * The file and what it includes: `fn` gets each line, which lies in `lines` with the texts of its words until the caller rewinds them.
 * The names of files are in `kept`, which is the parent of the other two or the same. 0, or -errno when the first file cannot be read.
 */
int conf_read(struct conf_memory *kept, struct conf_memory *scratch, struct conf_memory *lines,
	      const struct conf_source *source, struct diag *d, conf_line_fn *fn, void *userdata);

#endif
