/* SPDX-License-Identifier: MIT */
/*
 * What an algorithm keeps beside the group and beside each server, over commits. Snapshots share it, so
 * it is counted; the editor alone counts.
 */
#ifndef LIBSCHED_STATE_H
#define LIBSCHED_STATE_H

#include "libsched/line.h"

struct algo_state {
	void *at;	 /* what the algorithm sees */
	uint64_t serial; /* of the setup it was made for */
	uint32_t refs;
};

static inline void state_unref(struct algo_state *s)
{
	if (!s || --s->refs)
		return;
	line_free(s->at);
	mem_free(s);
}

/* One reference more to *state, made anew if it belongs to another setup. NULL: no memory. */
static inline struct algo_state *state_ref(struct algo_state **state, uint64_t serial, size_t bytes)
{
	struct algo_state *fresh;

	if (!*state || (*state)->serial != serial) {
		fresh = mem_zalloc(sizeof(*fresh));
		if (!fresh)
			return NULL;
		fresh->at = line_alloc(bytes);
		if (!fresh->at) {
			mem_free(fresh);
			return NULL;
		}
		fresh->serial = serial;
		fresh->refs = 1;
		state_unref(*state);
		*state = fresh;
	}
	(*state)->refs++;
	return *state;
}

#endif
