/* SPDX-License-Identifier: MIT */
/*
 * From a file to statements in blocks: comments, quotes, includes, @ID lines and braces are dealt
 * with here, meaning is not. Braces that do not pair are repaired with the help of the keyword
 * tables: a block word that belongs to an outer block shows where the inner one should have ended.
 */
#ifndef VIPD_CONF_TREE_H
#define VIPD_CONF_TREE_H

#include "conf.h"
#include "conf_memory.h"

#define CONF_DEPTH_MAX 16	/* blocks in blocks */
#define CONF_INCLUDE_MAX 16	/* files in files */
#define CONF_BRACES_MAX 4	/* {a,b} in a pattern: each multiplies it */
#define CONF_FILES_MAX 4096	/* files in all */
#define CONF_WORDS_MAX 4000000u /* words of all files */

struct conf_block;

struct conf_word {
	const char *text;
	struct diag_place at;
	bool quoted;
};

/* A statement: its words, and what stands in its braces. */
struct conf_node {
	struct conf_node *next, *child;
	const struct conf_word *word;
	size_t n; /* at least 1 */
	bool block;
	struct diag_place open; /* of the brace */
};

/* The file and what it includes. 0, or -errno when the first file cannot be read. */
int conf_tree_read(struct conf_memory *m, const struct conf_source *source,
		   const struct conf_block *root, struct diag *d, struct conf_node **ret);

#endif
