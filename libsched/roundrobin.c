/* SPDX-License-Identifier: MIT */
/*
 * roundrobin: weighted round robin in HAProxy's order (weights 3,2,1: 1 2 1 3 1 2).
 *
 * Time is counted in picks. A window is as long as the sum of the weights, in sixteenths as HAProxy
 * counts them. A server is due every total/weight picks; what the division leaves over is carried.
 * In each window the servers not yet seen wait, heaviest first, for a pick at which nobody is due; then
 * they have their place. A server whose next turn lies beyond the window waits for the next one; with
 * some weights it loses a pick by that (5,2,5,4,2: 1 % of its share), in HAProxy too. Cost O(log n); full servers use up their turn and are passed over.
 *
 * A commit keeps everybody's place; a weight that grew brings the next turn forward; newcomers wait
 * among those not yet seen.
 */
#include "libsched/algos.h"
#include "libsched/edf.h"
#include "libsched/snapshot.h"

#define WEIGHT_UNIT 16
#define NO_PLACE SIZE_MAX

/* Which heap a server is in. HERE: it has a place in this window. */
enum where { HERE, UNSEEN, NEXT };

struct rr_server {
	uint64_t last, due; /* the pick it had, the pick it wants */
	uint64_t carry;	    /* remainder of total/weight not yet given */
	size_t skipped;	    /* the one passed over before it, in this pick */
};

struct rr_heap {
	size_t n;
	size_t at; /* the index of its first entry */
};

struct rr_cursor {
	uint64_t now, window; /* `now` runs from window to 2 * window */
	uint64_t order;
	struct rr_heap heap[3]; /* by enum where; UNSEEN and NEXT swap */
};

/* A cursor is followed by one rr_server a place and three times as many heap entries. */
static struct rr_server *servers_of(struct rr_cursor *c)
{
	return (struct rr_server *)(c + 1);
}

static struct edf_entry *entries_of(struct rr_cursor *c, size_t n, enum where w)
{
	return (struct edf_entry *)(servers_of(c) + n) + c->heap[w].at;
}

static uint64_t weight_of(const struct lb_snapshot *s, size_t place)
{
	return (uint64_t)s->at[place].weight * WEIGHT_UNIT;
}

static uint64_t total_of(const struct lb_snapshot *s)
{
	return s->total_weight * WEIGHT_UNIT;
}

static void put(const struct lb_snapshot *s, struct rr_cursor *c, size_t place, enum where w,
		uint64_t order)
{
	const struct rr_server *server = &servers_of(c)[place];
	uint64_t weight = weight_of(s, place), heaviest = (uint64_t)LB_WEIGHT_MAX * WEIGHT_UNIT;
	struct edf_entry e = {.order = order, .place = place};

	if (w == HERE) /* the earliest turn, then the heaviest, roughly */
		e.key = server->due << 17 | (heaviest + server->carry - weight) / WEIGHT_UNIT;
	else
		e.key = heaviest - weight;
	edf_push(entries_of(c, s->n, w), &c->heap[w].n, e);
}

/* Takes out whoever's turn it is: the one due, else one not yet seen, else the next to be due. */
static size_t take(const struct lb_snapshot *s, struct rr_cursor *c)
{
	struct edf_entry *here = entries_of(c, s->n, HERE), *unseen = entries_of(c, s->n, UNSEEN);
	size_t *n_here = &c->heap[HERE].n, *n_unseen = &c->heap[UNSEEN].n;
	size_t place;

	if (*n_here && (!*n_unseen || servers_of(c)[here[0].place].due <= c->now))
		return edf_pop(here, n_here).place;
	if (!*n_unseen)
		return NO_PLACE;
	place = edf_pop(unseen, n_unseen).place;
	servers_of(c)[place].due = c->now;
	servers_of(c)[place].carry = 0;
	return place;
}

/* The turn was had: when is the next? */
static void advance(const struct lb_snapshot *s, struct rr_cursor *c, size_t place)
{
	struct rr_server *server = &servers_of(c)[place];
	uint64_t weight = weight_of(s, place);

	server->last = server->due;
	server->due += total_of(s) / weight;
	server->carry += total_of(s) % weight;
	if (server->carry >= weight) {
		server->carry -= weight;
		server->due++;
	}
	c->now++;
}

