/* SPDX-License-Identifier: MIT */
/* option httpchk and http-check: what is asked of a server, and which answer is a good one. */
#include "cfg/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules/format.h"
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
		check->mixed = false;
		return c;
	}
	c->expects = c->is_regex = c->not_string = false;
	c->n_status = c->n_fields = 0;
	c->string = NULL;
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

/* One more field of the request; of Host there is one. */
static void add_header(struct reader *r, size_t i, struct cfg_httpchk *c)
{
	const char *name = word_at(r, i), *value = word_at(r, i + 1);
	struct cfg_httpchk_header h = {keep_text(r, name), keep_text(r, value), cfg_check_format(r, i + 1, value)};
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
	*ret = cfg_check_format(r, i, *ret_text);
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

/* The codes that both have: each line of several has to hold. */
static void intersect(struct reader *r, size_t i, struct cfg_httpchk *c, const struct cfg_httpchk *before)
{
	struct cfg_httpchk both = {.n_status = 0};

	for (unsigned a = 0; a < before->n_status; a++)
		for (unsigned b = 0; b < c->n_status && both.n_status < CFG_STATUS_RANGES; b++) {
			uint16_t first = c->status[b].first > before->status[a].first ? c->status[b].first : before->status[a].first;
			uint16_t last = c->status[b].last < before->status[a].last ? c->status[b].last : before->status[a].last;

			if (first <= last) {
				both.status[both.n_status].first = first;
				both.status[both.n_status++].last = last;
			}
		}
	if (!both.n_status)
		say(r, DIAG_ERROR, i, "no code is expected by this line and by those above it: no check would ever pass");
	memcpy(c->status, both.status, sizeof(c->status));
	c->n_status = both.n_status;
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

/* `text` as an expression that matches it, behind `p`. */
static char *put_quoted(char *p, const char *text)
{
	p = stpcpy(p, "\\Q");
	for (; *text; text++) {
		*p++ = *text;
		if (text[0] == '\\' && text[1] == 'E') /* would end the quotation */
			p = stpcpy(p, "\\E\\Q");
	}
	return stpcpy(p, "\\E");
}

/* What the check looks for already, and this as well: one expression that says both. */
static const char *join(struct reader *r, const struct cfg_httpchk *c, const char *text, bool is_regex, bool not)
{
	char *all = keep(r, 8 * (strlen(c->string) + strlen(text)) + 64), *p = all;
	const struct {
		const char *text;
		bool is_regex, not ;
	} part[] = {{c->string, c->is_regex, c->not_string}, {text, is_regex, not }};

	if (!all)
		return c->string;
	p = stpcpy(p, "\\A");
	for (size_t i = 0; i < 2; i++) {
		p = stpcpy(p, part[i].not ? "(?!(?s:.*?)(?:" : "(?=(?s:.*?)(?:");
		p = part[i].is_regex ? stpcpy(p, part[i].text) : put_quoted(p, part[i].text);
		p = stpcpy(p, "))");
	}
	return all;
}

static void read_body(struct reader *r, size_t i, bool is_regex, bool not, struct cfg_httpchk *c)
{
	struct rule_error e = {""};
	const char *text = word_at(r, i);
	struct regex *re;

	if (c->string) {
		text = join(r, c, text, is_regex, not );
		is_regex = true;
		not = false;
	}
	re = is_regex ? regex_new(text, false, &e) : NULL;
	if (is_regex && !re)
		say(r, DIAG_ERROR, i, "%s", e.text);
	regex_free(re);
	c->string = keep_text(r, text);
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
	struct cfg_httpchk *c = own_script(r, true);
	struct cfg_httpchk before;
	size_t i = first;
	const char *word;
	bool not ;

	if (!c)
		return;
	c->expects = true;
	while (i + 2 < r->line->n && says_more(r, i))
		i += 2;
	not = !strcmp(word_at(r, i), "!");
	i += not ;
	word = word_at(r, i);
	before = *c;
	if ((!strcmp(word, "status") || !strcmp(word, "rstatus")) && r->line->n == i + 2) {
		if (*word == 'r')
			read_rstatus(r, i + 1, c);
		else if (!read_status(r, i + 1, c))
			return;
		if (not )
			complement(c);
		if (before.n_status)
			intersect(r, i + 1, c, &before);
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

	if (c && (c->sends || c->expects))
		c = begin_round(r, c);
	if (!c)
		return;
	c->port = 0;
	for (size_t i = first; i < r->line->n; i++) {
		const char *word = word_at(r, i);

		if (!strcmp(word, "comment")) {
			break;
		} else if (!strcmp(word, "port") && i + 1 < r->line->n) {
			if (!read_number(r, ++i, "port", 1, 65535, &c->port))
				return;
		} else if (!cfg_read_connect(r, &i, &own)) {
			say(r, DIAG_ERROR, i,
			    "\"%s\" of http-check connect is unknown, or not supported by this "
			    "version: write port NUMBER, default, ssl, sni NAME, alpn LIST, send-proxy or linger",
			    word);
			return;
		}
	}
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

	if (c)
		cfg_add_check_rule(r, first - 1, c->sends || c->expects ? &c->set_after : &c->set);
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
	put(d, "%s %s %d|%s|%d%d%s|%d|%u", or_none(c->method), or_none(c->uri), c->version_1_1, or_none(c->body), c->not_string,
	    c->is_regex, or_none(c->string), c->drain_404, c->port);
	for (unsigned i = 0; i < c->n_headers; i++)
		put(d, "|%s:%s", c->header[i].name, c->header[i].text);
	for (unsigned i = 0; i < c->n_fields; i++)
		put(d, "|%s%u%s", c->field[i].name, c->field[i].match, or_none(c->field[i].value));
	for (unsigned i = 0; i < c->n_status; i++)
		put(d, ",%u-%u", c->status[i].first, c->status[i].last);
	put(d, "|%d%d%d%s/%s\n", c->connect.usual, c->connect.tls, c->connect.send_proxy, or_none(c->connect.sni), or_none(c->connect.alpn));
}

static bool is_constant(const struct format *f)
{
	return !f || format_is_constant(f);
}

/* Each run says the same of each server. */
static bool is_static(const struct cfg_httpchk *c)
{
	for (unsigned i = 0; i < c->n_headers; i++)
		if (!is_constant(c->header[i].value))
			return false;
	return !c->send_state && !c->set && !c->set_after && is_constant(c->uri_format) && is_constant(c->body_format);
}

static void check_round(struct reader *r, const struct cfg_proxy *p, const struct cfg_httpchk *c)
{
	const char *method = or_none(c->method);

	if (c->body && strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0)
		diag_add(r->diag, DIAG_ERROR, &p->at, "the check of \"%s\" has a body: write meth POST or PUT", p->name);
	else if (c->string && !strcmp(method, "HEAD"))
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
