/* SPDX-License-Identifier: MIT */
/* The words behind the address of a line `bind` or `server`. */
#ifndef PROXYD_CFG_PARAMETER_H
#define PROXYD_CFG_PARAMETER_H

#include "cfg/read.h"

#define MAXCONN_MAX 10000000

/* One parameter: `i` is its own place; the handler reads `arguments` words behind it. */
struct parameter {
	const char *name;
	unsigned arguments;
	void (*fn)(struct reader *r, size_t i, void *target);
};

/*
 * Those from word `i` on. Ours, HAProxy's (skipped with a word), or unknown: then the rest
 * of the line cannot be told apart and is left.
 */
void read_parameters(struct reader *r, size_t i, const char *what, const struct parameter *ours, const struct cfg_word *known,
		     void *target);

/* A handler for what is so anyway. */
void parameter_accepted(struct reader *r, size_t i, void *target);

#endif
