/* SPDX-License-Identifier: MIT */
#include "tls/info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "cfg/cfg.h"
#include "engine/proxy_protocol.h"
#include "rules/tls_names.h"
#include "tls/conn.h"
#include "tls/seen.h"

#define RANDOM_MAX 64

static bool text(const char *s, struct sample *ret)
{
	if (!s)
		return false;
	*ret = sample_text(SAMPLE_STR, s, strlen(s));
	return true;
}

static bool copy(enum sample_type type, const void *data, size_t len, struct scratch *scratch,
		 struct sample *ret)
{
	char *at = scratch_take(scratch, len);

	if (!at)
		return false;
	if (len)
		memcpy(at, data, len);
	*ret = sample_text(type, at, len);
	return true;
}

/* NULL: it has shown none. */
static X509 *peer_of(const struct tls *t)
{
	return t->refused ? t->refused : SSL_get0_peer_certificate(t->ssl);
}

/* ---- The connection ---- */

static bool bytes(const SSL *ssl, int what, struct scratch *scratch, struct sample *ret)
{
	const SSL_SESSION *s = SSL_get_session(ssl);
	unsigned char buf[RANDOM_MAX];
	const unsigned char *id;
	unsigned id_len;
	size_t n;

	switch (what) {
	case TLS_CLIENT_RANDOM:
		n = SSL_get_client_random(ssl, buf, sizeof(buf));
		break;
	case TLS_SERVER_RANDOM:
		n = SSL_get_server_random(ssl, buf, sizeof(buf));
		break;
	case TLS_SESSION_KEY:
		n = s ? SSL_SESSION_get_master_key(s, buf, sizeof(buf)) : 0;
		break;
	case TLS_SESSION_ID:
		id = s ? SSL_SESSION_get_id(s, &id_len) : NULL;
		return id && id_len && copy(SAMPLE_BIN, id, id_len, scratch, ret);
	default: /* tls-unique (RFC 5929, section 3): the first Finished of the handshake */
		n = !SSL_is_server(ssl) == !SSL_session_reused((SSL *)(uintptr_t)ssl)
			? SSL_get_peer_finished(ssl, buf, sizeof(buf))
			: SSL_get_finished(ssl, buf, sizeof(buf));
	}
	return n && n <= sizeof(buf) && copy(SAMPLE_BIN, buf, n, scratch, ret);
}

static bool number(const struct tls *t, int what, struct sample *ret)
{
	const SSL *ssl = t->ssl;

	switch (what) {
	case TLS_ALG_KEYSIZE:
		*ret = sample_int(SSL_get_cipher_bits(ssl, NULL));
		return ret->number;
	case TLS_CA_ERR:
		*ret = sample_int(t->ca_error);
		return true;
	case TLS_CA_ERR_DEPTH:
		*ret = sample_int(t->ca_depth);
		return true;
	case TLS_ERR:
		*ret = sample_int(t->error);
		return true;
	case TLS_HANDSHAKE_ERR:
		*ret = sample_int((int64_t)t->ssl_error);
		return true;
	case TLS_HAS_CERT:
		*ret = sample_bool(t->used_cert);
		return t->is_ready;
	case TLS_HAS_EARLY: /* it is not taken */
		*ret = sample_bool(false);
		return true;
	case TLS_HAS_SNI:
		*ret = sample_bool(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL);
		return true;
	case TLS_IS_RESUMED:
		*ret = sample_bool(SSL_session_reused((SSL *)(uintptr_t)ssl));
		return true;
	case TLS_USED:
		*ret = sample_bool(peer_of(t) != NULL);
		return true;
	default:
		*ret = sample_int(SSL_get_verify_result(ssl));
		return t->is_ready;
	}
}

/* ---- What was kept of the handshake ---- */

/* RFC 8701 */
static bool is_grease(const unsigned char *p)
{
	return p[0] == p[1] && (p[0] & 0x0f) == 0x0a;
}

/* A list of the hello; GREASE is left out if the argument says so. */
static bool list(const struct tls *t, enum tls_list which, const struct expr_arg *arg, unsigned n_args, struct scratch *scratch,
		 struct text *ret)
{
	bool filters = n_args && arg->number && which != TLS_LIST_POINTS;
	const unsigned char *at;
	size_t len;
	char *to;

	if (!t->seen || !t->seen->list[which].at)
		return false;
	at = t->seen->list[which].at;
	len = t->seen->list[which].len;
	to = scratch_take(scratch, len);
	*ret = text_of(to, 0);
	for (size_t i = 0; to && i < len;) {
		size_t n = filters && len - i > 1 ? 2 : 1;

		if (n == 1 || !is_grease(at + i)) {
			memcpy(to + ret->len, at + i, n);
			ret->len += n;
		}
		i += n;
	}
	return to;
}

