/* SPDX-License-Identifier: MIT */
/* TLS of connections that the control thread makes: checks, and servers of rings. */
#ifndef PROXYD_ENGINE_TLS_CLIENT_H
#define PROXYD_ENGINE_TLS_CLIENT_H

#include <libhealth/tls.h>

#include "cfg/tls.h"

/* As the words of a line say, with files as the store has them; `sni` and `alpn` NULL: none. 0 or -errno, and why. */
int tls_client_new(const struct cfg_tls *t, const struct tls_store *store, const char *sni, const char *alpn, char *why, size_t cap,
		   struct health_tls **ret);

#endif
