/* SPDX-License-Identifier: MIT */
/* "normalize-uri …": one spelling of a request's path and query. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "rules/rule.h"

enum {
	DECODE_UNRESERVED,
	FRAGMENT_ENCODE, /* a request that has a fragment is refused before any rule */
	FRAGMENT_STRIP,
	MERGE_SLASHES,
	STRIP_DOT,
	STRIP_DOTDOT,
	SORT_QUERY,
	TO_UPPERCASE,
};

#define STRICT 0x100 /* a wrong %-sequence fails the request */
#define FULL 0x200   /* ".." above the root is left out, too */

bool read_normalize(struct words *w, struct rule *rule)
{
	static const char *const name[] = {
	    [DECODE_UNRESERVED] = "percent-decode-unreserved",
	    [FRAGMENT_ENCODE] = "fragment-encode",
	    [FRAGMENT_STRIP] = "fragment-strip",
	    [MERGE_SLASHES] = "path-merge-slashes",
	    [STRIP_DOT] = "path-strip-dot",
	    [STRIP_DOTDOT] = "path-strip-dotdot",
	    [SORT_QUERY] = "query-sort-by-name",
	    [TO_UPPERCASE] = "percent-to-uppercase",
	};
	const char *word = rule_need_word(w, "the name of a normalizer");
	size_t i = 0;

	if (!word)
		return false;
	while (i < sizeof(name) / sizeof(name[0]) && strcmp(name[i], word) != 0)
		i++;
	if (i == sizeof(name) / sizeof(name[0]))
		return rule_fail(w->e,
				 "\"%.40s\" is no normalizer: percent-decode-unreserved, "
				 "percent-to-uppercase, path-merge-slashes, path-strip-dot, path-strip-dotdot, "
				 "query-sort-by-name, fragment-strip and fragment-encode are",
				 word);
	rule->data = (int)i;
	if ((i == DECODE_UNRESERVED || i == TO_UPPERCASE) && rule_take_word(w, "strict"))
		rule->data |= STRICT;
	if (i == STRIP_DOTDOT && rule_take_word(w, "full"))
		rule->data |= FULL;
	return true;
}

/* ---- %-sequences ---- */

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0'
	       : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10
					    : -1;
}

/* In place. False: a sequence is wrong, and this is strict. */
static bool percent(char *at, size_t *len, bool decode, bool strict)
{
	size_t n = 0;

	for (size_t i = 0; i < *len; i++) {
		int high = -1, low = -1;
		char c;

		if (at[i] == '%' && *len - i > 2) {
			high = nibble(at[i + 1]);
			low = nibble(at[i + 2]);
		}
		if (at[i] != '%' || high < 0 || low < 0) {
			if (at[i] == '%' && strict)
				return false;
			at[n++] = at[i];
			continue;
		}
		c = (char)(high << 4 | low);
		if (decode && (isalnum((unsigned char)c) || (c && strchr("-._~", c)))) {
			at[n++] = c; /* RFC 3986, section 2.3 */
		} else {
			at[n++] = '%';
			at[n++] = decode ? at[i + 1] : (char)toupper((unsigned char)at[i + 1]);
			at[n++] = decode ? at[i + 2] : (char)toupper((unsigned char)at[i + 2]);
		}
		i += 2;
	}
	*len = n;
	return true;
}

/* ---- Paths; in place, the new length ---- */

static size_t merge_slashes(char *at, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		if (at[i] != '/' || !n || at[n - 1] != '/')
			at[n++] = at[i];
	return n;
}

/* The end of the segment that begins at `i`: behind its slash, or the end. */
static size_t segment_end(const char *at, size_t len, size_t i)
{
	while (i < len && at[i] != '/')
		i++;
	return i < len ? i + 1 : len;
}

static bool is_segment(const char *at, size_t from, size_t to, const char *name)
{
	size_t n = to - from - (to > from && at[to - 1] == '/');

	return n == strlen(name) && !memcmp(at + from, name, n);
}

static size_t strip_dot(char *at, size_t len)
{
	size_t n = 0;

	for (size_t i = 0, end; i < len; i = end) {
		end = segment_end(at, len, i);
		if (is_segment(at, i, end, "."))
			continue;
		memmove(at + n, at + i, end - i);
		n += end - i;
	}
	return n;
}

