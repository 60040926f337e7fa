/* SPDX-License-Identifier: MIT */
/* What lines say, as a context of OpenSSL. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "tls/internal.h"
#include "tls/seen.h"

#define CAS_MAX 100000

int tls_verify_mode(enum tls_verify v)
{
	switch (v) {
	case TLS_VERIFY_OPTIONAL:
		return SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE;
	case TLS_VERIFY_REQUIRED:
		return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT | SSL_VERIFY_CLIENT_ONCE;
	default:
		return SSL_VERIFY_NONE;
	}
}

/*
 * As HAProxy counts them: the least of clients is TLS 1.2 unless a line says otherwise, of servers what OpenSSL has (its default security
 * level allows no less than TLS 1.2), who names an end of the range is not heard about versions in it, and SSLv3 is a word without a protocol.
 */
bool tls_versions(const struct tls_settings *s, bool of_server, uint16_t *ret_min, uint16_t *ret_max)
{
	const uint16_t least = of_server ? TLS_V_10 : TLS_V_12;
	uint16_t max = s->max_version ? s->max_version : TLS_V_13;
	uint16_t min = s->min_version ? s->min_version : max < least ? max : least;
	unsigned off = s->min_version || s->max_version ? 0 : s->off_versions;

	min = min < TLS_V_10 ? TLS_V_10 : min;
	while (min <= max && off >> (min & 7) & 1)
		min++;
	while (min <= max && off >> (max & 7) & 1)
		max--;
	*ret_min = min;
	*ret_max = max;
	return min <= max;
}

size_t tls_alpn_wire(const char *list, unsigned char wire[TLS_ALPN_MAX])
{
	size_t at = 0;

	while (list && *list) {
		size_t n = strcspn(list, ",");

		if (n) {
			if (at + 1 + n > TLS_ALPN_MAX)
				return 0;
			wire[at++] = (unsigned char)n;
			memcpy(wire + at, list, n);
			at += n;
		}
		list += n + (list[n] == ',');
	}
	return at;
}

/* ---- Diffie-Hellman for TLS 1.2 ---- */

static EVP_PKEY *group_of(unsigned bits)
{
	const char *name = bits >= 8192	  ? "ffdhe8192"
			   : bits >= 4096 ? "ffdhe4096"
			   : bits >= 3072 ? "ffdhe3072"
					  : "ffdhe2048";
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)name,
					     0),
	    OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;

	if (!c || EVP_PKEY_paramgen_init(c) <= 0 || EVP_PKEY_CTX_set_params(c, params) <= 0 ||
	    EVP_PKEY_paramgen(c, &key) <= 0)
		key = NULL;
	EVP_PKEY_CTX_free(c);
	return key;
}

static bool use_dh(SSL_CTX *ctx, const struct tls_globals *g, const char **ret_why)
{
	EVP_PKEY *key = NULL;
	BIO *b;

	if (g && g->dh_file) {
		b = tls_file(g->dh_file, ret_why);
		if (!b)
			return false;
		key = PEM_read_bio_Parameters(b, NULL);
		BIO_free(b);
		*ret_why = "ssl-dh-param-file has no DH PARAMETERS in PEM, or too short ones: make "
			   "some of 2048 bits or more "
			   "(openssl dhparam 2048)";
	} else if (g && g->dh_bits) {
		key = group_of(g->dh_bits);
	} else {
		return SSL_CTX_set_dh_auto(ctx, 1) == 1;
	}
	if (key && SSL_CTX_set0_tmp_dh_pkey(ctx, key) == 1)
		return true;
	EVP_PKEY_free(key);
	return false;
}

/* ---- Authorities ---- */

struct tls_trusted *tls_trusted_parse(enum tls_kind kind, const char *file, BIO *b, const char **ret_why)
{
	STACK_OF(X509_INFO) *all = PEM_X509_INFO_read_bio(b, NULL, NULL, NULL);
	struct tls_trusted *t;

	*ret_why = tls_lacked_memory() ? "no memory" : "it is no PEM";
	if (!all)
		return NULL;
	t = (struct tls_trusted *)tls_item_new(kind, file);
	for (int i = 0; t && i < sk_X509_INFO_num(all) && i < CAS_MAX; i++) {
		X509_INFO *one = sk_X509_INFO_value(all, i);

		if (one->x509 && sk_X509_push(t->ca, one->x509))
			one->x509 = NULL;
		if (one->crl && sk_X509_CRL_push(t->crl, one->crl))
			one->crl = NULL;
	}
	sk_X509_INFO_pop_free(all, X509_INFO_free);
	*ret_why = t ? "there is no certificate, nor a list of revoked ones, in it" : "no memory";
	if (!t || sk_X509_num(t->ca) || sk_X509_CRL_num(t->crl))
		return t;
	tls_item_free(&t->item);
	return NULL;
}

