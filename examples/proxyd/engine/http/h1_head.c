/* SPDX-License-Identifier: MIT */
/* Heads: start line, fields, and the one decision about framing. */
#include "h1.h"

#include <string.h>

#include "h1_scan.h"

#define EMPTY_LINES_MAX 8 /* before a request line */
#define STATUS_MIN 100u

/* A head that is being read: at `p`, of what came so far. */
struct head {
	struct http_msg *m;
	const char *begin, *p, *end;
	enum h1_fault fault;
	const struct http_field *host, *length, *coding;
	bool more; /* the bytes ended */
	bool left_out;	 /* a field is not passed on */
	bool distrusted; /* it told two lengths */
};

const char *h1_fault_text(enum h1_fault fault)
{
	static const char *const text[H1_FAULT_COUNT_] = {
	    [H1_FAULT_NONE] = "none",
	    [H1_FAULT_START_LINE] = "no HTTP/1 start line",
	    [H1_FAULT_METHOD] = "method is no token",
	    [H1_FAULT_TARGET] = "malformed target",
	    [H1_FAULT_FRAGMENT] = "fragment in the target",
	    [H1_FAULT_VERSION] = "HTTP version is not 1.x",
	    [H1_FAULT_LINE_END] = "bare CR or LF",
	    [H1_FAULT_FOLDED] = "folded line",
	    [H1_FAULT_FIELD_NAME] = "malformed field name",
	    [H1_FAULT_FIELD_VALUE] = "control byte in a field",
	    [H1_FAULT_TOO_MANY] = "too many fields",
	    [H1_FAULT_TOO_LARGE] = "head too large",
	    [H1_FAULT_HOST] = "ambiguous Host",
	    [H1_FAULT_LENGTH] = "ambiguous Content-Length",
	    [H1_FAULT_CODING] = "unknown Transfer-Encoding",
	    [H1_FAULT_BOTH_LENGTHS] = "Content-Length and Transfer-Encoding",
	    [H1_FAULT_CONNECT_BODY] = "CONNECT with a body",
	    [H1_FAULT_CHUNK_SIZE] = "malformed chunk size",
	    [H1_FAULT_CHUNK_EXTENSION] = "malformed chunk extension",
	    [H1_FAULT_CHUNK_END] = "no line end behind a chunk",
	    [H1_FAULT_TRAILER] = "malformed trailer",
	    [H1_FAULT_INTERIM] = "too many interim answers",
	    [H1_FAULT_WEBSOCKET] = "WebSocket without a key",
	};

	return fault < H1_FAULT_COUNT_ ? text[fault] : "?";
}

unsigned h1_fault_status(enum h1_fault fault)
{
	return fault == H1_FAULT_VERSION ? 505 : 400;
}

void h1_begin(struct http_msg *m, char *base, uint32_t room_at, uint32_t room_end)
{
	/* The fields are not cleared: n_fields says which of them mean something. */
	memset(m, 0, offsetof(struct http_msg, field));
	m->base = base;
	m->room_at = room_at;
	m->room_end = room_end;
	m->head_max = HTTP_HEAD_DEFAULT;
	m->fields_max = HTTP_FIELDS_DEFAULT;
}

static bool fail(struct head *h, enum h1_fault fault)
{
	h->fault = fault;
	return false;
}

static bool need_more(struct head *h)
{
	h->more = true;
	return false;
}

static struct http_span span(const struct head *h, const char *from, const char *to)
{
	return (struct http_span){(uint32_t)(from - h->m->base), (uint32_t)(to - from)};
}

/* Takes exactly this byte. */
static bool take(struct head *h, char c, enum h1_fault otherwise)
{
	if (h->p == h->end)
		return need_more(h);
	if (*h->p != c)
		return fail(h, otherwise);
	h->p++;
	return true;
}

