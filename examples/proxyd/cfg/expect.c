/* SPDX-License-Identifier: MIT */
/* What a check expects, and what is told of it: the "expect" lines of http-check and of tcp-check. */
#include "cfg/read.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <libhealth/probe.h>

#include "rules/expr.h"
#include "rules/regex.h"

#define MIN_RECV_MAX 16384

/* ---- Patterns ---- */

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10 : -1;
}

bool cfg_read_bytes(struct reader *r, size_t i, bool binary, const char **ret, size_t *ret_len)
{
	const char *text = word_at(r, i);
	size_t n = strlen(text);
	char *out = keep(r, n + 1);

	if (!out)
		return false;
	*ret = out;
	*ret_len = binary ? n / 2 : n;
	if (!n || *ret_len > CFG_STEP_BYTES_MAX) {
		say(r, DIAG_ERROR, i, "a step of a check has 1 to %d bytes", CFG_STEP_BYTES_MAX);
		return false;
	}
	if (!binary) {
		memcpy(out, text, n);
		return true;
	}
	for (size_t k = 0; k < n; k++) {
		int digit = hex(text[k]);

		if (digit < 0 || n % 2) {
			say(r, DIAG_ERROR, i, "\"%s\" is no row of bytes: write two hexadecimal digits for each", text);
			return false;
		}
		out[k / 2] = (char)(k % 2 ? out[k / 2] | digit : digit << 4);
	}
	return true;
}

static bool read_regex(struct reader *r, size_t i, struct cfg_pattern *p)
{
	const struct rule_memory *m = cfg_rule_memory(r);
	struct rule_error e = {""};

	p->regex = m ? rule_regex(m, word_at(r, i), false, &e) : NULL;
	if (!p->regex)
		say(r, DIAG_ERROR, i, "%s", e.text);
	return p->regex;
}

static bool read_format(struct reader *r, size_t i, unsigned sees, struct cfg_pattern *p)
{
	p->format = cfg_check_format(r, i, word_at(r, i), sees);
	return p->format;
}

/* ---- Status codes ---- */

/* "200,300-310" */
#define STATUS_MIN 100
#define STATUS_END 1000

/* Those that are wanted, as ranges that do not touch. */
static bool keep_status(struct reader *r, const bool wanted[STATUS_END], struct cfg_expect *x)
{
	struct cfg_status_range *range = NULL;
	unsigned n = 0;

	for (unsigned code = STATUS_MIN; code < STATUS_END; code++)
		n += wanted[code] && !wanted[code - 1];
	x->status = range = keep(r, n * sizeof(*range));
	x->n_status = n;
	for (unsigned code = STATUS_MIN; range && code < STATUS_END; code++) {
		if (!wanted[code])
			continue;
		if (!wanted[code - 1])
			range++->first = (uint16_t)code;
		range[-1].last = (uint16_t)code;
	}
	return range;
}

static bool read_status(struct reader *r, size_t i, struct cfg_expect *x)
{
	bool wanted[STATUS_END] = {false};

	for (const char *p = word_at(r, i);; p++) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first;

		if (end != p && *end == '-')
			last = strtoul(p = end + 1, &end, 10);
		if (end == p || first < STATUS_MIN || last >= STATUS_END || first > last || (*end && *end != ','))
			break;
		memset(wanted + first, true, last + 1 - first);
		if (!*end)
			return keep_status(r, wanted, x);
		p = end;
	}
	say(r, DIAG_ERROR, i, "\"%s\" is no list of codes: write such as 200,204,300-399", word_at(r, i));
	return false;
}

static bool read_rstatus(struct reader *r, size_t i, struct cfg_expect *x)
{
	if (!read_regex(r, i, &x->pattern))
		return false;
	for (unsigned code = STATUS_MIN; code < STATUS_END; code++) {
		const char digit[] = {(char)('0' + code / 100), (char)('0' + code / 10 % 10), (char)('0' + code % 10)};

		if (regex_match(x->pattern.regex, text_of(digit, 3), NULL))
			return true;
	}
	say(r, DIAG_ERROR, i, "\"%s\" matches no code: no check would ever pass", word_at(r, i));
	return false;
}

/* ---- Fields ---- */

