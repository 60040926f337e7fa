/* SPDX-License-Identifier: MIT */
/*
 * What needs OpenSSL is a module of its own (openssl_module.c), loaded by the process that needs it when a configuration does: the
 * relocations of libcrypto alone are a megabyte of memory and some of each start.
 */
#ifndef VIPD_OPENSSL_H
#define VIPD_OPENSSL_H

#include <libha/vrrp.h>
#include <libhealth/foreign.h>
#ifdef HAVE_HEALTH_TLS
#include <libhealth/tls.h>
#endif

#define OPENSSL_MODULE "vipd-openssl.so"
#define OPENSSL_MODULE_SYMBOL "vipd_openssl"

struct openssl_module {
	size_t size; /* another one is another version's */
	/* ops->hmac of <libha/vrrp.h> */
	int (*hmac)(enum ha_vrrp_hash hash, const void *key, size_t key_len, const void *data,
		    size_t len, uint8_t *ret, void *userdata);
	const struct health_crypto *crypto;
#ifdef HAVE_HEALTH_TLS
	int (*tls_new)(const struct health_tls_opts *o, char *why, size_t cap,
		       struct health_tls **ret);
	const struct health_transport *(*tls_transport)(const struct health_tls *t);
	void (*tls_free)(struct health_tls *t);
#endif
};

/*
 * Loads it the first time; before privileges are given up, since it may lie where only root looks. NULL: it cannot be, which is said in the
 * log once.
 */
const struct openssl_module *openssl_module(void);

#endif
