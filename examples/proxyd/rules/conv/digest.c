/* SPDX-License-Identifier: MIT */
/* Converters that OpenSSL computes: digests, codes with a key, ciphers. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "rules/expr.h"
#include "rules/vars.h"

static bool digest_of(const EVP_MD *md, struct run *r, struct sample *s)
{
	unsigned len;
	char *p = md ? scratch_take(&r->scratch, EVP_MAX_MD_SIZE) : NULL;

	if (!p || !EVP_Digest(s->text.at, s->text.len, (unsigned char *)p, &len, md, NULL))
		return false;
	*s = sample_text(SAMPLE_BIN, p, len);
	return true;
}

/* sha1 */
static bool named(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		  struct sample *s)
{
	return digest_of(EVP_get_digestbyname(c->name), r, s);
}

/* digest(NAME), sha2([BITS]) */
static bool chosen(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		   struct sample *s)
{
	return digest_of(arg[0].object, r, s);
}

static bool check_digest(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
			 struct rule_error *e)
{
	arg[0].object = EVP_get_digestbyname(arg[0].text.at);
	return arg[0].object ||
	       rule_fail(e, "OpenSSL has no digest \"%.60s\": write sha256 and the like", arg[0].text.at);
}

static bool check_bits(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
		       struct rule_error *e)
{
	arg[0].object = !n || !arg[0].text.len || arg[0].number == 256 ? EVP_sha256()
			: arg[0].number == 224			       ? EVP_sha224()
			: arg[0].number == 384			       ? EVP_sha384()
			: arg[0].number == 512			       ? EVP_sha512()
								       : NULL;
	return arg[0].object || rule_fail(e, "\"%.20s\" is no length of sha2: write 224, 256, 384 or 512",
					  arg[0].text.at);
}

/* ---- Keys: in base64, or the name of a variable that holds them so ---- */

static bool is_base64(struct text t)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = strspn(t.at, digits);

	return t.len % 4 == 0 && t.len - n <= 2 && strspn(t.at + n, "=") == t.len - n;
}

/* `number` is the variable's, or -1. */
static bool check_key(struct expr_arg *arg, const struct rule_memory *m, struct rule_error *e)
{
	arg->number = -1;
	if (!memchr(arg->text.at, '.', arg->text.len)) /* base64 has none */
		return is_base64(arg->text) || rule_fail(e, "\"%.60s\" is neither base64 nor a variable", arg->text.at);
	arg->number = var_number(arg->text, m, e);
	return arg->number >= 0;
}

/* Its bytes, in the scratch. */
static bool key_of(const struct expr_arg *arg, struct run *r, struct text *ret)
{
	struct text code = arg->text;
	struct sample value;
	unsigned char *key;
	int n;

	if (arg->number >= 0) {
		if (!run_var_get(r, (unsigned)arg->number, &value) ||
		    !sample_cast(&value, SAMPLE_STR, &r->scratch))
			return false;
		code = value.text;
	}
	key = (unsigned char *)scratch_take(&r->scratch, code.len + 3);
	if (!key || code.len > INT32_MAX)
		return false;
	n = EVP_DecodeBlock(key, (const unsigned char *)code.at, (int)code.len);
	for (size_t i = code.len; n > 0 && i-- > 0 && code.at[i] == '=';)
		n--;
	*ret = text_of((const char *)key, n < 0 ? 0 : (size_t)n);
	return n >= 0;
}

/* hmac(NAME,KEY) */
static bool check_hmac(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
		       struct rule_error *e)
{
	return check_digest(arg, n, m, e) && check_key(&arg[1], m, e);
}

static bool hmac(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct sample *s)
{
	struct text key;
	unsigned len;
	char *p;

	p = scratch_take(&r->scratch, EVP_MAX_MD_SIZE);
	if (!p || !key_of(&arg[1], r, &key) ||
	    !HMAC(arg[0].object, key.at, (int)key.len, (const unsigned char *)s->text.at, s->text.len,
		  (unsigned char *)p, &len))
		return false;
	*s = sample_text(SAMPLE_BIN, p, len);
	return true;
}

