/* SPDX-License-Identifier: MIT */
/* The body of an answer: by length, in chunks or to the end of the connection (RFC 9112 §6, §7), and its judge. */
#include <errno.h>

#include "base/mem.h"
#include "http.h"

#define CHUNK_DIGITS_MAX 15

/* ---- the judge ---- */

static enum http_next judge_digest(struct http_run *run, bool whole)
{
	static const char digits[] = "0123456789abcdef";
	const struct http_request *c = run->c;
	uint8_t hash[HEALTH_HASH_MAX_BYTES];
	char text[] = "the digest is 0123456789abcdef0123456789abcdef";
	char *hex = text + sizeof(text) - 33;

	if (!whole)
		return http_broken(run, "body too long for its digest");
	if (c->crypto->digest(HEALTH_HASH_MD5, run->s->kept, run->s->kept_len, hash) < 0)
		return http_over(run, HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR,
				 "the hash function failed");
	if (!memcmp(hash, c->digest, sizeof(c->digest)))
		return ON;
	for (int i = 0; i < 32; i++)
		hex[i] = digits[hash[i / 2] >> (i & 1 ? 0 : 4) & 15];
	return http_broken(run, text);
}

static enum http_next judge_regex(struct http_run *run)
{
	const struct http_request *c = run->c;
	const struct http_state *s = run->s;
	size_t from = 0, end = 0;
	int found = 0;

	if (s->kept_len >= c->regex_min)
		found = c->regex_ops.search(c->regex, s->kept ? s->kept : (const uint8_t *)"",
					    s->kept_len, c->regex_min, &from, &end);
	if (found < 0)
		return http_broken(run, "the expression met its limit");
	found = found && from <= c->regex_max;
	if (found == !(c->flags & HEALTH_HTTP_NOT_BODY))
		return ON;
	return http_broken(run, found ? "body with what it must not have"
				      : "body without the expected expression");
}

enum http_next http_body_over(struct http_run *run, bool whole)
{
	const struct http_request *c = run->c;
	enum http_next next = ON;

	if (c->has_digest)
		next = judge_digest(run, whole);
	if (next == ON && c->regex)
		next = judge_regex(run);
	if (next != ON)
		return next;
	/* A text that was seen has ended the reading, unless something else was waited for. */
	if (c->body && c->flags & HEALTH_HTTP_NOT_BODY)
		return http_good(run);
	if (c->body && !run->s->has_body && !run->s->drains)
		return http_broken(run, "body without the expected text");
	if (c->body && run->s->has_body)
		run->s->drains = false;
	return http_good(run);
}

/* ---- reading ---- */

/* False: as much was read as is allowed. */
static bool count_body(struct http_run *run, size_t len)
{
	run->s->body_bytes += len;
	return run->s->body_bytes < run->c->body_max;
}

static bool keep(struct http_state *s, const struct reader *part)
{
	size_t len = reader_left(part);
	uint8_t *all = mem_regrow(s->kept, s->kept_len + len, 1);

	if (!all)
		return false;
	memcpy(all + s->kept_len, part->at, len);
	s->kept = all;
	s->kept_len += len;
	return true;
}

/* ON: read on; else the verdict. */
static enum http_next look_at(struct http_run *run, struct reader part)
{
	const struct http_request *c = run->c;
	struct http_state *s = run->s;
	struct reader again = part;

	if (c->keeps_body && !keep(s, &part))
		return http_over(run, HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR, "out of memory");
	if (c->drain && !s->drains && match_feed(c->drain, &s->drain_matched, &again))
		s->drains = true;
	if (!c->body || s->has_body || !match_feed(c->body, &s->body_matched, &part))
		return ON;
	s->has_body = true;
	if (c->flags & HEALTH_HTTP_NOT_BODY)
		return http_broken(run, "body with what it must not have");
	return c->keeps_body ? ON : http_body_over(run, true);
}

static enum http_next read_data(struct http_run *run)
{
	struct http_state *s = run->s;
	size_t len = reader_left(&run->r), room = run->c->body_max - s->body_bytes;
	enum http_next next;

	if (s->place != OPEN_BODY && !s->left) {
		s->place = CHUNK_END;
		return s->chunked ? ON : http_body_over(run, true);
	}
	if (s->place != OPEN_BODY && len > s->left)
		len = (size_t)s->left;
	if (len > room)
		len = room;
	if (!len)
		return WAIT;
	next = look_at(run, read_part(&run->r, len));
	if (next != ON)
		return next;
	if (s->place != OPEN_BODY)
		s->left -= len;
	if (count_body(run, len))
		return ON;
	return http_body_over(run, s->place == LENGTH_BODY && !s->left);
}

/* A chunk's own line: its size, or the empty one behind its data. */
static enum http_next take_chunk_line(struct http_run *run, struct reader *ret_line)
{
	const uint8_t *before = run->r.at;

	switch (line_take(&run->r, HEALTH_HTTP_LINE_MAX, ret_line)) {
	case LINE_NONE:
		return WAIT;
	case LINE_TOO_LONG:
		return http_broken(run, "bad chunk");
	case LINE_WHOLE:
		break;
	}
	return count_body(run, (size_t)(run->r.at - before)) ? ON : http_body_over(run, false);
}

static enum http_next read_chunk_size(struct http_run *run)
{
	struct http_state *s = run->s;
	struct reader line;
	enum http_next next = take_chunk_line(run, &line);
	int digits = 0, d;

	if (next != ON)
		return next;
	s->left = 0;
	while (reader_left(&line) && (d = hex_digit(*line.at)) >= 0) {
		if (++digits > CHUNK_DIGITS_MAX)
			return http_broken(run, "bad chunk");
		s->left = s->left << 4 | (unsigned int)d;
		read_u8(&line);
	}
	if (!digits || (reader_left(&line) && *line.at != ';' && !is_blank(*line.at)))
		return http_broken(run, "bad chunk");
	s->place = CHUNK_DATA;
	return s->left ? ON : http_body_over(run, true);
}

static enum http_next read_chunk_end(struct http_run *run)
{
	struct reader line;
	enum http_next next = take_chunk_line(run, &line);

	if (next != ON)
		return next;
	run->s->place = CHUNK_SIZE;
	return reader_left(&line) ? http_broken(run, "bad chunk") : ON;
}

enum http_next http_read_body(struct http_run *run)
{
	switch (run->s->place) {
	case CHUNK_SIZE:
		return read_chunk_size(run);
	case CHUNK_END:
		return read_chunk_end(run);
	default:
		return read_data(run);
	}
}
