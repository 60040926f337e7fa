/* SPDX-License-Identifier: MIT */
/* Bandwidth limits: "filter bwlim-in" and "filter bwlim-out" of a section, and what set-bandwidth-limit makes of them. */
#ifndef PROXYD_RULES_BANDWIDTH_H
#define PROXYD_RULES_BANDWIDTH_H

#include "rules/table.h"

struct expr;

/* One filter. Rules name it, maybe above its line: until that is read it is not defined. */
struct bandwidth {
	struct bandwidth *next;
	const char *name;
	bool is_defined, is_out;
	uint64_t bytes, ns;	       /* so many in each period; ns 0: by the rate of a table */
	uint64_t min_bytes;	       /* are passed on at least, but for the last */
	const struct expr *key;	       /* of a shared limit; NULL: each stream has its own */
	const struct table_ref *table; /* of the key */
	/* Its line, or while it has none the first rule that names it; the last rule that changes its limit. Line 0: none. */
	const char *file, *changed_file;
	unsigned line, changed_line;
};

/* What a rule asks for, in one direction. */
struct bandwidth_order {
	const struct bandwidth *filter; /* NULL: nothing */
	uint64_t bytes, ns;
	struct table_entry *entry; /* of the key, held; NULL: not shared */
};

/* The filter of this name in a section's list; it is made when there is none. NULL: no memory. */
struct bandwidth *bandwidth_named(struct bandwidth **list, const char *name,
				  const struct rule_memory *m);

/* What of a table's entry limits it. */
static inline enum table_data bandwidth_rate(const struct bandwidth *b)
{
	return b->is_out ? TABLE_BYTES_OUT_RATE : TABLE_BYTES_IN_RATE;
}

#endif
