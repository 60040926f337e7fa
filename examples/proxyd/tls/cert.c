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

bool tls_lacked_memory(void)
{
	bool lacked = false;
	unsigned long e;

	while ((e = ERR_get_error()))
		lacked |= ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
	return lacked;
}

/* There is nobody to ask. */
static int no_passphrase(char *buf, int size, int writing, void *asked)
{
	*(bool *)asked = true;
	return -1;
}

/* Of PEM, which is freed; NULL is none. */
static EVP_PKEY *key_of(BIO *b, bool *ret_locked)
{
	EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, ret_locked) : NULL;

	BIO_free(b);
	if (key) /* else what was wrong is still to be asked for */
		ERR_clear_error();
	return key;
}

static EVP_PKEY *read_key(const char *path, bool *ret_locked)
{
	const char *why;
	BIO *b;

	errno = 0;
	b = tls_file(path, &why);
	if (!b && errno == ENOMEM)
		ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);
	return key_of(b, ret_locked);
}

/* Of PEM, which is freed. NULL: *ret_why. */
static STACK_OF(X509) * certs_of(BIO *b, const char **ret_why)
{
	STACK_OF(X509) *all = b ? sk_X509_new_null() : NULL;
	bool ok = all;
	X509 *one;

	*ret_why = "no memory";
	while (ok && sk_X509_num(all) < CHAIN_MAX && (one = PEM_read_bio_X509(b, NULL, NULL, NULL)))
		if (!sk_X509_push(all, one)) {
			X509_free(one);
			ok = false;
		}
	if (ok && ERR_peek_last_error() && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		*ret_why = tls_lacked_memory() ? "no memory"
			   : sk_X509_num(all) ? "what stands behind the first certificate is damaged: no part of it is used"
					    : "the certificate in it is damaged";
		ok = false;
	} else if (ok && !sk_X509_num(all)) {
		*ret_why = "there is no certificate in it; write it in PEM, between BEGIN and END lines";
		ok = false;
	}
	BIO_free(b);
	ERR_clear_error();
	if (ok)
		return all;
	sk_X509_pop_free(all, X509_free);
	return NULL;
}

STACK_OF(X509) * tls_certs_read(const char *path, const char **ret_why)
{
	BIO *b = tls_file(path, ret_why);

	return b ? certs_of(b, ret_why) : NULL;
}

/* A certificate may have a public key that OpenSSL makes nothing of: then no private key is found to be its. */
static enum tls_key_kind kind_of(X509 *leaf)
{
	const EVP_PKEY *key = X509_get0_pubkey(leaf);

	switch (key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE) {
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
			 p->item.file, text);
	} else if (X509_cmp_current_time(X509_get0_notBefore(p->leaf)) > 0) {
		when(X509_get0_notBefore(p->leaf), text, sizeof(text));
		diag_add(d, DIAG_WARNING, at,
			 "%s: the certificate is not valid before %s: is the clock right?", p->item.file,
			 text);
	}
}

static bool take_key(struct tls_pair *p, struct diag *d, const struct diag_place *at)
{
	char beside[4096];
	bool locked = false, no_memory;
	size_t len = strlen(p->item.file);

	p->key = read_key(p->item.file, &locked);
	if (!p->key && !locked && tls_extra_wants(p->extra, TLS_EXTRA_KEY)) {
		tls_extra_name(p->extra, p->item.file, ".key", beside, sizeof(beside));
		p->key = read_key(beside, &locked);
	}
	/* both names at once do no harm */
	if (!p->key && !locked && tls_extra_wants(p->extra, TLS_EXTRA_KEY) && len > 4 && !strcmp(p->item.file + len - 4, ".crt")) {
		snprintf(beside, sizeof(beside), "%.*s.key", (int)len - 4, p->item.file);
		p->key = read_key(beside, &locked);
	}
	no_memory = tls_lacked_memory();
	if (!p->key && locked)
		diag_add(d, DIAG_ERROR, at,
			 "%s: the private key has a passphrase, and nobody is there to type it: "
			 "write it without "
			 "one (openssl pkey -in OLD -out NEW), readable for root only",
			 p->item.file);
	else if (!p->key && no_memory)
		diag_add(d, DIAG_ERROR, at, "%s: cannot read its private key: no memory", p->item.file);
	else if (!p->key)
		diag_add(
		    d, DIAG_ERROR, at,
		    "%s: there is no private key in it, nor in %s.key: append the key to the file",
		    p->item.file, p->item.file);
	else if (X509_check_private_key(p->leaf, p->key))
		return true;
	else if (tls_lacked_memory())
		diag_add(d, DIAG_ERROR, at, "%s: cannot compare its private key: no memory", p->item.file);
	else if (!X509_get0_pubkey(p->leaf)) /* when it was read there may have been no memory: that is not told any more */
		diag_add(d, DIAG_ERROR, at, "%s: the certificate's public key is of a kind that OpenSSL does not know, or there was no memory to read it", p->item.file);
	else
		diag_add(d, DIAG_ERROR, at,
			 "%s: the private key is not that of the first certificate: put the "
			 "server's own "
			 "certificate first, its issuers behind, and the key it was made with",
			 p->item.file);
	return false;
}

