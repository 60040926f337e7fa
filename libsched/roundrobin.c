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
#include "libsched/classes.h"
#include "libsched/either.h"
#include "libsched/queue.h"
#include "libsched/usual.h"

#define WEIGHT_UNIT 16
#define NOBODY UINT32_MAX

/* Which queue of its class a server is in. HERE: it has a place in this window. UNSEEN and NEXT swap names. */
enum where { HERE, UNSEEN, NEXT, QUEUES };

/*
 * A key is the pick a server wants and below it, in LIGHT_BITS, how light it is: HEAVIEST + carry - weight, in units,
 * where the carry is what is left over of total/weight and not yet given. So a step is one addition (next_key()). Who is
 * before whom: the lesser key but for its last bits, as HAProxy compares whole weights; then who came first.
 */
#define LIGHT_BITS 21
#define HEAVIEST (UINT64_C(1) << 20) /* above all weights: a carry of a whole one is a bit */
#define KEY_NONE UINT64_MAX

/* Of each number. */
struct rr_server {
	uint64_t key;
	uint64_t order;	 /* when it joined its queue, above CLASS_BITS */
	uint64_t last;	 /* the key it had at its last turn */
	uint32_t passed; /* the one passed over before it, in this pick */
};

/*
 * Servers have numbers, by class and then by place: so those that follow each other in a queue are neighbours in
 * memory, however many there are.
 */
struct rr_member {
	uint64_t id;
	uint32_t slot;
	uint16_t place, of_class;
};

_Static_assert(LB_SERVERS_MAX <= UINT16_MAX + 1, "places and classes are 16 bits");

/*
 * What the tournament compares: the key, who joined first, and then the class, so that the least says whose it is and
 * no two are equal.
 */
typedef uint128 rr_rank;

#define RANK_EMPTY (~(rr_rank)0)
#define CLASS_BITS 16

struct rr_cursor {
	_Alignas(LINE_BYTES) uint64_t now, window; /* `now` runs from window to 2 * window */
	uint64_t end;				   /* keys from here on wait for the next window */
	uint64_t order;
	uint32_t n_unseen, n_next;
	uint32_t heaviest_unseen; /* no class above it has anyone */
	bool swapped;		  /* UNSEEN is NEXT and NEXT is UNSEEN */
				  /* Followed by what struct rr points to, the nodes first. */
};

/* From one turn to the next, for each class, as keys. */
struct rr_step {
	uint64_t most; /* the whole picks, and what is left over goes to the carry */
	uint64_t over; /* besides, when the carry is a whole weight: a pick more, a weight less */
};

/* The table, followed by what it points to. */
struct rr_table {
	struct classes classes;
	struct rr_step *step;
	struct rr_member *member;  /* of each number */
	uint32_t *number;	   /* of each place */
	size_t server_at, link_at; /* in the cursor, bytes */
};

/* A cursor and its table, with what follows them. */
struct rr {
	struct rr_cursor *c;
	struct rr_server *server; /* of each number */
	struct queue_link *link;  /* likewise; and behind them of the queues: see queue_of() */
	uint32_t n;		  /* of servers */
	/* Node i is the lesser of 2i and 2i + 1; the root is 1, the head of class k is n + k. */
	rr_rank *node;
	const struct classes *classes;
	const struct rr_step *step;
	const struct rr_member *member;
	const uint32_t *number;
};

/* ---- The table ---- */

static uint64_t total_of(const struct lb_snapshot *s)
{
	return s->total_weight * WEIGHT_UNIT;
}

static size_t roundrobin_table_size(const struct lb_snapshot *s)
{
	return sizeof(struct rr_table) + classes_size(s) +
	       s->n * (sizeof(struct rr_member) + sizeof(struct rr_step) + sizeof(uint32_t));
}

/* Those without a weight, who are in no class, come last. In between the steps count. */
static void number_members(const struct lb_snapshot *s, struct rr_table *t)
{
	uint32_t next = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->at[i].weight)
			t->step[t->classes.of[i]].most++;
	for (uint32_t k = 0; k < t->classes.n; k++) {
		const uint32_t first = next;

		next += (uint32_t)t->step[k].most;
		t->step[k].most = first;
	}
	for (size_t i = 0; i < s->n; i++) {
		const struct snap_server *e = &s->at[i];
		const uint32_t k = t->classes.of[i];

		t->number[i] = e->weight ? (uint32_t)t->step[k].most++ : next++;
		t->member[t->number[i]] = (struct rr_member){
		    .id = e->id, .slot = e->slot, .place = (uint16_t)i, .of_class = (uint16_t)k};
	}
}