/* RFC 9112, section 2.2: old servers end lines with LF alone. A request that does may mean to be read in two ways. */
static __attribute__((cold)) bool take_odd_line_end(struct head *h, enum h1_fault otherwise)
{
	if (h->p == h->end)
		return need_more(h);
	if (*h->p == '\n') {
		if (!h->m->is_response)
			return fail(h, H1_FAULT_LINE_END);
		h->m->edited = true;
		h->m->field[h->m->n_fields].received = false; /* if it ends a field: that is not copied as it came */
		h->p++;
		return true;
	}
	return take(h, '\r', otherwise) && take(h, '\n', H1_FAULT_LINE_END);
}

/* Takes CR LF; `otherwise` if there is neither. */
static inline bool take_line_end(struct head *h, enum h1_fault otherwise)
{
	const char *p = h->p;

	if (h->end - p >= 2 && !memcmp(p, "\r\n", 2)) {
		h->p = p + 2;
		return true;
	}
	return take_odd_line_end(h, otherwise);
}

/* "HTTP/1.x"; the minor version is a digit. */
static bool take_version(struct head *h)
{
	static const char name[] = "HTTP/";

	if (h->end - h->p >= 8 && !memcmp(h->p, "HTTP/1.1", 8)) {
		h->p += 8;
		h->m->minor = 1;
		return true;
	}
	for (const char *c = name; *c; c++)
		if (!take(h, *c, H1_FAULT_START_LINE))
			return false;
	if (h->p == h->end)
		return need_more(h);
	if (*h->p < '0' || *h->p > '9')
		return fail(h, H1_FAULT_START_LINE);
	if (*h->p != '1')
		return fail(h, H1_FAULT_VERSION);
	h->p++;
	if (!take(h, '.', H1_FAULT_START_LINE))
		return false;
	if (h->p == h->end)
		return need_more(h);
	if (*h->p < '0' || *h->p > '9')
		return fail(h, H1_FAULT_START_LINE);
	/* RFC 9110, section 2.5: a higher minor version is taken as the highest one known */
	h->m->minor = *h->p++ == '0' ? 0 : 1;
	return true;
}

/* ---- Start lines ---- */

static bool skip_empty_lines(struct head *h)
{
	for (unsigned i = 0; i < EMPTY_LINES_MAX; i++) {
		if (h->p == h->end)
			return need_more(h);
		if (*h->p != '\r')
			return true;
		h->p++;
		if (!take(h, '\n', H1_FAULT_LINE_END))
			return false;
	}
	return true;
}

/* "scheme://authority": a letter, then letters, digits, + - . (RFC 3986, section 3.1) */
static bool is_absolute(const char *p, const char *end)
{
	const char *begin = p;

	while (p < end && ((*p | 0x20) >= 'a' ? (*p | 0x20) <= 'z'
					      : p > begin && ((*p >= '0' && *p <= '9') ||
							      *p == '+' || *p == '-' || *p == '.')))
		p++;
	return p > begin && end - p >= 3 && !memcmp(p, "://", 3);
}

/* Of absolute-form: "http://a?b" is a URI, but not all take the same of it for the host. HAProxy refuses it, too. */
static bool has_bare_query(const char *from, const char *to)
{
	const char *host = (const char *)memchr(from, ':', (size_t)(to - from)) + 3;
	size_t len = (size_t)(to - host);
	const char *slash = memchr(host, '/', len), *query = memchr(host, '?', len);

	return query && (!slash || query < slash);
}

static bool check_target(struct head *h, const char *from, const char *to)
{
	struct http_msg *m = h->m;

	if (from == to)
		return fail(h, H1_FAULT_TARGET);
	if (m->method == HTTP_METHOD_CONNECT) /* authority-form only: host:port */
		return (memchr(from, ':', (size_t)(to - from)) && *from != '/') ||
		       fail(h, H1_FAULT_TARGET);
	if (*from == '/')
		return true;
	if (*from == '*' && to - from == 1)
		return m->method == HTTP_METHOD_OPTIONS || fail(h, H1_FAULT_TARGET);
	m->absolute_form = is_absolute(from, to);
	return (m->absolute_form && !has_bare_query(from, to)) || fail(h, H1_FAULT_TARGET);
}

