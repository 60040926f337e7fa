/* SPDX-License-Identifier: MIT */
/*
 * roundrobin: weighted round robin in HAProxy's order (weights 3,2,1: 1 2 1 3 1 2).
 *
 * Time is counted in picks. A window is as long as the sum of the weights, in sixteenths as HAProxy
 * counts them. A server is due every total/weight picks; what the division leaves over is carried.
 * In each window the servers not yet seen wait, heaviest first, for a pick at which nobody is due; then
 * they have their place. A server whose next turn lies beyond the window waits for the next one; with
 * some weights it loses a pick by that (5,2,5,4,2: 1 % of its share), in HAProxy too. Full servers use up
 * their turn and are passed over.
 *
 * Where HAProxy keeps trees of servers, here those of one weight stand in a queue: whoever had his turn goes to
 * its end, or near it, as all of them take the same step. A tournament tells which queue's head is due
 * first. So a pick costs O(log) of the different weights, however many servers there are.
 *
 * A commit keeps everybody's place; a weight that grew brings the next turn forward; newcomers wait
 * among those not yet seen.
 */
#include "libsched/algos.h"
#include "libsched/usual.h"
#include "libsched/classes.h"
#include "libsched/queue.h"

#define WEIGHT_UNIT 16
#define NOBODY UINT32_MAX

/* Which queue of its class a server is in. HERE: it has a place in this window. */
enum where { HERE, UNSEEN, NEXT, QUEUES };

/* Who is before whom in a queue: the pick it is due at and then the heaviest, roughly; then who came first. */
struct rank {
	uint64_t key, order;
};

struct rr_server {
	uint64_t last, due;  /* the pick it had, the pick it wants */
	uint64_t order;	     /* when it joined its queue */
	uint32_t carry;	     /* remainder of total/weight not yet given */
	uint32_t passed;     /* the one passed over before it, in this pick */
};

struct rr_class {
	struct rank head;	    /* of the queue HERE */
	struct queue queue[QUEUES]; /* UNSEEN and NEXT swap names: see queue_of() */
};

struct rr_cursor {
	uint64_t now, window; /* `now` runs from window to 2 * window */
	uint64_t order;
	uint32_t n_unseen, n_next;
	uint32_t heaviest_unseen; /* no class above it has anyone */
	bool swapped;		  /* UNSEEN is NEXT and NEXT is UNSEEN */
				  /* Followed by what struct rr points to. */
};

/* What the division gives for each class; behind the classes in the table. */
struct rr_step {
	uint64_t whole;
	uint32_t weight, rest; /* in units */
};

/* A cursor and its table, with what follows them. */
struct rr {
	struct rr_cursor *c;
	struct rr_server *server; /* of each place */
	struct queue_link *link;
	struct rr_class *class;
	uint32_t *winner; /* node i is the better of 2i and 2i + 1; the root is 1, class k is n + k */
	const struct classes *classes;
	const struct rr_step *step;
};

/* ---- The table ---- */

static uint64_t total_of(const struct lb_snapshot *s)
{
	return s->total_weight * WEIGHT_UNIT;
}

static size_t steps_at(const struct lb_snapshot *s)
{
	return (classes_size(s) + sizeof(uint64_t) - 1) / sizeof(uint64_t) * sizeof(uint64_t);
}

static size_t roundrobin_table_size(const struct lb_snapshot *s)
{
	return steps_at(s) + s->n * sizeof(struct rr_step);
}

static int roundrobin_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct rr_step *step = (struct rr_step *)((char *)table + steps_at(s));
	struct classes *c = table;

	(void)old;
	classes_build(s, c);
	for (uint32_t k = 0; k < c->n; k++) {
		const uint32_t weight = c->weight[k] * WEIGHT_UNIT;

		step[k] = (struct rr_step){total_of(s) / weight, weight,
					   (uint32_t)(total_of(s) % weight)};
	}
	return 0;
}

static size_t roundrobin_cursor_size(const struct lb_snapshot *s)
{
	const size_t n_classes = ((const struct classes *)s->table)->n;

	return sizeof(struct rr_cursor) +
	       s->n * (sizeof(struct rr_server) + sizeof(struct queue_link)) +
	       n_classes * (sizeof(struct rr_class) + 2 * sizeof(uint32_t));
}

static struct rr rr_of(const struct lb_snapshot *s, void *cursor)
{
	struct rr rr = {.c = cursor, .classes = s->table};

	rr.server = (struct rr_server *)(rr.c + 1);
	rr.link = (struct queue_link *)(rr.server + s->n);
	rr.class = (struct rr_class *)(rr.link + s->n);
	rr.winner = (uint32_t *)(rr.class + rr.classes->n);
	rr.step = (const struct rr_step *)((const char *)s->table + steps_at(s));
	return rr;
}

