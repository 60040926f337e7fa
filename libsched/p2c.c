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

static __attribute__((noinline)) int end_by_choice(struct lb_picker *p, const struct lb_request *r,
						   struct pair of, uint64_t *ret_id)
{
	const struct lb_query q = usual_query(p, r);

	return usual_end(p, r, choose(&q, of), NULL, ret_id);
}

/* Of two servers in one go: would b have less with one more? */
static inline bool second_is_better(const struct lb_snapshot *s, const struct snap_server *a,
				    const struct snap_server *b)
{
	const uint32_t rows = ledger_rows(s->ledger);
	int64_t active_a = 0, active_b = 0;

	for (uint32_t i = 0; i < rows; i++) {
		const struct ledger_row *row = s->ledger->row[i];

		active_a += atomic_load_explicit(&row_cell(row, a->slot)->active, RELAXED);
		active_b += atomic_load_explicit(&row_cell(row, b->slot)->active, RELAXED);
	}
	return (active_b > 0 ? active_b + 1 : 1) * a->weight <
	       (active_a > 0 ? active_a + 1 : 1) * b->weight;
}

/* Without a branch, which would be guessed wrong half the time. */
static inline uint64_t either(bool second, uint64_t a, uint64_t b)
{
	return a ^ ((a ^ b) & -(uint64_t)second);
}

/*
 * Knows where both are counted before it knows who it will be: else each pick would wait for the choice of the one
 * before, whose counter it may have to read.
 */
int p2c_usual(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id)
{
	const struct lb_snapshot *s = p->snap;
	const struct pair two = draw_two(s, &p->random);
	const struct snap_server *a = &s->at[two.a], *b = &s->at[two.b];
	struct ledger_row *row = p->counting.row;
	bool second;

	if (__builtin_expect((two.a == two.b) | a->limited | b->limited, 0))
		return end_by_choice(p, r, two, ret_id);
	second = second_is_better(s, a, b);
	if (!(r->flags & LB_REQUEST_UNCOUNTED)) {
		cell_start((struct cell *)either(second, (uintptr_t)row_cell(row, a->slot),
						 (uintptr_t)row_cell(row, b->slot)));
		row_add_active(row, 1);
	}
	*ret_id = either(second, a->id, b->id);
	return 0;
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
