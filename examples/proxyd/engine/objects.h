/* SPDX-License-Identifier: MIT */
/*
 * What the engine is made of, and who owns it.
 *
 *	struct engine   all of it; the control thread's but for what is atomic or under a lock.
 *	struct worker   a thread, its epoll, its connections.
 *	struct set      one configuration as the workers see it: frontends and backends, never
 *	(set.h)         changed. Lives until every worker has moved on and its last connection is
 *	                over; sets are freed in the order of their making.
 *	struct pool     what stays of a backend over reloads: its libsched group, a picker and a
 *	(pool.h)        queue per worker, its servers.
 *	struct server   one server: address, check, counters. Its address in memory is its id.
 *	struct listener one bound address: a socket per worker (set.h).
 *	struct gate     counts connections against a maxconn.
 *	struct session  one connection of mode tcp. Those of mode http are in http/http.h.
 *
 * Pools, servers, listeners and gates are counted by the sets that use them, in the control thread only.
 */
#ifndef PROXYD_ENGINE_OBJECTS_H
#define PROXYD_ENGINE_OBJECTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "cfg/cfg.h"
#include "counters.h"
#include "engine.h"
#include "nap.h"
#include "rules/vars.h"
#include "session.h"
#include "threads.h"
#include "timer.h"

struct client;
struct dns;
struct forwards;
struct http_worker;
struct mails;
struct rings;
struct peers;

/* Of a timer. */
enum timer_owner {
	TIMER_SESSION,
	TIMER_CLIENT,
};

/* ---- A worker ---- */

#define HANDED_MAX 16u

#define WORKER_SCRATCH 16384u
#define WORKER_SCRATCH_BULK 262144u

/* How much one connection does before others have their turn, and bytes that take the time of an event. */
#define TURN_STEPS 64u
#define TURN_BYTES 262144u
#define EVENT_BYTES 16384u

#define POKE_GATE 1u
#define POKE_QUEUE 2u

#define SPENT_HOSTS 32u /* see spent.c */

struct worker {
	struct engine *engine;
	unsigned index;
	pthread_t thread;
	bool started, quit, draining;
	uint64_t drain_ns; /* since when it is draining */
	int epoll_fd;
	struct handle wake, alarm;
	uint64_t alarm_ns; /* when it rings; TIMER_NEVER: not set */
	uint64_t now_ns;
	struct timers timers;
	struct set *set; /* adopted last */
	struct session_queue again, bulk, dead, fading;
	LIST_HEAD(, session) sessions;
	struct http_worker *http; /* NULL: no HTTP yet */
	LIST_HEAD(, socket_handle) paused, deferring;
	LIST_HEAD(, pool_worker) waiting;
	uint64_t accept_retry_ns; /* descriptors ran out: try again then; TIMER_NEVER: not so */
	uint64_t defer_check_ns;  /* TIMER_NEVER: none defers */
	uint64_t spent_drop_ns;   /* TIMER_NEVER: no session has left a socket */
	uint64_t count_ns;	  /* option contstats: when bytes are counted next; TIMER_NEVER: not before the end */
	uint64_t fd_warned_ns, tls_warned_ns, starved_warned_ns;
	uint64_t dice; /* how often rules were run: for their random numbers */
	uint32_t n_requests; /* what came for one, too */
	unsigned n_sessions, n_spent;
	size_t moved; /* bytes, by the connection whose turn it is */
	/* Hosts that sessions went to, the oldest gives way. */
	struct spent_host {
		struct endpoint at;	    /* without a port */
		uint32_t turn;		    /* of `host_turns`, when it came; 0: nobody's place */
		struct session_queue spent; /* sessions that have left a socket */
	} host[SPENT_HOSTS];
	uint32_t host_turns;
	struct nap nap;
	bool crowded; /* more wait to be accepted */
	struct set *left; /* in this turn, whose events may still name their listeners: let go at its end; linked by left_before */
	bool hands_over; /* tune.listener.multi-queue, of the last set */
	unsigned next_look; /* see handover.c */
	int log_fd[3]; /* datagram sockets for IPv4, IPv6, unix; -1: not opened yet */
	char *large;   /* WORKER_SCRATCH_BULK, when first needed */
	uint32_t head_max, fields_max; /* bytes and fields of an HTTP head, of the last set */
	uint32_t line_max; /* bytes of a request line in the log, of the last set */
	int pipe[2];   /* see pipe.c; -1: not opened yet */
	_Alignas(CACHE_LINE) _Atomic uint64_t n_open; /* and on the way here: see handover.c */
	_Atomic uint64_t n_total;
	_Atomic uint64_t n_handed, n_refused; /* it was handed; it would have handed over, to one who had enough */
	_Atomic uint64_t n_starved; /* had no memory, or another of the system's resources */
	_Atomic uint64_t n_loops, n_events; /* of epoll, and what it told */
	/* mailbox */
	_Alignas(CACHE_LINE) _Atomic unsigned poke;
	pthread_mutex_t lock;
	STAILQ_HEAD(, command) commands;
	struct command drain, leave; /* they must reach it, memory or not */
	struct handed {
		bool closed; /* no more come */
		unsigned n;
		struct accepted of[HANDED_MAX];
	} handed; /* under `lock` */
	char scratch[WORKER_SCRATCH];
};

