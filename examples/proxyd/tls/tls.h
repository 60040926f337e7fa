/* SPDX-License-Identifier: MIT */
/*
 * TLS as a configuration describes it. In the order things are made: settings (what lines say) and
 * certificates (cert.c) become a front (front.c: what one `bind` line offers, chosen by server name) or a back
 * (back.c: how one server is spoken to); of these each worker makes its own contexts (context.c), so that no two
 * threads meet in a lock of OpenSSL. conn.h is one connection, info.h what rules ask about it.
 *
 * The control thread makes and frees fronts and backs; the tls_front_ctx and tls_back_ctx of a worker are
 * called in that worker alone.
 */
#ifndef PROXYD_TLS_TLS_H
#define PROXYD_TLS_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "diag.h"
#include "tls/conn.h"

#define TLS_WORKERS_MAX 64
#define TLS_FILE_MAX (16u << 20) /* bytes of a file: bundles of authorities have 200 KiB */
#define TLS_CERTS_MAX 100000	 /* of one bind line */
#define TLS_NAMES_MAX 1000	 /* of one certificate */
#define TLS_ALPN_MAX 255	 /* bytes on the wire */

struct tls_pair; /* a certificate, its chain, its key */

/* Versions as they stand on the wire. */
#define TLS_V_SSL3 0x0300u
#define TLS_V_10 0x0301u
#define TLS_V_11 0x0302u
#define TLS_V_12 0x0303u
#define TLS_V_13 0x0304u

enum tls_verify {
	TLS_VERIFY_UNSET,
	TLS_VERIFY_NONE,
	TLS_VERIFY_OPTIONAL, /* who shows none is let in, too */
	TLS_VERIFY_REQUIRED,
};

/* Bits of X509_V_ERR_… that are forgiven. */
struct tls_errors {
	uint64_t bits[2];
	bool all;
};

/* Text is borrowed from the configuration; NULL and 0: not said. */
struct tls_settings {
	const char *ca_file;	    /* PEM, or "@system-ca" */
	const char *ca_verify_file; /* issuers to check with that are not told to clients */
	const char *crl_file;
	const char *ciphers, *ciphersuites, *curves; /* as OpenSSL writes them */
	const char *alpn;	 /* "http/1.1,h2", without what is not offered */
	const char *ticket_keys; /* a file */
	uint16_t min_version, max_version;
	uint8_t off_versions; /* bit n: version 0x0300 + n, by no-tlsv1… */
	enum tls_verify verify;
	struct tls_errors forgive_cert, forgive_ca;
	bool no_tickets, prefer_client_ciphers, no_ca_names;
};

/* What holds for all. */
struct tls_globals {
	unsigned max_record; /* bytes of plain text; 0: 16384 */
	unsigned lifetime_s; /* of a session */
	unsigned dh_bits;    /* of tune.ssl.default-dh-param */
	const char *dh_file; /* ssl-dh-param-file */
};

/* ---- context.c ---- */

/* The versions that are left of what lines allow. */
void tls_versions(const struct tls_settings *s, uint16_t *ret_min, uint16_t *ret_max);

/* ---- session.c ---- */

/* The size of the cache, which all fronts of the process share; before the first one, else without effect. */
void tls_session_cache(unsigned sessions);

/* How often a client's session was looked for in the cache, and was not there. */
void tls_session_lookups(uint64_t *ret_all, uint64_t *ret_misses);

/* ---- front.c ---- */

struct tls_front;

/* One file, folder, or line of a crt-list. */
struct tls_source {
	struct diag_place at;
	const char *path;
	const struct tls_settings *settings; /* of its line; NULL: those of the front */
	const char *const
	    *filter; /* server names, "!name" excludes; instead of the certificate's own */
	unsigned n_filters;
};

struct tls_front_opts {
	struct tls_settings settings;
	const struct tls_globals *globals;
	const struct tls_source *source;
	unsigned n_sources;
	bool strict_sni;
	struct diag_place at;
};

/* Reads all files. What is wrong goes to `d`; NULL: nothing can be offered, or no memory. */
struct tls_front *tls_front_new(const struct tls_front_opts *o, struct diag *d);
void tls_front_free(struct tls_front *f);

/* For a connection that was accepted; chooses again when the client has said hello. NULL: no memory. */
struct ssl_ctx_st *tls_front_ctx(struct tls_front *f, unsigned worker);

/* What a name gets: the file of the certificate, NULL: none (strict-sni). For tests and -c. */
const char *tls_front_find(const struct tls_front *f, const char *name);

/* Its certificates, in the order they were read. */
void tls_front_pairs(const struct tls_front *f, void (*fn)(void *arg, const struct tls_pair *p), void *arg);

/* ---- back.c ---- */

struct tls_back;

struct tls_back_opts {
	struct tls_settings settings;
	const struct tls_globals *globals;
	const char *crt;	 /* our own; NULL: none */
	const char *verify_host; /* NULL: the name asked for, if any */
	const char *name;	 /* to ask for, each time; NULL: see asks_name */
	bool asks_name;		 /* for what tls_back_connect is told */
	bool no_reuse;		 /* of sessions */
	struct diag_place at;
};

struct tls_back *tls_back_new(const struct tls_back_opts *o, struct diag *d);
void tls_back_free(struct tls_back *b);

/* The certificate that we show, if any. */
void tls_back_pair(const struct tls_back *b, void (*fn)(void *arg, const struct tls_pair *p), void *arg);

/* On a socket that is connected. `name` NULL: none. NULL: no memory. */
struct tls *tls_back_connect(struct tls_back *b, unsigned worker, int fd, const char *name);

/* ---- show.c ---- */

const char *tls_pair_file(const struct tls_pair *p);

/*
 * As HAProxy's "show ssl" tells of it: the certificate; the id of the stapled OCSP answer, that with what it is made of, and
 * the answer ("": none). All to be freed; NULL: no memory.
 */
char *tls_pair_text(const struct tls_pair *p);
char *tls_pair_ocsp_id(const struct tls_pair *p);
char *tls_pair_ocsp_line(const struct tls_pair *p);
char *tls_pair_ocsp_text(const struct tls_pair *p);

#endif