static bool take_request_line(struct head *h)
{
	struct http_msg *m = h->m;
	const char *from;

	if (!skip_empty_lines(h))
		return false;
	from = h->p;
	h->p = h1_skip_token(h->p, h->end);
	if (h->p == h->end)
		return need_more(h);
	if (h->p == from || *h->p != ' ')
		return fail(h,
			    *h->p == '\n' || *h->p == '\r' ? H1_FAULT_START_LINE : H1_FAULT_METHOD);
	m->method_text = span(h, from, h->p);
	m->method = http_method_of(from, (size_t)(h->p - from));
	from = ++h->p;
	h->p = h1_skip_target(h->p, h->end);
	while (m->lenient && h->p < h->end && (*h->p == '#' || (unsigned char)*h->p >= 0x80))
		h->p = h1_skip_target(h->p + 1, h->end);
	if (h->p == h->end)
		return need_more(h);
	if (*h->p != ' ')
		return fail(h, *h->p == '#'			? H1_FAULT_FRAGMENT
			       : *h->p == '\r' || *h->p == '\n' ? H1_FAULT_START_LINE
								: H1_FAULT_TARGET);
	if (!check_target(h, from, h->p))
		return false;
	m->target = span(h, from, h->p++);
	return take_version(h) && take_line_end(h, H1_FAULT_START_LINE);
}

static bool take_status_line(struct head *h)
{
	struct http_msg *m = h->m;
	const char *from;

	if (!take_version(h) || !take(h, ' ', H1_FAULT_START_LINE))
		return false;
	for (int i = 0; i < 3; i++, h->p++) {
		if (h->p == h->end)
			return need_more(h);
		if (*h->p < '0' || *h->p > '9')
			return fail(h, H1_FAULT_START_LINE);
		m->status = m->status * 10 + (unsigned)(*h->p - '0');
	}
	if (m->status < STATUS_MIN)
		return fail(h, H1_FAULT_START_LINE);
	if (h->p == h->end)
		return need_more(h);
	if (*h->p == ' ') /* some servers leave out the space of an empty reason */
		h->p++;
	else if (*h->p != '\r' && *h->p != '\n')
		return fail(h, H1_FAULT_START_LINE);
	from = h->p;
	h->p = h1_skip_value(h->p, h->end);
	m->reason = span(h, from, h->p);
	return take_line_end(h, H1_FAULT_START_LINE);
}

/* ---- Fields ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct http_span trimmed(const char *base, const char *from, const char *to)
{
	while (to > from && is_blank(to[-1]))
		to--;
	return (struct http_span){(uint32_t)(from - base), (uint32_t)(to - from)};
}

static bool same_value(const struct http_msg *m, const struct http_field *a, const struct http_field *b)
{
	return a->value.len == b->value.len && !memcmp(http_text(m, a->value), http_text(m, b->value), a->value.len);
}

/* What there may be only one of is remembered. */
static bool note(struct head *h, const struct http_field *f)
{
	const struct http_field **once = f->id == HTTP_ID_HOST		      ? &h->host
					 : f->id == HTTP_ID_CONTENT_LENGTH    ? &h->length
					 : f->id == HTTP_ID_TRANSFER_ENCODING ? &h->coding
									      : NULL;

	if (!once)
		return true;
	if (*once && h->m->is_response && f->id == HTTP_ID_CONTENT_LENGTH && same_value(h->m, *once, f)) {
		h->left_out = h->m->edited = true; /* RFC 9112, section 6.3 */
		h->m->n_fields--;
		return true;
	}
	if (*once && !(h->m->is_response && f->id == HTTP_ID_HOST))
		return fail(h, f->id == HTTP_ID_HOST		 ? H1_FAULT_HOST
			       : f->id == HTTP_ID_CONTENT_LENGTH ? H1_FAULT_LENGTH
								 : H1_FAULT_CODING);
	*once = f;
	return true;
}

