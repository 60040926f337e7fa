/* SPDX-License-Identifier: MIT */
/* Actions that answer: deny, return, redirect and their like. */
#include "rules/rule.h"

#include "errorfile.h"
#include "http_reason.h"
#include "rules/map.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Verdicts ---- */

void run_verdict(const struct rule *rule, struct run *r, struct verdict *v)
{
	v->kind = (enum verdict_kind)rule->data;
	v->status = rule->number;
	v->answer = rule->answer;
}

/* Words of an answer that are still to be judged together. */
struct reading {
	struct answer *a;
	const char *body; /* the word of its text or page; NULL: none yet */
	bool has_status;
};

/* A word with one value that says something. NULL: told. */
static const char *need_text(struct words *w, const char *what)
{
	const char *text = rule_need_word(w, what);

	if (!text || *text)
		return text;
	rule_fail(w->e, "%s is empty: write what it is to be, or remove both words", what);
	return NULL;
}

/* Fields that are made of the text. */
static bool is_of_text(const char *name)
{
	return !strcasecmp(name, "content-length") || !strcasecmp(name, "content-type") || !strcasecmp(name, "transfer-encoding");
}

static bool add_answer_header(struct words *w, struct answer *a)
{
	const char *name = rule_need_word(w, "the name of a header");
	struct format value;

	if (!name)
		return false;
	if (!is_token(name))
		return rule_fail(w->e, "\"%s\" is no name of a header", name);
	if (is_of_text(name)) {
		if (!rule_read_format(w, "its value", &value))
			return false;
		rule_fail(w->e, "the text says %s: hdr %s is ignored", name, name);
		return true;
	}
	if (a->n_headers == RETURN_HEADERS_MAX)
		return rule_fail(w->e, "more than %d headers", RETURN_HEADERS_MAX);
	a->header[a->n_headers].name = rule_keep_text(w, name);
	if (!a->header[a->n_headers].name ||
	    !rule_read_format(w, "its value", &a->header[a->n_headers].value))
		return false;
	a->n_headers++;
	return true;
}

/* A NUL follows it, and ends a format. */
static bool keep_content(struct words *w, struct answer *a, struct text text, bool is_format)
{
	const struct rule_memory *m = w->r->memory;
	char *copy;

	if (text.len > RETURN_CONTENT_MAX)
		return rule_fail(w->e, "the text has more than %d bytes", RETURN_CONTENT_MAX);
	if (is_format)
		return format_parse_http(text.at, m, &a->content, w->e);
	a->content.part = m->alloc(m->owner, sizeof(*a->content.part));
	copy = m->alloc(m->owner, text.len + 1);
	if (!a->content.part || !copy)
		return rule_fail(w->e, "%s", "");
	memcpy(copy, text.at, text.len);
	a->content.n = text.len > 0;
	a->content.part->literal = text_of(copy, text.len);
	return true;
}

/* Whole, of the file that the next word names. NULL: told; else it is freed. */
static char *read_file(struct words *w, size_t *ret_len)
{
	const struct rule_shared *shared = w->r->memory->shared;
	const char *path = need_text(w, "the name of a file");

	if (path && !shared)
		rule_fail(w->e, "no files may be read here");
	return path && shared ? shared->read_whole(rule_path(shared, path), ret_len, w->e) : NULL;
}

/* string, lf-string, file, lf-file */
static bool read_content(struct words *w, struct answer *a, const char *word)
{
	bool is_format = !strncmp(word, "lf-", 3);
	const char *text;
	size_t len;
	char *whole;
	bool ok;

	if (!strcmp(word + (is_format ? 3 : 0), "string")) {
		text = need_text(w, "the text");
		return text && keep_content(w, a, text_of(text, strlen(text)), is_format);
	}
	whole = read_file(w, &len);
	ok = whole && keep_content(w, a, text_of(whole, len), is_format);
	free(whole);
	return ok;
}

