/* SPDX-License-Identifier: MIT */
/*
 * /metrics for Prometheus: the names of keepalived's exporters, whose dashboards go on to work, and our own
 * (hawser_…). docs/metrics.md lists them. Off unless --metrics says where.
 */
#ifndef VIPD_METRICS_H
#define VIPD_METRICS_H

#include <stdio.h>

#include "supervisor/state.h"

/* All of them in the text format 0.0.4. 0 or -ENOMEM. */
int metrics_write(const struct supervisor *s, FILE *to);

/*
 * control/metrics_http.c: serves them over HTTP at `where`: ADDRESS:PORT of the loopback, or a path of a unix
 * socket. 0 or -errno, said.
 */
struct metrics_server;
int metrics_serve(struct supervisor *s, const char *where, struct metrics_server **ret);
void metrics_server_free(struct metrics_server *m);

#endif
