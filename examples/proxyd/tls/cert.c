/* SPDX-License-Identifier: MIT */
/* Certificates and keys as they lie in files. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tls/internal.h"

#define CHAIN_MAX 32

BIO *tls_file(const char *path, const char **ret_why)
{
	FILE *f = fopen(path, "re");
	BIO *b = f ? BIO_new(BIO_s_mem()) : NULL;
	size_t total = 0, n;
	struct stat st;
	char buf[8192];

	*ret_why = f ? "no memory" : strerror(errno);
	if (f && fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
		*ret_why = "it is a folder";
		total = TLS_FILE_MAX + 1;
	}
	while (b && total <= TLS_FILE_MAX && (n = fread(buf, 1, sizeof(buf), f)) > 0) {
		total += n;
		if (BIO_write(b, buf, (int)n) != (int)n)
			total = TLS_FILE_MAX + 1;
	}
	if (b && total <= TLS_FILE_MAX && ferror(f)) {
		*ret_why = strerror(errno);
		total = TLS_FILE_MAX + 1;
	}
	if (f)
		fclose(f);
	OPENSSL_cleanse(buf, sizeof(buf)); /* it may have been a key */
	if (total > TLS_FILE_MAX) {
		BIO_free(b);
		return NULL;
	}
	return b;
}

/* There is nobody to ask. */
static int no_passphrase(char *buf, int size, int writing, void *asked)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

static EVP_PKEY *read_key(const char *path, bool *ret_locked)
{
	const char *why;
	BIO *b = tls_file(path, &why);
	EVP_PKEY *key;

	if (!b)
		return NULL;
	key = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, ret_locked);
	BIO_free(b);
	ERR_clear_error();
	return key;
}

static STACK_OF(X509) * read_certs(const char *path, const char **ret_why)
{
	BIO *b = tls_file(path, ret_why);
	STACK_OF(X509) *all = b ? sk_X509_new_null() : NULL;
	X509 *one;

	while (all && sk_X509_num(all) < CHAIN_MAX &&
	       (one = PEM_read_bio_X509(b, NULL, NULL, NULL)))
		if (!sk_X509_push(all, one)) {
			X509_free(one);
			break;
		}
	BIO_free(b);
	ERR_clear_error();
	if (all && !sk_X509_num(all)) {
		*ret_why =
		    "there is no certificate in it; write it in PEM, between BEGIN and END lines";
		sk_X509_free(all);
		return NULL;
	}
	return all;
}

static enum tls_key_kind kind_of(X509 *leaf)
{
	switch (EVP_PKEY_get_base_id(X509_get0_pubkey(leaf))) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		return TLS_KEY_RSA;
	case EVP_PKEY_EC:
		return TLS_KEY_EC;
	default:
		return TLS_KEY_OTHER;
	}
}

/* "Nov 28 13:00:00 2026 GMT" */
static void when(const ASN1_TIME *t, char *buf, size_t cap)
{
	BIO *b = BIO_new(BIO_s_mem());
	int n = b && ASN1_TIME_print(b, t) ? BIO_read(b, buf, (int)cap - 1) : 0;

	buf[n > 0 ? n : 0] = '\0';
	BIO_free(b);
}

static void judge_dates(const struct tls_pair *p, struct diag *d, const struct diag_place *at)
{
	char text[64];

	if (X509_cmp_current_time(X509_get0_notAfter(p->leaf)) < 0) {
		when(X509_get0_notAfter(p->leaf), text, sizeof(text));
		diag_add(d, DIAG_WARNING, at,
			 "%s: the certificate expired at %s: clients will refuse it; put a new one "
			 "in its "
			 "place and reload",
			 p->file, text);
	} else if (X509_cmp_current_time(X509_get0_notBefore(p->leaf)) > 0) {
		when(X509_get0_notBefore(p->leaf), text, sizeof(text));
		diag_add(d, DIAG_WARNING, at,
			 "%s: the certificate is not valid before %s: is the clock right?", p->file,
			 text);
	}
}

static bool take_key(struct tls_pair *p, struct diag *d, const struct diag_place *at)
{
	char beside[4096];
	bool locked = false;
	size_t len = strlen(p->file);

	p->key = read_key(p->file, &locked);
	if (!p->key && !locked) {
		snprintf(beside, sizeof(beside), "%s.key", p->file);
		p->key = read_key(beside, &locked);
	}
	if (!p->key && !locked && len > 4 &&
	    !strcmp(p->file + len - 4, ".crt")) { /* ssl-load-extra-del-ext */
		snprintf(beside, sizeof(beside), "%.*s.key", (int)len - 4, p->file);
		p->key = read_key(beside, &locked);
	}
	if (!p->key && locked)
		diag_add(d, DIAG_ERROR, at,
			 "%s: the private key has a passphrase, and nobody is there to type it: "
			 "write it without "
			 "one (openssl pkey -in OLD -out NEW), readable for root only",
			 p->file);
	else if (!p->key)
		diag_add(
		    d, DIAG_ERROR, at,
		    "%s: there is no private key in it, nor in %s.key: append the key to the file",
		    p->file, p->file);
	else if (!X509_check_private_key(p->leaf, p->key))
		diag_add(d, DIAG_ERROR, at,
			 "%s: the private key is not that of the first certificate: put the "
			 "server's own "
			 "certificate first, its issuers behind, and the key it was made with",
			 p->file);
	else
		return true;
	return false;
}