static void take_issuer(struct tls_pair *p)
{
	char beside[4096];
	STACK_OF(X509) * issuer;
	const char *why;

	if (!tls_extra_wants(p->extra, TLS_EXTRA_ISSUER))
		return;
	tls_extra_name(p->extra, p->item.file, ".issuer", beside, sizeof(beside));
	issuer = access(beside, R_OK) == 0 ? tls_certs_read(beside, &why) : NULL;
	p->issuer = issuer ? sk_X509_shift(issuer) : NULL;
	sk_X509_pop_free(issuer, X509_free);
}

/* False: it is none, or says that there was none. */
static bool is_ocsp(const void *data, size_t len)
{
	const unsigned char *der = data;
	OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &der, (long)len);
	bool ok = r && OCSP_response_status(r) == OCSP_RESPONSE_STATUS_SUCCESSFUL;

	OCSP_RESPONSE_free(r);
	ERR_clear_error();
	return ok;
}

/* An OCSP answer, DER, that is stapled as it is; one that is out of date would do harm. */
static void take_ocsp(struct tls_pair *p, struct diag *d, const struct diag_place *at)
{
	char beside[4096];
	const char *why;
	BIO *b;
	char *data;
	long len;

	tls_extra_name(p->extra, p->item.file, ".ocsp", beside, sizeof(beside));
	if (!tls_extra_wants(p->extra, TLS_EXTRA_OCSP) || access(beside, F_OK) != 0)
		return;
	b = tls_file(beside, &why);
	if (!b) {
		diag_add(d, DIAG_ERROR, at, "%s: cannot read this OCSP answer: %s", beside, why);
		return;
	}
	len = BIO_get_mem_data(b, &data);
	if (len > 0 && !is_ocsp(data, (size_t)len))
		diag_add(
		    d, DIAG_WARNING, at,
		    "%s: this is no good OCSP answer (DER, status successful): nothing is stapled",
		    beside);
	else if (len > 0 && (p->ocsp = malloc((size_t)len))) {
		memcpy(p->ocsp, data, (size_t)len);
		p->ocsp_len = (size_t)len;
	}
	BIO_free(b);
}

struct tls_pair *tls_pair_read(const char *file, struct tls_extra *extra, struct diag *d, const struct diag_place *at)
{
	struct tls_pair *p = (struct tls_pair *)tls_item_new(TLS_CERT, file);
	STACK_OF(X509) *chain = NULL;
	const char *why = "no memory";

	if (p)
		chain = tls_certs_read(file, &why);
	if (!chain) {
		diag_add(d, DIAG_ERROR, at, "%s: cannot read this certificate: %s", file, why);
		tls_item_free(p ? &p->item : NULL);
		return NULL;
	}
	p->leaf = sk_X509_shift(chain);
	p->chain = chain;
	p->extra = tls_extra_hold(extra);
	p->kind = kind_of(p->leaf);
	if (!take_key(p, d, at)) {
		tls_item_free(&p->item);
		return NULL;
	}
	take_issuer(p);
	take_ocsp(p, d, at);
	judge_dates(p, d, at);
	return p;
}

/* ---- Set at run time ---- */

static struct tls_pair *copy_of(const struct tls_pair *p)
{
	struct tls_pair *copy = (struct tls_pair *)tls_item_new(TLS_CERT, p->item.file);

	if (!copy)
		return NULL;
	copy->kind = p->kind;
	copy->extra = tls_extra_hold(p->extra);
	copy->leaf = p->leaf;
	copy->issuer = p->issuer;
	copy->key = p->key;
	if (p->leaf)
		X509_up_ref(p->leaf);
	if (p->issuer)
		X509_up_ref(p->issuer);
	if (p->key)
		EVP_PKEY_up_ref(p->key);
	copy->chain = p->chain ? X509_chain_up_ref(p->chain) : NULL;
	copy->ocsp = p->ocsp ? malloc(p->ocsp_len) : NULL;
	copy->ocsp_len = copy->ocsp ? p->ocsp_len : 0;
	if (copy->ocsp)
		memcpy(copy->ocsp, p->ocsp, p->ocsp_len);
	if (!p->chain == !copy->chain && !p->ocsp == !copy->ocsp)
		return copy;
	tls_item_free(&copy->item);
	return NULL;
}

