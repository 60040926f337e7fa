/* SPDX-License-Identifier: MIT */
/* Certificates made on the fly (generate-certificates): for a name that none fits, signed by an authority of our own. */
#include <ctype.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tls/internal.h"

#define CN_MAX 64 /* RFC 5280, appendix A.1: ub-common-name */
#define DAY_S 86400L
#define FORGED_DAYS 365 /* as HAProxy, from a day ago: clocks differ */
#define RENEW_DAYS 300	/* one that was made so long ago is made again */
#define FORGED_DEFAULT 1000

struct tls_authority {
	unsigned refs; /* beside the first */
	X509 *cert;
	STACK_OF(X509) * chain; /* it and its issuers: clients are sent them */
	EVP_PKEY *key;
};

struct forged {
	TAILQ_ENTRY(forged) next;
	char *host;
	time_t made;
	X509 *leaf[TLS_KEY_KINDS];
};

struct tls_forge {
	struct tls_authority *authority;
	EVP_PKEY *key[TLS_KEY_KINDS]; /* the public ones of the default certificate; NULL: it has none of this kind */
	unsigned n, max;
	pthread_mutex_t lock; /* of the rest; nothing is signed under it */
	void *by_host;	      /* tsearch */
	TAILQ_HEAD(recent_head, forged) recent; /* the last used first */
};

/* ---- The authority ---- */

struct asking {
	const char *pass; /* NULL: none */
	bool asked;
};

static int give_pass(char *buf, int size, int writing, void *arg)
{
	struct asking *a = arg;
	size_t n = a->pass ? strlen(a->pass) : 0;

	a->asked = true;
	if (!n || n > (size_t)size)
		return -1;
	memcpy(buf, a->pass, n);
	return (int)n;
}

static EVP_PKEY *key_in(const char *file, struct asking *a)
{
	const char *why;
	BIO *b = tls_file(file, &why);
	EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, give_pass, a) : NULL;

	BIO_free(b); /* wipes it */
	ERR_clear_error();
	return key;
}

static bool take_key(struct tls_authority *a, const char *file, const char *pass, struct diag *d, const struct diag_place *at)
{
	struct asking asking = {.pass = pass};
	char beside[4096];

	a->key = key_in(file, &asking);
	if (!a->key && !asking.asked && (size_t)snprintf(beside, sizeof(beside), "%s.key", file) < sizeof(beside))
		a->key = key_in(beside, &asking);
	if (!a->key && asking.asked)
		diag_add(d, DIAG_ERROR, at, "%s: the authority's key has a passphrase%s", file,
			 pass ? ", and ca-sign-pass is another" : ": write it behind ca-sign-pass");
	else if (!a->key)
		diag_add(d, DIAG_ERROR, at, "%s: there is no private key in it, nor in %s.key: certificates are signed with that of the authority",
			 file, file);
	else if (!X509_check_private_key(a->cert, a->key))
		diag_add(d, DIAG_ERROR, at, "%s: the private key is not that of the first certificate: put the authority's own first", file);
	else
		return true;
	ERR_clear_error();
	return false;
}

struct tls_authority *tls_authority_read(const char *file, const char *pass, struct diag *d, const struct diag_place *at)
{
	struct tls_authority *a = calloc(1, sizeof(*a));
	const char *why = "no memory";

	if (a)
		a->chain = tls_certs_read(file, &why);
	if (!a || !a->chain) {
		diag_add(d, DIAG_ERROR, at, "%s: cannot read the certificate of this authority: %s", file, why);
		tls_authority_free(a);
		return NULL;
	}
	a->cert = sk_X509_value(a->chain, 0);
	if (!take_key(a, file, pass, d, at)) {
		tls_authority_free(a);
		return NULL;
	}
	if (!X509_check_ca(a->cert))
		diag_add(d, DIAG_WARNING, at,
			 "%s: this is no authority's certificate (basicConstraints CA:TRUE): clients will refuse what it signs", file);
	return a;
}

struct tls_authority *tls_authority_hold(struct tls_authority *a)
{
	if (a)
		a->refs++;
	return a;
}

