/* SPDX-License-Identifier: MIT */
/*
 * What IPVS's hash schedulers share: who has slots in the table, and how a request finds one. A table is
 * an array of place + 1; 0: nobody.
 */
#ifndef LIBSCHED_KEYED_H
#define LIBSCHED_KEYED_H

#include <inttypes.h>
#include <stdio.h>

#include "libsched/snapshot.h"

/*
 * Who is out of service is out of the table, as a balancer takes it from the kernel's list; who takes no
 * new requests for now (weight 0, disabled) keeps its slots, so that the others' keys stay.
 */
static inline bool keyed_member(const struct lb_snapshot *s, size_t place)
{
	uint8_t why = s->at[place].why;

	return why == LB_VERDICT_CANDIDATE || why == LB_VERDICT_DISABLED ||
	       why == LB_VERDICT_WEIGHT;
}

/*
 * The place in the key's slot; with LB_GROUP_FALLBACK, when it may not be chosen, those in the slots of
 * further offsets, from the first slot's number on. `slot` maps key and offset to 0..n_slots-1.
 */
static inline ssize_t keyed_pick(const struct lb_query *q, const uint32_t *table, uint32_t n_slots,
				 uint32_t (*slot)(uint32_t key, uint32_t offset))
{
	const uint32_t key = (uint32_t)q->request->key64, first = slot(key, 0);

	if (!table[first])
		return -1;
	if (query_eligible(q, table[first] - 1))
		return (ssize_t)table[first] - 1;
	if (!(q->snap->setup.opts.flags & LB_GROUP_FALLBACK))
		return -1;
	for (uint32_t i = 0; i < n_slots; i++) {
		uint32_t found = table[slot(key, (i + first) % n_slots)];

		if (!found) /* then all of it is empty */
			return -1;
		if (query_eligible(q, found - 1))
			return (ssize_t)found - 1;
	}
	return -1;
}

/* Whose slot the key has, and what became of that. `slot` as above. */
static inline void keyed_note(const struct lb_query *q, const uint32_t *table,
			      uint32_t (*slot)(uint32_t key, uint32_t offset), size_t place,
			      ssize_t chosen, char *buf, size_t cap)
{
	const uint32_t first = slot((uint32_t)q->request->key64, 0);
	const bool owner = table[first] == place + 1;

	if (owner)
		snprintf(buf, cap, "the key's slot %" PRIu32 " is its own", first);
	else if ((ssize_t)place == chosen)
		snprintf(buf, cap, "it stands in for the owner of slot %" PRIu32, first);
	else
		snprintf(buf, cap, "the key's slot %" PRIu32 " is another's", first);
}

#endif
