/* SPDX-License-Identifier: MIT */
/*
 * The cursor of algorithms that go round: the place after the one chosen last. Members may come and go
 * under it: it stays after the same server, or, when that one left, after the nearest before it.
 */
#ifndef LIBSCHED_TURN_H
#define LIBSCHED_TURN_H

#include "base/cursor.h"
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

/* As bytes: the server chosen last, 0: none. */
static inline ssize_t turn_freeze(const struct turn *t, const struct lb_snapshot *s, void *buf,
				  size_t cap)
{
	const uint64_t id = t->next ? s->at[t->next - 1].id : 0;
	struct writer w = writer_of(buf, cap);

	write_be64(&w, id);
	return w.bad ? 0 : (ssize_t)writer_len(&w);
}

/* A server that is gone: the beginning. */
static inline void turn_thaw(struct turn *t, const struct lb_snapshot *s, struct reader *r)
{
	const uint64_t id = read_be64(r);

	if (!r->bad)
		t->next = (size_t)(lb_snapshot_find(s, id) + 1);
}

#endif
