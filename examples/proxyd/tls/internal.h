/* SPDX-License-Identifier: MIT */
/* Between the files of this folder. */
#ifndef PROXYD_TLS_INTERNAL_H
#define PROXYD_TLS_INTERNAL_H

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tls/tls.h"

/* ---- file.c ---- */

/* Opens `path` as a whole in memory. NULL: *ret_why. */
BIO *tls_file(const char *path, const char **ret_why);

/* ---- cert.c ---- */

enum tls_key_kind {
	TLS_KEY_RSA,
	TLS_KEY_EC,
	TLS_KEY_OTHER, /* DSA, Ed25519 … */
	TLS_KEY_KINDS,
};

/* The head of all that lies in a store. */
struct tls_item {
	enum tls_kind what;
	unsigned refs; /* beside the first */
	char *file;
};

struct tls_pair {
	struct tls_item item;
	enum tls_key_kind kind;
	bool tried; /* OpenSSL takes it */
	X509 *leaf; /* NULL: nothing was set yet */
	STACK_OF(X509) * chain;
	struct tls_extra *extra; /* where it was read; NULL: as by default */
	X509 *issuer;  /* of `file`.issuer: whose OCSP answers count; clients are told the chain alone */
	EVP_PKEY *key; /* nobody works with it: each worker has a copy */
	unsigned char *ocsp;
	size_t ocsp_len;
};

/* TLS_CA, TLS_CRL */
struct tls_trusted {
	struct tls_item item;
	STACK_OF(X509) * ca;
	STACK_OF(X509_CRL) * crl;
};

/*
 * Certificate, chain and key of one PEM file; a key that is not there is looked for in `file`.key, an OCSP
 * answer in `file`.ocsp, the issuer in `file`.issuer. What is wrong goes to `d`. NULL: it is of no use.
 */
struct tls_pair *tls_pair_read(const char *file, struct tls_extra *extra, struct diag *d, const struct diag_place *at);
/* What the item has beside its head. */
void tls_pair_clear(struct tls_pair *p);

/* What OpenSSL has just reported is a lack of memory; takes its reports. */
bool tls_lacked_memory(void);

/* All of a PEM file, 32 at most. NULL: *ret_why. */
STACK_OF(X509) * tls_certs_read(const char *path, const char **ret_why);

/* As tls_item_parse and tls_item_is_whole. */
struct tls_item *tls_pair_parse(const struct tls_pair *before, const char *part, const char *text, const char **ret_why);
bool tls_pair_is_whole(const struct tls_pair *p, char *why, size_t cap);

/* The one of the store; else it is read, and put there, unless `again`. NULL: told. */
struct tls_pair *tls_store_pair(struct tls_store *s, const char *file, bool again, struct diag *d,
				const struct diag_place *at);
struct tls_trusted *tls_store_trusted(struct tls_store *s, enum tls_kind kind, const char *file, bool again, struct diag *d,
				      const struct diag_place *at);

/* Certificates and revocations of PEM. NULL: *ret_why. */
struct tls_trusted *tls_trusted_parse(enum tls_kind kind, const char *file, BIO *b, const char **ret_why);
/* The same of a file, or of the files of a folder that end with .pem, .crt, .cer or .crl and do not begin with a dot. */
struct tls_trusted *tls_trusted_read(enum tls_kind kind, const char *path, const char **ret_why);

/* ---- extra.c ---- */

struct tls_extra;

/* NULL: no memory. */
struct tls_extra *tls_extra_new(const struct tls_extra_words *words, struct diag *d, const struct diag_place *at);
struct tls_extra *tls_extra_hold(struct tls_extra *x); /* NULL is fine, here and below */
void tls_extra_free(struct tls_extra *x);
bool tls_extra_wants(const struct tls_extra *x, unsigned what);
/* The file beside `file`. */
void tls_extra_name(const struct tls_extra *x, const char *file, const char *suffix, char *buf, size_t cap);
const struct tls_extra *tls_store_extra(const struct tls_store *s);

