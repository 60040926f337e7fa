/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>

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
static void start_cursor(struct lb_picker *p, struct lb_snapshot *s)
{
	const struct lb_query q = {.snap = s, .request = &request_default, .random = &p->random};
	void *cursor = s->cursor[p->number];

	memset(cursor, 0, s->cursor_bytes); /* it was used before this picker went offline */
	if (s->setup.ops.adopt)
		s->setup.ops.adopt(s, cursor, NULL, NULL);
	if (!s->cursor_bytes || !s->n_usable) /* no rotation */
		return;
	for (size_t i = 0; i < p->number; i++)
		s->setup.ops.pick(s, cursor, &q);
}

static void adopt(struct lb_picker *p, struct lb_snapshot *s)
{
	const struct lb_snapshot *old = p->snap;

	if (!old || old->setup.serial != s->setup.serial)
		start_cursor(p, s);
	else if (s->setup.ops.adopt)
		s->setup.ops.adopt(s, s->cursor[p->number], old, p->cursor);
	p->snap = s;
	p->cursor = s->cursor[p->number];
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
static inline int stay_current(struct lb_picker *p)
{
	if (atomic_load_explicit(&p->group->current, memory_order_acquire) != p->snap &&
	    !p->explaining)
		return come_over(p);
	return 0;
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
	if (r->n_exclude > LB_EXCLUDE_MAX || (r->n_exclude && !r->exclude) || r->reserved ||
	    r->flags & ~(uint32_t)(LB_REQUEST_STRICT | LB_REQUEST_FORCE | LB_REQUEST_UNCOUNTED |
				   LB_REQUEST_KEYLESS))
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

/* Why nobody was chosen: -EAGAIN when only limits stand in the way. */
static int nobody(const struct lb_query *q)
{
	for (size_t i = 0; i < q->snap->n; i++)
		if (q->snap->at[i].weight && !request_excludes(q->request, q->snap->at[i].id))
			return -EAGAIN;
	return -ENOSR;
}

ssize_t picker_choose(const struct lb_query *q, void *cursor)
{
	const struct lb_snapshot *s = q->snap;
	bool preferred_full = false;
	ssize_t place;

	if (q->request->prefer) {
		place = choose_preferred(q);
		if (place >= 0 || q->request->flags & LB_REQUEST_STRICT)
			return place;
		preferred_full = place == -EAGAIN;
	}
	place = s->n_usable ? s->setup.ops.pick(s, cursor, q) : -1;
	if (place < 0)
		return preferred_full ? -EAGAIN : nobody(q);
	if ((size_t)place >= s->n || !s->at[place].weight ||
	    request_excludes(q->request, s->at[place].id))
		return -EPROTO;
	return place;
}

/* Counts the request on the chosen place; false: it is full by now. */
static bool start(struct lb_picker *p, size_t place, const struct lb_request *r)
{
	const struct snap_server *e = &p->snap->at[place];

	if (r->flags & LB_REQUEST_UNCOUNTED)
		return true;
	if (!server_start(&p->counting, e->server, e->slot, e->maxconn))
		return false;
	if (p->snap->setup.ops.on_start)
		p->snap->setup.ops.on_start(p->snap, p->cursor, place, r);
	return true;
}

int lb_pick(struct lb_picker *p, const struct lb_request *r, uint64_t *ret_id)
{
	struct lb_request own;
	struct lb_query q;
	uint64_t seed;
	ssize_t place;
	int e;

	if (!p || !ret_id)
		return -EINVAL;
	e = request_of(r, &own, &q.request);
	if (e == 0)
		e = stay_current(p);
	if (e < 0)
		return e;
	q.snap = p->snap;
	seed = q.request->seed;
	q.random = seed ? &seed : &p->random;
	for (int i = 0; i < PICK_TRIES; i++) {
		place = picker_choose(&q, p->cursor);
		if (place < 0)
			return (int)place;
		if (start(p, (size_t)place, q.request)) {
			*ret_id = p->snap->at[place].id;
			return 0;
		}
		if (p->snap->setup.ops.on_full)
			p->snap->setup.ops.on_full(p->snap, p->cursor, (size_t)place);
	}
	return -EAGAIN;
}

static int outcome_of(const struct lb_outcome *o, struct lb_outcome *own,
		      const struct lb_outcome **ret)
{
	int e;

	if (!o) {
		*ret = &outcome_default;
		return 0;
	}
	if (o->size != sizeof(*o)) {
		e = sized_in(own, sizeof(*own), o);
		if (e < 0)
			return e;
		o = own;
	}
	if (o->result >= LEDGER_RESULTS || o->inactive > 1)
		return -EINVAL;
	*ret = o;
	return 0;
}

int lb_done(struct lb_picker *p, uint64_t id, const struct lb_outcome *o)
{
	const struct snap_server *e;
	struct lb_outcome own;
	ssize_t place;
	int r;

	if (!p)
		return -EINVAL;
	r = outcome_of(o, &own, &o);
	if (r == 0)
		r = stay_current(p);
	if (r < 0)
		return r;
	place = snapshot_find_known(p->snap, id);
	if (place < 0)
		return -ENOENT;
	e = &p->snap->at[place];
	server_finish(&p->counting, e->server, o, e->maxconn);
	if (p->snap->setup.ops.on_done && (size_t)place < p->snap->n)
		p->snap->setup.ops.on_done(p->snap, p->cursor, (size_t)place, o);
	return 0;
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
	server_add(&p->counting, p->snap->at[place].server, c, delta);
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

int lb_picker_new(struct lb_group *g, struct lb_picker **ret)
{
	struct lb_snapshot *s;
	struct lb_picker *p;
	size_t number = 0;

	if (!g || !ret)
		return -EINVAL;
	while (number < LB_PICKERS_MAX && g->picker[number])
		number++;
	if (number == LB_PICKERS_MAX)
		return -ENOSPC;
	p = line_alloc(sizeof(*p));
	s = atomic_load(&g->current);
	if (!p || ledger_add_row(&g->ledger, number) < 0 || snapshot_add_cursor(s, number) < 0) {
		line_free(p);
		return -ENOMEM;
	}
	p->group = g;
	p->number = number;
	p->counting = (struct counting){&g->ledger, g->ledger.row[number]};
	p->random = hmap_mix(s->setup.opts.seed ^ hmap_mix(number + 1));
	g->picker[number] = p;
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
	if (s != GROUP_CLOSED) {
		line_free(s->cursor[p->number]);
		s->cursor[p->number] = NULL;
	}
	g->picker[p->number] = NULL;
	g->n_pickers--;
	line_free(p);
	if (s == GROUP_CLOSED && !g->n_pickers)
		line_free(g);
}
