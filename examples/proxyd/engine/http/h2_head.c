/* SPDX-License-Identifier: MIT */
#include "h2_head.h"

#include <stdlib.h>
#include <string.h>

#define USUAL_CAP 1024u
#define LIST_MAX 4u	/* times what a head may have: a request that is too long is answered, one that is endless is not */
#define FIELD_COST 32u /* RFC 9113, section 6.5.2 */

static const char *const pseudo_names[H2_PSEUDO_COUNT_] = {
    [H2_METHOD] = ":method", [H2_SCHEME] = ":scheme", [H2_AUTHORITY] = ":authority", [H2_PATH] = ":path"};

void h2_head_begin(struct h2_head *h, uint32_t max)
{
	h2_head_free(h);
	h->max = max;
}

void h2_head_free(struct h2_head *h)
{
	free(h->text);
	*h = (struct h2_head){.text = NULL};
}

/* Room for `len` more bytes, of which there are at most twice as many as a head may have. False: no memory. */
static bool reserve(struct h2_head *h, size_t len)
{
	size_t cap = h->cap ? h->cap : USUAL_CAP;
	char *text;

	while (cap < h->len + len)
		cap *= 2;
	if (cap == h->cap)
		return true;
	text = reallocarray(h->text, cap, 1);
	if (!text)
		return false;
	h->text = text;
	h->cap = (uint32_t)cap;
	return true;
}

/* One byte more than is allowed says that it was too long. */
static bool is_full(const struct h2_head *h)
{
	return h->len - h->start > h->max;
}

static bool put(struct h2_head *h, const char *text, size_t len)
{
	size_t room = h->max + 1u - (h->len - h->start);

	if (is_full(h))
		return true;
	len = len < room ? len : room;
	if (!reserve(h, len))
		return false;
	if (len)
		memcpy(h->text + h->len, text, len);
	h->len += (uint32_t)len;
	return true;
}

static bool put_pseudo(struct h2_head *h, enum h2_pseudo which)
{
	const struct http_span s = h->pseudo[which];

	/* the text may move: room first */
	return reserve(h, s.len) && put(h, h->text + s.at, s.len);
}

/* Blanks and control bytes would end its word of the request line. */
static bool is_word(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static bool keep_pseudo(struct h2_head *h, const char *name, size_t len, const char *value, size_t value_len)
{
	for (unsigned i = 0; i < H2_PSEUDO_COUNT_; i++) {
		if (strlen(pseudo_names[i]) != len || memcmp(pseudo_names[i], name, len) != 0)
			continue;
		h->is_malformed |= h->start || h->pseudo[i].at || !is_word(value, value_len);
		if (!h->len && !put(h, "\n", 1)) /* so that no place is 0 */
			return false;
		h->pseudo[i].at = h->len;
		if (!put(h, value, value_len))
			return false;
		h->pseudo[i].len = h->len - h->pseudo[i].at;
		h->is_malformed |= h->pseudo[i].len < value_len; /* longer than a head may be */
		return true;
	}
	h->is_malformed = true; /* :protocol is not offered */
	return true;
}

/*
 * The target names scheme and authority where they are known, as in a request to a proxy: rules see all of what was asked for, and a Host
 * field that says something else is found out (section 8.3.1).
 */
static bool begin_lines(struct h2_head *h)
{
	bool is_whole = h->pseudo[H2_AUTHORITY].len && h->pseudo[H2_SCHEME].len && h->pseudo[H2_PATH].len &&
			h->text[h->pseudo[H2_PATH].at] == '/';

	h->is_malformed |= !h->pseudo[H2_METHOD].len || !h->pseudo[H2_PATH].len;
	if (h->is_malformed)
		return true;
	h->start = h->len;
	if (!put_pseudo(h, H2_METHOD) || !put(h, " ", 1))
		return false;
	if (is_whole && (!put_pseudo(h, H2_SCHEME) || !put(h, "://", 3) || !put_pseudo(h, H2_AUTHORITY)))
		return false;
	if (!put_pseudo(h, H2_PATH) || !put(h, " HTTP/1.1\r\n", 11))
		return false;
	return !h->pseudo[H2_AUTHORITY].len || (put(h, "host: ", 6) && put_pseudo(h, H2_AUTHORITY) && put(h, "\r\n", 2));
}

static bool is_named(const char *name, size_t len, const char *what)
{
	return len == strlen(what) && !memcmp(name, what, len);
}

/* Behind the cookies that came, wherever their line is (section 8.2.3). */
static bool add_cookie(struct h2_head *h, const char *value, size_t len)
{
	uint32_t before = h->len, added;
	char *at;

	if (!put(h, "; ", 2) || !put(h, value, len) || !reserve(h, len + 2))
		return false;
	added = h->len - before;
	at = h->text + h->cookie_end;
	memmove(at + added, at, h->len - h->cookie_end);
	memcpy(at, h->text + h->len, added); /* where it is now */
	h->cookie_end += added;
	return true;
}

static bool is_line(const char *text, size_t len)
{
	return !memchr(text, '\r', len) && !memchr(text, '\n', len) && !memchr(text, '\0', len);
}

/* A byte is enough for a field that the table has (RFC 7541, section 6.1), of 4 KiB perhaps, and each is looked at. */
bool h2_head_expect(struct h2_head *h, size_t name_len, size_t value_len)
{
	h->came += name_len + value_len + FIELD_COST;
	return h->came <= (uint64_t)LIST_MAX * h->max;
}

bool h2_head_field(struct h2_head *h, const char *name, size_t name_len, const char *value, size_t value_len)
{
	bool is_cookie;

	if (name_len && *name == ':')
		return keep_pseudo(h, name, name_len, value, value_len);
	if (!h->start && !begin_lines(h))
		return false;
	h->is_malformed |= !name_len || !is_word(name, name_len) || memchr(name, ':', name_len) || !is_line(value, value_len);
	if (h->is_malformed || is_full(h))
		return true;
	if (is_named(name, name_len, "host") &&
	    http_same_name(value, value_len, h->text + h->pseudo[H2_AUTHORITY].at, h->pseudo[H2_AUTHORITY].len))
		return true; /* it is written */
	is_cookie = is_named(name, name_len, "cookie");
	if (is_cookie && h->cookie_end)
		return add_cookie(h, value, value_len);
	h->has_length |= is_named(name, name_len, "content-length");
	if (!put(h, name, name_len) || !put(h, ": ", 2) || !put(h, value, value_len))
		return false;
	if (is_cookie)
		h->cookie_end = h->len;
	return put(h, "\r\n", 2);
}

bool h2_head_end(struct h2_head *h, bool has_body)
{
	static const char chunked[] = "transfer-encoding: chunked\r\n";

	if (!h->start && !begin_lines(h))
		return false;
	if (h->is_malformed)
		return true;
	if (has_body && !h->has_length && !put(h, chunked, sizeof(chunked) - 1))
		return false;
	return put(h, "\r\n", 2);
}
