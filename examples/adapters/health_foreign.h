/* SPDX-License-Identifier: MIT */
/*
 * What checks may borrow, of what this program was built with: -DHAVE_LIBCRYPTO, -DHAVE_PCRE2, -DHAVE_HEALTH_TLS,
 * -DHAVE_HEALTH_H2.
 */
#ifndef HEALTH_FOREIGN_H
#define HEALTH_FOREIGN_H

#include <errno.h>
#include <stdio.h>

#include <libhealth/url.h>

#ifdef HAVE_LIBCRYPTO
#include "health_openssl.h"
#endif
#ifdef HAVE_PCRE2
#include "health_pcre2.h"
#endif
#ifdef HAVE_HEALTH_H2
#include <libhealth/h2.h>
#endif
#ifdef HAVE_HEALTH_TLS
#include <libhealth/tls.h>
#endif

static const struct health_url_opts health_foreign = {
    sizeof(health_foreign),
#ifdef HAVE_LIBCRYPTO
    &health_openssl,
#else
    NULL,
#endif
#ifdef HAVE_PCRE2
    &health_pcre2,
#else
    NULL,
#endif
#ifdef HAVE_HEALTH_H2
    health_probe_h2,	    health_probe_grpc,
#else
    NULL,
    NULL,
#endif
};

struct health_transport;

/* TLS as a URL wants it, for health_check_opts.transport; it lives as long as the program. 0 or -errno and why. */
static inline int health_foreign_tls(const struct health_url *u, char *why, size_t why_size,
				     const struct health_transport **ret)
{
#ifdef HAVE_HEALTH_TLS
	struct health_tls_opts o = {.size = sizeof(o)};
	struct health_tls *tls;
	int r;

	o.flags = u->verify ? HEALTH_TLS_VERIFY : 0;
	o.sni = *u->sni ? u->sni : NULL;
	o.verify_name = *u->sni ? u->sni : u->host;
	o.alpn = *u->alpn ? u->alpn : NULL;
	o.expiry_warn_s = u->expiry_warn_s;
	r = health_tls_new(&o, why, why_size, &tls);
	if (r == 0)
		*ret = health_tls_transport(tls);
	return r;
#else
	(void)u, (void)ret;
	snprintf(why, why_size, "built without libhealth-tls");
	return -EOPNOTSUPP;
#endif
}

#endif
