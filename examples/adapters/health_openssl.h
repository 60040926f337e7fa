/* SPDX-License-Identifier: MIT */
/* struct health_crypto of <libhealth/foreign.h> by OpenSSL 3: include it and link with libcrypto. */
#ifndef HEALTH_OPENSSL_H
#define HEALTH_OPENSSL_H

#include <errno.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <libhealth/foreign.h>

static inline const EVP_MD *health_openssl_md(enum health_hash hash)
{
	switch (hash) {
	case HEALTH_HASH_MD5:
		return EVP_md5();
	case HEALTH_HASH_SHA1:
		return EVP_sha1();
	default:
		return EVP_sha256();
	}
}

static inline int health_openssl_digest(enum health_hash hash, const void *data, size_t len,
					uint8_t *ret)
{
	return EVP_Digest(data, len, ret, NULL, health_openssl_md(hash), NULL) ? 0 : -EIO;
}

static inline int health_openssl_hmac(enum health_hash hash, const void *key, size_t key_len,
				      const void *data, size_t len, uint8_t *ret)
{
	return HMAC(health_openssl_md(hash), key, (int)key_len, (const unsigned char *)data, len,
		    ret, NULL)
		   ? 0
		   : -EIO;
}

static inline int health_openssl_pbkdf2(const void *password, size_t password_len, const void *salt,
					size_t salt_len, uint32_t iterations, uint8_t *ret)
{
	return PKCS5_PBKDF2_HMAC((const char *)password, (int)password_len,
				 (const unsigned char *)salt, (int)salt_len, (int)iterations,
				 EVP_sha256(), 32, ret)
		   ? 0
		   : -EIO;
}

static const struct health_crypto health_openssl = {
    sizeof(health_openssl),
    health_openssl_digest,
    health_openssl_hmac,
    health_openssl_pbkdf2,
};

#endif
