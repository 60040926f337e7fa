/* SPDX-License-Identifier: MIT */
/* The HTTP/1 probe: the options become a request, the answer is read line by line (RFC 9112). */
#include <errno.h>
#include <string.h>

#include <libhealth/probe_http.h>

#include "base/mem.h"
#include "base/sized.h"
#include "dialogue.h"
#include "line.h"
#include "match.h"

#define VERSION_LINE_MAX 256 /* of the request, path and host apart */
#define LENGTH_DIGITS_MAX 18 /* fits 64 bits */
#define CHUNK_DIGITS_MAX 15

struct http_config {
	struct health_http_range status[HEALTH_HTTP_STATUS_MAX];
	size_t n_status;
	size_t body_max;
	bool wants_body;
	struct match body;
	size_t request_len;
	uint8_t request[VERSION_LINE_MAX + HEALTH_HTTP_PATH_MAX + HEALTH_HTTP_HOST_MAX];
};

/* Where in the answer the next byte stands. */
enum place { STATUS_LINE, FIELDS, LENGTH_BODY, OPEN_BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END };

struct http_state {
	enum place place;
	uint16_t status;
	uint8_t interim; /* 1xx answers so far */
	uint8_t matched;
	bool chunked, has_length;
	size_t head_bytes, body_bytes;
	uint64_t left; /* of the body, or of this chunk */
	char text[HEALTH_TEXT_MAX];
};

/* What one step of the reader came to. */
enum next { WAIT, ON, OVER };

struct run {
	struct http_state *s;
	const struct http_config *c;
	struct reader r;
	struct health_probe_io *io;
};

static enum next over(struct run *run, enum health_verdict verdict, enum health_code code,
		      const char *text)
{
	answer_set(run->io, verdict, code, text);
	run->io->status = run->s->status;
	return OVER;
}

static enum next broken(struct run *run, const char *text)
{
	return over(run, HEALTH_FAIL, HEALTH_CODE_L7RSP, text);
}

/* ---- the options ---- */

