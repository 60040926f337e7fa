/* SPDX-License-Identifier: MIT */
/*
 * How a check's connections begin, when that is more than TLS or a PROXY header: through a SOCKS4 proxy, which is
 * told where to (check-via-socks4), or one connection in another way than the next. Behind the proxy's yes come the PROXY
 * header, and TLS if there is any. A transport of libhealth's.
 */
#ifndef PROXYD_ENGINE_CHECK_VIA_H
#define PROXYD_ENGINE_CHECK_VIA_H

#include <libhealth/tls.h>

#include "cfg/cfg.h"
#include "engine/proxy_protocol.h"

struct check_via;

/* `target` NULL: the check's address is the server's own. NULL: no memory. */
struct check_via *check_via_new(const struct cfg_addr *target);
void check_via_free(struct check_via *v);
/* One more connection, from the first on; those behind the last are like it. `tls` NULL: none; it is ours from now on. -ENOMEM: it is gone. */
int check_via_add(struct check_via *v, const char *header, size_t header_len, struct health_tls *tls);
const struct health_transport *check_via_transport(const struct check_via *v);
/*
 * The next connection is number `hop`, to this port; 0: the target's. What the check has to connect to, 0: what it
 * did before. `v` NULL: there is nothing to be told.
 */
uint16_t check_via_next(struct check_via *v, unsigned hop, uint16_t port);
/* Likewise, to another target than the check's. False: the check has to connect to it itself. */
bool check_via_next_to(struct check_via *v, unsigned hop, const struct cfg_addr *target);
bool check_via_has_tls(const struct check_via *v, unsigned hop);

#endif
