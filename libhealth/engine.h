/* SPDX-License-Identifier: MIT */
/*
 * The inside of the engine. A check is always in exactly one of these conditions:
 *
 *	PAUSED    nowhere
 *	FRESH     in engine.fresh: waits for a dispatch to give it a time
 *	IDLE      in engine.timers: waits for that time
 *	WAITING   in engine.waiting: due, waits for a token and a free place
 *	CONNECT   has an fd, and its timeout in engine.timers
 *	TALK      the same, connected
 *
 * engine.c moves checks between them and holds the one dispatch; conn.c is the socket's part of the last
 * two; check.c judges, plans and tells, and is what the host asks of one check.
 */
#ifndef LIBHEALTH_ENGINE_H
#define LIBHEALTH_ENGINE_H

#include <netinet/in.h>
#include <stdalign.h>
#include <sys/socket.h>

#include <libhealth/health.h>

#include "base/heap.h"
#include "base/list.h"
#include "dialogue.h"
#include "spread.h"

#define UNPLANNED UINT64_MAX /* planned_ns of a check that runs out of its turn */
#define RECEIVE_BYTES 16384  /* of one recv */

enum condition { PAUSED, FRESH, IDLE, WAITING, CONNECT, TALK };

struct health_engine {
	struct health_engine_ops ops;
	void *userdata;
	uint64_t seed;
	uint32_t max_in_flight, batch;
	int epoll_fd;
	unsigned int depth; /* > 0: inside a call that may call back */
	struct bucket bucket;
	struct health_probe *tcp; /* for checks without a probe */
	struct heap timers;	  /* health_check.timer: starts and timeouts */
	struct heap filters;	  /* health_check.filter_timer: silence and settling */
	struct list checks;
	struct list fresh, waiting;
	struct list graves; /* removed inside a callback; freed when it is safe */
	uint64_t next_id;
	struct health_engine_stats stats;
	uint8_t received[RECEIVE_BYTES];
};

struct health_check {
	struct health_engine *engine;
	void *userdata;
	struct list all;   /* engine.checks or engine.graves */
	struct list queue; /* engine.fresh or engine.waiting */
	struct heap_node timer, filter_timer;
	enum condition condition;
	bool removed;
	bool at_once; /* FRESH: not spread */

	/* what it is */
	struct health_probe *probe;
	struct sockaddr_storage destination;
	struct sockaddr *source; /* owned; NULL: none */
	socklen_t destination_len, source_len;
	char device[HEALTH_DEVICE_MAX + 1];
	uint32_t fwmark, flags, jitter_percent;
	uint64_t timeout_ns, connect_timeout_ns, start_within_ns;
	uint64_t id;

	/* the plan and the run */
	uint64_t planned_ns, start_ns, connect_ns, late_ns;
	uint64_t starts;
	int fd;	      /* -1: none */
	bool watched; /* in the epoll set */
	struct dialogue dialogue;
	const uint8_t *send;
	size_t send_len;
	uint16_t port;	    /* of this connection, when the probe chose one; 0: the destination's */
	uint16_t reconnects; /* in this run */

	/* what came of it */
	struct health_filter filter;
	struct health_result last; /* last.text points to text */
	char text[HEALTH_TEXT_MAX];
	uint64_t runs, failures, late, skipped;

	alignas(max_align_t) unsigned char state[]; /* the probe's */
};

static inline bool check_in_flight(const struct health_check *c)
{
	return c->condition == CONNECT || c->condition == TALK;
}

/* The port, not 0 when there is one; its byte order is of no interest here. */
static inline in_port_t address_port(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return ((const struct sockaddr_in *)(const void *)sa)->sin_port;
	if (sa->sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)(const void *)sa)->sin6_port;
	return 0;
}

/* engine.c */

/* Around calls that may call back; the outermost leave frees what was removed meanwhile. */
void engine_enter(struct health_engine *e);
void engine_leave(struct health_engine *e);

/* A check leaves whatever condition it is in, for PAUSED; a run ends without a result. */
void check_halt(struct health_check *c);
/* From PAUSED: the next dispatch gives it a time. */
void check_refresh(struct health_check *c, bool at_once);
/* Nowhere or FRESH or IDLE: now it waits its turn to start. */
void check_enqueue(struct health_check *c);
/* Arms the timer of a check; there is room for every check. */
void check_arm(struct health_check *c, uint64_t deadline_ns);

/* check.c */

/* A run ended with this answer: takes it down, feeds the filter, plans the next, tells the host. */
void check_finish(struct health_check *c, const struct health_probe_io *answer, int error,
		  uint64_t now_ns);
/* The filter's clock rang. */
void check_tick(struct health_check *c, uint64_t now_ns);
/* The clock of the filter follows what the filter says. */
void check_arm_filter(struct health_check *c);
void check_free(struct health_check *c);

/* conn.c */

/* Opens the socket and connects; may finish the check at once. */
void conn_start(struct health_check *c, uint64_t now_ns);
void conn_event(struct health_check *c, uint64_t now_ns);
/* The time is over; but an answer that waits in the socket is still heard. */
void conn_timeout(struct health_check *c, uint64_t now_ns);
/* Closes the socket and forgets the dialogue; harmless without. */
void conn_close(struct health_check *c);

#endif
