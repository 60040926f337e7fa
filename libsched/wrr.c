/* SPDX-License-Identifier: MIT */
/*
 * wrr: weighted round robin as IPVS does it (Linux net/netfilter/ipvs/ip_vs_wrr.c), to the pick. A
 * threshold goes down a ladder from the greatest weight, in steps of the weights' greatest common
 * divisor; on each level everyone of at least that weight gets a request. So a server gets exactly its
 * weight in a cycle, heavy ones in bursts: 100,50,10,7 begins with 50 for the first.
 *
 * Each edit puts the cursor at the head of the list and moves the threshold to the new ladder; what it
 * becomes depends on each edit on the way. A commit is one edit here, and the table remembers the last
 * ones for pickers that missed some.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "libsched/algos.h"
#include "libsched/turn.h"
#include "libsched/usual.h"

#define WRR_EDITS_MAX 32

struct wrr_edit {
	uint64_t generation;
	uint32_t step; /* greatest common divisor of the weights, at least 1 */
	uint32_t top;  /* the highest level: greatest weight - step + 1; 0: nobody has a weight */
};

#define ARITY 16
#define FLOORS_MAX 5 /* 16^5 is more than LB_SERVERS_MAX */

struct wrr_table {
	uint32_t first_level; /* where a cursor stands that saw every edit and never picked */
	uint32_t n;
	struct wrr_edit edit[WRR_EDITS_MAX]; /* oldest first; the last is in force */
	/* Floor 0 has the weights, each floor above the greatest of every sixteen below. */
	uint32_t n_floors;
	uint32_t width[FLOORS_MAX];
	uint32_t *floor[FLOORS_MAX]; /* into what follows */
};

struct wrr_cursor {
	size_t next;	/* place to look at first */
	uint32_t level; /* the threshold; 0: not yet set */
};

static const struct wrr_edit *in_force(const struct wrr_table *t)
{
	return &t->edit[t->n - 1];
}

/* Where the threshold goes at an edit. */
static uint32_t level_after(uint32_t level, const struct wrr_edit *e)
{
	if (level > e->top || !level)
		return e->top;
	return e->step > 1 ? level / e->step * e->step + 1 : level;
}

static uint32_t above(uint32_t width)
{
	return (width + ARITY - 1) / ARITY;
}

static size_t wrr_table_size(const struct lb_snapshot *s)
{
	size_t size = sizeof(struct wrr_table) + sizeof(uint32_t);

	for (uint32_t width = (uint32_t)s->n; width > 1; width = above(width))
		size += (width + 1) * sizeof(uint32_t);
	return size;
}

static void build_floors(const struct lb_snapshot *s, struct wrr_table *t)
{
	uint32_t *at = (uint32_t *)(t + 1), width = (uint32_t)s->n;

	t->floor[0] = at;
	t->width[0] = width;
	for (uint32_t i = 0; i < width; i++)
		at[i] = s->at[i].weight;
	t->n_floors = 1;
	while (width > 1) {
		const uint32_t *below = at, n_below = width;

		at += width;
		width = above(width);
		memset(at, 0, width * sizeof(*at));
		for (uint32_t i = 0; i < n_below; i++)
			if (at[i / ARITY] < below[i])
				at[i / ARITY] = below[i];
		t->floor[t->n_floors] = at;
		t->width[t->n_floors++] = width;
	}
}

/* The next place from `i` on of at least this weight, or -1: along a floor, up at its end, then down. */
static ssize_t next_heavy(const struct wrr_table *t, size_t i, uint32_t weight)
{
	uint32_t f = 0;

	for (;; f++, i /= ARITY) {
		size_t end = (i / ARITY + 1) * ARITY;

		if (f == t->n_floors)
			return -1;
		if (end > t->width[f])
			end = t->width[f];
		while (i < end && t->floor[f][i] < weight)
			i++;
		if (i < end)
			break;
		if (i >= t->width[f])
			return -1;
	}
	while (f-- > 0)
		for (i *= ARITY; t->floor[f][i] < weight; i++)
			;
	return (ssize_t)i;
}

static int wrr_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct wrr_table *t = table;
	struct wrr_edit edit = {.generation = s->generation,
				.step = s->weight_gcd ? s->weight_gcd : 1};

	if (s->max_weight)
		edit.top = s->max_weight - edit.step + 1;
	if (old)
		*t = *(const struct wrr_table *)old->table; /* build_floors() sets the rest */
	if (t->n == WRR_EDITS_MAX)
		memmove(t->edit, t->edit + 1, --t->n * sizeof(edit));
	t->edit[t->n++] = edit;
	build_floors(s, t);
	t->first_level = level_after(t->first_level, &edit);
	return 0;
}

