/* SPDX-License-Identifier: MIT */
/* What socket.c, which accepts, and conn.c, which answers, share. */
#ifndef PROXYD_RUNTIME_CONN_H
#define PROXYD_RUNTIME_CONN_H

#include <sys/queue.h>

#include "runtime.h"

struct runtime {
	struct runtime_opts opts;
	struct loop *loop; /* NULL: not joined yet */
	LIST_HEAD(, socket) sockets;
	LIST_HEAD(, runtime_conn) conns;
	unsigned n_sockets, n_conns, max_conns;
	uint64_t timeout_ns, last_id;
	int spare_fd; /* given up when no other is left, so that an operator gets in; -1: in use */
	struct loop_source *retry;
};

/* Takes `fd`; it ends by itself. */
void conn_start(struct runtime *r, int fd, enum cfg_stats_level level, enum cfg_severity severity, bool exposes, bool master);
void conn_free(struct runtime_conn *c);

/* socket.c: the next may come. */
void runtime_conn_ended(struct runtime *r);

#endif
