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

/* Room for so many, of an empty one: it need not grow again and again. */
void conf_index_reserve(struct conf_memory *m, struct conf_index *ix, size_t n);

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

/* Bytes that are kept, those that are equal once. */
struct conf_known {
	struct conf_index index;
	void *last; /* mostly it is that one again */
};

/* `what`, or what was kept before and has the same bytes as far as `compared`. The index is in `scratch`. */
void *conf_keep_once(struct conf_memory *memory, struct conf_memory *scratch, struct conf_known *k,
		     const void *what, size_t size, size_t compared);

#endif
