/* SPDX-License-Identifier: MIT */
/* The HTTP/1 probe's options, checked and compiled: the bytes of each request, the tables of its answer. */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/sized.h"
#include "http.h"
#include "regex_ops.h"

#define REQUEST_MAX                                                                    \
	(256 + HEALTH_HTTP_PATH_MAX + HEALTH_HTTP_HOST_MAX + HEALTH_HTTP_HEADERS_MAX + \
	 HEALTH_HTTP_CONTENT_MAX)

static bool is_visible(const char *s, size_t max)
{
	size_t len = strnlen(s, max + 1);

	if (!len || len > max)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static bool path_valid(const struct health_http_opts *o)
{
	if (!o->path)
		return true;
	if (!is_visible(o->path, HEALTH_HTTP_PATH_MAX))
		return false;
	return o->path[0] == '/' || (o->method == HEALTH_HTTP_OPTIONS && !strcmp(o->path, "*"));
}

static bool status_valid(const struct health_http_opts *o)
{
	if (o->n_status > HEALTH_HTTP_STATUS_MAX || !o->n_status != !o->status)
		return false;
	for (size_t i = 0; i < o->n_status; i++)
		if (o->status[i].first < 100 || o->status[i].last > 999 ||
		    o->status[i].first > o->status[i].last)
			return false;
	return true;
}

/* Whole lines "Name: value", and none that this library writes itself. */
static bool headers_valid(const char *headers)
{
	static const char *const own[] = {
	    "host:", "connection:", "content-length:", "transfer-encoding:"};
	size_t len = strnlen(headers, HEALTH_HTTP_HEADERS_MAX + 1);

	if (len > HEALTH_HTTP_HEADERS_MAX)
		return false;
	while (*headers) {
		const char *end = strstr(headers, "\r\n"), *colon = strchr(headers, ':');

		if (!end || !colon || colon == headers || colon > end)
			return false;
		for (const char *p = headers; p < end; p++)
			if ((*p < ' ' && *p != '\t') || *p == 0x7f || (*p == ' ' && p < colon))
				return false;
		for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
			if (!strncasecmp(headers, own[i], strlen(own[i])))
				return false;
		headers = end + 2;
	}
	return true;
}

static bool request_valid(const struct health_http_opts *o)
{
	bool sends = o->method == HEALTH_HTTP_POST || o->method == HEALTH_HTTP_PUT;

	if ((unsigned int)o->method > HEALTH_HTTP_PUT ||
	    (unsigned int)o->version > HEALTH_HTTP_1_1 || !path_valid(o))
		return false;
	if (o->host ? !is_visible(o->host, HEALTH_HTTP_HOST_MAX) : o->version == HEALTH_HTTP_1_1)
		return false;
	return (!o->headers || headers_valid(o->headers)) && !o->content == !o->content_len &&
	       o->content_len <= HEALTH_HTTP_CONTENT_MAX && (sends || !o->content);
}

static bool answer_valid(const struct health_http_opts *o)
{
	const uint64_t known = HEALTH_HTTP_404_DRAINS | HEALTH_HTTP_ENVOY | HEALTH_HTTP_NOT_BODY;
	bool wants_body = o->body || o->drain_body || o->regex || o->digest;

	if (!status_valid(o) || o->n_fields > HEALTH_HTTP_FIELDS_MAX || !o->n_fields != !o->fields)
		return false;
	if (o->flags & ~known || (o->flags & HEALTH_HTTP_NOT_BODY && !o->body == !o->regex))
		return false;
	if (o->body_max_bytes > HEALTH_HTTP_BODY_MAX_BYTES || (o->body_max_bytes && !wants_body) ||
	    (wants_body && o->method == HEALTH_HTTP_HEAD))
		return false;
	if (o->regex ? !o->regex_ops : o->regex_min_offset || o->regex_max_offset)
		return false;
	return !o->digest || (o->crypto && o->crypto->size && o->crypto->digest);
}

/* ---- the request ---- */

static void put(struct writer *w, const char *s)
{
	write_bytes(w, s, strlen(s));
}

static int write_request(struct http_request *c, const struct health_http_opts *o)
{
	static const char *const method[] = {"GET ", "HEAD ", "OPTIONS ", "POST ", "PUT "};
	uint8_t bytes[REQUEST_MAX];
	struct writer w = writer_of(bytes, sizeof(bytes));
	char length[40];

	put(&w, method[o->method]);
	put(&w, o->path ? o->path : "/");
	put(&w, o->version == HEALTH_HTTP_1_1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
	if (o->host) {
		put(&w, "Host: ");
		put(&w, o->host);
		put(&w, "\r\n");
	}
	put(&w, "User-Agent: libhealth\r\nConnection: close\r\n");
	if (o->headers)
		put(&w, o->headers);
	if (o->method == HEALTH_HTTP_POST || o->method == HEALTH_HTTP_PUT) {
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", o->content_len);
		put(&w, length);
	}
	put(&w, "\r\n");
	if (o->content_len)
		write_bytes(&w, o->content, o->content_len);
	if (w.bad)
		return -EINVAL;
	c->len = writer_len(&w);
	c->bytes = mem_dup(bytes, c->len);
	return c->bytes ? 0 : -ENOMEM;
}

/* ---- what is expected ---- */

static int compile_regex(const struct http_request *c, const char *pattern, void **ret)
{
	if (!*pattern || strnlen(pattern, HEALTH_REGEX_MAX + 1) > HEALTH_REGEX_MAX)
		return -EINVAL;
	return c->regex_ops.compile(pattern, ret);
}

static int add_field(struct http_request *c, const struct health_http_field *f)
{
	struct http_field *to = &c->field[c->n_fields];
	bool exists = f->match == HEALTH_HTTP_EXISTS;

	if ((unsigned int)f->match > HEALTH_HTTP_REGEX || !f->name || exists != !f->value ||
	    !is_visible(f->name, HEALTH_HTTP_HOST_MAX) ||
	    (f->match == HEALTH_HTTP_REGEX && !c->regex_ops.size))
		return -EINVAL;
	to->match = f->match;
	for (size_t i = 0; f->name[i]; i++)
		to->name[i] = (char)lower((uint8_t)f->name[i]);
	c->n_fields++;
	if (f->match == HEALTH_HTTP_REGEX)
		return compile_regex(c, f->value, &to->regex);
	if (!exists && strnlen(f->value, sizeof(to->value)) == sizeof(to->value))
		return -EINVAL;
	if (!exists)
		memcpy(to->value, f->value, strlen(f->value) + 1);
	return 0;
}

/* No text, no match. */
static int text_new(const char *text, struct match **ret)
{
	if (!text)
		return 0;
	*ret = mem_zalloc(sizeof(**ret));
	return *ret ? match_init(*ret, text, strnlen(text, MATCH_MAX + 1)) : -ENOMEM;
}

static int read_digest(uint8_t ret[16], const char *hex)
{
	if (strnlen(hex, 33) != 32)
		return -EINVAL;
	for (int i = 0; i < 32; i++) {
		int digit = hex_digit((uint8_t)hex[i]);

		if (digit < 0)
			return -EINVAL;
		ret[i / 2] = (uint8_t)(ret[i / 2] << 4 | digit);
	}
	return 0;
}

static int compile_body(struct http_request *c, const struct health_http_opts *o)
{
	int r = text_new(o->body, &c->body);

	c->wants_body = o->body || o->drain_body || o->regex || o->digest;
	c->keeps_body = o->regex || o->digest;
	c->body_max = o->body_max_bytes ? o->body_max_bytes : HEALTH_HTTP_BODY_DEFAULT_BYTES;
	c->regex_min = o->regex_min_offset;
	c->regex_max = o->regex_max_offset ? o->regex_max_offset : SIZE_MAX;
	if (r == 0)
		r = text_new(o->drain_body, &c->drain);
	if (r == 0 && o->regex)
		r = compile_regex(c, o->regex, &c->regex);
	c->has_digest = o->digest;
	c->crypto = o->crypto;
	return r < 0 || !o->digest ? r : read_digest(c->digest, o->digest);
}

static int compile(struct http_request *c, const struct health_http_opts *o)
{
	int r = o->regex_ops ? regex_ops_copy(&c->regex_ops, o->regex_ops) : 0;

	c->status[0] = (struct health_http_range){200, 299};
	c->n_status = o->n_status ? o->n_status : 1;
	if (o->n_status)
		memcpy(c->status, o->status, o->n_status * sizeof(*o->status));
	c->flags = o->flags;
	if (o->n_fields) {
		c->field = mem_zalloc(o->n_fields * sizeof(*c->field));
		if (!c->field)
			return -ENOMEM;
	}
	for (size_t i = 0; i < o->n_fields && r == 0; i++)
		r = add_field(c, &o->fields[i]);
	if (r == 0)
		r = compile_body(c, o);
	return r < 0 ? r : write_request(c, o);
}

/* The first request is the probe's config; the others hang on it. */
void http_teardown(void *config)
{
	for (struct http_request *c = config, *next; c; c = next) {
		next = c->next;
		for (size_t i = 0; i < c->n_fields; i++)
			if (c->field[i].regex)
				c->regex_ops.free(c->field[i].regex);
		if (c->regex)
			c->regex_ops.free(c->regex);
		mem_free(c->field);
		mem_free(c->body);
		mem_free(c->drain);
		mem_wipe_free(c->bytes, c->len); /* Authorization, perhaps */
		mem_free(c);
	}
}

int http_setup(const void *opts, void **ret_config)
{
	struct http_request *first = NULL, **to = &first;
	int n = 0, r = 0;

	do {
		struct health_http_opts o = {.size = sizeof(o)};

		if (opts)
			r = sized_in(&o, sizeof(o), opts);
		if (r == 0 &&
		    (++n > HEALTH_HTTP_REQUESTS_MAX || !request_valid(&o) || !answer_valid(&o)))
			r = -EINVAL;
		if (r < 0)
			break;
		*to = mem_zalloc(sizeof(**to));
		r = *to ? compile(*to, &o) : -ENOMEM;
		if (r < 0)
			break;
		to = &(*to)->next;
		opts = o.next;
	} while (opts);
	if (r < 0) {
		http_teardown(first);
		return r;
	}
	*ret_config = first;
	return 0;
}