/* "-m beg" before a pattern; str without it. The place behind; 0: told. */
static size_t read_match(struct reader *r, size_t i, bool is_format, enum cfg_match *ret)
{
	static const char *const names[] = {
	    [CFG_MATCH_WHOLE] = "str", [CFG_MATCH_BEGIN] = "beg", [CFG_MATCH_END] = "end", [CFG_MATCH_WITHIN] = "sub", [CFG_MATCH_REGEX] = "reg"};

	*ret = CFG_MATCH_WHOLE;
	if (strcmp(word_at(r, i), "-m") != 0)
		return i;
	for (unsigned k = 0; k < sizeof(names) / sizeof(names[0]); k++)
		if (!strcmp(word_at(r, i + 1), names[k])) {
			*ret = (enum cfg_match)k;
			if (k != CFG_MATCH_REGEX || !is_format)
				return i + 2;
			say(r, DIAG_ERROR, i + 1, "a format is no expression: write -m str, beg, end or sub with it");
			return 0;
		}
	say(r, DIAG_ERROR, i + 1, "\"%s\" is no way to match: write str, beg, sub, end or reg", word_at(r, i + 1));
	return 0;
}

/* "name [-m HOW] TEXT", "value-lf FORMAT" … from `i` on. The place behind; 0: told. */
static size_t read_part(struct reader *r, size_t i, struct cfg_pattern *p, enum cfg_match *how)
{
	bool is_format = strstr(word_at(r, i), "-lf");
	size_t at = read_match(r, i + 1, is_format, how);

	if (!at)
		return 0;
	if (at >= r->line->n) {
		say(r, DIAG_ERROR, i, "\"%s\" needs a text", word_at(r, i));
		return 0;
	}
	if (is_format ? !read_format(r, at, CFG_CHECK_SEES_ANSWER, p) : *how == CFG_MATCH_REGEX && !read_regex(r, at, p))
		return 0;
	p->data = keep_word(r, at);
	p->len = strlen(word_at(r, at));
	return at + 1;
}

static bool is_either(const char *word, const char *a, const char *b)
{
	return !strcmp(word, a) || !strcmp(word, b);
}

/* "name NAME [value [-m HOW] TEXT]" */
static size_t read_field(struct reader *r, size_t i, struct cfg_expect *x)
{
	if (!is_either(word_at(r, i), "name", "name-lf") || i + 1 >= r->line->n) {
		say(r, DIAG_ERROR, i < r->line->n ? i : i - 1, "a header needs its name: write hdr name NAME [value [-m HOW] TEXT]");
		return 0;
	}
	i = read_part(r, i, &x->name, &x->name_match);
	if (i && is_either(word_at(r, i), "value", "value-lf"))
		i = read_part(r, i, &x->pattern, &x->match);
	return i;
}

/* ---- Lines ---- */

static bool read_code(struct reader *r, size_t i, const enum health_code *codes, unsigned *ret)
{
	const char *text = word_at(r, i);
	char all[64] = "";

	for (; *codes; codes++) {
		if (!strcmp(text, health_code_name(*codes))) {
			*ret = *codes;
			return true;
		}
		strcat(strcat(all, *all ? ", " : ""), health_code_name(*codes));
	}
	say(r, DIAG_ERROR, i, "\"%s\" is none of %s", text, all);
	return false;
}

static bool read_min_recv(struct reader *r, size_t i, struct cfg_expect *x)
{
	unsigned n = 0;

	if (!strcmp(word_at(r, i), "-1"))
		return true;
	if (!read_number(r, i, "min-recv", 0, MIN_RECV_MAX, &n))
		return false;
	x->min_bytes = (int)n;
	return true;
}

/* A word that may stand before and behind what is expected, and its value. 0: it is none; -1: told. */
static int read_option(struct reader *r, size_t i, unsigned sees, struct cfg_expect *x)
{
	static const enum health_code ok[] = {HEALTH_CODE_L7OK, HEALTH_CODE_L7OKC, HEALTH_CODE_L6OK, HEALTH_CODE_L4OK, 0},
				      error[] = {HEALTH_CODE_L7OKC, HEALTH_CODE_L7RSP, HEALTH_CODE_L7STS, HEALTH_CODE_L6RSP, HEALTH_CODE_L4CON, 0},
				      late[] = {HEALTH_CODE_L7TOUT, HEALTH_CODE_L6TOUT, HEALTH_CODE_L4TOUT, 0};
	const char *word = word_at(r, i++);
	bool fine;

	if (!strcmp(word, "min-recv"))
		fine = read_min_recv(r, i, x);
	else if (!strcmp(word, "comment"))
		fine = (x->comment = keep_word(r, i)) != NULL;
	else if (!strcmp(word, "ok-status"))
		fine = read_code(r, i, ok, &x->ok);
	else if (!strcmp(word, "error-status"))
		fine = read_code(r, i, error, &x->error);
	else if (!strcmp(word, "tout-status"))
		fine = read_code(r, i, late, &x->timed_out);
	else if (!strcmp(word, "on-success"))
		fine = (x->on_success = cfg_check_format(r, i, word_at(r, i), sees)) != NULL;
	else if (!strcmp(word, "on-error"))
		fine = (x->on_error = cfg_check_format(r, i, word_at(r, i), sees)) != NULL;
	else if (!strcmp(word, "status-code"))
		fine = (x->status_code = cfg_check_expression(r, i, sees)) != NULL;
	else
		return 0;
	return fine ? 1 : -1;
}

