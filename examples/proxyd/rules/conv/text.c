/* SPDX-License-Identifier: MIT */
/* Converters from text to text. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "rules/expr.h"
#include "rules/regex.h"
#include "rules/vars.h"

static bool give(struct sample *s, const char *at, size_t len)
{
	*s = sample_text(SAMPLE_STR, at, len);
	return true;
}

static bool change_case(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
			struct run *r, struct sample *s)
{
	char *p = scratch_take(&r->scratch, s->text.len);

	if (!p)
		return false;
	for (size_t i = 0; i < s->text.len; i++) {
		unsigned char byte = (unsigned char)s->text.at[i];

		p[i] = (char)(byte < 0x80 ? c->data ? toupper(byte) : tolower(byte) : byte);
	}
	return give(s, p, s->text.len);
}

static bool length(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		   struct sample *s)
{
	*s = sample_int((int64_t)s->text.len);
	return true;
}

/* bytes(offset[,length]) */
static bool bytes(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		  struct sample *s)
{
	size_t from = s->text.len; /* nothing where there is nothing */

	if (arg[0].number >= 0 && (uint64_t)arg[0].number < from)
		from = (size_t)arg[0].number;
	s->text.at += from;
	s->text.len -= from;
	if (n_args > 1 && arg[1].number >= 0 && (size_t)arg[1].number < s->text.len)
		s->text.len = (size_t)arg[1].number;
	return true;
}

/* cut_crlf: what stands before the first end of a line */
static bool cut_line(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	size_t n = 0;

	while (n < s->text.len && s->text.at[n] != '\r' && s->text.at[n] != '\n')
		n++;
	s->text.len = n;
	return true;
}

static bool is_one_of(char c, struct text set)
{
	return set.len && memchr(set.at, c, set.len);
}

static bool trim(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct sample *s)
{
	if (c->data)
		while (s->text.len && is_one_of(s->text.at[s->text.len - 1], arg->text))
			s->text.len--;
	else
		while (s->text.len && is_one_of(*s->text.at, arg->text))
			s->text.at++, s->text.len--;
	return true;
}

/*
 * Pieces between delimiters. field counts them as they stand, word leaves out empty ones. A negative number
 * counts from the end; `count` pieces are taken with what is between them, 0: all that follow. Where there are
 * fewer, it is the text to its end.
 */
enum {
	PIECES_FIELD,
	PIECES_WORD,
};

struct pieces {
	struct text t, delimiters;
	bool words;
	size_t at;
	bool over;
};

static bool next_piece(struct pieces *p, struct text *ret)
{
	size_t end;

	while (p->words && p->at < p->t.len && is_one_of(p->t.at[p->at], p->delimiters))
		p->at++;
	if (p->over || (p->words && p->at >= p->t.len))
		return false;
	for (end = p->at; end < p->t.len && !is_one_of(p->t.at[end], p->delimiters); end++)
		;
	*ret = text_of(p->t.at + p->at, end - p->at);
	p->over = end >= p->t.len;
	p->at = end + 1;
	return true;
}

static bool check_pieces(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	return arg[0].number || rule_fail(e, "pieces are counted from 1, or from -1, which is the last");
}

static bool pieces(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		   struct sample *s)
{
	const struct pieces all = {
	    .t = s->text, .delimiters = arg[1].text, .words = c->data == PIECES_WORD};
	int64_t n = 0, first, last, count = n_args > 2 ? arg[2].number : 1, i;
	const char *begin = NULL, *end;
	struct text piece;
	struct pieces p = all;
	bool rest; /* there are fewer than were wanted */

	while (next_piece(&p, &piece))
		n++;
	if (!arg[0].number)
		return false;
	if (count <= 0) /* all that there are */
		count = INT64_MAX;
	if (arg[0].number > 0) {
		first = arg[0].number;
		last = count <= n - first ? first + count - 1 : n;
		rest = count > n - first + 1;
	} else {
		last = n + 1 + arg[0].number;
		first = count < last ? last - count + 1 : 1;
		rest = count > last;
	}
	if (first > n || last < 1) /* a word that is not there is empty; a field has no value */
		return c->data == PIECES_WORD && give(s, s->text.at, 0);
	for (p = all, i = 1; next_piece(&p, &piece); i++) {
		if (i == first)
			begin = rest && arg[0].number < 0 ? s->text.at : piece.at;
		if (i == last) {
			end = rest && arg[0].number > 0 ? s->text.at + s->text.len : piece.at + piece.len;
			return give(s, begin, (size_t)(end - begin));
		}
	}
	return give(s, s->text.at, 0);
}

