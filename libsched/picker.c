/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <limits.h>

#include "base/hmap.h"
#include "base/sized.h"
#include "libsched/picker.h"

/*
 * How often a pick starts again after another picker took the last free connection of the chosen one. Each
 * loss is another's gain, so few suffice; but 16 were seen to be lost in a row by four pickers.
 */
#define PICK_TRIES 1024

static const struct lb_request request_default = {.size = sizeof(struct lb_request)};
static const struct lb_outcome outcome_default = {.size = sizeof(struct lb_outcome)};

/* ---- Coming over to a snapshot ---- */

/* Begins the rotation; picker k starts k picks into it, so that threads do not march in step. */
static void start_cursor(struct lb_picker *p)
{
	const struct lb_snapshot *s = p->snap;
	const struct lb_query q = query_of(p, &request_default, &p->random);

	memset(p->cursor, 0, s->cursor_bytes); /* it was used before this picker went offline */
	if (s->setup.ops.adopt)
		s->setup.ops.adopt(s, p->cursor, NULL, NULL);
	if (!s->cursor_bytes || !s->n_usable) /* no rotation */
		return;
	for (size_t i = 0; i < p->number; i++)
		s->setup.ops.pick(s, p->cursor, &q);
}

static void adopt(struct lb_picker *p, struct lb_snapshot *s)
{
	const struct lb_snapshot *old = p->snap;
	const void *old_cursor = p->cursor;

	p->snap = s;
	p->cursor = snapshot_cursor(s, p->number);
	if (!old || old->setup.serial != s->setup.serial)
		start_cursor(p);
	else if (s->setup.ops.adopt)
		s->setup.ops.adopt(s, p->cursor, old, old_cursor);
}

/*
 * A hazard pointer: say which snapshot is meant, then look whether it still is the current one. The
 * editor does it the other way round: it replaces the current one, then looks what pickers say. With both
 * sequentially consistent, either we see the new one or the editor sees us. We go round again only when
 * the editor published a whole snapshot meanwhile.
 */
static int come_over(struct lb_picker *p)
{
	struct lb_snapshot *s = atomic_load(&p->group->current), *seen;

	if (s == GROUP_CLOSED)
		return -ESHUTDOWN;
	for (;;) {
		atomic_store(&p->next, s);
		seen = atomic_load(&p->group->current);
		if (seen == s)
			break;
		s = seen;
	}
	adopt(p, s);
	atomic_store(&p->held, s);
	atomic_store(&p->next, NULL);
	return 0;
}

/* What is held cannot be freed, so an equal pointer is the same snapshot. */
static inline bool is_current(const struct lb_picker *p)
{
	return atomic_load_explicit(&p->group->current, memory_order_acquire) == p->snap;
}

static inline int stay_current(struct lb_picker *p)
{
	return is_current(p) || p->explaining ? 0 : come_over(p);
}

int picker_come_over(struct lb_picker *p)
{
	return stay_current(p);
}

void picker_lose_group(struct lb_picker *p)
{
	assert(!p->explaining);
	p->snap = NULL;
	p->cursor = NULL;
	atomic_store(&p->held, NULL);
}

/* ---- Picking ---- */

#define REQUEST_FLAGS                                                             \
	((uint32_t)(LB_REQUEST_STRICT | LB_REQUEST_FORCE | LB_REQUEST_UNCOUNTED | \
		    LB_REQUEST_KEYLESS))

/* Flags nobody knows, or something in the reserved word after them. */
static inline uint64_t unknown_flags(const struct lb_request *r)
{
	const uint32_t known[2] = {REQUEST_FLAGS, 0};
	uint64_t have, mask;

	_Static_assert(offsetof(struct lb_request, reserved) ==
			   offsetof(struct lb_request, flags) + sizeof(r->flags),
		       "both are looked at at once");
	memcpy(&have, &r->flags, sizeof(have));
	memcpy(&mask, known, sizeof(mask));
	return have & ~mask;
}

/* This library's own struct, and nothing in it to be looked at: what nearly all requests are. */
static inline bool request_is_usual(const struct lb_request *r)
{
	return !((r->size ^ sizeof(*r)) | r->prefer | r->n_exclude | r->seed | unknown_flags(r));
}