/* "string", "rstring", "binary-lf" and their like, whose text is word i. */
static size_t read_text(struct reader *r, size_t i, const char *word, unsigned sees, struct cfg_expect *x)
{
	bool is_regex = *word == 'r', is_format = strstr(word, "-lf");
	struct cfg_pattern *p = &x->pattern;

	x->is_binary = strstr(word, "binary");
	p->is_hex = is_format && x->is_binary;
	if (!cfg_read_bytes(r, i, x->is_binary && !is_regex && !is_format, &p->data, &p->len))
		return 0;
	if ((is_regex && !read_regex(r, i, p)) || (is_format && !read_format(r, i, sees, p)))
		return 0;
	return i + 1;
}

/* What is expected, from word i on. The place behind; 0: told. */
static size_t read_what(struct reader *r, size_t i, bool http, struct cfg_expect *x)
{
	static const char *const texts[] = {"string", "rstring", "string-lf", "binary", "rbinary", "binary-lf"};
	const char *word = word_at(r, i);

	while (*word == '!') { /* a word of its own, or the next one's begin */
		x->not = !x->not ;
		if (!*++word)
			word = word_at(r, ++i);
	}
	for (size_t k = 0; k < (http ? 3 : 6); k++)
		if (!strcmp(word, texts[k]))
			return read_text(r, i + 1, word, http ? CFG_CHECK_SEES_ANSWER : CFG_CHECK_SEES_NOTHING, x);
	if (http && !strcmp(word, "status")) {
		x->what = CFG_EXPECT_STATUS;
		return read_status(r, i + 1, x) ? i + 2 : 0;
	}
	if (http && !strcmp(word, "rstatus")) {
		x->what = CFG_EXPECT_RSTATUS;
		return read_rstatus(r, i + 1, x) ? i + 2 : 0;
	}
	if (http && is_either(word, "hdr", "fhdr")) {
		x->what = CFG_EXPECT_FIELD;
		x->whole_value = *word == 'f';
		return read_field(r, i + 1, x);
	}
	say(r, DIAG_ERROR, i, "\"%s\" is nothing that is expected: write [!] and %s", word,
	    http ? "status CODES, rstatus REGEX, string TEXT, rstring REGEX, string-lf FORMAT or hdr name NAME value TEXT"
		 : "string, string-lf, rstring, binary, binary-lf or rbinary with a text");
	return 0;
}

static bool read_words(struct reader *r, size_t i, bool http, struct cfg_expect *x)
{
	unsigned sees = http ? CFG_CHECK_SEES_ANSWER : CFG_CHECK_SEES_NOTHING;
	bool has_what = false;

	while (i < r->line->n || !has_what) {
		int taken = i + 1 < r->line->n ? read_option(r, i, sees, x) : 0;

		if (taken > 0) {
			i += 2;
		} else if (taken < 0) {
			return false;
		} else if (has_what) {
			say(r, DIAG_ERROR, i, "\"%s\" is too much here: put the text in quotes",
			    word_at(r, i));
			return false;
		} else {
			i = read_what(r, i, http, x);
			if (!i)
				return false;
			has_what = true;
		}
	}
	return true;
}

const struct cfg_expect *cfg_read_expect(struct reader *r, size_t first, bool http,
					 const char *comment)
{
	struct cfg_expect *x = keep(r, sizeof(*x));

	if (!x)
		return NULL;
	x->min_bytes = -1;
	x->comment = comment;
	x->text = keep_rest(r, first);
	return x->text && read_words(r, first, http, x) ? x : NULL;
}