/* concat([start],[variable],[end]) */
static bool concat(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		   struct sample *s)
{
	struct sample value = sample_text(SAMPLE_STR, "", 0);
	struct text part[4] = {s->text};
	size_t len = 0, at = 0;
	char *p;

	if (n_args > 0)
		part[1] = arg[0].text;
	if (n_args > 1 && arg[1].number >= 0 && run_var_get(r, (unsigned)arg[1].number, &value) &&
	    sample_cast(&value, SAMPLE_STR, &r->scratch))
		part[2] = value.text;
	if (n_args > 2)
		part[3] = arg[2].text;
	for (int i = 0; i < 4; i++)
		len += part[i].len;
	p = scratch_take(&r->scratch, len);
	if (!p)
		return false;
	for (int i = 0; i < 4; i++) {
		if (part[i].len)
			memcpy(p + at, part[i].at, part[i].len);
		at += part[i].len;
	}
	return give(s, p, len);
}

static bool check_concat(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
			 struct rule_error *e)
{
	if (n < 2)
		return true;
	arg[1].number = -1;
	if (arg[1].text.len) {
		arg[1].number = var_number(arg[1].text, m, e);
		return arg[1].number >= 0;
	}
	return true;
}

/* regsub(regex,template[,flags]): flags g (all), i (any case) */
static bool regsub(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		   struct sample *s)
{
	bool all = n_args > 2 && memchr(arg[2].text.at, 'g', arg[2].text.len);

	return regex_replace(arg[0].object, s->text, arg[1].text, all, &r->scratch, &s->text);
}

static bool check_regsub(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
			 struct rule_error *e)
{
	bool ignore_case = false;

	for (size_t i = 0; n > 2 && i < arg[2].text.len; i++) {
		if (arg[2].text.at[i] != 'g' && arg[2].text.at[i] != 'i')
			return rule_fail(e, "regsub has the flags g and i, not \"%s\"",
					 arg[2].text.at);
		ignore_case |= arg[2].text.at[i] == 'i';
	}
	arg[0].object = rule_regex(m, arg[0].text.at, ignore_case, e);
	return arg[0].object;
}

/* ---- Codings ---- */

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* url_dec([in_form]): "+" is a space behind "?", or everywhere in a form */
static bool url_decode(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
		       struct run *r, struct sample *s)
{
	char *p = scratch_take(&r->scratch, s->text.len);
	bool form = n_args && arg->number;
	size_t n = 0;

