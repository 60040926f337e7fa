/* SPDX-License-Identifier: MIT */
/* What the tables say about keywords, for people: the manual, the migration guide, --keyword. */
#ifndef VIPD_CONF_REFERENCE_H
#define VIPD_CONF_REFERENCE_H

#include <stdbool.h>
#include <stdio.h>

/* A section for each block, a line for each keyword. */
void conf_reference_manual(FILE *to);

/* Each block's keywords by what becomes of them, and how many there are. */
void conf_reference_migration(FILE *to);

/* All that is known about a word, wherever it stands. False: it is no keyword. */
bool conf_reference_explain(const char *word, FILE *to);

/* All keywords, one a line, for the completion of a shell. */
void conf_reference_list(FILE *to);

#endif
