/* SPDX-License-Identifier: MIT */
/* Choosing a server, waiting for one, and giving it back; alike for TCP sessions and HTTP exchanges. */
#include "count.h"
#include "rules/action/action.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "container_of.h"

#define FULL_MAX 64 /* servers that a pick looks past */

/* HAProxy's dynamic maxconn: the part of it that the backend has of its fullconn, but minconn at least. */
static bool has_room(const struct seeker *k, const struct server *s, uint32_t n_sessions)
{
	uint64_t min = atomic_load_explicit(&s->minconn, memory_order_relaxed), n;
	uint64_t max = atomic_load_explicit(&s->maxconn, memory_order_relaxed);
	const struct pool *p = k->backend->pool;

	if (!max)
		return true;
	n = (uint64_t)pool_sessions(p) + !k->queued;
	if (!min || n >= k->backend->fullconn)
		return n_sessions < max;
	max = max * n / k->backend->fullconn;
	return n_sessions < (max > min ? max : min);
}

/* A key has a server of its own, and waits for that one. */
static bool has_key(const struct seeker *k)
{
	return backend_hashes(k->backend) && !(k->more && k->more->keyless);
}

/* It waits for whichever server is free first, and would take each. */
static bool takes_any(const struct seeker_more *m)
{
	return !m->bound && !m->n_exclude;
}

/*
 * Counted at its server, if there is room: never above what it may have, not even for a moment, in which who waits would find no
 * room, and sleep on.
 */