static size_t wrr_cursor_size(const struct lb_snapshot *s)
{
	return sizeof(struct wrr_cursor);
}

static void wrr_adopt(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		      const void *old_cursor)
{
	const struct wrr_table *t = s->table;
	struct wrr_cursor *c = cursor;

	c->next = 0;
	if (!old) {
		c->level = t->first_level;
		return;
	}
	c->level = ((const struct wrr_cursor *)old_cursor)->level;
	for (uint32_t i = 0; i < t->n; i++)
		if (t->edit[i].generation > old->generation)
			c->level = level_after(c->level, &t->edit[i]);
}

/* The next place from `i` on that is at the level, or -1 at the end of the list. */
static ssize_t next_at_level(const struct lb_query *q, size_t i, uint32_t level)
{
	const struct wrr_table *t = q->snap->table;
	ssize_t place = next_heavy(t, i, level);

	while (place >= 0 && !query_eligible(q, (size_t)place))
		place = next_heavy(t, (size_t)place + 1, level);
	return place;
}

/* The first place of the greatest weight, or -1. */
static ssize_t greatest_eligible(const struct lb_query *q)
{
	ssize_t best = next_heavy(q->snap->table, 0, q->snap->max_weight);
	uint32_t max = 0;

	if (best >= 0 && query_eligible(q, (size_t)best))
		return best;
	best = -1;
	for (size_t i = 0; i < q->snap->n; i++) {
		if (q->snap->at[i].weight > max && query_eligible(q, i)) {
			max = q->snap->at[i].weight;
			best = (ssize_t)i;
		}
	}
	return best;
}

/* One level down, round to the top, and past the levels where nobody is: at most two passes in all. */
static uint32_t level_below(const struct wrr_edit *e, uint32_t level, uint32_t greatest)
{
	level = level > e->step ? level - e->step : e->top;
	if (level > greatest)
		level -= (level - greatest + e->step - 1) / e->step * e->step;
	return level;
}

HOT ssize_t wrr_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const struct wrr_edit *e = in_force(s->table);
	struct wrr_cursor *c = cursor;
	uint32_t level = c->level;
	ssize_t place = next_at_level(q, c->next, level), greatest;

	if (place < 0) {
		greatest = greatest_eligible(q);
		if (greatest < 0)
			return -1;
		level = level_below(e, level, s->at[greatest].weight);
		place = next_at_level(q, 0, level);
		if (place < 0) /* full by now, another picker's doing: lb_pick() will ask again */
			place = greatest;
	}
	c->level = level;
	c->next = (size_t)place + 1;
	return place;
}

static void wrr_note(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		     size_t place, ssize_t chosen, char *buf, size_t cap)
{
	const struct wrr_cursor *c = cursor;

	if ((ssize_t)place == chosen)
		snprintf(buf, cap, "the next of at least the weight in turn");
	else if (s->at[place].weight < c->level)
		snprintf(buf, cap, "level %" PRIu32 " is in turn, above its weight", c->level);
	else if (place < c->next)
		snprintf(buf, cap, "it had its turn of this level");
	else
		snprintf(buf, cap, "it comes later in the list");
}

/* The server chosen last, and the level. */
static ssize_t wrr_freeze(const struct lb_snapshot *s, const void *cursor, void *buf, size_t cap)
{
	const struct wrr_cursor *c = cursor;
	const struct turn t = {.next = c->next};
	ssize_t n = turn_freeze(&t, s, buf, cap);
	struct writer w = writer_of((char *)buf + n, cap - (size_t)n);

	write_be32(&w, c->level);
	return w.bad ? 0 : n + (ssize_t)writer_len(&w);
}

static int wrr_thaw(const struct lb_snapshot *s, void *cursor, const void *buf, size_t len)
{
	const struct wrr_edit *e = in_force(s->table);
	struct reader r = reader_of(buf, len);
	struct wrr_cursor *c = cursor;
	struct turn t = {0};
	uint32_t level;

	turn_thaw(&t, s, &r);
	level = read_be32(&r);
	if (r.bad || reader_left(&r))
		return -EBADMSG;
	if (!level || level > e->top || (level - 1) % e->step)
		return 0; /* of other weights: the rotation starts anew */
	c->next = t.next;
	c->level = level;
	return 0;
}

USUAL_PICK(wrr, wrr_pick, NULL)

const struct lb_algo algo_wrr = {
    .size = sizeof(algo_wrr),
    .name = "wrr",
    .flags = LB_ALGO_NEWEST_FIRST,
    .table_size = wrr_table_size,
    .build = wrr_build,
    .cursor_size = wrr_cursor_size,
    .adopt = wrr_adopt,
    .pick = wrr_pick,
    .note = wrr_note,
    .freeze = wrr_freeze,
    .thaw = wrr_thaw,
};
