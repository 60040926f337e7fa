/* SPDX-License-Identifier: MIT */
/* What lines say about TLS, until cfg_tls_check makes fronts and backs of it. */
#ifndef PROXYD_CFG_TLS_H
#define PROXYD_CFG_TLS_H

#include <sys/queue.h>

#include "tls/tls.h"

struct expr; /* rules/expr.h */

/* crt, crt-list */
struct cfg_tls_crt {
	STAILQ_ENTRY(cfg_tls_crt) next;
	struct diag_place at;
	const char *path;
	bool is_list;
	const char *list; /* the crt-list or folder by the name it has at run time; NULL: a file */
};

STAILQ_HEAD(cfg_tls_crts, cfg_tls_crt);

/* Of one `bind` or `server` line, shared by the addresses of a range and the servers of a default-server. */
struct cfg_tls {
	bool on; /* ssl */
	struct diag_place at;
	struct tls_settings set;
	/* bind */
	struct cfg_tls_crts crts;
	bool strict_sni;
	bool generates; /* generate-certificates */
	const char *sign_file, *sign_pass; /* ca-sign-…; the latter is wiped when it was used */
	struct diag_place sign_at;
	bool tried; /* to make the front: what is wrong was said */
	struct tls_front *front; /* the last one that was made: a certificate may change at run time */
	/* server */
	const char *crt_file;		     /* crt with its base */
	const char *crt, *verify_host, *sni; /* sni: as written, an expression */
	const struct expr *sni_expr; /* of it; NULL: none, or sni_name is all there is to it */
	const char *sni_name;
	bool no_reuse;
	struct tls_back *back; /* as `front` */
	bool check_on, check_off; /* check-ssl, no-check-ssl */
	const char *check_sni, *check_alpn;
};

/* Of the global section. */
struct cfg_tls_global {
	struct tls_settings bind, server; /* ssl-default-… */
	struct tls_globals all;
	const char *ca_base, *crt_base;
	unsigned cache_size;
	bool servers_unverified; /* ssl-server-verify none */
	struct tls_extra_words extra;
	struct diag_place issuers_at;
};

struct cfg;
struct cfg_proxy;

/*
 * A line of the crt-list `list` that comes at run time, for a `bind` line `t`; `text` is changed. What was read lives with `c`. False: *error.
 */
bool cfg_tls_list_line(struct cfg *c, const struct cfg_proxy *p, const struct cfg_tls *t, const char *list, unsigned number, char *text,
		       struct tls_source *ret, char *error, size_t cap);

#endif
