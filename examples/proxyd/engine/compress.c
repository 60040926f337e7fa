/* SPDX-License-Identifier: MIT */
#include "compress.h"

#include "count.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define ZLIB_CONST
#include <zlib.h>

#define MEMORY_LEVEL 8 /* zlib's: with the window 256 KiB for an answer */
#define WINDOW_BITS 15
#define GZIP_FORMAT 16 /* added to them */

struct deflater {
	z_stream z;
	bool is_identity; /* nothing but chunks */
	int level, level_max;
};

const char *coding_name(enum cfg_encoding e)
{
	return e == CFG_GZIP ? "gzip" : e == CFG_IDENTITY ? "identity" : "deflate";
}

static const struct cfg_compression *of_backend(const struct exchange *x)
{
	return x->seeker.backend->http->compression;
}

static const struct cfg_compression *of_frontend(const struct exchange *x)
{
	return x->client->frontend->http->compression;
}

/* ---- The request ---- */

/* Thousandths (RFC 9110, section 12.4.2) of what stands behind the token; 1000 without. */
static int quality(const char *at, const char *end)
{
	int q = 1000, unit = 100;

	for (; at < end; at++)
		if (*at == ';') {
			for (at++; at < end && (*at == ' ' || *at == '\t'); at++)
				;
			if (end - at > 2 && !strncmp(at, "q=", 2) && isdigit((unsigned char)at[2]))
				break;
			at--;
		}
	if (at == end)
		return q;
	q = (at[2] - '0') * 1000;
	if (at + 3 < end && at[3] == '.')
		for (at += 4; at < end && unit && isdigit((unsigned char)*at); at++, unit /= 10)
			q += (*at - '0') * unit;
	return q > 1000 ? 1000 : q;
}

static size_t token_len(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && !strchr(" \t;,", text[n]))
		n++;
	return n;
}

/* One element of Accept-Encoding. */
static void consider(struct exchange *x, const struct cfg_compression *c, const char *text, size_t len, int *best)
{
	size_t n = token_len(text, len);
	int q = quality(text + n, text + len);

	for (unsigned i = 0; q > *best && i < c->n_algos; i++) {
		const char *name = coding_name(c->algo[i]);

		if (*text != '*' && (n != strlen(name) || strncasecmp(text, name, n) != 0))
			continue;
		x->compresses = true;
		x->encoding = (uint8_t)c->algo[i];
		*best = q;
	}
}

/* Browsers that say so and cannot, as HAProxy knows them: "Mozilla/4" other than Internet Explorer 6 SP2 and later. */
static bool is_old_browser(const struct http_msg *m)
{
	const struct http_field *f = http_find(m, "user-agent", 10, 0);
	const char *at = f ? http_text(m, f->value) : NULL;
	uint32_t len = f ? f->value.len : 0;

	if (len < 9 || memcmp(at, "Mozilla/4", 9) != 0)
		return false;
	return len < 31 || memcmp(at + 25, "MSIE ", 5) != 0 || at[30] < '6' ||
	       (at[30] == '6' && (len < 54 || memcmp(at + 51, "SV1", 3) != 0));
}

void compress_choose(struct exchange *x, struct http_msg *m)
{
	const struct cfg_compression *back = of_backend(x), *front = of_frontend(x);
	const struct cfg_compression *c = back && back->n_algos ? back : front;
	const struct http_field *f;
	struct http_span element;
	int best = 0;

	if (!c || !c->n_algos || is_old_browser(m))
		return;
	for (f = http_find(m, "accept-encoding", 15, 0); f; f = http_find(m, "accept-encoding", 15, (unsigned)(f - m->field) + 1)) {
		uint32_t at = 0;

		while (http_next_element(m, f->value, &at, &element))
			consider(x, c, http_text(m, element), element.len, &best);
	}
	if (x->compresses && ((back && back->offload) || (front && front->offload)))
		http_remove(m, "accept-encoding", 15);
	for (unsigned i = 0; !x->compresses && i < c->n_algos; i++)
		if (c->algo[i] == CFG_IDENTITY) { /* everybody takes it */
			x->compresses = true;
			x->encoding = CFG_IDENTITY;
		}
}

/* ---- The head of the answer ---- */

