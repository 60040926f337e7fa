/* SPDX-License-Identifier: MIT */
/*
 * The engine carries connections: one worker thread per core, each with its own epoll, listeners
 * and connections, and the control thread (the caller), which owns configuration and health. Calls
 * below are the control thread's; they never wait for a worker but engine_free.
 *
 *	control thread                         worker threads
 *	--------------                         --------------
 *	cfg ──► engine_apply ── struct set ──► adopt it, let go of the last one
 *	health check ── lb_group_commit ─────► the next lb_pick sees it
 *	engine_drain ────────────────────────► close listeners, finish connections
 *
 * Shared between threads are only: libsched's groups (their own rules), the gates that count
 * connections against maxconn, and small words of "something waits here" bits.
 */
#ifndef PROXYD_ENGINE_ENGINE_H
#define PROXYD_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cfg/cfg.h"

struct engine;
struct passed;
struct passed_socket;
struct ask;
struct loop;

struct engine_opts {
	unsigned threads; /* 1..CFG_THREADS_MAX */
	int nap_us;	  /* see tune.coalesce-us */
	bool no_splice;	  /* large bodies are copied */
	bool busy;	  /* workers look for events without a rest */
	bool follows;	  /* another process, which ends when this one runs */
	struct passed *passed; /* from another process: what the first configuration does not take is closed; NULL: nothing */
	unsigned pipe_size; /* bytes of a pipe for large bodies; 0: the default */
	/* Answers a request for statistics: sets status and text of `ask` (ask.h). NULL: there are none. */
	void (*answer)(void *userdata, struct ask *ask);
	/* Drained, and no connection is left; called by the loop. NULL: nobody asks. */
	void (*idle)(void *userdata);
	void *userdata;
};

/* 0 or -errno; `passed` is the engine's then. Threads start with engine_start. */
int engine_new(const struct engine_opts *o, struct engine **ret);

/*
 * Makes `cfg` the one that runs, with at most `maxconn` connections of the process. All or nothing: on failure ret_error says why (what, where) and
 * everything is as before. On success the engine owns cfg.
 */
int engine_apply(struct engine *e, struct cfg *cfg, unsigned maxconn, char *ret_error, size_t cap);

/*
 * Takes up what was made anew of the running configuration's fronts and backs (cfg/tls.h): new connections get it, those that are there
 * keep what they began with. 0; or -errno and *ret_error, and everything is as before.
 */
int engine_renew(struct engine *e, char *ret_error, size_t cap);

/* Starts the workers; after fork and setuid. 0 or -errno. */
int engine_start(struct engine *e);

/*
 * Puts worker n on the CPUs of map[n], or on those that the process had at its start if that is empty or `map` is
 * NULL. Tells what the system refuses.
 */
void engine_place(struct engine *e, const cpu_set_t *map);

/*
 * New connections go to the process that listens on the same addresses since later, if there is one; who has begun
 * a handshake here is accepted here. That process takes the order back when this one has gone.
 */
void engine_steer_away(struct engine *e);
void engine_steer_back(struct engine *e);

/* The listening sockets that a successor can take over, at most `max`; how many. The names are the engine's, for this turn of the loop. */
size_t engine_passable(const struct engine *e, struct passed_socket *to, size_t max);

/* No new connections; `idle` is called when the last one has ended. */
void engine_drain(struct engine *e);

/* Ends all connections and threads, and frees. NULL is fine. */
void engine_free(struct engine *e);

/*
 * From here on the loop serves the control thread's work: news of workers, checks, answers of names, rings, forwarded
 * log lines and mail. 0 or -errno.
 */
int engine_join(struct engine *e, struct loop *l);

/* Connections open now, accepted ever. */
void engine_count(const struct engine *e, uint64_t *ret_open, uint64_t *ret_total);
/* How often memory ran out for one. */
uint64_t engine_starved(const struct engine *e);

unsigned engine_threads(const struct engine *e);

#define ENGINE_THREAD_DESCRIPTORS 14u /* its events, clock and mailbox, three logs, a pipe, six sockets that are closed together */
#define ENGINE_SPENT_MAX 64u /* sockets that a thread keeps a moment for its next sessions: spent.c */

/* The configuration that runs; NULL before the first engine_apply. */
struct set;
const struct set *engine_set(const struct engine *e);

/* How many listening addresses the running configuration has. */
size_t engine_listeners(const struct engine *e);

#endif
