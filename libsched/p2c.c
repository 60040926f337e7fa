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

/* All a pick needs of a place, its slot of the table included, in half a cache line. */
struct candidate {
	struct cell *cell; /* what this picker counts */
	uint64_t id;
	uint32_t threshold, other; /* as in struct draw_slot, but bytes: see candidate_at() */
	int32_t beside;		   /* the others' active connections */
	uint16_t weight, place;
};

_Static_assert(sizeof(struct candidate) == 32, "two to a cache line");
_Static_assert(LB_SERVERS_MAX <= UINT16_MAX + 1, "a place is 16 bits");

/* Two that were drawn. */
struct pair {
	const struct candidate *a, *b;
};

/* Picks until an only picker looks whether it still is. */
#define ALONE_REST 63

/* The cursor. */
struct p2c {
	struct sweep sweep;
	bool ready; /* filled in, which the first pick does */
	bool even;  /* all have the same weight, and there are two at least */
	/* Drawn one pick ahead, so that their lines are there by then. A copy (lb_explain()) reads no more than the place. */
	struct pair next;
	/* Of each place; some more: see draw_two() and look_at_next(). */
	_Alignas(LINE_BYTES) struct candidate at[];
};

static size_t p2c_cursor_size(const struct lb_snapshot *s)
{
	return sizeof(struct p2c) + (s->n + LINE_PLACES) * sizeof(struct candidate);
}

/* Who stands so many bytes behind the first: spares a multiplication, and a branch where it is a choice. */
static inline const struct candidate *candidate_at(const struct p2c *c, size_t bytes)
{
	return (const struct candidate *)((const char *)c->at + bytes);
}

/* ---- Drawing ---- */

/* Whose the slot of this place is, by what is left of the random number that chose it. */
static inline const struct candidate *in_slot(const struct p2c *c, uint64_t place, uint32_t rest)
{
	const uint64_t own = place * sizeof(struct candidate);
	const struct candidate *slot = candidate_at(c, own);

	return candidate_at(c, either(rest >= slot->threshold, own, slot->other));
}

/*
 * Of two slots, by weight: whoever has none is never drawn. It may be the same one twice, if it has a share in both; of
 * one server it is, as the slot behind the last is of the first.
 */
static inline struct pair draw_two(const struct p2c *c, size_t n, uint64_t *random)
{
	const uint64_t bits = picker_random(random); /* enough for both */
	const uint64_t high = (bits >> 32) * n, low = (uint64_t)(uint32_t)bits * (n - 1);
	const uint64_t a = high >> 32;
	uint64_t b = low >> 32;

	b += b >= a;
	if (c->even)
		return (struct pair){&c->at[a], &c->at[b]};
	return (struct pair){in_slot(c, a, (uint32_t)high), in_slot(c, b, (uint32_t)low)};
}

/* One pick or more before they are looked at: their cells are called for. */
static inline struct pair draw_ahead(const struct p2c *c, size_t n, uint64_t *random)
{
	const struct pair two = draw_two(c, n, random);

	line_call_for_writing(two.a->cell);
	line_call_for_writing(two.b->cell);
	return two;
}

static inline struct pair next_two(struct p2c *c, size_t n, uint64_t *random)
{
	struct pair two = {c->next.a, c->next.b};

	__asm__("" : "+r"(two.a), "+r"(two.b)); /* one load for both would wait for both stores */
	c->next = draw_ahead(c, n, random);
	return two;
}

/* ---- What others counted ---- */

static inline void add_beside(void *at, uint32_t i, int32_t active)
{
	int32_t *sum = &((struct candidate *)at)[i].beside;

	if (__builtin_expect(__builtin_add_overflow(*sum, active, sum), 0))
		*sum = INT32_MAX;
}

static inline void look_at_next(struct p2c *c, const struct lb_snapshot *s,
				const struct ledger_row *own)
{
	const struct swath some = sweep_next(&c->sweep, s);
	struct candidate *at = &c->at[some.from];

#pragma GCC unroll 8
	for (uint32_t i = 0; i < LINE_PLACES; i++) /* those past the end are nobody's */
		at[i].beside = 0;
	sweep_read(s, some, own, add_beside, at);
}

/* The row of the only other picker. NULL: there are more, or none. */
static inline const struct ledger_row *only_other(const struct ledger *l,
						  const struct ledger_row *own)
{
	if (ledger_rows(l) != 2)
		return NULL;
	return own == l->first ? row_next(own) : l->first;
}

