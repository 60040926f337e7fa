/* SPDX-License-Identifier: MIT */
/* Between threads: what one has another do, and what keeps their data apart. */
#ifndef PROXYD_ENGINE_THREADS_H
#define PROXYD_ENGINE_THREADS_H

#include <stdbool.h>
#include <sys/queue.h>

struct worker;

#define CACHE_LINE 64 /* bytes: what different threads write lies that far apart */

/* From any thread to a worker: see worker_post(). */
struct command {
	STAILQ_ENTRY(command) link;
	void (*fn)(struct worker *w, void *arg);
	void *arg;
	bool borrowed; /* it is part of what `arg` points to */
};

/* From a worker to the control thread: see engine_post(). */
struct message {
	STAILQ_ENTRY(message) link;
	void (*fn)(void *arg);
	void *arg;
	bool borrowed; /* it is part of what `arg` points to */
};

#endif
