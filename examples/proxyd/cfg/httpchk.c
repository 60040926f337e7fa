/* SPDX-License-Identifier: MIT */
/* option httpchk and http-check: what is asked of a server, and which answer is a good one. */
#include "cfg/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules/regex.h"

#define HEADERS_MAX 2000

/* The section's own, to be changed. NULL: no memory. */
static struct cfg_httpchk *own_httpchk(struct reader *r)
{
	struct cfg_httpchk *c = keep_copy(r, r->proxy->set.httpchk, sizeof(*c));

	if (c)
		r->proxy->set.httpchk = c;
	return c;
}

static void set_method(struct reader *r, size_t i, const char *method, struct cfg_httpchk *c)
{
	static const char *const known[] = {"OPTIONS", "GET", "HEAD", "POST", "PUT"};

	for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
		if (!strcmp(method, known[k])) {
			c->method = known[k];
			return;
		}
	say(r, DIAG_ERROR, i,
	    "a check cannot ask with \"%s\": write OPTIONS, GET, HEAD, POST or PUT", method);
}

static void set_uri(struct reader *r, size_t i, struct cfg_httpchk *c)
{
	if (*word_at(r, i) != '/')
		say(r, DIAG_ERROR, i, "\"%s\" is no path: write one that begins with \"/\"",
		    word_at(r, i));
	c->uri = keep_word(r, i);
}

/* One more field of the request. */
static void add_header(struct reader *r, size_t i, const char *name, size_t name_len, const char *value,
		       struct cfg_httpchk *c)
{
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

	(void)data;
	if (r->no) {
		r->proxy->set.httpchk = NULL;
		r->proxy->set.check.kind = CFG_CHECK_CONNECT;
		return;
	}
	c = own_httpchk(r);
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
	struct cfg_httpchk *c = own_httpchk(r);

