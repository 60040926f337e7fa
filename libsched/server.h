/* SPDX-License-Identifier: MIT */
/*
 * A server: what the editor wants of it, and its counters, which every picker moves. It outlives
 * snapshots; each snapshot that shows it and the group itself hold one reference. References are counted
 * by the editor alone, so they are plain numbers.
 */
#ifndef LIBSCHED_SERVER_H
#define LIBSCHED_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/hmap.h"
#include "base/list.h"
#include "libsched/state.h"
#include <libsched/lb.h>

#define SERVER_COUNTERS 5 /* enum lb_counter */
#define SERVER_RESULTS 4  /* enum lb_result */

/* The line every scan reads and every pick writes. */
struct server_load {
	_Atomic uint32_t count[SERVER_COUNTERS];
	_Atomic uint64_t picks;
};

/* The line lb_done() writes besides. */
struct server_tally {
	_Atomic uint64_t done[SERVER_RESULTS];
	_Atomic uint64_t bytes, latency_sum_ns;
};

struct lb_server {
	/* The editor's. */
	struct hmap_node by_id;
	struct list in_list; /* of members, or of the removed */
	uint64_t id;
	uint32_t weight, maxconn, priority;
	enum lb_state state;
	bool up;
	uint32_t last_weight; /* the last published that was not 0; 0: none */
	uint64_t key;	      /* for hash tables */
	bool removed;	      /* no member any more */
	size_t shown;	      /* snapshots that show it as a member: a picker may choose it */
	size_t refs;	      /* those that show it at all, and the group */
	struct algo_state *algo_state;

	/* Everyone's. */
	_Alignas(LINE_BYTES) struct server_load load;
	_Alignas(LINE_BYTES) struct server_tally tally;
};

static inline uint32_t server_count(const struct lb_server *s, enum lb_counter c)
{
	return atomic_load_explicit(&s->load.count[c], memory_order_relaxed);
}

static inline bool server_idle(const struct lb_server *s)
{
	return !server_count(s, LB_COUNTER_ACTIVE) && !server_count(s, LB_COUNTER_INACTIVE) &&
	       !server_count(s, LB_COUNTER_QUEUED);
}

/* Adds, but stays within 0..UINT32_MAX. */
void server_add(struct lb_server *s, enum lb_counter c, int64_t delta);

/* Counts one more active connection, unless that would exceed maxconn (0: no limit). */
bool server_start(struct lb_server *s, uint32_t maxconn);

/* Counts the end of one. */
void server_finish(struct lb_server *s, const struct lb_outcome *o);

void server_unref(struct lb_server *s);

#endif