/* Names with commas between them, "UNKNOWN(0a0a)" of those that OpenSSL knows not. */
static bool cipher_names(const struct tls *t, struct text ids, struct scratch *scratch, struct sample *ret)
{
	size_t cap = (ids.len / 2) * 48 + 1, n = 0;
	char *to = scratch_take(scratch, cap);

	if (!to)
		return false;
	for (size_t i = 0; i + 1 < ids.len; i += 2) {
		const unsigned char *id = (const unsigned char *)ids.at + i;
		const SSL_CIPHER *c = SSL_CIPHER_find(t->ssl, id);
		char unknown[16];

		snprintf(unknown, sizeof(unknown), "UNKNOWN(%02x%02x)", id[0], id[1]);
		n += (size_t)snprintf(to + n, cap - n, "%s%.40s", i ? "," : "", c ? SSL_CIPHER_get_name(c) : unknown);
	}
	scratch_trim(scratch, cap, n);
	*ret = sample_text(SAMPLE_STR, to, n);
	return true;
}

static bool hexadecimal(struct text t, struct scratch *scratch, struct sample *ret)
{
	char *to = scratch_take(scratch, 2 * t.len + 1);

	if (!to)
		return false;
	for (size_t i = 0; i < t.len; i++)
		snprintf(to + 2 * i, 3, "%02X", (unsigned char)t.at[i]);
	*ret = sample_text(SAMPLE_STR, to, 2 * t.len);
	return true;
}

static bool seen(const struct tls *t, int what, const struct expr_arg *arg, unsigned n_args, struct scratch *scratch,
		 struct sample *ret)
{
	enum tls_list which = what == TLS_EXTENSIONLIST ? TLS_LIST_EXTENSIONS
			      : what == TLS_GROUPLIST	? TLS_LIST_GROUPS
			      : what == TLS_POINTLIST	? TLS_LIST_POINTS
							: TLS_LIST_CIPHERS;
	struct text ids;

	if (!t->seen)
		return false;
	if (what >= TLS_KEY_EARLY && what <= TLS_KEY_EARLY_EXPORTER) {
		const char *secret = t->seen->secret[what - TLS_KEY_EARLY];

		return *secret && text(secret, ret);
	}
	if (what == TLS_HELLO_VERSION || what == TLS_CIPHERLIST_XXH) {
		*ret = sample_int(what == TLS_HELLO_VERSION ? t->seen->version : (int64_t)t->seen->ciphers_hash);
		return t->seen->version;
	}
	if (!list(t, which, arg, n_args, scratch, &ids))
		return false;
	if (what == TLS_CIPHERLIST_STR)
		return cipher_names(t, ids, scratch, ret);
	if (what == TLS_CIPHERLIST_HEX)
		return hexadecimal(ids, scratch, ret);
	*ret = sample_text(SAMPLE_BIN, ids.at, ids.len);
	return true;
}

/* ---- Certificates ---- */

/* Of the entry with this short name the n-th, from the end when n is negative. */
static bool dn_entry(X509_NAME *name, struct text want, int64_t n, struct scratch *scratch,
		     struct sample *ret)
{
	int count = X509_NAME_entry_count(name);
	int64_t seen = 0;

	for (int k = 0; k < count; k++) {
		int i = n < 0 ? count - 1 - k : k;
		const X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);
		const char *sn = OBJ_nid2sn(OBJ_obj2nid(X509_NAME_ENTRY_get_object(e)));
		const ASN1_STRING *s = X509_NAME_ENTRY_get_data(e);

		if (!sn || strlen(sn) != want.len || strncasecmp(sn, want.at, want.len) != 0 ||
		    ++seen < (n < 0 ? -n : n))
			continue;
		return copy(SAMPLE_STR, ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s),
			    scratch, ret);
	}
	return false;
}

/* "/C=FR/O=…", the values as they are. */
static bool dn_line(X509_NAME *name, struct scratch *scratch, struct sample *ret)
{
	char *begin = scratch->at + scratch->used;
	size_t len = 0;

	for (int i = 0; i < X509_NAME_entry_count(name); i++) {
		const X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);
		const char *sn = OBJ_nid2sn(OBJ_obj2nid(X509_NAME_ENTRY_get_object(e)));
		const ASN1_STRING *s = X509_NAME_ENTRY_get_data(e);
		struct text parts[] = {
		    {"/", 1},
		    {sn, strlen(sn)},
		    {"=", 1},
		    {(const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)}};

		for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
			if (!scratch_put(scratch, parts[k]))
				return false;
			len += parts[k].len;
		}
	}
	*ret = sample_text(SAMPLE_STR, begin, len);
	return true;
}

