/* SPDX-License-Identifier: MIT */
/* What rules ask about a connection: the sample fetches ssl_fc…, ssl_c…, ssl_f… and their like. */
#ifndef PROXYD_TLS_INFO_H
#define PROXYD_TLS_INFO_H

#include "rules/expr.h"

/* False: there is no such value; as run.tls_info. */
bool tls_info(const struct tls *t, int what, const struct expr_arg *arg, unsigned n_args,
	      struct scratch *scratch, struct sample *ret);

struct proxy_tls;

/* For a PROXY header; `t` NULL: the client is plain. */
void tls_introduce(const struct tls *t, unsigned tells, struct proxy_tls *ret); /* bits of enum cfg_proxy_extra */
const char *tls_server_name(const struct tls *t);	    /* NULL: it named none */
const char *tls_alpn(const struct tls *t, size_t *ret_len); /* `t` NULL, or nothing agreed: NULL */

#endif