static bool read_errorfile(struct words *w, struct answer *a)
{
	const struct rule_memory *m = w->r->memory;
	size_t len;
	char *raw = read_file(w, &len), *page = NULL;
	const char *fault = raw ? errorfile_fault(raw, len) : NULL;

	if (!raw)
		return false;
	if (fault)
		rule_fail(w->e, "%.100s %s", w->word[w->i - 1], fault);
	else if (len > ERRORFILE_MAX)
		rule_fail(w->e, "%.100s is larger than %u bytes", w->word[w->i - 1], ERRORFILE_MAX);
	else if (!(page = m->alloc(m->owner, 2 * len + 1)))
		rule_fail(w->e, "%s", "");
	else
		a->page = text_of(page, errorfile_copy(page, raw, len));
	free(raw);
	a->kind = ANSWER_PAGE;
	return page != NULL;
}

static bool read_errorfiles(struct words *w, struct answer *a)
{
	const char *name = need_text(w, "the name of a section http-errors");

	a->pages = name ? rule_keep_text(w, name) : NULL;
	a->kind = ANSWER_PAGE;
	return a->pages != NULL;
}

/* The one word of its text or page. */
static bool read_body(struct words *w, struct reading *r, const char *word)
{
	if (r->body)
		return rule_fail(w->e, "\"%s\" and \"%s\": an answer has one text or page, remove one of them", r->body, word);
	r->body = word;
	if (!strcmp(word, "errorfile"))
		return read_errorfile(w, r->a);
	if (!strcmp(word, "errorfiles"))
		return read_errorfiles(w, r->a);
	if (strcmp(word, "default-errorfiles") != 0)
		return read_content(w, r->a, word);
	r->a->kind = ANSWER_STANDARD;
	return true;
}

