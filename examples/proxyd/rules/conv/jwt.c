/* SPDX-License-Identifier: MIT */
/* JSON Web Tokens (RFC 7519): what they say, and whether their signature (RFC 7515, 7518) holds. */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

#include "rules/expr.h"
#include "rules/json.h"
#include "rules/map.h"
#include "rules/vars.h"

enum {
	PART_HEADER,
	PART_PAYLOAD,
	PART_SIGNATURE,
	PARTS,
};

/* False: there are more than three. *ret_n: so many are there. */
static bool split(struct text t, struct text part[PARTS], unsigned *ret_n)
{
	for (unsigned i = 0; i < PARTS; i++) {
		const char *dot = t.len ? memchr(t.at, '.', t.len) : NULL;
		size_t n = dot ? (size_t)(dot - t.at) : t.len;

		part[i] = text_of(t.at, n);
		*ret_n = i + 1;
		if (!dot)
			return true;
		t = text_of(dot + 1, t.len - n - 1);
	}
	return false;
}

/* jwt_header_query, jwt_payload_query ([path[,int]]): all of it without a path */
static bool query(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct text part[PARTS], json, value;
	unsigned n;

	if (!split(s->text, part, &n) || n <= (unsigned)c->data ||
	    !base64_bytes(part[c->data], true, &r->scratch, &json))
		return false;
	if (!n_args || !arg[0].text.len) {
		*s = sample_text(SAMPLE_STR, json.at, json.len);
		return true;
	}
	return json_find(json, arg[0].text, &value) &&
	       json_value(value, n_args > 1 && arg[1].text.len, &r->scratch, s);
}

/* ---- jwt_verify(algorithm,key): both may be names of variables ---- */

/* What HAProxy's gives beside 1 (it holds) and 0. */
enum {
	UNKNOWN_ALGORITHM = -1,
	NO_TOKEN = -3,
	NO_MEMORY = -4,
	UNKNOWN_KEY = -5,
};

static const struct algorithm {
	const char *name, *digest;
	enum { NONE, HMAC_SHARED, RSA_PKCS1, ELLIPTIC, RSA_PSS } kind;
	size_t half; /* of a signature by elliptic curves */
} algorithms[] = {
    {"none", NULL, NONE, 0},		  {"HS256", "SHA256", HMAC_SHARED, 0}, {"HS384", "SHA384", HMAC_SHARED, 0},
    {"HS512", "SHA512", HMAC_SHARED, 0},  {"RS256", "SHA256", RSA_PKCS1, 0},     {"RS384", "SHA384", RSA_PKCS1, 0},
    {"RS512", "SHA512", RSA_PKCS1, 0},	  {"ES256", "SHA256", ELLIPTIC, 32},     {"ES384", "SHA384", ELLIPTIC, 48},
    {"ES512", "SHA512", ELLIPTIC, 66},	  {"PS256", "SHA256", RSA_PSS, 0},     {"PS384", "SHA384", RSA_PSS, 0},
    {"PS512", "SHA512", RSA_PSS, 0},
};

static const struct algorithm *find_algorithm(struct text name)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++)
		if (text_same(text_of(algorithms[i].name, strlen(algorithms[i].name)), name, false))
			return &algorithms[i];
	return NULL;
}

static bool is_variable(struct text t)
{
	static const char *const scopes[] = {"txn.", "req.", "res.", "sess.", "proc."};

	for (size_t i = 0; i < sizeof(scopes) / sizeof(*scopes); i++)
		if (t.len > strlen(scopes[i]) && !memcmp(t.at, scopes[i], strlen(scopes[i])))
			return true;
	return false;
}

static void free_key(void *key)
{
	EVP_PKEY_free(key);
}

/* A file with a public key; NULL: it is none, then the word is a secret. */
static EVP_PKEY *read_key(const char *path)
{
	BIO *file = BIO_new_file(path, "r");
	EVP_PKEY *key = file ? PEM_read_bio_PUBKEY(file, NULL, NULL, NULL) : NULL;

	BIO_free(file);
	return key;
}

static bool check_variable(struct expr_arg *arg, const struct rule_memory *m, struct rule_error *e)
{
	arg->number = is_variable(arg->text) ? var_number(arg->text, m, e) : -1;
	return arg->number >= 0 || !is_variable(arg->text);
}

static bool check_verify(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	const struct algorithm *a = find_algorithm(arg[0].text);
	EVP_PKEY *key;

	if (!check_variable(&arg[0], m, e) || !check_variable(&arg[1], m, e))
		return false;
	if (!a && arg[0].number < 0)
		return rule_fail(e, "\"%.20s\" is no algorithm: write HS256, RS256, ES256 and the like, or a variable",
				 arg[0].text.at);
	arg[0].object = a;
	if (arg[1].number >= 0 || (a && a->kind <= HMAC_SHARED))
		return true;
	key = read_key(rule_path(m->shared, arg[1].text.at));
	if (!key && a)
		return rule_fail(e, "\"%.150s\" is no file with a public key in PEM", arg[1].text.at);
	arg[1].object = key;
	return !key || m->on_free(m->owner, free_key, key);
}