/*
 * A line that continues the one before: an answer has it in one, the line end as blanks (RFC 9112, section 5.2). Not so in
 * a request, nor behind a field that was left out.
 */
static __attribute__((cold)) bool unfold(struct head *h)
{
	struct http_msg *m = h->m;
	struct http_field *f;
	char *base = m->base;
	const char *text = h->p, *line = h->p, *text_end;

	if (!m->is_response || !m->n_fields || h->left_out)
		return fail(h, H1_FAULT_FOLDED);
	f = &m->field[m->n_fields - 1];
	while (text < h->end && is_blank(*text))
		text++;
	text_end = h->p = h1_skip_value(text, h->end);
	if (!take_line_end(h, H1_FAULT_FIELD_VALUE))
		return false;
	for (char *c = base + (line - base); c[-1] == '\r' || c[-1] == '\n';)
		*--c = ' ';
	f->value = trimmed(base, f->value.len ? base + f->value.at : text, text_end);
	f->received = false;
	m->edited = true;
	return true;
}

/*
 * Behind the token that begins a line, where no colon is. option accept-invalid-http-… lets other visible bytes be in a
 * name; an answer's may have blanks before its colon, which go behind it (RFC 9112, section 5.1). The colon, or NULL.
 */
static __attribute__((cold)) const char *odd_name(struct head *h, const char *from, const char *p)
{
	const char *colon;
	char *base = h->m->base;

	while (h->m->lenient && p < h->end && *p != ':' && (unsigned char)*p > ' ' && *p != 0x7f)
		p++;
	for (colon = p; h->m->lenient && h->m->is_response && p > from && colon < h->end && is_blank(*colon);)
		colon++;
	if (colon == h->end)
		return need_more(h), NULL;
	if (p == from || *colon != ':')
		return fail(h, *colon == '\n' || *colon == '\r' ? H1_FAULT_LINE_END : H1_FAULT_FIELD_NAME), NULL;
	base[colon - base] = ' ';
	base[p - base] = ':';
	return p;
}

/* `p`: behind the token that begins the line, if it does with one. */
static bool take_field(struct head *h, const char *p)
{
	struct http_msg *m = h->m;
	struct http_field *f = &m->field[m->n_fields];
	const char *const base = m->base, *const end = h->end, *const from = h->p, *value;

	if (m->n_fields >= m->fields_max)
		return fail(h, H1_FAULT_TOO_MANY);
	if (p == from && is_blank(*p))
		return unfold(h);
	if ((p == from || *p != ':') && !(p = odd_name(h, from, p)))
		return false;
	f->name = (struct http_span){(uint32_t)(from - base), (uint32_t)(p - from)};
	f->received = true;
	p++;
	if (end - p >= 2 && p[0] == ' ' && p[1] > ' ') /* as nearly always */
		p++;
	else
		for (; p < end && is_blank(*p); p++)
			;
	value = p;
	h->p = p = h1_skip_value(p, end);
	f->value = trimmed(base, value, p);
	if (!take_line_end(h, H1_FAULT_FIELD_VALUE))
		return false;
	m->n_fields++;
	f->id = http_id_of(from, f->name.len);
	if (f->id == HTTP_ID_OTHER)
		return true;
	m->seen |= (uint8_t)(1u << f->id);
	return note(h, f);
}

/* All up to the empty line. */
static bool take_fields(struct head *h)
{
	for (;;) {
		const char *p = h1_skip_token(h->p, h->end);

		if (p == h->end)
			return need_more(h);
		if (p == h->p && (*p == '\r' || *p == '\n'))
			return take_line_end(h, H1_FAULT_LINE_END);
		if (!take_field(h, p))
			return false;
	}
}

/* ---- What the whole head says ---- */

