/* SPDX-License-Identifier: MIT */
/*
 * The cursor of algorithms that go round: the place after the one chosen last. Members may come and go
 * under it: it stays after the same server, or, when that one left, after the nearest before it.
 */
#ifndef LIBSCHED_TURN_H
#define LIBSCHED_TURN_H

#include "libsched/snapshot.h"

struct turn {
	size_t next; /* 0: at the head of the list */
};

static inline void turn_adopt(struct turn *t, const struct lb_snapshot *s,
			      const struct turn *old_turn, const struct lb_snapshot *old)
{
	for (size_t i = old_turn->next; i > 0; i--) {
		ssize_t place = lb_snapshot_find(s, old->at[i - 1].id);

		if (place >= 0) {
			t->next = (size_t)place + 1;
			return;
		}
	}
	t->next = 0;
}

#endif