int request_of(const struct lb_request *r, struct lb_request *own, const struct lb_request **ret)
{
	int e;

	if (!r) {
		*ret = &request_default;
		return 0;
	}
	if (r->size != sizeof(*r)) {
		e = sized_in(own, sizeof(*own), r);
		if (e < 0)
			return e;
		r = own;
	}
	if (r->n_exclude > LB_EXCLUDE_MAX || (r->n_exclude && !r->exclude) || unknown_flags(r))
		return -EINVAL;
	*ret = r;
	return 0;
}

static bool may_be_preferred(const struct snap_server *e, uint32_t flags)
{
	if (flags & LB_REQUEST_FORCE)
		return true;
	return e->why == LB_VERDICT_CANDIDATE || e->why == LB_VERDICT_DISABLED ||
	       e->why == LB_VERDICT_WEIGHT || e->why == LB_VERDICT_STANDBY;
}

/* The preferred server's place; -EAGAIN when it is full, -ENOENT when it may not be used. */
static ssize_t choose_preferred(const struct lb_query *q)
{
	ssize_t place = lb_snapshot_find(q->snap, q->request->prefer);
	const struct snap_server *e;

	if (place < 0)
		return -ENOENT;
	e = &q->snap->at[place];
	if (!may_be_preferred(e, q->request->flags) || request_excludes(q->request, e->id))
		return -ENOENT;
	return snap_full(q->snap, e) ? -EAGAIN : place;
}

__attribute__((noinline)) int picker_nobody(const struct lb_snapshot *s, const struct lb_request *r)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->at[i].weight && !request_excludes(r, s->at[i].id))
			return -EAGAIN;
	return -ENOSR;
}

static ssize_t check_choice(const struct lb_query *q, ssize_t place)
{
	const struct snap_server *e = &q->snap->at[place];

	return e->weight && !request_excludes(q->request, e->id) ? place : -EPROTO;
}

/* The algorithm's choice, or why there is none. */
static inline ssize_t ask_algo(const struct lb_query *q, void *cursor)
{
	const struct lb_snapshot *s = q->snap;
	ssize_t place = s->n_usable ? s->setup.ops.pick(s, cursor, q) : -1;

	if (__builtin_expect((size_t)place >= s->n, 0))
		return place < 0 ? picker_nobody(s, q->request) : -EPROTO;
	if (__builtin_expect(!s->at[place].weight || q->request->n_exclude, 0))
		return check_choice(q, place);
	return place;
}

static __attribute__((noinline)) ssize_t choose_with_preference(const struct lb_query *q,
								void *cursor)
{
	ssize_t preferred = choose_preferred(q), place;

	if (preferred >= 0 || q->request->flags & LB_REQUEST_STRICT)
		return preferred;
	place = ask_algo(q, cursor);
	return place == -ENOSR && preferred == -EAGAIN ? -EAGAIN : place;
}

static inline ssize_t choose(const struct lb_query *q, void *cursor)
{
	return __builtin_expect(q->request->prefer != 0, 0) ? choose_with_preference(q, cursor)
							    : ask_algo(q, cursor);
}

ssize_t picker_choose(const struct lb_query *q, void *cursor)
{
	return choose(q, cursor);
}

/* Where there is a limit: false when it is reached by now. */
static __attribute__((noinline)) bool start_limited(struct lb_picker *p,
						    const struct snap_server *e)
{
	struct lb_server *server = snap_server_of(p->snap, e);

	if (!snap_by_overload(p->snap))
		return server_start_limited(&p->counting, server, e->maxconn);
	server_start(&p->counting, e->slot);
	server_fill_up(p->counting.ledger, server, e->maxconn);
	return true;
}

/* Counts the request on the chosen place; false: it is full by now. */
static inline bool start(struct lb_picker *p, const struct lb_query *q, size_t place)
{
	const struct lb_snapshot *s = q->snap;
	const struct snap_server *e = &s->at[place];

	if (__builtin_expect(!e->maxconn, 1))
		server_start(&p->counting, e->slot);
	else if (!start_limited(p, e))
		return false;
	if (s->setup.ops.on_start)
		s->setup.ops.on_start(s, p->cursor, place, q->request);
	return true;
}

