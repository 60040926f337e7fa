/* SPDX-License-Identifier: MIT */
#include "rules/expr.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diag.h"

#define NAMES_MAX 1024

bool rule_fail(struct rule_error *e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	return false;
}

/* ---- Names ---- */

static const struct fetch *const fetch_tables[] = {fetches_acl, fetches_http,    fetches_conn, fetches_const,
						   fetches_payload, fetches_tls,  fetches_body, fetches_capture, fetches_facts,
						   fetches_table};
static const struct conv *const conv_tables[] = {
    convs_text,   convs_debug,  convs_number,	convs_hash, convs_address, convs_binary,
    convs_capture, convs_conn, convs_digest, convs_fix, convs_forwarded, convs_json, convs_jwt,
    convs_map, convs_mqtt, convs_protobuf, convs_table, convs_when};
#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

const struct fetch *fetch_find(struct text name)
{
	for (size_t t = 0; t < N_OF(fetch_tables); t++)
		for (const struct fetch *f = fetch_tables[t]; f->name; f++)
			if (strlen(f->name) == name.len && !strncmp(f->name, name.at, name.len))
				return f;
	return NULL;
}

static const struct conv *conv_find(struct text name)
{
	for (size_t t = 0; t < N_OF(conv_tables); t++)
		for (const struct conv *c = conv_tables[t]; c->name; c++)
			if (strlen(c->name) == name.len && !strncmp(c->name, name.at, name.len))
				return c;
	return NULL;
}

/* All names, for suggestions: NULL past the end. */
static const char *fetch_name(unsigned index)
{
	for (size_t t = 0; t < N_OF(fetch_tables); t++)
		for (const struct fetch *f = fetch_tables[t]; f->name; f++)
			if (!index--)
				return f->name;
	return NULL;
}

static const char *conv_name(unsigned index)
{
	for (size_t t = 0; t < N_OF(conv_tables); t++)
		for (const struct conv *c = conv_tables[t]; c->name; c++)
			if (!index--)
				return c->name;
	return NULL;
}

/* ---- Parsing ---- */

static size_t name_length(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || (text[n] && strchr("._-+", text[n])))
		n++;
	return n;
}

/*
 * One argument, up to ',' or ')' outside quotes. Outside single quotes \ makes a quote, a blank or a backslash a
 * character like others, and control bytes of n, r and t; it stays where a regular expression needs it: \d. Blanks
 * in front of a number count for nothing. *text is moved past it. NULL: no end, or no memory.
 */
static char *read_arg(const char **text, bool is_number, const struct rule_memory *m, size_t *ret_len)
{
	static const char escaped[] = "\\\"' nrt", meant[] = "\\\"' \n\r\t";
	const char *p = *text, *escape;
	char *buf, quote = '\0';
	size_t n = 0;

	while (is_number && (*p == ' ' || *p == '\t'))
		p++;
	buf = m->alloc(m->owner, strlen(p) + 1);
	if (!buf)
		return NULL;
	for (; *p && (quote || (*p != ',' && *p != ')')); p++) {
		if (*p == quote) {
			quote = '\0';
			continue;
		}
		if (!quote && (*p == '"' || *p == '\'')) {
			quote = *p;
			continue;
		}
		escape = *p == '\\' && quote != '\'' && p[1] ? strchr(escaped, p[1]) : NULL;
		p += escape != NULL;
		buf[n++] = escape ? meant[escape - escaped] : *p;
	}
	if (!*p || n >= EXPR_TEXT_MAX)
		return NULL;
	*text = p;
	*ret_len = n;
	return buf;
}

static bool is_number(struct text t, int64_t *ret)
{
	size_t from = t.len && (*t.at == '-' || *t.at == '+');

	if (t.len == from || !text_to_int(t, ret))
		return false;
	for (size_t i = from; i < t.len; i++)
		if (!isdigit((unsigned char)t.at[i]))
			return false;
	return true;
}

static unsigned required(const char *spec)
{
	unsigned n = 0;

	for (; islower((unsigned char)*spec); spec++)
		n++;
	return n;
}

