/* SPDX-License-Identifier: MIT */
/* A shared object, the only one of vipd that is linked with OpenSSL. */
#include "adapters/health_openssl.h"
#include "adapters/hmac_openssl.h"
#include "openssl.h"

extern const struct openssl_module vipd_openssl;

__attribute__((visibility("default"))) const struct openssl_module vipd_openssl = {
    .size = sizeof(vipd_openssl),
    .hmac = hmac_openssl,
    .crypto = &health_openssl,
#ifdef HAVE_HEALTH_TLS
    .tls_new = health_tls_new,
    .tls_transport = health_tls_transport,
    .tls_free = health_tls_free,
#endif
};
