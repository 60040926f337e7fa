/* SPDX-License-Identifier: MIT */
/* Takes a URL apart (RFC 3986, with the options behind "#") and has its scheme make the probe. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/sized.h"
#include "line.h"
#include "url_parts.h"

#define DAY_S 86400
#define EXPIRES_DAYS_MAX 3650

int url_wrong(struct url_parts *u, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(u->error, HEALTH_TEXT_MAX, format, args);
	va_end(args);
	return -EINVAL;
}

/* ---- what makers ask ---- */

const char *url_user(struct url_parts *u)
{
	u->user_used = true;
	return u->user;
}

const char *url_password(struct url_parts *u)
{
	u->password_used = true;
	return u->password;
}

const char *url_path(struct url_parts *u)
{
	u->path_used = true;
	return u->path && *u->path ? u->path : NULL;
}

const struct url_option *url_option(struct url_parts *u, const char *name)
{
	for (size_t i = 0; i < u->n_options; i++)
		if (!u->option[i].used && !strcmp(u->option[i].name, name)) {
			u->option[i].used = true;
			return &u->option[i];
		}
	return NULL;
}

const char *url_text(struct url_parts *u, const char *name)
{
	const struct url_option *option = url_option(u, name);

	return option ? option->value : NULL;
}

/* At most 18 digits. */
static bool read_number(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;
	int digits = 0;

	for (; is_digit((uint8_t)*s) && digits < 18; s++, digits++)
		n = n * 10 + (uint64_t)(*s - '0');
	*ret = n;
	return digits && !*s && n <= max;
}

bool url_number(struct url_parts *u, const char *name, uint64_t max, uint64_t otherwise,
		uint64_t *ret)
{
	const char *value = url_text(u, name);

	*ret = otherwise;
	return !value || read_number(value, max, ret);
}

/* ---- taking apart ---- */

/* %xx becomes a byte, in place. The length, or -1: a "%" without its two digits. */
static int decode(char *s)
{
	char *to = s;
	const char *start = s;

	for (; *s; s++) {
		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		if (hex_digit((uint8_t)s[1]) < 0 || hex_digit((uint8_t)s[2]) < 0)
			return -1;
		*to++ = (char)(hex_digit((uint8_t)s[1]) << 4 | hex_digit((uint8_t)s[2]));
		s += 2;
	}
	*to = '\0';
	return (int)(to - start);
}

/* A part that becomes a text: no zero may hide in it. */
static int decode_text(struct url_parts *u, char *s, const char *what)
{
	int len = decode(s);

	if (len < 0)
		return url_wrong(u, "the %s has a %% without two hexadecimal digits", what);
	return strlen(s) == (size_t)len ? 0 : url_wrong(u, "the %s holds a zero byte", what);
}

static int split_options(struct url_parts *u, char *at)
{
	while (at && *at) {
		struct url_option *option = &u->option[u->n_options];
		char *next = strchr(at, '&'), *value;
		int len;

		if (next)
			*next++ = '\0';
		if (u->n_options++ == HEALTH_URL_OPTIONS_MAX)
			return url_wrong(u, "more than %d options", HEALTH_URL_OPTIONS_MAX);
		option->name = at;
		value = strchr(at, '=');
		if (value)
			*value++ = '\0';
		else
			value = at + strlen(at); /* a word alone: "" */
		len = decode(value);
		if (len < 0)
			return url_wrong(u, "%.40s: a %% without two hexadecimal digits", at);
		option->value = value;
		option->len = (size_t)len;
		at = next;
	}
	return 0;
}

/* "user:password@" before the host; a password may hold a colon, neither an "@" that is not %40. */
static int split_user(struct url_parts *u, char **authority)
{
	char *at = strrchr(*authority, '@'), *colon;
	int r = 0;

	if (!at)
		return 0;
	*at = '\0';
	u->user = *authority;
	colon = strchr(*authority, ':');
	if (colon) {
		*colon++ = '\0';
		u->password = colon;
		r = decode_text(u, colon, "password");
	}
	if (r == 0)
		r = decode_text(u, *authority, "user");
	if (u->user && !*u->user)
		u->user = NULL; /* redis://:password@host */
	*authority = at + 1;
	return r;
}

static int split_host(struct url_parts *u, char *authority)
{
	char *end, *colon;

	if (*authority == '[') {
		end = strchr(authority, ']');
		if (!end || (end[1] && end[1] != ':'))
			return url_wrong(u, "an IPv6 address ends with ]");
		*end = '\0';
		u->host = authority + 1;
		colon = end[1] ? end + 1 : NULL;
	} else {
		u->host = authority;
		colon = strchr(authority, ':');
		if (colon && strchr(colon + 1, ':'))
			return url_wrong(u, "an IPv6 address stands in [ ]");
	}
	if (colon) {
		*colon = '\0';
		u->port = colon + 1;
	}
	return strlen(u->host) <= HEALTH_URL_HOST_MAX ? 0 : url_wrong(u, "the host is too long");
}

static int split(struct url_parts *u)
{
	char *colon = strstr(u->text, "://"), *authority, *slash, *options;
	int r;

	if (!colon || colon == u->text)
		return url_wrong(u, "want scheme://host[:port], like http://192.0.2.1/health");
	*colon = '\0';
	u->scheme = u->text;
	authority = colon + 3;
	options = strchr(authority, '#');
	if (options)
		*options++ = '\0';
	slash = strchr(authority, '/');
	if (slash) {
		*slash++ = '\0';
		u->path = slash;
	}
	r = split_user(u, &authority);
	if (r == 0)
		r = split_host(u, authority);
	if (r == 0)
		r = split_options(u, options);
	if (r == 0 && slash && strncmp(u->scheme, "http", 4) != 0 &&
	    strncmp(u->scheme, "h2", 2) != 0)
		r = decode_text(u, slash, "path");
	return r;
}

