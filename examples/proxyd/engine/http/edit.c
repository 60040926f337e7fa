/* SPDX-License-Identifier: MIT */
#include "edit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define CONNECTION_MAX 512 /* bytes of the options that stay */

static bool is_option(const struct http_msg *m, struct http_span s, const char *word)
{
	return http_same_name(http_text(m, s), s.len, word, strlen(word));
}

/* The options other than close and keep-alive. Their length, or -ENOSPC. */
static ssize_t other_options(const struct http_msg *m, char *buf)
{
	size_t len = 0;

	for (unsigned i = 0; i < m->n_fields; i++) {
		struct http_span option;
		uint32_t at = 0;

		if (m->field[i].id != HTTP_ID_CONNECTION)
			continue;
		while (http_next_element(m, m->field[i].value, &at, &option)) {
			if (is_option(m, option, "close") || is_option(m, option, "keep-alive"))
				continue;
			if (len + 2 + option.len <= CONNECTION_MAX) {
				if (len) {
					memcpy(buf + len, ", ", 2);
					len += 2;
				}
				memcpy(buf + len, http_text(m, option), option.len);
				len += option.len;
			} else {
				return -ENOSPC;
			}
		}
	}
	return (ssize_t)len;
}

int http_say_connection(struct http_msg *m, const char *option)
{
	uint8_t wanted = !option	  ? 0
			 : *option == 'c' ? HTTP_OPTION_CLOSE
					  : HTTP_OPTION_KEEP_ALIVE,
		has = m->options & HTTP_OPTION_OTHER ? http_connection_options(m) : m->options;
	char value[CONNECTION_MAX + 16];
	ssize_t len = 0;

	if ((has & (HTTP_OPTION_CLOSE | HTTP_OPTION_KEEP_ALIVE)) == wanted)
		return 0;
	if (has & (HTTP_OPTION_UPGRADE | HTTP_OPTION_OTHER))
		len = other_options(m, value);
	if (len < 0)
		return -ENOSPC;
	if (option) {
		if (len) {
			memcpy(value + len, ", ", 2);
			len += 2;
		}
		memcpy(value + len, option, strlen(option));
		len += (ssize_t)strlen(option);
	}
	http_remove_id(m, HTTP_ID_CONNECTION);
	return len ? http_add(m, "connection", 10, value, (size_t)len) : 0;
}

int http_drop_upgrade(struct http_msg *m)
{
	static const char name[] = "Connection";
	char value[CONNECTION_MAX + 16], *out = value;
	struct http_span option;

	http_remove_id(m, HTTP_ID_UPGRADE);
	for (unsigned i = 0; i < m->n_fields; i++) {
		uint32_t at = 0;

		if (m->field[i].id != HTTP_ID_CONNECTION)
			continue;
		while (http_next_element(m, m->field[i].value, &at, &option)) {
			if (is_option(m, option, "upgrade"))
				continue;
			if (option.len + 2 > (size_t)(value + sizeof(value) - out))
				return -ENOSPC;
			if (out > value) {
				memcpy(out, ", ", 2);
				out += 2;
			}
			memcpy(out, http_text(m, option), option.len);
			out += option.len;
		}
	}
	http_remove_id(m, HTTP_ID_CONNECTION);
	return out > value ? http_add(m, name, sizeof(name) - 1, value, (size_t)(out - value)) : 0;
}

static bool in_network(const struct cfg_forwardfor *f, unsigned family, const uint8_t *addr)
{
	const struct cfg_addr *a = f->except;
	const uint8_t *net;
	unsigned bytes = f->except_prefix_bits / 8, rest = f->except_prefix_bits % 8;

	if (!a || a->sa.sa_family != family)
		return false;
	net = family == AF_INET ? (const uint8_t *)&((const struct sockaddr_in *)&a->storage)->sin_addr
				: (const uint8_t *)&((const struct sockaddr_in6 *)&a->storage)->sin6_addr;
	return !memcmp(net, addr, bytes) &&
	       (!rest || (net[bytes] ^ addr[bytes]) >> (8 - rest) == 0);
}

int http_add_forwarded_for(struct http_msg *m, const struct cfg_forwardfor *f, unsigned family,
			   const uint8_t *addr)
{
	const char *name = f->header ? f->header : "X-Forwarded-For";
	char text[INET6_ADDRSTRLEN];

	if (!f->on || (family != AF_INET && family != AF_INET6) || in_network(f, family, addr))
		return 0;
	if (f->if_none && http_find(m, name, strlen(name), 0))
		return 0;
	if (!inet_ntop((int)family, addr, text, sizeof(text)))
		return 0;
	return http_add(m, name, strlen(name), text, strlen(text));
}

int http_adjust_case(struct http_msg *m, const struct cfg_case *list)
{
	for (unsigned i = 0; i < m->n_fields; i++) {
		struct http_span *name = &m->field[i].name;

		for (const struct cfg_case *c = list; c; c = c->next) {
			if (!http_same_name(http_text(m, *name), name->len, c->name, c->len))
				continue;
			if (!memcmp(http_text(m, *name), c->name, c->len))
				break;
			if (!http_store(m, c->name, c->len, name))
				return -ENOSPC;
			m->field[i].received = false;
			m->edited = true;
			break;
		}
	}
	return 0;
}

unsigned http_find_odd_name(const struct http_msg *m, unsigned from)
{
	static const char even[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

	for (; from < m->n_fields; from++) {
		const char *name = http_text(m, m->field[from].name);

		for (uint32_t i = 0; i < m->field[from].name.len; i++)
			if (!memchr(even, name[i], sizeof(even) - 1))
				return from;
	}
	return from;
}

struct http_span http_query_parameter(const struct http_msg *m, const char *name, size_t len)
{
	struct http_span query = http_query(m);
	const char *text = http_text(m, query);
	uint32_t from = 0;

	while (from < query.len) {
		const char *stop = memchr(text + from, '&', query.len - from);
		uint32_t to = stop ? (uint32_t)(stop - text) : query.len;

		if (to - from > len && !memcmp(text + from, name, len) && text[from + len] == '=')
			return (struct http_span){query.at + from + (uint32_t)len + 1,
						  to - from - (uint32_t)len - 1};
		from = to + 1;
	}
	return (struct http_span){0, 0};
}
