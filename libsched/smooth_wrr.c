/* SPDX-License-Identifier: MIT */
/*
 * smooth-wrr: nginx's default, to the pick (5,1,1: 1 1 2 1 3 1 1). nginx lowers the weight of a server
 * that failed and raises it step by step; here that is the host's lb_server_set_weight().
 *
 * The rotation repeats itself after as many picks as all weights together have units. A cursor writes down what it
 * chooses; from the second cycle on it reads.
 */
#include "libsched/algos.h"
#include "libsched/classes.h"
#include "libsched/queue.h"
#include "libsched/smooth.h"
#include "libsched/usual.h"

size_t smooth_size(const struct lb_snapshot *s)
{
	return s->n * sizeof(struct smooth);
}

/* Who stays keeps what it gained. */
void smooth_adopt(const struct lb_snapshot *s, void *cursor, const struct lb_snapshot *old,
		  const void *old_cursor)
{
	const struct smooth *was = old_cursor;
	struct smooth *at = cursor;

	for (size_t i = 0; old && i < old->n; i++) {
		ssize_t place = lb_snapshot_find(s, old->at[i].id);

		if (place >= 0)
			at[place] = was[i];
	}
}

ssize_t smooth_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct smooth *at = cursor;
	int64_t total = 0;
	ssize_t best = -1;

	for (size_t i = 0; i < s->n; i++) {
		if (!query_eligible(q, i))
			continue;
		at[i].gained += s->at[i].weight;
		total += s->at[i].weight;
		if (best < 0 || at[i].gained > at[best].gained)
			best = (ssize_t)i;
	}
	if (best >= 0)
		at[best].gained -= total;
	return best;
}

/* ---- smooth-wrr: the same choice without looking at everyone ---- */

/*
 * As long as everybody may be chosen, all of one weight gain alike: among them the one ahead stays ahead until
 * it is chosen. So they stand in a queue, whoever was chosen goes to its end or near it, and a pick compares the
 * heads. Where servers have limits or the request excludes some, those gain nothing at that pick: then all are
 * looked at.
 *
 * What is compared is one number: what the head gained, and below it how many places come after its own. So the
 * greatest says whose it is, and no two are equal.
 */
struct head {
	int64_t key, step; /* grows by `step` at each pick */
};

/*
 * Behind the gains of all places. A gain is worth its weight times `steps` more. Followed by a head for each class,
 * one more if their number is odd, a queue_link for each place and each class, and the cycle: the places chosen, in
 * 16 bits.
 */
struct heads {
	int64_t steps;
	uint32_t at;	 /* in the cycle: what is read next, if it is whole, else written */
	uint32_t length; /* of the cycle */
	bool valid;	 /* the queues are in order */
	bool whole;	 /* the cycle is: the queues are of no use */
};

/* A cycle is kept that has no more entries than the one for each server, on average, or than the other in all. */
#define CYCLE_EACH 32
#define CYCLE_MIN 32768

#define PLACE_BITS 16
#define PLACE_MAX (LB_SERVERS_MAX - 1)
/* More counts as that: the rest of 64 bits is for the place. */
#define GAINED_MAX (INT64_C(1) << 45)

_Static_assert(LB_SERVERS_MAX == 1 << PLACE_BITS, "a key holds a place");

/* A cursor and its table, with what follows them. */
struct smooth_wrr {
	struct smooth *at;
	struct heads *h;
	struct head *head;
	struct queue_link *link; /* the queue of class k is n + k */
	const struct classes *classes;
	uint16_t *cycle;
};

static inline uint32_t even_number(uint32_t n)
{
	return n + n % 2;
}

static inline struct smooth_wrr smooth_wrr_of(const struct lb_snapshot *s, void *cursor)
{
	struct smooth_wrr w = {.at = cursor, .classes = s->table};

	w.h = (struct heads *)(w.at + s->n);
	w.head = (struct head *)(w.h + 1);
	w.link = (struct queue_link *)(w.head + even_number(w.classes->n));
	w.cycle = (uint16_t *)(w.link + s->n + w.classes->n);
	return w;
}

/* Entries of a cycle; 0: it is not kept. */
static uint32_t cycle_of(const struct lb_snapshot *s)
{
	const uint64_t most = s->n < CYCLE_MIN / CYCLE_EACH ? CYCLE_MIN : s->n * CYCLE_EACH;
	const uint64_t length = s->weight_gcd ? s->total_weight / s->weight_gcd : 0;

	return s->has_limits || length > most ? 0 : (uint32_t)length;
}

static size_t smooth_wrr_size(const struct lb_snapshot *s)
{
	const struct classes *c = s->table;

	return smooth_size(s) + sizeof(struct heads) + even_number(c->n) * sizeof(struct head) +
	       (s->n + c->n) * sizeof(struct queue_link) + cycle_of(s) * sizeof(uint16_t);
}

static int smooth_wrr_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	classes_build(s, table);
	return 0;
}

static bool is_ahead(const void *ctx, uint32_t a, uint32_t b)
{
	const struct smooth *at = ctx;

	return at[a].gained != at[b].gained ? at[a].gained > at[b].gained : a < b;
}

static inline void read_head(const struct lb_snapshot *s, const struct smooth_wrr *w, uint32_t k)
{
	const uint32_t place = queue_first(w->link, (uint32_t)s->n + k);
	const int64_t gained = w->at[place].gained + w->h->steps * s->at[place].weight;

	w->head[k].key = gained * (1 << PLACE_BITS) + (PLACE_MAX - (int64_t)place);
}

static int64_t bounded(int64_t gained)
{
	if (gained > GAINED_MAX)
		return GAINED_MAX;
	return gained < -GAINED_MAX ? -GAINED_MAX : gained;
}

