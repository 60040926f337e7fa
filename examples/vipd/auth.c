/* SPDX-License-Identifier: MIT */
#include "auth.h"

#ifdef VIPD_OPENSSL

#include "adapters/hmac_openssl.h"

bool auth_is_built(void)
{
	return true;
}

int auth_hmac(enum ha_vrrp_hash hash, const void *key, size_t key_len, const void *data, size_t len,
	      uint8_t *ret, void *userdata)
{
	return hmac_openssl(hash, key, key_len, data, len, ret, userdata);
}

#else

#include <errno.h>

bool auth_is_built(void)
{
	return false;
}

int auth_hmac(enum ha_vrrp_hash hash, const void *key, size_t key_len, const void *data, size_t len,
	      uint8_t *ret, void *userdata)
{
	(void)hash, (void)key, (void)key_len, (void)data, (void)len, (void)ret, (void)userdata;
	return -EOPNOTSUPP;
}

#endif