static int roundrobin_build(const struct lb_snapshot *s, const struct lb_snapshot *old, void *table)
{
	struct rr_table *t = table;

	t->member = (struct rr_member *)(t + 1);
	t->step = (struct rr_step *)(t->member + s->n);
	classes_build_in(s, &t->classes, (uint32_t *)(t->step + s->n));
	t->number = t->classes.of + s->n;
	number_members(s, t);
	for (uint32_t k = 0; k < t->classes.n; k++) {
		const uint64_t weight = t->classes.weight[k] * WEIGHT_UNIT;

		t->step[k].most = total_of(s) / weight << LIGHT_BITS | total_of(s) % weight;
		t->step[k].over = (UINT64_C(1) << LIGHT_BITS) - weight;
	}
	t->server_at = sizeof(struct rr_cursor) + 2 * t->classes.n * sizeof(rr_rank);
	t->link_at = t->server_at + s->n * sizeof(struct rr_server);
	return 0;
}

static size_t roundrobin_cursor_size(const struct lb_snapshot *s)
{
	const struct rr_table *t = s->table;

	return t->link_at + (s->n + QUEUES * t->classes.n) * sizeof(struct queue_link);
}

HOT struct rr rr_of(const struct lb_snapshot *s, void *cursor)
{
	const struct rr_table *t = s->table;
	struct rr rr = {.c = cursor,
			.classes = &t->classes,
			.step = t->step,
			.member = t->member,
			.number = t->number};

	rr.node = (rr_rank *)(rr.c + 1);
	rr.server = (struct rr_server *)((char *)cursor + t->server_at);
	rr.link = (struct queue_link *)((char *)cursor + t->link_at);
	rr.n = (uint32_t)s->n;
	return rr;
}

/* ---- Queues ---- */

HOT uint32_t queue_of(const struct rr *rr, uint32_t k, enum where w)
{
	if (w == HERE)
		return rr->n + k;
	return rr->n + (1 + ((w == NEXT) ^ rr->c->swapped)) * rr->classes->n + k;
}

HOT uint64_t weight_of(const struct rr_step *step)
{
	return (UINT64_C(1) << LIGHT_BITS) - step->over;
}

HOT uint64_t key_of(uint64_t due, uint64_t carry, const struct rr_step *step)
{
	return due << LIGHT_BITS | (HEAVIEST + carry - weight_of(step));
}

HOT uint64_t due_of(uint64_t key)
{
	return key >> LIGHT_BITS;
}

HOT uint64_t carry_of(uint64_t key, const struct rr_step *step)
{
	return (key & ((UINT64_C(1) << LIGHT_BITS) - 1)) + weight_of(step) - HEAVIEST;
}

/* Of one HERE. */
HOT rr_rank rank_of(const struct rr_server *server, uint32_t k)
{
	return (rr_rank)(server->key & -(uint64_t)WEIGHT_UNIT) << 64 | (server->order | k);
}

HOT uint64_t key_in(rr_rank rank)
{
	return (uint64_t)(rank >> 64);
}

HOT uint32_t class_in(rr_rank rank)
{
	return (uint32_t)rank & ((1 << CLASS_BITS) - 1);
}

/* Of one weight, HERE: all take the same step, so whoever had his turn is the last, or nearly. Not HOT: it is passed on. */
static inline bool due_before(const void *ctx, uint32_t a, uint32_t b)
{
	const struct rr_server *server = ((const struct rr *)ctx)->server;

	return rank_of(&server[a], 0) < rank_of(&server[b], 0);
}

static bool came_before(const void *ctx, uint32_t a, uint32_t b)
{
	const struct rr *rr = ctx;

	return rr->server[a].order < rr->server[b].order;
}

HOT uint32_t leave(struct rr *rr, uint32_t k, enum where w)
{
	rr->c->n_unseen -= w == UNSEEN;
	return queue_leave(rr->link, queue_of(rr, k, w));
}

/* ---- The tournament of the heads ---- */

HOT rr_rank head_of(const struct rr *rr, uint32_t k)
{
	const uint32_t queue = queue_of(rr, k, HERE), first = queue_first(rr->link, queue);

	return first == queue ? RANK_EMPTY : rank_of(&rr->server[first], k);
}

HOT rr_rank lesser(rr_rank a, rr_rank b)
{
	return b < a ? b : a;
}

HOT rr_rank *node_at(const struct rr *rr, size_t bytes)
{
	return (rr_rank *)((char *)rr->node + bytes);
}

/* The head of the class is another: its matches are played anew. Counting in bytes spares two shifts each. */
HOT void play(const struct rr *rr, uint32_t k, rr_rank head)
{
	size_t i = (rr->classes->n + k) * sizeof(rr_rank);

	for (*node_at(rr, i) = head; i > sizeof(rr_rank);) {
		head = lesser(head, *node_at(rr, i ^ sizeof(rr_rank)));
		i = i / 2 & -sizeof(rr_rank);
		*node_at(rr, i) = head;
	}
}

