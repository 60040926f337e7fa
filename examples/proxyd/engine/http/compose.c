/* SPDX-License-Identifier: MIT */
#include "compose.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "http_reason.h"

void reply_put(struct reply *r, const char *at, size_t len)
{
	if (len > r->cap - r->len) {
		r->full = true;
		return;
	}
	if (len)
		memcpy(r->at + r->len, at, len);
	r->len += len;
}

static void put_text(struct reply *r, const char *text)
{
	reply_put(r, text, strlen(text));
}

static void put_field(struct reply *r, const char *name, struct text value)
{
	if (!value.len || memchr(value.at, '\r', value.len) || memchr(value.at, '\n', value.len))
		return;
	for (; *name; name++) /* as HAProxy writes it */
		reply_put(r, (char[]){(char)tolower((unsigned char)*name)}, 1);
	put_text(r, ": ");
	reply_put(r, value.at, value.len);
	put_text(r, "\r\n");
}

static void put_answer_fields(struct reply *to, const struct answer *a, struct run *r)
{
	for (unsigned i = 0; a && i < a->n_headers; i++) {
		struct text value;

		if (format_write(&a->header[i].value, r, &value))
			put_field(to, a->header[i].name, value);
	}
}

void reply_compose(struct reply *to, const struct verdict *v, struct run *r, const struct own_end *end)
{
	struct text content = {"", 0};
	const char *type = v->answer ? v->answer->content_type : NULL;
	bool redirects = v->kind == VERDICT_REDIRECT;
	char line[96];

	if (v->answer && v->answer->content.n && !format_write(&v->answer->content, r, &content))
		to->full = true;
	snprintf(line, sizeof(line), "HTTP/1.1 %u %s\r\n", v->status,
		 (redirects ? http_redirect_reason : http_reason)(v->status));
	put_text(to, line);
	put_answer_fields(to, v->answer, r);
	if (v->status != 204) { /* never has one (RFC 9110, section 8.6) */
		snprintf(line, sizeof(line), "content-length: %zu\r\n", content.len);
		put_text(to, line);
	}
	if (redirects) {
		put_field(to, "location", v->location);
		if (v->status != 301 && v->status != 308) /* those are for good, and may be remembered */
			put_text(to, "cache-control: no-cache\r\n");
		put_field(to, "set-cookie", v->cookie);
	}
	if (type && content.len)
		put_field(to, "content-type", text_of(type, strlen(type)));
	if (end)
		put_text(to, connection_field(end->keeps, end->minor));
	put_text(to, "\r\n");
	if (!end || !end->headless)
		reply_put(to, content.at, content.len);
}

void reply_add_fields(struct reply *to, const struct answer *a, struct run *r)
{
	const char *end = memmem(to->at, to->len, "\r\n\r\n", 4);
	size_t head_len = end ? (size_t)(end + 2 - to->at) : 0;
	char text[1024]; /* the fields are made where the page may stand */
	struct reply fields = {.at = text, .cap = sizeof(text)};

	if (!end || !a->n_headers)
		return;
	put_answer_fields(&fields, a, r);
	to->full |= fields.full || fields.len > to->cap - to->len;
	if (to->full)
		return;
	memmove(to->at + head_len + fields.len, to->at + head_len, to->len - head_len);
	memcpy(to->at + head_len, text, fields.len);
	to->len += fields.len;
}
