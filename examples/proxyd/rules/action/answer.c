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

/* ---- Verdicts ---- */

void run_verdict(const struct rule *rule, struct run *r, struct verdict *v)
{
	v->kind = (enum verdict_kind)rule->data;
	v->status = rule->number;
	v->answer = rule->answer;
}

static bool add_answer_header(struct words *w, struct answer *a)
{
	const char *name = rule_need_word(w, "the name of a header");

	if (!name)
		return false;
	if (a->n_headers == RETURN_HEADERS_MAX)
		return rule_fail(w->e, "more than %d headers", RETURN_HEADERS_MAX);
	if (!is_token(name))
		return rule_fail(w->e, "\"%s\" is no name of a header", name);
	a->header[a->n_headers].name = rule_keep_text(w, name);
	if (!a->header[a->n_headers].name ||
	    !rule_read_format(w, "its value", &a->header[a->n_headers].value))
		return false;
	a->n_headers++;
	return true;
}

static bool keep_content(struct words *w, struct answer *a, const char *text, bool is_format)
{
	if (strlen(text) > RETURN_CONTENT_MAX)
		return rule_fail(w->e, "the text has more than %d bytes", RETURN_CONTENT_MAX);
	a->is_format = is_format;
	if (is_format)
		return format_parse_http(text, w->r->memory, &a->content, w->e);
	a->content.part = w->r->memory->alloc(w->r->memory->owner, sizeof(*a->content.part));
	if (!a->content.part)
		return rule_fail(w->e, "%s", "");
	text = rule_keep_text(w, text);
	if (!text)
		return false;
	a->content.n = *text != '\0';
	a->content.part->literal = text_of(text, strlen(text));
	return true;
}

static bool read_content(struct words *w, struct answer *a, bool is_format)
{
	const char *text = rule_need_word(w, "a text");

	return text && keep_content(w, a, text, is_format);
}

static bool read_file(struct words *w, struct answer *a, bool is_format)
{
	const struct rule_shared *shared = w->r->memory->shared;
	const char *path = rule_need_word(w, "a file");
	char *text;
	bool ok;

	if (!path)
		return false;
	if (!shared)
		return rule_fail(w->e, "no files may be read here");
	text = shared->read_text(rule_path(shared, path), w->e);
	ok = text && keep_content(w, a, text, is_format);
	free(text);
	return ok;
}

static bool read_errorfile(struct words *w, struct answer *a)
{
	const struct rule_memory *m = w->r->memory;
	const char *path = rule_need_word(w, "a file");
	char *raw, *page = NULL;
	size_t len;

	if (!path)
		return false;
	if (!m->shared)
		return rule_fail(w->e, "no files may be read here");
	raw = m->shared->read_text(rule_path(m->shared, path), w->e);
	if (!raw)
		return false;
	len = strlen(raw);
	if (len && !errorfile_is_answer(raw, len)) /* an empty one: nothing is sent */
		rule_fail(w->e, "%.100s is no HTTP answer: " ERRORFILE_WANTED, path);
	else if (len > ERRORFILE_MAX)
		rule_fail(w->e, "%.100s is larger than %u bytes", path, ERRORFILE_MAX);
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
	const char *name = rule_need_word(w, "the name of a section http-errors");

	a->pages = name ? rule_keep_text(w, name) : NULL;
	a->kind = ANSWER_PAGE;
	return a->pages != NULL;
}

/* [status N | deny_status N] [content-type T] [string S | lf-string F] [hdr N F] … */
bool read_answer(struct words *w, struct rule *rule)
{
	struct answer *a = w->r->memory->alloc(w->r->memory->owner, sizeof(*a));
	bool more = false, has_fields = false, is_own = rule->data == VERDICT_RETURN;

	if (!a)
		return rule_fail(w->e, "%s", "");
	a->status = rule->number;
	while (w->i < w->n && !rule_is_condition(w->word[w->i])) {
		const char *word = rule_next_word(w);

		if (!strcmp(word, "status") || !strcmp(word, "deny_status")) {
			if (!rule_read_number(w, "a status", 200, 599, &a->status))
				return false;
			is_own |= *word == 's'; /* "deny_status" alone means the page */
		} else if (!strcmp(word, "content-type")) {
			const char *type = rule_need_word(w, "a media type");

			a->content_type = type ? rule_keep_text(w, type) : NULL;
			if (!a->content_type)
				return false;
			more = true;
		} else if (!strcmp(word, "string") || !strcmp(word, "lf-string")) {
			if (!read_content(w, a, *word == 'l'))
				return false;
			more = true;
		} else if (!strcmp(word, "hdr")) {
			if (!add_answer_header(w, a))
				return false;
			has_fields = true;
		} else if (!strcmp(word, "default-errorfiles")) {
			a->kind = ANSWER_STANDARD;
		} else if (!strcmp(word, "file") || !strcmp(word, "lf-file")) {
			if (!read_file(w, a, *word == 'l'))
				return false;
			more = true;
		} else if (!strcmp(word, "errorfile")) {
			if (!read_errorfile(w, a))
				return false;
		} else if (!strcmp(word, "errorfiles")) {
			if (!read_errorfiles(w, a))
				return false;
		} else {
			return rule_fail(w->e,
					 "\"%s\" is not known here: status, content-type, string, "
					 "lf-string, file, lf-file, errorfile, errorfiles, "
					 "default-errorfiles and hdr are",
					 word);
		}
	}
	if (more && a->kind != ANSWER_COMPOSED)
		return rule_fail(w->e, "an error page is sent as it is: remove content-type and the text, or the page");
	if (has_fields && a->kind != ANSWER_COMPOSED) { /* a warning, as HAProxy's */
		rule_fail(w->e, "an error page is sent as it is: hdr adds nothing to it");
		a->n_headers = 0;
		has_fields = false;
	}
	if (a->content.n && !a->content_type)
		return rule_fail(
		    w->e, "a text needs a content-type: write content-type text/plain before it");
	if (a->kind == ANSWER_COMPOSED && !is_own && !more && !has_fields)
		a->kind = ANSWER_STANDARD;
	if (a->kind == ANSWER_STANDARD && !http_has_page(a->status))
		return rule_fail(w->e, "there is no page for %u: write a text for it, or return status %u", a->status, a->status);
	rule->number = a->status;
	rule->answer = a->kind != ANSWER_STANDARD || rule->data == VERDICT_RETURN ? a : NULL;
	return true;
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

	if (!r->request || !format_write(&rule->format, r, &base)) {
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

bool read_redirect(struct words *w, struct rule *rule)
{
	static const unsigned codes[] = {301, 302, 303, 307, 308};
	bool known = false, to = false;

	rule->number = 302;
	while (w->i < w->n && !rule_is_condition(w->word[w->i])) {
		const char *word = rule_next_word(w);

		if (!strcmp(word, "location") || !strcmp(word, "prefix") ||
		    !strcmp(word, "scheme")) {
			rule->data = *word == 'l'   ? REDIRECT_LOCATION
				     : *word == 'p' ? REDIRECT_PREFIX
						    : REDIRECT_SCHEME;
			to = true;
			if (!rule_read_format(w, "where it leads to", &rule->format))
				return false;
		} else if (!strcmp(word, "code")) {
			if (!rule_read_number(w, "a code", 301, 308, &rule->number))
				return false;
			for (size_t i = 0; i < 5; i++)
				known |= codes[i] == rule->number;
			if (!known)
				return rule_fail(
				    w->e,
				    "%u is no code of a redirect: write 301, 302, 303, 307 "
				    "or 308",
				    rule->number);
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