static bool is_body(const char *word)
{
	static const char *const words[] = {"string", "lf-string", "file", "lf-file", "errorfile", "errorfiles", "default-errorfiles"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

/* [status N] [content-type T] [what its text or page is] [hdr N F] …, up to the condition of a rule */
static bool read_words(struct words *w, struct reading *r, const char *other_status)
{
	while (w->i < w->n && !(w->kind != RULES_N_KINDS && rule_is_condition(w->word[w->i]))) {
		const char *word = rule_next_word(w);

		if (!strcmp(word, "status") || (other_status && !strcmp(word, other_status))) {
			if (!rule_read_number(w, "a status", 200, 599, &r->a->status))
				return false;
			r->has_status |= *word == 's';
		} else if (!strcmp(word, "content-type")) {
			const char *type = need_text(w, "the media type");

			r->a->content_type = type ? rule_keep_text(w, type) : NULL;
			if (!r->a->content_type)
				return false;
		} else if (!strcmp(word, "hdr")) {
			if (!add_answer_header(w, r->a))
				return false;
		} else if (is_body(word)) {
			if (!read_body(w, r, word))
				return false;
		} else {
			return rule_fail(w->e,
					 "\"%s\" is not known here: status, content-type, string, "
					 "lf-string, file, lf-file, errorfile, errorfiles, "
					 "default-errorfiles and hdr are",
					 word);
		}
	}
	return true;
}

/* What does not fit together. True with w->e->text: a warning, as HAProxy's. */
static bool judge(struct words *w, const struct reading *r)
{
	struct answer *a = r->a;

	if (a->kind != ANSWER_COMPOSED && (a->content_type || a->n_headers)) {
		rule_fail(w->e, "an error page is sent as it is: %s adds nothing to it", a->n_headers ? "hdr" : "content-type");
		a->content_type = NULL;
		a->n_headers = 0;
	}
	if (a->kind == ANSWER_COMPOSED && a->content_type && !a->content.n && !(r->body && *r->body == 'l')) {
		rule_fail(w->e, "there is no text: content-type is ignored");
		a->content_type = NULL;
	}
	if ((a->content.n || (r->body && *r->body == 'l')) && !a->content_type)
		return rule_fail(w->e, "a text needs a content-type: write content-type text/plain before it");
	if (a->content.n && (a->status == 204 || a->status == 304))
		return rule_fail(w->e, "an answer %u has no body (RFC 9110, section 6.4.1): leave the text out", a->status);
	return true;
}

static bool need_page(struct words *w, unsigned status)
{
	return http_has_page(status) ||
	       rule_fail(w->e, "there is no page for %u: write a text for it, or return status %u", status, status);
}

/* Of "return", "deny" and "tarpit" */
bool read_answer(struct words *w, struct rule *rule)
{
	struct answer *a = w->r->memory->alloc(w->r->memory->owner, sizeof(*a));
	struct reading r = {.a = a, .has_status = rule->data == VERDICT_RETURN};

	if (!a)
		return rule_fail(w->e, "%s", "");
	a->status = rule->number;
	if (!read_words(w, &r, "deny_status") || !judge(w, &r))
		return false;
	/* "deny_status" alone means the page */
	if (!r.has_status && !r.body && !a->n_headers)
		a->kind = ANSWER_STANDARD;
	if (a->kind == ANSWER_STANDARD && !need_page(w, a->status))
		return false;
	rule->number = a->status;
	rule->answer = a->kind != ANSWER_STANDARD || rule->data == VERDICT_RETURN ? a : NULL;
	return true;
}

bool rules_read_error(const struct acl_reader *reader, const char *const *word, size_t n, struct answer **ret, size_t *ret_word,
		      struct rule_error *e)
{
	struct words w = {.r = reader, .word = word, .n = n, .e = e, .kind = RULES_N_KINDS};
	struct answer *a = reader->memory->alloc(reader->memory->owner, sizeof(*a));
	struct reading r = {.a = a};
	bool ok;

	*ret = a;
	*ret_word = 0;
	if (!a)
		return rule_fail(e, "%s", "");
	ok = read_words(&w, &r, NULL) && judge(&w, &r) && (r.has_status || rule_fail(e, "status and its number are missing"));
	*ret_word = w.i ? w.i - 1 : 0;
	return ok;
}

/* auth [realm TEXT]: who has no user is asked for one */
bool read_auth(struct words *w, struct rule *rule)
{
	struct answer *a = w->r->memory->alloc(w->r->memory->owner, sizeof(*a));
	const char *realm = "%b"; /* HAProxy's: the backend's name */
	char text[512], *to = text;

	if (!a)
		return rule_fail(w->e, "%s", "");
	if (rule_take_word(w, "realm")) {
		realm = rule_need_word(w, "a text");
		if (!realm || strlen(realm) > sizeof(text) / 2 - 32 || strpbrk(realm, "\"\r\n"))
			return realm && rule_fail(w->e, "\"%.100s\" is no realm", realm);
	}
	to = stpcpy(to, "Basic realm=\"");
	for (; *realm; realm++) { /* it is no format */
		if (*realm == '%' && realm[1] != 'b')
			*to++ = '%';
		*to++ = *realm;
	}
	strcpy(to, "\"");
	a->kind = ANSWER_STANDARD;
	a->asks_name = true;
	a->status = (unsigned)rule->number;
	a->n_headers = 1;
	a->header[0].name = "WWW-Authenticate";
	rule->answer = a;
	return format_parse(text, w->r->memory, &a->header[0].value, w->e);
}

/* ---- Redirects ---- */

enum {
	REDIRECT_LOCATION,
	REDIRECT_PREFIX,
	REDIRECT_SCHEME,
};

/* Path and query behind a prefix or a scheme; both options change it. */
static bool put_target(const struct rule *rule, struct run *r)
{
	struct http_msg *m = r->request;
	struct http_span path = http_path(m);
	struct text t = text_of(http_text(m, path), path.len);
	size_t query = path.len ? m->target.at + m->target.len - path.at - path.len : 0;

	if (!path.len) /* OPTIONS * */
		return scratch_put(&r->scratch, text_of("/", 1));
	if (!scratch_put(&r->scratch, t))
		return false;
	if (!rule->drop_query && !scratch_put(&r->scratch, text_of(t.at + t.len, query)))
		return false;
	if (!rule->drop_query)
		t.len += query;
	/* As HAProxy: behind the query, where one is left. */
	return !rule->append_slash || t.at[t.len - 1] == '/' || scratch_put(&r->scratch, text_of("/", 1));
}

static bool put_host(struct run *r)
{
	const struct http_field *f = http_find_id(r->request, HTTP_ID_HOST);

	return scratch_put(&r->scratch, text_of("://", 3)) &&
	       (!f ||
		scratch_put(&r->scratch, text_of(http_text(r->request, f->value), f->value.len)));
}

void run_redirect(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct text base;
	char *begin;
	bool ok;

	if ((!r->request && rule->data != REDIRECT_LOCATION) || !format_write(&rule->format, r, &base)) {
		fail_rule(v);
		return;
	}
	if (rule->ignore_empty && !base.len)
		return; /* as if it did not stand there */
	begin = r->scratch.at + r->scratch.used;
	/* The prefix "/" alone is none: HAProxy's way to redirect to the same place. */
	if (rule->data == REDIRECT_PREFIX && base.len == 1 && *base.at == '/')
		base.len = 0;
	ok = scratch_put(&r->scratch, base);
	if (ok && rule->data == REDIRECT_SCHEME)
		ok = put_host(r);
	if (ok && rule->data != REDIRECT_LOCATION)
		ok = put_target(rule, r);
	v->location = text_of(begin, (size_t)(r->scratch.at + r->scratch.used - begin));
	if (!ok || !is_field_value(v->location)) {
		fail_rule(v);
		return;
	}
	if (rule->cookie)
		v->cookie = text_of(rule->cookie, strlen(rule->cookie));
	v->kind = VERDICT_REDIRECT;
	v->status = rule->number;
}

static bool read_redirect_cookie(struct words *w, struct rule *rule, bool clear)
{
	const char *text = rule_need_word(w, "a cookie");
	char buf[512];

	if (!text)
		return false;
	if ((size_t)snprintf(buf, sizeof(buf), clear ? "%s; path=/; Max-Age=0;" : "%s; path=/;",
			     text) >= sizeof(buf))
		return rule_fail(w->e, "the cookie is too long");
	if (strpbrk(buf, "\r\n"))
		return rule_fail(w->e, "a cookie has no line end");
	rule->cookie = rule_keep_text(w, buf);
	return rule->cookie;
}

static bool read_redirect_code(struct words *w, struct rule *rule)
{
	static const unsigned codes[] = {301, 302, 303, 307, 308};

	if (!rule_read_number(w, "a code", 301, 308, &rule->number))
		return false;
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (codes[i] == rule->number)
			return true;
	return rule_fail(w->e, "%u is no code of a redirect: write 301, 302, 303, 307 or 308", rule->number);
}

bool read_redirect(struct words *w, struct rule *rule)
{
	bool to = false;

	rule->number = 302;
	while (w->i < w->n && !rule_is_condition(w->word[w->i])) {
		const char *word = rule_next_word(w);

		if (!strcmp(word, "location") || !strcmp(word, "prefix") ||
		    !strcmp(word, "scheme")) {
			if (*word != 'l' && w->kind == RULES_RESPONSE)
				return rule_fail(w->e, "an answer is redirected to a location: \"%s\" is for requests", word);
			rule->data = *word == 'l'   ? REDIRECT_LOCATION
				     : *word == 'p' ? REDIRECT_PREFIX
						    : REDIRECT_SCHEME;
			to = true;
			if (!rule_read_format(w, "what to redirect to (a URL, a path or a scheme)", &rule->format))
				return false;
		} else if (!strcmp(word, "code")) {
			if (!read_redirect_code(w, rule))
				return false;
		} else if (!strcmp(word, "drop-query")) {
			rule->drop_query = true;
		} else if (!strcmp(word, "append-slash")) {
			rule->append_slash = true;
		} else if (!strcmp(word, "ignore-empty")) {
			rule->ignore_empty = true;
		} else if (!strcmp(word, "set-cookie") || !strcmp(word, "clear-cookie")) {
			if (!read_redirect_cookie(w, rule, *word == 'c'))
				return false;
		} else {
			return rule_fail(
			    w->e,
			    "\"%s\" is not known here: location, prefix, scheme, code, "
			    "drop-query, append-slash, ignore-empty, set-cookie and clear-cookie are",
			    word);
		}
	}
	return to || rule_fail(w->e, "a redirect needs location, prefix or scheme");
}