/* ---- aes_gcm_dec(BITS,NONCE,KEY,TAG), aes_gcm_enc(BITS,NONCE,KEY,VARIABLE) ---- */

#define GCM_TAG 16

static const EVP_CIPHER *cipher_of(int64_t bits)
{
	return bits == 128 ? EVP_aes_128_gcm() : bits == 192 ? EVP_aes_192_gcm() : bits == 256 ? EVP_aes_256_gcm() : NULL;
}

static bool check_cipher(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	arg[0].object = cipher_of(arg[0].number);
	if (!arg[0].object)
		return rule_fail(e, "\"%.20s\" is no length of a key of AES: write 128, 192 or 256", arg[0].text.at);
	return check_key(&arg[1], m, e) && check_key(&arg[2], m, e) && check_key(&arg[3], m, e);
}

/* Its tag goes into a variable. */
static bool check_encryption(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	return check_cipher(arg, n, m, e) &&
	       (arg[3].number >= 0 || rule_fail(e, "\"%.60s\" is no variable for the tag: write txn.tag", arg[3].text.at));
}

static void keep_tag(unsigned variable, const unsigned char *tag, struct run *r)
{
	char code[4 * ((GCM_TAG + 2) / 3) + 1];
	struct sample s = sample_text(SAMPLE_STR, code, (size_t)EVP_EncodeBlock((unsigned char *)code, tag, GCM_TAG));

	run_var_set(r, variable, &s);
}

static bool run_cipher(EVP_CIPHER_CTX *ctx, const struct expr_arg *arg, bool encrypts, struct run *r, struct sample *s)
{
	struct text nonce, key, known = {NULL, 0};
	unsigned char tag[GCM_TAG], *out = (unsigned char *)scratch_take(&r->scratch, s->text.len + 1);
	const EVP_CIPHER *cipher = arg[0].object;
	int len, rest = 0;

	if (!out || s->text.len > INT32_MAX || !key_of(&arg[1], r, &nonce) || !key_of(&arg[2], r, &key) || !nonce.len ||
	    (int)key.len != EVP_CIPHER_get_key_length(cipher) || (!encrypts && (!key_of(&arg[3], r, &known) || known.len != GCM_TAG)))
		return false;
	if (!EVP_CipherInit_ex(ctx, cipher, NULL, NULL, NULL, encrypts) ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)nonce.len, NULL) <= 0 ||
	    !EVP_CipherInit_ex(ctx, NULL, NULL, (const unsigned char *)key.at, (const unsigned char *)nonce.at, encrypts) ||
	    !EVP_CipherUpdate(ctx, out, &len, (const unsigned char *)s->text.at, (int)s->text.len))
		return false;
	if (!encrypts && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, (void *)(uintptr_t)known.at) <= 0)
		return false;
	if (EVP_CipherFinal_ex(ctx, out + len, &rest) <= 0) /* decrypting: the tag is another */
		return false;
	if (encrypts && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, tag) <= 0)
		return false;
	if (encrypts)
		keep_tag((unsigned)arg[3].number, tag, r);
	*s = sample_text(SAMPLE_BIN, (const char *)out, (size_t)(len + rest));
	return true;
}

