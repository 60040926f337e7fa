/* SPDX-License-Identifier: MIT */
/* Sample fetches of a message's body, as far as it has come, and of its head as a whole. */
#include <string.h>

#include "engine/http/h1.h"
#include "rules/expr.h"

static const struct http_msg *message(const struct fetch *f, const struct run *r)
{
	return f->needs & EXPR_RESPONSE ? r->response : r->request;
}

/* ---- The body ---- */

/* Without the framing of chunks. */
static bool body_of(const struct http_msg *m, struct run *r, struct text *ret)
{
	struct h1_body b;
	size_t n = 0, at = 0;
	char *p;

	*ret = r->body;
	if (!r->body.at)
		return false;
	if (m->framing != HTTP_BODY_CHUNKED)
		return true;
	p = scratch_take(&r->scratch, r->body.len);
	if (!p)
		return false;
	h1_body_begin(&b, m);
	while (at < r->body.len && !b.done) {
		struct http_span piece;
		size_t fed = h1_body_feed(&b, r->body.at + at, r->body.len - at, &piece);

		if (b.fault || !fed)
			return false;
		memcpy(p + n, r->body.at + at + piece.at, piece.len);
		n += piece.len;
		at += fed;
	}
	scratch_trim(&r->scratch, r->body.len, n);
	*ret = text_of(p, n);
	return true;
}

static bool body(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct fetch_step *step, struct sample *ret)
{
	struct text t;

	if (!body_of(message(f, r), r, &t))
		return false;
	*ret = f->out == SAMPLE_INT ? sample_int((int64_t)t.len) : sample_text(SAMPLE_BIN, t.at, t.len);
	return true;
}

/* As it was announced; else what has come. */
static bool body_size(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		      struct run *r, struct fetch_step *step, struct sample *ret)
{
	const struct http_msg *m = message(f, r);

	if (m->framing != HTTP_BODY_LENGTH && r->body.at)
		return body(f, arg, n_args, r, step, ret);
	*ret = sample_int(m->framing == HTTP_BODY_LENGTH ? (int64_t)m->length : 0);
	return true;
}

/* A field of a form: "a=1&b=2". req.body_param([name]) */
static bool form_field(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		       struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct text form, t;

	if (!body_of(message(f, r), r, &form) ||
	    !fetch_parameter(form, '&', n_args ? arg[0].text : text_of("", 0), step, &t))
		return false;
	*ret = sample_text(SAMPLE_STR, t.at, t.len);
	return true;
}

/* ---- The head ---- */

static void put(char **to, struct text t)
{
	memcpy(*to, t.at, t.len);
	*to += t.len;
}

static struct text span_text(const struct http_msg *m, struct http_span s)
{
	return text_of(http_text(m, s), s.len);
}

/* HAProxy has names in small letters, and rules compare with that. */
static void put_name(char **to, struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		*(*to)++ = (char)(t.at[i] >= 'A' && t.at[i] <= 'Z' ? t.at[i] | 32 : t.at[i]);
}

/* A length as SPOE writes integers: below 240 one byte, else groups of bits, lowest first. */
static void put_length(char **to, size_t n)
{
	if (n < 240) {
		*(*to)++ = (char)n;
		return;
	}
	*(*to)++ = (char)(n | 240);
	n = (n - 240) >> 4;
	for (; n >= 128; n = (n - 128) >> 7)
		*(*to)++ = (char)(n | 128);
	*(*to)++ = (char)n;
}

/* req.hdrs: lines and an empty one; req.hdrs_bin: lengths and texts, two of 0 at the end */
static bool head(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct fetch_step *step, struct sample *ret)
{
	const struct http_msg *m = message(f, r);
	size_t cap = 2;
	char *p, *to;

	for (uint32_t i = 0; i < m->n_fields; i++)
		cap += m->field[i].name.len + m->field[i].value.len + 10;
	p = to = scratch_take(&r->scratch, cap);
	if (!p)
		return false;
	for (uint32_t i = 0; i < m->n_fields; i++) {
		struct text name = span_text(m, m->field[i].name), value = span_text(m, m->field[i].value);

		if (f->data)
			put_length(&to, name.len);
		put_name(&to, name);
		if (f->data)
			put_length(&to, value.len);
		else
			put(&to, text_of(": ", 2));
		put(&to, value);
		if (!f->data)
			put(&to, text_of("\r\n", 2));
	}
	put(&to, f->data ? text_of("\0", 2) : text_of("\r\n", 2));
	scratch_trim(&r->scratch, cap, (size_t)(to - p));
	*ret = sample_text(f->out, p, (size_t)(to - p));
	return true;
}

/* clang-format off */
const struct fetch fetches_body[] = {
    {"req.body", "", SAMPLE_BIN, EXPR_REQUEST, body, 0, NULL},
    {"req.body_len", "", SAMPLE_INT, EXPR_REQUEST, body, 0, NULL},
    {"req.body_param", "S", SAMPLE_STR, EXPR_REQUEST, form_field, 0, NULL},
    {"req.body_size", "", SAMPLE_INT, EXPR_REQUEST, body_size, 0, NULL},
    {"req.hdrs", "", SAMPLE_STR, EXPR_REQUEST, head, 0, NULL},
    {"req.hdrs_bin", "", SAMPLE_BIN, EXPR_REQUEST, head, 1, NULL},
    {"res.body", "", SAMPLE_BIN, EXPR_RESPONSE, body, 0, NULL},
    {"res.body_len", "", SAMPLE_INT, EXPR_RESPONSE, body, 0, NULL},
    {"res.body_size", "", SAMPLE_INT, EXPR_RESPONSE, body_size, 0, NULL},
    {"res.hdrs", "", SAMPLE_STR, EXPR_RESPONSE, head, 0, NULL},
    {"res.hdrs_bin", "", SAMPLE_BIN, EXPR_RESPONSE, head, 1, NULL},
    {NULL, NULL, 0, 0, NULL, 0, NULL},
};
/* clang-format on */
