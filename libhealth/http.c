/* SPDX-License-Identifier: MIT */
/* The HTTP/1 probe: the head of an answer, read line by line (RFC 9112), and the dialogue. */
#include <stdio.h>

#include "base/mem.h"
#include "http.h"

#define LENGTH_DIGITS_MAX 18 /* fits 64 bits */

enum http_next http_over(struct http_run *run, enum health_verdict verdict, enum health_code code,
			 const char *text)
{
	answer_set(run->io, verdict, code, text);
	run->io->status = run->s->status;
	return OVER;
}

enum http_next http_broken(struct http_run *run, const char *text)
{
	return http_over(run, HEALTH_FAIL, HEALTH_CODE_L7RSP, text);
}

static enum health_verdict worse(enum health_verdict a, enum health_verdict b)
{
	return a > b ? a : b;
}

enum http_next http_good(struct http_run *run)
{
	struct http_state *s = run->s;
	enum health_verdict verdict = HEALTH_OK;

	if (s->degraded)
		verdict = HEALTH_DEGRADED;
	else if (s->drains)
		verdict = HEALTH_OK_DRAIN;
	s->verdict = worse(s->verdict, verdict);
	if (!run->c->next)
		return http_over(
		    run, s->verdict,
		    s->verdict == HEALTH_OK_DRAIN ? HEALTH_CODE_L7OKC : HEALTH_CODE_L7OK, s->text);
	mem_free(s->kept);
	*s = (struct http_state){.at = run->c->next, .verdict = s->verdict};
	return AGAIN;
}

/* ---- the head ---- */

static enum http_next take_line(struct http_run *run, struct reader *ret_line)
{
	const uint8_t *before = run->r.at;

	switch (line_take(&run->r, HEALTH_HTTP_LINE_MAX, ret_line)) {
	case LINE_NONE:
		return WAIT;
	case LINE_TOO_LONG:
		return http_broken(run, "line of the answer too long");
	case LINE_WHOLE:
		break;
	}
	run->s->head_bytes += (size_t)(run->r.at - before);
	if (run->s->head_bytes > HEALTH_HTTP_HEAD_MAX)
		return http_broken(run, "head of the answer too long");
	return ON;
}

static bool status_expected(const struct http_run *run)
{
	for (size_t i = 0; i < run->c->n_status; i++)
		if (run->s->status >= run->c->status[i].first &&
		    run->s->status <= run->c->status[i].last)
			return true;
	return false;
}

/* 101 is final: what follows it is another protocol. Nobody asked for one, but the ranges judge. */
static bool is_interim(uint16_t status)
{
	return status / 100 == 1 && status != 101;
}

/* Speaks another protocol, as the first bytes tell: no need to wait for a line that may never end. */
static bool is_foreign(const struct reader *r)
{
	static const char start[] = "HTTP/1.";
	size_t left = reader_left(r), len = left < sizeof(start) - 1 ? left : sizeof(start) - 1;

	return len && memcmp(r->at, start, len) != 0;
}

static enum http_next read_status_line(struct http_run *run)
{
	struct http_state *s = run->s;
	struct reader line;
	enum http_next next;

	if (is_foreign(&run->r)) {
		line_excerpt(&run->r, s->text, sizeof(s->text));
		return http_broken(run, s->text);
	}
	next = take_line(run, &line);
	if (next != ON)
		return next;
	line_excerpt(&line, s->text, sizeof(s->text));
	read_bytes(&line, strlen("HTTP/1."));
	if (!is_digit(read_u8(&line)) || read_u8(&line) != ' ')
		line.bad = true;
	s->status = read_status(&line);
	if (line.bad || s->status < 100 || (reader_left(&line) && *line.at != ' ')) {
		s->status = 0;
		return http_broken(run, s->text);
	}
	if (is_interim(s->status) && ++s->interim > HEALTH_HTTP_INTERIM_MAX)
		return http_broken(run, "too many interim answers");
	s->place = FIELDS;
	return ON;
}