/* The letter of argument `i`; '\0': too many. */
static char letter_of(const char *spec, unsigned i)
{
	size_t n = strlen(spec);

	if (i < n && spec[i] != '*')
		return (char)tolower((unsigned char)spec[i]);
	return n && spec[n - 1] == '*' ? (char)tolower((unsigned char)spec[n - 2]) : '\0';
}

static bool read_args(const char **text, const char *name, const char *spec,
		      const struct rule_memory *m, struct expr_arg *arg, unsigned *ret_n,
		      struct rule_error *e)
{
	unsigned n = 0;

	if (**text == '(') {
		do {
			struct text word;
			char letter = letter_of(spec, n), *at;
			const char *from = ++*text;

			at = read_arg(text, letter == 'i', m, &word.len);
			if (!at)
				return rule_fail(
				    e, "the arguments of \"%s\" have no end: \")\" is missing",
				    name);
			word.at = at;
			if (from == *text && **text == ')' && !n && *spec != 's')
				break; /* "name()"; but name(""), and str(), have one */
			if (!letter || n == EXPR_ARGS_MAX)
				return rule_fail(e, "\"%s\" takes at most %u arguments", name, n);
			arg[n].text = word;
			if (letter == 'i' && word.len && !is_number(word, &arg[n].number))
				return rule_fail(e, "argument %u of \"%s\" is a number, not \"%s\"",
						 n + 1, name, at);
			n++;
		} while (**text == ',');
		++*text;
	}
	if (n < required(spec))
		return rule_fail(e, "\"%s\" needs %u argument%s: write %s(…)", name, required(spec),
				 required(spec) > 1 ? "s" : "", name);
	*ret_n = n;
	return true;
}

/* HAProxy's, or a slip of the pen: then the name that is most like it. */
static bool say_unknown(struct rule_error *e, const char *what, struct text name,
			bool known, const char *(*nth)(unsigned index))
{
	const char *candidate[NAMES_MAX], *nearest;
	char word[64];
	size_t n = 0;

	snprintf(word, sizeof(word), "%.*s", (int)(name.len > 63 ? 63 : name.len), name.at);
	if (known)
		return rule_fail(e, "%s \"%s\" is known to HAProxy, not supported by this version",
				 what, word);
	while (n < NAMES_MAX && (candidate[n] = nth((unsigned)n)))
		n++;
	nearest = diag_nearest(word, candidate, n);
	if (nearest)
		return rule_fail(e, "unknown %s \"%s\": did you mean \"%s\"?", what, word, nearest);
	return rule_fail(e, "unknown %s \"%s\"", what, word);
}

static bool read_fetch(const char **text, const struct rule_memory *m, struct expr *x,
		       struct rule_error *e)
{
	size_t len = name_length(*text);
	const struct fetch *f = fetch_find((struct text){*text, len});

	if (!len)
		return rule_fail(e, "a sample fetch is missing, such as src or hdr(host)");
	if (!f)
		return say_unknown(e, "sample fetch", text_of(*text, len), false, fetch_name);
	*text += len;
	x->fetch = f;
	x->out = f->out;
	x->needs = f->needs;
	if (!read_args(text, f->name, f->args, m, x->arg, &x->n_args, e))
		return false;
	return !f->check || f->check(x->arg, x->n_args, m, e);
}

/* HAProxy has a type of its own for it, which becomes text and bytes, and no number or address. */
static bool is_method(const struct fetch *f)
{
	return !strcmp(f->name, "method") || !strcmp(f->name, "meth");
}

static bool takes(const struct expr *x, const struct conv *c)
{
	if (!x->n_convs && is_method(x->fetch) && c->in != SAMPLE_STR && c->in != SAMPLE_BIN)
		return false;
	return sample_castable(x->out, c->in);
}

static bool read_conv(const char **text, const struct rule_memory *m, struct expr *x,
		      struct rule_error *e)
{
	size_t len = name_length(*text);
	const struct conv *c = conv_find((struct text){*text, len});
	struct expr_arg *arg;