/* ---- The engine ---- */

LIST_HEAD(pool_list, pool);

struct engine {
	struct engine_opts opts;
	unsigned n_workers;
	cpu_set_t cpus; /* of the process at its start */
	struct worker **worker;
	struct gate gate;	 /* of the process */
	STAILQ_HEAD(, set) sets; /* the last one runs */
	struct pool_list pools, *pools_named; /* all; by a hash of the name, in `n_buckets`: a power of two */
	size_t n_buckets;
	LIST_HEAD(, gate) gates;
	LIST_HEAD(, listener) listeners;
	struct tally *tally;	 /* of the process */
	struct tally *tls_clients, *tls_servers;
	struct tally *compressed; /* bytes a second: before it as connections, after it as sessions */
	struct vars_total variables; /* of rules */
	uint64_t started_ns;
	unsigned n_applied; /* configurations so far */
	uint32_t n_sets;    /* made so far */
	unsigned maxconn; /* of the process, as configured */
	struct engine_limits {
		_Atomic uint32_t connection_rate, session_rate, tls_rate; /* of a second; 0: any number */
		_Atomic uint32_t tls_open; /* connections with TLS, of both sides; 0: any number */
		_Atomic uint32_t compression_rate; /* bytes a second, of those in front of it; 0: any number */
	} limits;
	struct health_engine *health;
	bool check_ports; /* one may have moved: checks_follow_ports() */
	struct dns *dns; /* names of servers; resolve.c */
	unsigned spread_checks; /* percent */
	struct first_checks {
		uint64_t least_ns, most_ns; /* the shortest interval; max-spread-checks, 0: none */
		unsigned n, next;
	} first; /* of a configuration that begins; check/first.c */
	unsigned n_slow;	/* pools with a slowstart */
	int requeue_fd; /* requeue.c; -errno: the kernel does not give it */
	int wake_fd;
	pthread_mutex_t lock; /* of what workers hand to the control thread */
	STAILQ_HEAD(, message) messages;
	_Atomic unsigned n_asks; /* of workers, see ask.h */
	_Atomic unsigned n_name_asks; /* the same, see name_ask.h */
	pthread_mutex_t refused_lock;
	TAILQ_HEAD(refused_list, refused) refused;
	unsigned n_refused_kept;
	uint64_t n_refused; /* ever */
	int log_fd[3];		 /* as a worker's */
	struct rings *rings;
	struct peers *peers;
	struct forwards *forwards;
	struct mails *mails;
	bool ending;		 /* no worker is left */
	bool started, draining, idle_told;
	_Atomic unsigned n_drained; /* workers without listeners and sessions, while draining */
};

#endif
