/* SPDX-License-Identifier: MIT */
/* The line `bind`: addresses, then parameters. */
#include "cfg/access.h"
#include "cfg/parameter.h"

#include <stdio.h>
#include <string.h>

#define BACKLOG_MAX 1000000

static void bind_interface(struct reader *r, size_t i, void *target)
{
	((struct cfg_bind *)target)->interface = keep_word(r, i + 1);
}

static void bind_name(struct reader *r, size_t i, void *target)
{
	((struct cfg_bind *)target)->name = keep_word(r, i + 1);
}

static void bind_backlog(struct reader *r, size_t i, void *target)
{
	read_number(r, i + 1, "backlog", 1, BACKLOG_MAX, &((struct cfg_bind *)target)->backlog);
}

static void bind_maxconn(struct reader *r, size_t i, void *target)
{
	read_number(r, i + 1, "maxconn", 1, MAXCONN_MAX, &((struct cfg_bind *)target)->maxconn);
}

/* The number that its headers begin with. */
static void bind_cip(struct reader *r, size_t i, void *target)
{
	read_number(r, i + 1, "accept-netscaler-cip", 1, UINT32_MAX, &((struct cfg_bind *)target)->cip_magic);
}

static void bind_access(struct reader *r, size_t i, void *target)
{
	access_read(r, i + 1, word_at(r, i), &((struct cfg_bind *)target)->access);
}

static void bind_flag(struct reader *r, size_t i, void *target)
{
	struct cfg_bind *b = target;
	const char *name = word_at(r, i);

	if (!strcmp(name, "v6only"))
		b->v6only = true;
	else if (!strcmp(name, "v4v6"))
		b->v4v6 = true;
	else if (!strcmp(name, "accept-proxy"))
		b->accept_proxy = true;
	else
		b->defer_accept = true;
}

static void bind_proto(struct reader *r, size_t i, void *target)
{
	struct cfg_bind *b = target;
	const char *proto = word_at(r, i + 1);

	b->speaks_h2 = !strcmp(proto, "h2");
	if (!b->speaks_h2 && strcmp(proto, "h1") != 0)
		say(r, DIAG_ERROR, i + 1, "proto %s is not spoken here: write h1 or h2", proto);
}

static const struct parameter bind_parameters[] = {
    {"expose-fd", 1, parameter_accepted}, {"level", 1, parameter_accepted}, {"proto", 1, bind_proto}, {"severity-output", 1, parameter_accepted},
    {"shards", 1, parameter_accepted},
    {"backlog", 1, bind_backlog}, {"interface", 1, bind_interface}, {"maxconn", 1, bind_maxconn},
    {"mss", 1, bind_tcp}, {"tcp-ut", 1, bind_tcp}, {"tfo", 0, bind_tcp}, {"transparent", 0, bind_tcp},
    {"name", 1, bind_name}, {"namespace", 1, bind_netns}, {"defer-accept", 0, bind_flag},   {"v4v6", 0, bind_flag},
    {"v6only", 0, bind_flag},	  {"accept-proxy", 0, bind_flag}, {"accept-netscaler-cip", 1, bind_cip},
    {"mode", 1, bind_access}, {"user", 1, bind_access}, {"group", 1, bind_access},
    {"uid", 1, bind_access}, {"gid", 1, bind_access},
    BIND_TLS_PARAMETERS(bind_tls), {NULL, 0, NULL},
};

/* unix-bind prefix. False: told. */
static bool add_prefix(struct reader *r, size_t i, struct cfg_addr *a)
{
	const char *prefix = r->cfg->global.unix_prefix;
	char path[sizeof(a->unix_path.sun_path)];

	if (!prefix || a->sa.sa_family != AF_UNIX || !*a->unix_path.sun_path)
		return true;
	if ((size_t)snprintf(path, sizeof(path), "%s%s", prefix, a->unix_path.sun_path) >= sizeof(path)) {
		say(r, DIAG_ERROR, i, "with the prefix of unix-bind this path has more than %zu characters",
		    sizeof(path) - 1);
		return false;
	}
	memcpy(a->unix_path.sun_path, path, sizeof(path));
	return true;
}

/* In the address as the log shows it. What is not opened here is where it is. */
static void name_namespace(struct reader *r, size_t i, struct cfg_bind *b, char *text, size_t cap)
{
	size_t len = strlen(text);

	if (b->inherited_fd < 0 && b->addr.sa.sa_family != AF_UNIX) {
		snprintf(text + len, cap - len, " namespace %s", b->netns->name);
		return;
	}
	say(r, DIAG_WARNING, i, "\"namespace\" has no effect here: it is for IPv4 and IPv6 addresses");
	b->netns = NULL;
}

static void add_bind(struct reader *r, size_t i, const struct address *a, unsigned port,
		     const struct cfg_bind *template)
{
	struct cfg_bind *b = keep(r, sizeof(*b));
	char text[900];

	if (!b)
		return;
	*b = *template;
	b->at = place_at(r, i);
	b->addr = a->addr;
	b->inherited_fd = a->fd;
	addr_set_port(&b->addr, port);
	if (!add_prefix(r, i, &b->addr))
		return;
	if (a->fd >= 0 || a->addr.sa.sa_family == AF_UNIX)
		snprintf(text, sizeof(text), "%s", a->host ? a->host : "");
	else if (a->addr.sa.sa_family == AF_INET6)
		snprintf(text, sizeof(text), "[%s]:%u%s%s", *a->host ? a->host : "::", port,
			 b->interface ? "@" : "", b->interface ? b->interface : "");
	else
		snprintf(text, sizeof(text), "%s:%u%s%s",
			 *a->host && strcmp(a->host, "*") != 0 ? a->host : "0.0.0.0", port,
			 b->interface ? "@" : "", b->interface ? b->interface : "");
	if (b->netns)
		name_namespace(r, i, b, text, sizeof(text));
	b->text = cfg_strdup(r->cfg, text);
	STAILQ_INSERT_TAIL(&r->proxy->binds, b, next);
}

void cfg_bind_words(struct reader *r, size_t i)
{
	struct cfg_bind unused = {.inherited_fd = -1};

	read_parameters(r, i, "parameter of \"bind\"", bind_parameters, cfg_words_bind, &unused);
}

void kw_bind(struct reader *r, size_t first, const void *data)
{
	struct cfg_bind template = {.inherited_fd = -1, .access = r->cfg->global.unix_bind};
	char list[1024], *save = NULL;

	if ((size_t)snprintf(list, sizeof(list), "%s", word_at(r, first)) >= sizeof(list)) {
		say(r, DIAG_ERROR, first, "this list of addresses is too long");
		return;
	}
	read_parameters(r, first + 1, "parameter of \"bind\"", bind_parameters, cfg_words_bind,
			&template);
	for (char *one = strtok_r(list, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
		struct address a;

		if (!read_address(r, first, one, ADDR_LISTEN, &a))
			return;
		if (a.fd >= 0 || a.addr.sa.sa_family == AF_UNIX)
			add_bind(r, first, &a, 0, &template);
		else
			for (unsigned port = a.port; port <= a.port_end; port++)
				add_bind(r, first, &a, port, &template);
	}
}
