/* SPDX-License-Identifier: MIT */
/* Answers of our own, and what is told of messages that were refused. */
#include "http.h"

#include <stdio.h>
#include <string.h>

#include "http_reason.h"
#include "log.h"

#define TELL_NS UINT64_C(1000000000) /* at most one warning a second */

/* HAProxy's pages but for the sentence: there is what looks for their titles. */
struct page {
	unsigned status;
	const char *title, *text;
	bool closes;
};

static const struct page pages[] = {
    {200, "OK", "The service is up.", false},
    {400, "Bad request", "The request is malformed or ambiguous, so it was not passed on.", true},
    {401, "Unauthorized", "A name and a password are needed.", false},
    {403, "Forbidden", "Access is not allowed.", false},
    {404, "Not Found", "There is nothing here.", false},
    {405, "Method Not Allowed", "This method is not allowed here.", false},
    {407, "Unauthorized", "A name and a password are needed.", false},
    {408, "Request Time-out", "The request did not arrive in time.", true},
    {410, "Gone", "What was here is gone for good.", false},
    {413, "Payload Too Large", "The request is too large.", false},
    {421, "Misdirected Request", "This server does not answer for that name.", false},
    {422, "Unprocessable Content", "What the request asks for cannot be done.", false},
    {425, "Too Early", "Early data is not taken here: ask again.", false},
    {429, "Too Many Requests", "There were too many requests from this client.", false},
    {500, "Internal Server Error", "Something went wrong inside.", false},
    {501, "Not Implemented", "The request needs what is not implemented here.", false},
    {502, "Bad Gateway", "The server sent no answer that can be passed on.", false},
    {503, "Service Unavailable", "No server can take this request now.", false},
    {504, "Gateway Time-out", "The server did not answer in time.", false},
};

/* Of a status that HAProxy has no page for: the same for all. */
static struct page page_of(unsigned status)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (pages[i].status == status)
			return pages[i];
	return (struct page){status, http_reason(status), "The request could not be served.", false};
}

static const struct cfg_error *find(const struct cfg_http *h, unsigned status)
{
	const struct cfg_error *e = h ? h->errors : NULL;

	while (e && e->status != status)
		e = e->next;
	return e;
}

size_t http_page_body(unsigned status, char *buf, size_t cap)
{
	struct page p = page_of(status);

	return (size_t)snprintf(buf, cap, "<html><body><h1>%u %s</h1>\n%s\n</body></html>\n", status, p.title, p.text);
}

size_t http_error(const struct frontend *f, const struct backend *b, unsigned status, enum http_page_end end,
		  char *buf, size_t cap)
{
	const struct cfg_error *e = find(b ? b->http : NULL, status);
	struct page p = page_of(status);
	char body[512];
	size_t n;

	if (!e)
		e = find(f->http, status);
	if (e) {
		size_t len = e->len < cap ? e->len : cap;

		if (len)
			memcpy(buf, e->data, len);
		return len;
	}
	n = http_page_body(status, body, sizeof(body));
	if (end == HTTP_PAGE_UNREAD)
		return (size_t)snprintf(buf, cap,
					"HTTP/1.1 %u %s\r\n"
					"Content-length: %zu\r\n"
					"Cache-Control: no-cache\r\n"
					"Connection: close\r\n"
					"Content-Type: text/html\r\n\r\n%s",
					status, p.title, n, body);
	return (size_t)snprintf(buf, cap,
				"HTTP/1.1 %u %s\r\n"
				"content-length: %zu\r\n"
				"cache-control: no-cache\r\n"
				"content-type: text/html\r\n%s\r\n%s",
				status, p.title, n, p.closes || end == HTTP_PAGE_CLOSES ? "connection: close\r\n" : "", body);
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