static bool add_all(STACK_OF(X509) *ca, STACK_OF(X509_CRL) *crl, const struct tls_trusted *from)
{
	bool ok = true;

	for (int i = 0; ok && i < sk_X509_num(from->ca); i++) {
		X509 *x = sk_X509_value(from->ca, i);

		ok = sk_X509_push(ca, x);
		if (ok)
			X509_up_ref(x);
	}
	for (int i = 0; ok && i < sk_X509_CRL_num(from->crl); i++) {
		X509_CRL *x = sk_X509_CRL_value(from->crl, i);

		ok = sk_X509_CRL_push(crl, x);
		if (ok)
			X509_CRL_up_ref(x);
	}
	return ok;
}

static int is_trusted(const struct dirent *d)
{
	static const char *const ends[] = {".pem", ".crt", ".cer", ".crl"};
	const char *end = strrchr(d->d_name, '.');

	for (size_t i = 0; end && end != d->d_name && *d->d_name != '.' && i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!strcmp(end, ends[i]))
			return 1;
	return 0;
}

static struct tls_trusted *read_file(enum tls_kind kind, const char *path, const char **ret_why)
{
	BIO *b = tls_file(path, ret_why);
	struct tls_trusted *t = b ? tls_trusted_parse(kind, path, b, ret_why) : NULL;

	BIO_free(b);
	return t;
}

/* What is no certificate does not keep the others from being used, as in HAProxy. */
static struct tls_trusted *read_folder(enum tls_kind kind, const char *path, struct dirent **entry, int n, const char **ret_why)
{
	struct tls_trusted *t = (struct tls_trusted *)tls_item_new(kind, path);
	bool ok = t;

	for (int i = 0; ok && i < n && sk_X509_num(t->ca) < CAS_MAX; i++) {
		char file[PATH_MAX];
		struct tls_trusted *one = NULL;
		struct stat st;

		/* a FIFO would be waited for */
		if ((size_t)snprintf(file, sizeof(file), "%s/%s", path, entry[i]->d_name) < sizeof(file) && stat(file, &st) == 0 && S_ISREG(st.st_mode))
			one = read_file(kind, file, ret_why);
		ok = !one || add_all(t->ca, t->crl, one);
		if (one)
			tls_item_free(&one->item);
	}
	*ret_why = !ok ? "no memory" : "no file in it has a certificate: they end with .pem, .crt, .cer or .crl";
	if (ok && (sk_X509_num(t->ca) || sk_X509_CRL_num(t->crl)))
		return t;
	if (t)
		tls_item_free(&t->item);
	return NULL;
}

struct tls_trusted *tls_trusted_read(enum tls_kind kind, const char *path, const char **ret_why)
{
	struct dirent **entry = NULL;
	struct tls_trusted *t;
	struct stat st;
	int n;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return read_file(kind, path, ret_why);
	n = scandir(path, &entry, is_trusted, alphasort);
	t = read_folder(kind, path, entry, n, ret_why);
	while (n > 0)
		free(entry[--n]);
	free(entry);
	return t;
}

/* Those of ca-file alone: ca-verify-file has more to check with (HAProxy's manual). */
static void collect_names(struct tls_trust *t)
{
	for (int i = 0; i < sk_X509_num(t->ca); i++) {
		X509_NAME *name = X509_NAME_dup(X509_get_subject_name(sk_X509_value(t->ca, i)));

		if (name && !sk_X509_NAME_push(t->names, name))
			X509_NAME_free(name);
	}
}

struct tls_trust *tls_trust_read(const struct tls_settings *s, struct tls_store *store, bool again, struct diag *d,
				 const struct diag_place *at)
{
	const char *const file[] = {s->ca_file, s->ca_verify_file, s->crl_file};
	struct tls_trust *t = calloc(1, sizeof(*t));
	bool ok;

	if (!t)
		return NULL;
	t->ca = sk_X509_new_null();
	t->crl = sk_X509_CRL_new_null();
	t->names = sk_X509_NAME_new_null();
	ok = t->ca && t->crl && t->names;
	for (size_t i = 0; ok && i < sizeof(file) / sizeof(file[0]); i++) {
		struct tls_trusted *from = NULL;

		if (file[i] && !strcmp(file[i], "@system-ca")) {
			t->system = true;
		} else if (file[i]) {
			from = tls_store_trusted(store, i == 2 ? TLS_CRL : TLS_CA, file[i], again, d, at);
			ok = from && add_all(t->ca, t->crl, from);
		}
		if (from)
			t->file[i] = tls_item_hold(&from->item);
		if (ok && i == 0 && !s->no_ca_names)
			collect_names(t);
	}
	if (ok)
		return t;
	tls_trust_free(t);
	return NULL;
}