	if (!p)
		return false;
	for (size_t i = 0; i < s->text.len; i++) {
		char byte = s->text.at[i];

		if (byte == '%') {
			int high = i + 2 < s->text.len ? nibble(s->text.at[i + 1]) : -1;
			int low = i + 2 < s->text.len ? nibble(s->text.at[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			byte = (char)(high << 4 | low);
			i += 2;
		} else if (byte == '?') {
			form = true;
		} else if (byte == '+' && form) {
			byte = ' ';
		}
		p[n++] = byte;
	}
	return give(s, p, n);
}

/* url_enc([query]) */
static bool check_url_enc(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	return !n || !arg->text.len || text_same(arg->text, text_of("query", 5), false) ||
	       rule_fail(e, "url_enc encodes for a query, not for \"%.30s\"", arg->text.at);
}

static bool url_encode(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
		       struct run *r, struct sample *s)
{
	static const char digits[] = "0123456789ABCDEF";
	char *p = scratch_take(&r->scratch, s->text.len * 3);
	size_t n = 0;

	if (!p)
		return false;
	for (size_t i = 0; i < s->text.len; i++) {
		unsigned char byte = (unsigned char)s->text.at[i];

		/* unreserved, RFC 3986, section 2.3 */
		if (byte < 0x80 && (isalnum(byte) || (byte && strchr("-._~", byte)))) {
			p[n++] = (char)byte;
			continue;
		}
		p[n++] = '%';
		p[n++] = digits[byte >> 4];
		p[n++] = digits[byte & 15];
	}
	return give(s, p, n);
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* RFC 4648, section 4; data: the one for URLs (section 5), without padding */
static bool base64_encode(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
			  struct run *r, struct sample *s)
{
	const char *digits = c->data ? base64url_digits : base64_digits;
	char *p = scratch_take(&r->scratch, (s->text.len + 2) / 3 * 4);
	size_t n = 0;

	if (!p)
		return false;
	for (size_t i = 0; i < s->text.len; i += 3) {
		size_t have = s->text.len - i < 3 ? s->text.len - i : 3;
		uint32_t bits = 0;

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < have ? (uint8_t)s->text.at[i + k] : 0);
		for (size_t k = 0; k < 4; k++) {
			if (k <= have)
				p[n++] = digits[bits >> (18 - 6 * k) & 63];
			else if (!c->data)
				p[n++] = '=';
		}
	}
	return give(s, p, n);
}

bool base64_bytes(struct text t, bool for_url, struct scratch *scratch, struct text *ret)
{
	const char *digits = for_url ? base64url_digits : base64_digits;
	char *p = scratch_take(scratch, t.len);
	uint32_t bits = 0;
	size_t n = 0;
	int have = 0;

	if (!p || (!for_url && t.len % 4))
		return false;
	while (t.len && t.at[t.len - 1] == '=')
		t.len--;
	if (t.len % 4 == 1) /* six bits are no byte */
		return false;
	for (size_t i = 0; i < t.len; i++) {
		const char *digit = t.at[i] ? strchr(digits, t.at[i]) : NULL;

		if (!digit)
			return false;
		bits = bits << 6 | (uint32_t)(digit - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			p[n++] = (char)(bits >> have);
		}
	}
	*ret = text_of(p, n);
	return true;
}

static bool base64_decode(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
			  struct run *r, struct sample *s)
{
	struct text t;

	if (!base64_bytes(s->text, c->data, &r->scratch, &t))
		return false;
	*s = sample_text(SAMPLE_BIN, t.at, t.len);
	return true;
}

static bool write_hex(struct sample *s, struct scratch *scratch)
{
	static const char digit[] = "0123456789ABCDEF";
	char *p = scratch_take(scratch, 2 * s->text.len);

	if (!p)
		return false;
	for (size_t i = 0; i < s->text.len; i++) {
		p[2 * i] = digit[(uint8_t)s->text.at[i] >> 4];
		p[2 * i + 1] = digit[(uint8_t)s->text.at[i] & 15];
	}
	*s = sample_text(SAMPLE_STR, p, 2 * s->text.len);
	return true;
}

static bool to_hex(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		   struct sample *s)
{
	return write_hex(s, &r->scratch);
}

static bool hex_number(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
		       struct run *r, struct sample *s)
{
	uint64_t value = 0;

	for (size_t i = 0; i < s->text.len; i++) {
		int digit = nibble(s->text.at[i]);

		if (digit < 0 || value >> 60)
			return false;
		value = value << 4 | (uint64_t)digit;
	}
	*s = sample_int((int64_t)value);
	return true;
}

/* A string for JSON (RFC 8259, section 7). json([ascii|utf8|utf8s|utf8p|utf8ps]) */
enum {
	JSON_UTF8 = 1,
	JSON_SKIPS = 2, /* what is no character; without it there is no value then */
	JSON_FIXES = 4, /* what is longer than it has to be */
};

static bool check_json(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	static const char *const names[] = {[0] = "ascii",
					    [JSON_UTF8] = "utf8",
					    [JSON_UTF8 | JSON_SKIPS] = "utf8s",
					    [JSON_UTF8 | JSON_FIXES] = "utf8p",
					    [JSON_UTF8 | JSON_SKIPS | JSON_FIXES] = "utf8ps"};

	if (!n || !arg->text.len)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i] && !strcmp(names[i], arg->text.at)) {
			arg->number = (int64_t)i;
			return true;
		}
	return rule_fail(e, "\"%.30s\" is no encoding: write ascii, utf8, utf8s, utf8p or utf8ps", arg->text.at);
}

enum utf8 { UTF8_RIGHT, UTF8_LONG, UTF8_WRONG };

