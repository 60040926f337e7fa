/* SPDX-License-Identifier: MIT */
/*
 * p2c: the power of two choices (Mitzenmacher, 1996), weighted: of two servers drawn by weight the one that
 * would have less (active + 1) / weight. In a slow start it is drawn less often; its load is compared by its whole
 * weight, else it would lose to every idle one and be given nothing until the end.
 *
 * Each picker keeps the counts it compares: it hears at once of what it counts itself, and reads what the others
 * counted in turn (sweep.h), so that picks wait for nobody's cache lines. While it is the only picker they are exact.
 */
#include "libsched/algos.h"
#include "libsched/draw.h"
#include "libsched/sweep.h"
#include "libsched/usual.h"

/* The cursor. */
struct p2c {
	struct sweep sweep;
	_Alignas(LINE_BYTES) uint32_t active[]; /* of each place, as far as is known */
};

/* Two places, by weight: whoever has none is never drawn. */
struct pair {
	size_t a, b;
};

static size_t p2c_cursor_size(const struct lb_snapshot *s)
{
	return sizeof(struct p2c) + s->n * sizeof(uint32_t);
}

static void refresh(struct p2c *c, const struct lb_snapshot *s, size_t place)
{
	c->active[place] = snap_active_of(s, &s->at[place]);
}

static void p2c_adopt(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		      const void *old_cursor)
{
	(void)old;
	(void)old_cursor;
	for (size_t i = 0; i < s->n; i++)
		refresh(cursor, s, i);
}

/* What other pickers counted, a few servers at a time. */
static inline void look_around(struct p2c *c, const struct lb_snapshot *s)
{
	uint32_t due = ledger_rows(s->ledger) > 1 ? sweep_due(&c->sweep, s) : 0;

	if (!due)
		return;
	while (due--)
		refresh(c, s, sweep_next(&c->sweep, s));
	sweep_prefetch(&c->sweep, s);
}

/* ---- Any pick ---- */

static inline struct pair draw_two(const struct lb_snapshot *s, uint64_t *random)
{
	const uint64_t bits = picker_random(random); /* enough for both */

	return (struct pair){draw_with(s, (uint32_t)(bits >> 32)), draw_with(s, (uint32_t)bits)};
}

static uint64_t load_with_one_more(const struct p2c *c, size_t place)
{
	return (uint64_t)c->active[place] + 1;
}

static ssize_t p2c_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const struct pair two = draw_two(s, q->random);
	ssize_t a = (ssize_t)two.a, b = (ssize_t)two.b;

	look_around(cursor, s);
	if (!query_eligible(q, two.a))
		a = draw_eligible(q);
	if (a < 0)
		return -1;
	/* One that is drawn twice has no rival: draw once more. */
	if (a == b || !query_eligible(q, (size_t)b))
		b = draw_eligible(q);
	return load_with_one_more(cursor, (size_t)b) * s->at[a].set_weight <
		       load_with_one_more(cursor, (size_t)a) * s->at[b].set_weight
		   ? b
		   : a;
}

/* ---- What this picker counts ---- */

static void counted(struct p2c *c, const struct lb_snapshot *s, size_t place, int by)
{
	if (ledger_rows(s->ledger) == 1 || s->at[place].limited)
		refresh(c, s, place);
	else if (by > 0 || c->active[place])
		c->active[place] += (uint32_t)by;
}

static void p2c_on_start(const struct lb_snapshot *s, void *cursor, size_t place,
			 const struct lb_request *r)
{
	(void)r;
	counted(cursor, s, place, 1);
}

static void p2c_on_done(const struct lb_snapshot *s, void *cursor, size_t place,
			const struct lb_outcome *o)
{
	counted(cursor, s, place, o->inactive ? 0 : -1);
}

static void p2c_on_count(const struct lb_snapshot *s, void *cursor, size_t place, enum lb_counter c)
{
	(void)c;
	refresh(cursor, s, place);
}

/* ---- The usual pick ---- */

/*
 * Without a branch that would be guessed wrong half the time. Both counts are written where it is known: else the
 * next pick, which may have to read them, would wait for this one's choice. And both cells are found before one of them
 * is chosen: the less is left to do after the choice, the more of the next pick is done meanwhile.
 */
static inline __attribute__((always_inline)) int
end_usual(struct lb_picker *p, const struct lb_request *r, struct pair two, uint64_t *ret_id)
{
	const struct lb_snapshot *s = p->snap;
	const struct snap_server *a = &s->at[two.a], *b = &s->at[two.b], *e;
	struct p2c *c = p->cursor;
	const bool second =
	    load_with_one_more(c, two.b) * a->set_weight <
	    load_with_one_more(c, two.a) * b->set_weight;

	e = (const struct snap_server *)either(second, (uintptr_t)a, (uintptr_t)b);
	if (!(r->flags & LB_REQUEST_UNCOUNTED)) {
		const struct ledger_row *row = p->counting.row;

		server_start_in(&p->counting,
				(struct cell *)either(second, (uintptr_t)row_cell(row, a->slot),
						      (uintptr_t)row_cell(row, b->slot)));
		c->active[two.a] += !second;
		c->active[two.b] += second;
	}
	*ret_id = e->id;
	return 0;
}

static __attribute__((noinline)) int usual_among_pickers(struct lb_picker *p,
							 const struct lb_request *r,
							 struct pair two, uint64_t *ret_id)
{
	look_around(p->cursor, p->snap);
	return end_usual(p, r, two, ret_id);
}

int p2c_usual(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id)
{
	struct pair two = draw_two(p->snap, &p->random);

	if (__builtin_expect(two.a == two.b, 0))
		two.b = draw_with(p->snap, (uint32_t)(picker_random(&p->random) >> 32));
	if (ledger_rows(p->counting.ledger) > 1)
		return usual_among_pickers(p, r, two, ret_id);
	return end_usual(p, r, two, ret_id);
}

static bool p2c_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		      size_t place, double *ret)
{
	(void)q;
	*ret = (double)load_with_one_more(cursor, place) / s->at[place].set_weight;
	return true;
}

const struct lb_algo algo_p2c = {
    .size = sizeof(algo_p2c),
    .name = "p2c",
    .table_size = draw_table_size,
    .build = draw_table_build,
    .cursor_size = p2c_cursor_size,
    .adopt = p2c_adopt,
    .pick = p2c_pick,
    .on_start = p2c_on_start,
    .on_done = p2c_on_done,
    .on_count = p2c_on_count,
    .score = p2c_score,
};