	(void)data;
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
		} else if (!strcmp(word, "ver")) {
			set_version(r, i + 1, c);
		} else if (!strcmp(word, "body")) {
			c->body = keep_word(r, i + 1);
		} else if (!strcmp(word, "hdr") && i + 2 < r->line->n) {
			add_header(r, i + 1, word_at(r, i + 1), strlen(word_at(r, i + 1)),
				   word_at(r, i + 2), c);
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

/* The codes that an expression matches, as ranges. */
static void read_rstatus(struct reader *r, size_t i, struct cfg_httpchk *c)
{
	struct rule_error e = {""};
	struct regex *re = regex_new(word_at(r, i), false, &e);
	bool before = false;

	if (!re) {
		say(r, DIAG_ERROR, i, "%s", e.text);
		return;
	}
	c->n_status = 0;
	for (unsigned code = 100; code < 1000; code++) {
		char text[8];
		bool matches;

		snprintf(text, sizeof(text), "%u", code);
		matches = regex_match(re, text_of(text, 3), NULL);
		if (matches && !before && c->n_status == CFG_STATUS_RANGES - 1) {
			say(r, DIAG_ERROR, i,
			    "this expression matches more than %d ranges of codes",
			    CFG_STATUS_RANGES - 1);
			break;
		}
		if (matches && !before)
			c->status[c->n_status++].first = (uint16_t)code;
		if (matches)
			c->status[c->n_status - 1].last = (uint16_t)code;
		before = matches;
	}
	if (!c->n_status)
		say(r, DIAG_ERROR, i, "\"%s\" matches no code: no check would ever pass",
		    word_at(r, i));
	regex_free(re);
}

/* "-m beg" before a pattern; str without it. The place behind. */
static size_t read_match(struct reader *r, size_t i, unsigned *ret)
{
	static const char *const names[] = {"", "str", "sub", "beg", "end", "reg"};

	*ret = 1;
	if (strcmp(word_at(r, i), "-m") != 0)
		return i;
	for (unsigned k = 1; k < sizeof(names) / sizeof(names[0]); k++)
		if (!strcmp(word_at(r, i + 1), names[k])) {
			*ret = k;
			return i + 2;
		}
	say(r, DIAG_ERROR, i + 1, "\"%s\" is no way to match: write str, beg, sub, end or reg",
	    word_at(r, i + 1));
	return i + 2;
}

/* "name NAME [value [-m HOW] TEXT]" */
static void read_field(struct reader *r, size_t i, struct cfg_httpchk *c)
{
	struct cfg_httpchk_field *f = &c->field[c->n_fields];
	unsigned match;
	size_t name;

	if (strcmp(word_at(r, i), "name") != 0 || i + 1 >= r->line->n) {
		say(r, DIAG_ERROR, i < r->line->n ? i : i - 1,
		    "a header needs its name: write hdr name NAME [value [-m HOW] TEXT]");
		return;
	}
	if (c->n_fields == CFG_FIELDS_MAX) {
		say(r, DIAG_ERROR, i, "a check expects at most %d headers", CFG_FIELDS_MAX);
		return;
	}
	name = read_match(r, i + 1, &match);
	if (match != 1)
		say(r, DIAG_ERROR, name,
		    "the name of a header is compared as a whole: write name NAME");
	f->name = keep_word(r, name);
	f->value = NULL;
	f->match = 0;
	c->n_fields++;
	if (strcmp(word_at(r, name + 1), "value") != 0)
		return;
	i = read_match(r, name + 2, &f->match);
	f->value = keep_word(r, i);
	if (i >= r->line->n)
		say(r, DIAG_ERROR, name + 1, "\"value\" needs a text");
}

static void read_body(struct reader *r, size_t i, bool is_regex, bool not, struct cfg_httpchk *c)
{
	struct rule_error e = {""};
	struct regex *re = is_regex ? regex_new(word_at(r, i), false, &e) : NULL;

	if (is_regex && !re)
		say(r, DIAG_ERROR, i, "%s", e.text);
	regex_free(re);
	c->string = keep_word(r, i);
	c->is_regex = is_regex;
	c->not_string = not ;
}

/* Words with a value that HAProxy takes before what is expected. */
static bool says_more(struct reader *r, size_t i)
{
	static const char *const told[] = {"min-recv",	 "ok-status", "error-status", "tout-status",
					   "on-success", "on-error",  "status-code",  "comment"};

	for (size_t k = 0; k < sizeof(told) / sizeof(told[0]); k++)
		if (!strcmp(word_at(r, i), told[k])) {
			say(r, DIAG_WARNING, i, "\"%s\" has no effect: the log tells its own codes",
			    told[k]);
			return true;
		}
	return false;
}

void kw_http_check_expect(struct reader *r, size_t first, const void *data)
{
	struct cfg_httpchk *c = own_httpchk(r);
	size_t i = first;
	const char *word;
	bool not ;

	(void)data;
	if (!c)
		return;
	while (i + 2 < r->line->n && says_more(r, i))
		i += 2;
	not = !strcmp(word_at(r, i), "!");
	i += not ;
	word = word_at(r, i);
	if (!strcmp(word, "status") && r->line->n == i + 2) {
		if (read_status(r, i + 1, c) && not )
			complement(c);
	} else if (!strcmp(word, "rstatus") && r->line->n == i + 2) {
		read_rstatus(r, i + 1, c);
		if (not )
			complement(c);
	} else if ((!strcmp(word, "string") || !strcmp(word, "rstring")) && r->line->n == i + 2) {
		read_body(r, i + 1, *word == 'r', not, c);
	} else if ((!strcmp(word, "hdr") || !strcmp(word, "fhdr")) && !not ) {
		read_field(r, i + 1, c);
	} else {
		say(r, DIAG_ERROR, i,
		    "\"%s\" is unknown here, or not supported by this version: write [!] status "
		    "CODES, [!] rstatus REGEX, [!] string TEXT, [!] rstring REGEX or hdr name NAME "
		    "value TEXT",
		    word);
	}
}

/* One connection is all: a second one, or what is asked over it, cannot be said. */
void kw_http_check_connect(struct reader *r, size_t first, const void *data)
{
	struct cfg_httpchk *c = own_httpchk(r);
	struct cfg_check_connect *how = &r->proxy->set.check.connect;

	(void)data;
	*how = (struct cfg_check_connect){.given = true};
	for (size_t i = first; c && i < r->line->n; i++) {
		const char *word = word_at(r, i);

		if (!strcmp(word, "comment")) {
			return;
		} else if (!strcmp(word, "port") && i + 1 < r->line->n) {
			if (!read_number(r, ++i, "port", 1, 65535, &c->port))
				return;
		} else if (!cfg_read_connect(r, &i, how)) {
			say(r, DIAG_ERROR, i,
			    "\"%s\" of http-check connect is unknown, or not supported by this "
			    "version: write port NUMBER, default, ssl, sni NAME, alpn LIST, send-proxy or linger",
			    word);
			return;
		}
	}
}

void kw_http_check_404(struct reader *r, size_t first, const void *data)
{
	struct cfg_httpchk *c = own_httpchk(r);

	(void)first;
	(void)data;
	if (c)
		c->drain_404 = !r->no;
}

static const char *or_none(const char *text)
{
	return text ? text : "";
}

void cfg_httpchk_describe(struct reader *r, struct cfg_proxy *p)
{
	const struct cfg_httpchk *c = p->set.httpchk;
	char text[3 * HEADERS_MAX];
	int n;

	if (p->set.check.kind != CFG_CHECK_HTTP)
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
	n = snprintf(text, sizeof(text), "%s %s %d|%s|%s|%s|%d%d%s|%d|%u", or_none(c->method),
		     or_none(c->uri), c->version_1_1, or_none(c->host), or_none(c->headers),
		     or_none(c->body), c->not_string, c->is_regex, or_none(c->string), c->drain_404,
		     c->port);
	for (unsigned i = 0; i < c->n_fields && n > 0 && n < (int)sizeof(text); i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "|%s%u%s", c->field[i].name,
			      c->field[i].match, or_none(c->field[i].value));
	for (unsigned i = 0; i < c->n_status && n > 0 && n < (int)sizeof(text); i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ",%u-%u", c->status[i].first,
			      c->status[i].last);
	p->set.check.text = keep_text(r, text);
}
