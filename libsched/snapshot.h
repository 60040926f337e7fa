/* SPDX-License-Identifier: MIT */
/*
 * A snapshot: the members as the editor committed them, in the algorithm's order, with the algorithm's
 * table. Nobody changes it once it is published. The removed servers that still have connections follow
 * the members, so that lb_done() finds them; algorithms never see them.
 */
#ifndef LIBSCHED_SNAPSHOT_H
#define LIBSCHED_SNAPSHOT_H

#include "base/list.h"
#include "libsched/id_index.h"
#include "libsched/server.h"
#include <libsched/lb_algo.h>

#define CURSOR_CHUNK 16 /* cursors for which room is made at once */
#define LINE_PLACES \
	(LINE_BYTES / sizeof(struct cell)) /* places that are looked at together: sweep.h */

/* A pick in one function, and in another n of them that all have the key of `r`; returns how many got one. See usual.h. */
typedef int usual_pick(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id);
typedef size_t usual_burst(struct lb_picker *p, const struct lb_request *r, size_t n,
			   uint64_t *ret_ids);

/* How an algorithm does what is asked usually. */
struct usual {
	usual_pick *pick;
	usual_burst *burst; /* NULL: pick by pick */
};

/* The options of a group, checked and filled in. `serial` tells one choice of them from the next. */
struct algo_setup {
	struct lb_algo ops;
	const struct usual *usual; /* NULL: the algorithm has none */
	char name[LB_ALGO_NAME_MAX + 1];
	struct lb_group_opts opts;
	uint64_t serial;
};

struct snap_server {
	uint64_t id;
	uint32_t slot; /* the server's, in the pool and in the ledger */
	uint32_t maxconn;
	uint32_t weight;     /* effective: 0 unless why is LB_VERDICT_CANDIDATE */
	uint16_t set_weight; /* as the editor set it */
	uint8_t why;	     /* enum lb_verdict, as far as the editor's settings decide it */
	bool limited : 1;    /* its own counter of `limited` connections may not be 0 */
	/* Of each LINE_PLACES-th: from it on as many slots go up by 1, or down, so that their cells stand in a row. */
	bool ascend : 1, descend : 1;
};

_Static_assert(sizeof(struct snap_server) == 24, "docs/decisions/libsched-memory.md counts on it");

struct lb_snapshot {
	struct algo_setup setup;

	/* What each pick looks at. */
	usual_pick *usual; /* for requests that want nothing special */
	struct snap_server *at;
	void *table;
	struct server_pool *pool; /* the group's */
	struct ledger *ledger;	  /* the pool's */
	uint64_t salt;		  /* of the group's seed, for hashes */
	size_t n;		  /* members: at[0..n-1] */
	size_t n_known;		  /* with the removed: at[0..n_known-1] */
	size_t n_usable;
	bool has_limits;    /* a member has a maxconn, or had one: see snap_server.limited */
	usual_burst *burst; /* as `usual`, for many; NULL: pick by pick */

	uint64_t generation;
	uint64_t total_weight;	/* of effective weights */
	uint32_t max_weight;	/* of effective weights */
	uint32_t weight_scale;	/* a whole effective weight is so many times the editor's: ramp.h */
	uint32_t open_priority; /* the last one */
	uint32_t weight_gcd;	/* likewise; 0: nobody has a weight */
	struct id_index index;	/* to places */
	struct algo_state *group_state, **server_state; /* NULL: none asked for */
	size_t cursor_bytes;

	/* The editor's; picker i has its cursor at [i / CURSOR_CHUNK][i % CURSOR_CHUNK]. */
	struct list in_list;
	void **cursor[LB_PICKERS_MAX / CURSOR_CHUNK];
};

/* Of a picker whose cursor was made. */
static inline void *snapshot_cursor(const struct lb_snapshot *s, size_t i)
{
	return s->cursor[i / CURSOR_CHUNK][i % CURSOR_CHUNK];
}

/* A request on its way through an algorithm. */
struct lb_query {
	const struct lb_snapshot *snap;
	const struct lb_request *request;
	uint64_t *random;
	const struct ledger_row *row; /* the picker's own */
	bool plain; /* nobody is excluded, nobody has a limit: the weight alone decides */
};

struct snapshot_source {
	const struct algo_setup *setup;
	uint64_t generation;
	const struct server_list *members, *removed;
	size_t n_members, n_removed;
	const struct lb_snapshot *old; /* the one before, or NULL */
	struct algo_state **state;     /* the group's */
	struct server_pool *pool;
	uint64_t now_ns; /* for slow start */
};

