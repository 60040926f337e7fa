/* SPDX-License-Identifier: MIT */
/* Certificates and OCSP answers as text, in the form of HAProxy's "show ssl". */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/provider.h>
#include <openssl/x509v3.h>

#include "tls/internal.h"

/* What `b` holds, to be freed; NULL: no memory. */
static char *take(BIO *b)
{
	char *data, *text = NULL;
	long len = b ? BIO_get_mem_data(b, &data) : -1;

	if (len >= 0)
		text = malloc((size_t)len + 1);
	if (text) {
		if (len > 0) /* of nothing there is no data */
			memcpy(text, data, (size_t)len);
		text[len] = '\0';
	}
	BIO_free(b);
	ERR_clear_error();
	return text;
}

static void put_hex(BIO *b, const unsigned char *data, size_t len, const char *digits)
{
	for (size_t i = 0; i < len; i++)
		BIO_printf(b, "%c%c", digits[data[i] >> 4], digits[data[i] & 15]);
}

static const char upper[] = "0123456789ABCDEF", lower[] = "0123456789abcdef";

static void put_serial(BIO *b, const ASN1_INTEGER *serial)
{
	put_hex(b, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial), upper);
}

static void put_name(BIO *b, const char *title, const X509_NAME *name)
{
	char *text = X509_NAME_oneline(name, NULL, 0);

	BIO_printf(b, "%s: %s\n", title, text ? text : "");
	OPENSSL_free(text);
}

static void put_alt_names(BIO *b, X509 *x)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	const char *comma = "";

	BIO_printf(b, "Subject Alternative Name: ");
	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(all, i);

		if (n->type != GEN_DNS)
			continue;
		BIO_printf(b, "%sDNS:", comma);
		ASN1_STRING_print_ex(b, n->d.dNSName, ASN1_STRFLGS_ESC_CTRL);
		comma = ", ";
	}
	BIO_printf(b, "\n");
	GENERAL_NAMES_free(all);
}

static void put_algorithm(BIO *b, X509 *x)
{
	const EVP_PKEY *key = X509_get0_pubkey(x);
	int kind = key ? EVP_PKEY_get_base_id(key) : NID_undef;
	const char *name = kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS ? "RSA"
			   : kind == EVP_PKEY_EC			    ? "EC"
			   : kind == EVP_PKEY_DSA			    ? "DSA"
									    : NULL;

	if (name)
		BIO_printf(b, "Algorithm: %s%d\n", name, EVP_PKEY_get_bits(key));
	else
		BIO_printf(b, "Algorithm: %s\n", kind == NID_undef ? "" : OBJ_nid2sn(kind));
}

static void put_certificate(BIO *b, X509 *x)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	BIO_printf(b, "Serial: ");
	put_serial(b, X509_get0_serialNumber(x));
	BIO_printf(b, "\nnotBefore: ");
	ASN1_TIME_print(b, X509_get0_notBefore(x));
	BIO_printf(b, "\nnotAfter: ");
	ASN1_TIME_print(b, X509_get0_notAfter(x));
	BIO_printf(b, "\n");
	put_alt_names(b, x);
	put_algorithm(b, x);
	BIO_printf(b, "SHA1 FingerPrint: ");
	if (X509_digest(x, EVP_sha1(), digest, &len))
		put_hex(b, digest, len, upper);
	BIO_printf(b, "\n");
	put_name(b, "Subject", X509_get_subject_name(x));
	put_name(b, "Issuer", X509_get_issuer_name(x));
}

/* ---- OCSP ---- */

