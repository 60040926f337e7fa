/* SPDX-License-Identifier: MIT */
/* Finds things by name without walking all of them: a configuration may have tens of thousands. */
#ifndef VIPD_CONF_INDEX_H
#define VIPD_CONF_INDEX_H

#include <stddef.h>

#include "conf/memory.h"

struct conf_index_entry {
	const void *key; /* NULL: free */
	size_t len;
	void *value;
};

/* Zero is a valid empty index. Keys are borrowed, so is what they lead to. */
struct conf_index {
	struct conf_index_entry *entry;
	size_t n, size; /* size: a power of two */
};

/* Empties it; it keeps its room. */
void conf_index_clear(struct conf_index *ix);

/* NULL: there is none of this key. */
void *conf_index_find(const struct conf_index *ix, const void *key, size_t len);
void *conf_index_find_name(const struct conf_index *ix, const char *name);

/* Puts it in; one of the same key stays and is returned, else NULL. */
void *conf_index_add(struct conf_memory *m, struct conf_index *ix, const void *key, size_t len,
		     void *value);
void *conf_index_add_name(struct conf_memory *m, struct conf_index *ix, const char *name,
			  void *value);

/* Puts it in, in place of one of the same name. */
void conf_index_set_name(struct conf_memory *m, struct conf_index *ix, const char *name,
			 void *value);

#endif