/* Again and again, as long as others are faster. */
static __attribute__((noinline)) int pick_contended(struct lb_picker *p, const struct lb_query *q,
						    size_t place, uint64_t *ret_id)
{
	for (int i = 1; i < PICK_TRIES; i++) {
		ssize_t next;

		if (p->snap->setup.ops.on_full)
			p->snap->setup.ops.on_full(p->snap, p->cursor, place);
		next = choose(q, p->cursor);
		if (next < 0)
			return (int)next;
		place = (size_t)next;
		if (start(p, q, place)) {
			*ret_id = p->snap->at[place].id;
			return 0;
		}
	}
	return -EAGAIN;
}

/* On the picker's snapshot, by a request that was checked. */
static inline int pick(struct lb_picker *p, const struct lb_query *q, uint64_t *ret_id)
{
	const ssize_t place = choose(q, p->cursor);

	if (place < 0)
		return (int)place;
	if (!(q->request->flags & LB_REQUEST_UNCOUNTED) && !start(p, q, (size_t)place))
		return pick_contended(p, q, (size_t)place, ret_id);
	*ret_id = q->snap->at[place].id;
	return 0;
}

static int pick_checked(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id)
{
	uint64_t seed = hmap_mix(r->seed); /* those of a host may be consecutive */
	const struct lb_query q = query_of(p, r, r->seed ? &seed : &p->random);

	return pick(p, &q, ret_id);
}

int picker_usual(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id)
{
	const struct lb_query q = query_of(p, r, &p->random);

	return pick(p, &q, ret_id);
}

/* One that has to be looked at, or looked up: a function of its own keeps the copy out of the usual way. */
static __attribute__((noinline)) int pick_unusual(struct lb_picker *p, const struct lb_request *r,
						  uint64_t *ret_id)
{
	struct lb_request own;
	int e = request_of(r, &own, &r);

	if (e == 0)
		e = stay_current(p);
	return e < 0 ? e : pick_checked(p, r, ret_id);
}

int lb_pick(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id)
{
	if (__builtin_expect(!p, 0))
		return -EINVAL;
	if (__builtin_expect(!ret_id, 0))
		return -EINVAL;
	if (__builtin_expect(r != NULL, 1) && request_is_usual(r) && is_current(p))
		return p->snap->usual(p, r, ret_id);
	return pick_unusual(p, r, ret_id);
}

/* ---- Many at once ---- */

#define MANY 64 /* at a time: what is called for in between stays near at hand */

/*
 * Does the choice depend on the keys alone? Then the algorithm takes them all in one go: nobody can become full
 * in between, and nobody listens.
 */
static bool may_go_in_one(const struct lb_picker *p, const struct lb_request *r)
{
	const struct lb_snapshot *s = p->snap;

	return s->setup.ops.pick_many && s->n_usable && !s->has_limits && !r->prefer &&
	       !r->n_exclude && (r->flags & LB_REQUEST_UNCOUNTED || !s->setup.ops.on_start);
}

/* Counts one request on each place; the sum over all servers moves once. */
static void start_all(struct lb_picker *p, const uint32_t *place, size_t n)
{
	const struct snap_server *at = p->snap->at;
	const size_t n_places = p->snap->n;
	struct ledger_row *row = p->counting.row;
	int64_t started = 0;

	for (size_t i = 0; i < n; i++) {
		if (__builtin_expect(place[i] >= n_places, 0))
			continue;
		if (!row_start(row, at[place[i]].slot))
			row_start_any(row, at[place[i]].slot);
		started++;
	}
	row_add_active(row, started);
}

/* Up to MANY of them; the keys are read before ids are written, which may be the same memory. */
static size_t pick_in_one(struct lb_picker *p, const struct lb_query *q, const uint64_t *key64,
			  size_t n, uint64_t *ret_ids)
{
	const struct lb_snapshot *s = p->snap;
	const struct snap_server *at = s->at;
	const size_t n_places = s->n;
	uint32_t place[MANY];
	size_t got = n;

	s->setup.ops.pick_many(s, p->cursor, q, key64, n, place);
	if (!(q->request->flags & LB_REQUEST_UNCOUNTED))
		start_all(p, place, n);
#pragma GCC unroll 4
	for (size_t i = 0; i < n; i++) {
		if (__builtin_expect(place[i] < n_places, 1)) {
			ret_ids[i] = at[place[i]].id;
		} else { /* an own algorithm's mistake: lb_pick() says -EPROTO */
			ret_ids[i] = 0;
			got--;
		}
	}
	return got;
}

