/* SPDX-License-Identifier: MIT */
/*
 * Names of checks become addresses, without blocking: resolve.c by c-ares, noresolve.c not at all. A name is
 * kept once, for all checks that use it.
 */
#ifndef LIBHEALTH_RESOLVE_H
#define LIBHEALTH_RESOLVE_H

#include "engine.h"

struct name;

/* 0 or -errno; -EOPNOTSUPP: this library looks no names up. `family` 0: either. */
int resolver_use(struct health_engine *e, const char *host, int family, struct name **ret);
/* NULL is fine. */
void resolver_drop(struct name *n);
void resolver_free(struct resolver *r);

/* The check is in NAME: calls conn_resolved or finishes it, now or from a later event. */
void resolver_ask(struct health_check *c, uint64_t now_ns);

/* c-ares repeats and gives up by its own clock. */
uint64_t resolver_deadline(const struct resolver *r);
void resolver_ring(struct resolver *r, uint64_t now_ns);

/* conn.c: the name has an address; or there is none. */
void conn_resolved(struct health_check *c, const struct sockaddr *address, socklen_t len,
		   uint64_t now_ns);
void conn_no_such_name(struct health_check *c, uint64_t now_ns);

#endif
