/* SPDX-License-Identifier: MIT */
/* Sample fetches of HTTP messages. Whose message it is, request or response, is what the fetch needs. */
#include <arpa/inet.h>
#include <string.h>

#include <libsched/lb_hash.h>

#include "rules/expr.h"
#include "rules/userlist.h"

static struct http_msg *message(const struct fetch *f, struct run *r)
{
	return f->needs & EXPR_RESPONSE || (f->needs & EXPR_MESSAGE && r->response) ? r->response : r->request;
}

static struct text span_text(const struct http_msg *m, struct http_span s)
{
	return text_of(http_text(m, s), s.len);
}

static bool give(struct sample *ret, enum sample_type type, struct text t)
{
	*ret = sample_text(type, t.at, t.len);
	return true;
}

/* ---- Header fields ---- */

/* Where a walk over the values of a field stands. */
struct walk {
	const struct http_msg *m;
	struct text name; /* empty: of every field */
	bool whole; /* the field's value as it is, not its elements */
	uint32_t field, at;
};

static bool next_value(struct walk *w, struct text *ret)
{
	for (; w->field < w->m->n_fields; w->field++, w->at = 0) {
		const struct http_field *f = &w->m->field[w->field];
		struct http_span element;

		if (w->name.len && !http_same_name(http_text(w->m, f->name), f->name.len, w->name.at, w->name.len))
			continue;
		if (w->whole) {
			*ret = span_text(w->m, f->value);
			w->field++;
			return true;
		}
		if (http_next_listed(w->m, f->value, &w->at, &element)) {
			*ret = span_text(w->m, element);
			return true;
		}
	}
	return false;
}

static struct walk walk_of(const struct fetch *f, struct run *r, struct text name)
{
	return (struct walk){.m = message(f, r), .name = name, .whole = f->data};
}

static bool nth(struct walk w, int64_t occurrence, struct text *ret)
{
	struct walk from = w;
	int64_t n = 0;
	struct text t;

	if (occurrence < 0) {
		while (next_value(&w, &t))
			n++;
		occurrence += n + 1;
	}
	for (n = 1; occurrence > 0 && next_value(&from, ret); n++)
		if (n == occurrence)
			return true;
	return false;
}

static bool header_text(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
			struct run *r, struct fetch_step *step, struct text *ret)
{
	struct walk w = walk_of(f, r, arg->text);

	if (n_args > 1 && arg[1].number)
		return nth(w, arg[1].number, ret);
	if (!step->each)
		return nth(w, -1, ret);
	w.field = step->field;
	w.at = step->at;
	step->more = next_value(&w, ret);
	step->field = w.field;
	step->at = w.at;
	return step->more;
}

static bool header(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		   struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct text t;

	return header_text(f, arg, n_args, r, step, &t) && give(ret, SAMPLE_STR, t);
}

static bool header_number(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
			  struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct text t;
	int64_t value;

	if (!header_text(f, arg, n_args, r, step, &t))
		return false;
	text_to_int(t, &value);
	*ret = sample_int(value);
	return true;
}

/* "10.0.0.1", "10.0.0.1:80", "2001:db8::1", "[2001:db8::1]:80" */
static bool header_ip(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		      struct run *r, struct fetch_step *step, struct sample *ret)
{
	const char *end;
	struct text t;

	while (header_text(f, arg, n_args, r, step, &t)) {
		if (t.len && *t.at == '[' && (end = memchr(t.at, ']', t.len)))
			t = text_of(t.at + 1, (size_t)(end - t.at) - 1);
		if (text_to_ip(t, ret))
			return true;
		end = memchr(t.at, ':', t.len);
		if (end && text_to_ip(text_of(t.at, (size_t)(end - t.at)), ret))
			return true;
		if (!step->each)
			break;
	}
	return false;
}

