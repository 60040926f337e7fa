/* SPDX-License-Identifier: MIT */
/* Answers of our own, and what is told of messages that were refused. */
#include "http.h"

#include <stdio.h>
#include <string.h>

#include "compose.h"
#include "engine/log/facts.h"
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

/* What is kept of it until it is sent, from its head on. NULL: it is not there any more, or not yet. */
static const struct chunk *kept_request(const struct exchange *x)
{
	switch (x->state) {
	case EXCHANGE_BODY:
		return x->client->in;
	case EXCHANGE_PAUSED:
	case EXCHANGE_QUEUED:
	case EXCHANGE_CONNECTING:
	case EXCHANGE_RETRY:
		return x->request;
	case EXCHANGE_TARPIT:
	case EXCHANGE_OWN:
	case EXCHANGE_ASKED:
	case EXCHANGE_ANSWER_BODY:
	case EXCHANGE_ANSWER_PAUSED:
	case EXCHANGE_ANSWER:
		break;
	}
	return NULL;
}

/* As in HAProxy it is seen until its server has it. It may be read anew, where the next one will be. */
static struct http_msg *seen_request(struct worker *w, struct exchange *x)
{
	const struct chunk *c = kept_request(x);
	size_t len = c ? c->len < HTTP_HEAD_MAX ? c->len : HTTP_HEAD_MAX : 0;
	struct http_msg *m = &w->http->request;

	if (x->head || !len)
		return x->head;
	memcpy(w->http->buffer + HTTP_ROOM, c->data, len);
	http_begin_request(w, x->client);
	return h1_request(m, HTTP_ROOM, (uint32_t)len) > 0 ? m : NULL;
}

/* What "http-error" says, with its formats. Its length; 0: it has no room. */
static size_t compose(struct worker *w, struct exchange *x, const struct answer *a, enum http_page_end end, struct run *r,
		      char *buf, size_t cap)
{
	const struct verdict v = {.kind = VERDICT_RETURN, .status = a->status, .answer = a};
	struct reply to = {.at = buf, .cap = cap};
	struct exchange_view view;
	struct run own;

	if (!r) {
		r = &own;
		if (!http_prepare_run(w, x, &view, r))
			return 0;
		r->request = seen_request(w, x);
		if (r->vars && x->state >= EXCHANGE_QUEUED)
			vars_end(r->vars, VAR_REQ); /* as in HAProxy: its rules are over */
	}
	reply_compose(&to, &v, r, end == HTTP_PAGE_UNREAD ? &(struct own_end){.minor = 1} : NULL);
	return to.full ? 0 : to.len;
}

/* Of the proxy's own. */
static size_t write_page(unsigned status, enum http_page_end end, char *buf, size_t cap)
{
	struct page p = page_of(status);
	char body[512];
	size_t n = http_page_body(status, body, sizeof(body));

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

size_t http_error(struct worker *w, struct exchange *x, unsigned status, enum http_page_end end, struct run *r, char *buf,
		  size_t cap)
{
	const struct backend *b = x->routed ? x->seeker.backend : NULL; /* the default one is none yet */
	const struct cfg_error *e = find(b ? b->http : NULL, status);
	size_t len;

	if (!e)
		e = find(x->client->frontend->http, status);
	if (!e || (e->answer && e->answer->kind == ANSWER_STANDARD))
		return write_page(status, end, buf, cap);
	if (e->answer) {
		len = compose(w, x, e->answer, end, r, buf, cap);
		return len ? len : write_page(status, end, buf, cap);
	}
	len = e->len < cap ? e->len : cap;
	if (len)
		memcpy(buf, e->data, len);
	return len;
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
