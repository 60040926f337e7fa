/* SPDX-License-Identifier: MIT */
/* Numbers found by the hashes of names. Made by one thread, then read by any. Who finds a number compares the name. */
#ifndef PROXYD_ENGINE_NAME_INDEX_H
#define PROXYD_ENGINE_NAME_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct name_index {
	struct name_slot {
		uint32_t hash;
		uint32_t number; /* from 1; 0: nothing is here, and nothing behind it */
	} * slot;
	uint32_t mask;
};

/* False: no memory. */
static inline bool name_index_init(struct name_index *x, size_t n)
{
	size_t slots = 2;

	while (slots < n + n / 2)
		slots *= 2;
	x->mask = (uint32_t)(slots - 1);
	x->slot = calloc(slots, sizeof(*x->slot));
	return x->slot;
}

/* Not more often than name_index_init() was told. Of equal names the first one is found first. */
static inline void name_index_add(struct name_index *x, uint32_t hash, size_t number)
{
	uint32_t i = hash & x->mask;

	while (x->slot[i].number)
		i = (i + 1) & x->mask;
	x->slot[i] = (struct name_slot){hash, (uint32_t)number + 1};
}

/* The next one of this hash; *i is the hash at first, and not the caller's to change. False: there are no more. */
static inline bool name_index_next(const struct name_index *x, uint32_t hash, uint32_t *i, size_t *ret_number)
{
	const struct name_slot *s;

	while ((s = &x->slot[*i & x->mask])->number) {
		++*i;
		if (s->hash != hash)
			continue;
		*ret_number = s->number - 1;
		return true;
	}
	return false;
}

static inline void name_index_fini(struct name_index *x)
{
	free(x->slot);
}

#endif