static bool aes_gcm(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool ok = ctx && run_cipher(ctx, arg, c->data, r, s);

	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

/* x509_v_err_str: the names that OpenSSL's headers have for what ssl_c_err and its like give */
#define NAMED(code) {X509_V_##code, "X509_V_" #code}
static const struct {
	int code;
	const char *name;
} error_names[] = {
    NAMED(OK),
    NAMED(ERR_UNSPECIFIED),
    NAMED(ERR_UNABLE_TO_GET_ISSUER_CERT),
    NAMED(ERR_UNABLE_TO_GET_CRL),
    NAMED(ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE),
    NAMED(ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE),
    NAMED(ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY),
    NAMED(ERR_CERT_SIGNATURE_FAILURE),
    NAMED(ERR_CRL_SIGNATURE_FAILURE),
    NAMED(ERR_CERT_NOT_YET_VALID),
    NAMED(ERR_CERT_HAS_EXPIRED),
    NAMED(ERR_CRL_NOT_YET_VALID),
    NAMED(ERR_CRL_HAS_EXPIRED),
    NAMED(ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD),
    NAMED(ERR_ERROR_IN_CERT_NOT_AFTER_FIELD),
    NAMED(ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD),
    NAMED(ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD),
    NAMED(ERR_OUT_OF_MEM),
    NAMED(ERR_DEPTH_ZERO_SELF_SIGNED_CERT),
    NAMED(ERR_SELF_SIGNED_CERT_IN_CHAIN),
    NAMED(ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY),
    NAMED(ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE),
    NAMED(ERR_CERT_CHAIN_TOO_LONG),
    NAMED(ERR_CERT_REVOKED),
    NAMED(ERR_NO_ISSUER_PUBLIC_KEY),
    NAMED(ERR_PATH_LENGTH_EXCEEDED),
    NAMED(ERR_INVALID_PURPOSE),
    NAMED(ERR_CERT_UNTRUSTED),
    NAMED(ERR_CERT_REJECTED),
    NAMED(ERR_SUBJECT_ISSUER_MISMATCH),
    NAMED(ERR_AKID_SKID_MISMATCH),
    NAMED(ERR_AKID_ISSUER_SERIAL_MISMATCH),
    NAMED(ERR_KEYUSAGE_NO_CERTSIGN),
    NAMED(ERR_UNABLE_TO_GET_CRL_ISSUER),
    NAMED(ERR_UNHANDLED_CRITICAL_EXTENSION),
    NAMED(ERR_KEYUSAGE_NO_CRL_SIGN),
    NAMED(ERR_UNHANDLED_CRITICAL_CRL_EXTENSION),
    NAMED(ERR_INVALID_NON_CA),
    NAMED(ERR_PROXY_PATH_LENGTH_EXCEEDED),
    NAMED(ERR_KEYUSAGE_NO_DIGITAL_SIGNATURE),
    NAMED(ERR_PROXY_CERTIFICATES_NOT_ALLOWED),
    NAMED(ERR_INVALID_EXTENSION),
    NAMED(ERR_INVALID_POLICY_EXTENSION),
    NAMED(ERR_NO_EXPLICIT_POLICY),
    NAMED(ERR_DIFFERENT_CRL_SCOPE),
    NAMED(ERR_UNSUPPORTED_EXTENSION_FEATURE),
    NAMED(ERR_UNNESTED_RESOURCE),
    NAMED(ERR_PERMITTED_VIOLATION),
    NAMED(ERR_EXCLUDED_VIOLATION),
    NAMED(ERR_SUBTREE_MINMAX),
    NAMED(ERR_APPLICATION_VERIFICATION),
    NAMED(ERR_UNSUPPORTED_CONSTRAINT_TYPE),
    NAMED(ERR_UNSUPPORTED_CONSTRAINT_SYNTAX),
    NAMED(ERR_UNSUPPORTED_NAME_SYNTAX),
    NAMED(ERR_CRL_PATH_VALIDATION_ERROR),
    NAMED(ERR_PATH_LOOP),
    NAMED(ERR_SUITE_B_INVALID_VERSION),
    NAMED(ERR_SUITE_B_INVALID_ALGORITHM),
    NAMED(ERR_SUITE_B_INVALID_CURVE),
    NAMED(ERR_SUITE_B_INVALID_SIGNATURE_ALGORITHM),
    NAMED(ERR_SUITE_B_LOS_NOT_ALLOWED),
    NAMED(ERR_SUITE_B_CANNOT_SIGN_P_384_WITH_P_256),
    NAMED(ERR_HOSTNAME_MISMATCH),
    NAMED(ERR_EMAIL_MISMATCH),
    NAMED(ERR_IP_ADDRESS_MISMATCH),
    NAMED(ERR_DANE_NO_MATCH),
    NAMED(ERR_EE_KEY_TOO_SMALL),
    NAMED(ERR_CA_KEY_TOO_SMALL),
    NAMED(ERR_CA_MD_TOO_WEAK),
    NAMED(ERR_INVALID_CALL),
    NAMED(ERR_STORE_LOOKUP),
    NAMED(ERR_NO_VALID_SCTS),
    NAMED(ERR_PROXY_SUBJECT_NAME_VIOLATION),
    NAMED(ERR_OCSP_VERIFY_NEEDED),
    NAMED(ERR_OCSP_VERIFY_FAILED),
    NAMED(ERR_OCSP_CERT_UNKNOWN),
    NAMED(ERR_UNSUPPORTED_SIGNATURE_ALGORITHM),
    NAMED(ERR_SIGNATURE_ALGORITHM_MISMATCH),
    NAMED(ERR_SIGNATURE_ALGORITHM_INCONSISTENCY),
    NAMED(ERR_INVALID_CA),
    NAMED(ERR_PATHLEN_INVALID_FOR_NON_CA),
    NAMED(ERR_PATHLEN_WITHOUT_KU_KEY_CERT_SIGN),
    NAMED(ERR_KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA),
    NAMED(ERR_ISSUER_NAME_EMPTY),
    NAMED(ERR_SUBJECT_NAME_EMPTY),
    NAMED(ERR_MISSING_AUTHORITY_KEY_IDENTIFIER),
    NAMED(ERR_MISSING_SUBJECT_KEY_IDENTIFIER),
    NAMED(ERR_EMPTY_SUBJECT_ALT_NAME),
    NAMED(ERR_EMPTY_SUBJECT_SAN_NOT_CRITICAL),
    NAMED(ERR_CA_BCONS_NOT_CRITICAL),
    NAMED(ERR_AUTHORITY_KEY_IDENTIFIER_CRITICAL),
    NAMED(ERR_SUBJECT_KEY_IDENTIFIER_CRITICAL),
    NAMED(ERR_CA_CERT_MISSING_KEY_USAGE),
    NAMED(ERR_EXTENSIONS_REQUIRE_VERSION_3),
    NAMED(ERR_EC_KEY_EXPLICIT_PARAMS),
};
#undef NAMED

static bool error_name(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	for (size_t i = 0; i < sizeof(error_names) / sizeof(error_names[0]); i++)
		if (error_names[i].code == s->number) {
			*s = sample_text(SAMPLE_STR, error_names[i].name, strlen(error_names[i].name));
			return true;
		}
	return sample_cast(s, SAMPLE_STR, &r->scratch);
}

const struct conv convs_digest[] = {
    {"aes_gcm_dec", "isss", SAMPLE_BIN, SAMPLE_BIN, aes_gcm, 0, check_cipher, false},
    {"aes_gcm_enc", "isss", SAMPLE_BIN, SAMPLE_BIN, aes_gcm, 1, check_encryption, false},
    {"digest", "s", SAMPLE_BIN, SAMPLE_BIN, chosen, 0, check_digest, false},
    {"hmac", "ss", SAMPLE_BIN, SAMPLE_BIN, hmac, 0, check_hmac, false},
    {"sha1", "", SAMPLE_BIN, SAMPLE_BIN, named, 0, NULL, false},
    {"sha2", "I", SAMPLE_BIN, SAMPLE_BIN, chosen, 0, check_bits, false},
    {"x509_v_err_str", "", SAMPLE_INT, SAMPLE_STR, error_name, 0, NULL, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