static bool read_length(struct head *h, const struct http_field *f)
{
	const char *p = http_text(h->m, f->value);
	uint64_t n = 0;

	if (!f->value.len)
		return fail(h, H1_FAULT_LENGTH);
	for (uint32_t i = 0; i < f->value.len; i++) {
		if (p[i] < '0' || p[i] > '9' || n > (INT64_MAX - 9) / 10)
			return fail(h, H1_FAULT_LENGTH);
		n = n * 10 + (uint64_t)(p[i] - '0');
	}
	h->m->length = n;
	return true;
}

/* RFC 9112, section 6.3: chunks count, the length goes, and nothing more is believed that comes in this connection. */
static bool drop_length(struct head *h)
{
	struct http_msg *m = h->m;
	unsigned at = (unsigned)(h->length - m->field);

	memmove(&m->field[at], &m->field[at + 1], (--m->n_fields - at) * sizeof(m->field[0]));
	m->length = 0;
	m->edited = h->distrusted = true;
	return true;
}

static bool check_lengths(struct head *h)
{
	const struct http_msg *m = h->m;

	if (h->length && !read_length(h, h->length))
		return false;
	if (!h->coding)
		return true;
	if (!http_same_name(http_text(m, h->coding->value), h->coding->value.len, "chunked", 7) ||
	    !m->minor) /* RFC 9112, section 6.1: the framing of such a 1.0 message is faulty */
		return fail(h, H1_FAULT_CODING);
	return !h->length || (m->is_response ? drop_length(h) : fail(h, H1_FAULT_BOTH_LENGTHS));
}

/* Is one of these among the protocols that it offers? */
static bool asks_for(const struct http_msg *m, const char *one, const char *other)
{
	for (unsigned i = 0; i < m->n_fields; i++) {
		struct http_span name;
		uint32_t at = 0;

		if (m->field[i].id != HTTP_ID_UPGRADE)
			continue;
		while (http_next_element(m, m->field[i].value, &at, &name))
			if (http_same_name(http_text(m, name), name.len, one, strlen(one)) ||
			    http_same_name(http_text(m, name), name.len, other, strlen(other)))
				return true;
	}
	return false;
}

/* The key is 16 bytes in base64. */
static bool lacks_websocket_key(const struct http_msg *m)
{
	const struct http_field *key = http_find(m, "sec-websocket-key", 17, 0);

	return asks_for(m, "websocket", "websocket") && (!key || key->value.len != 24);
}

/*
 * "Upgrade: h2c" would make a tunnel of which no rule sees the requests. RFC 9113, section 3.1, has done
 * away with it; a client goes on in HTTP/1.1 when the field is ignored.
 */
static void judge_connection(struct http_msg *m)
{
	m->options = m->seen >> HTTP_ID_CONNECTION & 1 ? http_connection_options(m) : 0;
	m->keep_alive =
	    !(m->options & HTTP_OPTION_CLOSE) && (m->minor || m->options & HTTP_OPTION_KEEP_ALIVE);
	m->upgrade = m->minor && m->options & HTTP_OPTION_UPGRADE &&
		     m->seen >> HTTP_ID_UPGRADE & 1 && !asks_for(m, "h2c", "h2");
}

/* Without the port that its scheme has anyway. */
static size_t without_default_port(const struct http_msg *m, const char *host, size_t len)
{
	const char *scheme = http_text(m, m->target);

	if (!m->absolute_form)
		return len;
	if (len > 3 && !memcmp(host + len - 3, ":80", 3) && http_same_name(scheme, 5, "http:", 5))
		return len - 3;
	if (len > 4 && !memcmp(host + len - 4, ":443", 4) && http_same_name(scheme, 6, "https:", 6))
		return len - 4;
	return len;
}

