/* SPDX-License-Identifier: MIT */
/* The variables of log formats, as HAProxy 2.6's manual has them (section 8.2.4). */
#include "rules/log_facts.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- Text ---- */

void log_put(struct log_writer *w, const char *at, size_t len)
{
	if (len > w->cap - w->len) {
		w->full = true;
		len = w->cap - w->len;
	}
	if (len)
		memcpy(w->at + w->len, at, len);
	w->len += len;
}

static void put_string(struct log_writer *w, const char *text)
{
	log_put(w, text, strlen(text));
}

static void put_escaped(struct log_writer *w, const char *c)
{
	if (strchr("\"\\]", *c) && *c)
		log_put(w, "\\", 1);
	log_put(w, c, 1);
}

/* `encode`, of a message: what could break a line, or what reads it, is "#" and two digits; what is left may be escaped. */
static void put_content(struct log_writer *w, struct text t, unsigned flags, const char *encode)
{
	if (!encode && !(flags & LOG_ESCAPE)) {
		log_put(w, t.at, t.len);
		return;
	}
	for (size_t i = 0; i < t.len; i++) {
		unsigned char c = (unsigned char)t.at[i];
		char hex[4];

		if (encode && (c < 0x20 || c >= 0x7f || strchr(encode, c))) {
			snprintf(hex, sizeof(hex), "#%02X", c);
			log_put(w, hex, 3);
		} else if (flags & LOG_ESCAPE) {
			put_escaped(w, t.at + i);
		} else {
			log_put(w, t.at + i, 1);
		}
	}
}

/* `encode`: characters that are encoded, too; NULL: nothing is. */
static void put_text(struct log_writer *w, struct text t, unsigned flags, const char *encode)
{
	if (!t.len) {
		put_string(w, flags & LOG_QUOTE ? "\"\"" : flags & LOG_OPTIONAL ? "" : "-");
		return;
	}
	if (flags & LOG_QUOTE)
		log_put(w, "\"", 1);
	put_content(w, t, flags, encode);
	if (flags & LOG_QUOTE)
		log_put(w, "\"", 1);
}

#define URL_ENCODE "\"#"
#define HEADER_ENCODE "\"#{|}"

void log_put_text(struct log_writer *w, struct text t, unsigned flags, bool is_message)
{
	put_text(w, t, flags, is_message ? HEADER_ENCODE : NULL);
}

static void put_words(struct log_writer *w, const char *text, unsigned flags)
{
	put_text(w, text_of(text, strlen(text)), flags, NULL);
}

/* ---- Numbers, addresses, dates ---- */

static void put_number(struct log_writer *w, int64_t n, unsigned flags, const char *hex_format)
{
	char text[32];
	int len;

	if (flags & LOG_HEX && hex_format)
		len =
		    snprintf(text, sizeof(text), *hex_format == '4' ? "%04X" : "%02X", (unsigned)n);
	else
		len = snprintf(text, sizeof(text), "%" PRId64, n);
	log_put(w, text, (size_t)len); /* never in quotes */
}

/* Of a second: what is behind its point. */
static void put_ms(struct log_writer *w, unsigned ms, unsigned flags)
{
	char text[8];

	log_put(w, text, (size_t)snprintf(text, sizeof(text), flags & LOG_HEX ? "%02X" : "%03u", ms % 1000));
}

/* With a plus when there may be more. */
static void put_growing(struct log_writer *w, int64_t n, unsigned flags, bool logasap)
{
	if (logasap)
		log_put(w, "+", 1);
	put_number(w, n, flags, NULL);
}

static bool is_address(const struct run_end *e)
{
	return e->address.type == SAMPLE_IPV4 || e->address.type == SAMPLE_IPV6;
}

static void put_address(struct log_writer *w, const struct run_end *e, unsigned flags)
{
	size_t n = e->address.type == SAMPLE_IPV4 ? 4 : 16;
	char text[INET6_ADDRSTRLEN + 1];

	if (!is_address(e)) {
		put_words(w, "unix", flags);
	} else if (flags & LOG_HEX) {
		for (size_t i = 0; i < n; i++)
			snprintf(text + 2 * i, 3, "%02X", e->address.ip[i]);
		log_put(w, text, 2 * n); /* a number: never in quotes */
	} else {
		inet_ntop(n == 4 ? AF_INET : AF_INET6, e->address.ip, text, sizeof(text));
		put_words(w, text, flags);
	}
}

