/* SPDX-License-Identifier: MIT */
/*
 * Writing an algorithm of your own: fill a struct lb_algo and give it to lb_group_new() as
 * own_algo. The built-in ones are made of exactly this.
 *
 * An algorithm sees the members of one snapshot as places 0..n-1 with an effective weight: 0 for
 * everyone who may not be chosen at all (down, disabled, closed priority group). It keeps
 *   a table   one per snapshot, built once beside the data path, then read-only and shared;
 *   a cursor  one per picker and snapshot, touched by that picker only: no atomics needed.
 * Both are zeroed memory of the size you ask for, aligned to 64 bytes. A cursor holds no pointer
 * into itself: lb_explain() works on a copy, byte by byte. What all pickers should know, and what
 * should outlive a commit, goes into
 *   states    one for the group (group_bytes) and one for each server (server_bytes), from when the
 *             algorithm is configured, or the server added, until it is not any more. Zeroed,
 *             aligned to 64 bytes. Several pickers use them at once: atomics only.
 */
#ifndef LIBSCHED_LB_ALGO_H
#define LIBSCHED_LB_ALGO_H

#include <libsched/lb.h>

#ifdef __cplusplus
extern "C" {
#endif

struct lb_snapshot; /* the members and the table; read-only */
struct lb_query;    /* the request at hand, inside pick() and score() */

enum lb_algo_flag {
	/* Place 0 is the server added last, as in IPVS; else the first added. */
	LB_ALGO_NEWEST_FIRST = 1 << 0,
	/*
	 * Weights are capacities, or a table follows them that should not move: slow start leaves them
	 * alone.
	 */
	LB_ALGO_STEADY_WEIGHTS = 1 << 1,
};

#define LB_ALGO_STATE_MAX 65536 /* bytes, of a group's and of a server's state */
#define LB_ALGO_FROZEN_MAX 256	/* bytes of a frozen cursor */
#define LB_NOTE_MAX 127		/* characters of a note */

/* What an algorithm is. Functions may be NULL but `pick`; each is called with the size it asked
 * for. */
struct lb_algo {
	size_t size;	   /* sizeof(struct lb_algo) */
	const char *name;  /* 1..LB_ALGO_NAME_MAX characters; copied */
	uint32_t flags;	   /* enum lb_algo_flag, or-ed */
	uint32_t reserved; /* 0 */

	/* [editor] Bytes of table this snapshot needs. NULL: none. */
	size_t (*table_size)(const struct lb_snapshot *s);
	/*
	 * [editor] Fills the table. `old` is the snapshot before, of the same algorithm, or NULL.
	 * 0, or -errno, which lb_group_commit() returns without publishing.
	 */
	int (*build)(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table);

	/* [editor] Bytes of cursor this snapshot needs; called after build(). NULL: none. */
	size_t (*cursor_size)(const struct lb_snapshot *s);
	/*
	 * [picker] A picker comes to this snapshot, from `old` with its cursor there, or from
	 * nothing (both NULL). It may have missed snapshots in between. May not allocate, cannot
	 * fail.
	 */
	void (*adopt)(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		      const void *old_cursor);

	/*
	 * [picker] Chooses: a place for which lb_query_eligible() holds, or -1 when there is none.
	 * Moves the cursor. May be called again at once, when another picker took the last free
	 * connection.
	 */
	ssize_t (*pick)(const struct lb_snapshot *s, void *cursor, const struct lb_query *q);

	/* [picker] A request was counted on this place, by this picker; preferred ones included. */
	void (*on_start)(const struct lb_snapshot *s, void *cursor, size_t place,
			 const struct lb_request *r);
	/* [picker] One was done, maybe picked by another picker and in an older snapshot. */
	void (*on_done)(const struct lb_snapshot *s, void *cursor, size_t place,
			const struct lb_outcome *o);

	/*
	 * [picker] What pick() compares for this place, lower is better, for lb_explain(). `cursor`
	 * is as pick() would find it. false: there is no such figure. NULL: never.
	 */
	bool (*score)(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		      size_t place, double *ret);

	uint32_t group_bytes;  /* of state for the group, 0..LB_ALGO_STATE_MAX */
	uint32_t server_bytes; /* of state for each server, likewise */
	/*
	 * [editor] Looks at options the library cannot judge; defaults are filled in. 0, or -EINVAL,
	 * which lb_group_new() and lb_group_configure() return. NULL: all are fine.
	 */
	int (*check)(const struct lb_group_opts *o);
	/* [picker] lb_count() through this picker moved a counter of this place. */
	void (*on_count)(const struct lb_snapshot *s, void *cursor, size_t place,
			 enum lb_counter c);
	/* [picker] The place pick() chose was full by then; pick() is called again. */
	void (*on_full)(const struct lb_snapshot *s, void *cursor, size_t place);
	/*
	 * [picker] For lb_explain(): why pick() chose this place, or why it chose another one
	 * (`chosen`, -1: none), when the eligible place did not fail on anything else. Writes one
	 * clause of at most cap - 1 characters and a NUL ("its share of this round is used up");
	 * none: leave *buf as it is. NULL: what the scores say.
	 */
	void (*note)(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		     size_t place, ssize_t chosen, char *buf, size_t cap);
	/*
	 * [picker] The place in the rotation as bytes, by ids and not by places; returns how many, at
	 * most cap. thaw() gets such bytes from anywhere and believes nothing: 0, or -EBADMSG with
	 * the cursor as it was. NULL: a rotation starts anew.
	 */
	ssize_t (*freeze)(const struct lb_snapshot *s, const void *cursor, void *buf, size_t cap);
	int (*thaw)(const struct lb_snapshot *s, void *cursor, const void *buf, size_t len);
	/*
	 * [picker] Chooses for each of n keys as pick() would, 1..64 of them: a place for every one. Asked by
	 * lb_pick_many() only where nothing can change or fail in between: some server may be chosen,
	 * none has a maxconn, the request prefers and excludes nobody, and there is no on_start() to be
	 * called. Only for an algorithm that looks at no counter. NULL: pick() for each.
	 */
	void (*pick_many)(const struct lb_snapshot *s, void *cursor, const struct lb_query *q,
			  const uint64_t *key64, size_t n, uint32_t *ret_places);
	/*
	 * [editor] The place in slot i of the table, for lb_group_slots(); -1: nobody, -ENOENT: there are not
	 * that many. NULL: it is no such table.
	 */
	ssize_t (*slot)(const struct lb_snapshot *s, size_t i);
};

/*
 * What follows is for the functions above, on the snapshot and the query they are called with, in the thread that
 * calls them. It is made for the pick and checks nothing: a place is below lb_snapshot_count(), pointers are not NULL.
 * What is returned by pointer lives as long as the snapshot.
 */

/* Members: places are 0..lb_snapshot_count()-1. */
LIBSCHED_API size_t lb_snapshot_count(const struct lb_snapshot *s);
/* Counts the snapshots of the group. */
LIBSCHED_API uint64_t lb_snapshot_generation(const struct lb_snapshot *s);
/* The id of a place. */
LIBSCHED_API uint64_t lb_snapshot_id(const struct lb_snapshot *s, size_t place);
/* The place of an id, or -1. O(1). */
LIBSCHED_API ssize_t lb_snapshot_find(const struct lb_snapshot *s, uint64_t id);
/* Effective weight: 0 unless the server may be chosen. */
LIBSCHED_API uint32_t lb_snapshot_weight(const struct lb_snapshot *s, size_t place);
/* The weight the editor set, for tables that must not move when a server goes down. */
LIBSCHED_API uint32_t lb_snapshot_configured_weight(const struct lb_snapshot *s, size_t place);
/* [editor] The key the server was added with, else its id; inside build() only. */
LIBSCHED_API uint64_t lb_snapshot_key(const struct lb_snapshot *s, size_t place);
/* A counter of this moment, of what all pickers counted. O(pickers). */
LIBSCHED_API uint32_t lb_snapshot_counter(const struct lb_snapshot *s, size_t place,
					  enum lb_counter c);
/*
 * Active connections of all servers, removed ones too: the sum of what the pickers know. O(pickers).
 */
LIBSCHED_API uint32_t lb_snapshot_active(const struct lb_snapshot *s);
/* The states the algorithm asked for, NULL if it asked for none. */
LIBSCHED_API void *lb_snapshot_group_state(const struct lb_snapshot *s);
LIBSCHED_API void *lb_snapshot_server_state(const struct lb_snapshot *s, size_t place);
/* The table build() filled, NULL if there is none. */
LIBSCHED_API const void *lb_snapshot_table(const struct lb_snapshot *s);
/* The options of the group, defaults filled in; `algo` and `own_algo` are NULL. */
LIBSCHED_API const struct lb_group_opts *lb_snapshot_opts(const struct lb_snapshot *s);
/* lb_group_opts.seed and lb_group_opts.own_userdata. */
LIBSCHED_API uint64_t lb_snapshot_seed(const struct lb_snapshot *s);
LIBSCHED_API void *lb_snapshot_userdata(const struct lb_snapshot *s);

/* Whether the place may be chosen now: effective weight above 0, not full, not excluded. */
LIBSCHED_API bool lb_query_eligible(const struct lb_query *q, size_t place);
/* The request; fields the caller's struct did not reach are 0. */
LIBSCHED_API const struct lb_request *lb_query_request(const struct lb_query *q);
/* 64 random bits: wyrand from the seed of the request, else of the group and the picker. */
LIBSCHED_API uint64_t lb_query_random(const struct lb_query *q);

#ifdef __cplusplus
}
#endif
#endif