void tls_trust_free(struct tls_trust *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < TLS_WORKERS_MAX; i++)
		X509_STORE_free(t->store[i]);
	for (size_t i = 0; i < sizeof(t->file) / sizeof(t->file[0]); i++)
		tls_item_free(t->file[i]);
	sk_X509_pop_free(t->ca, X509_free);
	sk_X509_CRL_pop_free(t->crl, X509_CRL_free);
	sk_X509_NAME_pop_free(t->names, X509_NAME_free);
	free(t);
}

bool tls_trust_uses(const struct tls_trust *t, enum tls_kind kind, const char *file)
{
	for (size_t i = 0; i < sizeof(t->file) / sizeof(t->file[0]); i++)
		if (t->file[i] && t->file[i]->what == kind && !strcmp(t->file[i]->file, file))
			return true;
	return false;
}

static X509_STORE *make_store(const struct tls_trust *t)
{
	X509_STORE *s = X509_STORE_new();
	bool ok = s && (!t->system || X509_STORE_set_default_paths(s));

	for (int i = 0; ok && i < sk_X509_num(t->ca); i++)
		ok = X509_STORE_add_cert(s, sk_X509_value(t->ca, i));
	for (int i = 0; ok && i < sk_X509_CRL_num(t->crl); i++)
		ok = X509_STORE_add_crl(s, sk_X509_CRL_value(t->crl, i));
	if (ok && sk_X509_CRL_num(t->crl))
		ok = X509_STORE_set_flags(s, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	if (ok)
		return s;
	X509_STORE_free(s);
	return NULL;
}

bool tls_context_trust(SSL_CTX *ctx, struct tls_trust *t, unsigned worker)
{
	STACK_OF(X509_NAME) * names;

	if (!t->store[worker])
		t->store[worker] = make_store(t);
	if (!t->store[worker])
		return false;
	SSL_CTX_set1_cert_store(ctx, t->store[worker]);
	names = sk_X509_NAME_num(t->names) ? SSL_dup_CA_list(t->names) : NULL;
	if (names)
		SSL_CTX_set_client_CA_list(ctx, names);
	return names || !sk_X509_NAME_num(t->names);
}

/* ---- The context ---- */

SSL_CTX *tls_context_new(const struct tls_settings *s, const struct tls_globals *g, bool is_server,
			 const char **ret_why)
{
	SSL_CTX *ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
	uint16_t min, max;

	*ret_why = "no memory";
	if (!ctx)
		return NULL;
	/* Half-sent records are repeated from another place; a FIN without close_notify is what many send. */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
		     (s->prefer_client_ciphers ? 0 : SSL_OP_CIPHER_SERVER_PREFERENCE) |
		     (s->no_tickets ? SSL_OP_NO_TICKET : 0));
	SSL_CTX_set_read_ahead(ctx, 1);
	if (g && g->keeps_secrets)
		SSL_CTX_set_keylog_callback(ctx, tls_seen_secret);
	SSL_CTX_set_timeout(ctx, g && g->lifetime_s ? g->lifetime_s : 300);
	*ret_why = "no such version of TLS";
	if (!tls_versions(s, !is_server, &min, &max) || !SSL_CTX_set_min_proto_version(ctx, min) || !SSL_CTX_set_max_proto_version(ctx, max))
		goto failed;
	if (g && g->max_record && !SSL_CTX_set_max_send_fragment(ctx, g->max_record)) {
		*ret_why = "tune.ssl.maxrecord must be between 512 and 16384";
		goto failed;
	}
	*ret_why = "OpenSSL knows none of these ciphers; \"openssl ciphers -v\" lists them";
	if (s->ciphers && !SSL_CTX_set_cipher_list(ctx, s->ciphers))
		goto failed;
	*ret_why = "OpenSSL does not know one of these ciphersuites; \"openssl ciphers -v -s "
		   "-tls1_3\" lists them";
	if (s->ciphersuites && !SSL_CTX_set_ciphersuites(ctx, s->ciphersuites))
		goto failed;
	*ret_why = "OpenSSL does not know one of these curves; \"openssl ecparam -list_curves\" "
		   "lists them";
	if (tls_curves(s) && !SSL_CTX_set1_curves_list(ctx, tls_curves(s)))
		goto failed;
	if (!is_server || use_dh(ctx, g, ret_why))
		return ctx;
failed:
	ERR_clear_error();
	SSL_CTX_free(ctx);
	return NULL;
}
