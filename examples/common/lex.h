/* SPDX-License-Identifier: MIT */
/*
 * Lines and words of a configuration file, with the place of each word. The two dialects differ in
 * a few facts (struct lex_dialect); what the words mean is the parser's business.
 */
#ifndef COMMON_LEX_H
#define COMMON_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "diag.h"

#define LEX_FILE_MAX (16u << 20) /* bytes; more is refused: no configuration is that long */
#define LEX_LINE_MAX 65536u	 /* bytes of a line, continuations included */
#define LEX_WORDS_MAX 512u	 /* words of a line */

struct lex_dialect {
	const char *comment;  /* the characters that begin a comment where a word could begin */
	bool comment_in_word; /* … and in the middle of a word too */
	bool braces;	      /* { and } are words of their own, also when glued to another word */
	bool single_quotes;   /* 'raw' */
	bool c_escapes;	      /* in double quotes also \a \b \E \f \v \NNN (octal) \xX.. \cC */
	bool keeps_escapes; /* a backslash before what needs none stays: regular expressions have them */
	bool backslash; /* \x escapes outside quotes, and a backslash at the end joins lines */
	/*
	 * "$NAME" and "${NAME}" inside double quotes: returns the value (borrowed until the next
	 * call), or NULL when it is not set. NULL here: the dollar sign is an ordinary character.
	 */
	const char *(*variable)(const char *name, void *userdata);
	void *userdata;
};

struct lex_word {
	const char *text; /* without quotes and escapes */
	unsigned line;	  /* differs from the first word's after a joined line */
	unsigned column;  /* from 1, in characters as an editor counts them (a tab is one) */
	size_t offset;	  /* of its first byte in its line */
	bool quoted;	  /* was in quotes: never a brace, never a keyword's end */
};

struct lex_line {
	/* Borrowed until the next lex_next. Their texts stand one behind the other, each with its NUL. */
	const struct lex_word *word;
	size_t n;		     /* at least 1 */
};

struct lex;

/*
 * Reads the whole file; "-" is standard input. 0 or -errno: -EFBIG past LEX_FILE_MAX, -EISDIR for a
 * folder. `name` is borrowed for the life of the lexer and of what it put into `d`.
 */
int lex_open(const char *name, const struct lex_dialect *dialect, struct diag *d, struct lex **ret);

/* The same over bytes in memory, which are copied. */
int lex_open_text(const char *name, const char *text, size_t len, const struct lex_dialect *dialect,
		  struct diag *d, struct lex **ret);
void lex_free(struct lex *lx);

/*
 * The next line that has a word. False at the end. A line that cannot be read (a NUL byte, an open
 * quote, too long, too many words) is a DIAG_ERROR and is skipped.
 */
bool lex_next(struct lex *lx, struct lex_line *ret_line);

/*
 * For a language with macros: the words of any text, which stands for line `line` and is one line. False when
 * it has none or cannot be read, which is then said.
 */
bool lex_words(struct lex *lx, const char *text, size_t len, unsigned line,
	       struct lex_line *ret_line);

/* The place of a word, for a diag. */
struct diag_place lex_place(const struct lex *lx, const struct lex_word *w);

/* The number of the last line that was read, for "the file ends before …". */
unsigned lex_line_number(const struct lex *lx);

#endif