void tls_authority_free(struct tls_authority *a)
{
	if (!a || a->refs--)
		return;
	sk_X509_pop_free(a->chain, X509_free);
	EVP_PKEY_free(a->key);
	free(a);
}

/* ---- One certificate ---- */

/* A name of a host that fits into a common name; others are not certified. */
static bool is_host(const char *text)
{
	size_t n = strlen(text);

	if (!n || n > CN_MAX || text[0] == '.' || text[n - 1] == '.' || strstr(text, ".."))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i]))
			return false;
	return true;
}

/* RFC 5280, section 4.1.2.2: of 20 bytes at most; by chance, as other processes sign in the same name. */
static bool set_serial(X509 *x)
{
	BIGNUM *n = BN_new();
	bool ok = n && BN_rand(n, 159, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));

	BN_free(n);
	return ok;
}

/* The authority's with one common name more, as HAProxy. */
static bool set_names(X509 *x, const X509 *authority, const char *host)
{
	X509_NAME *subject = X509_NAME_dup(X509_get_subject_name(authority));
	bool ok = subject && X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC, (const unsigned char *)host, -1, -1, 0) &&
		  X509_set_subject_name(x, subject) && X509_set_issuer_name(x, X509_get_subject_name(authority));

	X509_NAME_free(subject);
	return ok;
}

static bool add_extensions(X509 *x, X509 *authority, const char *host)
{
	char alt[sizeof("DNS:") + CN_MAX];
	const struct {
		int nid;
		const char *value;
	} all[] = {
	    {NID_basic_constraints, "critical,CA:FALSE"},
	    {NID_key_usage, "critical,digitalSignature,nonRepudiation,keyEncipherment"},
	    {NID_ext_key_usage, "serverAuth"},
	    {NID_subject_key_identifier, "hash"},
	    {NID_subject_alt_name, alt},
	    {NID_authority_key_identifier, "keyid"}, /* the last: not every authority has one */
	};
	size_t n = sizeof(all) / sizeof(all[0]) - !X509_get0_subject_key_id(authority);
	X509V3_CTX ctx;
	bool ok = true;

	snprintf(alt, sizeof(alt), "DNS:%s", host);
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, authority, x, NULL, NULL, 0);
	for (size_t i = 0; ok && i < n; i++) {
		X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, all[i].nid, all[i].value);

		ok = e && X509_add_ext(x, e, -1);
		X509_EXTENSION_free(e);
	}
	return ok;
}

/* Keys such as Ed25519 have no digest to choose. */
static const EVP_MD *digest_of(EVP_PKEY *key)
{
	int nid = NID_undef;

	return EVP_PKEY_get_default_digest_nid(key, &nid) > 0 && nid == NID_undef ? NULL : EVP_sha256();
}

static X509 *sign(const struct tls_authority *a, EVP_PKEY *key, const char *host)
{
	X509 *x = X509_new();
	bool ok = x && X509_set_version(x, X509_VERSION_3) && set_serial(x) && X509_gmtime_adj(X509_getm_notBefore(x), -DAY_S) &&
		  X509_gmtime_adj(X509_getm_notAfter(x), FORGED_DAYS * DAY_S) && X509_set_pubkey(x, key) &&
		  set_names(x, a->cert, host) && add_extensions(x, a->cert, host) && X509_sign(x, a->key, digest_of(a->key));

	if (ok)
		return x;
	X509_free(x);
	return NULL;
}

/* ---- All of a `bind` line ---- */

static void free_forged(struct forged *e)
{
	for (int i = 0; i < TLS_KEY_KINDS; i++)
		X509_free(e->leaf[i]);
	free(e->host);
	free(e);
}

static int compare_host(const void *a, const void *b)
{
	return strcmp(((const struct forged *)a)->host, ((const struct forged *)b)->host);
}

/* One for each key. NULL: it cannot be signed. */
static struct forged *make(const struct tls_forge *g, const char *host)
{
	struct forged *e = calloc(1, sizeof(*e));
	bool ok;

