/* SPDX-License-Identifier: MIT */
#include "msg.h"

#include <errno.h>
#include <string.h>

#include "http_reason.h"

static bool is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

bool http_same_name(const char *a, size_t a_len, const char *b, size_t b_len)
{
	if (a_len != b_len)
		return false;
	for (size_t i = 0; i < a_len; i++)
		if (a[i] != b[i] && ((a[i] ^ b[i]) != 0x20 || !is_letter(a[i])))
			return false;
	return true;
}

static const struct {
	const char *name;
	size_t len;
	enum http_method method;
} methods[] = {
    {"GET", 3, HTTP_METHOD_GET},       {"POST", 4, HTTP_METHOD_POST},
    {"HEAD", 4, HTTP_METHOD_HEAD},     {"PUT", 3, HTTP_METHOD_PUT},
    {"DELETE", 6, HTTP_METHOD_DELETE}, {"OPTIONS", 7, HTTP_METHOD_OPTIONS},
    {"PATCH", 5, HTTP_METHOD_PATCH},   {"TRACE", 5, HTTP_METHOD_TRACE},
    {"CONNECT", 7, HTTP_METHOD_CONNECT},
};

enum http_method http_method_of(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (len == methods[i].len && !memcmp(text, methods[i].name, len))
			return methods[i].method;
	return HTTP_METHOD_OTHER;
}

const char *http_method_name(enum http_method method)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (methods[i].method == method)
			return methods[i].name;
	return NULL;
}

static inline uint64_t lower_eight(const char *p)
{
	uint64_t x;

	memcpy(&x, p, 8);
	return x | UINT64_C(0x2020202020202020);
}

static inline uint32_t lower_four(const char *p)
{
	uint32_t x;

	memcpy(&x, p, 4);
	return x | 0x20202020u;
}

/*
 * Is it this word of small letters and "-", of 4 bytes or more? Only for text without control bytes:
 * there one bit is all that case is, and nothing else becomes such a word by it.
 */
static inline bool is_word(const char *text, const char *word, size_t len)
{
	for (size_t i = 0; i + 8 < len; i += 8)
		if (lower_eight(text + i) != lower_eight(word + i))
			return false;
	if (len >= 8) /* some of them again */
		return lower_eight(text + len - 8) == lower_eight(word + len - 8);
	return lower_four(text) == lower_four(word) &&
	       lower_four(text + len - 4) == lower_four(word + len - 4);
}

#define IS_WORD(text, len, word) ((len) == sizeof(word) - 1 && is_word(text, word, sizeof(word) - 1))

enum http_id http_id_of(const char *name, size_t len)
{
	switch (len) {
	case 4:
		return IS_WORD(name, len, "host") ? HTTP_ID_HOST : HTTP_ID_OTHER;
	case 6:
		return IS_WORD(name, len, "expect") ? HTTP_ID_EXPECT : HTTP_ID_OTHER;
	case 7:
		return IS_WORD(name, len, "upgrade") ? HTTP_ID_UPGRADE : HTTP_ID_OTHER;
	case 10:
		return IS_WORD(name, len, "connection") ? HTTP_ID_CONNECTION : HTTP_ID_OTHER;
	case 14:
		return IS_WORD(name, len, "content-length") ? HTTP_ID_CONTENT_LENGTH
							    : HTTP_ID_OTHER;
	case 17:
		return IS_WORD(name, len, "transfer-encoding") ? HTTP_ID_TRANSFER_ENCODING
							       : HTTP_ID_OTHER;
	default:
		return HTTP_ID_OTHER;
	}
}

/* ---- Reading ---- */

const struct http_field *http_find(const struct http_msg *m, const char *name, size_t len,
				   unsigned from)
{
	for (unsigned i = from; i < m->n_fields; i++)
		if (http_same_name(http_text(m, m->field[i].name), m->field[i].name.len, name, len))
			return &m->field[i];
	return NULL;
}

const struct http_field *http_find_id(const struct http_msg *m, enum http_id id)
{
	for (unsigned i = 0; m->seen >> id & 1 && i < m->n_fields; i++)
		if (m->field[i].id == id)
			return &m->field[i];
	return NULL;
}

bool http_next_listed(const struct http_msg *m, struct http_span value, uint32_t *at,
		      struct http_span *ret)
{
	const char *text = http_text(m, value);
	uint32_t from = *at, to;
	bool quoted = false;

	if (from > value.len)
		return false;
	for (to = from; to < value.len && (quoted || text[to] != ','); to++) {
		if (text[to] == '"')
			quoted = !quoted;
		else if (quoted && text[to] == '\\' && to + 1 < value.len)
			to++;
	}
	*at = to + 1;
	while (from < to && (text[from] == ' ' || text[from] == '\t'))
		from++;
	while (to > from && (text[to - 1] == ' ' || text[to - 1] == '\t'))
		to--;
	*ret = (struct http_span){value.at + from, to - from};
	return true;
}

