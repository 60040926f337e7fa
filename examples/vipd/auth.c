/* SPDX-License-Identifier: MIT */
#include "auth.h"

#include <errno.h>

#include "openssl.h"

bool auth_is_built(void)
{
#ifdef VIPD_OPENSSL
	return true;
#else
	return false;
#endif
}

void auth_prepare(const struct conf *c)
{
	for (const struct conf_instance *i = c->instances; i; i = i->next)
		if (i->auth_ah)
			openssl_module();
}

int auth_hmac(enum ha_vrrp_hash hash, const void *key, size_t key_len, const void *data, size_t len,
	      uint8_t *ret, void *userdata)
{
	const struct openssl_module *m = openssl_module();

	return m ? m->hmac(hash, key, key_len, data, len, ret, userdata) : -EOPNOTSUPP;
}