static void play_all(struct rr *rr)
{
	const uint32_t n = rr->classes->n;

	for (uint32_t k = 0; k < n; k++)
		rr->node[n + k] = head_of(rr, k);
	for (uint32_t i = n; i-- > 1;)
		rr->node[i] = lesser(rr->node[2 * i], rr->node[2 * i + 1]);
}

/* ---- A pick ---- */

/* The heaviest not yet seen in this window. */
HOT uint32_t take_unseen(struct rr *rr, uint32_t *ret_class)
{
	struct rr_cursor *c = rr->c;
	uint32_t i;

	while (queue_empty(rr->link, queue_of(rr, c->heaviest_unseen, UNSEEN)))
		c->heaviest_unseen--;
	*ret_class = c->heaviest_unseen;
	i = leave(rr, *ret_class, UNSEEN);
	rr->server[i].key = key_of(c->now, 0, &rr->step[*ret_class]);
	return i;
}

/* Is it the turn of the first of those HERE? */
HOT bool is_due(const struct rr *rr, rr_rank first)
{
	return key_in(first) != KEY_NONE &&
	       (!rr->c->n_unseen || due_of(key_in(first)) <= rr->c->now);
}

/* Takes out whoever's turn it is: the one due, else one not yet seen, else the next to be due. */
HOT uint32_t take(struct rr *rr, uint32_t *ret_class)
{
	const rr_rank first = rr->node[1];

	if (is_due(rr, first)) {
		*ret_class = class_in(first);
		return leave(rr, *ret_class, HERE);
	}
	return rr->c->n_unseen ? take_unseen(rr, ret_class) : NOBODY;
}

/* The turn was had: when is the next? */
HOT uint64_t next_key(const struct rr_server *server, const struct rr_step *step)
{
	const uint64_t key = server->key + step->most;

	return either(key & HEAVIEST, key, key + step->over);
}

HOT void advance(const struct rr *rr, uint32_t i, uint64_t key)
{
	struct rr_server *server = &rr->server[i];

	server->last = server->key;
	server->key = key;
	rr->c->now++;
}

/* The order of whoever joins a queue now. */
HOT uint64_t next_order(struct rr_cursor *c)
{
	c->order += 1 << CLASS_BITS;
	return c->order;
}

/* Back in a queue after its turn. */
HOT void put_back(struct rr *rr, uint32_t i, uint32_t k)
{
	rr->server[i].order = next_order(rr->c);
	if (rr->server[i].key < rr->c->end) {
		queue_join(rr->link, queue_of(rr, k, HERE), i, due_before, rr);
	} else {
		queue_append(rr->link, queue_of(rr, k, NEXT), i);
		rr->c->n_next++;
	}
	play(rr, k, head_of(rr, k));
}

static void begin_window(const struct lb_snapshot *s, struct rr_cursor *c, uint64_t at)
{
	c->window = at;
	c->end = (at + (at < total_of(s) ? at : total_of(s))) << LIGHT_BITS;
}

static __attribute__((noinline)) void next_window(const struct lb_snapshot *s, void *cursor)
{
	struct rr_cursor *c = cursor;

	c->swapped = !c->swapped;
	c->n_unseen = c->n_next;
	c->n_next = 0;
	c->heaviest_unseen = ((const struct classes *)s->table)->n - 1;
	c->now = total_of(s);
	begin_window(s, c, c->now);
}

static ssize_t roundrobin_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	struct rr rr = rr_of(s, cursor);
	uint32_t i, k, taken = NOBODY;
	bool swapped = false;

	for (;;) { /* each server is taken once at most */
		i = take(&rr, &k);
		if (i == NOBODY && !swapped) {
			next_window(s, cursor);
			swapped = true;
			continue;
		}
		if (i == NOBODY)
			break;
		advance(&rr, i, next_key(&rr.server[i], &rr.step[k]));
		rr.server[i].passed = taken;
		taken = i;
		if (query_eligible(q, rr.member[i].place))
			break;
		play(&rr, k, head_of(&rr, k));
	}
	for (; taken != NOBODY; taken = rr.server[taken].passed)
		put_back(&rr, taken, rr.member[taken].of_class);
	return i == NOBODY ? -1 : rr.member[i].place;
}

/* ---- The usual pick ---- */

/* The query by value: that it has an address would cost the others. */
static __attribute__((noinline)) bool roundrobin_any(struct lb_query q, void *cursor,
						     struct ledger_row *row, uint64_t *ret_id)
{
	return usual_end(&q, cursor, row, roundrobin_pick(q.snap, cursor, &q), NULL, ret_id);
}

