/* SPDX-License-Identifier: MIT */
/* Keywords of proxy sections that act in mode http. */
#include "cfg/read.h"

#include <stdio.h>
#include <string.h>

/* ---- balance uri, url_param, hdr ---- */

static void read_uri_words(struct reader *r, size_t i, struct cfg_hash *h)
{
	for (; i < r->line->n; i++) {
		const char *word = word_at(r, i);

		if (!strcmp(word, "whole")) {
			h->uri_whole = true;
		} else if (!strcmp(word, "len")) {
			read_number(r, ++i, "len", 0, 65535, &h->uri_len);
		} else if (!strcmp(word, "depth")) {
			read_number(r, ++i, "depth", 0, 65535, &h->uri_depth);
		} else {
			say(r, DIAG_ERROR, i,
			    "\"%s\" is unknown here: balance uri takes whole, len NUMBER and depth "
			    "NUMBER",
			    word);
			return;
		}
	}
}

/* hdr(Name) */
static void read_header_name(struct reader *r, size_t i, struct cfg_hash *h)
{
	const char *word = word_at(r, i), *open = strchr(word, '('),
		   *close = open ? strchr(open, ')') : NULL;
	char name[128];

	if (!close || close == open + 1 || close[1] || close - open > (ptrdiff_t)sizeof(name) - 1) {
		say(r, DIAG_ERROR, i, "balance hdr needs the name of a header: write hdr(Host)");
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(close - open - 1), open + 1);
	h->name = keep_text(r, name);
	h->domain_only = !strcmp(word_at(r, i + 1), "use_domain_only");
	if (*word_at(r, i + 1) && !h->domain_only)
		say(r, DIAG_ERROR, i + 1,
		    "\"%s\" is unknown here: balance hdr takes use_domain_only", word_at(r, i + 1));
}

void kw_balance_request(struct reader *r, size_t first)
{
	struct cfg_hash *h = &r->proxy->set.http.hash;
	const char *algo = r->proxy->set.balance;

	*h = (struct cfg_hash){0};
	if (!strcmp(algo, "uri")) {
		read_uri_words(r, first + 1, h);
	} else if (!strcmp(algo, "hdr")) {
		read_header_name(r, first, h);
	} else if (!strcmp(algo, "url_param")) {
		if (!*word_at(r, first + 1))
			say(r, DIAG_ERROR, first,
			    "balance url_param needs the name of a parameter: write url_param "
			    "NAME");
		h->name = keep_word(r, first + 1);
		if (!strcmp(word_at(r, first + 2), "check_post"))
			say(r, DIAG_WARNING, first + 2,
			    "\"check_post\" is not supported by this version: only the query is "
			    "looked at");
	}
}

/* ---- Connections ---- */

void kw_closing(struct reader *r, size_t first, const void *data)
{
	enum cfg_closing closing = *(const enum cfg_closing *)data;

	if (!r->no)
		r->proxy->set.http.closing = closing;
	else if (r->proxy->set.http.closing == closing)
		r->proxy->set.http.closing = CFG_KEEP_ALIVE;
}

void kw_http_reuse(struct reader *r, size_t first, const void *data)
{
	static const char *const name[] = {"safe", "never", "aggressive", "always", NULL};

	for (unsigned i = 0; name[i]; i++)
		if (!strcmp(word_at(r, first), name[i])) {
			r->proxy->set.http.reuse = (enum cfg_reuse)i;
			return;
		}
	say_unknown(r, first, "way of reuse", name, NULL);
}

/* ---- retry-on ---- */

static unsigned retry_of(const char *word)
{
	unsigned status;
	char end;

	if (!strcmp(word, "all-retryable-errors"))
		return CFG_RETRY_CONNECT | CFG_RETRY_EMPTY | CFG_RETRY_JUNK | CFG_RETRY_TIMEOUT |
		       cfg_retry_status(500) | cfg_retry_status(502) | cfg_retry_status(503) |
		       cfg_retry_status(504);
	if (!strcmp(word, "conn-failure"))
		return CFG_RETRY_CONNECT;
	if (!strcmp(word, "empty-response"))
		return CFG_RETRY_EMPTY;
	if (!strcmp(word, "junk-response"))
		return CFG_RETRY_JUNK;
	if (!strcmp(word, "response-timeout"))
		return CFG_RETRY_TIMEOUT;
	/* proxyd sends no early data: nobody can reject it */
	if (!strcmp(word, "none") || !strcmp(word, "0rtt-rejected"))
		return CFG_RETRY_NOTHING;
	return sscanf(word, "%u%c", &status, &end) == 1 ? cfg_retry_status(status) : 0;
}

void kw_retry_on(struct reader *r, size_t first, const void *data)
{
	unsigned on = 0;

	for (size_t i = first; i < r->line->n; i++) {
		unsigned one = retry_of(word_at(r, i));

		if (!one) {
			say(r, DIAG_ERROR, i,
			    "\"%s\" is nothing to ask again on: write none, conn-failure, "
			    "empty-response, junk-response, response-timeout, 0rtt-rejected, "
			    "all-retryable-errors, or one of 401 403 404 408 425 500 501 502 503 504",
			    word_at(r, i));
			return;
		}
		if (!strcmp(word_at(r, i), "none") && r->line->n != first + 1) {
			say(r, DIAG_ERROR, i, "\"none\" stands alone, or is left out");
			return;
		}
		on |= one;
	}
	r->proxy->set.http.retry_on = on;
}

/* ---- monitor-uri ---- */

void kw_monitor_uri(struct reader *r, size_t first, const void *data)
{
	r->proxy->set.http.monitor_uri = r->no ? NULL : keep_word(r, first);
}