/* Likewise, where there is one other picker and its cells stand in a row, as is usual. False: they do not. */
static inline bool look_along(struct p2c *c, const struct lb_snapshot *s,
			      const struct ledger_row *own)
{
	const struct ledger_row *other = only_other(s->ledger, own);
	const struct snap_server *e = &s->at[c->sweep.at];
	struct candidate *at = &c->at[c->sweep.at];
	const struct cell *cell;

	if (!other || !e->ascend || !c->ready)
		return false;
	cell = row_cell(other, e->slot);
#pragma GCC unroll 8
	for (uint32_t i = 0; i < LINE_PLACES; i++)
		at[i].beside = word_active(cell_word(&cell[i]));
	__builtin_prefetch(&cell[LINE_PLACES]); /* likely the next */
	sweep_pass(&c->sweep, s, LINE_PLACES);
	return true;
}

static __attribute__((noinline)) void get_ready(struct p2c *c, const struct lb_snapshot *s,
						const struct ledger_row *own, uint64_t *random)
{
	const struct draw_table *t = s->table;

	for (size_t i = 0; i < s->n; i++)
		c->at[i] = (struct candidate){
		    .cell = row_cell(own, s->at[i].slot),
		    .id = s->at[i].id,
		    .threshold = t->slot[i].threshold,
		    .other = t->slot[i].other * (uint32_t)sizeof(struct candidate),
		    .weight = s->at[i].set_weight,
		    .place = (uint16_t)i,
		};
	do
		look_at_next(c, s, own);
	while (c->sweep.at);
	c->even = t->even && s->n > 1;
	c->next = draw_two(c, s->n, random);
	c->ready = true;
}

/* Every few picks, the first one included: a look at a few servers; at whether there are others, while there are none. */
static inline void look_around(struct p2c *c, const struct lb_snapshot *s,
			       const struct ledger_row *own, uint64_t *random)
{
	if (!c->ready)
		get_ready(c, s, own, random);
	else if (ledger_rows(s->ledger) > 1)
		look_at_next(c, s, own);
	else
		c->sweep.rest = ALONE_REST;
}

/* ---- Any pick ---- */

/* With one more connection. Below 1 while others ended what began here and that is not yet seen. */
static int64_t load_at(const struct p2c *c, const struct lb_query *q, size_t place)
{
	const struct snap_server *e = &q->snap->at[place];

	if (e->limited || !c->ready) /* counted in common */
		return (int64_t)snap_active_of(q->snap, e) + 1;
	return row_active_of(q->row, e->slot) + c->at[place].beside + 1;
}

static size_t less_loaded(const struct p2c *c, const struct lb_query *q, size_t a, size_t b)
{
	const struct snap_server *at = q->snap->at;

	return load_at(c, q, b) * at[a].set_weight < load_at(c, q, a) * at[b].set_weight ? b : a;
}

static ssize_t p2c_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const bool seeded = q->request->seed; /* which is all that counts */
	uint64_t seed = *q->random;
	struct p2c *c = cursor;
	struct pair two;
	ssize_t a, b;

	if (!sweep_rests(&c->sweep))
		look_around(c, s, q->row, seeded ? &seed : q->random);
	two = seeded ? draw_two(c, s->n, q->random) : next_two(c, s->n, q->random);
	a = two.a->place;
	b = two.b->place;
	if (!query_eligible(q, (size_t)a))
		a = draw_eligible(q);
	if (a < 0)
		return -1;
	/* One that is drawn twice has no rival: draw once more. */
	if (a == b || !query_eligible(q, (size_t)b))
		b = draw_eligible(q);
	return (ssize_t)less_loaded(c, q, (size_t)a, (size_t)b);
}

/* ---- The usual pick ---- */

/* It is time; the pick to come counts among those until the next. */
static __attribute__((noinline)) void look(struct lb_picker *p)
{
	struct p2c *c = p->cursor;

	if (!look_along(c, p->snap, p->counting.row))
		look_around(c, p->snap, p->counting.row, &p->random);
	c->sweep.rest++;
}

/* Where a count of ours is below 0, or near its end. */
static __attribute__((noinline)) int start_any(struct lb_picker *p, const struct lb_request *r,
					       struct pair two, uint64_t *ret_id)
{
	const struct lb_query q = usual_query(p, r);
	const size_t place = less_loaded(p->cursor, &q, two.a->place, two.b->place);
	const struct snap_server *e = &p->snap->at[place];

	if (!(r->flags & LB_REQUEST_UNCOUNTED))
		server_start(&p->counting, e->slot);
	*ret_id = e->id;
	return 0;
}

/*
 * Says who is less loaded of two, and counts that; the row's sum is to follow. False: it is for start_any() to do. Without a
 * branch that would be guessed wrong half the time. Both cells are written, one as it was: where they are is known
 * before the choice is, so that the next pick, which may have to read them, need not wait for it.
 */
