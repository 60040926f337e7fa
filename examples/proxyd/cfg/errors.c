/* SPDX-License-Identifier: MIT */
/*
 * What is answered instead of an own error page: errorfile, errorloc, http-error, and lists of them,
 * http-errors and errorfiles. Each is the whole answer as it goes out.
 */
#include "cfg/read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cfg/names.h"
#include "cfg/rules.h"
#include "errorfile.h"
#include "http_reason.h"

/* A section http-errors. */
struct cfg_errors {
	const struct cfg_error *first;
};

static const char scope;

/* The bytes, each line of the head with CR LF; NULL: told. Empty: nothing is to be sent. */
static char *read_answer(struct reader *r, size_t i, size_t *ret_len)
{
	const char *path = cfg_path(r->cfg, place_at(r, i).file, word_at(r, i));
	int fd = open(path ? path : "", O_RDONLY | O_CLOEXEC);
	char raw[ERRORFILE_MAX + 1], *out;
	ssize_t n = fd < 0 ? -1 : read(fd, raw, sizeof(raw));
	const char *fault = n < 0 || n > (ssize_t)ERRORFILE_MAX ? NULL : errorfile_fault(raw, (size_t)n);

	if (n < 0)
		say(r, DIAG_ERROR, i, "cannot read %s: %s", word_at(r, i), strerror(errno));
	else if (n > (ssize_t)ERRORFILE_MAX)
		say(r, DIAG_ERROR, i, "%s is larger than %u bytes", word_at(r, i), ERRORFILE_MAX);
	else if (fault)
		say(r, DIAG_ERROR, i, "%s %s", word_at(r, i), fault);
	if (fd >= 0)
		close(fd);
	if (n < 0 || n > (ssize_t)ERRORFILE_MAX)
		return NULL;
	out = keep(r, 2 * (size_t)n + 1);
	if (out)
		*ret_len = errorfile_copy(out, raw, (size_t)n);
	return out;
}

/* The answers of the section at hand, the latest first. */
static const struct cfg_error **list_of(struct reader *r)
{
	return r->section == SECTION_OTHER ? &r->errors->first : &r->proxy->set.http.errors;
}

static struct cfg_error *add_error(struct reader *r, unsigned status)
{
	const struct cfg_error **list = list_of(r);
	struct cfg_error *e = keep(r, sizeof(*e));

	if (!e)
		return NULL;
	e->status = status;
	e->next = *list;
	*list = e;
	return e;
}

/* False: told. */
static bool is_answered(struct reader *r, size_t i, unsigned status)
{
	if (http_has_page(status))
		return true;
	say(r, DIAG_WARNING, i, "status %u is never answered by the proxy: ignored", status);
	return false;
}

/* False: told. */
static bool read_status(struct reader *r, size_t i, unsigned *ret)
{
	return read_number(r, i, "a status", 200, 599, ret) && is_answered(r, i, *ret);
}

void kw_errorfile(struct reader *r, size_t first, const void *data)
{
	struct cfg_error *e;
	unsigned status;
	char *text;
	size_t len;

	if (!read_status(r, first, &status))
		return;
	text = read_answer(r, first + 1, &len);
	e = text ? add_error(r, status) : NULL;
	if (!e)
		return;
	e->data = text;
	e->len = len;
}

/* errorloc, errorloc302, errorloc303: a redirection. */
void kw_errorloc(struct reader *r, size_t first, const void *data)
{
	bool see_other = *(const bool *)data;
	const char *url = word_at(r, first + 1);
	char text[2048];
	struct cfg_error *e;
	unsigned status;
	int n;

	if (!read_status(r, first, &status))
		return;
	n = snprintf(text, sizeof(text),
		     "HTTP/1.1 %s\r\ncache-control: no-cache\r\ncontent-length: 0\r\nlocation: %s\r\n\r\n",
		     see_other ? "303 See Other" : "302 Found", url);
	if (n >= (int)sizeof(text) || strpbrk(url, "\r\n"))
		say(r, DIAG_ERROR, first + 1, "this URL is too long, or has a line end");
	else if ((e = add_error(r, status))) {
		e->data = keep_text(r, text);
		e->len = (size_t)n;
	}
}

