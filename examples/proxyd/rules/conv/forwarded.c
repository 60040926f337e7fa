/* SPDX-License-Identifier: MIT */
/* The field Forwarded (RFC 7239): "for=192.0.2.60;proto=http;by=203.0.113.43, for=…". */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "rules/expr.h"

/* RFC 9110, section 5.6.2 */
static bool is_tchar(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t skip(struct text t, size_t i, const char *set)
{
	while (i < t.len && t.at[i] && strchr(set, t.at[i]))
		i++;
	return i;
}

struct pair {
	struct text name, value; /* value: without its quotes, escapes as they came */
	bool is_quoted;
};

/* A token, or text in quotes, from *at on. False: neither. */
static bool read_value(struct text t, size_t *at, struct pair *p)
{
	size_t i = *at, from = i;

	p->is_quoted = i < t.len && t.at[i] == '"';
	if (!p->is_quoted) {
		while (i < t.len && is_tchar(t.at[i]))
			i++;
		p->value = text_of(t.at + from, i - from);
		*at = i;
		return i > from;
	}
	for (from = ++i; i < t.len && t.at[i] != '"'; i++)
		if (t.at[i] == '\\' && ++i == t.len)
			return false;
	p->value = text_of(t.at + from, i - from);
	*at = i + 1;
	return i < t.len;
}

/* Takes one pair and what stands behind it, ';' or ','; *at is the next one's, or the end. False: it is none. */
static bool next_pair(struct text t, size_t *at, struct pair *p)
{
	size_t i = skip(t, *at, " \t"), from = i;

	while (i < t.len && is_tchar(t.at[i]))
		i++;
	p->name = text_of(t.at + from, i - from);
	if (i == from || i == t.len || t.at[i++] != '=' || !read_value(t, &i, p))
		return false;
	i = skip(t, i, " \t");
	if (i < t.len && t.at[i] != ';' && t.at[i] != ',')
		return false;
	*at = i < t.len ? i + 1 : i;
	return i + 1 != t.len; /* nothing ends with a separator */
}

static bool digits_only(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (!isdigit((unsigned char)t.at[i]))
			return false;
	return t.len;
}

/* "_" and letters, digits, '.', '_', '-' (section 6.3) */
static bool is_obfuscated(struct text t)
{
	for (size_t i = 1; i < t.len; i++)
		if (!isalnum((unsigned char)t.at[i]) && !(t.at[i] && strchr("._-", t.at[i])))
			return false;
	return t.len > 1 && t.at[0] == '_';
}

/* A node is a name and perhaps a port (section 6). At NULL: there is no port. */
static bool split_node(struct text t, struct text *name, struct text *port)
{
	const char *end = t.len && *t.at == '[' ? memchr(t.at, ']', t.len) : memchr(t.at, ':', t.len);
	int64_t n;

	*port = text_of(NULL, 0);
	*name = t;
	if (t.len && *t.at == '[') {
		if (!end)
			return false;
		*name = text_of(t.at + 1, (size_t)(end - t.at) - 1);
		if (++end == t.at + t.len)
			return true;
		if (*end != ':')
			return false;
	} else if (end) {
		name->len = (size_t)(end - t.at);
	} else {
		return true;
	}
	*port = text_of(end + 1, t.len - (size_t)(end + 1 - t.at));
	return is_obfuscated(*port) || (digits_only(*port) && port->len < 6 && text_to_int(*port, &n) && n <= 65535);
}

static bool is_node(struct text t)
{
	struct text name, port;
	struct sample ip;

	if (!split_node(t, &name, &port))
		return false;
	if (t.len && *t.at == '[')
		return text_to_ip(name, &ip) && ip.type == SAMPLE_IPV6;
	return is_obfuscated(name) || text_same(name, text_of("unknown", 7), true) ||
	       (text_to_ip(name, &ip) && ip.type == SAMPLE_IPV4);
}

enum {
	PAIR_FOR = 1,
	PAIR_BY = 2,
	PAIR_HOST = 4,
	PAIR_PROTO = 8,
};

static int pair_of(struct text name)
{
	static const struct {
		const char *name;
		int bit;
	} known[] = {{"for", PAIR_FOR}, {"by", PAIR_BY}, {"host", PAIR_HOST}, {"proto", PAIR_PROTO}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (text_same(name, text_of(known[i].name, strlen(known[i].name)), true))
			return known[i].bit;
	return 0;
}

/* Each name once in an element, nodes as section 6 has them. */
static bool is_valid(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct text t = s->text;
	bool ok = t.len;
	size_t at = 0;
	int seen = 0;

	while (ok && at < t.len) {
		struct pair p;
		int bit;

		ok = next_pair(t, &at, &p);
		if (!ok)
			break;
		bit = pair_of(p.name);
		ok = !(seen & bit) && (!(bit & (PAIR_FOR | PAIR_BY)) || is_node(p.value));
		seen = at < t.len && t.at[at - 1] == ',' ? 0 : seen | bit;
	}
	*s = sample_bool(ok);
	return true;
}

/* rfc7239_field(NAME): the value of the first */
static bool field(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct text t = s->text;
	struct pair p;
	size_t at = 0;

	while (at < t.len && next_pair(t, &at, &p))
		if (text_same(p.name, arg->text, true)) {
			*s = sample_text(SAMPLE_STR, p.value.at, p.value.len);
			return true;
		}
	return false;
}

static bool check_field(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	return pair_of(arg->text) || rule_fail(e, "\"%.30s\" is no field of Forwarded: write for, by, host or proto", arg->text.at);
}

/* rfc7239_n2nn: the name of a node, an address if it is one. */
static bool node_name(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct text name, port;

	if (!is_node(s->text) || !split_node(s->text, &name, &port))
		return false;
	if (!text_to_ip(name, s))
		*s = sample_text(SAMPLE_STR, name.at, name.len);
	return true;
}

/* rfc7239_n2np: its port */
static bool node_port(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct text name, port;
	int64_t n;

	if (!is_node(s->text) || !split_node(s->text, &name, &port) || !port.at)
		return false;
	*s = *port.at != '_' && text_to_int(port, &n) ? sample_int(n) : sample_text(SAMPLE_STR, port.at, port.len);
	return true;
}

const struct conv convs_forwarded[] = {
    {"rfc7239_field", "s", SAMPLE_STR, SAMPLE_STR, field, 0, check_field, false},
    {"rfc7239_is_valid", "", SAMPLE_STR, SAMPLE_BOOL, is_valid, 0, NULL, false},
    {"rfc7239_n2nn", "", SAMPLE_STR, SAMPLE_STR, node_name, 0, NULL, false},
    {"rfc7239_n2np", "", SAMPLE_STR, SAMPLE_STR, node_port, 0, NULL, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
