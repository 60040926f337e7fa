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

#include "../rules/regex.h"
#include "control.h"
#include "tcp_check.h"

/* ---- Regular expressions for libhealth ---- */

static int compile(const char *pattern, void **ret)
{
	struct rule_error e = {""};
	struct regex *re = regex_new(pattern, false, &e);

	if (!re)
		return *e.text ? -EINVAL : -ENOMEM;
	*ret = re;
	return 0;
}

static int search(const void *re, const void *data, size_t len, size_t start, size_t *ret_from,
		  size_t *ret_to)
{
	const char *from = (const char *)data + start;
	struct text group[REGEX_GROUPS];

	if (!regex_match(re, text_of(from, len - start), group))
		return 0;
	*ret_from = (size_t)(group[0].at - (const char *)data);
	*ret_to = *ret_from + group[0].len;
	return 1;
}

static void free_regex(void *re)
{
	regex_free(re);
}

static const struct health_regex regex_ops = {
    .size = sizeof(regex_ops),
    .compile = compile,
    .search = search,
    .free = free_regex,
};

/* ---- HTTP ---- */

static enum health_http_method method_of(const char *name)
{
	static const char *const names[] = {"GET", "HEAD", "OPTIONS", "POST", "PUT"};

	for (unsigned i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return (enum health_http_method)i;
	return HEALTH_HTTP_OPTIONS;
}

static int http_probe(const struct cfg_proxy *p, struct health_probe **ret)
{
	static const struct health_http_range good = {200, 399};
	const struct cfg_httpchk *c = p->set.httpchk;
	struct health_http_range status[CFG_STATUS_RANGES];
	struct health_http_field field[CFG_FIELDS_MAX];
	struct health_http_opts o = {
	    .size = sizeof(o),
	    .method = method_of(c->method),
	    .version = c->version_1_1 ? HEALTH_HTTP_1_1 : HEALTH_HTTP_1_0,
	    .path = c->uri,
	    .host = c->host	     ? c->host
		    : c->version_1_1 ? "localhost"
				     : NULL,
	    .status = c->n_status ? status : &good,
	    .n_status = c->n_status ? c->n_status : 1,
	    .body = c->is_regex ? NULL : c->string,
	    .regex = c->is_regex ? c->string : NULL,
	    .regex_ops = &regex_ops,
	    .fields = c->n_fields ? field : NULL,
	    .n_fields = c->n_fields,
	    .headers = c->headers,
	    .content = c->body,
	    .content_len = c->body ? strlen(c->body) : 0,
	    .flags = (c->drain_404 ? HEALTH_HTTP_404_DRAINS : 0) |
		     (c->not_string ? HEALTH_HTTP_NOT_BODY : 0),
	};

	for (unsigned i = 0; i < c->n_status; i++)
		status[i] = (struct health_http_range){c->status[i].first, c->status[i].last};
	for (unsigned i = 0; i < c->n_fields; i++)
		field[i] = (struct health_http_field){c->field[i].name, c->field[i].value,
						      (enum health_http_match)c->field[i].match};
	return health_probe_new(health_probe_http(), &o, ret);
}

/* ---- The others ---- */

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
	const struct tcp_check_opts script = {c->step, c->n_steps};

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

int check_probe_of_server(const struct cfg_proxy *p, const struct cfg_server *s,
			  const struct cfg_addr *target, struct health_probe **ret)
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

	if (c->kind != CFG_CHECK_EXTERNAL)
		return 0;
	print_address(target, host, sizeof(host), port);
	return health_probe_new(health_probe_exec(), &o, ret);
}
