/* SPDX-License-Identifier: MIT */
/*
 * The probes of key-value stores: Redis (HAProxy's `option redis-check`, Envoy's redis checker) and
 * memcached.
 *
 *	probe                                   Redis
 *	AUTH [user] password            ──►                     (with a password)
 *	                                ◄──     +OK
 *	PING                            ──►
 *	                                ◄──     +PONG
 *	EXISTS key                      ──►                     (with absent_key)
 *	                                ◄──     :0
 *	ROLE                            ──►                     (with a role)
 *	                                ◄──     *3 $6 master …
 *
 *	probe                                   memcached
 *	version                         ──►
 *	                                ◄──     VERSION 1.6.18
 *
 * Commands go as RESP arrays of bulk strings. A server that loads its data, or a replica that lost
 * its master, answers with an error: the check fails with the server's own word for it.
 */
#ifndef LIBHEALTH_PROBE_STORE_H
#define LIBHEALTH_PROBE_STORE_H

#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_REDIS_WORD_MAX 255 /* characters of user, password and absent_key */

/* What health_probe_new takes with health_probe_redis(). All is copied; printable ASCII. */
struct health_redis_opts {
	size_t size;
	const char *user;     /* Redis 6 and later; only with a password; NULL: "default" */
	const char *password; /* NULL: none. Wiped when freed */
	/* "master" or "primary", "slave" or "replica", "sentinel": another one fails with L7STS.
	 * NULL: any. A pool that writes wants its master only. */
	const char *role;
	/* This key must not be there: whoever sets it takes the server out of service (Envoy). NULL:
	 * not asked. */
	const char *absent_key;
};

/*
 * The ops of the Redis probe, for health_probe_new with a health_redis_opts or NULL (PING alone).
 * Static; any thread. health_probe_new returns -EINVAL for a value out of its range above, -E2BIG
 * for a field this library does not know, -ENOMEM. An error ("-NOAUTH …"), another role and a key
 * that is there fail with HEALTH_CODE_L7STS, what is no answer with HEALTH_CODE_L7RSP; a result's
 * text is the server's line. Sources: the Redis documentation, "RESP protocol spec", AUTH, PING,
 * EXISTS, ROLE; the HAProxy manual, "option redis-check".
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_redis(void);

/*
 * The ops of the memcached probe; it takes no options. Static; any thread. ERROR, CLIENT_ERROR and
 * SERVER_ERROR fail with HEALTH_CODE_L7STS, what is no answer with HEALTH_CODE_L7RSP; a result's text
 * is the server's line. Source: memcached's doc/protocol.txt, "version".
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_memcached(void);

#ifdef __cplusplus
}
#endif
#endif
