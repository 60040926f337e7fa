/* SPDX-License-Identifier: MIT */
/*
 * How many connections to a server wait for the next request.
 *
 * Each worker estimates the need of each server: the most that it used at a time, lately. What is used and
 * waits together is held to that, when an exchange ends and, as the need goes down, in turns of pool-purge-delay:
 * half of what is too much is closed in each.
 */
#include "http.h"

#include "engine/io.h"

static struct server_worker *mine(const struct worker *w, struct server *s)
{
	return &s->worker[w->index];
}

/* This worker's own word: others only read it. */
static uint32_t get(const _Atomic uint32_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static void put(_Atomic uint32_t *n, uint32_t value)
{
	atomic_store_explicit(n, value, memory_order_relaxed);
}

void idle_used_most(struct server_worker *m)
{
	m->max_used = m->n_used;
	if (m->max_used > get(&m->need))
		put(&m->need, m->max_used);
}

/* ---- On the lists ---- */

static uint64_t purge_delay(const struct server *s)
{
	const struct cfg_server *c = atomic_load_explicit(&s->pooled, memory_order_acquire);

	return c && c->has_purge ? c->purge_ns : HTTP_PURGE_NS;
}

/* By their time: nearly always that is the end. */
static void plan_purge(struct worker *w, struct server_worker *m, const struct server *s)
{
	struct server_worker *before = TAILQ_LAST(&w->http->purge, purge_list);

	m->purge_ns = w->now_ns + purge_delay(s);
	while (before && before->purge_ns > m->purge_ns)
		before = TAILQ_PREV(before, purge_list, purge);
	if (before)
		TAILQ_INSERT_AFTER(&w->http->purge, before, m, purge);
	else
		TAILQ_INSERT_HEAD(&w->http->purge, m, purge);
}

static void forget_purge(struct worker *w, struct server_worker *m)
{
	TAILQ_REMOVE(&w->http->purge, m, purge);
	m->purge_ns = 0;
}

void idle_join(struct worker *w, struct link *l)
{
	struct server_worker *m = mine(w, l->server);

	TAILQ_INSERT_HEAD(&m->idle, l, of_server);
	put(&m->n_idle, get(&m->n_idle) + 1);
	if (!m->purge_ns)
		plan_purge(w, m, l->server);
}

void idle_leave(struct worker *w, struct link *l)
{
	struct server_worker *m = mine(w, l->server);

	TAILQ_REMOVE(&m->idle, l, of_server);
	put(&m->n_idle, get(&m->n_idle) - 1);
}

/* ---- How many ---- */

/* max-reuse, pool-max-conn, pool-purge-delay. */
static bool is_allowed(const struct worker *w, const struct cfg_server *c, const struct link *l, bool is_shared)
{
	uint32_t n = 0;

	if (c->max_reuse >= 0 && l->used >= (unsigned)c->max_reuse)
		return false;
	if (!is_shared)
		return true;
	if (c->has_purge && !c->purge_ns)
		return false;
	for (unsigned i = 0; c->pool_max >= 0 && i < w->engine->n_workers; i++)
		n += get(&l->server->worker[i].n_idle);
	return c->pool_max < 0 || n < (unsigned)c->pool_max;
}

bool idle_may_wait(const struct worker *w, const struct link *l, bool is_shared)
{
	const struct cfg_server *c = atomic_load_explicit(&l->server->pooled, memory_order_acquire);
	const struct server_worker *m = mine(w, l->server);
	uint32_t low = 0;

	if (c && !is_allowed(w, c, l, is_shared))
		return false;
	if (!is_shared || !get(&m->n_idle))
		return true;
	if (c) /* the server's: each worker has its part */
		low = c->pool_low / w->engine->n_workers + (c->pool_low % w->engine->n_workers > w->index);
	return (uint64_t)m->n_used + get(&m->n_idle) <= (uint64_t)get(&m->need) + low;
}

static void close_idle(struct worker *w, struct link *l)
{
	idle_leave(w, l);
	link_close(w, l);
}

static void purge(struct worker *w, struct server_worker *m)
{
	struct link *l = TAILQ_LAST(&m->idle, link_list);
	const struct server *s = l ? l->server : NULL;
	uint32_t total = m->n_used + get(&m->n_idle), need = get(&m->need), excess;

	forget_purge(w, m);
	if (!s)
		return;
	excess = total > need ? total - need : 0;
	need = (need + m->max_used) / 2;
	put(&m->need, need > m->max_used ? need : m->max_used);
	m->max_used = m->n_used;
	for (uint32_t n = excess - excess / 2; n && (l = TAILQ_LAST(&m->idle, link_list)); n--)
		close_idle(w, l);
	if (!TAILQ_EMPTY(&m->idle))
		plan_purge(w, m, s);
}

void links_purge(struct worker *w)
{
	struct server_worker *m;

	while ((m = TAILQ_FIRST(&w->http->purge)) && m->purge_ns <= w->now_ns)
		purge(w, m);
}

/* ---- Closed at once ---- */

void links_close_of(struct worker *w, struct server *s)
{
	struct server_worker *m = mine(w, s);
	struct link *l;

	while (w->http && (l = TAILQ_FIRST(&m->idle)))
		close_idle(w, l);
}

void links_close_idle(struct worker *w)
{
	struct server_worker *m;
	struct link *l;

	while ((m = TAILQ_FIRST(&w->http->purge))) {
		while ((l = TAILQ_FIRST(&m->idle)))
			close_idle(w, l);
		forget_purge(w, m); /* its server may go */
	}
}

bool links_close_one(struct worker *w)
{
	const struct server_worker *m;
	struct link *l;

	TAILQ_FOREACH (m, &w->http->purge, purge)
		if ((l = TAILQ_LAST(&m->idle, link_list))) {
			close_idle(w, l);
			return true;
		}
	return false;
}
