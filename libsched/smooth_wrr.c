/* SPDX-License-Identifier: MIT */
/*
 * smooth-wrr and least_conn: nginx's, to the pick (5,1,1: 1 1 2 1 3 1 1). nginx lowers the weight of a server
 * that failed and raises it step by step; here that is the host's lb_server_set_weight().
 */
#include <errno.h>
#include <stdlib.h>

#include "libsched/algos.h"
#include "libsched/smooth.h"

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
 * it is chosen. So each weight is a class with a heap, and a pick compares the heads. Where servers have
 * limits or the request excludes some, those gain nothing at that pick: then all are looked at.
 */
struct class
{
	uint32_t weight, begin, end; /* of the heap's places */
};

struct classes {
	uint32_t n;
	bool limited; /* somebody has a maxconn */
	struct class at[];
};

/* Behind the gains of all places. A gain is worth its weight times `steps` more. */
struct heads {
	int64_t steps;
	bool valid; /* the heaps are heaps */
	uint32_t heap[];
};

static struct heads *heads_of(const struct lb_snapshot *s, void *cursor)
{
	return (struct heads *)((struct smooth *)cursor + s->n);
}

static int by_weight(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static size_t classes_size(const struct lb_snapshot *s)
{
	return sizeof(struct classes) + s->n * sizeof(struct class);
}

static int classes_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct classes *c = table;
	uint32_t *weight = mem_array(s->n + 1, sizeof(*weight)), n = 0;

	(void)old;
	if (!weight)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		c->limited |= s->at[i].maxconn != 0;
		if (s->at[i].weight)
			weight[n++] = s->at[i].weight;
	}
	qsort(weight, n, sizeof(*weight), by_weight);
	for (uint32_t i = 0; i < n; i++) {
		if (!i || weight[i] != weight[i - 1])
			c->at[c->n++] = (struct class){weight[i], i, i};
		c->at[c->n - 1].end++;
	}
	mem_free(weight);
	return 0;
}

static bool is_ahead(const struct smooth *at, uint32_t a, uint32_t b)
{
	return at[a].gained != at[b].gained ? at[a].gained > at[b].gained : a < b;
}

static void sink(const struct smooth *at, uint32_t *heap, uint32_t n, uint32_t i)
{
	const uint32_t place = heap[i];

	for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && is_ahead(at, heap[child + 1], heap[child]))
			child++;
		if (!is_ahead(at, heap[child], place))
			break;
		heap[i] = heap[child];
	}
	heap[i] = place;
}

static const struct class *class_of(const struct classes *c, uint32_t weight)
{
	uint32_t low = 0, high = c->n - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (c->at[middle].weight < weight)
			low = middle + 1;
		else
			high = middle;
	}
	return &c->at[low];
}

static void make_heaps(const struct lb_snapshot *s, const struct smooth *at, struct heads *h)
{
	const struct classes *c = s->table;

	for (uint32_t k = 0; k < c->n; k++) /* the first free place of each, for now */
		h->heap[s->n + k] = c->at[k].begin;
	for (uint32_t i = 0; i < s->n; i++)
		if (s->at[i].weight)
			h->heap[h->heap[s->n + (class_of(c, s->at[i].weight) - c->at)]++] = i;
	for (uint32_t k = 0; k < c->n; k++)
		for (uint32_t n = c->at[k].end - c->at[k].begin, i = n / 2; i-- > 0;)
			sink(at, h->heap + c->at[k].begin, n, i);
	h->valid = true;
}

/* What the steps are worth goes to the gains. */
static void settle(const struct lb_snapshot *s, struct smooth *at, struct heads *h)
{
	for (size_t i = 0; i < s->n; i++)
		at[i].gained += h->steps * s->at[i].weight;
	h->steps = 0;
	h->valid = false;
}

static size_t smooth_wrr_size(const struct lb_snapshot *s)
{
	return smooth_size(s) + sizeof(struct heads) + 2 * s->n * sizeof(uint32_t);
}

