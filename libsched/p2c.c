/* SPDX-License-Identifier: MIT */
/*
 * p2c: the power of two choices (Mitzenmacher, 1996), weighted: of two servers drawn by weight the one that
 * would have less (active + 1) / weight. In a slow start it is drawn less often; its load is compared by its whole
 * weight, else it would lose to every idle one and be given nothing until the end.
 *
 * A picker's own counts are compared where it counts them, in its row of the ledger. What the others counted it
 * keeps by place and reads in turn (sweep.h), so that picks wait for nobody's cache lines. While it is the only
 * picker the counts are exact.
 */
#include "libsched/algos.h"
#include "libsched/draw.h"
#include "libsched/sweep.h"
#include "libsched/usual.h"

/* The cursor. */
struct p2c {
	struct sweep sweep;
	bool looked; /* at every place, at least once */
	_Alignas(LINE_BYTES) int32_t others[]; /* of each place: active, but not in our row */
};

/* Two places, by weight: whoever has none is never drawn. */
struct pair {
	size_t a, b;
};

static size_t p2c_cursor_size(const struct lb_snapshot *s)
{
	return sizeof(struct p2c) + s->n * sizeof(int32_t);
}

static inline int32_t count_of_others(const struct lb_snapshot *s, const struct ledger_row *own,
				      size_t place)
{
	const uint32_t slot = s->at[place].slot;
	int64_t sum = 0;

	ledger_for_each_row (row, s->ledger)
		if (row != own)
			sum += row_active_of(row, slot);
	return (int32_t)sum;
}

/* What other pickers counted. */
static __attribute__((noinline)) void look_at(struct p2c *c, const struct lb_snapshot *s,
					      const struct ledger_row *own, uint32_t n)
{
	while (n--) {
		const uint32_t place = sweep_next(&c->sweep, s);

		c->others[place] = count_of_others(s, own, place);
	}
	c->looked = true;
	sweep_prefetch(&c->sweep, s);
}

/* At how many it is time to look: a few servers every few picks. */
static inline uint32_t look_due(struct p2c *c, const struct lb_snapshot *s)
{
	return c->looked ? sweep_due(&c->sweep, s) : (uint32_t)s->n;
}

static inline void look_around(struct p2c *c, const struct lb_snapshot *s,
			       const struct ledger_row *own)
{
	const uint32_t due = look_due(c, s);

	if (due)
		look_at(c, s, own, due);
}

/* ---- Any pick ---- */

static inline struct pair draw_two(const struct lb_snapshot *s, uint64_t *random)
{
	const uint64_t bits = picker_random(random); /* enough for both */

	return (struct pair){draw_with(s, (uint32_t)(bits >> 32)), draw_with(s, (uint32_t)bits)};
}

/* With one more connection. Below 1 while others ended what began here and that is not yet seen. */
static int64_t load_at(const struct p2c *c, const struct lb_query *q, size_t place)
{
	const struct snap_server *e = &q->snap->at[place];

	if (e->limited) /* counted in common */
		return (int64_t)snap_active_of(q->snap, e) + 1;
	return row_active_of(q->row, e->slot) + c->others[place] + 1;
}

static inline size_t less_loaded(const struct p2c *c, const struct lb_query *q, size_t a, size_t b)
{
	const struct snap_server *at = q->snap->at;
	const uint64_t second = all_ones_if_below_0(load_at(c, q, b) * at[a].set_weight -
						    load_at(c, q, a) * at[b].set_weight);

	return a ^ ((a ^ b) & second);
}

static ssize_t p2c_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const struct pair two = draw_two(s, q->random);
	ssize_t a = (ssize_t)two.a, b = (ssize_t)two.b;

	if (ledger_rows(s->ledger) > 1)
		look_around(cursor, s, q->row);
	if (!query_eligible(q, two.a))
		a = draw_eligible(q);
	if (a < 0)
		return -1;
	/* One that is drawn twice has no rival: draw once more. */
	if (a == b || !query_eligible(q, (size_t)b))
		b = draw_eligible(q);
	return (ssize_t)less_loaded(cursor, q, (size_t)a, (size_t)b);
}

/* ---- The usual pick ---- */

