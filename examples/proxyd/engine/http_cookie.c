/* SPDX-License-Identifier: MIT */
/*
 * Persistence by cookie (HAProxy's "cookie NAME …"): the client brings the name of its server.
 *
 *	insert   the cookie is ours: we set it; indirect: servers do not see it
 *	rewrite  the server sets it, we put the name of the server into it
 *	prefix   the server sets it, we put the name of the server and "~" before its value
 */
#include <stdio.h>
#include <string.h>

#include "http.h"
#include "rule_run.h"

/* A cookie of a Cookie field: its value in the buffer, and what goes with it when it is taken out. */
struct found {
	unsigned field;
	struct http_span value, whole; /* whole: with the separator, of the field's value */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next pair "name=value" from *at of the field's value on. */
static bool next_pair(const struct http_msg *m, struct http_span list, uint32_t *at,
		      struct http_span *name, struct http_span *value)
{
	const char *text = http_text(m, list);
	uint32_t begin = *at, end, equals;

	while (begin < list.len && (is_blank(text[begin]) || text[begin] == ';'))
		begin++;
	if (begin >= list.len)
		return false;
	for (end = begin; end < list.len && text[end] != ';'; end++)
		;
	for (equals = begin; equals < end && text[equals] != '='; equals++)
		;
	*at = end;
	*name = (struct http_span){list.at + begin, equals - begin};
	if (equals < end)
		equals++;
	while (end > equals && is_blank(text[end - 1]))
		end--;
	*value = (struct http_span){list.at + equals, end - equals};
	return true;
}

static bool is_named(const struct http_msg *m, struct http_span name, const char *wanted)
{
	return name.len == strlen(wanted) && !memcmp(http_text(m, name), wanted, name.len);
}

/* The first one of this name in the field of that name. */
static bool find(const struct http_msg *m, const char *field, const char *name, struct found *ret)
{
	for (unsigned i = 0; i < m->n_fields; i++) {
		const struct http_field *f = &m->field[i];
		struct http_span pair;
		uint32_t at = 0, before = 0;

		if (!http_same_name(http_text(m, f->name), f->name.len, field, strlen(field)))
			continue;
		while (next_pair(m, f->value, &at, &pair, &ret->value)) {
			if (is_named(m, pair, name)) {
				ret->field = i;
				ret->whole = (struct http_span){before, at - before};
				return true;
			}
			before = at;
			if (m->is_response) /* what follows are attributes */
				break;
		}
	}
	return false;
}

/* The field's value with `span` of it replaced. 0 or -ENOSPC. */
static int replace(struct http_msg *m, unsigned field, struct http_span span, const char *text,
		   size_t len)
{
	struct http_span old = m->field[field].value;
	char value[HTTP_HEAD_MAX];
	size_t n = span.at, tail = old.len - span.at - span.len;

	memcpy(value, http_text(m, old), n);
	memcpy(value + n, text, len);
	memcpy(value + n + len, http_text(m, old) + span.at + span.len, tail);
	n += len + tail;
	for (len = 0; len < n && (value[len] == ';' || is_blank(value[len])); len++)
		;
	if (len == n) {
		http_remove_at(m, field);
		return 0;
	}
	return http_set_value(m, field, value + len, n - len);
}

static struct server *server_of(const struct backend *b, const char *text, size_t len)
{
	for (size_t i = 0; i < b->n_cookies; i++)
		if (strlen(b->cookies[i].value) == len && !memcmp(b->cookies[i].value, text, len))
			return b->cookies[i].server;
	return NULL;
}

static const char *cookie_of(const struct backend *b, const struct server *s)
{
	for (size_t i = 0; i < b->n_cookies; i++)
		if (b->cookies[i].server == s)
			return b->cookies[i].value;
	return NULL;
}

/* ---- The request ---- */

int http_cookie_take(struct exchange *x, struct http_msg *m)
{
	const struct backend *b = x->seeker.backend;
	const struct cfg_cookie *c = b->http->cookie;
	const char *text, *tilde;
	struct server *to;
	struct found f;
	size_t len;

	if (!c)
		return 0;
	x->cookie_in = 'N';
	if (!find(m, "cookie", c->name, &f))
		return 0;
	text = http_text(m, f.value);
	len = f.value.len;
	if (c->mode == CFG_COOKIE_PREFIX) {
		tilde = memchr(text, '~', len);
		if (!tilde)
			return 0; /* of before there was a proxy */
		len = (size_t)(tilde - text);
	}
	to = x->persistence == PERSISTENCE_IGNORED ? NULL : server_of(b, text, len);
	x->cookie_in = to ? atomic_load_explicit(&to->serves, memory_order_relaxed) ? 'V' : 'D' : x->persistence == PERSISTENCE_IGNORED ? 'U' : 'I';
	if (!x->wanted) /* a use-server line goes before it */
		x->wanted = to;
	if (c->mode == CFG_COOKIE_PREFIX)
		return replace(
		    m, f.field,
		    (struct http_span){f.value.at - m->field[f.field].value.at, (uint32_t)len + 1},
		    "", 0);
	return c->indirect ? replace(m, f.field, f.whole, "", 0) : 0;
}

/* ---- The answer ---- */

static int insert(const struct cfg_cookie *c, struct exchange *x, struct http_msg *m,
		  const char *value)
{
	char text[2048];
	struct found f;
	int n, e;

	if (find(m, "set-cookie", c->name, &f)) {
		if (c->preserve) {
			x->cookie_out = 'P';
			return 0;
		}
		http_remove_at(m, f.field);
	}
	if ((x->wanted == x->seeker.server && x->wanted) ||
	    (c->postonly && x->method != HTTP_METHOD_POST))
		return 0;
	n = snprintf(text, sizeof(text), "%s=%s; path=/%s", c->name, value, c->attributes);
	if (n < 0 || (size_t)n >= sizeof(text))
		return 0;
	e = http_add(m, "Set-Cookie", 10, text, (size_t)n);
	if (!e && c->nocache)
		e = http_add(m, "Cache-Control", 13, "private", 7);
	x->cookie_out = 'I';
	return e;
}

int http_cookie_give(struct exchange *x, struct http_msg *m)
{
	const struct backend *b = x->seeker.backend;
	const struct cfg_cookie *c = b->http->cookie;
	const char *value = c ? cookie_of(b, x->seeker.server) : NULL;
	struct http_span place;
	struct found f;
	char text[256];
	int n;

	if (!c)
		return 0;
	x->cookie_out = 'N';
	if (x->wanted && x->wanted != x->seeker.server)
		x->cookie_in = 'D'; /* down, or full */
	if (!value || x->persistence == PERSISTENCE_IGNORED)
		return 0;
	if (c->mode == CFG_COOKIE_INSERT)
		return insert(c, x, m, value);
	if (!find(m, "set-cookie", c->name, &f))
		return 0;
	place = (struct http_span){f.value.at - m->field[f.field].value.at, f.value.len};
	if (c->mode == CFG_COOKIE_PREFIX)
		place.len = 0;
	n = snprintf(text, sizeof(text), "%s%s", value, c->mode == CFG_COOKIE_PREFIX ? "~" : "");
	if (n < 0 || (size_t)n >= sizeof(text))
		return 0;
	x->cookie_out = 'R';
	return replace(m, f.field, place, text, (size_t)n);
}
