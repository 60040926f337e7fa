/* SPDX-License-Identifier: MIT */
/* option httpchk and http-check: what is asked of a server, and which answer is a good one. */
#include "cfg_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEADERS_MAX 2000

static void set_method(struct reader *r, size_t i, const char *method)
{
	static const char *const known[] = {"OPTIONS", "GET", "HEAD", "POST", "PUT"};

	for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
		if (!strcmp(method, known[k])) {
			r->proxy->set.httpchk.method = known[k];
			return;
		}
	say(r, DIAG_ERROR, i,
	    "a check cannot ask with \"%s\": write OPTIONS, GET, HEAD, POST or PUT", method);
}

static void set_uri(struct reader *r, size_t i)
{
	if (*word_at(r, i) != '/')
		say(r, DIAG_ERROR, i, "\"%s\" is no path: write one that begins with \"/\"",
		    word_at(r, i));
	r->proxy->set.httpchk.uri = keep_word(r, i);
}

/* One more field of the request. */
static void add_header(struct reader *r, size_t i, const char *name, size_t name_len,
		       const char *value)
{
	struct cfg_httpchk *c = &r->proxy->set.httpchk;
	char text[HEADERS_MAX];
	int n;

	if (name_len == 4 && !strncasecmp(name, "host", 4)) {
		c->host = keep_text(r, value);
		return;
	}
	n = snprintf(text, sizeof(text), "%s%.*s: %s\r\n", c->headers ? c->headers : "",
		     (int)name_len, name, value);
	if (n >= (int)sizeof(text) || strpbrk(value, "\r\n"))
		say(r, DIAG_ERROR, i,
		    "the headers of the check are too long, or one has a line end");
	else
		c->headers = keep_text(r, text);
}

static void set_version(struct reader *r, size_t i)
{
	const char *text = word_at(r, i);

	r->proxy->set.httpchk.version_1_1 = !strcmp(text, "HTTP/1.1");
	if (strcmp(text, "HTTP/1.1") != 0 && strcmp(text, "HTTP/1.0") != 0)
		say(r, DIAG_ERROR, i, "\"%s\" is no version: write HTTP/1.0 or HTTP/1.1", text);
}

void kw_httpchk(struct reader *r, size_t first, const void *data)
{
	struct cfg_httpchk *c = &r->proxy->set.httpchk;
	size_t n = r->line->n - first;

	(void)data;
	if (r->no) {
		*c = (struct cfg_httpchk){0};
		return;
	}
	c->on = true;
	if (n == 1) { /* one word is the path */
		set_uri(r, first);
		return;
	}
	if (n >= 2) {
		set_method(r, first, word_at(r, first));
		set_uri(r, first + 1);
	}
	if (n == 3)
		set_version(r, first + 2);
}

void kw_http_check_send(struct reader *r, size_t first, const void *data)
{
	struct cfg_httpchk *c = &r->proxy->set.httpchk;

	(void)data;
	for (size_t i = first; i < r->line->n; i += 2) {
		const char *word = word_at(r, i);

		if (i + 1 >= r->line->n) {
			say(r, DIAG_ERROR, i, "\"%s\" needs a value", word);
			return;
		}
		if (!strcmp(word, "meth")) {
			set_method(r, i + 1, word_at(r, i + 1));
		} else if (!strcmp(word, "uri")) {
			set_uri(r, i + 1);
		} else if (!strcmp(word, "ver")) {
			set_version(r, i + 1);
		} else if (!strcmp(word, "body")) {
			c->body = keep_word(r, i + 1);
		} else if (!strcmp(word, "hdr") && i + 2 < r->line->n) {
			add_header(r, i + 1, word_at(r, i + 1), strlen(word_at(r, i + 1)),
				   word_at(r, i + 2));
			i++;
		} else {
			say(r, DIAG_ERROR, i,
			    "\"%s\" is unknown here, or not supported by this version: write meth, "
			    "uri, ver, hdr NAME VALUE or body",
			    word);
			return;
		}
	}
}

