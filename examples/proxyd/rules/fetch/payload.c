/* SPDX-License-Identifier: MIT */
/*
 * Sample fetches of the bytes that a mode tcp connection begins with. What is not there yet may come: then
 * r->may_change is set, and a rule waits. `data` of a table entry is the end whose bytes are meant.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "rules/expr.h"
#include "rules/tls_hello.h"

#define OF_SERVER 1
#define HELLO_CLIENT 1
#define HELLO_SERVER 2

#define PAYLOAD_MAX 16384 /* what is further away than this is never waited for: HAProxy's buffers end there, and what we peek at */

static const struct text *payload(const struct fetch *f, struct run *r)
{
	struct text *t = &r->payload[f->data & OF_SERVER];

	return t->at ? t : NULL;
}

static bool wait_for_more(struct run *r)
{
	r->may_change = !r->ended;
	return false;
}

static bool length(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		   struct run *r, struct fetch_step *step, struct sample *ret)
{
	const struct text *t = payload(f, r);

	if (!t)
		return false;
	wait_for_more(r);
	*ret = sample_int((int64_t)t->len);
	return true;
}

/* (offset, length); length 0: all that is there */
static bool bytes(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		  struct fetch_step *step, struct sample *ret)
{
	const struct text *t = payload(f, r);
	uint64_t at = (uint64_t)arg[0].number, len = (uint64_t)arg[1].number;

	if (!t || at > PAYLOAD_MAX || len > PAYLOAD_MAX - at)
		return false;
	if (at > t->len || len > t->len - at)
		return wait_for_more(r);
	if (!len)
		wait_for_more(r);
	*ret = sample_text(SAMPLE_BIN, t->at + at, len ? len : t->len - at);
	return true;
}

static bool check_bytes(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m,
			struct rule_error *e)
{
	return (arg[0].number >= 0 && arg[1].number >= 0) ||
	       rule_fail(e, "an offset or a length is never negative");
}

/* (offset of the length, its bytes[, offset of the data, with a sign: from behind the length]) */
static bool counted(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		    struct run *r, struct fetch_step *step, struct sample *ret)
{
	const struct text *t = payload(f, r);
	int64_t at = arg[0].number + arg[1].number;
	uint64_t len = 0;

	if (!t)
		return false;
	if (at > (int64_t)t->len)
		return wait_for_more(r);
	for (int64_t i = arg[0].number; i < at; i++)
		len = len << 8 | (uint8_t)t->at[i];
	if (n_args > 2) {
		bool relative = *arg[2].text.at == '+' || *arg[2].text.at == '-';

		at = relative ? at + arg[2].number : arg[2].number;
	}
	if (at < 0 || at > PAYLOAD_MAX || !len || len > PAYLOAD_MAX - (uint64_t)at)
		return false;
	if (at > (int64_t)t->len || len > t->len - (uint64_t)at)
		return wait_for_more(r);
	*ret = sample_text(SAMPLE_BIN, t->at + at, len);
	return true;
}

static bool check_counted(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m,
			  struct rule_error *e)
{
	if (arg[0].number < 0 || arg[0].number > INT32_MAX || arg[1].number < 1 ||
	    arg[1].number > 4)
		return rule_fail(e, "the length has an offset and 1 to 4 bytes");
	return n_args < 3 || (arg[2].number <= INT32_MAX && arg[2].number >= INT32_MIN) ||
	       rule_fail(e, "the offset of the data is too large");
}

/* ---- TLS ---- */

enum {
	HELLO_TYPE = 0,
	HELLO_SNI = 2,
	HELLO_VERSION = 4,
	HELLO_ALPN = 6,
	HELLO_CURVES = 8,
	HELLO_TICKET = 10,
};

