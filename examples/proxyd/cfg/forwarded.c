/* SPDX-License-Identifier: MIT */
/* What a request's head tells of its ends, and how the names in it look: options of mode http. */
#include "cfg/read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules/rule.h"

#define CASE_LINES_MAX 1000 /* of a file, and of all files */

static void count_late_edits(struct cfg_http *h)
{
	h->late_edits = h->originalto.on || h->forwarded || h->name_header || h->adjusts_request || h->names;
}

/* ---- option forwardfor, option originalto ---- */

/* An address, or a network with its prefix. */
static void read_network(struct reader *r, size_t i, struct cfg_forwardfor *f)
{
	char text[128];
	struct address a;
	unsigned max;
	char *slash;

	snprintf(text, sizeof(text), "%s", word_at(r, i));
	slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	if (!read_address(r, i, text, 0, &a))
		return;
	max = a.addr.sa.sa_family == AF_INET ? 32 : 128;
	f->except = keep_copy(r, &a.addr, sizeof(a.addr));
	f->except_prefix_bits = max;
	if (slash) {
		char *end;
		unsigned long bits = strtoul(slash + 1, &end, 10);

		if (end == slash + 1 || *end || bits > max)
			say(r, DIAG_ERROR, i, "\"%s\" is no prefix: write 0 to %u", slash + 1, max);
		f->except_prefix_bits = bits > max ? max : (unsigned)bits;
	}
}

void kw_forwardfor(struct reader *r, size_t first, const void *data)
{
	struct cfg_http *h = &r->proxy->set.http;
	bool origin = *(const bool *)data;
	struct cfg_forwardfor *f = origin ? &h->originalto : &h->forwardfor;

	*f = (struct cfg_forwardfor){.on = !r->no, .header = origin ? "X-Original-To" : NULL};
	count_late_edits(h);
	for (size_t i = first; i < r->line->n; i++) {
		const char *word = word_at(r, i);

		if (!strcmp(word, "if-none") && !origin) {
			f->if_none = true;
		} else if (!strcmp(word, "header") && i + 1 < r->line->n) {
			f->header = keep_word(r, ++i);
		} else if (!strcmp(word, "except") && i + 1 < r->line->n) {
			read_network(r, ++i, f);
		} else {
			say(r, DIAG_ERROR, i, "\"%s\" is unknown here: option %s takes except NETWORK%s header NAME%s",
			    word, origin ? "originalto" : "forwardfor", origin ? " and" : ",",
			    origin ? "" : " and if-none");
			return;
		}
	}
}

/* ---- option forwarded ---- */

struct part {
	const char *name;
	size_t on, expr; /* places in struct cfg_forwarded; expr 0: it takes none */
};

#define PART(name, field) {name, offsetof(struct cfg_forwarded, field.on), offsetof(struct cfg_forwarded, field.expr)}
static const struct part parts[] = {
    {"proto", offsetof(struct cfg_forwarded, proto), 0},
    PART("host", host),
    PART("by", by),
    PART("by_port", by_port),
    PART("for", from),
    PART("for_port", from_port),
};
#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

/* The word at *i, "host", or "host-expr EXPRESSION" with what it says. False: told. */
static bool read_part(struct reader *r, size_t *i, struct cfg_forwarded *f)
{
	const char *word = word_at(r, *i);

	for (size_t k = 0; k < N_PARTS; k++) {
		const struct part *p = &parts[k];
		size_t len = strlen(p->name);

		if (strncmp(word, p->name, len) != 0 || (word[len] && (strcmp(word + len, "-expr") != 0 || !p->expr)))
			continue;
		*(bool *)((char *)f + p->on) = true;
		if (!word[len])
			return true;
		if (*i + 1 == r->line->n) {
			say(r, DIAG_ERROR, *i, "\"%s\" needs an expression", word);
			return false;
		}
		++*i;
		*(const struct expr **)((char *)f + p->expr) = cfg_read_expr(r, *i, word_at(r, *i));
		return true;
	}
	say(r, DIAG_ERROR, *i,
	    "\"%s\" is unknown here: option forwarded takes proto, host, by, by_port, for and for_port, all but proto also "
	    "with -expr and an expression",
	    word);
	return false;
}

