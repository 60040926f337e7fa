/* SPDX-License-Identifier: MIT */
/* option originalto, option forwarded: where a request came from and what it came to. */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/log/facts.h"
#include "rules/expr.h"

#define NODE_MAX 300 /* bytes of a node, or of a host */
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define HOST_CHARACTERS NAME_CHARACTERS ":[]%~!$&'()*+,;="

/* The value of a field as it grows. */
struct value {
	char text[1024];
	size_t len;
	bool full;
};

__attribute__((format(printf, 2, 3))) static void put(struct value *v, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(v->text + v->len, sizeof(v->text) - v->len, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(v->text) - v->len)
		v->full = true;
	else
		v->len += (size_t)n;
}

/* What the expression says, as text. False: nothing that fits. */
static bool evaluate(const struct expr *e, struct run *r, char text[NODE_MAX])
{
	struct text value;

	if (!expr_eval_text(e, r, &value) || !value.len || value.len >= NODE_MAX || memchr(value.at, 0, value.len))
		return false;
	memcpy(text, value.at, value.len);
	text[value.len] = '\0';
	return true;
}

/*
 * RFC 7239, section 6: an address, of version 6 in brackets, or a name that begins with "_". False: what the expression
 * says is neither.
 */
static bool write_node(const struct cfg_forwarded_part *p, const struct endpoint *e, struct run *r, char node[NODE_MAX + 3])
{
	char text[NODE_MAX];
	struct in6_addr any;

	if (!p->expr ? !inet_ntop(e->family, e->addr, text, sizeof(text)) : !evaluate(p->expr, r, text))
		return false;
	if (inet_pton(AF_INET, text, &any) == 1)
		snprintf(node, NODE_MAX + 3, "%s", text);
	else if (inet_pton(AF_INET6, text, &any) == 1)
		snprintf(node, NODE_MAX + 3, "[%s]", text);
	else if (text[strspn(text, NAME_CHARACTERS)])
		return false;
	else
		snprintf(node, NODE_MAX + 3, "%s%s", *text == '_' ? "" : "_", text);
	return true;
}

/* A number, or a name; false: none. */
static bool write_port(const struct cfg_forwarded_part *p, const struct endpoint *e, struct run *r, char port[NODE_MAX + 3])
{
	char text[NODE_MAX];

	if (!p->on)
		return false;
	if (!p->expr)
		snprintf(text, sizeof(text), "%u", ntohs(e->port));
	else if (!evaluate(p->expr, r, text) || text[strspn(text, NAME_CHARACTERS)])
		return false;
	snprintf(port, NODE_MAX + 3, "%s%s", text[strspn(text, "0123456789")] && *text != '_' ? "_" : "", text);
	return true;
}

/* ";for=…": in quotes unless it is a token. */
static void put_node(struct value *v, const char *name, const struct cfg_forwarded_part *node,
		     const struct cfg_forwarded_part *port, const struct endpoint *e, struct run *r)
{
	char node_text[NODE_MAX + 3], port_text[NODE_MAX + 3];
	bool has_port;

	if (!node->on)
		return;
	if (!write_node(node, e, r, node_text))
		strcpy(node_text, "unknown");
	has_port = write_port(port, e, r, port_text);
	if (has_port || *node_text == '[')
		put(v, "%s%s=\"%s%s%s\"", v->len ? ";" : "", name, node_text, has_port ? ":" : "", has_port ? port_text : "");
	else
		put(v, "%s%s=%s", v->len ? ";" : "", name, node_text);
}

static void put_host(struct value *v, const struct cfg_forwarded_part *p, const struct http_msg *m, struct run *r)
{
	const struct http_field *host = http_find_id(m, HTTP_ID_HOST);
	char text[NODE_MAX];

	if (p->expr ? !evaluate(p->expr, r, text) : !host || host->value.len >= sizeof(text))
		return;
	if (!p->expr)
		snprintf(text, sizeof(text), "%.*s", (int)host->value.len, http_text(m, host->value));
	if (*text && !text[strspn(text, HOST_CHARACTERS)])
		put(v, "%shost=\"%s\"", v->len ? ";" : "", text);
}

static int add_forwarded(struct worker *w, struct exchange *x, struct http_msg *m, const struct endpoint *to)
{
	const struct cfg_forwarded *f = x->seeker.backend->http->forwarded;
	const struct client *c = x->client;
	struct exchange_view view;
	struct value v = {.len = 0};
	struct run r;

	if (!http_prepare_run(w, x, &view, &r))
		return -ENOMEM;
	r.request = m;
	if (f->proto)
		put(&v, "proto=%s", c->h.tls ? "https" : "http");
	if (f->host.on)
		put_host(&v, &f->host, m, &r);
	put_node(&v, "by", &f->by, &f->by_port, to, &r);
	put_node(&v, "for", &f->from, &f->from_port, &c->from, &r);
	return v.full ? -ENOSPC : !v.len ? 0 : http_add(m, "Forwarded", 9, v.text, v.len);
}

/* Room for the name of any of its servers, for none is chosen yet: http_name_server() has the rest. */
static int add_name(const struct backend *b, struct http_msg *m)
{
	char room[CFG_NAME_MAX + 16];
	size_t n = b->name_max < sizeof(room) ? b->name_max : sizeof(room);

	memset(room, '-', n);
	return http_set(m, b->http->name_header, strlen(b->http->name_header), room, n);
}

void http_name_server(const struct exchange *x, char *head, size_t len)
{
	const struct backend *b = x->seeker.backend;
	size_t name_len = strlen(x->seeker.server->name), header_len;
	char *line = head, *end;

	if (!b->http->name_header || !b->name_max)
		return;
	header_len = strlen(b->http->name_header);
	while ((end = memchr(line, '\r', len - (size_t)(line - head))) && end > line) {
		size_t room = (size_t)(end - line) - header_len - 2;

		if ((size_t)(end - line) == header_len + 2 + b->name_max && line[header_len] == ':' &&
		    http_same_name(line, header_len, b->http->name_header, header_len)) {
			char *value = line + header_len + 2;

			memset(value, ' ', room); /* before the name: they are none of it (RFC 9112, section 5) */
			if (name_len <= room) /* else it came with a later configuration */
				memcpy(value + room - name_len, x->seeker.server->name, name_len);
			return;
		}
		line = end + 2;
	}
}

int http_edit_late(struct worker *w, struct exchange *x, struct http_msg *m)
{
	const struct client *c = x->client;
	const struct cfg_http *front = c->frontend->http, *back = x->seeker.backend->http;
	struct endpoint to = client_target(&c->to, c->h.fd);
	int e = 0;

	if (back->forwarded)
		e = add_forwarded(w, x, m, &to);
	if (!e) /* of both, the frontend's */
		e = http_add_forwarded_for(m, front->originalto.on ? &front->originalto : &back->originalto, to.family, to.addr);
	if (!e && back->name_header && x->seeker.backend->name_max)
		e = add_name(x->seeker.backend, m);
	if (!e && back->adjusts_request)
		e = http_adjust_case(m, c->frontend->set->cfg->global.cases);
	return e;
}
