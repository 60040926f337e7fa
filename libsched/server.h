/* SPDX-License-Identifier: MIT */
/*
 * A server: what the editor wants of it, and those of its counters that pickers share; the others are in
 * the ledger. It outlives snapshots; each snapshot that shows it and the group itself hold one reference.
 * References are counted by the editor alone, so they are plain numbers.
 */
#ifndef LIBSCHED_SERVER_H
#define LIBSCHED_SERVER_H

#include <stdbool.h>

#include "base/hmap.h"
#include "base/list.h"
#include "libsched/ledger.h"
#include "libsched/state.h"

#define SERVER_COUNTERS 5 /* enum lb_counter */

struct lb_server {
	/* The editor's. */
	struct hmap_node by_id;
	struct list in_list; /* of members, or of the removed */
	uint64_t id;
	uint64_t key; /* for hash tables */
	struct algo_state *algo_state;
	struct ledger_sums *carried; /* of requests another process finished; NULL: none */
	uint64_t ramp_ns;	     /* slow start: when it began; see ramp.c */
	uint32_t maxconn;
	uint32_t slot;	/* in the ledger */
	uint32_t shown; /* snapshots that show it as a member: a picker may choose it */
	uint32_t refs;	/* those that show it at all, and the group */
	uint16_t weight, priority;
	uint16_t last_weight; /* the last published that was not 0; 0: none */
	uint8_t state;	      /* enum lb_state */
	uint8_t ramp;	      /* enum ramp */
	bool up, removed;     /* removed: no member any more */
	bool was_limited;     /* a snapshot showed it with a maxconn: `limited` may count */

	/* Everyone's. */
	_Atomic int32_t
	    limited; /* active connections counted while there was a maxconn, or carried */
	_Atomic int32_t carried_inactive;
	_Atomic uint32_t shared[SERVER_COUNTERS - LB_COUNTER_QUEUED];
};

_Static_assert(sizeof(struct lb_server) <= 128, "two lines of a cache");

/* A counter of this moment, 0 or more. */
static inline uint32_t server_count(const struct ledger *l, const struct lb_server *s,
				    enum lb_counter c)
{
	int64_t sum;

	if (c >= LB_COUNTER_QUEUED)
		return atomic_load_explicit(&s->shared[c - LB_COUNTER_QUEUED], RELAXED);
	if (c == LB_COUNTER_INACTIVE)
		sum = ledger_inactive(l, s->slot) +
		      atomic_load_explicit(&s->carried_inactive, RELAXED);
	else
		sum = ledger_active(l, s->slot) + atomic_load_explicit(&s->limited, RELAXED);
	return sum > 0 ? (uint32_t)sum : 0;
}

static inline bool server_idle(const struct ledger *l, const struct lb_server *s)
{
	return !server_count(l, s, LB_COUNTER_ACTIVE) && !server_count(l, s, LB_COUNTER_INACTIVE) &&
	       !server_count(l, s, LB_COUNTER_QUEUED);
}

/* What a picker counts by: whose row, of which ledger. */
struct counting {
	const struct ledger *ledger;
	struct ledger_row *row;
};

/* Adds, but stays within 0..UINT32_MAX, active and inactive within 0..INT32_MAX. */
void server_add(const struct counting *by, struct lb_server *s, enum lb_counter c, int64_t delta);

/* Counts one more active connection where there is a limit, unless that would exceed it. */
bool server_start_limited(const struct counting *by, struct lb_server *s, uint32_t maxconn);

/* Counts the end of one, where there is a limit now or not. */
void server_finish(const struct counting *by, struct lb_server *s, const struct lb_outcome *o,
		   bool limited);

/* Counts one more active connection, unless that would exceed maxconn (0: no limit). */
static inline bool server_start(const struct counting *by, struct lb_server *s, uint32_t slot,
				uint32_t maxconn)
{
	struct cell *cell = row_cell(by->row, slot);

	if (!maxconn)
		cell_add32(&cell->active, 1);
	else if (!server_start_limited(by, s, maxconn))
		return false;
	cell_add64(&cell->picks, 1);
	row_add_active(by->row, 1);
	return true;
}

/* All the figures of finished requests, added up. */
struct ledger_sums server_sums(const struct ledger *l, const struct lb_server *s);

/*
 * [editor] Makes the counters what another process counted; pickers may be counting meanwhile. 0 or
 * -ENOMEM, with nothing changed.
 */
int server_carry(const struct ledger *l, struct lb_server *s, const uint32_t *count,
		 const struct ledger_sums *sums);

void server_unref(struct ledger *l, struct lb_server *s);

#endif