static bool dn_rfc2253(X509_NAME *name, struct scratch *scratch, struct sample *ret)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *at;
	long n;
	bool ok = b && X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253) >= 0;

	n = ok ? BIO_get_mem_data(b, &at) : 0;
	ok = ok && copy(SAMPLE_STR, at, (size_t)n, scratch, ret);
	BIO_free(b);
	return ok;
}

/* [ENTRY[,N[,rfc2253]]] */
static bool dn(X509_NAME *name, const struct expr_arg *arg, unsigned n_args,
	       struct scratch *scratch, struct sample *ret)
{
	int64_t n = n_args > 1 && arg[1].number ? arg[1].number : 1;

	if (n_args && arg[0].text.len)
		return dn_entry(name, arg[0].text, n, scratch, ret);
	if (n_args > 2 && text_same(arg[2].text, text_of("rfc2253", 7), false))
		return dn_rfc2253(name, scratch, ret);
	return dn_line(name, scratch, ret);
}

/* YYMMDDhhmmssZ, of either kind of time. */
static bool date(const ASN1_TIME *t, struct scratch *scratch, struct sample *ret)
{
	const unsigned char *data = ASN1_STRING_get0_data(t);
	size_t len = (size_t)ASN1_STRING_length(t),
	       skip = ASN1_STRING_type(t) == V_ASN1_GENERALIZEDTIME ? 2 : 0;

	return len >= 12 + skip && copy(SAMPLE_STR, data + skip, len - skip, scratch, ret);
}

static bool der(X509 *x, struct scratch *scratch, struct sample *ret)
{
	unsigned char *data = NULL;
	int len = i2d_X509(x, &data);
	bool ok = len > 0 && copy(SAMPLE_BIN, data, (size_t)len, scratch, ret);

	OPENSSL_free(data);
	return ok;
}

/* As OpenSSL has it: of a client without its own certificate. */
static bool chain(const SSL *ssl, struct scratch *scratch, struct sample *ret)
{
	STACK_OF(X509) *all = SSL_get_peer_cert_chain(ssl);
	char *begin = scratch->at + scratch->used;
	struct sample one;
	size_t len = 0;

	for (int i = 0; i < sk_X509_num(all); i++) {
		if (!der(sk_X509_value(all, i), scratch, &one))
			return false;
		len += one.text.len;
	}
	*ret = sample_text(SAMPLE_BIN, begin, len);
	return len;
}

/* OpenSSL's words. */
static bool error_text(unsigned long error, struct scratch *scratch, struct sample *ret)
{
	char buf[256];

	ERR_error_string_n(error, buf, sizeof(buf));
	return error && copy(SAMPLE_STR, buf, strlen(buf), scratch, ret);
}

static bool certificate(const struct tls *t, int what, const struct expr_arg *arg, unsigned n_args,
			struct scratch *scratch, struct sample *ret)
{
	X509 *x = what & TLS_OF_PEER ? peer_of(t) : SSL_get_certificate(t->ssl);
	unsigned char digest[EVP_MAX_MD_SIZE];
	const ASN1_INTEGER *serial;
	ASN1_OBJECT *algorithm;
	unsigned len;

	if (!x)
		return false;
	switch (what & TLS_VALUE_MASK) {
	case TLS_CERT_CHAIN:
		return chain(t->ssl, scratch, ret);
	case TLS_CERT_DER:
		return der(x, scratch, ret);
	case TLS_CERT_ISSUER:
		return dn(X509_get_issuer_name(x), arg, n_args, scratch, ret);
	case TLS_CERT_SUBJECT:
		return dn(X509_get_subject_name(x), arg, n_args, scratch, ret);
	case TLS_CERT_KEY_ALG:
		return X509_PUBKEY_get0_param(&algorithm, NULL, NULL, NULL,
					      X509_get_X509_PUBKEY(x)) &&
		       text(OBJ_nid2sn(OBJ_obj2nid(algorithm)), ret);
	case TLS_CERT_SIG_ALG:
		return text(OBJ_nid2sn(X509_get_signature_nid(x)), ret);
	case TLS_CERT_NOT_AFTER:
		return date(X509_get0_notAfter(x), scratch, ret);
	case TLS_CERT_NOT_BEFORE:
		return date(X509_get0_notBefore(x), scratch, ret);
	case TLS_CERT_SERIAL:
		serial = X509_get0_serialNumber(x);
		return copy(SAMPLE_BIN, ASN1_STRING_get0_data(serial),
			    (size_t)ASN1_STRING_length(serial), scratch, ret);
	case TLS_CERT_SHA1:
		return X509_digest(x, EVP_sha1(), digest, &len) &&
		       copy(SAMPLE_BIN, digest, len, scratch, ret);
	default:
		*ret = sample_int(X509_get_version(x) + 1);
		return true;
	}
}

