/* SPDX-License-Identifier: MIT */
/* What lies beside certificates: which files are looked for, and chains of issuers for those that have none. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/x509v3.h>

#include "tls/internal.h"

#define ISSUERS_MAX 4096 /* files of a folder */

struct tls_extra {
	unsigned refs; /* beside the first */
	struct tls_extra_words words;
	size_t n;
	struct issuer {
		char *file;
		STACK_OF(X509) * chain; /* the issuer, and who issued that */
	} * issuer;
};

struct tls_extra *tls_extra_hold(struct tls_extra *x)
{
	if (x)
		x->refs++;
	return x;
}

void tls_extra_free(struct tls_extra *x)
{
	if (!x || x->refs--)
		return;
	for (size_t i = 0; i < x->n; i++) {
		free(x->issuer[i].file);
		sk_X509_pop_free(x->issuer[i].chain, X509_free);
	}
	free(x->issuer);
	free(x);
}

static int is_visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* False: no memory. What is no certificate is told, and the others are taken. */
static bool read_issuer(struct tls_extra *x, const char *file, struct diag *d, const struct diag_place *at)
{
	struct issuer *to = &x->issuer[x->n];
	const char *why;
	struct stat st;

	if (stat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return true;
	to->chain = tls_certs_read(file, &why);
	if (!to->chain) {
		diag_add(d, DIAG_WARNING, at, "%s: no issuer is taken from it: %s", file, why);
		return true;
	}
	to->file = strdup(file);
	x->n++;
	return to->file;
}

static bool read_issuers(struct tls_extra *x, struct diag *d, const struct diag_place *at)
{
	const char *path = x->words.issuers_path;
	struct dirent **entry = NULL;
	int n = scandir(path, &entry, is_visible, alphasort);
	bool ok = true;

	if (n < 0)
		diag_add(d, DIAG_ERROR, at, "issuers-chain-path %s: %s", path, strerror(errno));
	if (n > ISSUERS_MAX)
		diag_add(d, DIAG_ERROR, at, "issuers-chain-path %s: more than %d files", path, ISSUERS_MAX);
	if (n > 0 && n <= ISSUERS_MAX)
		ok = (x->issuer = calloc((size_t)n, sizeof(*x->issuer)));
	for (int i = 0; i < n; i++) {
		char file[PATH_MAX];

		if (ok && x->issuer && (size_t)snprintf(file, sizeof(file), "%s/%s", path, entry[i]->d_name) < sizeof(file))
			ok = read_issuer(x, file, d, at);
		free(entry[i]);
	}
	free(entry);
	return ok;
}

struct tls_extra *tls_extra_new(const struct tls_extra_words *words, struct diag *d, const struct diag_place *at)
{
	struct tls_extra *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->words = *words;
	if (!words->issuers_path || read_issuers(x, d, at))
		return x;
	tls_extra_free(x);
	return NULL;
}

bool tls_extra_wants(const struct tls_extra *x, unsigned what)
{
	return !x || !(x->words.without & what);
}

/* "a.crt" and ".key": "a.crt.key", or "a.key". */
void tls_extra_name(const struct tls_extra *x, const char *file, const char *suffix, char *buf, size_t cap)
{
	size_t len = strlen(file);

	if (x && x->words.del_ext && len > 4 && !strcmp(file + len - 4, ".crt"))
		len -= 4;
	snprintf(buf, cap, "%.*s%s", (int)len, file, suffix);
}

/* NULL: nobody there issued it. */
static const struct issuer *issuer_of(const struct tls_extra *x, X509 *leaf)
{
	for (size_t i = 0; x && i < x->n; i++)
		if (X509_check_issued(sk_X509_value(x->issuer[i].chain, 0), leaf) == X509_V_OK)
			return &x->issuer[i];
	return NULL;
}

const char *tls_pair_issuer_file(const struct tls_pair *p)
{
	const struct issuer *from = p->leaf && !sk_X509_num(p->chain) ? issuer_of(p->extra, p->leaf) : NULL;

	ERR_clear_error();
	return from ? from->file : NULL;
}

STACK_OF(X509) * tls_pair_chain(const struct tls_pair *p)
{
	const struct issuer *from = p->leaf && !sk_X509_num(p->chain) ? issuer_of(p->extra, p->leaf) : NULL;
	STACK_OF(X509) *chain = X509_chain_up_ref(from ? from->chain : p->chain);

	ERR_clear_error();
	return chain;
}

STACK_OF(X509) * tls_pair_shown_chain(const struct tls_pair *p)
{
	STACK_OF(X509) *chain = tls_pair_chain(p);
	bool skips = p->extra && p->extra->words.skip_self_issued;

	for (int i = sk_X509_num(chain) - 1; skips && i >= 0; i--) {
		X509 *one = sk_X509_value(chain, i);

		if (X509_check_issued(one, one) == X509_V_OK)
			X509_free(sk_X509_delete(chain, i));
	}
	ERR_clear_error();
	return chain;
}

/* ---- Where OpenSSL gets its algorithms from, in this process ---- */

#define PROVIDERS_MAX 32
static OSSL_PROVIDER *provider[PROVIDERS_MAX]; /* they stay over reloads, as what uses them may */
static size_t n_providers;

static void unload_providers(void)
{
	while (n_providers)
		OSSL_PROVIDER_unload(provider[--n_providers]);
}

bool tls_provider_load(const char *name)
{
	OSSL_PROVIDER *one;

	for (size_t i = 0; i < n_providers; i++)
		if (!strcmp(OSSL_PROVIDER_get0_name(provider[i]), name))
			return true;
	one = n_providers < PROVIDERS_MAX ? OSSL_PROVIDER_load(NULL, name) : NULL;
	ERR_clear_error();
	if (!one)
		return false;
	if (!n_providers)
		atexit(unload_providers);
	provider[n_providers++] = one;
	return true;
}

bool tls_provider_path(const char *folder)
{
	return OSSL_PROVIDER_set_default_search_path(NULL, folder) == 1;
}

bool tls_provider_query(const char *properties)
{
	bool ok = EVP_set_default_properties(NULL, properties) == 1;

	ERR_clear_error();
	return ok;
}
