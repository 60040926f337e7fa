/* SPDX-License-Identifier: MIT */
/* option httpchk and http-check: what is asked of a server; which answer is a good one cfg/expect.c reads. */
#include <libhealth/probe_http.h>

#include "cfg/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules/format.h"

#define HEADERS_MAX 2000

/* The section's own, to be changed. NULL: no memory. */
static struct cfg_httpchk *own_httpchk(struct reader *r)
{
	struct cfg_httpchk *c = keep_copy(r, r->proxy->set.httpchk, sizeof(*c));

	if (c)
		r->proxy->set.httpchk = c;
	return c;
}

/*
 * The same for a line of the script. As in HAProxy a section's first one takes the place of all that its defaults say;
 * a section that only expects something asks as they do, where HAProxy 2.6 would not ask at all.
 */
static struct cfg_httpchk *own_script(struct reader *r, bool expects)
{
	struct cfg_check *check = &r->proxy->set.check;
	struct cfg_httpchk *c = own_httpchk(r);
	bool first = check->httpchk_of != r->proxy;

	check->httpchk_of = r->proxy;
	if (!c || !first)
		return c;
	if (!expects) {
		*c = (struct cfg_httpchk){.drain_404 = c->drain_404, .send_state = c->send_state};
		check->connect = (struct cfg_check_connect){.given = false};
		check->mixed = check->roams = false;
		return c;
	}
	c->n_expects = 0;
	return c;
}

static void set_method(struct reader *r, size_t i, const char *method, struct cfg_httpchk *c)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"; /* RFC 9110 5.6.2 */

	if (!*method || method[strspn(method, token)])
		say(r, DIAG_ERROR, i, "\"%s\" is no method: write such as OPTIONS, GET or HEAD", method);
	else
		c->method = keep_text(r, method);
}

static void set_uri(struct reader *r, size_t i, struct cfg_httpchk *c)
{
	c->uri = keep_word(r, i);
}

/* One more field of the request; of Host there is one. */
static void add_header(struct reader *r, size_t i, struct cfg_httpchk *c)
{
	const char *name = word_at(r, i), *value = word_at(r, i + 1);
	struct cfg_httpchk_header h = {keep_text(r, name), keep_text(r, value), cfg_check_format(r, i + 1, value, CFG_CHECK_SEES_NOTHING)};
	unsigned at = c->n_headers;

	if (!strcasecmp(name, "host"))
		for (at = 0; at < c->n_headers && strcasecmp(c->header[at].name, "host") != 0;)
			at++;
	if (at == CFG_HTTPCHK_HEADERS_MAX || strlen(name) + strlen(value) > HEADERS_MAX || strpbrk(value, "\r\n")) {
		say(r, DIAG_ERROR, i, "the headers of the check are too many or too long, or one has a line end");
		return;
	}
	c->header[at] = h;
	c->n_headers += at == c->n_headers;
}

/* uri-lf, body-lf */
static void set_format(struct reader *r, size_t i, const char **ret_text, const struct format **ret)
{
	*ret_text = keep_word(r, i);
	*ret = cfg_check_format(r, i, *ret_text, CFG_CHECK_SEES_NOTHING);
}

static void set_version(struct reader *r, size_t i, struct cfg_httpchk *c)
{
	const char *text = word_at(r, i);

	c->version_1_1 = !strcmp(text, "HTTP/1.1");
	if (strcmp(text, "HTTP/1.1") != 0 && strcmp(text, "HTTP/1.0") != 0)
		say(r, DIAG_ERROR, i, "\"%s\" is no version: write HTTP/1.0 or HTTP/1.1", text);
}

void kw_httpchk(struct reader *r, size_t first, const void *data)
{
	size_t n = r->line->n - first;
	struct cfg_httpchk *c;

	if (r->no) {
		r->proxy->set.httpchk = NULL;
		r->proxy->set.check.kind = CFG_CHECK_CONNECT;
		return;
	}
	c = own_script(r, false);
	if (!c)
		return;
	r->proxy->set.check.kind = CFG_CHECK_HTTP;
	if (n == 1) { /* one word is the path */
		set_uri(r, first, c);
		return;
	}
	if (n >= 2) {
		set_method(r, first, word_at(r, first), c);
		set_uri(r, first + 1, c);
	}
	if (n == 3)
		set_version(r, first + 2, c);
}