static size_t strip_dotdot(char *at, size_t len, bool full)
{
	size_t n = 0, keep = len && *at == '/'; /* what nothing goes back over */

	for (size_t i = 0, end; i < len; i = end) {
		end = segment_end(at, len, i);
		if (is_segment(at, i, end, "..")) {
			if (n > keep) {
				for (n--; n > keep && at[n - 1] != '/'; n--)
					;
				continue;
			}
			if (full)
				continue;
			memmove(at + n, "../", 3); /* one that ends the path gets a slash, as in HAProxy */
			keep = n += 3;
			continue;
		}
		memmove(at + n, at + i, end - i);
		n += end - i;
	}
	return n;
}

/* ---- Queries ---- */

static int by_name(const void *a, const void *b)
{
	const struct text *x = a, *y = b;
	const char *end[2] = {memchr(x->at, '=', x->len), memchr(y->at, '=', y->len)};
	size_t n[2] = {end[0] ? (size_t)(end[0] - x->at) : x->len,
		       end[1] ? (size_t)(end[1] - y->at) : y->len};
	int order = memcmp(x->at, y->at, n[0] < n[1] ? n[0] : n[1]);

	if (!order)
		order = (n[0] > n[1]) - (n[0] < n[1]);
	/* those of one name stay in their order */
	return order ? order : (x->at > y->at) - (x->at < y->at);
}

#define PARAMETERS_MAX 1024

/* The length; -1: that are too many. What ends with "&" ends there, as in HAProxy. */
static ssize_t sort_query(struct run *r, struct text query, char *to)
{
	struct text *part = (struct text *)(void *)scratch_take(
	    &r->scratch, (PARAMETERS_MAX + 1) * sizeof(struct text));
	size_t n = 0, at = 0;

	if (!part)
		return -1;
	part = (struct text *)(((uintptr_t)part + sizeof(void *) - 1) & ~(sizeof(void *) - 1));
	for (const char *p = query.at, *end = query.at + query.len; p < end && n < PARAMETERS_MAX; n++) {
		const char *stop = memchr(p, '&', (size_t)(end - p));

		part[n] = text_of(p, (size_t)((stop ? stop : end) - p));
		p += part[n].len + 1;
	}
	if (n == PARAMETERS_MAX)
		return -1;
	qsort(part, n, sizeof(*part), by_name);
	for (size_t i = 0; i < n; i++) {
		if (i)
			to[at++] = '&';
		memcpy(to + at, part[i].at, part[i].len);
		at += part[i].len;
	}
	return (ssize_t)at;
}

/* ---- All of it ---- */

/* Path and query as they will be, in `to`. False: they cannot be. */
static bool normalize(struct run *r, int data, struct text path, struct text query, char *to, size_t *ret)
{
	size_t n = path.len, rest = query.at ? query.len + 1 : 0;
	bool strict = data & STRICT;
	ssize_t sorted;

	memcpy(to, path.at, path.len);
	switch (data & 0xff) {
	case MERGE_SLASHES:
		n = merge_slashes(to, n);
		break;
	case STRIP_DOT:
		n = strip_dot(to, n);
		break;
	case STRIP_DOTDOT:
		n = strip_dotdot(to, n, data & FULL);
		break;
	case DECODE_UNRESERVED:
	case TO_UPPERCASE:
		memcpy(to + n, path.at + path.len, rest);
		*ret = n + rest;
		return percent(to, ret, (data & 0xff) == DECODE_UNRESERVED, strict);
	default:
		break;
	}
	memcpy(to + n, path.at + path.len, rest);
	*ret = n + rest;
	if ((data & 0xff) != SORT_QUERY || !query.at)
		return true;
	sorted = sort_query(r, query, to + n + 1);
	*ret = n + 1 + (size_t)sorted;
	return sorted >= 0;
}

void run_normalize(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct http_msg *m = r->request;
	struct http_span p, q;
	struct text path, query;
	size_t n;
	char *to;

	if (!m)
		return;
	p = http_path(m);
	q = http_query(m);
	path = text_of(http_text(m, p), p.len);
	if (!path.len || *path.at != '/')
		return; /* "*", an authority */
	/* an empty query has its "?", too */
	query = text_of(p.at + p.len < m->target.at + m->target.len ? http_text(m, q) : NULL, q.len);
	to = scratch_take(&r->scratch, path.len + query.len + 2);
	if (!to || !normalize(r, rule->data, path, query, to, &n)) {
		v->kind = VERDICT_DENY;
		v->status = 400;
		return;
	}
	if (n == path.len + (query.at ? query.len + 1 : 0) && !memcmp(to, path.at, n))
		return;
	if (!change_target(r, PART_PATH_QUERY, text_of(to, n)))
		fail_rule(v);
}