static bool take_place(const struct seeker *k, struct server *s, uint32_t *ret_before)
{
	*ret_before = atomic_load_explicit(&s->n_sessions, memory_order_relaxed);
	do {
		if (!has_room(k, s, *ret_before))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&s->n_sessions, ret_before, *ret_before + 1, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

/* In this order: whom libsched lets in finds room here. */
static void give_back(struct worker *w, struct pool *p, struct server *s, const struct lb_outcome *o)
{
	atomic_fetch_sub(&s->n_sessions, 1);
	lb_done(p->worker[w->index].picker, (uintptr_t)s, o);
}

/* As HAProxy counts: who left a server and was given the same again has only tried once more. */
static void count_redispatch(struct worker *w, struct seeker *k)
{
	struct server *failed = k->more->failed;
	const enum counted what = failed == k->server ? COUNT_RETRIES : COUNT_REDISPATCHES;

	k->more->failed = NULL;
	k->attempts.redispatched |= what == COUNT_REDISPATCHES;
	counter_inc(counters_of(failed->tally, w->index), what);
	counter_inc(counters_of(k->backend->pool->tally, w->index), what);
}

/* Which worker's first one waits the longest for any server; of several the next behind us. NULL: nobody waits. */
static struct pool_worker *longest_waiting(struct worker *w, struct pool *p)
{
	uint64_t waiting = atomic_load(&p->waiting);
	struct pool_worker *found = NULL;

	for (unsigned i = 1; waiting && i <= w->engine->n_workers; i++) {
		unsigned at = (w->index + i) % w->engine->n_workers;
		struct pool_worker *pw = &p->worker[at];

		if (waiting >> at & 1 && (!found || atomic_load(&pw->first) < atomic_load(&found->first)))
			found = pw;
	}
	return found;
}

static void wake(struct worker *w, const struct pool_worker *pw)
{
	worker_poke(w->engine->worker[pw - pw->pool->worker], POKE_QUEUE);
}

/* The worker whose first one has waited longer; NULL: none. */
static const struct pool_worker *before_us(struct worker *w, const struct seeker *k)
{
	const struct pool_worker *other = k->queued && takes_any(k->more) ? longest_waiting(w, k->backend->pool) : NULL;

	return other && atomic_load(&other->first) < k->more->turn ? other : NULL;
}

/* Others see who is first. */
static void tell_first(struct pool_worker *pw)
{
	const struct seeker_more *m;

	TAILQ_FOREACH (m, &pw->queue, link)
		if (takes_any(m))
			break;
	atomic_store(&pw->first, m ? m->turn : NOBODY);
}

/* NULL: no memory. */
static struct seeker_more *more_of(struct seeker *k)
{
	if (!k->more)
		k->more = calloc(1, sizeof(*k->more));
	return k->more;
}

/* Who were served of those it waits with. */
static _Atomic uint32_t *turns_of(const struct seeker *k)
{
	return k->more->bound ? &k->more->bound->n_turns : &k->backend->pool->n_turns;
}

/* It has come to where it waits. */
static void begin_wait(struct worker *w, struct seeker *k)
{
	struct seeker_more *m = k->more;
	struct pool *p = k->backend->pool;

	if (m->bound) {
		atomic_fetch_add_explicit(&p->n_bound, 1, memory_order_relaxed);
		counter_max(&counters_of(m->bound->tally, w->index)->queue_max,
			    1 + atomic_fetch_add_explicit(&m->bound->n_queued, 1, memory_order_relaxed));
	} else {
		counter_max(&counters_of(p->tally, w->index)->queue_max, pool_queue(p));
	}
	m->turns = atomic_load_explicit(turns_of(k), memory_order_relaxed);
}

/* Its wait there is over: those that were served meanwhile were before it. */
static void end_wait(struct seeker *k)
{
	struct seeker_more *m = k->more;
	uint32_t before = atomic_load_explicit(turns_of(k), memory_order_relaxed) - m->turns;

	*(m->bound ? &m->server_place : &m->pool_place) += before + 1;
	m->left = k->server ? NULL : m->bound;
	if (m->bound) {
		atomic_fetch_sub_explicit(&m->bound->n_queued, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&k->backend->pool->n_bound, 1, memory_order_relaxed);
	}
}

/* Who is bound to a server (by a cookie, a rule, its key) waits for that one, unless its maxqueue is reached. */
static int bind_to(struct worker *w, struct seeker *k, struct server *own, int too_many)
{
	uint32_t max = atomic_load_explicit(&own->maxqueue, memory_order_relaxed);
	struct seeker_more *m;
	int e = -EAGAIN;

	if (!k->queued && max && atomic_load_explicit(&own->n_queued, memory_order_relaxed) >= max)
		e = too_many;
	m = more_of(k);
	if (m && e == -ENOBUFS)
		m->left = own;
	if (!m || e != -EAGAIN || m->bound == own)
		return e; /* no memory: whoever queues it sees that as well */
	if (k->queued)
		end_wait(k);
	m->bound = own;
	if (k->queued) {
		begin_wait(w, k);
		tell_first(&k->backend->pool->worker[w->index]);
	}
	return -EAGAIN;
}

/*
 * 0: k->server is counted; -EAGAIN: all are full, or the one that it is bound to now; -ENOBUFS: too many wait for that one;
 * -ENOSR: there is none. `flags`: libsched's.
 */
static int pick(struct worker *w, struct seeker *k, const struct server *prefer, unsigned flags)
{
	struct pool *p = k->backend->pool;
	struct lb_request r = {
	    .size = sizeof(r),
	    .key64 = k->key,
	    .now_ns = w->now_ns,
	    .prefer = (uintptr_t)prefer,
	    .flags = flags | (k->more && k->more->keyless ? LB_REQUEST_KEYLESS : 0),
	    .exclude = k->more ? k->more->exclude : NULL,
	    .n_exclude = k->more ? k->more->n_exclude : 0,
	};
	struct lb_outcome unused = {
	    .size = sizeof(unused), .now_ns = w->now_ns, .result = LB_RESULT_ABORTED};
	uint64_t id, passed[SEEKER_EXCLUDE_MAX + FULL_MAX];
	bool again, behind;
	struct lb_picker *picker = p->worker[w->index].picker;
	const struct pool_worker *other;
	uint32_t n_sessions = 0;
	struct server *s = NULL;
	int e;

	if (!picker && !(picker = pool_picker(p, w->index)))
		return -ENOMEM;
	while ((e = lb_pick(picker, &r, &id)) == 0) {
		s = (struct server *)(uintptr_t)id;
		behind = has_key(k) && !k->queued && !prefer && atomic_load_explicit(&s->n_queued, memory_order_relaxed);
		if (!behind && take_place(k, s, &n_sessions))
			break;
		lb_done(picker, id, &unused);
		if (flags & LB_REQUEST_STRICT)
			return -EAGAIN;
		if (has_key(k)) {
			if (!k->queued && !prefer)
				count_chosen(w, k, s);
			return bind_to(w, k, s, -ENOBUFS);
		}
		if (r.exclude != passed && r.n_exclude)
			memcpy(passed, r.exclude, r.n_exclude * sizeof(*passed));
		r.exclude = passed;
		if (r.n_exclude == sizeof(passed) / sizeof(*passed))
			return -EAGAIN;
		passed[r.n_exclude++] = id;
	}
	if (e < 0)
		return r.exclude == passed ? -EAGAIN : e;
	other = before_us(w, k);
	if (other) {
		give_back(w, p, s, &unused);
		wake(w, other); /* now: while the place was ours it would have found none, and slept on */
		return -EAGAIN;
	}
	k->server = s;
	if (k->more)
		k->more->left = NULL;
	again = k->more && k->more->failed == s;
	if (__builtin_expect(k->more && k->more->failed, 0))
		count_redispatch(w, k);
	atomic_fetch_add_explicit(&p->n_sessions, 1, memory_order_relaxed);
	count_pick(w, k, 1 + n_sessions, s != prefer && !again && !k->queued);
	return 0;
}

int seeker_pick(struct worker *w, struct seeker *k, const struct server *prefer)
{
	return pick(w, k, prefer, 0);
}

int seeker_pick_other(struct worker *w, struct seeker *k)
{
	int e = seeker_pick(w, k, NULL);

	if (e != -ENOSR || !k->more || !k->more->n_exclude)
		return e;
	k->more->n_exclude = 0;
	return seeker_pick(w, k, NULL);
}

/* As HAProxy does: who may redispatch and only takes turns goes on to the next server, without a rest. */
static bool goes_round(const struct backend *b)
{
	return b->redispatch && b->rotates && b->pool->n_up > 1;
}

static int redispatch_after(const struct backend *b)
{
	return goes_round(b) ? 1 : b->redispatch;
}

bool seeker_rests(const struct seeker *k)
{
	return !goes_round(k->backend);
}

enum conn_retry seeker_after_rest(const struct seeker *k)
{
	return k->more && k->more->failed ? CONN_REDISPATCH : CONN_RETRY_SAME;
}

/* Those without "option allbackups" are used one at a time. */
static const struct server *first_backup(const struct backend *b)
{
	for (size_t i = 0; i < b->n_servers; i++)
		if (b->servers[i]->backup && atomic_load_explicit(&b->servers[i]->balanced, memory_order_relaxed))
			return b->servers[i];
	return NULL;
}

/* No other server could be picked. One of a cookie's or a rule's may be none that is picked itself. */
static bool is_alone(const struct seeker *k)
{
	const struct backend *b = k->backend;
	unsigned n_up = b->pool->n_up, n_up_backup = b->pool->n_up_backup;

	if (!atomic_load_explicit(&k->server->balanced, memory_order_relaxed) || k->server->backup != !n_up)
		return false;
	if (n_up)
		return n_up == 1;
	return b->proxy->set.allbackups ? n_up_backup <= 1 : first_backup(b) == k->server;
}

enum conn_retry seeker_failed(struct worker *w, struct seeker *k, unsigned how)
{
	const bool before = k->attempts.redispatched;
	enum conn_retry next;

	if (how == CFG_RETRY_CONNECT)
		observe(w, k->server, OBSERVED_NO_CONNECTION);
	if (!(k->backend->retry_on & how))
		return CONN_GIVE_UP;
	next = conn_connect_failed(&k->attempts, k->backend->retries, redispatch_after(k->backend));
	if (next == CONN_REDISPATCH && is_alone(k)) { /* as HAProxy, which rests then if it could not connect */
		k->attempts.redispatched = before;
		next = CONN_RETRY_SAME;
	}
	if (next == CONN_REDISPATCH && more_of(k)) {
		k->more->failed = k->server; /* what it is will be seen: see count_redispatch() */
		k->attempts.redispatched = before;
	} else if (next != CONN_GIVE_UP) {
		count_both(w, k, next == CONN_REDISPATCH ? COUNT_REDISPATCHES : COUNT_RETRIES);
	}
	return next;
}

void seeker_without_key(struct seeker *k)
{
	struct seeker_more *m = more_of(k);

	if (m) /* else it goes where a key of 0 does */
		m->keyless = true;
}

int seeker_pick_first(struct worker *w, struct seeker *k, struct server *own, bool force)
{
	struct pool *p = k->backend->pool;
	int e = -ENOSR;

	if (own && atomic_load_explicit(&own->n_queued, memory_order_relaxed) &&
	    atomic_load_explicit(&own->serves, memory_order_relaxed))
		e = -EAGAIN; /* behind those */
	else if (own)
		e = pick(w, k, own, LB_REQUEST_STRICT | (force ? LB_REQUEST_FORCE : 0));
	if (e == -EAGAIN)
		e = bind_to(w, k, own, k->backend->redispatch ? -ENOSR : -ENOBUFS);
	if (!e || e == -EAGAIN || e == -ENOBUFS)
		return e;
	if (pool_queue(p) && !has_key(k) && p->n_up + p->n_up_backup) /* behind those */
		return -EAGAIN;
	return pick(w, k, NULL, 0);
}

void seeker_exclude(struct worker *w, struct seeker *k, uint64_t since_ns)
{
	struct seeker_more *m = more_of(k);

	if (m && m->n_exclude < SEEKER_EXCLUDE_MAX) /* else it may be tried twice */
		m->exclude[m->n_exclude++] = (uintptr_t)k->server;
	if (m)
		m->queued_ns = w->now_ns - since_ns;
	seeker_drop_server(w, k, LB_RESULT_CONNECT, 0);
}

/*
 * Wakes who waits the longest, and who holds only such as do not take any server; all when some wait for a certain one: it
 * may be this one.
 */
static void wake_waiting(struct worker *w, struct pool *p)
{
	uint64_t waiting = atomic_load(&p->waiting);
	bool all = waiting && atomic_load_explicit(&p->n_bound, memory_order_relaxed);
	const struct pool_worker *first = waiting ? longest_waiting(w, p) : NULL;

	for (unsigned i = 0; waiting && i < w->engine->n_workers; i++) {
		const struct pool_worker *pw = &p->worker[i];

		if (waiting >> i & 1 && (all || pw == first || atomic_load(&pw->first) == NOBODY))
			wake(w, pw);
	}
}

void seeker_drop_server(struct worker *w, struct seeker *k, enum lb_result result, uint64_t bytes)
{
	struct pool *p = k->backend ? k->backend->pool : NULL;
	struct lb_outcome o = {
	    .size = sizeof(o),
	    .now_ns = w->now_ns,
	    .result = result,
	    .bytes = bytes,
	};

	if (!k->server)
		return;
	give_back(w, p, k->server, &o);
	/* Sequentially consistent: who sets its bit in `waiting` looks at the counts afterwards, we count and look at the bit. */
	atomic_fetch_sub(&p->n_sessions, 1);
	k->server = NULL;
	wake_waiting(w, p);
}

/* ---- The queue: the bit tells other threads, the list this one, that somebody waits here ---- */

/* A seeker's priority: so many times the class, plus the offset, which is less than half of it. */
#define CLASS (INT32_C(1) << 20)

static int32_t class_of(const struct seeker *k)
{
	return (k->priority + CLASS / 2) >> 20;
}

static int32_t offset_of(const struct seeker *k)
{
	return k->priority - class_of(k) * CLASS;
}

void seeker_prioritize(struct seeker *k, const struct verdict *v)
{
	int32_t class = v->has_class ? v->priority_class : class_of(k);
	int32_t offset = v->has_offset ? v->priority_offset : offset_of(k);

	k->priority = class * CLASS + offset;
}

void seeker_priority(const struct seeker *k, int *ret_class, int *ret_offset)
{
	*ret_class = class_of(k);
	*ret_offset = offset_of(k);
}

/* From the end: without priorities that is its place. */
static void insert(struct seeker_queue *q, struct seeker *k, uint64_t now_ns)
{
	struct seeker_more *m = k->more, *before = TAILQ_LAST(q, seeker_queue);

	/* 48 bits of milliseconds are enough for a class to be above any time */
	m->turn = class_of(k) * (INT64_C(1) << 48) + (int64_t)(now_ns / 1000000) + offset_of(k);
	while (before && before->turn > m->turn)
		before = TAILQ_PREV(before, seeker_queue, link);
	if (before)
		TAILQ_INSERT_AFTER(q, before, m, link);
	else
		TAILQ_INSERT_HEAD(q, m, link);
}

bool seeker_enqueue(struct worker *w, struct seeker *k)
{
	struct pool *p = k->backend->pool;
	struct pool_worker *pw = &p->worker[w->index];
	struct seeker_more *m = more_of(k);

	if (!m)
		return false;
	if (TAILQ_EMPTY(&pw->queue)) {
		LIST_INSERT_HEAD(&w->waiting, pw, entry);
		atomic_fetch_or(&p->waiting, UINT64_C(1) << w->index);
	}
	m->seeker = k;
	atomic_fetch_add_explicit(&p->n_queued, 1, memory_order_relaxed);
	begin_wait(w, k);
	insert(&pw->queue, k, w->now_ns);
	tell_first(pw);
	k->queued = true;
	m->queued_ns -= w->now_ns; /* and the other end is added */
	/* Now that others know, another look: a server freed in between woke nobody. */
	worker_poke(w, POKE_QUEUE);
	return true;
}

void seeker_leave_queue(struct worker *w, struct seeker *k)
{
	struct pool *p;
	struct pool_worker *pw;

	if (!k->queued)
		return;
	p = k->backend->pool;
	pw = &p->worker[w->index];
	k->queued = false;
	end_wait(k);
	k->more->bound = NULL;
	k->more->queued_ns += w->now_ns;
	TAILQ_REMOVE(&pw->queue, k->more, link);
	tell_first(pw);
	atomic_fetch_sub_explicit(&p->n_queued, 1, memory_order_relaxed);
	if (TAILQ_EMPTY(&pw->queue)) {
		LIST_REMOVE(pw, entry);
		atomic_fetch_and(&p->waiting, ~(UINT64_C(1) << w->index));
		/* We may have been woken for more places than we had seekers. */
		wake_waiting(w, p);
	}
}

void seeker_fini(struct seeker *k)
{
	free(k->more);
	k->more = NULL;
}

/* The first one that there is a server for now; NULL: nobody. */
static struct seeker *next_served(struct worker *w, struct seeker_queue *q)
{
	struct seeker_more *m;
	bool all_full = false;

	TAILQ_FOREACH (m, q, link) {
		struct seeker *k = m->seeker;
		int e = -EAGAIN;

		if (m->bound && !server_is_full(m->bound))
			e = pick(w, k, m->bound, LB_REQUEST_STRICT);
		else if (m->bound && !atomic_load_explicit(&m->bound->serves, memory_order_relaxed))
			e = -ENOSR;
		if (m->bound && e != -EAGAIN && e != 0) { /* it went down: any other */
			end_wait(k);
			m->bound = NULL;
			begin_wait(w, k);
			tell_first(&k->backend->pool->worker[w->index]);
		}
		if (!m->bound && e && !all_full) {
			e = seeker_pick_other(w, k);
			all_full = e && takes_any(m);
		}
		if (!e)
			return k;
	}
	return NULL;
}

void queue_run(struct worker *w, struct pool *p)
{
	struct seeker *k;

	while ((k = next_served(w, &p->worker[w->index].queue))) {
		_Atomic uint32_t *turns = turns_of(k);

		seeker_leave_queue(w, k);
		atomic_fetch_add_explicit(turns, 1, memory_order_relaxed);
		if (k->is_http)
			exchange_turn(w, container_of(k, struct exchange, seeker));
		else
			session_turn(w, container_of(k, struct session, seeker));
	}
}
