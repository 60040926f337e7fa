/* SPDX-License-Identifier: MIT */
/*
 * From lines of words to statements in blocks. Braces that do not pair are repaired with the help of
 * the keyword tables: a block word that belongs to an outer block shows where the inner one should
 * have ended.
 */
#ifndef VIPD_CONF_TREE_H
#define VIPD_CONF_TREE_H

#include "conf_read.h"

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

/* The file and what it includes, as conf_read.h says of memory. 0, or -errno when the first file cannot be read. */
int conf_tree_read(struct conf_memory *kept, struct conf_memory *scratch,
		   const struct conf_source *source, const struct conf_block *root, struct diag *d,
		   struct conf_node **ret);

#endif
