/* SPDX-License-Identifier: MIT */
/*
 * smooth-wrr: nginx's default, to the pick (5,1,1: 1 1 2 1 3 1 1). nginx lowers the weight of a server
 * that failed and raises it step by step; here that is the host's lb_server_set_weight().
 */
#include "libsched/algos.h"
#include "libsched/usual.h"
#include "libsched/classes.h"
#include "libsched/queue.h"
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
 * it is chosen. So they stand in a queue, whoever was chosen goes to its end or near it, and a pick compares the
 * heads. Where servers have limits or the request excludes some, those gain nothing at that pick: then all are
 * looked at.
 */
struct head {
	int64_t gained; /* by the first */
	struct queue queue;
};

/* Behind the gains of all places. A gain is worth its weight times `steps` more. */
struct heads {
	int64_t steps;
	bool valid;	  /* the queues are in order */
	struct head at[]; /* of each class; and behind them a queue_link for each place */
};

static struct heads *heads_of(const struct lb_snapshot *s, void *cursor)
{
	return (struct heads *)((struct smooth *)cursor + s->n);
}

static struct queue_link *links_of(const struct lb_snapshot *s, struct heads *h)
{
	return (struct queue_link *)(h->at + ((const struct classes *)s->table)->n);
}

static size_t smooth_wrr_size(const struct lb_snapshot *s)
{
	return smooth_size(s) + sizeof(struct heads) + s->n * sizeof(struct queue_link) +
	       ((const struct classes *)s->table)->n * sizeof(struct head);
}

static int smooth_wrr_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	(void)old;
	classes_build(s, table);
	return 0;
}

static bool is_ahead(const void *ctx, uint32_t a, uint32_t b)
{
	const struct smooth *at = ctx;

	return at[a].gained != at[b].gained ? at[a].gained > at[b].gained : a < b;
}

static void make_queues(const struct lb_snapshot *s, const struct smooth *at, struct heads *h)
{
	const struct classes *c = s->table;
	struct queue_link *link = links_of(s, h);

	for (uint32_t k = 0; k < c->n; k++)
		queue_init(&h->at[k].queue);
	for (uint32_t i = 0; i < s->n; i++)
		if (s->at[i].weight)
			queue_append(&h->at[c->of[i]].queue, link, i);
	for (uint32_t k = 0; k < c->n; k++) {
		queue_sort(&h->at[k].queue, link, is_ahead, at);
		h->at[k].gained = at[h->at[k].queue.first].gained;
	}
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

/* The class whose head has most, of equals the one whose head comes first in the list. */
static uint32_t class_with_most(const struct classes *c, const struct heads *h)
{
	int64_t most = INT64_MIN;
	uint32_t best = 0, class = 0;

	for (uint32_t k = 0; k < c->n; k++) {
		const int64_t gained = h->at[k].gained + h->steps * c->weight[k];
		const uint32_t head = h->at[k].queue.first;
		const bool more = (gained > most) | ((gained == most) & (head < best));

		most = more ? gained : most;
		best = more ? head : best;
		class = more ? k : class;
	}
	return class;
}

static ssize_t smooth_wrr_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct heads *h = heads_of(s, cursor);
	struct smooth *at = cursor;
	struct head *head;
	uint32_t place;

	if (s->has_limits || q->request->n_exclude) {
		if (h->valid)
			settle(s, at, h);
		return smooth_pick(s, at, q);
	}
	if (!h->valid)
		make_queues(s, at, h);
	h->steps++;
	head = &h->at[class_with_most(s->table, h)];
	place = queue_leave(&head->queue, links_of(s, h));
	at[place].gained -= (int64_t)s->total_weight;
	queue_join(&head->queue, links_of(s, h), place, is_ahead, at);
	head->gained = at[head->queue.first].gained;
	return place;
}

USUAL_PICK(smooth_wrr, smooth_wrr_pick, NULL)

const struct lb_algo algo_smooth_wrr = {
    .size = sizeof(algo_smooth_wrr),
    .name = "smooth-wrr",
    .table_size = classes_size,
    .build = smooth_wrr_build,
    .cursor_size = smooth_wrr_size,
    .adopt = smooth_wrr_adopt,
    .pick = smooth_wrr_pick,
};
