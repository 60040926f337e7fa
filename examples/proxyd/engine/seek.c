/* SPDX-License-Identifier: MIT */
/* Choosing a server, waiting for one, and giving it back; alike for TCP sessions and HTTP exchanges. */
#include "count.h"

#include <errno.h>
#include <stdlib.h>

/* 0: k->server is counted; -EAGAIN: all are full; -ENOSR: there is none. */
int seeker_pick(struct worker *w, struct seeker *k, const struct server *prefer)
{
	struct pool *p = k->backend->pool;
	struct lb_request r = {
	    .size = sizeof(r),
	    .key64 = k->key,
	    .now_ns = w->now_ns,
	    .prefer = (uintptr_t)prefer,
	    .exclude = k->exclude,
	    .n_exclude = k->n_exclude,
	};
	uint64_t id;
	int e = lb_pick(p->worker[w->index].picker, &r, &id);

	if (e < 0)
		return e;
	k->server = (struct server *)(uintptr_t)id;
	count_pick(w, k, 1 + atomic_fetch_add_explicit(&k->server->n_sessions, 1, memory_order_relaxed),
		   1 + atomic_fetch_add_explicit(&p->n_sessions, 1, memory_order_relaxed), k->server != prefer);
	return 0;
}

int seeker_pick_other(struct worker *w, struct seeker *k)
{
	int e = seeker_pick(w, k, NULL);

	if (e != -ENOSR || !k->n_exclude)
		return e;
	k->n_exclude = 0;
	return seeker_pick(w, k, NULL);
}

int seeker_pick_first(struct worker *w, struct seeker *k, const struct server *prefer)
{
	struct pool_worker *pw = &k->backend->pool->worker[w->index];

	return TAILQ_EMPTY(&pw->queue) ? seeker_pick(w, k, prefer) : -EAGAIN;
}

/* As HAProxy does: who may redispatch and only takes turns goes on to the next server, without a rest. */
static int redispatch_after(const struct backend *b)
{
	return b->redispatch && b->rotates && b->pool->n_up > 1 ? 1 : b->redispatch;
}

enum conn_retry seeker_failed(struct worker *w, struct seeker *k, unsigned how)
{
	enum conn_retry next;

	if (!(k->backend->retry_on & how))
		return CONN_GIVE_UP;
	next = conn_connect_failed(&k->attempts, k->backend->retries, redispatch_after(k->backend));
	if (next != CONN_GIVE_UP)
		count_both(w, k, next == CONN_REDISPATCH ? COUNT_REDISPATCHES : COUNT_RETRIES);
	return next;
}

void seeker_exclude(struct worker *w, struct seeker *k)
{
	if (!k->exclude)
		k->exclude = calloc(SEEKER_EXCLUDE_MAX, sizeof(*k->exclude));
	if (k->exclude && k->n_exclude < SEEKER_EXCLUDE_MAX) /* else it may be tried twice */
		k->exclude[k->n_exclude++] = (uintptr_t)k->server;
	seeker_drop_server(w, k, LB_RESULT_CONNECT, 0);
}

/* Wakes one worker whose queue is not empty: the next one behind us, so that all have their turn. */
static void wake_waiting(struct worker *w, struct pool *p)
{
	uint64_t waiting = atomic_load(&p->waiting);

	for (unsigned i = 1; waiting && i <= w->engine->n_workers; i++) {
		unsigned k = (w->index + i) % w->engine->n_workers;

		if (waiting >> k & 1) {
			worker_poke(w->engine->worker[k], POKE_QUEUE);
			return;
		}
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
	lb_done(p->worker[w->index].picker, (uintptr_t)k->server, &o);
	atomic_fetch_sub_explicit(&k->server->n_sessions, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&p->n_sessions, 1, memory_order_relaxed);
	k->server = NULL;
	wake_waiting(w, p);
}

/* ---- The queue: the bit tells other threads, the list this one, that somebody waits here ---- */

void seeker_enqueue(struct worker *w, struct seeker *k)
{
	struct pool *p = k->backend->pool;
	struct pool_worker *pw = &p->worker[w->index];

	if (TAILQ_EMPTY(&pw->queue)) {
		LIST_INSERT_HEAD(&w->waiting, pw, entry);
		atomic_fetch_or(&p->waiting, UINT64_C(1) << w->index);
	}
	TAILQ_INSERT_TAIL(&pw->queue, k, link);
	k->queued = true;
	k->queued_ns -= w->now_ns; /* and the other end is added */
	counter_max(&counters_of(p->tally, w->index)->queue_max,
		    1 + atomic_fetch_add_explicit(&p->n_queued, 1, memory_order_relaxed));
	/* Now that others know, another look: a server freed in between woke nobody. */
	worker_poke(w, POKE_QUEUE);
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
	k->queued_ns += w->now_ns;
	TAILQ_REMOVE(&pw->queue, k, link);
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
	free(k->exclude);
	k->exclude = NULL;
	k->n_exclude = 0;
}

void queue_run(struct worker *w, struct pool *p)
{
	struct seeker_queue *q = &p->worker[w->index].queue;
	struct seeker *k;

	while ((k = TAILQ_FIRST(q)) && seeker_pick_other(w, k) == 0) {
		seeker_leave_queue(w, k);
		if (k->is_http)
			exchange_turn(
			    w, (struct exchange *)((char *)k - offsetof(struct exchange, seeker)));
		else
			session_turn(
			    w, (struct session *)((char *)k - offsetof(struct session, seeker)));
	}
}