/* "200,300-310" */
static bool read_status(struct reader *r, size_t i, struct cfg_httpchk *c)
{
	const char *p = word_at(r, i);

	for (c->n_status = 0; c->n_status < CFG_STATUS_RANGES - 1; p++) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first;

		if (end != p && *end == '-')
			last = strtoul(p = end + 1, &end, 10);
		if (end == p || first < 100 || last > 999 || first > last || (*end && *end != ','))
			break;
		c->status[c->n_status].first = (uint16_t)first;
		c->status[c->n_status++].last = (uint16_t)last;
		if (!*end)
			return true;
		p = end;
	}
	say(r, DIAG_ERROR, i, "\"%s\" is no list of codes: write such as 200,204,300-399",
	    word_at(r, i));
	return false;
}

static int by_first(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* All the codes that the list has not. */
static void complement(struct cfg_httpchk *c)
{
	struct cfg_httpchk other = {0};
	unsigned next = 100;

	qsort(c->status, c->n_status, sizeof(c->status[0]), by_first);
	for (unsigned i = 0; i <= c->n_status; i++) {
		unsigned first = i < c->n_status ? c->status[i].first : 1000;

		if (first > next) {
			other.status[other.n_status].first = (uint16_t)next;
			other.status[other.n_status++].last = (uint16_t)(first - 1);
		}
		if (i < c->n_status && c->status[i].last >= next)
			next = c->status[i].last + 1u;
	}
	memcpy(c->status, other.status, sizeof(c->status));
	c->n_status = other.n_status;
}

void kw_http_check_expect(struct reader *r, size_t first, const void *data)
{
	struct cfg_httpchk *c = &r->proxy->set.httpchk;
	bool not = !strcmp(word_at(r, first), "!");
	size_t i = first + not ;
	const char *word = word_at(r, i);

	(void)data;
	if (!strcmp(word, "status") && r->line->n == i + 2) {
		if (read_status(r, i + 1, c) && not )
			complement(c);
	} else if (!strcmp(word, "string") && r->line->n == i + 2) {
		c->string = keep_word(r, i + 1);
		c->not_string = not ;
	} else {
		say(r, DIAG_ERROR, i,
		    "\"%s\" is unknown here, or not supported by this version: write [!] status "
		    "CODES or [!] string TEXT",
		    word);
	}
}

void kw_http_check_404(struct reader *r, size_t first, const void *data)
{
	(void)first;
	(void)data;
	r->proxy->set.httpchk.drain_404 = !r->no;
}

static const char *or_none(const char *text)
{
	return text ? text : "";
}

void cfg_httpchk_describe(struct reader *r, struct cfg_proxy *p)
{
	struct cfg_httpchk *c = &p->set.httpchk;
	char text[3 * HEADERS_MAX];
	int n;

	if (!c->on)
		return;
	if (c->body && (!c->method || (strcmp(c->method, "POST") && strcmp(c->method, "PUT")))) {
		diag_add(r->diag, DIAG_ERROR, &p->at,
			 "the check of \"%s\" has a body: write meth POST or PUT", p->name);
		return;
	}
	if (c->string && c->method && !strcmp(c->method, "HEAD")) {
		diag_add(
		    r->diag, DIAG_ERROR, &p->at,
		    "the check of \"%s\" asks with HEAD, whose answers have no body: write meth "
		    "GET",
		    p->name);
		return;
	}
	n = snprintf(text, sizeof(text), "%s %s %d|%s|%s|%s|%d%s|%d", or_none(c->method),
		     or_none(c->uri), c->version_1_1, or_none(c->host), or_none(c->headers),
		     or_none(c->body), c->not_string, or_none(c->string), c->drain_404);
	for (unsigned i = 0; i < c->n_status && n > 0 && n < (int)sizeof(text); i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ",%u-%u", c->status[i].first,
			      c->status[i].last);
	c->text = keep_text(r, text);
}
