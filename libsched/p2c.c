/* SPDX-License-Identifier: MIT */
/*
 * p2c: the power of two choices (Mitzenmacher, 1996), weighted: of two servers drawn by weight the one that
 * would have less (active + 1) / weight.
 */
#include "libsched/algos.h"
#include "libsched/usual.h"
#include "libsched/draw.h"

/* Two places, by weight: whoever has none is never drawn. */
struct pair {
	size_t a, b;
};

static inline struct pair draw_two(const struct lb_snapshot *s, uint64_t *random)
{
	const uint64_t bits = picker_random(random); /* enough for both */

	return (struct pair){draw_with(s, (uint32_t)(bits >> 32)), draw_with(s, (uint32_t)bits)};
}

static uint64_t load_with_one_more(const struct lb_snapshot *s, size_t place)
{
	return (uint64_t)snap_count(s, place, LB_COUNTER_ACTIVE) + 1;
}

static ssize_t choose(const struct lb_query *q, struct pair of)
{
	const struct lb_snapshot *s = q->snap;
	ssize_t a = (ssize_t)of.a, b = (ssize_t)of.b;

	if (!query_eligible(q, of.a))
		a = draw_eligible(q);
	if (a < 0)
		return -1;
	/* One that is drawn twice has no rival: draw once more. */
	if (a == b || !query_eligible(q, (size_t)b))
		b = draw_eligible(q);
	return load_with_one_more(s, (size_t)b) * s->at[a].weight <
		       load_with_one_more(s, (size_t)a) * s->at[b].weight
		   ? b
		   : a;
}

static ssize_t p2c_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	(void)cursor;
	return choose(q, draw_two(s, q->random));
}

/* ---- The usual pick ---- */

/* Where somebody has or had a limit. */
static __attribute__((noinline)) int end_by_choice(struct lb_picker *p, const struct lb_request *r,
						   struct pair of, uint64_t *ret_id)
{
	const struct lb_query q = usual_query(p, r);

	return usual_end(p, r, choose(&q, of), NULL, ret_id);
}

struct loads {
	int64_t a, b;
};

/* What the other pickers have on both. */
static inline struct loads of_others(const struct lb_picker *p, uint32_t slot_a, uint32_t slot_b)
{
	const struct ledger *l = p->counting.ledger;
	struct loads sum = {0, 0};

	for (uint32_t i = 0, n = ledger_rows(l); i < n; i++) {
		if (l->row[i] == p->counting.row)
			continue;
		sum.a += row_active_of(l->row[i], slot_a);
		sum.b += row_active_of(l->row[i], slot_b);
	}
	return sum;
}

/*
 * Knows where both are counted before it knows who it will be: else each pick would wait for the choice of the one
 * before, whose counter it may have to read. `others`, a constant: whether there are other pickers.
 */
static inline __attribute__((always_inline)) int end_by_load(struct lb_picker *p,
							     const struct lb_request *r,
							     struct pair two, bool others,
							     uint64_t *ret_id)
{
	const struct lb_snapshot *s = p->snap;
	const struct snap_server *a = &s->at[two.a], *b = &s->at[two.b];
	struct ledger_row *row = p->counting.row;
	struct cell *cell_a = row_cell(row, a->slot), *cell_b = row_cell(row, b->slot);
	struct loads load = {atomic_load_explicit(&cell_a->active, RELAXED),
			     atomic_load_explicit(&cell_b->active, RELAXED)};
	bool second;

	if (others) {
		const struct loads more = of_others(p, a->slot, b->slot);

		/* What ends elsewhere than it began may be seen on one side only. */
		load.a = load.a + more.a > 0 ? load.a + more.a : 0;
		load.b = load.b + more.b > 0 ? load.b + more.b : 0;
	}
	second = (load.b + 1) * a->weight < (load.a + 1) * b->weight;
	if (!(r->flags & LB_REQUEST_UNCOUNTED)) {
		cell_start((struct cell *)either(second, (uintptr_t)cell_a, (uintptr_t)cell_b));
		row_add_active(row, 1);
	}
	*ret_id = either(second, a->id, b->id);
	return 0;
}

static __attribute__((noinline)) int end_among_pickers(struct lb_picker *p,
						       const struct lb_request *r, struct pair two,
						       uint64_t *ret_id)
{
	return end_by_load(p, r, two, true, ret_id);
}

int p2c_usual(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id)
{
	struct pair two = draw_two(p->snap, &p->random);

	if (__builtin_expect(p->snap->had_limits, 0))
		return end_by_choice(p, r, two, ret_id);
	if (__builtin_expect(two.a == two.b, 0)) /* as choose() does */
		two.b = draw_with(p->snap, (uint32_t)(picker_random(&p->random) >> 32));
	if (ledger_rows(p->counting.ledger) > 1)
		return end_among_pickers(p, r, two, ret_id);
	return end_by_load(p, r, two, false, ret_id);
}

static bool p2c_score(const struct lb_snapshot *s, const void *cursor, const struct lb_query *q,
		      size_t place, double *ret)
{
	(void)cursor;
	(void)q;
	*ret = (double)load_with_one_more(s, place) / s->at[place].weight;
	return true;
}

const struct lb_algo algo_p2c = {
    .size = sizeof(algo_p2c),
    .name = "p2c",
    .table_size = draw_table_size,
    .build = draw_table_build,
    .pick = p2c_pick,
    .score = p2c_score,
};
