/* SPDX-License-Identifier: MIT */
/* Which dialogue of libhealth a section's checks are. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>

#include <libhealth/foreign.h>
#include <libhealth/probe_exec.h>
#include <libhealth/probe_http.h>
#include <libhealth/probe_ldap.h>
#include <libhealth/probe_smtp.h>
#include <libhealth/probe_sql.h>
#include <libhealth/probe_store.h>

#include "engine/control.h"
#include "http.h"
#include "tcp.h"

static int http_probe(const struct cfg_proxy *p, struct health_probe **ret)
{
	struct http_check_texts texts;
	struct health_http_opts o;

	if (!http_check_describe(p->set.httpchk, &texts, &o))
		return -EINVAL;
	return health_probe_new(health_probe_http(), &o, ret);
}

static int sql_probe(const struct cfg_check *c, const struct health_probe_ops *ops,
		     struct health_probe **ret)
{
	const struct health_sql_opts o = {.size = sizeof(o), .user = c->user};

	return health_probe_new(ops, &o, ret);
}

int check_probe(const struct cfg_proxy *p, struct health_probe **ret)
{
	const struct cfg_check *c = &p->set.check;
	const struct health_smtp_opts smtp = {
	    .size = sizeof(smtp), .helo = c->helo, .ehlo = c->ehlo};
	const struct tcp_check_opts script = {.step = c->step, .n = c->n_steps};

	if (c->is_live) /* each server has its own */
		return 0;
	switch (c->kind) {
	case CFG_CHECK_CONNECT:
	case CFG_CHECK_EXTERNAL: /* each server has its own */
		return 0;
	case CFG_CHECK_HTTP:
		return http_probe(p, ret);
	case CFG_CHECK_LDAP:
		return health_probe_new(health_probe_ldap(), NULL, ret);
	case CFG_CHECK_MYSQL:
		return sql_probe(c, health_probe_mysql(), ret);
	case CFG_CHECK_PGSQL:
		return sql_probe(c, health_probe_pgsql(), ret);
	case CFG_CHECK_REDIS:
		return health_probe_new(health_probe_redis(), NULL, ret);
	case CFG_CHECK_SCRIPT:
		return health_probe_new(tcp_check_ops(), &script, ret);
	case CFG_CHECK_SMTP:
		return health_probe_new(health_probe_smtp(), &smtp, ret);
	case CFG_CHECK_SSL_HELLO:
		return health_probe_new(health_probe_ssl_hello(), NULL, ret);
	}
	return -EINVAL;
}

static void print_address(const struct cfg_addr *a, char *host, size_t cap, char port[16])
{
	const struct sockaddr_in6 *in6 = (const void *)&a->storage;
	const struct sockaddr_in *in = (const void *)&a->storage;

	snprintf(port, 16, "NOT_USED");
	if (a->sa.sa_family == AF_UNIX) {
		snprintf(host, cap, "%s", a->unix_path.sun_path);
		return;
	}
	inet_ntop(a->sa.sa_family,
		  a->sa.sa_family == AF_INET6 ? (const void *)&in6->sin6_addr : &in->sin_addr, host,
		  (socklen_t)cap);
	snprintf(port, 16, "%hu", ntohs(in->sin_port)); /* both have it in the same place */
}

static int external_probe(const struct cfg_proxy *p, const struct cfg_server *s, const struct cfg_addr *target, struct health_probe **ret)
{
	const struct cfg_check *c = &p->set.check;
	const char *const argv[] = {c->command, NULL};
	char host[sizeof(target->unix_path.sun_path) + 1], port[16];
	const struct health_exec_haproxy like = {
	    .size = sizeof(like),
	    .server_addr = host,
	    .server_port = port,
	    .proxy_name = p->name,
	    .server_name = s->name,
	    .proxy_id = p->id,
	    .server_maxconn = s->maxconn,
	    .path = c->path,
	};
	const struct health_exec_opts o = {.size = sizeof(o), .argv = argv, .haproxy = &like};

	print_address(target, host, sizeof(host), port);
	return health_probe_new(health_probe_exec(), &o, ret);
}

/* Its script, of HTTP or not, finds out what it sends. */
static int live_probe(const struct server *s, const struct backend *b, struct health_probe **ret)
{
	const struct cfg_settings *set = &b->proxy->set;
	const struct check_of of = {s, b};
	const struct tcp_check_opts script = {.step = set->check.step, .n = set->check.n_steps, .of = of};
	const struct http_check_opts http = {of, set->httpchk};

	if (set->check.kind == CFG_CHECK_HTTP)
		return health_probe_new(http_check_ops(), &http, ret);
	return health_probe_new(tcp_check_ops(), &script, ret);
}

int check_probe_of_server(const struct backend *b, const struct server *s, const struct cfg_server *c, const struct cfg_addr *target,
			  struct health_probe **ret)
{
	if (b->proxy->set.check.kind == CFG_CHECK_EXTERNAL)
		return external_probe(b->proxy, c, target, ret);
	return b->proxy->set.check.is_live ? live_probe(s, b, ret) : 0;
}