/* "http-error status 503 …" */
void kw_http_error(struct reader *r, size_t first, const void *data)
{
	const struct rule_memory *m = cfg_rule_memory(r);
	struct acl_reader reader = {.memory = m};
	struct rule_error told = {""};
	const char *word[LEX_WORDS_MAX];
	struct answer *a;
	struct cfg_error *e;
	size_t n = 0, wrong;

	if (!m)
		return;
	for (; first + n < r->line->n; n++)
		word[n] = word_at(r, first + n);
	if (!rules_read_error(&reader, word, n, &a, &wrong, &told)) {
		say(r, DIAG_ERROR, first + wrong, "%s", *told.text ? told.text : "out of memory");
		return;
	}
	if (*told.text)
		say(r, DIAG_WARNING, first, "%s", told.text);
	if (!is_answered(r, first, a->status) || !(e = add_error(r, a->status)))
		return;
	e->at = place_at(r, first);
	e->section = a->pages;
	if (a->kind == ANSWER_PAGE) {
		e->data = a->page.at;
		e->len = a->page.len;
		return;
	}
	e->answer = a;
	r->cfg->composes |= a->kind == ANSWER_COMPOSED;
}

/* ---- Lists of answers ---- */

void begin_errors(struct reader *r)
{
	const struct cfg_errors *other;

	r->errors = keep(r, sizeof(*r->errors));
	if (!r->errors)
		return;
	other = cfg_names_take(r->cfg, &scope, keep_word(r, 1), r->errors);
	if (!other)
		r->no_memory = true;
	else if (other != r->errors)
		say(r, DIAG_ERROR, 1, "the name \"%s\" is taken by another section http-errors",
		    word_at(r, 1));
}

/* "errorfiles NAME [CODES]": the section may stand further down. */
void kw_errorfiles(struct reader *r, size_t first, const void *data)
{
	for (size_t i = first + 1; i < r->line->n || i == first + 1; i++) {
		unsigned status = 0;
		struct cfg_error *e;

		if (i < r->line->n && !read_status(r, i, &status))
			continue;
		e = add_error(r, status);
		if (!e)
			return;
		e->section = keep_word(r, first);
		e->at = place_at(r, first);
	}
}

/* Copies those of the list that the entry `by` asks for; where the next one goes. */
static const struct cfg_error **unfold(struct reader *r, const struct cfg_error *by,
				       const struct cfg_error **to)
{
	const struct cfg_errors *list = cfg_names_find(r->cfg, &scope, by->section);
	bool found = false;

	if (!list)
		diag_add(r->diag, DIAG_ERROR, &by->at, "there is no section \"http-errors %s\"",
			 by->section);
	for (const struct cfg_error *e = list ? list->first : NULL; e; e = e->next) {
		struct cfg_error *copy;

		if (by->status && by->status != e->status)
			continue;
		found = true;
		copy = keep(r, sizeof(*copy));
		if (!copy)
			return to;
		*copy = *e;
		*to = copy;
		to = &copy->next;
	}
	if (list && by->status && !found)
		diag_add(r->diag, DIAG_WARNING, &by->at, "\"http-errors %s\" has no answer of status %u", by->section, by->status);
	return to;
}

struct page_search {
	struct reader *r;
	const struct cfg_proxy *proxy;
};

/* "errorfiles NAME" of a rule. */
static struct text find_page(void *userdata, const char *section, unsigned status, unsigned line)
{
	const struct page_search *search = userdata;
	const struct cfg_errors *list = cfg_names_find(search->r->cfg, &scope, section);
	const struct cfg_error *e = list ? list->first : NULL;
	struct diag_place at = search->proxy->at;

	at.line = line;
	at.column = 1;
	while (e && e->status != status)
		e = e->next;
	if (e)
		return text_of(e->data, e->len);
	diag_add(search->r->diag, list && http_has_page(status) ? DIAG_WARNING : DIAG_ERROR, &at,
		 list ? "\"http-errors %s\" has no answer of status %u: none of its pages is sent"
		      : "there is no section \"http-errors %s\"",
		 section, status);
	return text_of(NULL, 0);
}

static void find_pages(struct reader *r, const struct cfg_proxy *p)
{
	struct page_search search = {r, p};

	for (unsigned kind = 0; p->rules && kind < RULES_N_KINDS; kind++)
		rules_find_pages(&p->rules->of[kind], find_page, &search);
}

void cfg_errors_check(struct reader *r, struct cfg_proxy *p)
{
	const struct cfg_error *e = p->set.http.errors, *result = NULL, **to = &result;

	find_pages(r, p);
	while (e && !e->section)
		e = e->next;
	if (!e)
		return; /* nothing to unfold */
	for (e = p->set.http.errors; e; e = e->next) {
		struct cfg_error *copy;

		if (e->section) {
			to = unfold(r, e, to);
			continue;
		}
		copy = keep(r, sizeof(*copy));
		if (!copy)
			return;
		*copy = *e;
		*to = copy;
		to = &copy->next;
	}
	*to = NULL;
	p->set.http.errors = result;
}
