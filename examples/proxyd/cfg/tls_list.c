/* SPDX-License-Identifier: MIT */
/* crt-list: certificates, each with names and settings of its own, in a file. */
#include "cfg/tls_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_LINE_MAX 65536 /* as HAProxy's */
#define LIST_WORDS_MAX 1024

bool tls_list_push(struct tls_list *l, const struct tls_source *s)
{
	if (l->n == l->cap) {
		unsigned cap = l->cap ? 2 * l->cap : 8;
		struct tls_source *more = realloc(l->source, cap * sizeof(*more));

		if (!more) {
			l->r->no_memory = true;
			return false;
		}
		l->source = more;
		l->cap = cap;
	}
	l->source[l->n++] = *s;
	return true;
}

/* Between [ and ]: pairs of words. False: said. */
static bool list_options(struct tls_list *l, char *const *word, size_t n, struct tls_settings *s)
{
	static const char *const alone[] = {"no-alpn", "no-ca-names", "allow-0rtt", NULL};

	for (size_t i = 0; i < n; i++) {
		const char *error = NULL, *value = "";
		bool is_alone = false;

		for (size_t k = 0; alone[k]; k++)
			is_alone |= !strcmp(word[i], alone[k]);
		if (!strcmp(word[i], "allow-0rtt"))
			continue;
		if (!is_alone && i + 1 < n)
			value = cfg_strdup(l->r->cfg, word[i + 1]);
		if (!strcmp(word[i], "npn")) {
			i++;
			continue;
		}
		if (!value || !tls_settings_word(s, word[i], value, &error)) {
			diag_add(l->r->diag, DIAG_ERROR, &l->at, "\"%s\" in brackets: %s", word[i],
				 error ? error : "HAProxy has no such word in a crt-list");
			return false;
		}
		i += !is_alone;
	}
	return true;
}

static size_t split(char *text, char *word[LIST_WORDS_MAX])
{
	size_t n = 0;
	char *save = NULL;

	for (char *w = strtok_r(text, " \t\r\n", &save); w && n < LIST_WORDS_MAX;
	     w = strtok_r(NULL, " \t\r\n", &save))
		word[n++] = w;
	return n;
}

/* What stands in brackets, on top of what the `bind` line says. NULL: said. */
static struct tls_settings *list_settings(struct tls_list *l, char *text)
{
	struct tls_settings *own = keep(l->r, sizeof(*own));
	uint16_t min, max;
	char *word[LIST_WORDS_MAX];
	size_t n = split(text, word);

	if (!own || !list_options(l, word, n, own))
		return NULL;
	tls_place_files(l->r->cfg, l->line_file, own); /* the line's have their places */
	tls_versions(&l->line->set, false, &min, &max); /* what that comes to is inherited, not its words */
	own->min_version = own->min_version ? own->min_version : min;
	own->max_version = own->max_version ? own->max_version : max;
	tls_check_versions(l->r, own, false, &l->at);
	tls_settings_inherit(own, &l->line->set);
	if (own->verify <= TLS_VERIFY_NONE || own->ca_file)
		return own;
	diag_add(l->r->diag, DIAG_ERROR, &l->at,
		 "clients are to be verified, and no authority is named: write ca-file FILE");
	return NULL;
}

/* FILE [WORD VALUE …] NAME … */
static void list_line(struct tls_list *l, char *line)
{
	char *path = line + strspn(line, " \t\r\n"), *rest = path + strcspn(path, " \t\r\n"),
	     *word[LIST_WORDS_MAX], *end;
	struct tls_source s = {.at = l->at, .list = l->list, .number = l->at.line};
	const char **filter;
	size_t n;

	if (!*path || *path == '#')
		return;
	if (*rest)
		*rest++ = '\0';
	rest += strspn(rest, " \t\r\n");
	end = *rest == '[' ? strchr(rest, ']') : NULL;
	if (*rest == '[' && !end) {
		diag_add(l->r->diag, DIAG_ERROR, &l->at, "\"]\" is missing behind \"[\"");
		return;
	}
	if (end) {
		*end = '\0';
		s.words = keep_text(l->r, rest + 1);
		s.settings = list_settings(l, rest + 1);
		if (!s.settings)
			return;
		rest = end + 1;
	}
	n = split(rest, word);
	if (n == LIST_WORDS_MAX)
		diag_add(l->r->diag, DIAG_ERROR, &l->at, "too many names: more than %d",
			 LIST_WORDS_MAX - 1);
	filter = n ? keep(l->r, n * sizeof(*filter)) : NULL;
	for (size_t i = 0; filter && i < n; i++)
		filter[s.n_filters++] = keep_text(l->r, word[i]);
	s.filter = filter;
	s.path = tls_with_base(l->r->cfg, l->r->cfg->global.tls.crt_base, l->line_file, keep_text(l->r, path));
	if (s.path)
		tls_list_push(l, &s);
}

void tls_list_read(struct tls_list *l, const struct cfg_tls_crt *c)
{
	FILE *f = l->list ? fopen(l->list, "re") : NULL;
	char *line = malloc(LIST_LINE_MAX);

	l->at = (struct diag_place){.file = l->list};
	if (!f || !line) {
		diag_add(l->r->diag, DIAG_ERROR, &c->at, "%s: cannot read this crt-list: %s",
			 c->path, strerror(errno));
	} else {
		while (fgets(line, LIST_LINE_MAX, f)) {
			l->at.line++;
			list_line(l, line);
		}
	}
	if (f)
		fclose(f);
	free(line);
}

bool cfg_tls_list_line(struct cfg *c, const struct cfg_proxy *p, const struct cfg_tls *t, const char *list, unsigned number, char *text,
		       struct tls_source *ret, char *error, size_t cap)
{
	static const struct cfg_load_opts opts;
	struct diag d = {0};
	struct reader r = {.opts = &opts, .cfg = c, .diag = &d};
	struct tls_list l = {.r = &r, .proxy = p, .line = t, .list = list, .at = {.file = list, .line = number}};
	bool ok;

	list_line(&l, text);
	ok = l.n == 1 && !r.no_memory && !d.count[DIAG_ERROR];
	if (ok)
		*ret = l.source[0];
	else
		snprintf(error, cap, "%s", d.n ? d.message[0].text : r.no_memory ? "out of memory" : "the line names no certificate");
	free(l.source);
	diag_fini(&d);
	return ok;
}
