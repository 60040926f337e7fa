/* SPDX-License-Identifier: MIT */
/* http and https URLs: the path as it stands, and the options of the HTTP probe. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "line.h"
#include "url_parts.h"

/* What the options point to while the probe is made. */
struct http_parts {
	struct health_http_opts o[HEALTH_HTTP_REQUESTS_MAX];
	struct health_http_range status[HEALTH_HTTP_STATUS_MAX];
	struct health_http_field field[HEALTH_HTTP_FIELDS_MAX];
	char path[HEALTH_URL_MAX + 2];
	char host[HEALTH_URL_HOST_MAX + 10];
	char headers[HEALTH_HTTP_HEADERS_MAX + 1];
};

static int pick_word(struct url_parts *u, const char *name, const char *const *words, size_t n,
		     int otherwise)
{
	const char *word = url_text(u, name);

	if (!word)
		return otherwise;
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(word, words[i]))
			return (int)i;
	return url_wrong(u, "http: no %s '%.20s'", name, word);
}

int url_status_ranges(struct url_parts *u, const char *text, struct health_http_range *ret)
{
	struct reader r = reader_of(text, strlen(text));
	int n = 0;

	while (reader_left(&r)) {
		struct health_http_range range;

		if (n == HEALTH_HTTP_STATUS_MAX)
			return url_wrong(u, "more than %d status ranges", HEALTH_HTTP_STATUS_MAX);
		range.first = range.last = read_status(&r);
		if (reader_left(&r) && *r.at == '-') {
			read_u8(&r);
			range.last = read_status(&r);
		}
		if (r.bad || (reader_left(&r) && read_u8(&r) != ','))
			return url_wrong(u, "status is like 200-299,401");
		ret[n++] = range;
	}
	return n;
}

static int read_status_option(struct url_parts *u, struct http_parts *p)
{
	const char *text = url_text(u, "status");
	int n = text ? url_status_ranges(u, text, p->status) : 0;

	if (n < 0)
		return n;
	p->o[0].status = n ? p->status : NULL;
	p->o[0].n_status = (size_t)n;
	return 0;
}

static bool append(struct http_parts *p, const char *line)
{
	size_t used = strlen(p->headers);

	return (size_t)snprintf(p->headers + used, sizeof(p->headers) - used, "%s\r\n", line) <
	       sizeof(p->headers) - used;
}

/* "header=Name: value", as often as wanted; a user and a password become Basic (RFC 7617). */
static int read_headers(struct url_parts *u, struct http_parts *p)
{
	const char *user = url_user(u), *password = url_password(u);
	const struct url_option *header;
	char line[HEALTH_HTTP_HEADERS_MAX], both[HEALTH_HTTP_HEADERS_MAX / 2];
	struct writer w = writer_of(line, sizeof(line) - 1);

	while ((header = url_option(u, "header")))
		if (!append(p, header->value))
			return url_wrong(u, "http: headers longer than %d bytes",
					 HEALTH_HTTP_HEADERS_MAX);
	if (user) {
		int len = snprintf(both, sizeof(both), "%s:%s", user, password ? password : "");

		write_bytes(&w, "Authorization: Basic ", 21);
		if ((size_t)len < sizeof(both))
			write_base64(&w, (const uint8_t *)both, (size_t)len);
		line[writer_len(&w)] = '\0';
		if ((size_t)len >= sizeof(both) || w.bad || !append(p, line))
			return url_wrong(u, "http: user and password are too long");
	}
	p->o[0].headers = p->headers[0] ? p->headers : NULL;
	return 0;
}

/* "field=Name" or "field=Name:text", which it must contain; with "field-regex" an expression. */
static int read_fields(struct url_parts *u, struct http_parts *p)
{
	static const struct {
		const char *name;
		enum health_http_match match;
	} ways[] = {
	    {"field", HEALTH_HTTP_CONTAINS},
	    {"field-is", HEALTH_HTTP_EXACT},
	    {"field-regex", HEALTH_HTTP_REGEX},
	};
	const struct url_option *option;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		while ((option = url_option(u, ways[i].name))) {
			char *colon = strchr(option->value, ':');

			if (n == HEALTH_HTTP_FIELDS_MAX)
				return url_wrong(u, "http: more than %d fields",
						 HEALTH_HTTP_FIELDS_MAX);
			if (colon)
				*colon++ = '\0';
			p->field[n++] = (struct health_http_field){
			    option->value, colon, colon ? ways[i].match : HEALTH_HTTP_EXISTS};
		}
	p->o[0].fields = n ? p->field : NULL;
	p->o[0].n_fields = n;
	return 0;
}