enum zone {
	ZONE_NONE, /* local time, and milliseconds */
	ZONE_LOCAL,
	ZONE_UTC,
};

static void put_date(struct log_writer *w, const struct timespec *t, enum zone zone)
{
	char text[64];
	struct tm tm;
	size_t n = 0;

	if (zone == ZONE_UTC ? gmtime_r(&t->tv_sec, &tm) : localtime_r(&t->tv_sec, &tm))
		n = strftime(text, sizeof(text) - 8,
			     zone == ZONE_NONE ? "%d/%b/%Y:%H:%M:%S" : "%d/%b/%Y:%H:%M:%S %z", &tm);
	if (zone == ZONE_NONE)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ".%03u",
				      (unsigned)(t->tv_nsec / 1000000) % 1000);
	log_put(w, text, n);
}

/* ---- The request line, and what was captured ---- */

static struct text word_of(struct text line, unsigned n)
{
	const char *at = line.at, *end = at + line.len;

	for (; n && at < end; n--) {
		const char *space = memchr(at, ' ', (size_t)(end - at));

		at = space ? space + 1 : end;
	}
	for (line.at = at; at < end && *at != ' '; at++)
		;
	return text_of(line.at, (size_t)(at - line.at));
}

struct text log_request_part(const struct log_facts *f, int part)
{
	static const char bad[] = "<BADREQ>";
	struct text t = f->line.at ? f->line : text_of(bad, sizeof(bad) - 1);
	const char *query;

	switch (f->line.at ? part : 'R') {
	case 'M':
	case 'V':
		return word_of(t, part == 'M' ? 0 : 2);
	case 'U':
	case 'P':
	case 'O':
	case 'Q':
		t = word_of(t, 1);
		query = memchr(t.at, '?', t.len);
		if (part == 'Q')
			return query ? text_of(query, (size_t)(t.at + t.len - query)) : text_of("", 0);
		if (part != 'U' && query)
			t.len = (size_t)(query - t.at);
		if (part == 'O' && t.len && *t.at != '/') { /* absolute: only its path */
			const char *slashes = memmem(t.at, t.len, "://", 3);
			const char *path =
			    slashes ? memchr(slashes + 3, '/', (size_t)(t.at + t.len - slashes - 3))
				    : NULL;

			return path ? text_of(path, (size_t)(t.at + t.len - path)) : text_of("", 0);
		}
		return t;
	default:
		return t;
	}
}

static void put_request(struct log_writer *w, int part, unsigned flags, const struct log_facts *f)
{
	const struct text t = log_request_part(f, part);

	if (t.len || (flags & LOG_QUOTE)) /* a part that is not there is nothing */
		put_text(w, t, flags, URL_ENCODE);
}

struct text log_unique_id(const struct log_facts *f)
{
	const char *id = f->unique_id ? *f->unique_id : NULL;

	return text_of(id, id ? strlen(id) : 0);
}

struct text log_captured(const struct log_facts *f, unsigned side, unsigned slot)
{
	const char *t = f->captures ? f->captures->at[side][slot] : NULL;

	return text_of(t, t ? strlen(t) : 0);
}

/* "{a|b}" */
static bool put_captures(struct log_writer *w, unsigned side, unsigned flags,
			 const struct log_facts *f)
{
	if (!f->n_captures[side])
		return false;
	put_string(w, flags & LOG_QUOTE ? "\"{" : "{");
	for (unsigned i = 0; i < f->n_captures[side]; i++) {
		if (i)
			log_put(w, "|", 1);
		put_content(w, log_captured(f, side, i), flags, HEADER_ENCODE);
	}
	put_string(w, flags & LOG_QUOTE ? "}\"" : "}");
	return true;
}

/* one after the other; what was empty is not "-" */
static bool put_capture_list(struct log_writer *w, unsigned side, unsigned flags,
			     const struct log_facts *f)
{
	for (unsigned i = 0; i < f->n_captures[side]; i++) {
		struct text t = log_captured(f, side, i);

		if (i)
			log_put(w, " ", 1);
		put_text(w, t, t.at ? flags | LOG_OPTIONAL : flags, HEADER_ENCODE);
	}
	return f->n_captures[side];
}

/* ---- The table ---- */

