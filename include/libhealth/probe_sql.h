/* SPDX-License-Identifier: MIT */
/*
 * The probes of SQL servers: MySQL and MariaDB (HAProxy's `option mysql-check`), PostgreSQL (HAProxy's
 * `option pgsql-check`). How far they go depends on what they are given.
 *
 *	probe                                   MySQL
 *	                                ◄──     greeting, version, nonce        without a user: success
 *	HandshakeResponse41 user …      ──►
 *	                                ◄──     [AuthSwitchRequest plugin, nonce]
 *	[answer of that plugin]         ──►
 *	                                ◄──     OK
 *	COM_QUIT                        ──►
 *
 *	probe                                   PostgreSQL
 *	StartupMessage 3.0 user …       ──►
 *	                                ◄──     R: which authentication         without a password: success
 *	[password, MD5, SCRAM-SHA-256]  ──►
 *	                                ◄──     R 0, …, Z: ready
 *	Terminate                       ──►
 *
 * With `starttls` TLS begins in MySQL after its greeting, by a HandshakeResponse41 cut short, and in PostgreSQL by
 * an SSLRequest, which the server answers with one letter: S, or N for no.
 *
 * A MySQL user without a password, as HAProxy's manual creates one, needs no `crypto`. MySQL counts a
 * connection that ends after the greeting as an error of that host, and shuts it out after
 * max_connect_errors of them: give a user. PostgreSQL writes a login that was begun and not ended to its
 * log: give a password.
 */
#ifndef LIBHEALTH_PROBE_SQL_H
#define LIBHEALTH_PROBE_SQL_H

#include <libhealth/foreign.h>
#include <libhealth/probe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_SQL_WORD_MAX 128	    /* bytes of user, password, database */
#define HEALTH_SQL_MESSAGE_MAX 8192 /* bytes of a message of the server; with more: L7RSP */
#define HEALTH_SQL_MESSAGES_MAX 128 /* messages of a login; with more: L7RSP */
/* PostgreSQL's scram_iterations, 4096 unless it was changed; a server that asks for more than this
 * would keep the checker busy: L7RSP. */
#define HEALTH_SQL_ITERATIONS_MAX 65536

/* What health_probe_new takes with the two below. All is copied, `crypto` apart. */
struct health_sql_opts {
	size_t size;
	const char *user;     /* MySQL: NULL, the greeting alone. PostgreSQL: required */
	const char *password; /* only with a user; NULL: none. Wiped when freed */
	const char *database; /* only with a user; NULL: MySQL none, PostgreSQL the user's name */
	const struct health_crypto *crypto; /* required with a password; must outlive the probe */
	/* Not 0: an SSLRequest before the login, which goes over TLS then. The check needs a transport and
	 * HEALTH_CHECK_STARTTLS. MySQL: only with a user. */
	uint64_t starttls;
};

/*
 * The ops of the MySQL probe, for health_probe_new with a health_sql_opts or NULL (the greeting).
 * Static; any thread. health_probe_new returns -EINVAL for a value out of its range above, -E2BIG for
 * a field this library does not know, -ENOMEM. Of the plugins it knows mysql_native_password and
 * caching_sha2_password; the second in clear text over TLS, else as long as the server remembers the
 * password (its cache is empty after a restart; then the check fails and says so). An error packet
 * fails with HEALTH_CODE_L7STS, what is no MySQL with HEALTH_CODE_L7RSP; a result's `status` is the
 * server's error number, its text the server's version or words. Sources: the MySQL internals manual,
 * "Connection Phase"; the HAProxy manual, "option mysql-check".
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_mysql(void);

/*
 * The ops of the PostgreSQL probe, for health_probe_new with a health_sql_opts. Static; any thread. The
 * errors are those above. An ErrorResponse fails with HEALTH_CODE_L7STS and the server's words; a
 * SCRAM signature that does not prove that the server knows the password, too. Sources: the PostgreSQL
 * manual, "Message Flow" and "SASL Authentication"; RFC 5802, RFC 7677; the HAProxy manual, "option
 * pgsql-check".
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_pgsql(void);

#ifdef __cplusplus
}
#endif
#endif