/* Where a count of ours is below 0, or at its end. */
static __attribute__((noinline)) int start_any(struct lb_picker *p, const struct lb_request *r,
					       size_t place_a, size_t place_b, uint64_t *ret_id)
{
	const struct lb_query q = usual_query(p, r);

	return usual_end(p, r, (ssize_t)less_loaded(p->cursor, &q, place_a, place_b), NULL, ret_id);
}

/* Where the only picker counted beyond the end. */
static __attribute__((noinline)) void stand_still(struct ledger_row *row, uint32_t slot_a,
						  uint32_t slot_b)
{
	row_stand_still(row, slot_a);
	row_stand_still(row, slot_b);
}

/*
 * Without a branch that would be guessed wrong half the time. Both cells are written, one as it was: where they are is
 * known before the choice is, so that the next pick, which may have to read them, need not wait for it.
 */
static inline __attribute__((always_inline)) int start_less_loaded(struct lb_picker *p,
								   const struct lb_request *r,
								   size_t place_a, size_t place_b,
								   bool alone, uint64_t *ret_id)
{
	const struct snap_server *a = &p->snap->at[place_a], *b = &p->snap->at[place_b], *e;
	struct ledger_row *row = p->counting.row;
	struct cell *cell_a = row_cell(row, a->slot), *cell_b = row_cell(row, b->slot);
	int64_t load_a = (int64_t)(uint32_t)cell_word(cell_a) + 1;
	int64_t load_b = (int64_t)(uint32_t)cell_word(cell_b) + 1;
	uint64_t second;

	if (!alone) {
		const struct p2c *c = p->cursor;

		if (__builtin_expect((load_a | load_b) > INT32_MAX, 0))
			return start_any(p, r, place_a, place_b, ret_id);
		load_a += c->others[place_a];
		load_b += c->others[place_b];
	}
	second = all_ones_if_below_0(load_b * a->set_weight - load_a * b->set_weight);
	if (!(r->flags & LB_REQUEST_UNCOUNTED)) {
		uint64_t counted = cell_add(cell_a, CELL_STARTED & ~second);

		counted |= cell_add(cell_b, CELL_STARTED & second);
		if (alone && __builtin_expect(word_active(counted) < 0, 0))
			stand_still(row, a->slot, b->slot);
		row_add_active(row, 1);
	}
	e = (const struct snap_server *)((uintptr_t)a ^ (((uintptr_t)a ^ (uintptr_t)b) & second));
	*ret_id = e->id;
	return 0;
}

static __attribute__((noinline)) int look_and_start(struct lb_picker *p, const struct lb_request *r,
						    size_t place_a, size_t place_b, uint32_t due,
						    uint64_t *ret_id)
{
	look_at(p->cursor, p->snap, p->counting.row, due);
	return start_less_loaded(p, r, place_a, place_b, false, ret_id);
}

static __attribute__((noinline)) int usual_among_pickers(struct lb_picker *p,
							 const struct lb_request *r, size_t place_a,
							 size_t place_b, uint64_t *ret_id)
{
	const uint32_t due = look_due(p->cursor, p->snap);

	if (due)
		return look_and_start(p, r, place_a, place_b, due, ret_id);
	return start_less_loaded(p, r, place_a, place_b, false, ret_id);
}

int p2c_usual(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id)
{
	struct pair two = draw_two(p->snap, &p->random);

	if (__builtin_expect(two.a == two.b, 0))
		two.b = draw_with(p->snap, (uint32_t)(picker_random(&p->random) >> 32));
	if (ledger_rows(p->counting.ledger) > 1)
		return usual_among_pickers(p, r, two.a, two.b, ret_id);
	return start_less_loaded(p, r, two.a, two.b, true, ret_id);
}

static bool p2c_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		      size_t place, double *ret)
{
	*ret = (double)load_at(cursor, q, place) / s->at[place].set_weight;
	return true;
}

const struct lb_algo algo_p2c = {
    .size = sizeof(algo_p2c),
    .name = "p2c",
    .table_size = draw_table_size,
    .build = draw_table_build,
    .cursor_size = p2c_cursor_size,
    .pick = p2c_pick,
    .score = p2c_score,
};