static bool has_element(const struct http_msg *m, const char *field, const char *word)
{
	const struct http_field *f = http_find(m, field, strlen(field), 0);
	struct http_span e;

	for (; f; f = http_find(m, field, strlen(field), (unsigned)(f - m->field) + 1)) {
		uint32_t at = 0;

		while (http_next_element(m, f->value, &at, &e))
			if (http_same_name(http_text(m, e), e.len, word, strlen(word)))
				return true;
	}
	return false;
}

/* None, or one that can be made weak. */
static bool etag_is_usable(const struct http_msg *m)
{
	const struct http_field *f = http_find(m, "etag", 4, 0);
	const char *at = f ? http_text(m, f->value) : NULL;
	uint32_t len = f ? f->value.len : 0;

	if (!f)
		return true;
	if (http_find(m, "etag", 4, (unsigned)(f - m->field) + 1))
		return false;
	return len >= 2 && at[len - 1] == '"' && (*at == '"' || (len >= 4 && !memcmp(at, "W/\"", 3)));
}

/* "compression type": the backend's, else the frontend's; none: any but multipart */
static bool type_is_listed(const struct exchange *x, const struct http_msg *m)
{
	const struct cfg_compression *c = of_backend(x);
	const struct http_field *f = http_find(m, "content-type", 12, 0);
	const char *at = f ? http_text(m, f->value) : NULL;

	if (!c || !c->n_types)
		c = of_frontend(x);
	if (!f)
		return !c || !c->n_types;
	if (f->value.len >= 9 && !strncasecmp(at, "multipart", 9))
		return false;
	for (unsigned i = 0; c && i < c->n_types; i++)
		if (f->value.len >= strlen(c->type[i]) && !strncasecmp(at, c->type[i], strlen(c->type[i])))
			return true;
	return !c || !c->n_types;
}

/* minsize-res: the backend's, else the frontend's */
static bool is_too_small(const struct exchange *x, const struct http_msg *m)
{
	const struct cfg_compression *c = of_backend(x);

	if (!c || !c->min_bytes)
		c = of_frontend(x);
	return c && m->framing == HTTP_BODY_LENGTH && m->length < c->min_bytes;
}

/* As HAProxy decides. */
static bool is_worth_it(const struct exchange *x, const struct http_msg *m)
{
	bool has_body = m->framing == HTTP_BODY_CHUNKED || (m->framing == HTTP_BODY_LENGTH && m->length);

	return x->minor && m->minor && has_body && m->status >= 200 && m->status <= 203 &&
	       !http_find(m, "content-encoding", 16, 0) && !has_element(m, "cache-control", "no-transform") &&
	       etag_is_usable(m) && type_is_listed(x, m) && !is_too_small(x, m);
}

static int weaken_etag(struct http_msg *m)
{
	const struct http_field *f = http_find(m, "etag", 4, 0);
	char text[1024];
	int n;

	if (!f || *http_text(m, f->value) != '"')
		return 0;
	n = snprintf(text, sizeof(text), "W/%.*s", (int)f->value.len, http_text(m, f->value));
	if (n < 0 || (size_t)n >= sizeof(text))
		return -ENOSPC;
	return http_set_value(m, (unsigned)(f - m->field), text, (size_t)n);
}

static int change_head(const struct exchange *x, struct http_msg *m)
{
	const char *name = coding_name((enum cfg_encoding)x->encoding);
	int e = 0;

	if (x->encoding != CFG_IDENTITY)
		e = http_add(m, "Content-Encoding", 16, name, strlen(name));
	http_remove_id(m, HTTP_ID_CONTENT_LENGTH);
	if (!e && m->framing != HTTP_BODY_CHUNKED)
		e = http_add(m, "Transfer-Encoding", 17, "chunked", 7);
	if (!e)
		e = weaken_etag(m);
	return e ? e : http_add(m, "Vary", 4, "Accept-Encoding", 15);
}

static int window_bits(enum cfg_encoding e)
{
	return e == CFG_GZIP ? WINDOW_BITS + GZIP_FORMAT : e == CFG_RAW_DEFLATE ? -WINDOW_BITS : WINDOW_BITS;
}