/* The last priority group that is open. */
uint32_t snapshot_open_priority(const struct snapshot_source *from);

/* Builds all but the cursors. 0, -ENOMEM, or what the algorithm's build() says. */
int snapshot_new(const struct snapshot_source *from, struct lb_snapshot **ret);
void snapshot_free(struct lb_snapshot *s);

/* Makes that of picker i. 0 or -ENOMEM. */
int snapshot_add_cursor(struct lb_snapshot *s, size_t i);
void snapshot_drop_cursor(struct lb_snapshot *s, size_t i);

/* The place of an id among all known, or -1. */
static inline ssize_t snapshot_find_known(const struct lb_snapshot *s, uint64_t id)
{
	const struct id_index *x = &s->index;

	for (uint32_t i = id_index_start(x, id); x->at[i]; i = id_index_next(x, i))
		if (s->at[x->at[i] - 1].id == id)
			return (ssize_t)x->at[i] - 1;
	return -1;
}

static inline bool request_excludes(const struct lb_request *r, uint64_t id)
{
	for (size_t i = 0; i < r->n_exclude; i++)
		if (r->exclude[i] == id)
			return true;
	return false;
}

static inline struct lb_server *snap_server_of(const struct lb_snapshot *s,
					       const struct snap_server *e)
{
	return server_at(s->pool, e->slot);
}

/* LB_GROUP_OVERLOAD: maxconn is a threshold, not a limit. */
static inline bool snap_by_overload(const struct lb_snapshot *s)
{
	return s->setup.opts.flags & LB_GROUP_OVERLOAD;
}

/* Whether its limit, if it has one, is reached. `active`: its active connections, as far as is known. */
static inline bool snap_full_with(const struct lb_snapshot *s, const struct snap_server *e,
				  uint32_t active)
{
	if (!e->maxconn)
		return false;
	if (snap_by_overload(s))
		return atomic_load_explicit(&snap_server_of(s, e)->overloaded, RELAXED);
	return active >= e->maxconn;
}

static inline bool snap_full(const struct lb_snapshot *s, const struct snap_server *e)
{
	return e->maxconn &&
	       snap_full_with(s, e,
			      server_count(s->ledger, snap_server_of(s, e), LB_COUNTER_ACTIVE));
}

/* As below, where there is more to look at than the weight. */
bool query_eligible_unusual(const struct lb_query *q, size_t place);

/* Whether an algorithm may choose this place now. */
static inline bool query_eligible(const struct lb_query *q, size_t place)
{
	return q->plain ? q->snap->at[place].weight : query_eligible_unusual(q, place);
}

/* The first such place from this one on, going round, or -1. */
static inline ssize_t query_eligible_from(const struct lb_query *q, size_t place)
{
	for (size_t seen = 0; seen < q->snap->n; seen++, place++) {
		if (place >= q->snap->n)
			place = 0;
		if (query_eligible(q, place))
			return (ssize_t)place;
	}
	return -1;
}

/* Likewise, of one that has or had a limit. */
uint32_t snap_active_of_limited(const struct lb_snapshot *s, const struct snap_server *e);

/* The active connections of a server; spares what it can, for it is asked at most picks. */
static inline __attribute__((always_inline)) uint32_t snap_active_of(const struct lb_snapshot *s,
								     const struct snap_server *e)
{
	int64_t sum;

	if (__builtin_expect(e->limited, 0))
		return snap_active_of_limited(s, e);
	sum = ledger_active(s->ledger, e->slot);
	return sum > 0 ? (uint32_t)sum : 0;
}

static inline uint32_t snap_count(const struct lb_snapshot *s, size_t place, enum lb_counter c)
{
	const struct snap_server *e = &s->at[place];

	return c == LB_COUNTER_ACTIVE ? snap_active_of(s, e)
				      : server_count(s->ledger, snap_server_of(s, e), c);
}

/* Of all servers: what the pickers counted, added up. */
static inline uint32_t snap_active(const struct lb_snapshot *s)
{
	int64_t sum = 0;

	ledger_for_each_row (r, s->ledger)
		sum += atomic_load_explicit(&r->active, RELAXED);
	return sum > 0 ? (uint32_t)sum : 0;
}

static inline void *snap_group_state(const struct lb_snapshot *s)
{
	return s->group_state ? s->group_state->at : NULL;
}

static inline void *snap_server_state(const struct lb_snapshot *s, size_t place)
{
	return s->server_state ? s->server_state[place]->at : NULL;
}

#endif
