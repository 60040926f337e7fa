/* SPDX-License-Identifier: MIT */
/* The hash of authenticated adverts (auth_type AH). */
#ifndef VIPD_AUTH_H
#define VIPD_AUTH_H

#include <stdbool.h>

#include <libha/vrrp.h>

#include "conf/conf.h"

/* Whether this vipd was built with OpenSSL. */
bool auth_is_built(void);

/* Loads OpenSSL when an instance needs it, so that no advert waits for that. */
void auth_prepare(const struct conf *c);

/* ops->hmac of <libha/vrrp.h>. -EOPNOTSUPP without OpenSSL. */
int auth_hmac(enum ha_vrrp_hash hash, const void *key, size_t key_len, const void *data, size_t len,
	      uint8_t *ret, void *userdata);

#endif