void kw_http_check_send(struct reader *r, size_t first, const void *data)
{
	struct cfg_httpchk *c = own_script(r, false);

	if (c)
		c->sends = true;
	for (size_t i = first; c && i < r->line->n; i += 2) {
		const char *word = word_at(r, i);

		if (i + 1 >= r->line->n) {
			say(r, DIAG_ERROR, i, "\"%s\" needs a value", word);
			return;
		}
		if (!strcmp(word, "meth")) {
			set_method(r, i + 1, word_at(r, i + 1), c);
		} else if (!strcmp(word, "uri")) {
			set_uri(r, i + 1, c);
			c->uri_format = NULL;
		} else if (!strcmp(word, "uri-lf")) {
			set_format(r, i + 1, &c->uri, &c->uri_format);
		} else if (!strcmp(word, "ver")) {
			set_version(r, i + 1, c);
		} else if (!strcmp(word, "body")) {
			c->body = keep_word(r, i + 1);
			c->body_format = NULL;
		} else if (!strcmp(word, "body-lf")) {
			set_format(r, i + 1, &c->body, &c->body_format);
		} else if (!strcmp(word, "hdr") && i + 2 < r->line->n) {
			add_header(r, i + 1, c);
			i++;
		} else if (!strcmp(word, "comment")) {
			return;
		} else {
			say(r, DIAG_ERROR, i,
			    "\"%s\" is unknown here: write meth, uri, uri-lf, ver, hdr NAME VALUE, body, body-lf or comment",
			    word);
			return;
		}
	}
}

void kw_http_check_expect(struct reader *r, size_t first, const void *data)
{
	struct cfg_httpchk *c = own_script(r, true);

	if (c && c->n_expects == CFG_EXPECTS_MAX) {
		say(r, DIAG_ERROR, first, "a connection of a check has at most %d lines of what is expected", CFG_EXPECTS_MAX);
		return;
	}
	if (c)
		c->expect[c->n_expects] = cfg_read_expect(r, first, true, NULL);
	if (c && c->expect[c->n_expects])
		c->n_expects++;
}

/* What is asked over another connection, behind the answer of the one before. */
static struct cfg_httpchk *begin_round(struct reader *r, const struct cfg_httpchk *before)
{
	struct cfg_httpchk *c = keep(r, sizeof(*c));
	unsigned n = 1;

	for (const struct cfg_httpchk *b = before; b; b = b->before)
		n++;
	if (n > CFG_HTTPCHK_ROUNDS_MAX)
		say(r, DIAG_ERROR, 1, "a check has at most %d connections", CFG_HTTPCHK_ROUNDS_MAX);
	if (!c || n > CFG_HTTPCHK_ROUNDS_MAX)
		return NULL;
	c->before = before;
	c->drain_404 = before->drain_404;
	c->send_state = before->send_state;
	r->proxy->set.httpchk = c;
	return c;
}

void kw_http_check_connect(struct reader *r, size_t first, const void *data)
{
	struct cfg_httpchk *c = own_script(r, false);
	struct cfg_check_connect *how = &r->proxy->set.check.connect, own = {.given = true};

	if (c && (c->sends || c->n_expects))
		c = begin_round(r, c);
	if (!c)
		return;
	c->port = (struct cfg_check_port){0};
	if (!cfg_read_connect(r, first, "h1", &c->port, &own))
		return;
	c->connect = own;
	if (!c->before)
		*how = own;
	else
		cfg_take_connect(r, first - 1, &own);
}

/* http-check set-var(check.NAME) EXPRESSION and its like */
void kw_http_check_set(struct reader *r, size_t first, const void *data)
{
	struct cfg_httpchk *c = own_script(r, false);

	if (c && (c->sends || c->n_expects))
		cfg_add_check_rule(r, first - 1, CFG_CHECK_SEES_ANSWER, &c->set_after);
	else if (c)
		cfg_add_check_rule(r, first - 1, CFG_CHECK_SEES_NOTHING, &c->set);
}