/* Another certificate: what was stapled to the old one is not about it. */
static bool set_pem(struct tls_pair *p, const char *text, const char **ret_why)
{
	STACK_OF(X509) *chain = certs_of(BIO_new_mem_buf(text, -1), ret_why);
	bool locked = false;
	EVP_PKEY *key;

	if (!chain)
		return false;
	key = key_of(BIO_new_mem_buf(text, -1), &locked);
	*ret_why = locked ? "the private key has a passphrase, and nobody is there to type it" : NULL;
	if (!locked && key && !X509_check_private_key(sk_X509_value(chain, 0), key))
		*ret_why = "the private key is not that of the first certificate";
	ERR_clear_error();
	if (*ret_why) {
		sk_X509_pop_free(chain, X509_free);
		EVP_PKEY_free(key);
		return false;
	}
	X509_free(p->leaf);
	sk_X509_pop_free(p->chain, X509_free);
	p->leaf = sk_X509_shift(chain);
	p->chain = chain;
	p->kind = kind_of(p->leaf);
	free(p->ocsp);
	p->ocsp = NULL;
	p->ocsp_len = 0;
	if (key) {
		EVP_PKEY_free(p->key);
		p->key = key;
	}
	return true;
}

static bool set_key(struct tls_pair *p, const char *text, const char **ret_why)
{
	bool locked = false;
	EVP_PKEY *key = key_of(BIO_new_mem_buf(text, -1), &locked);

	*ret_why = locked ? "the private key has a passphrase, and nobody is there to type it" : "there is no private key in it";
	if (!key)
		return false;
	EVP_PKEY_free(p->key);
	p->key = key;
	return true;
}

static bool set_issuer(struct tls_pair *p, const char *text, const char **ret_why)
{
	STACK_OF(X509) *all = certs_of(BIO_new_mem_buf(text, -1), ret_why);

	if (!all)
		return false;
	X509_free(p->issuer);
	p->issuer = sk_X509_shift(all);
	sk_X509_pop_free(all, X509_free);
	return true;
}

size_t tls_base64(const char *text, unsigned char **ret)
{
	size_t len = strlen(text), n = 0;
	char *joined = malloc(len + 1);
	int got = -1;

	*ret = malloc(len + 1);
	for (size_t i = 0; joined && i < len; i++)
		if (!isspace((unsigned char)text[i]))
			joined[n++] = text[i];
	if (joined && *ret && n && n % 4 == 0)
		got = EVP_DecodeBlock(*ret, (unsigned char *)joined, (int)n);
	for (size_t i = n; got > 0 && i && joined[i - 1] == '='; i--)
		got--;
	free(joined);
	ERR_clear_error();
	return got > 0 ? (size_t)got : 0;
}

static bool set_ocsp(struct tls_pair *p, const char *text, const char **ret_why)
{
	unsigned char *der;
	size_t len = tls_base64(text, &der);

	*ret_why = "this is no good OCSP answer (DER in base64, status successful)";
	if (!len || !is_ocsp(der, len)) {
		free(der);
		return false;
	}
	free(p->ocsp);
	p->ocsp = der;
	p->ocsp_len = len;
	return true;
}

struct tls_item *tls_pair_parse(const struct tls_pair *before, const char *part, const char *text, const char **ret_why)
{
	struct tls_pair *p = copy_of(before);
	bool ok;

	*ret_why = "no memory";
	if (!p)
		return NULL;
	if (!strcmp(part, ".key"))
		ok = set_key(p, text, ret_why);
	else if (!strcmp(part, ".issuer"))
		ok = set_issuer(p, text, ret_why);
	else if (!strcmp(part, ".ocsp"))
		ok = set_ocsp(p, text, ret_why);
	else
		ok = set_pem(p, text, ret_why);
	if (ok)
		return &p->item;
	tls_item_free(&p->item);
	return NULL;
}

bool tls_pair_is_whole(const struct tls_pair *p, char *why, size_t cap)
{
	X509 *last = p->leaf;

	snprintf(why, cap, "%s", "");
	if (!p->leaf || !p->key) {
		snprintf(why, cap, "The transaction must contain at least a certificate and a private key!\n");
		return false;
	}
	if (!X509_check_private_key(p->leaf, p->key)) {
		ERR_clear_error();
		snprintf(why, cap, "inconsistencies between private key and certificate loaded '%s'.\n", p->item.file);
		return false;
	}
	if (X509_cmp_current_time(X509_get0_notAfter(p->leaf)) < 0)
		snprintf(why, cap, "Warning: the certificate has expired: clients will refuse it.\n");
	for (int i = 0; !*why && i < sk_X509_num(p->chain); i++) {
		X509 *next = sk_X509_value(p->chain, i);

		if (X509_check_issued(next, last) != X509_V_OK)
			snprintf(why, cap,
				 "Warning: certificate %d of the chain did not issue the one in front of it: some clients will refuse it.\n", i + 2);
		last = next;
	}
	ERR_clear_error();
	return true;
}