	if (!e)
		return NULL;
	e->made = time(NULL);
	e->host = strdup(host);
	ok = e->host;
	for (int i = 0; ok && i < TLS_KEY_KINDS; i++)
		if (g->key[i]) {
			e->leaf[i] = sign(g->authority, g->key[i], host);
			ok = e->leaf[i];
		}
	if (ok)
		return e;
	free_forged(e);
	return NULL;
}

static void drop(struct tls_forge *g, struct forged *e)
{
	tdelete(e, &g->by_host, compare_host);
	TAILQ_REMOVE(&g->recent, e, next);
	g->n--;
	free_forged(e);
}

static void give(const struct forged *e, X509 *ret[TLS_KEY_KINDS])
{
	for (int i = 0; i < TLS_KEY_KINDS; i++) {
		ret[i] = e->leaf[i];
		if (ret[i])
			X509_up_ref(ret[i]);
	}
}

/* False: it is not there, or too old. */
static bool look_up(struct tls_forge *g, const char *host, X509 *ret[TLS_KEY_KINDS])
{
	const struct forged key = {.host = (char *)(uintptr_t)host};
	void *node = tfind(&key, &g->by_host, compare_host);
	struct forged *e = node ? *(struct forged **)node : NULL;

	if (e && time(NULL) - e->made > RENEW_DAYS * DAY_S) {
		drop(g, e);
		e = NULL;
	}
	if (!e)
		return false;
	TAILQ_REMOVE(&g->recent, e, next);
	TAILQ_INSERT_HEAD(&g->recent, e, next);
	give(e, ret);
	return true;
}

/* Takes `e` over. */
static void put(struct tls_forge *g, struct forged *e)
{
	while (g->n >= g->max)
		drop(g, TAILQ_LAST(&g->recent, recent_head));
	if (!tsearch(e, &g->by_host, compare_host)) { /* no memory: made again the next time */
		free_forged(e);
		return;
	}
	TAILQ_INSERT_HEAD(&g->recent, e, next);
	g->n++;
}

static bool get(struct tls_forge *g, const char *host, X509 *ret[TLS_KEY_KINDS])
{
	struct forged *e;
	bool found;

	pthread_mutex_lock(&g->lock);
	found = look_up(g, host, ret);
	pthread_mutex_unlock(&g->lock);
	if (found)
		return true;
	e = make(g, host);
	if (!e)
		return false;
	pthread_mutex_lock(&g->lock);
	if (look_up(g, host, ret)) { /* another worker was faster: one name has one certificate */
		free_forged(e);
	} else {
		give(e, ret);
		put(g, e);
	}
	pthread_mutex_unlock(&g->lock);
	return true;
}

bool tls_forge_use(struct tls_forge *g, const char *host, SSL *ssl)
{
	X509 *leaf[TLS_KEY_KINDS] = {NULL};
	bool ok = is_host(host) && get(g, host, leaf);

	for (int i = 0; i < TLS_KEY_KINDS; i++) {
		/* the private key stays: it is the worker's copy of that of the default certificate */
		if (ok && leaf[i])
			ok = SSL_use_certificate(ssl, leaf[i]) == 1 && SSL_set1_chain(ssl, g->authority->chain);
		X509_free(leaf[i]);
	}
	ERR_clear_error();
	return ok;
}

struct tls_forge *tls_forge_new(struct tls_authority *a, struct tls_pair *const pair[TLS_KEY_KINDS], unsigned max)
{
	struct tls_forge *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	if (pthread_mutex_init(&g->lock, NULL) != 0) {
		free(g);
		return NULL;
	}
	TAILQ_INIT(&g->recent);
	g->authority = tls_authority_hold(a);
	g->max = max ? max : FORGED_DEFAULT;
	for (int i = 0; i < TLS_KEY_KINDS; i++)
		g->key[i] = pair[i] ? X509_get_pubkey(pair[i]->leaf) : NULL;
	return g;
}

void tls_forge_free(struct tls_forge *g)
{
	struct forged *e;

	if (!g)
		return;
	while ((e = TAILQ_FIRST(&g->recent)))
		drop(g, e);
	for (int i = 0; i < TLS_KEY_KINDS; i++)
		EVP_PKEY_free(g->key[i]);
	tls_authority_free(g->authority);
	pthread_mutex_destroy(&g->lock);
	free(g);
}
