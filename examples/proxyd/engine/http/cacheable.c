/* SPDX-License-Identifier: MIT */
#include "cacheable.h"

#include <string.h>

static bool is_kept_by_default(unsigned status)
{
	static const unsigned short known[] = {200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i] == status)
			return true;
	return false;
}

static bool has(const struct http_msg *m, const char *name)
{
	return http_find(m, name, strlen(name), 0);
}

static bool says(const struct http_msg *m, struct http_span element, const char *word)
{
	return http_same_name(http_text(m, element), element.len, word, strlen(word));
}

static bool begins_with(const struct http_msg *m, struct http_span element, const char *word)
{
	if (element.len > strlen(word))
		element.len = (uint32_t)strlen(word);
	return says(m, element, word);
}

/* What Cache-Control says: false is "no". */
static bool look_at_control(const struct http_msg *m, unsigned *flags, bool *is_dated)
{
	static const char *const no[] = {"private", "no-cache", "no-store", "max-age=0", "s-maxage=0"};
	const struct http_field *f = http_find(m, "cache-control", 13, 0);
	struct http_span element;

	for (; f; f = http_find(m, "cache-control", 13, (unsigned)(f - m->field) + 1)) {
		uint32_t at = 0;

		while (http_next_element(m, f->value, &at, &element)) {
			for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
				if (says(m, element, no[i]))
					return false;
			if (begins_with(m, element, "no-cache=\"set-cookie"))
				*flags &= ~HTTP_CACHEABLE_COOKIES;
			*is_dated |= begins_with(m, element, "max-age") || begins_with(m, element, "s-maxage");
		}
	}
	return true;
}

unsigned http_cacheable(const struct http_msg *m, enum http_method method)
{
	unsigned flags = HTTP_CACHEABLE | HTTP_CACHEABLE_COOKIES;
	const struct http_field *pragma = http_find(m, "pragma", 6, 0);
	bool is_dated = false;

	if ((method != HTTP_METHOD_GET && method != HTTP_METHOD_HEAD) || !is_kept_by_default(m->status))
		return 0;
	if ((pragma && says(m, pragma->value, "no-cache")) || !look_at_control(m, &flags, &is_dated))
		return 0;
	return is_dated || has(m, "expires") || has(m, "etag") || has(m, "last-modified") ? flags : 0;
}
