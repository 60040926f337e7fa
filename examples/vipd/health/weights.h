/* SPDX-License-Identifier: MIT */
/*
 * The weights of all real servers, two tables in shared memory. One is health's: what it wants (QUORUM_ABSENT: not there). The kernel
 * process looks into it when it is told to (MSG_COMMIT), so thousands of servers are one message. The other is the kernel
 * process's: what it took from there last. By it its successor knows at a reload what IPVS has, and need not ask.
 *
 * Both are in the order of the configuration: of each virtual server its real servers, then a place for its sorry server.
 */
#ifndef VIPD_WEIGHTS_H
#define VIPD_WEIGHTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "health/quorum.h"

struct weights_held {
	uint64_t audited_ns; /* when the kernel's table was read last */
	uint32_t backend;    /* said at the end: that one (msg.h) has these weights, and nothing else of ours; 0: not known */
	int32_t weight[];
};

struct weights {
	size_t n_virtuals, n;
	_Atomic uint32_t *turn; /* of each virtual server; odd: it is being written, 0: never was */
	_Atomic int32_t *wanted;
	struct weights_held *held;
};

/* 0 or -ENOMEM. */
int weights_new(const struct conf *c, struct weights **ret);
void weights_free(struct weights *w);
/* In a child: the memory of others goes. */
void weights_leave_wanted(struct weights *w);
void weights_leave_held(struct weights *w);
/* In the kernel process: what is wanted is only read. */
void weights_seal_wanted(struct weights *w);

/* How many places the virtual server with most of them has. */
size_t weights_places_max(const struct conf *c);

/* Of virtual server `index`, whose `n` places begin at `first`. */
void weights_want(struct weights *w, size_t index, size_t first, const int32_t *weight, size_t n);

/*
 * What health will want when it begins, all being taken for true that a check has to refute: the kernel process need not wait for it. Of
 * virtual servers with FILE_CHECK or BFD_CHECK nothing is said: their state is known elsewhere. 0 or -ENOMEM.
 */
int weights_begin(struct weights *w, const struct conf *c);

/* Something was said of every virtual server: of one of which nothing was, the kernel process would take all real servers away. */
bool weights_are_said(const struct weights *w);

/*
 * What is wanted of it now: 1. 0: nobody said anything, or it is just being written, and a commit will follow. -EBADMSG: weights that
 * there are not.
 */
int weights_read(const struct weights *w, size_t index, size_t first, int32_t *ret, size_t n);

#endif
