/* SPDX-License-Identifier: MIT */
/*
 * ops->hmac of <libha/vrrp.h> by OpenSSL: copy it, or include it and link with libcrypto. To find HMAC and its digest
 * among OpenSSL's providers costs more than the hash of an advert, so a thread does it once for each digest. What
 * OpenSSL allocates in a call is its own; a host that must not brings a hash of its own.
 */
#ifndef HMAC_OPENSSL_H
#define HMAC_OPENSSL_H

#include <errno.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <libha/vrrp.h>

static inline EVP_MAC_CTX *hmac_openssl_new(char *digest)
{
	const OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;

	EVP_MAC_free(mac); /* the context holds it */
	if (ctx && EVP_MAC_CTX_set_params(ctx, params))
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

static inline int hmac_openssl(enum ha_vrrp_hash hash, const void *key, size_t key_len,
			       const void *data, size_t len, uint8_t *ret, void *userdata)
{
	static _Thread_local EVP_MAC_CTX *md5, *sha256;
	EVP_MAC_CTX **ctx = hash == HA_VRRP_HASH_MD5 ? &md5 : &sha256;
	char md5_name[] = "MD5", sha256_name[] = "SHA256";

	(void)userdata;
	if (!*ctx)
		*ctx = hmac_openssl_new(hash == HA_VRRP_HASH_MD5 ? md5_name : sha256_name);
	if (!*ctx || !EVP_MAC_init(*ctx, key, key_len, NULL) || !EVP_MAC_update(*ctx, data, len) ||
	    !EVP_MAC_final(*ctx, ret, NULL, HA_VRRP_HASH_MAX))
		return -EIO;
	return 0;
}

#endif