void kw_http_check_state(struct reader *r, size_t first, const void *data)
{
	struct cfg_httpchk *c = own_httpchk(r);

	if (c)
		c->send_state = !r->no;
}

void kw_http_check_404(struct reader *r, size_t first, const void *data)
{
	struct cfg_httpchk *c = own_httpchk(r);

	if (c)
		c->drain_404 = !r->no;
}

static const char *or_none(const char *text)
{
	return text ? text : "";
}

/* Of what one connection is about. */
struct description {
	char text[3 * HEADERS_MAX];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void put(struct description *d, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(d->text + d->len, sizeof(d->text) - d->len, format, args);
	va_end(args);
	if (n > 0 && (size_t)n < sizeof(d->text) - d->len)
		d->len += (size_t)n;
}

static void describe_round(struct description *d, const struct cfg_httpchk *c)
{
	put(d, "%s %s %d|%s|%d|%u", or_none(c->method), or_none(c->uri), c->version_1_1, or_none(c->body), c->drain_404, c->port.number);
	for (unsigned i = 0; i < c->n_headers; i++)
		put(d, "|%s:%s", c->header[i].name, c->header[i].text);
	for (unsigned i = 0; i < c->n_expects; i++)
		put(d, "|%s", c->expect[i]->text);
	put(d, "|%d%d%d%s/%s\n", c->connect.usual, c->connect.tls, c->connect.send_proxy, or_none(c->connect.sni), or_none(c->connect.alpn));
}

static bool is_constant(const struct format *f)
{
	return !f || format_is_constant(f);
}

/* libhealth's HTTP probe asks so. */
static bool is_plain_request(const struct cfg_httpchk *c)
{
	static const char *const plain[] = {"OPTIONS", "GET", "HEAD"}, *const with_body[] = {"POST", "PUT"};
	const char *method = c->method ? c->method : "OPTIONS";

	for (size_t i = 0; i < sizeof(with_body) / sizeof(with_body[0]); i++)
		if (!strcmp(method, with_body[i]))
			return true;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (!strcmp(method, plain[i]))
			return !c->body;
	return false;
}

/* Each run says the same of each server, and the answer's status alone counts. */
static bool is_static(const struct cfg_httpchk *c)
{
	const struct cfg_expect *x = c->n_expects ? c->expect[0] : NULL;

	if (!is_plain_request(c))
		return false;
	if (c->n_expects > 1 || (x && (x->what != CFG_EXPECT_STATUS || x->not || x->comment || x->n_status > HEALTH_HTTP_STATUS_MAX || cfg_expect_tells(x))))
		return false;
	for (unsigned i = 0; i < c->n_headers; i++)
		if (!is_constant(c->header[i].value))
			return false;
	return !c->port.expr && !c->send_state && !c->set && !c->set_after && is_constant(c->uri_format) && is_constant(c->body_format);
}

static bool asks_for_body(const struct cfg_httpchk *c)
{
	for (unsigned i = 0; i < c->n_expects; i++)
		if (c->expect[i]->what == CFG_EXPECT_BYTES)
			return true;
	return false;
}

static void check_round(struct reader *r, const struct cfg_proxy *p, const struct cfg_httpchk *c)
{
	if (asks_for_body(c) && !strcmp(or_none(c->method), "HEAD"))
		diag_add(r->diag, DIAG_ERROR, &p->at,
			 "the check of \"%s\" asks with HEAD, whose answers have no body: write meth GET", p->name);
}

void cfg_httpchk_describe(struct reader *r, struct cfg_proxy *p)
{
	const struct cfg_httpchk *c = p->set.httpchk;
	struct description d = {.len = 0};

	p->set.check.is_live = c->before;
	for (; c; c = c->before) {
		check_round(r, p, c);
		describe_round(&d, c);
		p->set.check.is_live |= !is_static(c);
	}
	p->set.check.text = keep_text(r, d.text);
}
