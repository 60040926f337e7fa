/* SPDX-License-Identifier: MIT */
/*
 * TLS as a configuration describes it. In the order things are made: settings (what lines say) and
 * certificates (cert.c) become a front (front.c: what one `bind` line offers, chosen by server name) or a back
 * (back.c: how one server is spoken to); of these each worker makes its own contexts (context.c), so that no two
 * threads meet in a lock of OpenSSL. conn.h is one connection, info.h what rules ask about it.
 *
 * The control thread makes and frees fronts and backs; the tls_front_ctx and tls_back_ctx of a worker are
 * called in that worker alone.
 *
 * What was read from files lies in a store (store.c), one for each configuration: a front that is made again takes
 * everything from there, so that one certificate can change at run time and no other file counts.
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
	const char *ecdhe;	 /* a curve for who names no `curves` */
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
	bool no_cache;	     /* of sessions, for clients without tickets */
	unsigned max_record; /* bytes of plain text; 0: 16384 */
	unsigned lifetime_s; /* of a session */
	unsigned dh_bits;    /* of tune.ssl.default-dh-param */
	const char *dh_file; /* ssl-dh-param-file */
	unsigned capture_bytes; /* of the lists of a client's hello that are kept */
	bool keeps_secrets;	/* of each session */
	unsigned forged_max; /* certificates made on the fly that one front keeps; 0: 1000 */
};

/* ---- store.c: files as they were read, or set at run time. The control thread's alone ---- */

enum tls_kind {
	TLS_CERT, /* of our own, with its chain and its key */
	TLS_CA,	  /* authorities, revocations too if they lie there */
	TLS_CRL,
	TLS_KINDS,
};

struct tls_store;
struct tls_item; /* one file; it never changes, but is replaced by another of its name */

struct tls_store *tls_store_new(void);
void tls_store_free(struct tls_store *s);

/* What is looked for beside a certificate: bits. */
#define TLS_EXTRA_BUNDLE 1u /* FILE.rsa, FILE.ecdsa, FILE.dsa */
#define TLS_EXTRA_OCSP 2u
#define TLS_EXTRA_ISSUER 4u
#define TLS_EXTRA_KEY 8u
#define TLS_EXTRA_ALL 15u

struct tls_extra_words {
	unsigned without; /* TLS_EXTRA_… that are not looked for */
	bool del_ext;	  /* "a.key" beside "a.crt", not "a.crt.key" */
	bool skip_self_issued; /* roots of chains are not told */
	const char *issuers_path; /* chains for certificates without one; NULL: none */
};
/* Before the first certificate is read. False: no memory. */
bool tls_store_set_extra(struct tls_store *s, const struct tls_extra_words *words, struct diag *d, const struct diag_place *at);

/* ssl-provider, ssl-provider-path, ssl-propquery: of the process, from now on. False: OpenSSL does not want it. */
bool tls_provider_load(const char *name);
bool tls_provider_path(const char *folder);
bool tls_provider_query(const char *properties);

/* NULL: there is none of this name. */
struct tls_item *tls_store_find(const struct tls_store *s, enum tls_kind kind, const char *file);
/* In the place of that of its name, if there is one. 0 or -ENOMEM. It takes one more reference. */
int tls_store_put(struct tls_store *s, struct tls_item *item);
void tls_store_remove(struct tls_store *s, enum tls_kind kind, const char *file);
/* In the order of their names. */
void tls_store_each(const struct tls_store *s, enum tls_kind kind, void (*fn)(void *arg, const struct tls_item *item),
		    void *arg);
/* What was set and is not committed: one of each kind. NULL: none. It takes over the reference of what is set. */
struct tls_item *tls_store_open(const struct tls_store *s, enum tls_kind kind);
void tls_store_set_open(struct tls_store *s, enum tls_kind kind, struct tls_item *item);

struct tls_item *tls_item_hold(struct tls_item *item);
void tls_item_free(struct tls_item *item);
const char *tls_item_file(const struct tls_item *item);
enum tls_kind tls_item_kind(const struct tls_item *item);
bool tls_item_is_empty(const struct tls_item *item);

/* One with nothing in it. NULL: no memory. */
struct tls_item *tls_item_new(enum tls_kind kind, const char *file);
/*
 * As a file with this text would be read. `part` says what it is: "" PEM; of a certificate also ".key", ".issuer" and ".ocsp" (DER in base64),
 * which go on top of `before`; PEM without a key keeps the one of `before`. NULL: *why of `cap` bytes.
 */
struct tls_item *tls_item_parse(const struct tls_item *before, const char *part, const char *text, char *why, size_t cap);
/* The authorities of `before` and those of the text. As tls_item_parse. */
struct tls_item *tls_item_add(const struct tls_item *before, const char *text, char *why, size_t cap);
/* Could it be shown to a client? False: *why. What is only strange goes to *why as well. */
bool tls_item_is_whole(const struct tls_item *item, char *why, size_t cap);
/*
 * The certificate with this OCSP answer (DER). *ret NULL: the answer is not about it. -EBADMSG: the answer is of no use, *why; -ENOMEM.
 */