static bool hello(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		  struct fetch_step *step, struct sample *ret)
{
	const struct text *t = payload(f, r);
	struct tls_hello h;

	if (!t)
		return false;
	switch (tls_hello_read(*t, f->data & OF_SERVER ? HELLO_SERVER : HELLO_CLIENT, &h)) {
	case TLS_HELLO_NONE:
		return false;
	case TLS_HELLO_PART:
		return wait_for_more(r);
	case TLS_HELLO_WHOLE:
		break;
	}
	switch (f->data & ~OF_SERVER) {
	case HELLO_TYPE:
		*ret = sample_int(h.type);
		return true;
	case HELLO_VERSION: /* 3.3 as 0x30003 */
		*ret = sample_int((int64_t)(h.version >> 8) << 16 | (h.version & 0xff));
		return true;
	case HELLO_CURVES:
		*ret = sample_bool(h.has_curves);
		return h.has_curves;
	case HELLO_TICKET: /* 0: none asked for, 1: asked for, 2: brought along */
		*ret = sample_int(!h.has_tickets ? 0 : h.ticket_len ? 2 : 1);
		return true;
	case HELLO_ALPN:
		*ret = sample_text(SAMPLE_STR, h.alpn.at, h.alpn.len);
		return h.alpn.at;
	default:
		*ret = sample_text(SAMPLE_STR, h.server_name.at, h.server_name.len);
		return h.server_name.at;
	}
}

/* ---- RDP: "Cookie: NAME=value" in the X.224 connection request ([MS-RDPBCGR], section 2.2.1.1) ---- */

#define RDP_HEAD 11 /* TPKT and X.224 */

/* The value of that name, ret->at NULL: there is none. False: more must come first. */
static bool find_rdp_cookie(const struct text *t, struct text name, struct text *ret)
{
	static const char label[] = "Cookie:";
	const size_t label_len = sizeof(label) - 1;
	struct text line;
	const char *end;
	size_t equals;

	*ret = text_of(NULL, 0);
	if (t->len <= RDP_HEAD + label_len)
		return false;
	line = text_of(t->at + RDP_HEAD, t->len - RDP_HEAD);
	if (strncasecmp(line.at, label, label_len) != 0)
		return true;
	line.at += label_len;
	line.len -= label_len;
	while (line.len && *line.at == ' ')
		line.at++, line.len--;
	for (equals = name.len; !name.len && equals < line.len && !strchr("=\r\n", line.at[equals]);)
		equals++;
	if (line.len <= equals)
		return false;
	if (line.at[equals] != '=' || (name.len && strncasecmp(line.at, name.at, name.len) != 0))
		return true;
	line.at += equals + 1;
	line.len -= equals + 1;
	end = memchr(line.at, '\r', line.len);
	if (!end || end + 1 == line.at + line.len)
		return false;
	if (end[1] == '\n')
		*ret = text_of(line.at, (size_t)(end - line.at));
	return true;
}

static bool rdp_cookie(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		       struct run *r, struct fetch_step *step, struct sample *ret)
{
	const struct text *t = payload(f, r);
	struct text value;

	if (!t)
		return false;
	if (!find_rdp_cookie(t, n_args ? arg[0].text : text_of("", 0), &value))
		return wait_for_more(r);
	*ret = f->out == SAMPLE_INT ? sample_int(value.at != NULL) : sample_text(SAMPLE_STR, value.at, value.len);
	return value.at || f->out == SAMPLE_INT;
}

/*
 * distcc_param(TOKEN[,N]), distcc_body(TOKEN[,N]): a message is tokens of four letters, each with a number of eight hexadecimal
 * digits, of most the length of what follows (distcc's protocol-1). Of the n-th such token; 0: of the first.
 */
static bool distcc(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r, struct fetch_step *step,
		   struct sample *ret)
{
	static const char digits[] = "0123456789abcdef", bare[][5] = {"ARGC", "DIST", "DONE", "NFIL", "STAT"};
	int64_t wanted = n_args > 1 && arg[1].number ? arg[1].number : 1;
	const struct text *t = payload(f, r);
	size_t at = 0;

	while (t && t->len - at >= 12) {
		const char *token = t->at + at;
		uint64_t number = 0, len;

		for (unsigned i = 4; i < 12; i++) {
			const char *digit = token[i] ? strchr(digits, tolower((unsigned char)token[i])) : NULL;

			if (!digit)
				return false;
			number = number << 4 | (uint64_t)(digit - digits);
		}
		len = number;
		for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++)
			if (!memcmp(token, bare[i], 4))
				len = 0;
		at += 12;
		if (!memcmp(token, arg[0].text.at, 4) && !--wanted) {
			if (f->out == SAMPLE_INT) {
				*ret = sample_int((int64_t)number);
				return true;
			}
			*ret = sample_text(SAMPLE_BIN, t->at + at, (size_t)len);
			return len <= t->len - at || (len <= PAYLOAD_MAX - at && wait_for_more(r));
		}
		if (len > PAYLOAD_MAX - at)
			return false;
		if (len > t->len - at)
			break;
		at += (size_t)len;
	}
	return t && wait_for_more(r);
}