/* ---- the whole ---- */

static int check_used(struct url_parts *u)
{
	for (size_t i = 0; i < u->n_options; i++)
		if (!u->option[i].used)
			return url_wrong(u, "%.30s has no option '%.40s' (or it stands twice)",
					 u->scheme, u->option[i].name);
	if (u->user && !u->user_used)
		return url_wrong(u, "%.30s takes no user", u->scheme);
	if (u->password && !u->password_used)
		return url_wrong(u, "%.30s takes no password", u->scheme);
	if (u->path && *u->path && !u->path_used)
		return url_wrong(u, "%.30s takes no path", u->scheme);
	return 0;
}

static int check_target(struct url_parts *u, const struct url_scheme *scheme, uint64_t *ret_port)
{
	if (scheme->port == NO_HOST) {
		*ret_port = 0;
		return *u->host || u->port ? url_wrong(u, "%.30s has no host: write %.30s:///path",
						       u->scheme, u->scheme)
					   : 0;
	}
	if (!*u->host)
		return url_wrong(u, "a host is missing");
	*ret_port = (uint64_t)scheme->port;
	if (u->port && (!read_number(u->port, UINT16_MAX, ret_port) || !*ret_port))
		return url_wrong(u, "the port '%.20s' is none from 1 to 65535", u->port);
	if (!*ret_port)
		return url_wrong(u, "%.30s has no port of its own: write host:port", u->scheme);
	return 0;
}

static bool is_address(const char *host)
{
	uint8_t address[16];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static int read_tls(struct url_parts *u, const struct url_scheme *scheme, struct health_url *ret)
{
	const char *sni, *alpn = scheme->tls == TLS_H2 ? "h2" : NULL;
	uint64_t days;

	u->starttls = scheme->tls == UPGRADE && url_option(u, "starttls");
	if (scheme->tls == PLAIN || (scheme->tls == UPGRADE && !u->starttls))
		return 0;
	ret->tls = 1;
	ret->starttls = u->starttls;
	if (!alpn)
		alpn = url_text(u, "alpn");
	if (alpn && strlen(alpn) >= sizeof(ret->alpn))
		return url_wrong(u, "alpn is too long");
	if (alpn)
		memcpy(ret->alpn, alpn, strlen(alpn) + 1);
	ret->verify = url_option(u, "verify") != NULL;
	if (!url_number(u, "expires", EXPIRES_DAYS_MAX, 0, &days))
		return url_wrong(u, "expires is a number of days, at most %d", EXPIRES_DAYS_MAX);
	ret->expiry_warn_s = days * DAY_S;
	sni = url_text(u, "sni");
	if (!sni && !is_address(u->host))
		sni = u->host;
	if (!sni)
		return 0;
	if (strlen(sni) > HEALTH_URL_HOST_MAX)
		return url_wrong(u, "sni is too long");
	memcpy(ret->sni, sni, strlen(sni) + 1);
	return 0;
}

static int make(struct url_parts *u, struct health_url *ret)
{
	const struct url_scheme *scheme;
	struct health_probe *probe = NULL;
	uint64_t port = 0;
	int r = split(u);

	if (r < 0)
		return r;
	scheme = url_scheme_find(u->scheme);
	if (!scheme)
		return url_wrong(u, "no probe is called '%.40s'", u->scheme);
	r = check_target(u, scheme, &port);
	if (r == 0)
		r = read_tls(u, scheme, ret);
	if (r < 0)
		return r;
	u->error[0] = '\0';
	r = scheme->make(u, &probe);
	if (r == -EINVAL && !u->error[0])
		url_wrong(u, "%.30s: a user, password, path or option is out of its range",
			  u->scheme);
	if (r == 0)
		r = check_used(u);
	if (r < 0) {
		health_probe_free(probe);
		return r;
	}
	ret->probe = probe;
	ret->port = (uint32_t)port;
	memcpy(ret->host, u->host, strlen(u->host) + 1);
	return 0;
}

int health_url_parse(const char *url, const struct health_url_opts *o, struct health_url *ret,
		     char *ret_error)
{
	struct health_url_opts tools = {.size = sizeof(tools)};
	struct health_url made = {.size = sizeof(made)};
	char error[HEALTH_TEXT_MAX] = "";
	struct url_parts u = {.tools = &tools, .error = error};
	int r = o ? sized_in(&tools, sizeof(tools), o) : 0;

	if (r < 0)
		return r;
	if (!url || !ret || ret->size < offsetof(struct health_url, expiry_warn_s))
		return -EINVAL;
	if (strnlen(url, HEALTH_URL_MAX + 1) > HEALTH_URL_MAX)
		r = url_wrong(&u, "longer than %d characters", HEALTH_URL_MAX);
	else
		memcpy(u.text, url, strlen(url) + 1);
	if (r == 0)
		r = make(&u, &made);
	if (r == 0)
		r = sized_out(ret, &made, sizeof(made));
	else if (ret_error)
		memcpy(ret_error, error, sizeof(error));
	explicit_bzero(u.text, sizeof(u.text)); /* it may have held a password */
	return r;
}