static void smooth_wrr_adopt(const struct lb_snapshot *s, void *cursor,
			     const struct lb_snapshot *old, const void *old_cursor)
{
	const struct smooth *was = old_cursor;
	struct smooth *at = cursor;

	for (size_t i = 0; old && i < old->n; i++) {
		ssize_t place = lb_snapshot_find(s, old->at[i].id);
		int64_t steps = heads_of(old, (void *)old_cursor)->steps; /* only read */

		if (place >= 0)
			at[place].gained = was[i].gained + steps * old->at[i].weight;
	}
}

static ssize_t smooth_wrr_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct heads *h = heads_of(s, cursor);
	const struct classes *c = s->table;
	const struct class *class = NULL;
	struct smooth *at = cursor;
	int64_t most = 0;
	uint32_t best = 0;

	if (c->limited || q->request->n_exclude) {
		if (h->valid)
			settle(s, at, h);
		return smooth_pick(s, at, q);
	}
	if (!h->valid)
		make_heaps(s, at, h);
	h->steps++;
	for (uint32_t k = 0; k < c->n; k++) {
		uint32_t head = h->heap[c->at[k].begin];
		int64_t gained = at[head].gained + h->steps * c->at[k].weight;

		if (class && (gained < most || (gained == most && head > best)))
			continue;
		class = &c->at[k];
		most = gained;
		best = head;
	}
	at[best].gained -= (int64_t)s->total_weight;
	sink(at, h->heap + class->begin, class->end - class->begin, 0);
	return best;
}

const struct lb_algo algo_smooth_wrr = {
    .size = sizeof(algo_smooth_wrr),
    .name = "smooth-wrr",
    .table_size = classes_size,
    .build = classes_build,
    .cursor_size = smooth_wrr_size,
    .adopt = smooth_wrr_adopt,
    .pick = smooth_wrr_pick,
};

/* ---- least_conn ---- */

/* Connections for a weight; compared by cross products. */
struct ratio {
	uint64_t active, weight;
};

static struct ratio ratio_of(const struct lb_snapshot *s, size_t place)
{
	return (struct ratio){snap_count(s, place, LB_COUNTER_ACTIVE), s->at[place].weight};
}

static bool is_less(struct ratio a, struct ratio b)
{
	return a.active * b.weight < b.active * a.weight;
}

static bool is_equal(struct ratio a, struct ratio b)
{
	return a.active * b.weight == b.active * a.weight;
}

/* Among those as good as the first of the best: one step of the smooth rotation, of them alone. */
static ssize_t smooth_among(const struct lb_snapshot *s, struct smooth *at,
			    const struct lb_query *q, size_t first, struct ratio best)
{
	int64_t total = 0;
	size_t chosen = first;

	for (size_t i = first; i < s->n; i++) {
		if (!query_eligible(q, i) || !is_equal(ratio_of(s, i), best))
			continue;
		at[i].gained += s->at[i].weight;
		total += s->at[i].weight;
		if (at[i].gained > at[chosen].gained)
			chosen = i;
	}
	at[chosen].gained -= total;
	return (ssize_t)chosen;
}

static ssize_t least_conn_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct ratio best = {0, 0};
	ssize_t first = -1;
	bool many = false;

	for (size_t i = 0; i < s->n; i++) {
		struct ratio mine;

		if (!query_eligible(q, i))
			continue;
		mine = ratio_of(s, i);
		if (first < 0 || is_less(mine, best)) {
			first = (ssize_t)i;
			best = mine;
			many = false;
		} else {
			many |= is_equal(mine, best);
		}
	}
	return many ? smooth_among(s, cursor, q, (size_t)first, best) : first;
}

static bool least_conn_score(const struct lb_snapshot *s, const void *cursor,
			     const struct lb_query *q, size_t place, double *ret)
{
	(void)cursor;
	(void)q;
	*ret = (double)snap_count(s, place, LB_COUNTER_ACTIVE) / s->at[place].weight;
	return true;
}

const struct lb_algo algo_least_conn = {
    .size = sizeof(algo_least_conn),
    .name = "least_conn",
    .cursor_size = smooth_size,
    .adopt = smooth_adopt,
    .pick = least_conn_pick,
    .score = least_conn_score,
};
