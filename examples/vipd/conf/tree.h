/* SPDX-License-Identifier: MIT */
/*
 * From lines of words to statements in blocks. Braces that do not pair are repaired with the help of
 * the keyword tables: a block word that belongs to an outer block shows where the inner one should
 * have ended.
 */
#ifndef VIPD_CONF_TREE_H
#define VIPD_CONF_TREE_H

#include <stdio.h>

#include "conf/read.h"

#define CONF_DEPTH_MAX 16 /* blocks in blocks */

struct conf_block;

/* A statement: its words, and what stands in its braces. */
struct conf_node {
	struct conf_node *next, *child;
	const struct conf_word *word;
	size_t n; /* at least 1 */
	bool block;
	struct diag_place open; /* of the brace */
};

/* Statements outside of all blocks with what is in theirs; they are gone when it returns. */
typedef void conf_statements_fn(void *userdata, const struct conf_node *first);

struct conf_tree_opts {
	const struct conf_source *source;
	const struct conf_block *root;
	bool repair; /* of blocks that lack their brace */
	conf_statements_fn *fn;
	void *userdata;
};

struct conf_tree_end {
	bool lacks;  /* there were more "{" than "}": reading it once more with `repair` finds more; else nothing is to be guessed */
	bool within; /* a block */
};

/*
 * The file and what it includes, a few statements at a time: thousands of blocks need the memory of one. 0, or -errno when the
 * first file cannot be read.
 */
int conf_tree_read(struct conf_memory *kept, struct conf_memory *scratch,
		   const struct conf_tree_opts *o, struct diag *d, struct conf_tree_end *ret);

/* Statements as text that reads as the same. At most CONF_DEPTH_MAX blocks are in one another. */
void conf_tree_write(const struct conf_node *first, FILE *to);

#endif