/* Back into a heap after its turn. */
static void put_back(const struct lb_snapshot *s, struct rr_cursor *c, size_t place)
{
	uint64_t due = servers_of(c)[place].due;
	bool beyond = due >= 2 * c->window || due >= c->window + total_of(s);

	put(s, c, place, beyond ? NEXT : HERE, c->order++);
}

static void next_window(const struct lb_snapshot *s, struct rr_cursor *c)
{
	const struct rr_heap unseen = c->heap[UNSEEN];

	c->heap[UNSEEN] = c->heap[NEXT];
	c->heap[NEXT] = unseen;
	c->window = c->now = total_of(s);
}

static ssize_t roundrobin_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct rr_cursor *c = cursor;
	size_t place, skipped = NO_PLACE;
	bool swapped = false;

	for (;;) { /* each server is taken once at most */
		place = take(s, c);
		if (place == NO_PLACE && !swapped) {
			next_window(s, c);
			swapped = true;
			continue;
		}
		if (place == NO_PLACE)
			break;
		advance(s, c, place);
		if (query_eligible(q, place)) {
			put_back(s, c, place);
			break;
		}
		servers_of(c)[place].skipped = skipped;
		skipped = place;
	}
	while (skipped != NO_PLACE) {
		size_t before = servers_of(c)[skipped].skipped;

		put_back(s, c, skipped);
		skipped = before;
	}
	return place == NO_PLACE ? -1 : (ssize_t)place;
}

/* ---- Coming over to a snapshot ---- */

static size_t roundrobin_cursor_size(const struct lb_snapshot *s)
{
	return sizeof(struct rr_cursor) +
	       s->n * (sizeof(struct rr_server) + 3 * sizeof(struct edf_entry));
}

/* One who was in the old snapshot: the same place, or an earlier one when the weight grew. */
static void carry_over(const struct lb_snapshot *s, struct rr_cursor *c, size_t place,
		       const struct rr_server *was, enum where w, uint64_t order)
{
	struct rr_server *server = &servers_of(c)[place];
	uint64_t step = total_of(s) / weight_of(s, place);

	*server = *was;
	if (w == HERE) {
		if (server->last + step < server->due) /* sooner, but nothing to catch up on */
			server->due = server->last + step > c->now ? server->last + step : c->now;
		if (server->carry >= weight_of(s, place))
			server->carry = 0;
	}
	put(s, c, place, w, order);
}

/* Everyone who was in one of the old heaps goes into the same one here, in the same order. */
static void carry_over_all(const struct lb_snapshot *s, struct rr_cursor *c,
			   const struct lb_snapshot *old, struct rr_cursor *was)
{
	for (enum where w = HERE; w <= NEXT; w++) {
		for (size_t i = 0; i < was->heap[w].n; i++) {
			const struct edf_entry *e = &entries_of(was, old->n, w)[i];
			ssize_t place = lb_snapshot_find(s, old->at[e->place].id);

			if (place >= 0 && s->at[place].weight)
				carry_over(s, c, (size_t)place, &servers_of(was)[e->place], w,
					   e->order);
		}
	}
}

static bool was_there(const struct lb_snapshot *old, uint64_t id)
{
	ssize_t place = old ? lb_snapshot_find(old, id) : -1;

	return place >= 0 && old->at[place].weight;
}

static void roundrobin_adopt(const struct lb_snapshot *s, void *cursor,
			     const struct lb_snapshot *old, const void *old_cursor)
{
	struct rr_cursor *c = cursor, *was = (struct rr_cursor *)old_cursor; /* only read */

	for (size_t w = 0; w < 3; w++)
		c->heap[w].at = w * s->n;
	if (old) {
		c->now = was->now;
		c->window = was->window;
		c->order = was->order;
		carry_over_all(s, c, old, was);
	}
	if (c->now == c->window) /* nothing picked yet: the window starts with these weights */
		c->window = c->now = total_of(s);
	for (size_t i = 0; i < s->n; i++)
		if (s->at[i].weight && !was_there(old, s->at[i].id))
			put(s, c, i, UNSEEN, c->order++);
}

const struct lb_algo algo_roundrobin = {
    .size = sizeof(algo_roundrobin),
    .name = "roundrobin",
    .cursor_size = roundrobin_cursor_size,
    .adopt = roundrobin_adopt,
    .pick = roundrobin_pick,
};
