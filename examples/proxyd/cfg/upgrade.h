/* SPDX-License-Identifier: MIT */
/*
 * Words that HAProxy removed, as the lines that replace them. Words in, words out: the reader goes on
 * with the modern lines, tells them, and --migrate prints them.
 */
#ifndef PROXYD_CFG_UPGRADE_H
#define PROXYD_CFG_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>

#include "lex.h"

#define UPGRADE_WORDS_MAX 600
#define UPGRADE_LINES_MAX 16
#define UPGRADE_TEXT_MAX 8192

struct upgrade {
	struct lex_line
	    line[UPGRADE_LINES_MAX]; /* the modern ones; each word has the place of its old one */
	size_t n_lines;		     /* 0: the line means nothing any more */
	const char *old;	     /* the removed word, for people */
	bool old_form;		     /* the word lives on, this form of it does not */
	char why_not[256];	     /* not empty: nothing can stand for it; what to do instead */
	struct lex_word word[UPGRADE_WORDS_MAX];
	size_t n_words;
	char text[UPGRADE_TEXT_MAX];
	size_t n_text;
	bool too_long;
};

enum upgrade_section {
	UPGRADE_GLOBAL = 1,
	UPGRADE_PROXY = 2,
};

/* False: nothing in the line is old. `in` is the section it stands in, or begins. */
bool cfg_upgrade(const struct lex_line *line, enum upgrade_section in, struct upgrade *ret);

/* The line as one writes it, quoted where it must be. False: cut. */
bool cfg_upgrade_text(const struct lex_line *line, char *buf, size_t cap);

#endif