static int verify_shared(const struct algorithm *a, struct text key, struct text data, struct text signature)
{
	unsigned char code[EVP_MAX_MD_SIZE];
	unsigned len;

	if (key.len > INT32_MAX || !HMAC(EVP_get_digestbyname(a->digest), key.at, (int)key.len,
					 (const unsigned char *)data.at, data.len, code, &len))
		return NO_MEMORY;
	return len == signature.len && !CRYPTO_memcmp(code, signature.at, len);
}

/* Two numbers side by side (RFC 7518, section 3.4) as OpenSSL wants them. 0: not that; else its length, in `der`. */
static int to_der(const struct algorithm *a, struct text signature, unsigned char der[160])
{
	const unsigned char *at = (const unsigned char *)signature.at;
	ECDSA_SIG *pair = signature.len == 2 * a->half ? ECDSA_SIG_new() : NULL;
	BIGNUM *first = pair ? BN_bin2bn(at, (int)a->half, NULL) : NULL;
	BIGNUM *second = pair ? BN_bin2bn(at + a->half, (int)a->half, NULL) : NULL;
	int len = 0;

	if (first && second && ECDSA_SIG_set0(pair, first, second)) {
		len = i2d_ECDSA_SIG(pair, NULL);
		len = len > 0 && len <= 160 ? i2d_ECDSA_SIG(pair, &der) : 0;
	} else {
		BN_free(first);
		BN_free(second);
	}
	ECDSA_SIG_free(pair);
	return len;
}

/* RSASSA-PSS (RFC 7518, section 3.5): the salt is as long as the digest. */
static bool set_padding(const struct algorithm *a, EVP_PKEY_CTX *key)
{
	return a->kind != RSA_PSS || (EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING) > 0 &&
				      EVP_PKEY_CTX_set_rsa_pss_saltlen(key, RSA_PSS_SALTLEN_DIGEST) > 0);
}

static int verify_public(const struct algorithm *a, EVP_PKEY *key, struct text data, struct text signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *of_key = NULL;
	unsigned char der[160];
	int len, ok = 0;

	if (a->kind == ELLIPTIC) {
		len = to_der(a, signature, der);
		signature = text_of((const char *)der, len > 0 ? (size_t)len : 0);
	}
	if (ctx && signature.len && EVP_DigestVerifyInit(ctx, &of_key, EVP_get_digestbyname(a->digest), NULL, key) == 1 &&
	    set_padding(a, of_key))
		ok = EVP_DigestVerify(ctx, (const unsigned char *)signature.at, signature.len,
				      (const unsigned char *)data.at, data.len) == 1;
	EVP_MD_CTX_free(ctx);
	return ctx ? ok : NO_MEMORY;
}

static int judge(const struct algorithm *a, const struct expr_arg *key, struct text secret, struct text token,
		 struct scratch *scratch)
{
	struct text part[PARTS], signature, data;
	unsigned n;

	if (!a)
		return UNKNOWN_ALGORITHM;
	if (!split(token, part, &n) || (n != PARTS && (a->kind != NONE || n != PARTS - 1)))
		return NO_TOKEN;
	if (a->kind == NONE)
		return n < PARTS || !part[PART_SIGNATURE].len;
	if (!part[PART_SIGNATURE].len || !base64_bytes(part[PART_SIGNATURE], true, scratch, &signature))
		return NO_TOKEN;
	data = text_of(token.at, (size_t)(part[PART_SIGNATURE].at - 1 - token.at));
	if (a->kind == HMAC_SHARED)
		return verify_shared(a, secret, data, signature);
	if (!key->object)
		return UNKNOWN_KEY;
	return verify_public(a, (EVP_PKEY *)(uintptr_t)key->object, data, signature);
}

static bool verify(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct text word[2];

	for (unsigned i = 0; i < 2; i++) {
		struct sample value;

		word[i] = arg[i].text;
		if (arg[i].number < 0)
			continue;
		if (!run_var_get(r, (unsigned)arg[i].number, &value) ||
		    !sample_cast(&value, SAMPLE_STR, &r->scratch))
			return false;
		word[i] = value.text;
	}
	*s = sample_int(judge(find_algorithm(word[0]), &arg[1], word[1], s->text, &r->scratch));
	return true;
}

const struct conv convs_jwt[] = {
    {"jwt_header_query", "SS", SAMPLE_BIN, SAMPLE_STR, query, PART_HEADER, json_check, false},
    {"jwt_payload_query", "SS", SAMPLE_BIN, SAMPLE_STR, query, PART_PAYLOAD, json_check, false},
    {"jwt_verify", "ss", SAMPLE_BIN, SAMPLE_INT, verify, 0, check_verify, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