/* maxcomprate is passed by the bytes before compression, or by those after it, as HAProxy looks at them. */
static bool is_too_fast(const struct worker *w, enum tally_rate of)
{
	uint32_t limit = atomic_load_explicit(&w->engine->limits.compression_rate, memory_order_relaxed);

	return limit && tally_rate(w->engine->compressed, of, w->now_ns) > limit;
}

int compress_begin(struct worker *w, struct exchange *x, struct http_msg *m)
{
	int level = (int)x->client->frontend->set->cfg->global.compression_level;
	struct deflater *d = is_worth_it(x, m) && !is_too_fast(w, TALLY_CONNECTIONS) ? calloc(1, sizeof(*d)) : NULL;

	if (!d)
		return 0; /* no memory: it passes as it is */
	d->is_identity = x->encoding == CFG_IDENTITY;
	d->level = d->level_max = level ? level : Z_BEST_SPEED;
	if (!d->is_identity && deflateInit2(&d->z, d->level, Z_DEFLATED, window_bits((enum cfg_encoding)x->encoding),
					    MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(d);
		return 0;
	}
	x->deflater = d;
	return change_head(x, m);
}

void deflater_free(struct deflater *d)
{
	if (!d)
		return;
	if (!d->is_identity)
		deflateEnd(&d->z);
	free(d);
}

/* ---- The body ---- */

#define FRAME_BEFORE 10u /* hexadecimal digits, CR LF */
#define LAST_CHUNK "\r\n0\r\n\r\n"

/* `out` has room for the framing around its `n` bytes. */
static bool give_chunk(struct worker *w, struct exchange *x, char *out, size_t n, bool is_last)
{
	char size[FRAME_BEFORE + 1];
	int before = n ? snprintf(size, sizeof(size), "%zx\r\n", n) : 0;
	const char *after = !is_last ? "\r\n" : n ? LAST_CHUNK : LAST_CHUNK + 2;
	size_t len = (size_t)before + n + strlen(after);

	memcpy(out + FRAME_BEFORE - before, size, (size_t)before);
	memcpy(out + FRAME_BEFORE + n, after, strlen(after));
	x->bytes += len;
	return client_give(w, x->client, out + FRAME_BEFORE - before, len, 0);
}

/* One step down while too much is compressed, else one up. What zlib had to write first is in the output. */
static void adjust_level(const struct worker *w, struct deflater *d)
{
	int level = d->level, step = is_too_fast(w, TALLY_SESSIONS) ? -1 : 1;

	level += step;
	if (level < 0 || level > d->level_max)
		return;
	d->level = level;
	deflateParams(&d->z, level, Z_DEFAULT_STRATEGY);
}

bool compress_give(struct worker *w, struct exchange *x, const char *data, size_t len)
{
	char *out = w->http->written; /* the head that it held is gone */
	const size_t cap = sizeof(w->http->written) - FRAME_BEFORE - sizeof(LAST_CHUNK);
	const bool is_last = x->down.done;
	z_stream *z = &x->deflater->z;
	bool is_whole = false;
	size_t given = 0;

	if (!len && !is_last)
		return true;
	z->next_out = (unsigned char *)out + FRAME_BEFORE;
	z->avail_out = (unsigned)cap;
	if (!x->deflater->is_identity)
		adjust_level(w, x->deflater);
	z->next_in = (const unsigned char *)data;
	z->avail_in = (unsigned)len;
	while (!is_whole) {
		size_t n;

		if (x->deflater->is_identity) {
			n = z->avail_in < cap ? z->avail_in : cap;
			memcpy(out + FRAME_BEFORE, z->next_in, n);
			z->next_in += n;
			z->avail_in -= (unsigned)n;
			is_whole = !z->avail_in;
		} else {
			/* what came is passed on: the server may wait before it says more */
			is_whole = deflate(z, is_last ? Z_FINISH : Z_SYNC_FLUSH) == Z_STREAM_END || (!is_last && z->avail_out);
			n = cap - z->avail_out;
		}
		if (!n && !is_whole)
			return false; /* zlib says so of a state that it cannot be in */
		if ((n || (is_whole && is_last)) && !give_chunk(w, x, out, n, is_whole && is_last))
			return false;
		given += n;
		z->next_out = (unsigned char *)out + FRAME_BEFORE;
		z->avail_out = (unsigned)cap;
	}
	count_compressed(w, x, len, given, is_last);
	return true;
}