static bool check_token(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	return arg[0].text.len == 4 || rule_fail(e, "\"%.30s\" is no token: write four letters, such as DOTI", arg[0].text.at);
}

const struct fetch fetches_payload[] = {
    {"distcc_body", "sI", SAMPLE_BIN, EXPR_BYTES, distcc, 0, check_token},
    {"distcc_param", "sI", SAMPLE_INT, EXPR_BYTES, distcc, 0, check_token},
    {"payload", "ii", SAMPLE_BIN, EXPR_BYTES, bytes, 0, check_bytes},
    {"payload_lv", "iiI", SAMPLE_BIN, EXPR_BYTES, counted, 0, check_counted},
    {"rdp_cookie", "S", SAMPLE_STR, EXPR_SENT, rdp_cookie, 0, NULL},
    {"rdp_cookie_cnt", "S", SAMPLE_INT, EXPR_SENT, rdp_cookie, 0, NULL},
    {"rep_ssl_hello_type", "", SAMPLE_INT, EXPR_SAID, hello, HELLO_TYPE | OF_SERVER, NULL},
    {"req.len", "", SAMPLE_INT, EXPR_SENT, length, 0, NULL},
    {"req.payload", "ii", SAMPLE_BIN, EXPR_SENT, bytes, 0, check_bytes},
    {"req.payload_lv", "iiI", SAMPLE_BIN, EXPR_SENT, counted, 0, check_counted},
    {"req.rdp_cookie", "S", SAMPLE_STR, EXPR_SENT, rdp_cookie, 0, NULL},
    {"req.rdp_cookie_cnt", "S", SAMPLE_INT, EXPR_SENT, rdp_cookie, 0, NULL},
    {"req.ssl_alpn", "", SAMPLE_STR, EXPR_SENT, hello, HELLO_ALPN, NULL},
    {"req.ssl_ec_ext", "", SAMPLE_BOOL, EXPR_SENT, hello, HELLO_CURVES, NULL},
    {"req.ssl_hello_type", "", SAMPLE_INT, EXPR_SENT, hello, HELLO_TYPE, NULL},
    {"req.ssl_sni", "", SAMPLE_STR, EXPR_SENT, hello, HELLO_SNI, NULL},
    {"req.ssl_st_ext", "", SAMPLE_INT, EXPR_SENT, hello, HELLO_TICKET, NULL},
    {"req.ssl_ver", "", SAMPLE_INT, EXPR_SENT, hello, HELLO_VERSION, NULL},
    {"req_len", "", SAMPLE_INT, EXPR_SENT, length, 0, NULL},
    {"req_rdp_cookie", "S", SAMPLE_STR, EXPR_SENT, rdp_cookie, 0, NULL},
    {"req_rdp_cookie_cnt", "S", SAMPLE_INT, EXPR_SENT, rdp_cookie, 0, NULL},
    {"req_ssl_hello_type", "", SAMPLE_INT, EXPR_SENT, hello, HELLO_TYPE, NULL},
    {"req_ssl_sni", "", SAMPLE_STR, EXPR_SENT, hello, HELLO_SNI, NULL},
    {"req_ssl_ver", "", SAMPLE_INT, EXPR_SENT, hello, HELLO_VERSION, NULL},
    {"res.len", "", SAMPLE_INT, EXPR_SAID, length, OF_SERVER, NULL},
    {"res.payload", "ii", SAMPLE_BIN, EXPR_SAID, bytes, OF_SERVER, check_bytes},
    {"res.payload_lv", "iiI", SAMPLE_BIN, EXPR_SAID, counted, OF_SERVER, check_counted},
    {"res.ssl_hello_type", "", SAMPLE_INT, EXPR_SAID, hello, HELLO_TYPE | OF_SERVER, NULL},
    {NULL, NULL, 0, 0, NULL, 0, NULL},
};