enum {
	V_B,
	V_CC,
	V_CS,
	V_H,
	V_HM,
	V_HP,
	V_HPO,
	V_HQ,
	V_HU,
	V_HV,
	V_ID,
	V_ST,
	V_T,
	V_TR,
	V_Ta,
	V_Tc,
	V_Td,
	V_Th,
	V_Ti,
	V_Tl,
	V_Tq,
	V_Tr,
	V_Ts,
	V_Tt,
	V_Tu,
	V_Tw,
	V_U,
	V_ac,
	V_b,
	V_bc,
	V_bi,
	V_bp,
	V_bq,
	V_ci,
	V_cp,
	V_f,
	V_fc,
	V_fi,
	V_fp,
	V_ft,
	V_hr,
	V_hrl,
	V_hs,
	V_hsl,
	V_lc,
	V_ms,
	V_pid,
	V_r,
	V_rc,
	V_rt,
	V_s,
	V_sc,
	V_si,
	V_sp,
	V_sq,
	V_sslc,
	V_sslv,
	V_t,
	V_tr,
	V_trg,
	V_trl,
	V_ts,
	V_tsc,
	N_VARS
};

static const char *const names[N_VARS] = {
    "B",  "CC", "CS",  "H",    "HM",   "HP", "HPO", "HQ",  "HU",  "HV", "ID",  "ST", "T",
    "TR", "Ta", "Tc",  "Td",   "Th",   "Ti", "Tl",  "Tq",  "Tr",  "Ts", "Tt",  "Tu", "Tw",
    "U",  "ac", "b",   "bc",   "bi",   "bp", "bq",  "ci",  "cp",  "f",	"fc",  "fi", "fp",
    "ft", "hr", "hrl", "hs",   "hsl",  "lc", "ms",  "pid", "r",	  "rc", "rt",  "s",  "sc",
    "si", "sp", "sq",  "sslc", "sslv", "t",  "tr",  "trg", "trl", "ts", "tsc",
};