bool tls_info(const struct tls *t, int what, const struct expr_arg *arg, unsigned n_args,
	      struct scratch *scratch, struct sample *ret)
{
	const unsigned char *protocol;
	unsigned len;

	if (!t->is_ready && !t->failed)
		return false;
	if ((what & TLS_VALUE_MASK) >= TLS_CERT_CHAIN)
		return certificate(t, what, arg, n_args, scratch, ret);
	switch (what & TLS_VALUE_MASK) {
	case TLS_ALPN:
		SSL_get0_alpn_selected(t->ssl, &protocol, &len);
		return len && copy(SAMPLE_STR, protocol, len, scratch, ret);
	case TLS_CIPHER:
		return text(SSL_get_cipher_name(t->ssl), ret);
	case TLS_PROTOCOL:
		return text(SSL_get_version(t->ssl), ret);
	case TLS_SNI:
		return text(t->refused_name ? t->refused_name : SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name), ret);
	case TLS_NEVER:
		return false;
	case TLS_CURVE: /* OpenSSL looks into the session, and there is none before a hello */
		return SSL_get_session(t->ssl) && text(SSL_group_to_name(t->ssl, (int)SSL_get_negotiated_group(t->ssl)), ret);
	case TLS_HANDSHAKE_ERR_STR:
		return error_text(t->ssl_error, scratch, ret);
	case TLS_CIPHERLIST_BIN:
	case TLS_CIPHERLIST_HEX:
	case TLS_CIPHERLIST_STR:
	case TLS_CIPHERLIST_XXH:
	case TLS_EXTENSIONLIST:
	case TLS_GROUPLIST:
	case TLS_HELLO_VERSION:
	case TLS_POINTLIST:
	case TLS_KEY_EARLY:
	case TLS_KEY_CLIENT_HANDSHAKE:
	case TLS_KEY_SERVER_HANDSHAKE:
	case TLS_KEY_CLIENT:
	case TLS_KEY_SERVER:
	case TLS_KEY_EXPORTER:
	case TLS_KEY_EARLY_EXPORTER:
		return seen(t, what & TLS_VALUE_MASK, arg, n_args, scratch, ret);
	case TLS_CLIENT_RANDOM:
	case TLS_SERVER_RANDOM:
	case TLS_SESSION_ID:
	case TLS_SESSION_KEY:
	case TLS_UNIQUE_ID:
		return bytes(t->ssl, what & TLS_VALUE_MASK, scratch, ret);
	default:
		return number(t, what & TLS_VALUE_MASK, ret);
	}
}

const char *tls_server_name(const struct tls *t)
{
	return t ? SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name) : NULL;
}

const char *tls_alpn(const struct tls *t, size_t *ret_len)
{
	const unsigned char *name = NULL;
	unsigned len = 0;

	if (t)
		SSL_get0_alpn_selected(t->ssl, &name, &len);
	*ret_len = len;
	return (const char *)name;
}

/* "RSA2048" */
static void name_key(const X509 *x, char *ret, size_t cap)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	int type = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;
	const char *name = type == EVP_PKEY_RSA ? "RSA" : type == EVP_PKEY_EC ? "EC" : type == EVP_PKEY_DSA ? "DSA" : NULL;

	if (name)
		snprintf(ret, cap, "%s%d", name, EVP_PKEY_get_bits(key));
}

static void tell_of_ours(const SSL *ssl, unsigned tells, struct proxy_tls *ret)
{
	const X509 *ours = SSL_get_certificate(ssl);

	strncpy(ret->version, SSL_get_version(ssl), sizeof(ret->version) - 1);
	if (tells & CFG_PROXY_CIPHER)
		strncpy(ret->cipher, SSL_get_cipher_name(ssl), sizeof(ret->cipher) - 1);
	if (ours && tells & CFG_PROXY_CERT_KEY)
		name_key(ours, ret->key, sizeof(ret->key));
	if (ours && tells & CFG_PROXY_CERT_SIG)
		strncpy(ret->signature, OBJ_nid2sn(X509_get_signature_nid(ours)), sizeof(ret->signature) - 1);
}

void tls_introduce(const struct tls *t, unsigned tells, struct proxy_tls *ret)
{
	X509 *x = t ? SSL_get0_peer_certificate(t->ssl) : NULL;

	*ret = (struct proxy_tls){.in_use = t, .has_cert = x, .shown_now = t && t->used_cert};
	if (t)
		tell_of_ours(t->ssl, tells, ret);
	if (!x)
		return;
	ret->verify = (uint32_t)SSL_get_verify_result(t->ssl);
	if (tells & CFG_PROXY_CN && X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName,
						   ret->cn, sizeof(ret->cn)) < 0)
		ret->cn[0] = '\0';
}
