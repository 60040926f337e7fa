/* SPDX-License-Identifier: MIT */
/* The one table of names: a scheme, its port, and how its probe is made from the parts of a URL. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libhealth/probe_agent.h>
#include <libhealth/probe_dns.h>
#include <libhealth/probe_expect.h>
#include <libhealth/probe_http.h>
#include <libhealth/probe_ldap.h>
#include <libhealth/probe_login.h>
#include <libhealth/probe_smtp.h>
#include <libhealth/probe_sql.h>
#include <libhealth/probe_store.h>

#include "url_parts.h"

static int make_tcp(struct url_parts *u, struct health_probe **ret)
{
	(void)u;
	return health_probe_new(health_probe_tcp(), NULL, ret);
}

static int make_ssl_hello(struct url_parts *u, struct health_probe **ret)
{
	(void)u;
	return health_probe_new(health_probe_ssl_hello(), NULL, ret);
}

static int make_memcached(struct url_parts *u, struct health_probe **ret)
{
	(void)u;
	return health_probe_new(health_probe_memcached(), NULL, ret);
}

static int make_agent(struct url_parts *u, struct health_probe **ret)
{
	const struct health_agent_opts o = {.size = sizeof(o), .send = url_text(u, "send")};

	return health_probe_new(health_probe_agent(), &o, ret);
}

/* ---- lines ---- */

static int make_smtp(struct url_parts *u, struct health_probe **ret)
{
	const struct health_smtp_opts o = {
	    .size = sizeof(o),
	    .helo = url_text(u, "helo"),
	    .ehlo = url_option(u, "ehlo") != NULL,
	};

	return health_probe_new(health_probe_smtp(), &o, ret);
}

static int make_lmtp(struct url_parts *u, struct health_probe **ret)
{
	const struct health_smtp_opts o = {.size = sizeof(o), .helo = url_text(u, "helo")};

	return health_probe_new(health_probe_lmtp(), &o, ret);
}

static struct health_login_opts login(struct url_parts *u)
{
	return (struct health_login_opts){
	    .size = sizeof(struct health_login_opts),
	    .user = url_user(u),
	    .password = url_password(u),
	};
}

static int make_ftp(struct url_parts *u, struct health_probe **ret)
{
	struct health_login_opts o = login(u);

	o.path = url_path(u);
	return health_probe_new(health_probe_ftp(), &o, ret);
}

static int make_pop3(struct url_parts *u, struct health_probe **ret)
{
	const struct health_login_opts o = login(u);

	return health_probe_new(health_probe_pop3(), &o, ret);
}

static int make_imap(struct url_parts *u, struct health_probe **ret)
{
	struct health_login_opts o = login(u);

	o.path = url_path(u);
	return health_probe_new(health_probe_imap(), &o, ret);
}

static int make_redis(struct url_parts *u, struct health_probe **ret)
{
	const struct health_redis_opts o = {
	    .size = sizeof(o),
	    .user = url_user(u),
	    .password = url_password(u),
	    .role = url_text(u, "role"),
	    .absent_key = url_text(u, "absent-key"),
	};

	return health_probe_new(health_probe_redis(), &o, ret);
}

/* ---- logins ---- */

static int make_sql(struct url_parts *u, const struct health_probe_ops *ops,
		    struct health_probe **ret)
{
	const struct health_sql_opts o = {
	    .size = sizeof(o),
	    .user = url_user(u),
	    .password = url_password(u),
	    .database = url_path(u),
	    .crypto = u->tools->crypto,
	};

	if (o.password && !o.crypto)
		return url_wrong(u, "%.30s: a password needs hash functions: built without OpenSSL",
				 u->scheme);
	return health_probe_new(ops, &o, ret);
}

static int make_mysql(struct url_parts *u, struct health_probe **ret)
{
	return make_sql(u, health_probe_mysql(), ret);
}

static int make_pgsql(struct url_parts *u, struct health_probe **ret)
{
	return make_sql(u, health_probe_pgsql(), ret);
}

static int make_ldap(struct url_parts *u, struct health_probe **ret)
{
	const struct health_ldap_opts o = {
	    .size = sizeof(o),
	    .bind_dn = url_user(u),
	    .password = url_password(u),
	    .base = url_path(u),
	};

	return health_probe_new(health_probe_ldap(), &o, ret);
}

/* ---- the table ---- */

static const struct url_scheme schemes[] = {
    {"agent", 0, false, make_agent},
    {"ftp", 21, false, make_ftp},
    {"imap", 143, false, make_imap},
    {"imaps", 993, true, make_imap},
    {"ldap", 389, false, make_ldap},
    {"ldaps", 636, true, make_ldap},
    {"lmtp", 24, false, make_lmtp},
    {"memcached", 11211, false, make_memcached},
    {"mysql", 3306, false, make_mysql},
    {"pgsql", 5432, false, make_pgsql},
    {"pop3", 110, false, make_pop3},
    {"pop3s", 995, true, make_pop3},
    {"redis", 6379, false, make_redis},
    {"rediss", 6379, true, make_redis},
    {"smtp", 25, false, make_smtp},
    {"smtps", 465, true, make_smtp},
    {"ssl-hello", 443, false, make_ssl_hello},
    {"tcp", 0, false, make_tcp},
};

#define SCHEMES (sizeof(schemes) / sizeof(*schemes))

const struct url_scheme *url_scheme_find(const char *name)
{
	for (size_t i = 0; i < SCHEMES; i++)
		if (!strcmp(schemes[i].name, name))
			return &schemes[i];
	return NULL;
}

const char *health_url_scheme(size_t number)
{
	return number < SCHEMES ? schemes[number].name : NULL;
}