HOT bool start_less_loaded(struct pair two, bool counted, uint64_t *ret_id)
{
	const struct candidate *a = two.a, *b = two.b, *less;
	const uint64_t word_a = cell_word(a->cell), word_b = cell_word(b->cell);
	const uint32_t own_a = (uint32_t)word_a + 1, own_b = (uint32_t)word_b + 1; /* with this */
	uint64_t second;

	if (__builtin_expect(((word_a | word_b) & CELL_UNUSUAL_START) != 0, 0))
		return false;
	second = all_ones_if_below_0(((int64_t)own_b + b->beside) * a->weight -
				     ((int64_t)own_a + a->beside) * b->weight);
	if (counted) {
		const uint64_t to_b = CELL_STARTED & second;

		cell_set(b->cell, word_b + to_b);
		cell_set(a->cell, word_a + (CELL_STARTED - to_b)); /* the last, if both are one */
	}
	less = (const struct candidate *)((uintptr_t)a ^ (((uintptr_t)a ^ (uintptr_t)b) & second));
	*ret_id = less->id;
	return true;
}

HOT int start_one(struct lb_picker *p, const struct lb_request *r, struct pair two,
		  uint64_t *ret_id)
{
	const bool counted = !(r->flags & LB_REQUEST_UNCOUNTED);

	if (!start_less_loaded(two, counted, ret_id))
		return start_any(p, r, two, ret_id);
	if (counted)
		row_add_active(p->counting.row, 1);
	return 0;
}

static usual_pick p2c_usual;

/* Of one that was drawn twice. */
static __attribute__((noinline)) const struct candidate *draw_rival(struct lb_picker *p)
{
	const struct lb_query q = usual_query(p, NULL);

	return &((struct p2c *)p->cursor)->at[draw_eligible(&q)];
}

static __attribute__((noinline)) int
start_with_rival(struct lb_picker *p, const struct lb_request *r, struct pair two, uint64_t *ret_id)
{
	two.b = draw_rival(p);
	return start_one(p, r, two, ret_id);
}

static __attribute__((noinline)) int look_and_pick(struct lb_picker *p, const struct lb_request *r,
						   uint64_t *ret_id)
{
	look(p);
	return p2c_usual(p, r, ret_id);
}

/* What is rare is left to other functions altogether, which spares this one the saving of registers. */
static int p2c_usual(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id)
{
	struct p2c *c = p->cursor;
	struct pair two;

	if (__builtin_expect(!sweep_rests(&c->sweep), 0))
		return look_and_pick(p, r, ret_id);
	two = next_two(c, p->snap->n, &p->random);
	if (__builtin_expect(two.a == two.b, 0))
		return start_with_rival(p, r, two, ret_id);
	return start_one(p, r, two, ret_id);
}

/* ---- A burst ---- */

#define LEAD 4 /* pairs that are drawn before the first of them is counted */
#define RUN_MAX (ALONE_REST + 1)

/*
 * What as many picks would draw, counted in the same order; the row's sum moves once. A count may wait for the one before;
 * drawing waits for nothing and fills the time.
 */
HOT void start_run(struct lb_picker *p, const struct lb_request *r, size_t n, uint64_t *ret_ids)
{
	const bool counted = !(r->flags & LB_REQUEST_UNCOUNTED);
	const size_t n_places = p->snap->n;
	struct p2c *c = p->cursor;
	struct pair two[RUN_MAX], next = {c->next.a, c->next.b};
	int64_t started = counted ? (int64_t)n : 0;
	uint64_t random = p->random;

	for (size_t i = 0; i < n + LEAD; i++) {
		const size_t k = i - LEAD;

		if (i < n) {
			two[i] = next;
			next = draw_ahead(c, n_places, &random);
			if (__builtin_expect(two[i].a == two[i].b, 0)) {
				p->random = random;
				two[i].b = draw_rival(p);
				random = p->random;
			}
		}
		if (i >= LEAD && !start_less_loaded(two[k], counted, &ret_ids[k])) {
			start_any(p, r, two[k], &ret_ids[k]);
			started -= counted;
		}
	}
	c->next = next;
	p->random = random;
	row_add_active(p->counting.row, started);
}

/* In runs up to the next look at what others counted. */
static size_t p2c_burst(struct lb_picker *p, const struct lb_request *r, size_t n,
			uint64_t *ret_ids)
{
	struct sweep *sweep = &((struct p2c *)p->cursor)->sweep;

	for (size_t i = 0, run; i < n; i += run) {
		if (!sweep->rest)
			look(p);
		run = n - i < sweep->rest ? n - i : sweep->rest;
		sweep->rest -= (uint32_t)run;
		start_run(p, r, run, ret_ids + i);
	}
	return n;
}

const struct usual usual_p2c = {p2c_usual, p2c_burst};

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
