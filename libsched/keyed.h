/* SPDX-License-Identifier: MIT */
/*
 * What IPVS's hash schedulers share: who has slots in the table, and how a request finds one. A table is
 * an array of place + 1; 0: nobody.
 */
#ifndef LIBSCHED_KEYED_H
#define LIBSCHED_KEYED_H

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

#endif