static bool equals(const struct reader *r, const char *lower_case)
{
	size_t len = strlen(lower_case);

	if (reader_left(r) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (lower(r->at[i]) != (uint8_t)lower_case[i])
			return false;
	return true;
}

/* Splits "Name: value"; no colon: the name is empty, and the line is none that we know. */
static struct reader read_name(struct reader *line)
{
	const uint8_t *colon = reader_left(line) ? memchr(line->at, ':', reader_left(line)) : NULL;
	struct reader name;

	if (!colon)
		return (struct reader){.bad = true};
	name = read_part(line, (size_t)(colon - line->at));
	read_u8(line);
	while (reader_left(line) && is_blank(*line->at))
		read_u8(line);
	while (reader_left(line) && is_blank(line->end[-1]))
		line->end--;
	return name;
}

/* False: not a number, or another than before (RFC 9112 §6.3). */
static bool take_length(struct http_state *s, struct reader *value)
{
	uint64_t length = 0;

	if (!reader_left(value) || reader_left(value) > LENGTH_DIGITS_MAX)
		return false;
	while (reader_left(value)) {
		uint8_t c = read_u8(value);

		if (!is_digit(c))
			return false;
		length = length * 10 + c - '0';
	}
	if (s->has_length && s->left != length)
		return false;
	s->has_length = true;
	s->left = length;
	return true;
}

static enum http_next begin_body(struct http_run *run)
{
	struct http_state *s = run->s;

	if (s->status == 204 || s->status == 304) { /* RFC 9112 §6.3: no body, whatever is said */
		s->has_length = true;
		s->chunked = false;
		s->left = 0;
	}
	if (s->chunked)
		s->place = CHUNK_SIZE;
	else if (s->has_length)
		s->place = LENGTH_BODY;
	else
		s->place = OPEN_BODY;
	return ON;
}

static enum http_next miss_field(struct http_run *run, const struct http_field *f)
{
	char text[HEALTH_TEXT_MAX];

	snprintf(text, sizeof(text), "no %.60s as expected", f->name);
	return http_broken(run, text);
}

static bool value_matches(const struct http_request *c, const struct http_field *f,
			  const struct reader *value)
{
	size_t len = reader_left(value), want = strlen(f->value), from, end;

	switch (f->match) {
	case HEALTH_HTTP_EXISTS:
		return true;
	case HEALTH_HTTP_EXACT:
		return len == want && !memcmp(value->at, f->value, want);
	case HEALTH_HTTP_CONTAINS:
		return !want || (len && memmem(value->at, len, f->value, want));
	case HEALTH_HTTP_PREFIX:
		return len >= want && !memcmp(value->at, f->value, want);
	case HEALTH_HTTP_SUFFIX:
		return len >= want && !memcmp(value->end - want, f->value, want);
	case HEALTH_HTTP_REGEX:
		return c->regex_ops.search(f->regex, len ? value->at : (const uint8_t *)"", len, 0,
					   &from, &end) > 0;
	}
	return false;
}

/* What the options say of a field; what the body needs is read_field's. */
static void judge_field(struct http_run *run, const struct reader *name, const struct reader *value)
{
	for (size_t i = 0; i < run->c->n_fields; i++)
		if (equals(name, run->c->field[i].name) &&
		    value_matches(run->c, &run->c->field[i], value))
			run->s->fields_seen |= 1u << i;
	if (!(run->c->flags & HEALTH_HTTP_ENVOY))
		return;
	run->s->degraded |= equals(name, "x-envoy-degraded");
	run->s->fails_now |= equals(name, "x-envoy-immediate-health-check-fail");
}

/* The empty line behind the fields. */
static enum http_next end_head(struct http_run *run)
{
	struct http_state *s = run->s;

	if (is_interim(s->status)) {
		s->place = STATUS_LINE;
		s->chunked = s->has_length = s->degraded = s->fails_now = false;
		s->fields_seen = 0;
		s->left = 0;
		return ON;
	}
	if (s->fails_now)
		return http_over(run, HEALTH_FAIL_NOW, HEALTH_CODE_L7STS, "asks to be left out");
	if (s->status == 404 && run->c->flags & HEALTH_HTTP_404_DRAINS) {
		s->drains = true;
		return http_good(run);
	}
	if (!status_expected(run))
		return http_over(run, HEALTH_FAIL, HEALTH_CODE_L7STS, s->text);
	for (size_t i = 0; i < run->c->n_fields; i++)
		if (!(s->fields_seen & 1u << i))
			return miss_field(run, &run->c->field[i]);
	return run->c->wants_body ? begin_body(run) : http_good(run);
}

static enum http_next read_field(struct http_run *run)
{
	struct reader line, name;
	enum http_next next = take_line(run, &line);

	if (next != ON)
		return next;
	if (!reader_left(&line))
		return end_head(run);
	name = read_name(&line);
	judge_field(run, &name, &line);
	if (!run->c->wants_body)
		return ON;
	if (equals(&name, "content-length") && !take_length(run->s, &line))
		return http_broken(run, "bad Content-Length");
	if (equals(&name, "transfer-encoding")) {
		if (!equals(&line, "chunked"))
			return http_broken(run, "unknown Transfer-Encoding");
		run->s->chunked = true;
	}
	return ON;
}

/* ---- the dialogue ---- */

static enum http_next read_on(struct http_run *run)
{
	switch (run->s->place) {
	case STATUS_LINE:
		return read_status_line(run);
	case FIELDS:
		return read_field(run);
	default:
		return http_read_body(run);
	}
}

static enum health_step http_open(void *state, const void *config, struct health_probe_io *io)
{
	struct http_state *s = state;

	if (!s->at) {
		s->at = config;
		s->verdict = HEALTH_OK;
	}
	return reply_send(io, s->at->bytes, s->at->len);
}

static enum health_step step_of(enum http_next next)
{
	switch (next) {
	case OVER:
		return HEALTH_STEP_DONE;
	case AGAIN:
		return HEALTH_STEP_RECONNECT;
	default:
		return HEALTH_STEP_MORE;
	}
}

static enum health_step http_received(void *state, const void *config, const void *data, size_t len,
				      struct health_probe_io *io)
{
	struct http_state *s = state;
	struct http_run run = {.s = s, .c = s->at, .r = reader_of(data, len), .io = io};
	enum http_next next;

	do /* each ON took a byte or came further, so this ends */
		next = read_on(&run);
	while (next == ON);
	io->consumed = len - reader_left(&run.r);
	return step_of(next);
}

/* Without a length the end of the connection is the end of the body (RFC 9112 §6.3). */
static enum health_step http_closed(void *state, const void *config, int error,
				    struct health_probe_io *io)
{
	struct http_state *s = state;
	struct http_run run = {.s = s, .c = s->at, .io = io};

	io->status = s->status;
	if (error || s->place != OPEN_BODY)
		return HEALTH_STEP_MORE;
	return step_of(http_body_over(&run, true));
}

static void http_end(void *state, const void *config)
{
	struct http_state *s = state;

	mem_free(s->kept);
}

const struct health_probe_ops *health_probe_http(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "http",
	    .flags = HEALTH_PROBE_FIRST,
	    .state_size = sizeof(struct http_state),
	    .setup = http_setup,
	    .teardown = http_teardown,
	    .open = http_open,
	    .received = http_received,
	    .closed = http_closed,
	    .end = http_end,
	};

	return &ops;
}