/* ---- Queues ---- */

static struct queue *queue_of(const struct rr *rr, uint32_t k, enum where w)
{
	if (w != HERE && rr->c->swapped)
		w = w == UNSEEN ? NEXT : UNSEEN;
	return &rr->class[k].queue[w];
}

static inline bool is_before(struct rank a, struct rank b)
{
	/* Both are looked at, so that there is no branch to be guessed. */
	return (a.key < b.key) | ((a.key == b.key) & (a.order < b.order));
}

/* Of one HERE. */
static struct rank rank_of(const struct rr_server *server, const struct rr_step *step)
{
	const uint64_t heaviest = (uint64_t)LB_WEIGHT_MAX * WEIGHT_UNIT;

	return (struct rank){server->due << 17 |
				 (heaviest + server->carry - step->weight) / WEIGHT_UNIT,
			     server->order};
}

/* Of one weight, HERE: all take the same step, so whoever had his turn is the last, or nearly. */
static bool due_before(const void *ctx, uint32_t a, uint32_t b)
{
	const struct rr *rr = ctx;
	const struct rr_step *step = &rr->step[rr->classes->of[a]];

	return is_before(rank_of(&rr->server[a], step), rank_of(&rr->server[b], step));
}

static bool came_before(const void *ctx, uint32_t a, uint32_t b)
{
	const struct rr *rr = ctx;

	return rr->server[a].order < rr->server[b].order;
}

static uint32_t leave(struct rr *rr, uint32_t k, enum where w)
{
	rr->c->n_unseen -= w == UNSEEN;
	return queue_leave(queue_of(rr, k, w), rr->link);
}

/* ---- The tournament of the heads ---- */

static void read_head(struct rr *rr, uint32_t k)
{
	const uint32_t first = rr->class[k].queue[HERE].first;

	rr->class[k].head = first == QUEUE_END ? (struct rank){UINT64_MAX, UINT64_MAX}
					       : rank_of(&rr->server[first], &rr->step[k]);
}

/* The head of the class is another: its matches are played anew. */
static void play(struct rr *rr, uint32_t k)
{
	struct rank best;
	uint32_t winner = k;

	read_head(rr, k);
	best = rr->class[k].head;
	for (uint32_t i = rr->classes->n + k; i > 1; i /= 2) {
		const uint32_t other = rr->winner[i ^ 1];
		const struct rank rank = rr->class[other].head;
		const bool lost = is_before(rank, best);

		winner = lost ? other : winner;
		best.key = lost ? rank.key : best.key;
		best.order = lost ? rank.order : best.order;
		rr->winner[i / 2] = winner;
	}
}

static void play_all(struct rr *rr)
{
	const uint32_t n = rr->classes->n;

	for (uint32_t k = 0; k < n; k++) {
		rr->winner[n + k] = k;
		read_head(rr, k);
	}
	for (uint32_t i = n; i-- > 1;) {
		const uint32_t a = rr->winner[2 * i], b = rr->winner[2 * i + 1];

		rr->winner[i] = is_before(rr->class[b].head, rr->class[a].head) ? b : a;
	}
}

/* ---- A pick ---- */

/* Takes out whoever's turn it is: the one due, else one not yet seen, else the next to be due. */
static uint32_t take(struct rr *rr, uint32_t *ret_class)
{
	struct rr_cursor *c = rr->c;
	const uint32_t k = rr->winner[1];
	uint32_t place;

	if (rr->class[k].head.key != UINT64_MAX &&
	    (!c->n_unseen || rr->class[k].head.key >> 17 <= c->now)) {
		*ret_class = k;
		return leave(rr, k, HERE);
	}
	if (!c->n_unseen)
		return NOBODY;
	while (queue_empty(queue_of(rr, c->heaviest_unseen, UNSEEN)))
		c->heaviest_unseen--;
	*ret_class = c->heaviest_unseen;
	place = leave(rr, *ret_class, UNSEEN);
	rr->server[place].due = c->now;
	rr->server[place].carry = 0;
	return place;
}

/* The turn was had: when is the next? */
static void advance(struct rr *rr, uint32_t place, uint32_t k)
{
	struct rr_server *server = &rr->server[place];
	const struct rr_step *step = &rr->step[k];

	server->last = server->due;
	server->due += step->whole;
	server->carry += step->rest;
	if (server->carry >= step->weight) {
		server->carry -= step->weight;
		server->due++;
	}
	rr->c->now++;
}

/* Back in a queue after its turn. */
static void put_back(const struct lb_snapshot *s, struct rr *rr, uint32_t place, uint32_t k)
{
	const uint64_t due = rr->server[place].due;
	const bool beyond = due >= 2 * rr->c->window || due >= rr->c->window + total_of(s);

	rr->server[place].order = rr->c->order++;
	if (!beyond) {
		queue_join(&rr->class[k].queue[HERE], rr->link, place, due_before, rr);
		return;
	}
	queue_append(queue_of(rr, k, NEXT), rr->link, place);
	rr->c->n_next++;
}