static bool is_visible(const char *s, size_t max)
{
	size_t len = strnlen(s, max + 1);

	if (!len || len > max)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static bool path_valid(const struct health_http_opts *o)
{
	if (!o->path)
		return true;
	if (!is_visible(o->path, HEALTH_HTTP_PATH_MAX))
		return false;
	return o->path[0] == '/' || (o->method == HEALTH_HTTP_OPTIONS && !strcmp(o->path, "*"));
}

static bool opts_valid(const struct health_http_opts *o)
{
	if ((unsigned int)o->method > HEALTH_HTTP_OPTIONS ||
	    (unsigned int)o->version > HEALTH_HTTP_1_1 || !path_valid(o))
		return false;
	if (o->host ? !is_visible(o->host, HEALTH_HTTP_HOST_MAX) : o->version == HEALTH_HTTP_1_1)
		return false;
	if (o->n_status > HEALTH_HTTP_STATUS_MAX || !o->n_status != !o->status)
		return false;
	for (size_t i = 0; i < o->n_status; i++)
		if (o->status[i].first < 100 || o->status[i].last > 999 ||
		    o->status[i].first > o->status[i].last)
			return false;
	return o->body_max_bytes <= HEALTH_HTTP_BODY_MAX_BYTES &&
	       !(o->body && o->method == HEALTH_HTTP_HEAD) && !(o->body_max_bytes && !o->body);
}

static void put(struct writer *w, const char *s)
{
	write_bytes(w, s, strlen(s));
}

static void write_request(struct http_config *c, const struct health_http_opts *o)
{
	static const char *const method[] = {"GET ", "HEAD ", "OPTIONS "};
	struct writer w = writer_of(c->request, sizeof(c->request));

	put(&w, method[o->method]);
	put(&w, o->path ? o->path : "/");
	put(&w, o->version == HEALTH_HTTP_1_1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
	if (o->host) {
		put(&w, "Host: ");
		put(&w, o->host);
		put(&w, "\r\n");
	}
	put(&w, "User-Agent: libhealth\r\nConnection: close\r\n\r\n");
	c->request_len = writer_len(&w);
}

static void http_teardown(void *config)
{
	mem_free(config);
}

static int http_setup(const void *opts, void **ret_config)
{
	struct health_http_opts o = {.size = sizeof(o)};
	struct http_config *c;
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;

	if (r < 0)
		return r;
	if (!opts_valid(&o))
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->status[0] = (struct health_http_range){200, 299};
	c->n_status = o.n_status ? o.n_status : 1;
	if (o.n_status)
		memcpy(c->status, o.status, o.n_status * sizeof(*o.status));
	c->body_max = o.body_max_bytes ? o.body_max_bytes : HEALTH_HTTP_BODY_DEFAULT_BYTES;
	c->wants_body = o.body;
	if (o.body && match_init(&c->body, o.body, strnlen(o.body, MATCH_MAX + 1)) < 0) {
		mem_free(c);
		return -EINVAL;
	}
	write_request(c, &o);
	*ret_config = c;
	return 0;
}

/* ---- the head ---- */

static enum next take_line(struct run *run, struct reader *ret_line)
{
	const uint8_t *before = run->r.at;

	switch (line_take(&run->r, HEALTH_HTTP_LINE_MAX, ret_line)) {
	case LINE_NONE:
		return WAIT;
	case LINE_TOO_LONG:
		return broken(run, "line of the answer too long");
	case LINE_WHOLE:
		break;
	}
	run->s->head_bytes += (size_t)(run->r.at - before);
	if (run->s->head_bytes > HEALTH_HTTP_HEAD_MAX)
		return broken(run, "head of the answer too long");
	return ON;
}

static bool status_expected(const struct run *run)
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

static enum next read_status_line(struct run *run)
{
	struct http_state *s = run->s;
	struct reader line;
	enum next next;

	if (is_foreign(&run->r)) {
		line_excerpt(&run->r, s->text, sizeof(s->text));
		return broken(run, s->text);
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
		return broken(run, s->text);
	}
	if (is_interim(s->status) && ++s->interim > HEALTH_HTTP_INTERIM_MAX)
		return broken(run, "too many interim answers");
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

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
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

static enum next begin_body(struct run *run)
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

/* The empty line behind the fields. */
static enum next end_head(struct run *run)
{
	struct http_state *s = run->s;

	if (is_interim(s->status)) {
		s->place = STATUS_LINE;
		s->chunked = s->has_length = false;
		s->left = 0;
		return ON;
	}
	if (!status_expected(run))
		return over(run, HEALTH_FAIL, HEALTH_CODE_L7STS, s->text);
	if (!run->c->wants_body)
		return over(run, HEALTH_OK, HEALTH_CODE_L7OK, s->text);
	return begin_body(run);
}

static enum next read_field(struct run *run)
{
	struct reader line, name;
	enum next next = take_line(run, &line);

	if (next != ON)
		return next;
	if (!reader_left(&line))
		return end_head(run);
	if (!run->c->wants_body)
		return ON;
	name = read_name(&line);
	if (equals(&name, "content-length") && !take_length(run->s, &line))
		return broken(run, "bad Content-Length");
	if (equals(&name, "transfer-encoding")) {
		if (!equals(&line, "chunked"))
			return broken(run, "unknown Transfer-Encoding");
		run->s->chunked = true;
	}
	return ON;
}

/* ---- the body ---- */

static enum next without_text(struct run *run)
{
	return broken(run, "body without the expected text");
}

/* False: as much was read as is allowed. */
static bool count_body(struct run *run, size_t len)
{
	run->s->body_bytes += len;
	return run->s->body_bytes < run->c->body_max;
}

static enum next read_data(struct run *run)
{
	struct http_state *s = run->s;
	size_t len = reader_left(&run->r), room = run->c->body_max - s->body_bytes;
	struct reader part;

	if (s->place != OPEN_BODY && !s->left) {
		s->place = CHUNK_END;
		return s->chunked ? ON : without_text(run);
	}
	if (s->place != OPEN_BODY && len > s->left)
		len = (size_t)s->left;
	if (len > room)
		len = room;
	if (!len)
		return WAIT;
	part = read_part(&run->r, len);
	if (match_feed(&run->c->body, &s->matched, &part))
		return over(run, HEALTH_OK, HEALTH_CODE_L7OK, s->text);
	if (s->place != OPEN_BODY)
		s->left -= len;
	return count_body(run, len) ? ON : without_text(run);
}

static int hex_digit(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A chunk's own line: its size, or the empty one behind its data. */
static enum next take_chunk_line(struct run *run, struct reader *ret_line)
{
	const uint8_t *before = run->r.at;

	switch (line_take(&run->r, HEALTH_HTTP_LINE_MAX, ret_line)) {
	case LINE_NONE:
		return WAIT;
	case LINE_TOO_LONG:
		return broken(run, "bad chunk");
	case LINE_WHOLE:
		break;
	}
	return count_body(run, (size_t)(run->r.at - before)) ? ON : without_text(run);
}

static enum next read_chunk_size(struct run *run)
{
	struct http_state *s = run->s;
	struct reader line;
	enum next next = take_chunk_line(run, &line);
	int digits = 0, d;

	if (next != ON)
		return next;
	s->left = 0;
	while (reader_left(&line) && (d = hex_digit(*line.at)) >= 0) {
		if (++digits > CHUNK_DIGITS_MAX)
			return broken(run, "bad chunk");
		s->left = s->left << 4 | (unsigned int)d;
		read_u8(&line);
	}
	if (!digits || (reader_left(&line) && *line.at != ';' && !is_blank(*line.at)))
		return broken(run, "bad chunk");
	s->place = CHUNK_DATA;
	return s->left ? ON : without_text(run);
}

static enum next read_chunk_end(struct run *run)
{
	struct reader line;
	enum next next = take_chunk_line(run, &line);

	if (next != ON)
		return next;
	run->s->place = CHUNK_SIZE;
	return reader_left(&line) ? broken(run, "bad chunk") : ON;
}

static enum next read_on(struct run *run)
{
	switch (run->s->place) {
	case STATUS_LINE:
		return read_status_line(run);
	case FIELDS:
		return read_field(run);
	case LENGTH_BODY:
	case OPEN_BODY:
	case CHUNK_DATA:
		return read_data(run);
	case CHUNK_SIZE:
		return read_chunk_size(run);
	case CHUNK_END:
		return read_chunk_end(run);
	}
	return WAIT;
}

/* ---- the dialogue ---- */

static enum health_step http_open(void *state, const void *config, struct health_probe_io *io)
{
	const struct http_config *c = config;

	(void)state;
	io->send = c->request;
	io->send_len = c->request_len;
	return HEALTH_STEP_MORE;
}

static enum health_step http_received(void *state, const void *config, const void *data, size_t len,
				      struct health_probe_io *io)
{
	struct run run = {.s = state, .c = config, .r = reader_of(data, len), .io = io};
	enum next next;

	do /* each ON took a byte or came further, so this ends */
		next = read_on(&run);
	while (next == ON);
	io->consumed = len - reader_left(&run.r);
	return next == OVER ? HEALTH_STEP_DONE : HEALTH_STEP_MORE;
}

/* Without a length the end of the connection is the end of the body (RFC 9112 §6.3). */
static enum health_step http_closed(void *state, const void *config, int error,
				    struct health_probe_io *io)
{
	struct run run = {.s = state, .c = config, .io = io};

	io->status = run.s->status;
	if (error || run.s->place != OPEN_BODY)
		return HEALTH_STEP_MORE;
	without_text(&run);
	return HEALTH_STEP_DONE;
}

const struct health_probe_ops *health_probe_http(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "http",
	    .state_size = sizeof(struct http_state),
	    .setup = http_setup,
	    .teardown = http_teardown,
	    .open = http_open,
	    .received = http_received,
	    .closed = http_closed,
	};

	return &ops;
}