bool http_next_element(const struct http_msg *m, struct http_span value, uint32_t *at,
		       struct http_span *ret)
{
	while (http_next_listed(m, value, at, ret))
		if (ret->len)
			return true;
	return false;
}

bool http_ends_cookie(char c)
{
	return c == ';' || c == ',';
}

size_t http_cookie_len(const char *text, size_t len)
{
	bool in_value = false, quoted = false;
	size_t n = 0;

	for (; n < len && (quoted || !http_ends_cookie(text[n])); n++) {
		if (text[n] == '=')
			in_value = true;
		else if (text[n] == '"' && in_value)
			quoted = !quoted;
		else if (quoted && text[n] == '\\' && n + 1 < len)
			n++;
	}
	return n;
}

static uint8_t option_of(const char *text, size_t len)
{
	if (IS_WORD(text, len, "close"))
		return HTTP_OPTION_CLOSE;
	if (IS_WORD(text, len, "keep-alive"))
		return HTTP_OPTION_KEEP_ALIVE;
	return IS_WORD(text, len, "upgrade") ? HTTP_OPTION_UPGRADE : HTTP_OPTION_OTHER;
}

uint8_t http_connection_options(const struct http_msg *m)
{
	uint8_t options = 0;

	for (unsigned i = 0; i < m->n_fields; i++) {
		const struct http_span *value = &m->field[i].value;
		uint8_t alone;
		struct http_span element;
		uint32_t at = 0;

		if (m->field[i].id != HTTP_ID_CONNECTION)
			continue;
		alone = option_of(http_text(m, *value), value->len); /* as nearly always */
		if (alone != HTTP_OPTION_OTHER) {
			options |= alone;
			continue;
		}
		while (http_next_element(m, *value, &at, &element))
			options |= option_of(http_text(m, element), element.len);
	}
	return options;
}

/* Where the path of the target begins: of absolute-form behind scheme and authority. */
static uint32_t path_at(const struct http_msg *m)
{
	const char *text = http_text(m, m->target), *end = text + m->target.len, *p = text;

	if (m->absolute_form) {
		p = memchr(text, ':', m->target.len);
		for (p = p ? p + 3 : end; p < end && *p != '/' && *p != '?'; p++)
			;
	} else if (p < end && *p != '/') {
		p = end;
	}
	return (uint32_t)(p - text);
}

struct http_span http_authority(const struct http_msg *m)
{
	uint32_t end = path_at(m), at = 0;

	if (!m->absolute_form)
		return (struct http_span){m->target.at, 0};
	while (http_text(m, m->target)[at] != ':')
		at++;
	return (struct http_span){m->target.at + at + 3, end - at - 3};
}

struct http_span http_path(const struct http_msg *m)
{
	uint32_t at = path_at(m);
	const char *text = http_text(m, m->target) + at;
	const char *query = memchr(text, '?', m->target.len - at);

	return (struct http_span){m->target.at + at,
				  query ? (uint32_t)(query - text) : m->target.len - at};
}

struct http_span http_query(const struct http_msg *m)
{
	struct http_span path = http_path(m);
	uint32_t at = path.at + path.len, end = m->target.at + m->target.len;

	return at < end ? (struct http_span){at + 1, end - at - 1} : (struct http_span){end, 0};
}

/* ---- Changing ---- */

bool http_store(struct http_msg *m, const char *text, size_t len, struct http_span *ret)
{
	if (len > m->room_end - m->room_at)
		return false;
	if (len)
		memcpy(m->base + m->room_at, text, len);
	*ret = (struct http_span){m->room_at, (uint32_t)len};
	m->room_at += (uint32_t)len;
	return true;
}

/* A field of this id is another, or new, or gone. */
static void changed(struct http_msg *m, enum http_id id)
{
	m->edited = true;
	m->seen |= (uint8_t)(1u << id);
	if (id == HTTP_ID_CONNECTION)
		m->options |= HTTP_OPTION_OTHER;
}

int http_add(struct http_msg *m, const char *name, size_t name_len, const char *value,
	     size_t value_len)
{
	uint32_t room_at = m->room_at;
	struct http_field f = {.id = http_id_of(name, name_len)};

	if (m->n_fields == sizeof(m->field) / sizeof(m->field[0]) ||
	    !http_store(m, name, name_len, &f.name) || !http_store(m, value, value_len, &f.value)) {
		m->room_at = room_at;
		return -ENOSPC;
	}
	m->field[m->n_fields++] = f;
	changed(m, f.id);
	return 0;
}

void http_remove_at(struct http_msg *m, unsigned place)
{
	changed(m, m->field[place].id);
	m->n_fields--;
	memmove(&m->field[place], &m->field[place + 1],
		(m->n_fields - place) * sizeof(m->field[0]));
}

unsigned http_remove(struct http_msg *m, const char *name, size_t len)
{
	unsigned n = 0;

	for (unsigned i = m->n_fields; i-- > 0;)
		if (http_same_name(http_text(m, m->field[i].name), m->field[i].name.len, name,
				   len)) {
			http_remove_at(m, i);
			n++;
		}
	return n;
}

