/* SPDX-License-Identifier: MIT */
/*
 * check-via-socks4: a check's connection goes to a SOCKS4 proxy, which is told where to; behind its yes come the PROXY
 * header, and TLS if there is any. A transport of libhealth's.
 */
#ifndef PROXYD_ENGINE_CHECK_VIA_H
#define PROXYD_ENGINE_CHECK_VIA_H

#include <libhealth/transport.h>

#include "cfg/cfg.h"

struct check_via;

/* `tls` NULL: none; it outlives the check. NULL: no memory. */
struct check_via *check_via_new(const struct cfg_addr *target, const char *header, size_t header_len, const struct health_transport *tls);
void check_via_free(struct check_via *v);
const struct health_transport *check_via_transport(const struct check_via *v);

#endif