static size_t pick_by_keys(struct lb_picker *p, const struct lb_request *r, const uint64_t *key64,
			   size_t n, uint64_t *ret_ids)
{
	const struct lb_query q = query_of(p, r, &p->random);
	size_t got = 0;

	for (size_t i = 0; i < n; i += MANY) {
		const size_t some = n - i < MANY ? n - i : MANY;

		got += pick_in_one(p, &q, key64 + i, some, ret_ids + i);
	}
	return got;
}

static size_t pick_one_by_one(struct lb_picker *p, const struct lb_request *r,
			      const uint64_t *key64, size_t n, uint64_t *ret_ids)
{
	struct lb_request each = *r;
	usual_pick *const one = request_is_usual(r) ? p->snap->usual : pick_checked;
	size_t got = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t id = 0;

		if (key64)
			each.key64 = key64[i];
		got += one(p, &each, &id) == 0;
		ret_ids[i] = id;
	}
	return got;
}

ssize_t lb_pick_many(struct lb_picker *p, const struct lb_request *r, const uint64_t *key64,
		     size_t n, uint64_t *ret_ids)
{
	struct lb_request own;
	int e = 0;

	if (!p || (n && !ret_ids) || n > SSIZE_MAX)
		return -EINVAL;
	if (!r || !request_is_usual(r))
		e = request_of(r, &own, &r);
	if (e == 0)
		e = stay_current(p);
	if (e < 0)
		return e;
	if (key64 && may_go_in_one(p, r))
		return (ssize_t)pick_by_keys(p, r, key64, n, ret_ids);
	if (p->snap->burst && request_is_usual(r)) /* whoever looks at keys has pick_many() */
		return (ssize_t)p->snap->burst(p, r, n, ret_ids);
	return (ssize_t)pick_one_by_one(p, r, key64, n, ret_ids);
}

/* ---- Ends ---- */

static inline bool outcome_is_known(const struct lb_outcome *o)
{
	return o->result < LEDGER_RESULTS && o->inactive <= 1;
}

static int outcome_of(const struct lb_outcome *o, struct lb_outcome *own,
		      const struct lb_outcome **ret)
{
	int e;

	if (o->size != sizeof(*o)) {
		e = sized_in(own, sizeof(*own), o);
		if (e < 0)
			return e;
		o = own;
	}
	if (!outcome_is_known(o))
		return -EINVAL;
	*ret = o;
	return 0;
}

/* What the picker's own cell does not settle, or where there is a limit. */
static __attribute__((noinline)) void finish_any(struct lb_picker *p, const struct snap_server *e,
						 const struct lb_outcome *o)
{
	const bool by_overload = snap_by_overload(p->snap);
	struct lb_server *server = snap_server_of(p->snap, e);

	server_finish(&p->counting, server, o, e->maxconn && !by_overload);
	if (by_overload && e->maxconn)
		server_empty_out(p->counting.ledger, server, e->maxconn);
}

/* On the picker's snapshot, by an outcome that was checked. */
static inline __attribute__((always_inline)) int finish(struct lb_picker *p, uint64_t id,
							const struct lb_outcome *o)
{
	const struct lb_snapshot *s = p->snap;
	const ssize_t place = snapshot_find_known(s, id);
	const struct snap_server *e;

	if (__builtin_expect(place < 0, 0))
		return -ENOENT;
	e = &s->at[place];
	if (__builtin_expect(e->maxconn || !server_finish_own(&p->counting, e->slot, o), 0))
		finish_any(p, e, o);
	if (s->setup.ops.on_done && (size_t)place < s->n)
		s->setup.ops.on_done(s, p->cursor, (size_t)place, o);
	return 0;
}

/* As pick_unusual(). */
static __attribute__((noinline)) int finish_unusual(struct lb_picker *p, uint64_t id,
						    const struct lb_outcome *o)
{
	struct lb_outcome own;
	int r = outcome_of(o, &own, &o);

	if (r == 0)
		r = stay_current(p);
	return r < 0 ? r : finish(p, id, o);
}