/* While no steps are counted. */
static void make_queues(const struct lb_snapshot *s, const struct smooth_wrr *w)
{
	const struct classes *c = w->classes;
	const uint32_t n = (uint32_t)s->n;

	for (uint32_t k = 0; k < c->n; k++) {
		queue_init(w->link, n + k);
		w->head[k].step = (int64_t)c->weight[k] << PLACE_BITS;
	}
	if (c->n % 2)
		w->head[c->n] = (struct head){.key = INT64_MIN};
	for (uint32_t i = 0; i < n; i++) {
		w->at[i].gained = bounded(w->at[i].gained);
		if (s->at[i].weight)
			queue_append(w->link, n + c->of[i], i);
	}
	for (uint32_t k = 0; k < c->n; k++) {
		queue_sort(w->link, n + k, is_ahead, w->at);
		read_head(s, w, k);
	}
	w->h->length = cycle_of(s);
	w->h->valid = true;
}

/* What the steps are worth goes to the gains. */
static void settle(const struct lb_snapshot *s, const struct smooth_wrr *w)
{
	for (size_t i = 0; i < s->n; i++)
		w->at[i].gained += w->h->steps * s->at[i].weight;
	*w->h = (struct heads){0};
}

static void smooth_wrr_adopt(const struct lb_snapshot *s, void *cursor,
			     const struct lb_snapshot *old, const void *old_cursor)
{
	struct smooth *at = cursor;

	for (size_t i = 0; old && i < old->n; i++) {
		const struct smooth_wrr was = smooth_wrr_of(old, (void *)old_cursor); /* only read */
		ssize_t place = lb_snapshot_find(s, old->at[i].id);

		if (place >= 0)
			at[place].gained = was.at[i].gained + was.h->steps * old->at[i].weight;
	}
}

/* Everybody gains; the place of who then has most. Two at a time, so that neither waits for the other. */
static inline uint32_t gain(struct head *head, uint32_t n)
{
	int64_t most = INT64_MIN, most_too = INT64_MIN;

	for (uint32_t k = 0; k < n; k += 2) {
		const int64_t a = head[k].key + head[k].step;
		const int64_t b = head[k + 1].key + head[k + 1].step;

		head[k].key = a;
		head[k + 1].key = b;
		most = a > most ? a : most;
		most_too = b > most_too ? b : most_too;
	}
	most = most > most_too ? most : most_too;
	return PLACE_MAX - (uint32_t)(most & PLACE_MAX);
}

/* Where everybody may be chosen. */
static uint32_t rotate(const struct lb_snapshot *s, const struct smooth_wrr *w)
{
	const uint32_t place = gain(w->head, w->classes->n);
	const uint32_t k = w->classes->of[place], queue = (uint32_t)s->n + k;

	w->at[place].gained -= (int64_t)s->total_weight;
	queue_leave(w->link, queue);
	queue_join(w->link, queue, place, is_ahead, w->at);
	read_head(s, w, k);
	return place;
}

/*
 * After a cycle in which each had exactly its weight, all have gained what they had at its begin. After some edits it
 * takes a while to come to that. The queues are room to count in.
 */
static bool is_cycle(const struct lb_snapshot *s, const struct smooth_wrr *w)
{
	struct queue_link *count = w->link;

	for (size_t i = 0; i < s->n; i++)
		count[i].next = s->at[i].weight / s->weight_gcd;
	for (uint32_t i = 0; i < w->h->length; i++)
		count[w->cycle[i]].next--;
	for (size_t i = 0; i < s->n; i++)
		if (count[i].next)
			return false;
	return true;
}

/* While the cycle is not whole. */
static __attribute__((noinline)) uint32_t write_cycle(const struct lb_snapshot *s, void *cursor)
{
	const struct smooth_wrr w = smooth_wrr_of(s, cursor);
	uint32_t place;

	if (!w.h->valid)
		make_queues(s, &w);
	w.h->steps++;
	place = rotate(s, &w);
	if (!w.h->length)
		return place;
	w.cycle[w.h->at++] = (uint16_t)place;
	if (w.h->at < w.h->length)
		return place;
	w.h->at = 0;
	w.h->whole = is_cycle(s, &w);
	if (!w.h->whole)
		settle(s, &w);
	return place;
}

static inline ssize_t take_turn(const struct lb_snapshot *s, void *cursor)
{
	const struct smooth_wrr w = smooth_wrr_of(s, cursor);
	uint32_t place;

	if (__builtin_expect(!w.h->whole, 0))
		return write_cycle(s, cursor);
	place = w.cycle[w.h->at];
	w.h->at = w.h->at + 1 < w.h->length ? w.h->at + 1 : 0;
	w.h->steps++;
	w.at[place].gained -= (int64_t)s->total_weight;
	return place;
}

static ssize_t smooth_wrr_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	const struct smooth_wrr w = smooth_wrr_of(s, cursor);

	if (!s->has_limits && !q->request->n_exclude)
		return take_turn(s, cursor);
	if (w.h->valid || w.h->whole)
		settle(s, &w);
	return smooth_pick(s, w.at, q);
}

HOT bool smooth_wrr_one(const struct lb_query *q, void *cursor, struct ledger_row *row,
			uint64_t *ret_id)
{
	return usual_end(q, cursor, row, take_turn(q->snap, cursor), NULL, ret_id);
}

USUAL(smooth_wrr)

const struct lb_algo algo_smooth_wrr = {
    .size = sizeof(algo_smooth_wrr),
    .name = "smooth-wrr",
    .table_size = classes_size,
    .build = smooth_wrr_build,
    .cursor_size = smooth_wrr_size,
    .adopt = smooth_wrr_adopt,
    .pick = smooth_wrr_pick,
};