static void take_issuer(struct tls_pair *p)
{
	char beside[4096];
	STACK_OF(X509) * issuer;
	const char *why;

	if (sk_X509_num(p->chain))
		return;
	snprintf(beside, sizeof(beside), "%s.issuer", p->file);
	issuer = access(beside, R_OK) == 0 ? read_certs(beside, &why) : NULL;
	if (issuer && sk_X509_push(p->chain, sk_X509_value(issuer, 0)))
		sk_X509_shift(issuer);
	sk_X509_pop_free(issuer, X509_free);
}

/* An OCSP answer, DER, that is stapled as it is; one that is out of date would do harm. */
static void take_ocsp(struct tls_pair *p, struct diag *d, const struct diag_place *at)
{
	char beside[4096];
	const char *why;
	BIO *b;
	const unsigned char *der;
	char *data;
	long len;
	OCSP_RESPONSE *r;

	snprintf(beside, sizeof(beside), "%s.ocsp", p->file);
	if (access(beside, F_OK) != 0)
		return;
	b = tls_file(beside, &why);
	if (!b) {
		diag_add(d, DIAG_ERROR, at, "%s: cannot read this OCSP answer: %s", beside, why);
		return;
	}
	len = BIO_get_mem_data(b, &data);
	der = (const unsigned char *)data;
	r = len > 0 ? d2i_OCSP_RESPONSE(NULL, &der, len) : NULL;
	if (len > 0 && (!r || OCSP_response_status(r) != OCSP_RESPONSE_STATUS_SUCCESSFUL))
		diag_add(
		    d, DIAG_WARNING, at,
		    "%s: this is no good OCSP answer (DER, status successful): nothing is stapled",
		    beside);
	else if (r && (p->ocsp = malloc((size_t)len))) {
		memcpy(p->ocsp, data, (size_t)len);
		p->ocsp_len = (size_t)len;
	}
	OCSP_RESPONSE_free(r);
	BIO_free(b);
	ERR_clear_error();
}

struct tls_pair *tls_pair_read(const char *file, bool needs_key, struct diag *d,
			       const struct diag_place *at)
{
	struct tls_pair *p = calloc(1, sizeof(*p));
	const char *why = "no memory";

	if (p)
		p->file = strdup(file);
	if (p && p->file)
		p->chain = read_certs(file, &why);
	if (!p || !p->chain) {
		diag_add(d, DIAG_ERROR, at, "%s: cannot read this certificate: %s", file, why);
		tls_pair_free(p);
		return NULL;
	}
	p->leaf = sk_X509_shift(p->chain);
	p->kind = kind_of(p->leaf);
	if (needs_key && !take_key(p, d, at)) {
		tls_pair_free(p);
		return NULL;
	}
	take_issuer(p);
	take_ocsp(p, d, at);
	judge_dates(p, d, at);
	return p;
}

void tls_pair_free(struct tls_pair *p)
{
	if (!p)
		return;
	free(p->file);
	X509_free(p->leaf);
	sk_X509_pop_free(p->chain, X509_free);
	EVP_PKEY_free(p->key);
	free(p->ocsp);
	free(p);
}

bool tls_pair_use(const struct tls_pair *p, SSL_CTX *ctx)
{
	EVP_PKEY *key = EVP_PKEY_dup(p->key);
	bool ok = key && SSL_CTX_use_cert_and_key(ctx, p->leaf, key, p->chain, 1) == 1;

	EVP_PKEY_free(key);
	return ok;
}

static bool give_name(const ASN1_STRING *s, bool (*fn)(void *arg, const char *name), void *arg)
{
	unsigned char *text;
	int len = ASN1_STRING_to_UTF8(&text, s);
	char name[256];
	bool ok = true;

	if (len <= 0)
		return true;
	if ((size_t)len < sizeof(name) && !memchr(text, '\0', (size_t)len)) {
		for (int i = 0; i <= len; i++)
			name[i] = (char)tolower(text[i]);
		name[len] = '\0';
		ok = fn(arg, name);
	}
	OPENSSL_free(text);
	return ok;
}

/* As HAProxy: those of the extension and the common names, too. */
void tls_pair_names(const struct tls_pair *p, bool (*fn)(void *arg, const char *name), void *arg)
{
	GENERAL_NAMES *alt = X509_get_ext_d2i(p->leaf, NID_subject_alt_name, NULL, NULL);
	X509_NAME *subject = X509_get_subject_name(p->leaf);
	bool ok = true;

	for (int i = 0; ok && i < sk_GENERAL_NAME_num(alt) && i < TLS_NAMES_MAX; i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(alt, i);

		if (n->type == GEN_DNS)
			ok = give_name(n->d.dNSName, fn, arg);
	}
	GENERAL_NAMES_free(alt);
	for (int i = -1; ok && (i = X509_NAME_get_index_by_NID(subject, NID_commonName, i)) >= 0;)
		ok = give_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)), fn, arg);
}