/* Its own chain, or that of its issuer in issuers-chain-path; to be freed. NULL: none. */
STACK_OF(X509) * tls_pair_chain(const struct tls_pair *p);
/* What clients are told of it. */
STACK_OF(X509) * tls_pair_shown_chain(const struct tls_pair *p);
/* Where its chain came from, when that is not its own file; else NULL. */
const char *tls_pair_issuer_file(const struct tls_pair *p);

/* Into a context, with a copy of its own of the key. */
bool tls_pair_use(const struct tls_pair *p, SSL_CTX *ctx);

/* Lower-case names of the certificate, each to fn. */
void tls_pair_names(const struct tls_pair *p, bool (*fn)(void *arg, const char *name), void *arg);

/* ---- context.c ---- */

/* Authorities and revocations, read once; a store of them for each worker. */
struct tls_trust {
	struct tls_item *file[3]; /* ca-file, ca-verify-file, crl-file; NULL: none */
	STACK_OF(X509) * ca;
	STACK_OF(X509_CRL) * crl;
	STACK_OF(X509_NAME) * names; /* told to clients */
	bool system;
	X509_STORE *store[TLS_WORKERS_MAX];
};

/* From the store; `again`: from there alone. */
struct tls_trust *tls_trust_read(const struct tls_settings *s, struct tls_store *store, bool again, struct diag *d,
				 const struct diag_place *at);
void tls_trust_free(struct tls_trust *t);
bool tls_trust_uses(const struct tls_trust *t, enum tls_kind kind, const char *file);

/* Of groups for the key exchange; NULL: as OpenSSL has them. */
static inline const char *tls_curves(const struct tls_settings *s)
{
	return s->curves ? s->curves : s->ecdhe;
}

/* A context with all but certificates and authorities. NULL: *ret_why. */
SSL_CTX *tls_context_new(const struct tls_settings *s, const struct tls_globals *g, bool is_server,
			 const char **ret_why);
bool tls_context_trust(SSL_CTX *ctx, struct tls_trust *t, unsigned worker);
int tls_verify_mode(enum tls_verify v);

/* A list as it stands on the wire (RFC 7301). Its length; 0: it is none. */
size_t tls_alpn_wire(const char *list, unsigned char wire[TLS_ALPN_MAX]);

/* ---- forge.c ---- */

struct tls_authority; /* who signs; the control thread holds and frees it */
struct tls_forge;     /* what it signed; any worker uses it at any time */

/* Certificate and key of one PEM file; its key may be in `file`.key. `pass` NULL: the key has none. NULL: told. */
struct tls_authority *tls_authority_read(const char *file, const char *pass, struct diag *d, const struct diag_place *at);
struct tls_authority *tls_authority_hold(struct tls_authority *a);
void tls_authority_free(struct tls_authority *a);

/* With the keys of these, and so many names at most; 0: 1000. NULL: no memory. */
struct tls_forge *tls_forge_new(struct tls_authority *a, struct tls_pair *const pair[TLS_KEY_KINDS], unsigned max);
void tls_forge_free(struct tls_forge *g);
/*
 * On a connection that has a context with the pairs of tls_forge_new: their keys with a certificate for this lower-case name. False: it is
 * not the name of a host, longer than 64 bytes, or there is no memory.
 */
bool tls_forge_use(struct tls_forge *g, const char *host, SSL *ssl);

/* ---- session.c ---- */

struct tls_ticket_keys;

/* The keys of a file, or of this process. NULL: *ret_why. */
struct tls_ticket_keys *tls_ticket_keys_read(const char *file, const char **ret_why);
struct tls_ticket_keys *tls_ticket_keys_hold(struct tls_ticket_keys *k);
void tls_ticket_keys_free(struct tls_ticket_keys *k);
/* Another with one more as the last, and without the first. -EINVAL: it is none; -EMSGSIZE: its length is another; -ENOMEM. */
int tls_ticket_keys_with(const struct tls_ticket_keys *k, const char *line, struct tls_ticket_keys **ret);
/* False: there are not so many. */
bool tls_ticket_keys_text(const struct tls_ticket_keys *k, unsigned i, char ret[TLS_TICKET_KEY_TEXT]);

/* Tickets, and unless `no_cache` the cache of sessions, both shared by all workers. */
bool tls_session_use(SSL_CTX *ctx, const struct tls_ticket_keys *k, bool no_cache);

#endif