static int read_body(struct url_parts *u, struct health_http_opts *o)
{
	const struct url_option *content = url_option(u, "content");
	uint64_t max, from, to;

	if (content) {
		o->content = content->len ? content->value : NULL;
		o->content_len = content->len;
	}
	o->body = url_text(u, "body");
	o->drain_body = url_text(u, "drain-body");
	o->regex = url_text(u, "regex");
	o->digest = url_text(u, "md5");
	if (!url_number(u, "body-max", HEALTH_HTTP_BODY_MAX_BYTES, 0, &max) ||
	    !url_number(u, "regex-min", HEALTH_HTTP_BODY_MAX_BYTES, 0, &from) ||
	    !url_number(u, "regex-max", HEALTH_HTTP_BODY_MAX_BYTES, 0, &to))
		return url_wrong(u, "http: body-max, regex-min and regex-max are numbers of bytes");
	o->body_max_bytes = (size_t)max;
	o->regex_min_offset = (size_t)from;
	o->regex_max_offset = (size_t)to;
	o->crypto = u->tools->crypto;
	o->regex_ops = u->tools->regex;
	if (o->digest && !o->crypto)
		return url_wrong(u, "http: md5 needs hash functions: health_url_opts.crypto");
	if (o->regex && !o->regex_ops)
		return url_wrong(u, "http: regex needs PCRE2: built without it");
	return 0;
}

/* The Host field is the URL's, unless another house is asked for. */
static void read_target(struct url_parts *u, struct http_parts *p)
{
	bool ip6 = strchr(u->host, ':');
	const char *host = url_text(u, "host"), *path = url_path(u);

	snprintf(p->path, sizeof(p->path), "/%s", path ? path : "");
	snprintf(p->host, sizeof(p->host), "%s%s%s%s%s", ip6 ? "[" : "", u->host, ip6 ? "]" : "",
		 u->port ? ":" : "", u->port ? u->port : "");
	p->o[0].path = p->path;
	p->o[0].host = host ? host : p->host;
}

static int read_request(struct url_parts *u, struct http_parts *p)
{
	static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "POST", "PUT"};
	static const char *const versions[] = {"1.0", "1.1"};
	struct health_http_opts *o = &p->o[0];
	int method = pick_word(u, "method", methods, 5, HEALTH_HTTP_GET);
	int version = pick_word(u, "version", versions, 2, HEALTH_HTTP_1_1);

	if (method < 0 || version < 0)
		return -EINVAL;
	o->method = (enum health_http_method)method;
	o->version = (enum health_http_version)version;
	if (url_option(u, "404-drains"))
		o->flags |= HEALTH_HTTP_404_DRAINS;
	if (url_option(u, "envoy"))
		o->flags |= HEALTH_HTTP_ENVOY;
	if (url_option(u, "not-body"))
		o->flags |= HEALTH_HTTP_NOT_BODY;
	read_target(u, p);
	return 0;
}

/* "next=/path", as often as wanted: the same again for another path. */
static int read_next(struct url_parts *u, struct http_parts *p)
{
	const struct url_option *next;
	size_t n = 1;

	for (; (next = url_option(u, "next")); n++) {
		if (n == HEALTH_HTTP_REQUESTS_MAX)
			return url_wrong(u, "http: more than %d requests",
					 HEALTH_HTTP_REQUESTS_MAX);
		p->o[n] = p->o[0];
		p->o[n].next = NULL;
		p->o[n].path = next->value;
		p->o[n - 1].next = &p->o[n];
	}
	return 0;
}

int url_make_http(struct url_parts *u, struct health_probe **ret)
{
	struct http_parts p = {.o[0].size = sizeof(p.o[0])};
	int r = read_request(u, &p);

	if (r == 0)
		r = read_status_option(u, &p);
	if (r == 0)
		r = read_headers(u, &p);
	if (r == 0)
		r = read_fields(u, &p);
	if (r == 0)
		r = read_body(u, &p.o[0]);
	if (r == 0)
		r = read_next(u, &p);
	return r < 0 ? r : health_probe_new(health_probe_http(), p.o, ret);
}
