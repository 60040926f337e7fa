/* SPDX-License-Identifier: MIT */
/*
 * What a `bind` line offers: certificates, each under its names. front.c chooses one, front_read.c makes them of files, front_hello.c
 * has them in OpenSSL's hands.
 */
#ifndef PROXYD_TLS_FRONT_H
#define PROXYD_TLS_FRONT_H

#include <openssl/evp.h>

#include "tls/internal.h"

/* Settings and what was made of them. */
struct terms {
	const struct tls_settings *settings;
	struct tls_trust *trust;
	unsigned char alpn[TLS_ALPN_MAX], session_context[EVP_MAX_MD_SIZE];
	size_t alpn_len, session_context_len;
};

/* Of certificates with different kinds of keys OpenSSL takes the one that the client can check. */
struct site {
	struct terms *terms;
	struct tls_pair *pair[TLS_KEY_KINDS];
};

struct name {
	char *text;  /* "example.com", or of a wildcard ".example.com" */
	size_t site; /* its number */
	bool excluded;
};

struct front_worker {
	struct tls_front *front;
	unsigned index;
	SSL_CTX *without; /* strict-sni without any certificate */
	SSL_CTX *ctx[];	  /* by site; made when first needed */
};

struct tls_front {
	unsigned refs; /* of sets and the configuration, beside the first */
	struct tls_store *store; /* while it is made */
	bool again;		 /* from the store alone */
	struct tls_source *source; /* one file each; paths are our own */
	unsigned n_sources;
	struct tls_settings settings;
	struct tls_globals globals;
	bool strict_sni;
	struct terms *terms; /* the first: of the line */
	size_t n_terms;
	struct tls_pair **pair;
	size_t n_pairs;
	struct site *site;
	size_t n_sites;
	size_t fallback;   /* the site of who asks for no name, or another */
	struct name *name; /* sorted, those read first in front */
	size_t n_names;
	struct tls_ticket_keys *keys;
	struct tls_authority *authority; /* NULL: no certificate is made on the fly */
	struct tls_forge *forge;	 /* of it */
	struct front_worker *worker[TLS_WORKERS_MAX];
};

/* Whose certificate has this lower-case name. NULL: nobody's. */
const struct site *front_site_named(const struct tls_front *f, const char *host);

/* ---- front_read.c ---- */

/*
 * Reads the sources, which makes sites and their names. `keys` NULL: those of the settings. What is wrong goes to `d`.
 */
void front_read(struct tls_front *f, const struct tls_source *source, unsigned n, struct tls_ticket_keys *keys, const struct diag_place *at,
		struct diag *d);

#endif