bool log_var_find(struct text name, int *ret)
{
	for (int i = 0; i < N_VARS; i++) {
		if (text_same(name, text_of(names[i], strlen(names[i])), false)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static void put_name(struct log_writer *w, const struct log_facts *f, bool with_mark,
		     unsigned flags)
{
	char name[256];

	snprintf(name, sizeof(name), "%.*s%s", (int)f->frontend_name.len, f->frontend_name.at,
		 with_mark && f->tls ? "~" : "");
	put_words(w, name, flags);
}

static void put_retries(struct log_writer *w, const struct log_facts *f, unsigned flags)
{
	if (f->redispatched)
		log_put(w, "+", 1);
	put_number(w, f->retries, flags, NULL);
}

static void put_host(struct log_writer *w, unsigned flags)
{
	char name[256];

	if (gethostname(name, sizeof(name)) < 0)
		*name = '\0';
	name[sizeof(name) - 1] = '\0';
	put_words(w, name, flags);
}

static void put_known_end(struct log_writer *w, const struct run_end *e, bool address,
			  unsigned flags)
{
	if (!is_address(e))
		put_words(w, "", flags);
	else if (address)
		put_address(w, e, flags);
	else
		put_number(w, e->port, flags, "4");
}

/* Without an address it is a unix socket. A check has none of its own. */
static void put_client_end(struct log_writer *w, const struct log_facts *f, const struct run_end *e,
			   bool address, unsigned flags)
{
	if (f->is_check)
		return;
	if (address)
		put_address(w, e, flags);
	else
		put_number(w, e->port, flags, "4");
}

static void put_backend_end(struct log_writer *w, const struct log_facts *f, bool address,
			    unsigned flags)
{
	struct run_end e = {.address = sample_bool(false)};

	if (f->own_end)
		f->own_end(f->backend_fd, &e);
	put_known_end(w, &e, address, flags);
}

/* clang-format off */
bool log_put_var(struct log_writer *w, int var, unsigned flags, const struct log_facts *f)
{
	switch (var) { /* flat: one line for each */
	case V_B: put_growing(w, (int64_t)f->bytes, flags, f->logasap); break;
	case V_CC: put_text(w, f->cookie, flags, NULL); break;
	case V_CS: put_text(w, f->set_cookie, flags, NULL); break;
	case V_H: put_host(w, flags); break;
	case V_HM: put_request(w, 'M', flags, f); break;
	case V_HP: put_request(w, 'P', flags, f); break;
	case V_HPO: put_request(w, 'O', flags, f); break;
	case V_HQ: put_request(w, 'Q', flags, f); break;
	case V_HU: put_request(w, 'U', flags, f); break;
	case V_HV: put_request(w, 'V', flags, f); break;
	case V_ID: put_text(w, log_unique_id(f), flags, NULL); break;
	case V_ST: put_number(w, f->status, flags, NULL); break;
	case V_T: put_date(w, &f->accepted, ZONE_UTC); break;
	case V_TR: put_number(w, f->request, flags, NULL); break;
	case V_Ta: put_growing(w, f->active, flags, f->logasap); break;
	case V_Tc: put_number(w, f->connect, flags, NULL); break;
	case V_Td: put_number(w, f->data, flags, NULL); break;
	case V_Th: put_number(w, f->handshake, flags, NULL); break;
	case V_Ti: put_number(w, f->idle, flags, NULL); break;
	case V_Tl: put_date(w, &f->accepted, ZONE_LOCAL); break;
	case V_Tq: put_number(w, f->request < 0 ? -1 : f->handshake + f->idle + f->request, flags, NULL); break;
	case V_Tr: put_number(w, f->response, flags, NULL); break;
	case V_Ts: put_number(w, f->accepted.tv_sec, flags, "4"); break;
	case V_Tt: put_growing(w, f->total, flags, f->logasap); break;
	case V_Tu: put_growing(w, f->user, flags, f->logasap); break;
	case V_Tw: put_number(w, f->queue, flags, NULL); break;
	case V_U: put_number(w, (int64_t)f->uploaded, flags, NULL); break;
	case V_ac: put_number(w, f->actconn, flags, NULL); break;
	case V_b: put_text(w, f->backend_name, flags, NULL); break;
	case V_bc: put_number(w, f->beconn, flags, NULL); break;
	case V_bi: put_backend_end(w, f, true, flags); break;
	case V_bp: put_backend_end(w, f, false, flags); break;
	case V_bq: put_number(w, f->backend_queue, flags, NULL); break;
	case V_ci: put_client_end(w, f, &f->client, true, flags); break;
	case V_cp: put_client_end(w, f, &f->client, false, flags); break;
	case V_f: put_name(w, f, false, flags); break;
	case V_fc: put_number(w, f->feconn, flags, NULL); break;
	case V_fi: put_client_end(w, f, &f->frontend, true, flags); break;
	case V_fp: put_client_end(w, f, &f->frontend, false, flags); break;
	case V_ft: put_name(w, f, true, flags); break;
	case V_hr: return put_captures(w, 0, flags, f);
	case V_hrl: return put_capture_list(w, 0, flags, f);
	case V_hs: return put_captures(w, 1, flags, f);
	case V_hsl: return put_capture_list(w, 1, flags, f);
	case V_lc: put_number(w, f->n_lines, flags, "4"); break;
	case V_ms: put_ms(w, (unsigned)(f->accepted.tv_nsec / 1000000), flags); break;
	case V_pid: put_number(w, getpid(), flags, "4"); break;
	case V_r: put_request(w, 'R', flags, f); break;
	case V_rc: put_retries(w, f, flags); break;
	case V_rt: put_number(w, f->count, flags, "4"); break;
	case V_s: put_text(w, f->server_name, flags, NULL); break;
	case V_sc: put_number(w, f->srvconn, flags, NULL); break;
	case V_si: put_known_end(w, &f->server, true, flags); break;
	case V_sp: put_known_end(w, &f->server, false, flags); break;
	case V_sq: put_number(w, f->server_queue, flags, NULL); break;
	case V_sslc: put_text(w, f->tls_cipher, flags, NULL); break;
	case V_sslv: put_text(w, f->tls_version, flags, NULL); break;
	case V_t: put_date(w, &f->accepted, ZONE_NONE); break;
	case V_tr: put_date(w, &f->began, ZONE_NONE); break;
	case V_trg: put_date(w, &f->began, ZONE_UTC); break;
	case V_trl: put_date(w, &f->began, ZONE_LOCAL); break;
	case V_ts: log_put(w, f->state, 2); break;
	case V_tsc: log_put(w, f->state, 4); break;
	default: return false;
	}
	return true;
}
/* clang-format on */
