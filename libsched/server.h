/* SPDX-License-Identifier: MIT */
/*
 * A server: what the editor wants of it, and those of its counters that pickers share; the others are in
 * the ledger. It outlives snapshots; each snapshot that shows it and the group itself hold one reference.
 * References are counted by the editor alone, so they are plain numbers.
 *
 * Servers of a group live in its pool, each in a slot, and point to each other by slot: half the size.
 */
#ifndef LIBSCHED_SERVER_H
#define LIBSCHED_SERVER_H

#include <stdbool.h>

#include "libsched/ledger.h"
#include "libsched/state.h"

#define SERVER_COUNTERS 5 /* enum lb_counter */

struct lb_server {
	/* The editor's. */
	uint64_t id;
	uint64_t key; /* for hash tables */
	struct algo_state *algo_state;
	uint64_t ramp_ns;    /* slow start: when it began; see ramp.h */
	uint32_t prev, next; /* in the list of members, or of the removed; SLOT_NONE */
	uint32_t slot;	     /* its own */
	uint32_t maxconn;
	uint16_t shown; /* snapshots that show it as a member: a picker may choose it */
	uint16_t refs;	/* those that show it at all, and the group */
	uint16_t weight, priority;
	uint16_t last_weight; /* the last published that was not 0; 0: none */
	uint8_t state : 2;    /* enum lb_state */
	uint8_t ramp : 2;     /* enum ramp */
	uint8_t up : 1;
	uint8_t removed : 1;	 /* no member any more */
	uint8_t was_limited : 1; /* a snapshot showed it with a maxconn: `limited` may count */

	/* Everyone's. */
	_Atomic bool overloaded; /* LB_GROUP_OVERLOAD: reached maxconn, not yet below `lower` */
	_Atomic uint32_t lower;
	_Atomic int32_t limited; /* active connections counted while there was a maxconn */
	_Atomic uint32_t shared[SERVER_COUNTERS - LB_COUNTER_QUEUED];
};

_Static_assert(sizeof(struct lb_server) <= 80, "docs/decisions/libsched-memory.md counts on it");

struct server_pool {
	struct lb_server *chunk[SLOT_CHUNKS];
	struct ledger ledger;

	/* The editor's. */
	uint32_t n_slots;	    /* ever used */
	uint32_t unused;	    /* the first of those given back, on by `next`; SLOT_NONE */
	struct ledger_row *carried; /* of connections another process began; NULL: none */
};

struct server_list {
	uint32_t first, last; /* SLOT_NONE: empty */
};

static inline struct lb_server *server_at(const struct server_pool *pool, uint32_t slot)
{
	return &pool->chunk[slot_chunk(slot)][slot_index(slot)];
}

/* NULL for SLOT_NONE. */
static inline struct lb_server *server_or_null(const struct server_pool *pool, uint32_t slot)
{
	return slot == SLOT_NONE ? NULL : server_at(pool, slot);
}

#define server_for_each(s, pool, list)                                     \
	for (struct lb_server *s = server_or_null(pool, (list)->first); s; \
	     s = server_or_null(pool, (s)->next))

void server_list_append(const struct server_pool *pool, struct server_list *list,
			struct lb_server *s);
void server_list_remove(const struct server_pool *pool, struct server_list *list,
			struct lb_server *s);

/* A counter of this moment, 0 or more. */
static inline uint32_t server_count(const struct ledger *l, const struct lb_server *s,
				    enum lb_counter c)
{
	int64_t sum;

	if (c != LB_COUNTER_ACTIVE && !ledger_has(l, UINT32_C(1) << c))
		return 0;
	if (c >= LB_COUNTER_QUEUED)
		return atomic_load_explicit(&s->shared[c - LB_COUNTER_QUEUED], RELAXED);
	if (c == LB_COUNTER_INACTIVE)
		sum = ledger_inactive(l, s->slot);
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
	struct ledger *ledger;
	struct ledger_row *row;
};

/* Adds, but stays within 0..UINT32_MAX, active and inactive within 0..INT32_MAX. */
void server_add(const struct counting *by, struct lb_server *s, enum lb_counter c, int64_t delta);

/* Counts one more active connection where there is a limit, unless that would exceed it. */
bool server_start_limited(const struct counting *by, struct lb_server *s, uint32_t maxconn);

/* Counts the end of one, where there is a limit now or not. */
void server_finish(const struct counting *by, struct lb_server *s, const struct lb_outcome *o,
		   bool limited);

/* LB_GROUP_OVERLOAD: a connection came, or one went. */
void server_fill_up(const struct ledger *l, struct lb_server *s, uint32_t maxconn);
void server_empty_out(const struct ledger *l, struct lb_server *s, uint32_t maxconn);

/* Counts one more active connection that no limit stands against. */
static inline void server_start(const struct counting *by, uint32_t slot)
{
	struct ledger_row *row = by->row; /* nothing that is written here changes it */

	if (!row_start(row, slot))
		row_start_any(row, slot);
	row_add_active(row, 1);
}

/*
 * Counts the end of one that no limit stood against and that, as far as this row tells, was begun in it: nearly all
 * are, and then nobody else's memory is looked at. False: server_finish() is to find out.
 */
static inline __attribute__((always_inline)) bool
server_finish_own(const struct counting *by, uint32_t slot, const struct lb_outcome *o)
{
	struct cell *cell = row_cell(by->row, slot);
	const uint64_t word = cell_word(cell);

	if (word & CELL_UNUSUAL_END || !(uint32_t)word || o->inactive)
		return false;
	cell_set(cell, word - 1 + (o->result == LB_RESULT_OK ? CELL_OK : 0));
	row_add_active(by->row, -1);
	tally_add(row_tally(by->row, slot), o);
	return true;
}

/*
 * [editor] Makes the counters what another process counted; pickers may be counting meanwhile. 0 or
 * -ENOMEM, with nothing changed.
 */
int server_carry(struct server_pool *pool, struct lb_server *s, const uint32_t *count,
		 const struct ledger_sums *sums);

/* [editor] A zeroed server with one reference. 0, -ENOMEM, -ENOSPC. */
int server_take(struct server_pool *pool, struct lb_server **ret);
void server_unref(struct server_pool *pool, struct lb_server *s);
/* [editor] All slots and rows; every server must have been given back. */
void server_pool_fini(struct server_pool *pool);

#endif
