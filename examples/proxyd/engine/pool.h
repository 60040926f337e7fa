/* SPDX-License-Identifier: MIT */
/*
 * What stays of a backend over reloads: its group in libsched, its servers, and who waits for one of them. A seeker is who wants a
 * server; it is part of a TCP session and of an HTTP exchange.
 */
#ifndef PROXYD_ENGINE_POOL_H
#define PROXYD_ENGINE_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libsched/lb.h>

#include "conn.h"
#include "server.h"

struct backend;

#define SEEKER_EXCLUDE_MAX 8

/* Of those who had to wait, or whose server failed them. */
struct seeker_more {
	struct seeker *seeker;		/* while it is queued */
	TAILQ_ENTRY(seeker_more) link;	/* of the queue of its pool */
	int64_t turn;			/* there, lowest first */
	struct server *bound;		/* the one it waits for; NULL: any */
	struct server *left;		/* the one it waited for, until it has one: see seeker_told() */
	struct server *failed;		/* it left this one, and has no other yet; NULL: it did not */
	uint64_t queued_ns;		/* how long it was there; means nothing while it is */
	uint32_t turns;			/* of the pool, or of `bound`, when it came */
	uint32_t pool_place, server_place; /* for the log, as HAProxy counts: 1 is the first; 0: it never waited there */
	bool keyless; /* what its algorithm hashes is not there: the servers take turns */
	uint8_t n_exclude;
	uint64_t exclude[SEEKER_EXCLUDE_MAX]; /* servers that failed it */
};

struct seeker {
	struct backend *backend;
	struct server *server; /* counted by the group; NULL: none */
	bool is_http;	       /* what it is part of */
	bool queued;
	struct conn_attempts attempts;
	int32_t priority;	  /* as rules say: class and offset, see seek.c */
	uint64_t key;		  /* for the algorithms that hash */
	struct seeker_more *more; /* NULL: it had no trouble, and has a key */
};

/* Its server, or the one that it waited for in vain; NULL: it had none. For what is logged and counted. */
static inline struct server *seeker_told(const struct seeker *k)
{
	return k->server ? k->server : k->more ? k->more->left : NULL;
}

static inline uint64_t seeker_queued_ns(const struct seeker *k)
{
	return k->more ? k->more->queued_ns : 0;
}

TAILQ_HEAD(seeker_queue, seeker_more);

struct pool_worker {
	_Alignas(CACHE_LINE) struct seeker_queue queue; /* who waits for a server */
	struct lb_picker *picker; /* NULL until it picks: see pool_picker() */
	struct pool *pool;
	LIST_ENTRY(pool_worker) entry; /* of its worker, while the queue is not empty */
	_Atomic int64_t first; /* the turn of the first one there who takes any server, for other workers; NOBODY */
};

#define NOBODY INT64_MAX

struct pool {
	LIST_ENTRY(pool) entry, named; /* of the engine; of its bucket there */
	unsigned refs;
	char *name;
	const struct set *in; /* the last set it is in */
	pthread_mutex_t editing; /* held for libsched's calls that are [editor]'s */
	struct lb_group_opts balance; /* of the group; slow start: the longest of its servers */
	struct lb_group *group; /* NULL until somebody picks */
	TAILQ_HEAD(, server) servers;
	_Atomic unsigned n_up, n_up_backup; /* servers that new connections go to: `balanced` */
	_Atomic uint64_t waiting;	       /* a bit per worker whose queue is not empty */
	_Atomic uint32_t n_sessions, n_queued; /* for the log */
	_Atomic uint32_t n_bound; /* of those, who wait for a certain server */
	_Atomic uint32_t n_turns; /* who waited for any, and were served; wraps */
	struct tally *tally;
	uint64_t changed_ns, down_ns; /* since when it is as it is; how long it was down before */
	uint64_t n_down;
	bool down_untold; /* the last change of a server took the last one away, and server_tell_none() did not come yet */
	struct { /* an operator's word, until the next configuration */
		enum { COOKIE_AS_CONFIGURED, COOKIE_DYNAMIC, COOKIE_NOT_DYNAMIC } dynamic;
		char *key; /* NULL: as configured */
	} cookie;
	struct pool_worker worker[];
};

/* Its servers' shares grow after a start. */
static inline bool pool_ramps(const struct pool *p)
{
	return p->balance.slow_start_ns;
}

/* Who wait for whichever server is free first. Between the two looks others may come. */
static inline uint32_t pool_queue(const struct pool *p)
{
	uint32_t bound = atomic_load_explicit(&p->n_bound, memory_order_relaxed);
	uint32_t all = atomic_load_explicit(&p->n_queued, memory_order_relaxed);

	return all > bound ? all - bound : 0;
}

/* Who have it for their backend: with a server, or waiting. */
static inline uint32_t pool_sessions(const struct pool *p)
{
	return atomic_load_explicit(&p->n_sessions, memory_order_relaxed) +
	       atomic_load_explicit(&p->n_queued, memory_order_relaxed);
}

#endif
