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
 * into itself: lb_explain() works on a copy, byte by byte.
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
};

/* What an algorithm is. Functions may be NULL but `pick`; each is called with the size it asked
 * for. */
struct lb_algo {
	size_t size;	  /* sizeof(struct lb_algo) */
	const char *name; /* 1..LB_ALGO_NAME_MAX characters; copied */
	uint32_t flags;	  /* enum lb_algo_flag, or-ed */

	/* [editor] Bytes of table this snapshot needs. NULL: none. */
	size_t (*table_size)(const struct lb_snapshot *s);
	/*
	 * [editor] Fills the table. `old` is the snapshot before, of the same algorithm, or NULL.
	 * 0, or -errno, which lb_group_commit() returns without publishing.
	 */
	int (*build)(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table);

	/* [editor] Bytes of cursor this snapshot needs. NULL: none. */
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
};

/* Members: places are 0..lb_snapshot_count()-1. */
LIBSCHED_API size_t lb_snapshot_count(const struct lb_snapshot *s);
/* Counts the snapshots of the group. */
LIBSCHED_API uint64_t lb_snapshot_generation(const struct lb_snapshot *s);
/* The id of a place; the place must be one of s. */
LIBSCHED_API uint64_t lb_snapshot_id(const struct lb_snapshot *s, size_t place);
/* The place of an id, or -1. O(1). */
LIBSCHED_API ssize_t lb_snapshot_find(const struct lb_snapshot *s, uint64_t id);
/* Effective weight: 0 unless the server may be chosen. */
LIBSCHED_API uint32_t lb_snapshot_weight(const struct lb_snapshot *s, size_t place);
/* The weight the editor set, for tables that must not move when a server goes down. */
LIBSCHED_API uint32_t lb_snapshot_configured_weight(const struct lb_snapshot *s, size_t place);
/* [editor] The key the server was added with, else its id; inside build() only. */
LIBSCHED_API uint64_t lb_snapshot_key(const struct lb_snapshot *s, size_t place);
/* A counter of this moment. */
LIBSCHED_API uint32_t lb_snapshot_counter(const struct lb_snapshot *s, size_t place,
					  enum lb_counter c);
/* The table build() filled, NULL if there is none. */
LIBSCHED_API const void *lb_snapshot_table(const struct lb_snapshot *s);
/* Of struct lb_group_opts. */
LIBSCHED_API uint64_t lb_snapshot_seed(const struct lb_snapshot *s);
LIBSCHED_API void *lb_snapshot_userdata(const struct lb_snapshot *s);

/* Whether the place may be chosen now: effective weight above 0, not full, not excluded. */
LIBSCHED_API bool lb_query_eligible(const struct lb_query *q, size_t place);
/* The request; fields the caller's struct did not reach are 0. */
LIBSCHED_API const struct lb_request *lb_query_request(const struct lb_query *q);
/* 64 random bits: SplitMix64, from the group's seed and the number of the picker. */
LIBSCHED_API uint64_t lb_query_random(const struct lb_query *q);

#ifdef __cplusplus
}
#endif
#endif
