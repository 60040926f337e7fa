/* SPDX-License-Identifier: MIT */
/* What was captured, and the request line as it came; converters that capture. */
#include <string.h>

#include "rules/capture.h"
#include "rules/expr.h"
#include "rules/unique_id.h"

enum {
	WORD_METHOD,
	WORD_URI,
	WORD_VERSION,
};

static bool captured(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		     struct run *r, struct fetch_step *step, struct sample *ret)
{
	const char *t;

	if (!r->captures || arg[0].number < 0 || arg[0].number >= CAPTURES_MAX)
		return false;
	t = r->captures->at[f->data][arg[0].number];
	if (!t)
		return false;
	*ret = sample_text(SAMPLE_STR, t, strlen(t));
	return true;
}

/* Word `data` of the request line; of an absolute URI what begins with its path, as HAProxy. */
static bool word(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct fetch_step *step, struct sample *ret)
{
	const char *at = r->request_line.at, *end = at ? at + r->request_line.len : NULL, *stop;

	for (int i = 0; at && i < f->data; i++) {
		at = memchr(at, ' ', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return false;
	stop = memchr(at, ' ', (size_t)(end - at));
	stop = stop ? stop : end;
	if (f->data == WORD_URI && at < stop && *at != '/') {
		at = memmem(at, (size_t)(stop - at), "://", 3);
		at = at ? memchr(at + 3, '/', (size_t)(stop - at) - 3) : NULL;
	}
	if (!at)
		return false;
	*ret = sample_text(SAMPLE_STR, at, (size_t)(stop - at));
	if (f->data == WORD_VERSION && ret->text.len == 8 && !memcmp(at, "HTTP/2.0", 8))
		ret->text.at = "HTTP/1.1"; /* as HAProxy */
	return true;
}

static bool unique_id(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		      struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct text id = run_unique_id(r);

	*ret = sample_text(SAMPLE_STR, id.at, id.len);
	return id.at;
}

static bool capture(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
		    struct run *r, struct sample *s)
{
	enum capture_side side = (enum capture_side)c->data;

	if (!r->slots || arg[0].number < 0 || arg[0].number >= r->slots->n[side])
		return false;
	if (r->captures)
		capture_set(r->captures, r->slots, side, (unsigned)arg[0].number, s->text);
	return true;
}

const struct fetch fetches_capture[] = {
    {"capture.req.hdr", "i", SAMPLE_STR, EXPR_KEPT, captured, CAPTURE_REQUEST, NULL},
    {"capture.req.method", "", SAMPLE_STR, EXPR_KEPT, word, WORD_METHOD, NULL},
    {"capture.req.uri", "", SAMPLE_STR, EXPR_KEPT, word, WORD_URI, NULL},
    {"capture.req.ver", "", SAMPLE_STR, EXPR_KEPT, word, WORD_VERSION, NULL},
    {"capture.res.hdr", "i", SAMPLE_STR, EXPR_SERVER, captured, CAPTURE_RESPONSE, NULL},
    {"unique-id", "", SAMPLE_STR, 0, unique_id, 0, NULL},
    {NULL, NULL, 0, 0, NULL, 0, NULL},
};

const struct conv convs_capture[] = {
    {"capture-req", "i", SAMPLE_STR, SAMPLE_STR, capture, CAPTURE_REQUEST, NULL, false},
    {"capture-res", "i", SAMPLE_STR, SAMPLE_STR, capture, CAPTURE_RESPONSE, NULL, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
