/* SPDX-License-Identifier: MIT */
/*
 * A gate counts connections against a maxconn. A frontend's outlives its configurations, and with it what an operator said and what
 * was counted; the process has one more.
 */
#ifndef PROXYD_ENGINE_GATE_H
#define PROXYD_ENGINE_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "threads.h"

struct tally;

/* What is counted of one address of a frontend, over reloads: connections that came there point to it. */
struct gate_listener {
	LIST_ENTRY(gate_listener) entry;
	char *text;
	struct tally *tally;
};

struct gate {
	LIST_HEAD(, gate_listener) listeners; /* with option socket-stats */
	LIST_ENTRY(gate) entry;
	unsigned refs;
	char *name; /* the frontend's */
	struct tally *tally; /* the frontend's, too */

	/* The control thread's: an operator's words. */
	bool paused, shut;	   /* nothing is accepted, for now or for good */
	uint32_t max_before_pause; /* `max`, when he pauses */
	uint32_t max_by_hand;	   /* 0: as configured */

	/* Any thread reads them. */
	_Atomic uint32_t rate_max; /* sessions a second; 0: any number */
	_Atomic uint32_t max;

	/* Workers write them. */
	_Alignas(CACHE_LINE) _Atomic uint32_t n; /* connections that are in */
	_Atomic uint64_t waiting; /* a bit per worker that paused its listeners here */
	_Atomic uint64_t told_ns; /* when the log last said that it is full; 0: never */
	_Atomic uint32_t n_lines; /* of the log, about its requests and sessions */
};

#endif