/* The next character, of RFC 3629, that \u can say, and how many bytes it has or what is none of it. */
static enum utf8 utf8_next(struct text t, uint32_t *ret, size_t *ret_len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000, 0x200000, 0x4000000};
	uint8_t first = (uint8_t)*t.at;
	size_t len = first < 0x80 ? 1 : first < 0xc0 || first > 0xfd ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : first < 0xfc ? 5 : 6, i;

	*ret = len < 2 ? first : first & (0x7fu >> len);
	for (i = 1; i < len && i < t.len && ((uint8_t)t.at[i] & 0xc0) == 0x80; i++)
		*ret = *ret << 6 | ((uint8_t)t.at[i] & 0x3f);
	*ret_len = i;
	if (!len || i < len || *ret > 0xffff || (*ret >= 0xd800 && *ret < 0xe000))
		return UTF8_WRONG;
	return *ret < least[len] ? UTF8_LONG : UTF8_RIGHT;
}

/* At most six bytes. */
static char *put_json(char *to, uint32_t c)
{
	static const char short_of[] = "\"\\/\b\f\n\r\t", shorts[] = "\"\\/bfnrt";
	const char *at = c && c < 0x80 ? strchr(short_of, (int)c) : NULL;

	if (!at && c >= 0x20 && c < 0x7f) {
		*to = (char)c;
		return to + 1;
	}
	*to++ = '\\';
	if (at) {
		*to = shorts[at - short_of];
		return to + 1;
	}
	*to++ = 'u';
	for (int shift = 12; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[c >> shift & 15];
	return to;
}

static bool json_string(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
			struct run *r, struct sample *s)
{
	int64_t how = n_args && arg->text.len ? arg->number : 0;
	char *p = scratch_take(&r->scratch, s->text.len * 6), *to = p;
	uint32_t character;
	size_t len = 1;

	if (!p)
		return false;
	for (struct text t = s->text; t.len; t.at += len, t.len -= len) {
		enum utf8 is = UTF8_RIGHT;

		if (how)
			is = utf8_next(t, &character, &len);
		else
			character = (uint8_t)*t.at;
		if (is == UTF8_RIGHT || (is == UTF8_LONG && how & JSON_FIXES))
			to = put_json(to, character);
		else if (!(how & JSON_SKIPS))
			return false;
	}
	return give(s, p, (size_t)(to - p));
}

/* ---- Choosing ---- */

/* iif(when true, when false) */
static bool choose(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		   struct sample *s)
{
	struct text t = arg[s->number ? 0 : 1].text;

	return give(s, t.at, t.len);
}

static bool compare(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
		    struct run *r, struct sample *s)
{
	struct sample other;
	size_t n;
	int order = 0;

	if (!run_var_get(r, (unsigned)arg->number, &other) ||
	    !sample_cast(&other, SAMPLE_STR, &r->scratch))
		return false;
	n = s->text.len < other.text.len ? s->text.len : other.text.len;
	if (c->data) { /* secure_memcmp: the time says nothing */
		unsigned char differs = s->text.len != other.text.len;

		for (size_t i = 0; i < n; i++)
			differs |= (unsigned char)(s->text.at[i] ^ other.text.at[i]);
		*s = sample_bool(!differs);
		return true;
	}
	for (size_t i = 0; i < n && !order; i++) /* how far the first that differ are from each other, as in HAProxy */
		order = (unsigned char)s->text.at[i] - (unsigned char)other.text.at[i];
	if (!order)
		order = (s->text.len > other.text.len) - (s->text.len < other.text.len);
	*s = sample_int(order);
	return true;
}

static bool check_variable(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
			   struct rule_error *e)
{
	arg->number = var_number(arg->text, m, e);
	return arg->number >= 0;
}

static bool set_variable(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
			 struct run *r, struct sample *s)
{
	unsigned conditions = 0;

	for (unsigned i = 1; i < n_args; i++)
		conditions |= (unsigned)arg[i].number;
	if (c->data)
		run_var_unset(r, (unsigned)arg->number);
	else if (run_var_may(r, (unsigned)arg->number, conditions, s))
		run_var_set(r, (unsigned)arg->number, s);
	return true;
}

/* set-var(NAME[,CONDITION…]) */
static bool check_set(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	for (unsigned i = 1; i < n; i++) {
		arg[i].number = var_condition(arg[i].text);
		if (!arg[i].number)
			return rule_fail(e, "\"%.30s\" is no condition of set-var: write ifset, ifnotset, ifempty …", arg[i].text.at);
	}
	return check_variable(arg, n, m, e);
}

/* host_only, in small letters, and port_only of "host:port", "[v6]:port" */
static bool host_or_port(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
			 struct run *r, struct sample *s)
{
	size_t host = s->text.len;
	int64_t number = 0;

	for (size_t i = s->text.len; i-- > 0 && s->text.at[i] != ']';)
		if (s->text.at[i] == ':')
			host = i;
	if (!c->data) {
		s->text.len = host;
		return change_case(c, arg, n_args, r, s);
	}
	if (host < s->text.len)
		text_to_int(text_of(s->text.at + host + 1, s->text.len - host - 1), &number);
	*s = sample_int(number);
	return true;
}

/* The value of a parameter of a text like "a=1&b=2". param(name[,delimiter]) */
static bool param(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		  struct sample *s)
{
	char delimiter = n_args > 1 && arg[1].text.len ? *arg[1].text.at : '&';
	struct text t = s->text, name = arg[0].text;

	while (t.len) {
		const char *end = memchr(t.at, delimiter, t.len);
		size_t len = end ? (size_t)(end - t.at) : t.len;

		if (len >= name.len && !memcmp(t.at, name.at, name.len) &&
		    (len == name.len || t.at[name.len] == '='))
			return len == name.len ? give(s, t.at + len, 0)
					       : give(s, t.at + name.len + 1, len - name.len - 1);
		if (!end)
			break;
		t = text_of(end + 1, t.len - len - 1);
	}
	return false;
}

/* add_item(delimiter[,variable[,suffix]]): a list becomes one longer; a delimiter stands between two that are not empty */
static bool check_item(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	arg[0].number = -1;
	if (n > 1 && arg[1].text.len) {
		arg[0].number = var_number(arg[1].text, m, e);
		if (arg[0].number < 0)
			return false;
	}
	return (n > 1 && arg[1].text.len) || (n > 2 && arg[2].text.len) ||
	       rule_fail(e, "add_item adds nothing: write a variable, a suffix, or both");
}

static bool add_item(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct text suffix = n_args > 2 ? arg[2].text : text_of("", 0), item = text_of("", 0);
	struct sample value;
	size_t from;

	if (arg[0].number >= 0 && run_var_get(r, (unsigned)arg[0].number, &value) &&
	    sample_cast(&value, SAMPLE_STR, &r->scratch))
		item = value.text;
	from = r->scratch.used;
	if (!scratch_put(&r->scratch, s->text) ||
	    (s->text.len && item.len + suffix.len && !scratch_put(&r->scratch, arg[0].text)) ||
	    !scratch_put(&r->scratch, item) || !scratch_put(&r->scratch, suffix))
		return false;
	return give(s, r->scratch.at + from, r->scratch.used - from);
}

/* ---- language(LIST[,DEFAULT]): the one of Accept-Language with the highest weight (RFC 9110, section 12.4.2) ---- */

/* Thousandths; 1000 without one, or with a broken one. */
static int weight_of(struct text parameters)
{
	const char *p = memmem(parameters.at, parameters.len, "q=", 2), *end = parameters.at + parameters.len;
	int weight, unit = 1000;

	if (!p || (p += 2) == end || (*p != '0' && *p != '1'))
		return 1000;
	weight = (*p++ - '0') * 1000;
	if (p < end && *p == '.')
		for (p++; p < end && isdigit((unsigned char)*p) && unit > 1; p++)
			weight += (*p - '0') * (unit /= 10);
	return weight > 1000 ? 1000 : weight;
}

/* The word of a ";"-list that is `name`, or its base, in front of '-'. At NULL: none. */
static struct text listed(struct text list, struct text name)
{
	const char *dash = memchr(name.at, '-', name.len);
	struct text base = text_of(name.at, dash ? (size_t)(dash - name.at) : name.len), best = {NULL, 0};

	while (list.len) {
		const char *end = memchr(list.at, ';', list.len);
		struct text word = text_of(list.at, end ? (size_t)(end - list.at) : list.len);

		if (text_same(word, name, false))
			return word;
		if (text_same(word, base, false))
			best = word;
		list.len -= word.len + (end != NULL);
		list.at += word.len + (end != NULL);
	}
	return best;
}

static struct text trimmed(struct text t)
{
	while (t.len && isspace((unsigned char)*t.at))
		t.at++, t.len--;
	while (t.len && isspace((unsigned char)t.at[t.len - 1]))
		t.len--;
	return t;
}

static bool language(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct text all = s->text, best = {NULL, 0};
	int best_weight = 0;

	while (all.len) {
		const char *comma = memchr(all.at, ',', all.len);
		struct text item = text_of(all.at, comma ? (size_t)(comma - all.at) : all.len);
		const char *semicolon = memchr(item.at, ';', item.len);
		struct text name = text_of(item.at, semicolon ? (size_t)(semicolon - item.at) : item.len);
		int weight = weight_of(text_of(item.at + name.len, item.len - name.len));

		if (weight > best_weight) {
			struct text found = listed(arg[0].text, trimmed(name));

			if (found.at) {
				best = found;
				best_weight = weight;
			}
		}
		all.len -= item.len + (comma != NULL);
		all.at += item.len + (comma != NULL);
	}
	if (!best.at && n_args > 1)
		best = arg[1].text;
	return best.at && give(s, best.at, best.len);
}

const struct conv convs_text[] = {
    {"add_item", "sSS", SAMPLE_STR, SAMPLE_STR, add_item, 0, check_item, false},
    {"b64dec", "", SAMPLE_STR, SAMPLE_BIN, base64_decode, 0, NULL, false},
    {"base64", "", SAMPLE_BIN, SAMPLE_STR, base64_encode, 0, NULL, false},
    {"bytes", "iI", SAMPLE_BIN, SAMPLE_BIN, bytes, 0, NULL, false},
    {"concat", "SSS", SAMPLE_STR, SAMPLE_STR, concat, 0, check_concat, false},
    {"cut_crlf", "", SAMPLE_STR, SAMPLE_STR, cut_line, 0, NULL, false},
    {"field", "isI", SAMPLE_STR, SAMPLE_STR, pieces, PIECES_FIELD, check_pieces, false},
    {"hex", "", SAMPLE_BIN, SAMPLE_STR, to_hex, 0, NULL, false},
    {"hex2i", "", SAMPLE_STR, SAMPLE_INT, hex_number, 0, NULL, false},
    {"host_only", "", SAMPLE_STR, SAMPLE_STR, host_or_port, 0, NULL, false},
    {"iif", "ss", SAMPLE_BOOL, SAMPLE_STR, choose, 0, NULL, false},
    {"json", "S", SAMPLE_STR, SAMPLE_STR, json_string, 0, check_json, false},
    {"language", "sS", SAMPLE_STR, SAMPLE_STR, language, 0, NULL, false},
    {"length", "", SAMPLE_STR, SAMPLE_INT, length, 0, NULL, false},
    {"lower", "", SAMPLE_STR, SAMPLE_STR, change_case, 0, NULL, false},
    {"ltrim", "s", SAMPLE_STR, SAMPLE_STR, trim, 0, NULL, false},
    {"param", "sS", SAMPLE_STR, SAMPLE_STR, param, 0, NULL, false},
    {"port_only", "", SAMPLE_STR, SAMPLE_INT, host_or_port, 1, NULL, false},
    {"regsub", "ssS", SAMPLE_STR, SAMPLE_STR, regsub, 0, check_regsub, false},
    {"rtrim", "s", SAMPLE_STR, SAMPLE_STR, trim, 1, NULL, false},
    {"secure_memcmp", "s", SAMPLE_BIN, SAMPLE_BOOL, compare, 1, check_variable, false},
    {"set-var", "sS*", SAMPLE_STR, SAMPLE_STR, set_variable, 0, check_set, true},
    {"strcmp", "s", SAMPLE_STR, SAMPLE_INT, compare, 0, check_variable, false},
    {"ub64dec", "", SAMPLE_STR, SAMPLE_BIN, base64_decode, 1, NULL, false},
    {"ub64enc", "", SAMPLE_BIN, SAMPLE_STR, base64_encode, 1, NULL, false},
    {"unset-var", "s", SAMPLE_STR, SAMPLE_STR, set_variable, 1, check_variable, true},
    {"upper", "", SAMPLE_STR, SAMPLE_STR, change_case, 1, NULL, false},
    {"url_dec", "I", SAMPLE_STR, SAMPLE_STR, url_decode, 0, NULL, false},
    {"url_enc", "S", SAMPLE_STR, SAMPLE_STR, url_encode, 0, check_url_enc, false},
    {"word", "isI", SAMPLE_STR, SAMPLE_STR, pieces, PIECES_WORD, check_pieces, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