void kw_forwarded(struct reader *r, size_t first, const void *data)
{
	struct cfg_http *h = &r->proxy->set.http;
	struct cfg_forwarded *f = NULL;

	if (!r->no) {
		f = keep(r, sizeof(*f));
		if (!f)
			return;
		f->proto = f->from.on = first == r->line->n;
	}
	h->forwarded = f;
	count_late_edits(h);
	for (size_t i = first; f && i < r->line->n; i++)
		if (!read_part(r, &i, f))
			return;
	if (f && ((f->by_port.on && !f->by.on) || (f->from_port.on && !f->from.on)))
		say(r, DIAG_ERROR, first, "a port needs its address: write %s", f->by.on ? "for for_port" : "by by_port");
}

/* ---- Names of header fields ---- */

void kw_header_names(struct reader *r, size_t first, const void *data)
{
	static const char *const list[] = {"preserve", "delete", "reject"}; /* as enum cfg_header_names */

	struct cfg_http *h = &r->proxy->set.http;
	unsigned how = CFG_NAMES_PRESERVE;

	while (!r->no && how < 3 && strcmp(word_at(r, first), list[how]) != 0)
		how++;
	if (how < 3) {
		h->names = (enum cfg_header_names)how;
		count_late_edits(h);
		return;
	}
	say(r, DIAG_ERROR, first, "option http-restrict-req-hdr-names takes preserve, delete or reject, not \"%s\"",
	    word_at(r, first));
}

/* http-send-name-header NAME */
void kw_name_header(struct reader *r, size_t first, const void *data)
{
	static const char *const of_the_message[] = {"connection", "content-length", "transfer-encoding"};
	struct cfg_http *h = &r->proxy->set.http;
	const char *name = word_at(r, first);

	for (size_t i = 0; i < sizeof(of_the_message) / sizeof(of_the_message[0]); i++)
		if (!strcasecmp(name, of_the_message[i])) {
			say(r, DIAG_ERROR, first, "%s says how a request is read, and cannot be the name of its server", name);
			return;
		}
	if (!is_token(name)) {
		say(r, DIAG_ERROR, first, "\"%s\" is no name of a header", name);
		return;
	}
	h->name_header = keep_word(r, first);
	count_late_edits(h);
}

void kw_adjust_case(struct reader *r, size_t first, const void *data)
{
	struct cfg_http *h = &r->proxy->set.http;

	*(*(const bool *)data ? &h->adjusts_request : &h->adjusts_answer) = !r->no;
	count_late_edits(h);
}

/* "content-length Content-Length". False: told. */
static bool add_case(struct reader *r, size_t i, const char *from, const char *to)
{
	struct cfg_global *g = &r->cfg->global;
	struct cfg_case *c;

	if (strcasecmp(from, to) != 0) {
		say(r, DIAG_ERROR, i, "\"%s\" and \"%s\" are not the same name: they may differ in their case alone", from, to);
		return false;
	}
	if (g->n_cases == CASE_LINES_MAX) {
		say(r, DIAG_ERROR, i, "more than %d names", CASE_LINES_MAX);
		return false;
	}
	c = keep(r, sizeof(*c));
	if (!c)
		return false;
	*c = (struct cfg_case){g->cases, keep_text(r, to), strlen(to)};
	g->cases = c;
	g->n_cases++;
	return true;
}

void kw_case(struct reader *r, size_t first, const void *data)
{
	add_case(r, first, word_at(r, first), word_at(r, first + 1));
}

/* Lines "content-length Content-Length"; "#" begins a comment. */
void kw_case_file(struct reader *r, size_t first, const void *data)
{
	const char *path = word_at(r, first);
	char line[512], from[256], to[256], rest;
	unsigned n = 0;
	FILE *f = fopen(path, "re");

	if (!f) {
		say(r, DIAG_ERROR, first, "cannot read %s: %s", path, strerror(errno));
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		char *text = line + strspn(line, " \t\r\n");

		if (++n > CASE_LINES_MAX) {
			say(r, DIAG_ERROR, first, "%s has more than %d lines", path, CASE_LINES_MAX);
			break;
		}
		if (!*text || *text == '#')
			continue;
		if (sscanf(text, "%255s %255s %c", from, to, &rest) != 2) {
			say(r, DIAG_ERROR, first, "%s:%u: write a name, and the same as it is to look", path, n);
			break;
		}
		if (!add_case(r, first, from, to))
			break;
	}
	fclose(f);
}