/* RFC 9112, section 3.2.2: the target's authority is what counts; two that differ are a trap. */
static bool check_host(struct head *h)
{
	struct http_msg *m = h->m;
	bool named = m->absolute_form || m->method == HTTP_METHOD_CONNECT;
	struct http_span name = m->absolute_form ? http_authority(m) : m->target;
	const char *a = http_text(m, name), *b;
	size_t a_len = without_default_port(m, a, name.len), b_len;

	m->has_host = h->host;
	if (named && (!a_len || memchr(a, '@', a_len)))
		return fail(h, H1_FAULT_TARGET);
	if (!h->host)
		return true;
	b = http_text(m, h->host->value);
	for (uint32_t i = 0; i < h->host->value.len; i++)
		if (!h1_is_host((unsigned char)b[i]))
			return fail(h, H1_FAULT_HOST);
	b_len = without_default_port(m, b, h->host->value.len);
	return !named || http_same_name(a, a_len, b, b_len) || fail(h, H1_FAULT_HOST);
}

static bool judge_request(struct head *h)
{
	struct http_msg *m = h->m;
	const struct http_field *expect = http_find_id(m, HTTP_ID_EXPECT);

	if (!check_lengths(h) || !check_host(h))
		return false;
	m->framing = h->coding	     ? HTTP_BODY_CHUNKED
		     : m->length > 0 ? HTTP_BODY_LENGTH
				     : HTTP_BODY_NONE;
	if (m->method == HTTP_METHOD_CONNECT && m->framing != HTTP_BODY_NONE)
		return fail(h, H1_FAULT_CONNECT_BODY);
	judge_connection(m);
	if (m->upgrade && lacks_websocket_key(m))
		return fail(h, H1_FAULT_WEBSOCKET);
	if (m->framing != HTTP_BODY_NONE)
		m->upgrade = false; /* where its body ends and the other protocol begins is moot */
	m->expects_continue =
	    expect && m->minor &&
	    http_same_name(http_text(m, expect->value), expect->value.len, "100-continue", 12);
	return true;
}

static bool judge_response(struct head *h, enum http_method asked, bool asked_upgrade)
{
	struct http_msg *m = h->m;
	unsigned status = m->status;

	if (!check_lengths(h))
		return false;
	judge_connection(m);
	m->keep_alive &= !h->distrusted;
	if (status == 101 && !asked_upgrade) /* nobody asked for another protocol */
		return fail(h, H1_FAULT_START_LINE);
	if (status == 101 || (asked == HTTP_METHOD_CONNECT && status / 100 == 2))
		m->framing = HTTP_BODY_TUNNEL;
	else if (asked == HTTP_METHOD_HEAD || status / 100 == 1 || status == 204 || status == 304)
		m->framing = HTTP_BODY_NONE;
	else if (h->coding)
		m->framing = HTTP_BODY_CHUNKED;
	else if (h->length)
		m->framing = m->length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	else
		m->framing = HTTP_BODY_CLOSE;
	return true;
}

static ssize_t result(const struct head *h, bool ok)
{
	if (ok)
		return h->p - h->begin <= (ssize_t)h->m->head_max ? h->p - h->begin : -H1_FAULT_TOO_LARGE;
	if (!h->more)
		return -(ssize_t)h->fault;
	return h->end - h->begin < (ssize_t)h->m->head_max ? 0 : -H1_FAULT_TOO_LARGE;
}

ssize_t h1_request(struct http_msg *m, uint32_t at, uint32_t len)
{
	const char *begin = m->base + at;
	struct head h = {.m = m, .begin = begin, .p = begin, .end = begin + len};

	return result(&h, take_request_line(&h) && take_fields(&h) && judge_request(&h));
}

ssize_t h1_response(struct http_msg *m, uint32_t at, uint32_t len, enum http_method asked,
		    bool asked_upgrade)
{
	const char *begin = m->base + at;
	struct head h = {.m = m, .begin = begin, .p = begin, .end = begin + len};

	m->is_response = true;
	return result(&h, take_status_line(&h) && take_fields(&h) &&
			      judge_response(&h, asked, asked_upgrade));
}