/* Whose the answer is; it lives as long as *ret_answer, which is to be freed in any case. */
static OCSP_CERTID *id_of(const struct tls_pair *p, OCSP_BASICRESP **ret_answer)
{
	const unsigned char *der = p->ocsp;
	OCSP_RESPONSE *r = der ? d2i_OCSP_RESPONSE(NULL, &der, (long)p->ocsp_len) : NULL;
	OCSP_SINGLERESP *one;

	*ret_answer = r ? OCSP_response_get1_basic(r) : NULL;
	OCSP_RESPONSE_free(r);
	one = *ret_answer ? OCSP_resp_get0(*ret_answer, 0) : NULL;
	return one ? (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(one) : NULL;
}

static void put_id(BIO *b, const struct tls_pair *p)
{
	OCSP_BASICRESP *answer;
	OCSP_CERTID *id = id_of(p, &answer);
	unsigned char *der = NULL;
	int len = id ? i2d_OCSP_CERTID(id, &der) : 0;

	if (len > 0)
		put_hex(b, der, (size_t)len, lower);
	OPENSSL_free(der);
	OCSP_BASICRESP_free(answer);
}

char *tls_item_ocsp_id(const struct tls_item *item)
{
	const struct tls_pair *p = (const struct tls_pair *)item;
	BIO *b = BIO_new(BIO_s_mem());

	if (b)
		put_id(b, p);
	return take(b);
}

static void put_hash(BIO *b, const char *title, const ASN1_OCTET_STRING *hash)
{
	BIO_printf(b, "   %s: ", title);
	put_hex(b, ASN1_STRING_get0_data(hash), (size_t)ASN1_STRING_length(hash), upper);
	BIO_printf(b, "\n");
}

char *tls_item_ocsp_line(const struct tls_item *item)
{
	const struct tls_pair *p = (const struct tls_pair *)item;
	BIO *b = BIO_new(BIO_s_mem());
	OCSP_BASICRESP *answer;
	OCSP_CERTID *id = id_of(p, &answer);
	ASN1_OCTET_STRING *name, *key;
	ASN1_INTEGER *serial;

	if (b && id && OCSP_id_get0_info(&name, NULL, &key, &serial, id)) {
		BIO_printf(b, "Certificate ID key : ");
		put_id(b, p);
		BIO_printf(b, "\n Certificate ID:\n");
		put_hash(b, "Issuer Name Hash", name);
		put_hash(b, "Issuer Key Hash", key);
		BIO_printf(b, "   Serial Number: ");
		put_serial(b, serial);
		BIO_printf(b, "\n");
	}
	OCSP_BASICRESP_free(answer);
	return take(b);
}

char *tls_item_ocsp_text(const struct tls_item *item)
{
	const struct tls_pair *p = (const struct tls_pair *)item;
	BIO *b = BIO_new(BIO_s_mem());
	const unsigned char *der = p->ocsp;
	OCSP_RESPONSE *r = b && der ? d2i_OCSP_RESPONSE(NULL, &der, (long)p->ocsp_len) : NULL;

	if (r)
		OCSP_RESPONSE_print(b, r, 0);
	OCSP_RESPONSE_free(r);
	return take(b);
}

/* ---- Revocations ---- */

static void put_revocations(BIO *b, X509_CRL *crl)
{
	STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(crl);

	BIO_printf(b, "Version %ld\nSignature Algorithm: %s\n", X509_CRL_get_version(crl) + 1,
		   OBJ_nid2ln(X509_CRL_get_signature_nid(crl)));
	put_name(b, "Issuer", X509_CRL_get_issuer(crl));
	BIO_printf(b, "Last Update: ");
	ASN1_TIME_print(b, X509_CRL_get0_lastUpdate(crl));
	BIO_printf(b, "\nNext Update: ");
	if (X509_CRL_get0_nextUpdate(crl))
		ASN1_TIME_print(b, X509_CRL_get0_nextUpdate(crl));
	BIO_printf(b, sk_X509_REVOKED_num(all) > 0 ? "\nRevoked Certificates:\n" : "\nNo Revoked Certificates\n");
	for (int i = 0; i < sk_X509_REVOKED_num(all); i++) {
		const X509_REVOKED *one = sk_X509_REVOKED_value(all, i);

		BIO_printf(b, "    Serial Number: ");
		put_serial(b, X509_REVOKED_get0_serialNumber(one));
		BIO_printf(b, "\n        Revocation Date: ");
		ASN1_TIME_print(b, X509_REVOKED_get0_revocationDate(one));
		BIO_printf(b, "\n");
	}
}

/* ---- The whole ---- */

static void put_pair(BIO *b, const struct tls_pair *p)
{
	STACK_OF(X509) *chain = tls_pair_chain(p);
	const char *from = tls_pair_issuer_file(p);

	if (p->leaf)
		put_certificate(b, p->leaf);
	if (from)
		BIO_printf(b, "Chain Filename: %s\n", from);
	for (int i = 0; i < sk_X509_num(chain); i++) {
		put_name(b, "Chain Subject", X509_get_subject_name(sk_X509_value(chain, i)));
		put_name(b, "Chain Issuer", X509_get_issuer_name(sk_X509_value(chain, i)));
	}
	sk_X509_pop_free(chain, X509_free);
	BIO_printf(b, "OCSP Response Key: ");
	put_id(b, p);
	BIO_printf(b, "\n");
}

static void put_trusted(BIO *b, const struct tls_trusted *t, unsigned number)
{
	for (unsigned i = 1; i <= tls_item_count(&t->item); i++) {
		if (number && number != i)
			continue;
		BIO_printf(b, " \n%s #%u:\n", t->item.what == TLS_CA ? "Certificate" : "Certificate Revocation List", i);
		if (t->item.what == TLS_CA)
			put_certificate(b, sk_X509_value(t->ca, (int)i - 1));
		else
			put_revocations(b, sk_X509_CRL_value(t->crl, (int)i - 1));
	}
}

char *tls_item_text(const struct tls_item *item, unsigned number)
{
	BIO *b = BIO_new(BIO_s_mem());

	if (!b)
		return NULL;
	if (item->what == TLS_CERT)
		put_pair(b, (const struct tls_pair *)item);
	else
		put_trusted(b, (const struct tls_trusted *)item, number);
	return take(b);
}

static int put_provider(OSSL_PROVIDER *p, void *b)
{
	BIO_printf(b, "\t- %s\n", OSSL_PROVIDER_get0_name(p));
	return 1;
}

char *tls_providers_text(void)
{
	BIO *b = BIO_new(BIO_s_mem());

	if (b)
		OSSL_PROVIDER_do_all(NULL, put_provider, b);
	return take(b);
}