static bool header_count(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
			 struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct walk w;
	struct text t;
	int64_t n = 0;

	for (w = walk_of(f, r, arg->text); next_value(&w, &t); n++)
		;
	*ret = sample_int(n);
	return true;
}

static bool header_names(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
			 struct run *r, struct fetch_step *step, struct sample *ret)
{
	const struct http_msg *m = message(f, r);
	char delimiter = n_args && arg->text.len ? *arg->text.at : ',';
	size_t len = 0;
	char *p;

	for (unsigned i = 0; i < m->n_fields; i++)
		len += m->field[i].name.len + 1;
	p = scratch_take(&r->scratch, len);
	if (!p)
		return false;
	len = 0;
	for (unsigned i = 0; i < m->n_fields; i++) {
		struct text name = span_text(m, m->field[i].name);

		if (i)
			p[len++] = delimiter;
		for (size_t k = 0; k < name.len; k++) /* as HAProxy has them: what compares them means that */
			p[len++] = (char)(name.at[k] >= 'A' && name.at[k] <= 'Z' ? name.at[k] | 32 : name.at[k]);
	}
	return give(ret, SAMPLE_STR, text_of(p, len));
}

/* ---- Pairs: cookies and parameters ---- */

static struct text trimmed(struct text t)
{
	while (t.len && (*t.at == ' ' || *t.at == '\t'))
		t.at++, t.len--;
	while (t.len && (t.at[t.len - 1] == ' ' || t.at[t.len - 1] == '\t'))
		t.len--;
	return t;
}

/* The next "name=value" of a message's list of cookies, from *at on; a word alone is none, and $Path is said of one (RFC 2965). */
static bool next_pair(struct text list, uint32_t *at, struct text *name, struct text *value)
{
	while (*at < list.len) {
		const char *begin = list.at + *at, *end, *equals;

		end = begin + http_cookie_len(begin, list.len - *at);
		*at = (uint32_t)(end - list.at) + 1;
		equals = memchr(begin, '=', (size_t)(end - begin));
		if (!equals)
			continue;
		*name = trimmed(text_of(begin, (size_t)(equals - begin)));
		if (name->len && *name->at == '$')
			continue;
		*value = trimmed(text_of(equals + 1, (size_t)(end - equals) - 1));
		return true;
	}
	return false;
}

/* An answer's is the first word of a field, or behind a comma, as in HAProxy; what follows are attributes. */
static bool next_set_cookie(struct walk *w, const struct http_field *f, struct text *name, struct text *value)
{
	struct http_span element;
	uint32_t at;

	do {
		if (!http_next_listed(w->m, f->value, &w->at, &element))
			return false;
		at = 0;
	} while (!next_pair(span_text(w->m, element), &at, name, value));
	return true;
}

