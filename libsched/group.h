/* SPDX-License-Identifier: MIT */
/* The inside of a group and of a picker. What belongs to whom: see libsched/README.md. */
#ifndef LIBSCHED_GROUP_H
#define LIBSCHED_GROUP_H

#include "libsched/snapshot.h"

typedef struct lb_snapshot *group_snapshot_ptr; /* _Atomic() of a plain name */

struct lb_group {
	/* What the pickers read: on a line nobody writes but to publish. */
	_Alignas(LINE_BYTES) _Atomic(group_snapshot_ptr) current;
	struct server_pool pool;

	/* The editor's. */
	_Alignas(LINE_BYTES) struct id_index by_id; /* to slots, of members and removed */
	struct server_list members, removed;
	size_t n_members, n_removed;
	struct list snapshots; /* all that live, the current one last */
	struct algo_setup setup;
	struct algo_state *state;
	uint64_t next_id;
	bool staged;
	uint64_t now_ns;	       /* of the last tick */
	uint32_t n_waiting, n_ramping; /* servers in slow start, since then and at it */
	size_t n_pickers, n_seats;
	struct group_seat *seat; /* by the number of pickers */
};

struct group_seat {
	struct lb_picker *picker; /* NULL: it is free */
	struct ledger_row *row;	  /* of all who ever had it */
};

/* In place of the newest snapshot when there will be no more: no picker ever stands on it. */
#define GROUP_CLOSED ((struct lb_snapshot *)(uintptr_t)1)

struct lb_picker {
	/* The picker's. */
	struct lb_group *group;
	struct lb_snapshot *snap; /* NULL: offline */
	void *cursor;		  /* snapshot_cursor(snap, number) */
	struct counting counting; /* the row of `number` */
	uint64_t random;	  /* state of picker_random() */
	size_t number;
	bool explaining; /* stay on this snapshot */

	/*
	 * Written by the picker, read by the editor: what must not be freed. `next` is held besides while
	 * the picker moves over, so the editor looks at `next` first, then at `held`.
	 */
	_Alignas(LINE_BYTES) _Atomic(group_snapshot_ptr) held;
	_Atomic(group_snapshot_ptr) next;
};

/* Its group has been closed. */
void picker_lose_group(struct lb_picker *p);

/* The memory that is left when its contents and its pickers are gone. */
void group_release(struct lb_group *g);

/* The member of this id, or NULL. */
struct lb_server *group_find_member(const struct lb_group *g, uint64_t id);

/* The last open priority group, by what is staged and by how full servers are; and the published one. */
uint32_t group_open_priority(struct lb_group *g);
uint32_t group_shown_priority(const struct lb_group *g);

/* Checks the options and fills in what they leave out. 0, -EINVAL, -E2BIG, -ENOENT. */
int algo_setup_of(const struct lb_group_opts *o, struct algo_setup *ret);

#endif