int tls_item_with_ocsp(const struct tls_item *item, const void *der, size_t len, struct tls_item **ret, char *why,
		       size_t cap);

/* What its file would be: PEM, to be freed. NULL: no memory. */
char *tls_item_pem(const struct tls_item *item);

/* Base64 with line ends anywhere. Its length, 0: it is none; *ret is to be freed in any case. */
size_t tls_base64(const char *text, unsigned char **ret);

/* ---- context.c ---- */

/* The versions that are left of what lines allow, `server` or `bind`; false: none. */
bool tls_versions(const struct tls_settings *s, bool of_server, uint16_t *ret_min, uint16_t *ret_max);

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
	const char *list; /* the crt-list or folder that it is of; NULL: none */
	unsigned number; /* of its line there; 0: of a folder */
	const struct tls_settings *settings; /* of its line; NULL: those of the front */
	const char *words; /* they were made of; NULL: none */
	const char *const
	    *filter; /* server names, "!name" excludes; instead of the certificate's own */
	unsigned n_filters;
};

struct tls_front_opts {
	struct tls_store *store;
	struct tls_settings settings;
	const struct tls_globals *globals;
	const struct tls_source *source;
	unsigned n_sources;
	bool strict_sni;
	const char *sign_file; /* PEM of the authority that signs certificates made on the fly; NULL: none are made */
	const char *sign_pass; /* of its key; NULL: it has none */
	struct diag_place at, sign_at;
};

/* Reads all files. What is wrong goes to `d`; NULL: nothing can be offered, or no memory. */
struct tls_front *tls_front_new(const struct tls_front_opts *o, struct diag *d);
/* As `f` from what the store has now, with these sources instead of its own; no file is read. */
struct tls_front *tls_front_again(const struct tls_front *f, struct tls_store *store, const struct tls_source *source, unsigned n,
				  struct diag *d);
struct tls_front *tls_front_hold(struct tls_front *f);
void tls_front_free(struct tls_front *f);

/* What it was made of, folders unfolded. Lives as long as `f`. */
const struct tls_source *tls_front_sources(const struct tls_front *f, unsigned *ret_n);
/* The file of its ticket keys; NULL: it has those of the process. The i-th of them, base64; false: there are not so many. */
#define TLS_TICKET_KEY_TEXT 112
const char *tls_front_ticket_file(const struct tls_front *f);
bool tls_front_ticket_key(const struct tls_front *f, unsigned i, char ret[TLS_TICKET_KEY_TEXT]);
/*
 * Of a front that is not in use yet: one more ticket key as the last, the first goes. The last but one encrypts. -EINVAL: it is no key;
 * -EMSGSIZE: not of the length that the others have; -ENOMEM.
 */
int tls_front_add_ticket_key(struct tls_front *f, const char *base64);
bool tls_front_uses(const struct tls_front *f, enum tls_kind kind, const char *file);

/* For a connection that was accepted; chooses again when the client has said hello. NULL: no memory. */
struct ssl_ctx_st *tls_front_ctx(struct tls_front *f, unsigned worker);

/* What a name gets: the file of the certificate, NULL: none (strict-sni). For tests and -c. */
const char *tls_front_find(const struct tls_front *f, const char *name);

/* ---- back.c ---- */

struct tls_back;

struct tls_back_opts {
	struct tls_store *store;
	struct tls_settings settings;
	const struct tls_globals *globals;
	const char *crt;	 /* our own; NULL: none */
	const char *verify_host; /* NULL: the name asked for, if any */
	const char *name;	 /* to ask for, each time; NULL: what tls_back_connect is told */
	bool no_reuse;		 /* of sessions */
	struct diag_place at;
};

struct tls_back *tls_back_new(const struct tls_back_opts *o, struct diag *d);
/* As tls_front_again. */
struct tls_back *tls_back_again(const struct tls_back *b, struct tls_store *store, struct diag *d);
struct tls_back *tls_back_hold(struct tls_back *b);
void tls_back_free(struct tls_back *b);

bool tls_back_uses(const struct tls_back *b, enum tls_kind kind, const char *file);

/* On a socket that is connected. `name` NULL: none. NULL: no memory. */
struct tls *tls_back_connect(struct tls_back *b, unsigned worker, int fd, const char *name);

/* ---- show.c ---- */

/*
 * As HAProxy's "show ssl" tells of it, behind the lines of name and status; of authorities and revocations the one of this
 * number, or all (0). Of a certificate: the id of the stapled OCSP answer, that with what it is made of, and
 * the answer ("": none). All to be freed; NULL: no memory.
 */
char *tls_item_text(const struct tls_item *item, unsigned number);
unsigned tls_item_count(const struct tls_item *item);
char *tls_item_ocsp_id(const struct tls_item *item);
char *tls_item_ocsp_line(const struct tls_item *item);
char *tls_item_ocsp_text(const struct tls_item *item);

/* A line for each provider that OpenSSL has loaded. As above. */
char *tls_providers_text(void);

#endif