/* The next cookie of that name; an empty name is any. */
static bool next_cookie(struct walk *w, struct text wanted, struct text *ret)
{
	struct text name, value;

	for (; w->field < w->m->n_fields; w->field++, w->at = 0) {
		const struct http_field *f = &w->m->field[w->field];
		struct text list = span_text(w->m, f->value);

		if (!http_same_name(http_text(w->m, f->name), f->name.len, w->name.at, w->name.len))
			continue;
		while (w->m->is_response ? next_set_cookie(w, f, &name, &value) : next_pair(list, &w->at, &name, &value)) {
			if (wanted.len && !text_same(name, wanted, false))
				continue;
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool cookie_text(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
			struct run *r, struct fetch_step *step, struct text *ret)
{
	struct walk w = walk_of(f, r, message(f, r)->is_response ? text_of("set-cookie", 10) : text_of("cookie", 6));
	struct text wanted = n_args ? arg->text : text_of("", 0), t;
	bool found = false;

	if (step->each) {
		w.field = step->field;
		w.at = step->at;
		step->more = found = next_cookie(&w, wanted, ret);
		step->field = w.field;
		step->at = w.at;
		return found;
	}
	while (next_cookie(&w, wanted, &t)) {
		*ret = t;
		found = true;
		if (!n_args) /* the last of a name; without a name the first */
			break;
	}
	return found;
}

static bool cookie(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		   struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct text t;

	return cookie_text(f, arg, n_args, r, step, &t) && give(ret, SAMPLE_STR, t);
}

static bool cookie_number(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
			  struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct text t;
	int64_t value;

	if (!cookie_text(f, arg, n_args, r, step, &t))
		return false;
	text_to_int(t, &value);
	*ret = sample_int(value);
	return true;
}

static bool cookie_count(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
			 struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct fetch_step each = {.each = true};
	struct text t;
	int64_t n = 0;

	while (cookie_text(f, arg, n_args, r, &each, &t))
		n++;
	*ret = sample_int(n);
	return true;
}

static size_t parameter_len(struct text list, size_t at, char delimiter)
{
	size_t end = at;

	while (end < list.len && list.at[end] != '&' && list.at[end] != ';' && list.at[end] != delimiter)
		end++;
	return end - at;
}

bool fetch_parameter(struct text list, char delimiter, struct text name, struct fetch_step *step, struct text *ret)
{
	const char *equals;
	size_t at = step->each ? step->at : 0, len;

	step->more = false;
	for (; !step->more && at < list.len; at += len + 1) {
		len = parameter_len(list, at, delimiter);
		equals = memchr(list.at + at, '=', len);
		if (!equals || (name.len && !text_same(text_of(list.at + at, (size_t)(equals - list.at) - at), name, false)))
			continue;
		*ret = text_of(equals + 1, (size_t)(list.at + at + len - equals) - 1);
		step->more = true;
	}
	step->at = (uint32_t)at;
	return step->more;
}

/* Of the target, behind the delimiter: "?", or what the second argument says. */
static bool parameter_text(struct run *r, const struct expr_arg *arg, unsigned n_args, struct fetch_step *step,
			   struct text *ret)
{
	struct text target = span_text(r->request, r->request->target);
	char delimiter = n_args > 1 && arg[1].text.len ? *arg[1].text.at : '?';
	const char *begin = memchr(target.at, delimiter, target.len);

	return begin && fetch_parameter(text_of(begin + 1, target.len - (size_t)(begin - target.at) - 1), delimiter,
					n_args ? arg->text : text_of("", 0), step, ret);
}

static bool parameter(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		      struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct text t;

	return parameter_text(r, arg, n_args, step, &t) && give(ret, SAMPLE_STR, t);
}

static bool parameter_number(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
			     struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct text t;
	int64_t value;

	if (!parameter_text(r, arg, n_args, step, &t))
		return false;
	text_to_int(t, &value);
	*ret = sample_int(value);
	return true;
}

/* ---- The start line ---- */

enum {
	LINE_METHOD,
	LINE_PATH,
	LINE_PATH_QUERY,
	LINE_QUERY,
	LINE_URL,
	LINE_VERSION,
	LINE_BASE,
	LINE_BASE_QUERY,
	LINE_BASE32,
	LINE_BASE32_SOURCE,
	LINE_URL32_SOURCE,
	LINE_URL32,
};

static struct text host_of(const struct http_msg *m)
{
	const struct http_field *f = http_find_id(m, HTTP_ID_HOST);

	return f ? span_text(m, f->value) : text_of("", 0);
}

static bool path(const struct http_msg *m, bool with_query, struct text *ret)
{
	struct text target = span_text(m, m->target);

	*ret = span_text(m, http_path(m));
	if (!ret->len)
		return false;
	if (with_query) /* its "?" as well when nothing is behind it */
		ret->len = (size_t)(target.at + target.len - ret->at);
	return true;
}

/* Host and path behind each other; "*" has no path. */
static bool base(struct run *r, bool with_query, struct text *ret)
{
	struct text host = host_of(r->request), p = text_of("", 0);
	char *at;

	if (!path(r->request, with_query, &p) && !host.len)
		return false;
	at = scratch_take(&r->scratch, host.len + p.len);
	if (!at)
		return false;
	memcpy(at, host.at, host.len);
	memcpy(at + host.len, p.at, p.len);
	*ret = text_of(at, host.len + p.len);
	return true;
}

static uint32_t hash_of(struct text t)
{
	return lb_hash_avalanche(lb_hash_sdbm(t.at, t.len));
}

/* The hash in network order, and the client's address behind it. */
static bool hash_and_source(struct run *r, bool with_query, struct sample *ret)
{
	size_t len = r->source.address.type == SAMPLE_IPV4 ? 4 : r->source.address.type == SAMPLE_IPV6 ? 16 : 0;
	struct text t;
	uint32_t hash;
	char *p;

	if (!len || !base(r, with_query, &t))
		return false;
	hash = htonl(hash_of(t));
	p = scratch_take(&r->scratch, sizeof(hash) + len);
	if (!p)
		return false;
	memcpy(p, &hash, sizeof(hash));
	memcpy(p + sizeof(hash), r->source.address.ip, len);
	return give(ret, SAMPLE_BIN, text_of(p, sizeof(hash) + len));
}

static bool version(const struct http_msg *m, struct sample *ret)
{
	return give(ret, SAMPLE_STR, text_of(http_version_text(m), 3));
}

/* One with a name that is known is so when the request is gone, as in HAProxy. */
static bool method(const struct run *r, struct text *ret)
{
	const char *name = http_method_name(r->method);

	if (r->request)
		*ret = span_text(r->request, r->request->method_text);
	else if (name)
		*ret = text_of(name, strlen(name));
	return r->request || name;
}

static bool line(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct fetch_step *step, struct sample *ret)
{
	struct http_msg *m = message(f, r);
	struct text t;

	switch (f->data) {
	case LINE_METHOD:
		return method(r, &t) && give(ret, SAMPLE_STR, t);
	case LINE_PATH:
	case LINE_PATH_QUERY:
		return path(m, f->data == LINE_PATH_QUERY, &t) && give(ret, SAMPLE_STR, t);
	case LINE_QUERY:
		t = span_text(m, http_query(m));
		return t.at > http_text(m, m->target) && t.at[-1] == '?' && give(ret, SAMPLE_STR, t);
	case LINE_URL:
		return give(ret, SAMPLE_STR, span_text(m, m->target));
	case LINE_VERSION:
		return version(m, ret);
	case LINE_BASE:
	case LINE_BASE_QUERY:
		return base(r, f->data == LINE_BASE_QUERY, &t) && give(ret, SAMPLE_STR, t);
	case LINE_BASE32:
	case LINE_URL32:
		if (!base(r, f->data == LINE_URL32, &t))
			return false;
		*ret = sample_int(hash_of(t));
		return true;
	case LINE_BASE32_SOURCE:
	case LINE_URL32_SOURCE:
		return hash_and_source(r, f->data == LINE_URL32_SOURCE, ret);
	default:
		return false;
	}
}

/* ---- The rest ---- */

static bool is_first(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		     struct run *r, struct fetch_step *step, struct sample *ret)
{
	*ret = sample_bool(f->data || r->first_request);
	return true;
}

static int sextet(unsigned char c)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

enum {
	AUTH_TYPE,
	AUTH_USER,
	AUTH_PASSWORD,
	AUTH_BEARER,
};

/* user:password of RFC 7617, decoded into the scratch. */
static bool basic(struct run *r, struct text t, int what, struct sample *ret)
{
	char *p = scratch_take(&r->scratch, t.len), *colon;
	uint32_t bits = 0;
	size_t n = 0;
	int have = 0;

	if (!p)
		return false;
	for (size_t i = 0; i < t.len && t.at[i] != '='; i++) {
		int digit = sextet((unsigned char)t.at[i]);

		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		have += 6;
		if (have >= 8) {
			have -= 8;
			p[n++] = (char)(bits >> have);
		}
	}
	colon = memchr(p, ':', n);
	if (!colon)
		return false;
	if (what == AUTH_USER)
		return give(ret, SAMPLE_STR, text_of(p, (size_t)(colon - p)));
	return give(ret, SAMPLE_STR, text_of(colon + 1, n - (size_t)(colon - p) - 1));
}

static bool authorization(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
			  struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct text t, scheme, from = f->data == AUTH_BEARER && n_args ? arg[0].text : text_of("authorization", 13);
	const struct http_field *field = http_find(r->request, from.at, from.len, 0);
	bool is_basic, is_bearer;
	size_t n = 0;

	if (!field)
		return false;
	t = span_text(r->request, field->value);
	while (n < t.len && t.at[n] != ' ')
		n++;
	scheme = text_of(t.at, n);
	is_basic = text_same(scheme, text_of("basic", 5), true);
	is_bearer = text_same(scheme, text_of("bearer", 6), true);
	t = trimmed(text_of(t.at + n, t.len - n));
	switch (f->data) {
	case AUTH_TYPE: /* of those that are known, however it was written */
		return (is_basic || is_bearer) && give(ret, SAMPLE_STR, is_basic ? text_of("Basic", 5) : text_of("Bearer", 6));
	case AUTH_BEARER:
		return is_bearer && give(ret, SAMPLE_STR, t);
	default:
		return is_basic && basic(r, t, f->data, ret);
	}
}

/* http_auth(LIST), and http_auth_group(LIST): each group of the user, one after the other */
static bool authorized(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		       struct run *r, struct fetch_step *step, struct sample *ret)
{
	const struct userlist *l = arg[0].object;
	const struct fetch name = {.data = AUTH_USER}, password = {.data = AUTH_PASSWORD};
	const struct user *u = NULL;
	struct sample n, p;

	if (authorization(&name, arg, n_args, r, step, &n) &&
	    authorization(&password, arg, n_args, r, step, &p))
		u = userlist_check(l, n.text, p.text);
	if (f->out == SAMPLE_BOOL) {
		*ret = sample_bool(u);
		return true;
	}
	while (u && step->at < l->n_groups && !(u->groups >> step->at & 1))
		step->at++;
	if (!u || step->at >= l->n_groups)
		return false;
	*ret = sample_text(SAMPLE_STR, l->group[step->at], strlen(l->group[step->at]));
	step->more = step->each && ++step->at < l->n_groups;
	return true;
}

static bool check_userlist(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m,
			   struct rule_error *e)
{
	if (!m->shared)
		return rule_fail(e, "there are no userlists here");
	arg[0].object = userlist_get(m->shared, m, arg[0].text.at);
	return arg[0].object || rule_fail(e, "%s", "");
}

/* ---- Where an absolute URL points to ---- */

/* url_ip, url_port; of a name there is no address */
static bool url_end(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		    struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct text t = span_text(r->request, r->request->target);
	const char *scheme = t.len > 3 ? memmem(t.at, t.len, "://", 3) : NULL;
	size_t host = 0, end = 0;
	int64_t port = 80;

	if (!scheme)
		return false;
	t = text_of(scheme + 3, t.len - (size_t)(scheme + 3 - t.at));
	while (end < t.len && !memchr("/?", t.at[end], 2))
		end++;
	while (host < end && t.at[host] != ':')
		host++;
	if (f->data) {
		if (host < end)
			text_to_int(text_of(t.at + host + 1, end - host - 1), &port);
		*ret = sample_int(port);
		return true;
	}
	return text_to_ip(text_of(t.at, host), ret) && ret->type == SAMPLE_IPV4;
}

#define ELEMENTS 0
#define WHOLE 1

const struct fetch fetches_http[] = {
    {"base", "", SAMPLE_STR, EXPR_REQUEST, line, LINE_BASE, NULL},
    {"base32", "", SAMPLE_INT, EXPR_REQUEST, line, LINE_BASE32, NULL},
    {"base32+src", "", SAMPLE_BIN, EXPR_REQUEST, line, LINE_BASE32_SOURCE, NULL},
    {"baseq", "", SAMPLE_STR, EXPR_REQUEST, line, LINE_BASE_QUERY, NULL},
    {"cook", "S", SAMPLE_STR, EXPR_REQUEST, cookie, 0, NULL},
    {"cook_cnt", "S", SAMPLE_INT, EXPR_REQUEST, cookie_count, 0, NULL},
    {"cook_val", "S", SAMPLE_INT, EXPR_REQUEST, cookie_number, 0, NULL},
    {"cookie", "S", SAMPLE_STR, EXPR_MESSAGE, cookie, 0, NULL},
    {"hdr", "SI", SAMPLE_STR, EXPR_MESSAGE, header, ELEMENTS, NULL},
    {"hdr_cnt", "S", SAMPLE_INT, EXPR_REQUEST, header_count, ELEMENTS, NULL},
    {"hdr_ip", "SI", SAMPLE_IPV4, EXPR_REQUEST, header_ip, ELEMENTS, NULL},
    {"hdr_val", "SI", SAMPLE_INT, EXPR_REQUEST, header_number, ELEMENTS, NULL},
    {"http_auth", "s", SAMPLE_BOOL, EXPR_REQUEST, authorized, 0, check_userlist},
    {"http_auth_bearer", "S", SAMPLE_STR, EXPR_REQUEST, authorization, AUTH_BEARER, NULL},
    {"http_auth_group", "s", SAMPLE_STR, EXPR_REQUEST, authorized, 0, check_userlist},
    {"http_auth_pass", "", SAMPLE_STR, EXPR_REQUEST, authorization, AUTH_PASSWORD, NULL},
    {"http_auth_type", "", SAMPLE_STR, EXPR_REQUEST, authorization, AUTH_TYPE, NULL},
    {"http_auth_user", "", SAMPLE_STR, EXPR_REQUEST, authorization, AUTH_USER, NULL},
    {"http_first_req", "", SAMPLE_BOOL, EXPR_ASKED, is_first, 0, NULL},
    {"method", "", SAMPLE_STR, EXPR_ASKED, line, LINE_METHOD, NULL},
    {"path", "", SAMPLE_STR, EXPR_REQUEST, line, LINE_PATH, NULL},
    {"pathq", "", SAMPLE_STR, EXPR_REQUEST, line, LINE_PATH_QUERY, NULL},
    {"query", "", SAMPLE_STR, EXPR_REQUEST, line, LINE_QUERY, NULL},
    {"req.cook", "S", SAMPLE_STR, EXPR_REQUEST, cookie, 0, NULL},
    {"req.cook_cnt", "S", SAMPLE_INT, EXPR_REQUEST, cookie_count, 0, NULL},
    {"req.cook_val", "S", SAMPLE_INT, EXPR_REQUEST, cookie_number, 0, NULL},
    {"req.fhdr", "SI", SAMPLE_STR, EXPR_REQUEST, header, WHOLE, NULL},
    {"req.fhdr_cnt", "S", SAMPLE_INT, EXPR_REQUEST, header_count, WHOLE, NULL},
    {"req.hdr", "SI", SAMPLE_STR, EXPR_REQUEST, header, ELEMENTS, NULL},
    {"req.hdr_cnt", "S", SAMPLE_INT, EXPR_REQUEST, header_count, ELEMENTS, NULL},
    {"req.hdr_ip", "SI", SAMPLE_IPV4, EXPR_REQUEST, header_ip, ELEMENTS, NULL},
    {"req.hdr_names", "S", SAMPLE_STR, EXPR_REQUEST, header_names, 0, NULL},
    {"req.hdr_val", "SI", SAMPLE_INT, EXPR_REQUEST, header_number, ELEMENTS, NULL},
    {"req.proto_http", "", SAMPLE_BOOL, EXPR_ASKED, is_first, 1, NULL},
    {"req.ver", "", SAMPLE_STR, EXPR_REQUEST, line, LINE_VERSION, NULL},
    {"req_proto_http", "", SAMPLE_BOOL, EXPR_ASKED, is_first, 1, NULL},
    {"req_ver", "", SAMPLE_STR, EXPR_REQUEST, line, LINE_VERSION, NULL},
    {"res.cook", "S", SAMPLE_STR, EXPR_RESPONSE, cookie, 0, NULL},
    {"res.cook_cnt", "S", SAMPLE_INT, EXPR_RESPONSE, cookie_count, 0, NULL},
    {"res.cook_val", "S", SAMPLE_INT, EXPR_RESPONSE, cookie_number, 0, NULL},
    {"res.fhdr", "SI", SAMPLE_STR, EXPR_RESPONSE, header, WHOLE, NULL},
    {"res.fhdr_cnt", "S", SAMPLE_INT, EXPR_RESPONSE, header_count, WHOLE, NULL},
    {"res.hdr", "SI", SAMPLE_STR, EXPR_RESPONSE, header, ELEMENTS, NULL},
    {"res.hdr_cnt", "S", SAMPLE_INT, EXPR_RESPONSE, header_count, ELEMENTS, NULL},
    {"res.hdr_ip", "SI", SAMPLE_IPV4, EXPR_RESPONSE, header_ip, ELEMENTS, NULL},
    {"res.hdr_names", "S", SAMPLE_STR, EXPR_RESPONSE, header_names, 0, NULL},
    {"res.hdr_val", "SI", SAMPLE_INT, EXPR_RESPONSE, header_number, ELEMENTS, NULL},
    {"res.ver", "", SAMPLE_STR, EXPR_RESPONSE, line, LINE_VERSION, NULL},
    {"resp_ver", "", SAMPLE_STR, EXPR_RESPONSE, line, LINE_VERSION, NULL},
    {"scook", "S", SAMPLE_STR, EXPR_RESPONSE, cookie, 0, NULL},
    {"scook_cnt", "S", SAMPLE_INT, EXPR_RESPONSE, cookie_count, 0, NULL},
    {"scook_val", "S", SAMPLE_INT, EXPR_RESPONSE, cookie_number, 0, NULL},
    {"shdr", "SI", SAMPLE_STR, EXPR_RESPONSE, header, ELEMENTS, NULL},
    {"shdr_cnt", "S", SAMPLE_INT, EXPR_RESPONSE, header_count, ELEMENTS, NULL},
    {"shdr_ip", "SI", SAMPLE_IPV4, EXPR_RESPONSE, header_ip, ELEMENTS, NULL},
    {"shdr_val", "SI", SAMPLE_INT, EXPR_RESPONSE, header_number, ELEMENTS, NULL},
    {"url", "", SAMPLE_STR, EXPR_REQUEST, line, LINE_URL, NULL},
    {"url32", "", SAMPLE_INT, EXPR_REQUEST, line, LINE_URL32, NULL},
    {"url32+src", "", SAMPLE_BIN, EXPR_REQUEST, line, LINE_URL32_SOURCE, NULL},
    {"url_ip", "", SAMPLE_IPV4, EXPR_REQUEST, url_end, 0, NULL},
    {"url_param", "SS", SAMPLE_STR, EXPR_REQUEST, parameter, 0, NULL},
    {"url_port", "", SAMPLE_INT, EXPR_REQUEST, url_end, 1, NULL},
    {"urlp", "SS", SAMPLE_STR, EXPR_REQUEST, parameter, 0, NULL},
    {"urlp_val", "SS", SAMPLE_INT, EXPR_REQUEST, parameter_number, 0, NULL},
    {NULL, NULL, 0, 0, NULL, 0, NULL},
};
