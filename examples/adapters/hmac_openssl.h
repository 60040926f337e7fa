/* SPDX-License-Identifier: MIT */
/*
 * ops->hmac of <libha/vrrp.h> by OpenSSL: copy it, or include it and link with libcrypto. OpenSSL allocates a
 * context in each call; a host that must not brings a hash of its own.
 */
#ifndef HMAC_OPENSSL_H
#define HMAC_OPENSSL_H

#include <errno.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <libha/vrrp.h>

static inline int hmac_openssl(enum ha_vrrp_hash hash, const void *key, size_t key_len,
			       const void *data, size_t len, uint8_t *ret, void *userdata)
{
	const EVP_MD *md = hash == HA_VRRP_HASH_MD5 ? EVP_md5() : EVP_sha256();

	(void)userdata;
	return HMAC(md, key, (int)key_len, (const unsigned char *)data, len, ret, NULL) ? 0 : -EIO;
}

#endif