int lb_done(struct lb_picker *p, uint64_t id, const struct lb_outcome *o)
{
	if (__builtin_expect(!p, 0))
		return -EINVAL;
	if (!o)
		o = &outcome_default;
	if (__builtin_expect(o->size == sizeof(*o), 1) && outcome_is_known(o) && is_current(p))
		return finish(p, id, o);
	return finish_unusual(p, id, o);
}

/* ---- What only the host knows ---- */

static void count(struct lb_picker *p, const struct snap_server *e, enum lb_counter c,
		  int64_t delta)
{
	struct lb_server *server = snap_server_of(p->snap, e);

	server_add(&p->counting, server, c, delta);
	if (!snap_by_overload(p->snap) || !e->maxconn || c > LB_COUNTER_INACTIVE)
		return;
	/* The kernel looks when a connection comes and when one goes, not when one changes its state. */
	if (c == LB_COUNTER_ACTIVE && delta > 0)
		server_fill_up(p->counting.ledger, server, e->maxconn);
	else if (c == LB_COUNTER_INACTIVE && delta < 0)
		server_empty_out(p->counting.ledger, server, e->maxconn);
}

int lb_count(struct lb_picker *p, uint64_t id, enum lb_counter c, int64_t delta)
{
	ssize_t place;
	int r;

	if (!p || (unsigned)c >= SERVER_COUNTERS)
		return -EINVAL;
	r = stay_current(p);
	if (r < 0)
		return r;
	place = snapshot_find_known(p->snap, id);
	if (place < 0)
		return -ENOENT;
	count(p, &p->snap->at[place], c, delta);
	if (p->snap->setup.ops.on_count && (size_t)place < p->snap->n)
		p->snap->setup.ops.on_count(p->snap, p->cursor, (size_t)place, c);
	return 0;
}

/* ---- Coming and going ---- */

int lb_picker_refresh(struct lb_picker *p)
{
	if (!p)
		return -EINVAL;
	return stay_current(p);
}

int lb_picker_offline(struct lb_picker *p)
{
	if (!p)
		return -EINVAL;
	if (p->explaining)
		return -EBUSY;
	p->snap = NULL;
	p->cursor = NULL;
	atomic_store(&p->held, NULL);
	return 0;
}

/* There, or made: its row with the first picker that takes it. NULL: no memory. */
static struct ledger_row *take_seat(struct lb_group *g, size_t number)
{
	struct group_seat *seats;

	if (number == g->n_seats) {
		seats = mem_regrow(g->seat, number + 1, sizeof(*seats));
		if (!seats)
			return NULL;
		seats[number] = (struct group_seat){0};
		g->seat = seats;
		g->n_seats++;
	}
	if (!g->seat[number].row)
		g->seat[number].row = ledger_add_row(&g->pool.ledger, g->pool.n_slots);
	return g->seat[number].row;
}

int lb_picker_new(struct lb_group *g, struct lb_picker **ret)
{
	struct ledger_row *row;
	struct lb_snapshot *s;
	struct lb_picker *p;
	size_t number = 0;

	if (!g || !ret)
		return -EINVAL;
	while (number < g->n_seats && g->seat[number].picker)
		number++;
	if (number == LB_PICKERS_MAX)
		return -ENOSPC;
	p = line_alloc(sizeof(*p));
	s = atomic_load(&g->current);
	row = take_seat(g, number);
	if (!p || !row || snapshot_add_cursor(s, number) < 0) {
		line_free(p);
		return -ENOMEM;
	}
	p->group = g;
	p->number = number;
	p->counting = (struct counting){&g->pool.ledger, row};
	p->random = hmap_mix(s->setup.opts.seed ^ hmap_mix(number + 1));
	g->seat[number].picker = p;
	g->n_pickers++;
	come_over(p);
	*ret = p;
	return 0;
}

void lb_picker_free(struct lb_picker *p)
{
	struct lb_group *g;
	struct lb_snapshot *s;

	if (!p)
		return;
	assert(!p->explaining);
	g = p->group;
	s = atomic_load(&g->current);
	if (s != GROUP_CLOSED)
		snapshot_drop_cursor(s, p->number);
	g->seat[p->number].picker = NULL;
	g->n_pickers--;
	line_free(p);
	if (s == GROUP_CLOSED && !g->n_pickers)
		group_release(g);
}