unsigned http_remove_id(struct http_msg *m, enum http_id id)
{
	unsigned n = 0;

	for (unsigned i = m->seen >> id & 1 ? m->n_fields : 0; i-- > 0;)
		if (m->field[i].id == id) {
			http_remove_at(m, i);
			n++;
		}
	return n;
}

int http_set(struct http_msg *m, const char *name, size_t name_len, const char *value,
	     size_t value_len)
{
	int e = http_add(m, name, name_len, value, value_len);
	struct http_field added;

	if (e == -ENOSPC)
		return e;
	added = m->field[--m->n_fields];
	http_remove(m, name, name_len);
	m->field[m->n_fields++] = added;
	return 0;
}

int http_set_value(struct http_msg *m, unsigned place, const char *value, size_t len)
{
	if (!http_store(m, value, len, &m->field[place].value))
		return -ENOSPC;
	m->field[place].received = false;
	changed(m, m->field[place].id);
	return 0;
}

int http_set_method(struct http_msg *m, const char *method, size_t len)
{
	if (!http_store(m, method, len, &m->method_text))
		return -ENOSPC;
	m->method = http_method_of(method, len);
	m->edited = true;
	return 0;
}

int http_set_target(struct http_msg *m, const char *target, size_t len)
{
	if (!http_store(m, target, len, &m->target))
		return -ENOSPC;
	m->absolute_form =
	    len && target[0] != '/' && memmem(target, len, "://", 3) && m->method != HTTP_METHOD_CONNECT;
	m->edited = true;
	return 0;
}

int http_set_authority(struct http_msg *m, const char *host, size_t len)
{
	struct http_span old = http_authority(m), whole, part;
	uint32_t room_at = m->room_at, before = old.at - m->target.at, behind = old.at + old.len;

	if (!m->absolute_form)
		return 0;
	if (!http_store(m, http_text(m, m->target), before, &whole) || !http_store(m, host, len, &part) ||
	    !http_store(m, m->base + behind, m->target.at + m->target.len - behind, &part)) {
		m->room_at = room_at;
		return -ENOSPC;
	}
	whole.len = m->room_at - room_at; /* they stand behind each other */
	m->target = whole;
	m->edited = true;
	return 0;
}

int http_set_status(struct http_msg *m, unsigned status, const char *reason)
{
	struct http_span text;

	if (!reason)
		reason = http_reason(status);
	if (!http_store(m, reason, strlen(reason), &text))
		return -ENOSPC;
	m->status = status;
	m->reason = text;
	m->edited = true;
	return 0;
}

/* ---- Writing ---- */

struct writer {
	char *at, *end;
	bool full;
};

static void put(struct writer *w, const char *text, size_t len)
{
	if (len > (size_t)(w->end - w->at)) {
		w->full = true;
		return;
	}
	memcpy(w->at, text, len);
	w->at += len;
}

static void put_span(struct writer *w, const struct http_msg *m, struct http_span s)
{
	put(w, http_text(m, s), s.len);
}

static void put_start_line(struct writer *w, const struct http_msg *m)
{
	char version[] = "HTTP/1.0", status[] = " 000 ";

	version[7] = (char)('0' + m->minor);
	if (m->is_response) {
		status[1] = (char)('0' + m->status / 100 % 10);
		status[2] = (char)('0' + m->status / 10 % 10);
		status[3] = (char)('0' + m->status % 10);
		put(w, version, 8);
		put(w, status, 5);
		put_span(w, m, m->reason);
	} else {
		put_span(w, m, m->method_text);
		put(w, " ", 1);
		put_span(w, m, m->target);
		put(w, " ", 1);
		put(w, version, 8);
	}
	put(w, "\r\n", 2);
}

static uint32_t end_of(struct http_span s)
{
	return s.at + s.len;
}

/* One field, or all that follow each other in the buffer as they will do on the wire. How many. */
static unsigned put_fields(struct writer *w, const struct http_msg *m, unsigned from)
{
	const struct http_field *f = &m->field[from], *last = f;

	if (f->received) {
		while (last + 1 < m->field + m->n_fields && last[1].received &&
		       last[1].name.at == end_of(last->value) + 2)
			last++;
		put(w, m->base + f->name.at, end_of(last->value) - f->name.at);
	} else {
		put_span(w, m, f->name);
		put(w, ": ", 2);
		put_span(w, m, f->value);
	}
	put(w, "\r\n", 2);
	return (unsigned)(last - f) + 1;
}

ssize_t http_write(const struct http_msg *m, char *buf, size_t cap)
{
	struct writer w = {buf, buf + cap, false};

	put_start_line(&w, m);
	for (unsigned i = 0; i < m->n_fields;)
		i += put_fields(&w, m, i);
	put(&w, "\r\n", 2);
	return w.full ? -ENOSPC : w.at - buf;
}