	if (!c)
		return say_unknown(e, "converter", text_of(*text, len), conv_is_known(text_of(*text, len)), conv_name);
	if (x->n_convs == EXPR_CONVS_MAX)
		return rule_fail(e, "more than %d converters", EXPR_CONVS_MAX);
	if (!takes(x, c))
		return rule_fail(e, "\"%s\" takes a value of type %s, and here is one of type %s",
				 c->name, sample_type_name(c->in), sample_type_name(x->out));
	*text += len;
	arg = m->alloc(m->owner, EXPR_ARGS_MAX * sizeof(*arg));
	if (!arg)
		return rule_fail(e, "%s", "");
	x->conv[x->n_convs].conv = c;
	x->conv[x->n_convs].arg = arg;
	if (!read_args(text, c->name, c->args, m, arg, &x->conv[x->n_convs].n_args, e))
		return false;
	if (c->check && !c->check(arg, x->conv[x->n_convs].n_args, m, e))
		return false;
	x->n_convs++;
	if (!c->keeps_type || (c->out == SAMPLE_IPV4 && x->out != SAMPLE_IPV6)) /* ipmask makes addresses of all it takes */
		x->out = c->out;
	return true;
}

bool expr_parse(const char *text, const struct rule_memory *m, struct expr *ret,
		const char **ret_rest, struct rule_error *e)
{
	struct expr x = {0};

	if (strlen(text) > EXPR_TEXT_MAX)
		return rule_fail(e, "an expression of more than %d characters", EXPR_TEXT_MAX);
	if (!read_fetch(&text, m, &x, e))
		return false;
	while (*text == ',') {
		text++;
		if (!read_conv(&text, m, &x, e))
			return false;
	}
	*ret = x;
	*ret_rest = text;
	return true;
}

/* ---- Evaluating ---- */

static bool has_request(struct run *r)
{
	if (!r->request && r->find_request)
		r->find_request(r);
	return r->request;
}

bool expr_eval(const struct expr *x, struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct fetch_step one = {0};

	if (((x->needs & EXPR_REQUEST) && !has_request(r)) || ((x->needs & EXPR_MESSAGE) && !r->response && !has_request(r)) ||
	    ((x->needs & EXPR_RESPONSE) && !r->response) || ((x->needs & EXPR_ASKED) && !r->was_asked && !has_request(r)))
		return false;
	if (!x->fetch->fn(x->fetch, x->arg, x->n_args, r, step ? step : &one, ret))
		return false;
	for (unsigned i = 0; i < x->n_convs; i++) {
		const struct conv *c = x->conv[i].conv;

		if (!c->keeps_type && !sample_cast(ret, c->in, &r->scratch))
			return false;
		if (!c->fn(c, x->conv[i].arg, x->conv[i].n_args, r, ret))
			return false;
	}
	return true;
}

bool expr_eval_text(const struct expr *x, struct run *r, struct text *ret)
{
	struct sample s;

	if (!expr_eval(x, r, NULL, &s) || !sample_cast(&s, SAMPLE_STR, &r->scratch))
		return false;
	*ret = s.text;
	return true;
}

bool expr_may_stand(unsigned needs, unsigned absent, struct rule_error *e)
{
	unsigned missing = needs & absent;

	if (!missing)
		return true;
	if (missing & (EXPR_RESPONSE | EXPR_ANSWERED | EXPR_SAID))
		return rule_fail(e, absent & EXPR_REQUEST ? "no response is left to be asked here" : "there is no response yet: this belongs in http-response");
	if (missing & (EXPR_SERVER | EXPR_CHOSEN))
		return rule_fail(e, "no server has answered yet: this belongs in http-response, or in log-format");
	if (missing & EXPR_BACKEND)
		return rule_fail(e, "there is no backend yet: this belongs in rules of the backend, or in log-format");
	if (missing & EXPR_SHAKEN)
		return rule_fail(e, "the handshake comes later: this belongs in tcp-request session or content");
	if (absent & EXPR_SERVER)
		return rule_fail(e, "nothing was asked yet when a connection begins");
	return rule_fail(e, "the request is gone by now: keep what you need of it, with http-request set-var(txn.name)");
}
