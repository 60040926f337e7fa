/* SPDX-License-Identifier: MIT */
#include "rules/log_json.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- Values ---- */

static void put_string(struct log_writer *w, const char *text)
{
	log_put(w, text, strlen(text));
}

/* Bytes of the UTF-8 (RFC 3629, section 4) that one character has here. 0: none begins. */
static size_t utf8_len(const char *at, size_t n)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = {{0x80, 0, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	const unsigned char *p = (const unsigned char *)at;
	uint32_t c;

	for (size_t len = 1; len <= 4 && len <= n; len++) {
		if ((p[0] & forms[len - 1].mask) != forms[len - 1].lead)
			continue;
		c = p[0] & ~(unsigned)forms[len - 1].mask;
		for (size_t i = 1; i < len; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (p[i] & 0x3f);
		}
		return c >= forms[len - 1].least && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? len : 0;
	}
	return 0;
}

/* Bytes that are no UTF-8 are characters of ISO 8859-1, which fields of HTTP once had (RFC 9110, section 5.5). */
static void put_quoted(struct log_writer *w, struct text t)
{
	log_put(w, "\"", 1);
	for (size_t i = 0, n; i < t.len; i += n) {
		const unsigned char c = (unsigned char)t.at[i];
		char escape[8];

		n = utf8_len(t.at + i, t.len - i);
		if (n && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
			log_put(w, t.at + i, n);
			continue;
		}
		n = 1;
		snprintf(escape, sizeof(escape), c == '"' || c == '\\' ? "\\%c" : "\\u%04x", c);
		put_string(w, escape);
	}
	log_put(w, "\"", 1);
}

/* ---- Members ---- */

static void put_name(struct log_writer *w, const char *name)
{
	put_string(w, w->len && w->at[w->len - 1] != '{' ? ",\"" : "\"");
	put_string(w, name);
	put_string(w, "\":");
}

static void put_text(struct log_writer *w, const char *name, struct text t)
{
	if (!t.len)
		return;
	put_name(w, name);
	put_quoted(w, t);
}

/* Below 0: not known. */
static void put_number(struct log_writer *w, const char *name, int64_t n)
{
	char text[24];

	if (n < 0)
		return;
	put_name(w, name);
	snprintf(text, sizeof(text), "%" PRId64, n);
	put_string(w, text);
}

static void put_true(struct log_writer *w, const char *name, bool holds)
{
	if (!holds)
		return;
	put_name(w, name);
	put_string(w, "true");
}

/* RFC 3339, in UTC */
static void put_time(struct log_writer *w, const char *name, const struct timespec *t)
{
	char text[64];
	struct tm tm;
	size_t n;

	if (!gmtime_r(&t->tv_sec, &tm))
		return;
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03uZ", (unsigned)(t->tv_nsec / 1000000) % 1000);
	put_text(w, name, text_of(text, strlen(text)));
}

static void put_client(struct log_writer *w, const struct run_end *e)
{
	const bool is_ipv4 = e->address.type == SAMPLE_IPV4;
	char text[INET6_ADDRSTRLEN];

	if (!is_ipv4 && e->address.type != SAMPLE_IPV6) {
		put_text(w, "client", text_of("unix", 4));
		return;
	}
	inet_ntop(is_ipv4 ? AF_INET : AF_INET6, e->address.ip, text, sizeof(text));
	put_text(w, "client", text_of(text, strlen(text)));
	put_number(w, "client_port", e->port);
}

static void put_captures(struct log_writer *w, const char *name, unsigned side, const struct log_facts *f)
{
	if (!f->n_captures[side])
		return;
	put_name(w, name);
	for (unsigned i = 0; i < f->n_captures[side]; i++) {
		const struct text t = log_captured(f, side, i);

		log_put(w, i ? "," : "[", 1);
		if (t.at)
			put_quoted(w, t);
		else
			put_string(w, "null");
	}
	log_put(w, "]", 1);
}

/* ---- The line ---- */

static void put_ends(struct log_writer *w, const struct log_facts *f)
{
	put_time(w, "time", &f->began);
	if (!f->is_check)
		put_client(w, &f->client);
	put_text(w, "frontend", f->frontend_name);
	put_text(w, "listener", f->failure.len ? f->listener_name : text_of("", 0));
	put_text(w, "tls_version", f->tls_version);
	put_text(w, "tls_cipher", f->tls_cipher);
}

static void put_times(struct log_writer *w, const struct log_facts *f)
{
	put_number(w, "handshake_ms", f->tls ? f->handshake : -1);
	put_number(w, "request_ms", f->request);
	put_number(w, "queue_ms", f->queue);
	put_number(w, "connect_ms", f->connect);
	put_number(w, "response_ms", f->response);
	put_number(w, "data_ms", f->data);
	put_number(w, "total_ms", f->active);
}

static void put_counts(struct log_writer *w, const struct log_facts *f)
{
	put_number(w, "process_connections", f->actconn);
	put_number(w, "frontend_connections", f->feconn);
	put_number(w, "backend_connections", f->beconn);
	put_number(w, "server_connections", f->srvconn);
	put_number(w, "retries", f->retries);
	put_true(w, "redispatched", f->redispatched);
	put_number(w, "server_queue", f->server_queue);
	put_number(w, "backend_queue", f->backend_queue);
}

static void put_request(struct log_writer *w, const struct log_facts *f)
{
	struct text query = log_request_part(f, 'Q');

	if (!f->line.at)
		return;
	put_text(w, "method", log_request_part(f, 'M'));
	put_text(w, "version", log_request_part(f, 'V'));
	put_text(w, "path", log_request_part(f, 'P'));
	if (query.len)
		put_text(w, "query", text_of(query.at + 1, query.len - 1));
}

void log_put_json(struct log_writer *w, const struct log_facts *f)
{
	log_put(w, "{", 1);
	put_ends(w, f);
	if (f->failure.len) {
		put_text(w, "failure", f->failure);
	} else {
		put_text(w, "backend", f->backend_name);
		put_text(w, "server", f->server_name);
		put_times(w, f);
		put_number(w, "status", f->status ? f->status : -1); /* a session has none */
		put_number(w, "bytes", (int64_t)f->bytes);
		put_number(w, "bytes_uploaded", (int64_t)f->uploaded);
		put_true(w, "goes_on", f->logasap);
		put_text(w, "termination", text_of(f->state, sizeof(f->state)));
		put_counts(w, f);
		put_text(w, "unique_id", log_unique_id(f));
		put_text(w, "request_cookie", f->cookie);
		put_text(w, "response_cookie", f->set_cookie);
		put_captures(w, "request_captures", 0, f);
		put_captures(w, "response_captures", 1, f);
		put_request(w, f);
	}
	log_put(w, "}", 1);
}

/* ---- Where it is too long ---- */

#define CUT ",\"cut\":true}"

/* Where it may end, and how. */
struct end {
	size_t at;
	const char *how;
};

/* From a string's first byte to its closing quote; the end moves along where it may be cut. */
static size_t pass_string(struct text line, size_t i, bool may_cut, struct end *end)
{
	while (i < line.len && line.at[i] != '"') {
		if (may_cut && ((unsigned char)line.at[i] & 0xc0) != 0x80)
			*end = (struct end){i, "\"" CUT};
		if (line.at[i] == '\\')
			i += i + 1 < line.len && line.at[i + 1] == 'u' ? 5 : 1;
		i++;
	}
	return i;
}

struct text log_json_cut(struct text line, size_t room, const char **ret_end)
{
	struct end end = {0, ""};
	unsigned depth = 0;

	*ret_end = "";
	if (line.len <= room)
		return line;
	line.len = room > strlen("\"" CUT) ? room - strlen("\"" CUT) : 0;
	for (size_t i = 0; i < line.len; i++) {
		switch (line.at[i]) {
		case '"':
			i = pass_string(line, i + 1, depth == 1 && i && line.at[i - 1] == ':', &end);
			break;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			depth--;
			break;
		case ',':
			if (depth == 1)
				end = (struct end){i, CUT};
			break;
		default:
			break;
		}
	}
	*ret_end = end.how;
	return text_of(line.at, end.at);
}
