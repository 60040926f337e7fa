/* SPDX-License-Identifier: MIT */
/* What rules ask about a connection: the sample fetches ssl_fc…, ssl_c…, ssl_f… and their like. */
#ifndef PROXYD_TLS_INFO_H
#define PROXYD_TLS_INFO_H

#include "rules/expr.h"

/* False: there is no such value; as run.tls_info. */
bool tls_info(const struct tls *t, int what, const struct expr_arg *arg, unsigned n_args,
	      struct scratch *scratch, struct sample *ret);

/* The common name of the peer's certificate, for PROXY headers. Its length; 0: none. */
size_t tls_peer_name(const struct tls *t, char *buf, size_t cap);

#endif
