/* SPDX-License-Identifier: MIT */
#include "balance_key.h"

#include "engine/http/edit.h"

#include <libsched/lb_hash.h>

#include <string.h>

/* The number that the text begins with, 0 without. */
static uint32_t number_of(const char *text, size_t len)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++)
		n = n * 10 + (uint64_t)(text[i] - '0');
	return (uint32_t)n;
}

uint32_t balance_hash(const struct cfg_hash_type *t, const char *text, size_t len)
{
	uint32_t hash = 0;

	switch (t->function) {
	case CFG_HASH_SDBM: hash = lb_hash_sdbm(text, len); break;
	case CFG_HASH_CRC32: hash = lb_hash_crc32(text, len); break;
	case CFG_HASH_DJB2: hash = lb_hash_djb2(text, len); break;
	case CFG_HASH_NONE: hash = number_of(text, len); break;
	case CFG_HASH_WT6: hash = lb_hash_wt6(text, len); break;
	}
	return t->avalanche ? lb_hash_avalanche(hash) : hash;
}

uint32_t balance_hash_source(const struct cfg_hash_type *t, const uint8_t addr[16])
{
	uint32_t key = 0;

	for (unsigned i = 0; i < 16; i++)
		key ^= (uint32_t)addr[i] << (24 - i % 4 * 8);
	return t->avalanche ? lb_hash_avalanche(key) : key;
}

/* ---- Of a request ---- */

/* HAProxy: the query counts with "whole" only; "depth" is a number of directories. */
static struct http_span uri_part(const struct http_msg *m, const struct cfg_hash *h)
{
	struct http_span uri = m->target;
	const char *text = http_text(m, uri);
	uint32_t limit = h->uri_len && h->uri_len < uri.len ? h->uri_len : uri.len, n = 0;
	unsigned slashes = 0;

	for (; n < limit; n++) {
		if (text[n] == '/' && h->uri_depth && ++slashes == h->uri_depth + 1)
			break;
		if (text[n] == '?' && !h->uri_whole)
			break;
	}
	uri.len = n;
	return uri;
}

/* "www.example.com:80" as "example": what stands before the last dot, without the rest. */
static struct http_span domain(const struct http_msg *m, struct http_span host)
{
	const char *text = http_text(m, host), *colon = memchr(text, ':', host.len);
	uint32_t end = colon ? (uint32_t)(colon - text) : host.len, from, to;

	for (to = end; to > 0 && text[to - 1] != '.'; to--)
		;
	if (!to) /* no dot at all */
		return (struct http_span){host.at, end};
	for (from = --to; from > 0 && text[from - 1] != '.'; from--)
		;
	return (struct http_span){host.at + from, to - from};
}

bool http_balance_key(const struct http_msg *m, const struct cfg_settings *set, uint64_t *ret)
{
	const struct cfg_hash *h = &set->http.hash;
	const char *algo = set->balance;
	const struct http_field *f;
	struct http_span part;
	uint32_t at = 0;

	if (!strcmp(algo, "uri")) {
		part = uri_part(m, h);
	} else if (!strcmp(algo, "url_param")) {
		part = http_query_parameter(m, h->name, strlen(h->name));
		if (!part.at)
			return false;
	} else {
		f = http_find(m, h->name, strlen(h->name), 0);
		if (!f || !http_next_listed(m, f->value, &at, &part) || !part.len)
			return false;
		if (h->domain_only)
			part = domain(m, part);
	}
	*ret = balance_hash(&set->hash_type, http_text(m, part), part.len);
	return true;
}