static void next_window(const struct lb_snapshot *s, struct rr *rr)
{
	struct rr_cursor *c = rr->c;

	c->swapped = !c->swapped;
	c->n_unseen = c->n_next;
	c->n_next = 0;
	c->heaviest_unseen = rr->classes->n - 1;
	c->window = c->now = total_of(s);
}

static ssize_t roundrobin_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct rr rr = rr_of(s, cursor);
	uint32_t place, k, skipped = NOBODY;
	bool swapped = false;

	for (;;) { /* each server is taken once at most */
		place = take(&rr, &k);
		if (place == NOBODY && !swapped) {
			next_window(s, &rr);
			swapped = true;
			continue;
		}
		if (place == NOBODY)
			break;
		advance(&rr, place, k);
		if (query_eligible(q, place)) {
			put_back(s, &rr, place, k);
			play(&rr, k);
			break;
		}
		play(&rr, k);
		rr.server[place].passed = skipped;
		skipped = place;
	}
	while (skipped != NOBODY) {
		const uint32_t before = rr.server[skipped].passed;

		k = rr.classes->of[skipped];
		put_back(s, &rr, skipped, k);
		play(&rr, k);
		skipped = before;
	}
	return place == NOBODY ? -1 : (ssize_t)place;
}

/* ---- Coming over to a snapshot ---- */

/* One who was in the old snapshot: the same place, or an earlier one when the weight grew. */
static void carry_over(struct rr *rr, uint32_t place, const struct rr_server *was, enum where w)
{
	struct rr_server *server = &rr->server[place];
	const uint32_t k = rr->classes->of[place];
	const uint64_t step = rr->step[k].whole;

	*server = *was;
	if (w == HERE) {
		if (server->last + step < server->due) /* sooner, but nothing to catch up on */
			server->due = server->last + step > rr->c->now ? server->last + step
								       : rr->c->now;
		if (server->carry >= rr->step[k].weight)
			server->carry = 0;
	}
	queue_append(queue_of(rr, k, w), rr->link, place);
	rr->c->n_unseen += w == UNSEEN;
	rr->c->n_next += w == NEXT;
}

/* Everyone who was in one of the old queues goes into one of the same kind here. */
static void carry_over_all(const struct lb_snapshot *s, struct rr *rr, const struct lb_snapshot *old,
			   const struct rr *was)
{
	for (enum where w = HERE; w < QUEUES; w++) {
		for (uint32_t k = 0; k < was->classes->n; k++) {
			uint32_t i = queue_of(was, k, w)->first;

			for (; i != QUEUE_END; i = was->link[i].next) {
				ssize_t place = lb_snapshot_find(s, old->at[i].id);

				if (place >= 0 && s->at[place].weight)
					carry_over(rr, (uint32_t)place, &was->server[i], w);
			}
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
	struct rr rr = rr_of(s, cursor);
	struct rr_cursor *c = rr.c;

	for (uint32_t k = 0; k < rr.classes->n; k++)
		for (enum where w = HERE; w < QUEUES; w++)
			queue_init(&rr.class[k].queue[w]);
	if (old) {
		const struct rr was = rr_of(old, (void *)old_cursor); /* only read */

		c->now = was.c->now;
		c->window = was.c->window;
		c->order = was.c->order;
		carry_over_all(s, &rr, old, &was);
	}
	if (c->now == c->window) /* nothing picked yet: the window starts with these weights */
		c->window = c->now = total_of(s);
	for (uint32_t i = 0; i < s->n; i++) {
		if (!s->at[i].weight || was_there(old, s->at[i].id))
			continue;
		rr.server[i].order = c->order++;
		queue_append(queue_of(&rr, rr.classes->of[i], UNSEEN), rr.link, i);
		c->n_unseen++;
	}
	if (!rr.classes->n)
		return;
	for (uint32_t k = 0; k < rr.classes->n; k++)
		for (enum where w = HERE; w < QUEUES; w++)
			queue_sort(queue_of(&rr, k, w), rr.link,
				   w == HERE ? due_before : came_before, &rr);
	c->heaviest_unseen = rr.classes->n - 1;
	play_all(&rr);
}

USUAL_PICK(roundrobin, roundrobin_pick, NULL)

const struct lb_algo algo_roundrobin = {
    .size = sizeof(algo_roundrobin),
    .name = "roundrobin",
    .table_size = roundrobin_table_size,
    .build = roundrobin_build,
    .cursor_size = roundrobin_cursor_size,
    .adopt = roundrobin_adopt,
    .pick = roundrobin_pick,
};