/* Somebody is due, and will be again in this window, after all others of his weight. */
HOT bool roundrobin_one(const struct lb_query *q, void *cursor, struct ledger_row *row,
			uint64_t *ret_id)
{
	const struct rr rr = rr_of(q->snap, cursor);
	const rr_rank first = rr.node[1];
	const uint32_t k = class_in(first), queue = queue_of(&rr, k, HERE);
	const struct rr_member *m;
	uint32_t i;
	uint64_t key;

	if (__builtin_expect(!is_due(&rr, first), 0))
		return roundrobin_any(*q, cursor, row, ret_id);
	i = queue_first(rr.link, queue);
	key = next_key(&rr.server[i], &rr.step[k]);
	if (__builtin_expect(key >= rr.c->end, 0))
		return roundrobin_any(*q, cursor, row, ret_id);
	if (__builtin_expect(key <= rr.server[queue_last(rr.link, queue)].key, 0))
		return roundrobin_any(*q, cursor, row, ret_id);
	advance(&rr, i, key);
	rr.server[i].order = next_order(rr.c);
	queue_rotate(rr.link, queue);
	m = &rr.member[i];
	play(&rr, k, rank_of(&rr.server[queue_first(rr.link, queue)], k));
	usual_start(q, cursor, row, m->slot, m->id, m->place, NULL, ret_id);
	return true;
}

USUAL(roundrobin)

/* ---- Coming over to a snapshot ---- */

/* One who was in the old snapshot: the same place, or an earlier one when the weight grew. */
static void carry_over(struct rr *rr, uint32_t i, const struct rr_server *was, uint64_t carry,
		       enum where w)
{
	const uint32_t k = rr->member[i].of_class;
	const struct rr_step *step = &rr->step[k];
	const uint64_t now = rr->c->now, sooner = due_of(was->last) + due_of(step->most);
	uint64_t due = due_of(was->key);

	if (w == HERE && sooner < due) /* but nothing to catch up on */
		due = sooner > now ? sooner : now;
	if (w != HERE || carry >= weight_of(step))
		carry = 0;
	rr->server[i] = *was;
	rr->server[i].key = key_of(due, carry, step);
	queue_append(rr->link, queue_of(rr, k, w), i);
	rr->c->n_unseen += w == UNSEEN;
	rr->c->n_next += w == NEXT;
}

/* Everyone who was in one of the old queues goes into one of the same kind here. */
static void carry_over_all(const struct lb_snapshot *s, struct rr *rr, const struct rr *was)
{
	for (enum where w = HERE; w < QUEUES; w++) {
		for (uint32_t k = 0; k < was->classes->n; k++) {
			const uint32_t queue = queue_of(was, k, w);
			uint32_t i = queue_first(was->link, queue);

			for (; i != queue; i = queue_next(was->link, queue, i)) {
				ssize_t place = lb_snapshot_find(s, was->member[i].id);

				if (place >= 0 && s->at[place].weight)
					carry_over(rr, rr->number[place], &was->server[i],
						   carry_of(was->server[i].key, &was->step[k]), w);
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
			queue_init(rr.link, queue_of(&rr, k, w));
	if (old) {
		const struct rr was = rr_of(old, (void *)old_cursor); /* only read */

		c->now = was.c->now;
		c->window = was.c->window;
		c->order = was.c->order;
		carry_over_all(s, &rr, &was);
	}
	if (c->now == c->window) /* nothing picked yet: the window starts with these weights */
		c->window = c->now = total_of(s);
	begin_window(s, c, c->window);
	for (uint32_t i = 0; i < s->n; i++) {
		if (!s->at[i].weight || was_there(old, s->at[i].id))
			continue;
		rr.server[rr.number[i]].order = next_order(c);
		queue_append(rr.link, queue_of(&rr, rr.classes->of[i], UNSEEN), rr.number[i]);
		c->n_unseen++;
	}
	if (!rr.classes->n)
		return;
	for (uint32_t k = 0; k < rr.classes->n; k++)
		for (enum where w = HERE; w < QUEUES; w++)
			queue_sort(rr.link, queue_of(&rr, k, w),
				   w == HERE ? due_before : came_before, &rr);
	c->heaviest_unseen = rr.classes->n - 1;
	play_all(&rr);
}

const struct lb_algo algo_roundrobin = {
    .size = sizeof(algo_roundrobin),
    .name = "roundrobin",
    .table_size = roundrobin_table_size,
    .build = roundrobin_build,
    .cursor_size = roundrobin_cursor_size,
    .adopt = roundrobin_adopt,
    .pick = roundrobin_pick,
};