/* ---- OCSP ---- */

/* Is it about this certificate? Its issuer is the first of the chain, the one of FILE.issuer, or itself. */
static bool is_about(const struct tls_pair *p, OCSP_CERTID *id)
{
	STACK_OF(X509) *chain = tls_pair_chain(p);
	X509 *issuer = sk_X509_num(p->chain) > 0 || !p->issuer ? sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : p->leaf : p->issuer;
	ASN1_OBJECT *digest = NULL;
	const EVP_MD *md;
	OCSP_CERTID *own = NULL;
	bool same;

	if (p->leaf && OCSP_id_get0_info(NULL, &digest, NULL, NULL, id) && (md = EVP_get_digestbyobj(digest)))
		own = OCSP_cert_to_id(md, p->leaf, issuer);
	same = own && OCSP_id_cmp(own, id) == 0;
	OCSP_CERTID_free(own);
	sk_X509_pop_free(chain, X509_free);
	return same;
}

/* The answer's first part; *ret_basic is to be freed in any case. NULL: *why. */
static OCSP_SINGLERESP *first_of(const void *data, size_t len, OCSP_BASICRESP **ret_basic, char *why, size_t cap)
{
	const unsigned char *der = data;
	OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &der, (long)len);
	ASN1_GENERALIZEDTIME *now, *next;
	OCSP_SINGLERESP *one = NULL;
	int reason;

	*ret_basic = NULL;
	if (!r) {
		snprintf(why, cap, "Unable to parse OCSP response.\n");
	} else if (OCSP_response_status(r) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
		snprintf(why, cap, "OCSP response status not successful.\n");
	} else if (!(*ret_basic = OCSP_response_get1_basic(r)) || OCSP_resp_count(*ret_basic) < 1) {
		snprintf(why, cap, "Failed to get basic response from OCSP Response.\n");
	} else {
		one = OCSP_resp_get0(*ret_basic, 0);
		reason = OCSP_single_get0_status(one, NULL, NULL, &now, &next);
		if (reason != V_OCSP_CERTSTATUS_GOOD && reason != V_OCSP_CERTSTATUS_REVOKED) {
			snprintf(why, cap, "OCSP single response: certificate status is unknown.\n");
			one = NULL;
		} else if (!next || !OCSP_check_validity(now, next, 300, -1)) {
			snprintf(why, cap, "OCSP single response: no longer valid, or not yet.\n");
			one = NULL;
		}
	}
	OCSP_RESPONSE_free(r);
	ERR_clear_error();
	return one;
}

int tls_item_with_ocsp(const struct tls_item *item, const void *der, size_t len, struct tls_item **ret, char *why, size_t cap)
{
	const struct tls_pair *p = (const struct tls_pair *)item;
	OCSP_BASICRESP *basic;
	OCSP_SINGLERESP *one = first_of(der, len, &basic, why, cap);
	struct tls_pair *copy = NULL;
	int e = one ? 0 : -EBADMSG;

	*ret = NULL;
	if (one && is_about(p, (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(one))) {
		copy = copy_of(p);
		if (copy) {
			free(copy->ocsp);
			copy->ocsp = malloc(len);
			copy->ocsp_len = len;
		}
		if (copy && copy->ocsp) {
			memcpy(copy->ocsp, der, len);
			*ret = &copy->item;
		} else {
			e = -ENOMEM;
			snprintf(why, cap, "There is not memory enough.\n");
			tls_item_free(copy ? &copy->item : NULL);
		}
	}
	OCSP_BASICRESP_free(basic);
	ERR_clear_error();
	return e;
}

void tls_pair_clear(struct tls_pair *p)
{
	X509_free(p->leaf);
	sk_X509_pop_free(p->chain, X509_free);
	tls_extra_free(p->extra);
	X509_free(p->issuer);
	EVP_PKEY_free(p->key);
	free(p->ocsp);
}

bool tls_pair_use(const struct tls_pair *p, SSL_CTX *ctx)
{
	EVP_PKEY *key = EVP_PKEY_dup(p->key);
	STACK_OF(X509) *chain = tls_pair_shown_chain(p);
	bool ok = key && SSL_CTX_use_cert_and_key(ctx, p->leaf, key, chain, 1) == 1;

	sk_X509_pop_free(chain, X509_free);
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
