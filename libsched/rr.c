/* SPDX-License-Identifier: MIT */
/*
 * rr: one after the other, as IPVS does (Linux net/netfilter/ipvs/ip_vs_rr.c): newest first, weights
 * count only as zero or not, the cursor survives edits. To the pick the kernel's, if the picker saw each
 * commit; one that missed some knows where it was, not in which order the servers around it came and
 * went. Cost O(1), O(n) past servers that may not be chosen.
 */
#include <errno.h>
#include <stdio.h>

#include "libsched/algos.h"
#include "libsched/turn.h"
#include "libsched/usual.h"

static size_t rr_cursor_size(const struct lb_snapshot *s)
{
	return sizeof(struct turn);
}

static void rr_adopt(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		     const void *old_cursor)
{
	if (old)
		turn_adopt(cursor, s, old_cursor, old);
}

HOT ssize_t rr_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct turn *t = cursor;
	size_t i = t->next;

	for (size_t seen = 0; seen < s->n; seen++, i++) {
		if (i >= s->n)
			i = 0;
		if (query_eligible(q, i)) {
			t->next = i + 1;
			return (ssize_t)i;
		}
	}
	return -1;
}

static void rr_note(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		    size_t place, ssize_t chosen, char *buf, size_t cap)
{
	const struct turn *t = cursor;
	const size_t next = t->next < s->n ? t->next : 0;

	if ((ssize_t)place == chosen)
		snprintf(buf, cap, "it is next in turn");
	else
		snprintf(buf, cap, "its turn is %zu places further on",
			 (place + s->n - next) % s->n);
}

static ssize_t rr_freeze(const struct lb_snapshot *s, const void *cursor, void *buf, size_t cap)
{
	return turn_freeze(cursor, s, buf, cap);
}

static int rr_thaw(const struct lb_snapshot *s, void *cursor, const void *buf, size_t len)
{
	struct reader r = reader_of(buf, len);

	if (len != sizeof(uint64_t))
		return -EBADMSG;
	turn_thaw(cursor, s, &r);
	return 0;
}

USUAL_PICK(rr, rr_pick, NULL)

const struct lb_algo algo_rr = {
    .size = sizeof(algo_rr),
    .name = "rr",
    .flags = LB_ALGO_NEWEST_FIRST,
    .cursor_size = rr_cursor_size,
    .adopt = rr_adopt,
    .pick = rr_pick,
    .note = rr_note,
    .freeze = rr_freeze,
    .thaw = rr_thaw,
};
