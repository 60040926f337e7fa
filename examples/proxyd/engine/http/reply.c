/* SPDX-License-Identifier: MIT */
/* Answers of our own, and what is told of messages that were refused. */
#include "http.h"

#include <stdio.h>
#include <string.h>

#include "http_reason.h"
#include "log.h"

#define TELL_NS UINT64_C(1000000000) /* at most one warning a second */

static const char *explanation(unsigned status)
{
	switch (status) {
	case 400:
		return "The request is malformed or ambiguous, so it was not passed on.";
	case 401:
		return "A name and a password are needed.";
	case 403:
		return "Access is not allowed.";
	case 404:
		return "There is nothing here.";
	case 408:
		return "The request did not arrive in time.";
	case 413:
		return "The request is too large.";
	case 429:
		return "There were too many requests from this client.";
	case 502:
		return "The server sent no answer that can be passed on.";
	case 503:
		return "No server can take this request now.";
	case 504:
		return "The server did not answer in time.";
	case 505:
		return "This version of HTTP is not spoken here.";
	default:
		return "The request could not be served.";
	}
}

static const struct cfg_error *find(const struct cfg_http *h, unsigned status)
{
	const struct cfg_error *e = h ? h->errors : NULL;

	while (e && e->status != status)
		e = e->next;
	return e;
}

size_t http_error(const struct frontend *f, const struct backend *b, unsigned status, bool keeps,
		  char *buf, size_t cap)
{
	const struct cfg_error *e = find(b ? b->http : NULL, status);
	char page[512];
	int n;

	if (!e)
		e = find(f->http, status);
	if (e) {
		size_t len = e->len < cap ? e->len : cap;

		if (len)
			memcpy(buf, e->data, len);
		return len;
	}
	n = snprintf(page, sizeof(page), "<html><body><h1>%u %s</h1>\n%s\n</body></html>\n", status,
		     http_reason(status), explanation(status));
	return (size_t)snprintf(buf, cap,
				"HTTP/1.1 %u %s\r\n"
				"Content-Length: %d\r\n"
				"Cache-Control: no-cache\r\n"
				"Content-Type: text/html\r\n%s\r\n%s",
				status, http_reason(status), n, keeps ? "" : "Connection: close\r\n", page);
}

void http_count_refused(struct worker *w, const struct client *c, const struct backend *b,
			enum h1_fault fault)
{
	struct http_worker *h = w->http;
	char from[64];

	h->refused[b != NULL][fault]++;
	if (h->refused_told_ns && w->now_ns - h->refused_told_ns < TELL_NS)
		return;
	h->refused_told_ns = w->now_ns;
	log_client(&c->from, from, sizeof(from));
	if (b)
		log_warn("backend %s: answer refused: %s (%llu so far)", b->pool->name,
			 h1_fault_text(fault), (unsigned long long)h->refused[1][fault]);
	else
		log_warn("frontend %s: request of %s refused: %s (%llu so far)", c->frontend->name,
			 from, h1_fault_text(fault), (unsigned long long)h->refused[0][fault]);
}
