/* SPDX-License-Identifier: MIT */
/* "add|del|show ssl crt-list": certificates of a crt-list or a folder, in all `bind` lines that name it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "engine/objects.h"
#include "tls_change.h"

#define LINES_MAX 1000000u

/* The list's name, without "/" at its end as a folder's. To be freed. */
static char *name_of(const char *word)
{
	char *name = strdup(word);
	size_t n = name ? strlen(name) : 0;

	while (n > 1 && name[n - 1] == '/')
		name[--n] = '\0';
	return name;
}

static bool is_of(const struct tls_source *s, const char *list)
{
	return s->list && !strcmp(s->list, list);
}

/* ---- show ---- */

static void put_source(struct call *c, const struct tls_source *s, bool numbered)
{
	out_text(c->out, s->path);
	if (numbered)
		out_printf(c->out, ":%u", s->number);
	if (s->words)
		out_printf(c->out, " [%s]", s->words);
	for (unsigned i = 0; i < s->n_filters; i++)
		out_printf(c->out, " %s", s->filter[i]);
	out_text(c->out, "\n");
}

/* The one that comes behind `after` (NULL: the first) in the order of names. */
static const char *next_list(const struct call *c, const char *after)
{
	const struct cfg_proxy *p;
	const struct cfg_bind *b;
	const struct cfg_tls *last = NULL;
	const struct cfg_tls_crt *crt;
	const char *next = NULL;

	STAILQ_FOREACH (p, &engine_set(c->e)->cfg->proxies, next)
		STAILQ_FOREACH (b, &p->binds, next) {
			if (!b->tls_words || b->tls_words == last)
				continue;
			last = b->tls_words;
			STAILQ_FOREACH (crt, &last->crts, next)
				if (crt->list && (!after || strcmp(crt->list, after) > 0) && (!next || strcmp(crt->list, next) < 0))
					next = crt->list;
		}
	return next;
}

void run_show_ssl_list(struct call *c)
{
	bool numbered = c->n && !strcmp(c->word[0], "-n");
	const struct tls_source *s;
	const struct cfg_tls *t;
	char *list;
	unsigned n;

	if (c->n <= numbered) {
		for (const char *name = NULL; (name = next_list(c, name));)
			out_printf(c->out, "%s\n", name);
		return;
	}
	list = name_of(c->word[numbered]);
	t = list ? tls_change_find_list(c, list) : NULL;
	if (!t) {
		call_say(c, "didn't find the specified filename\n");
		free(list);
		return;
	}
	out_printf(c->out, "# %s\n", list);
	s = tls_front_sources(t->front, &n);
	for (unsigned i = 0; i < n; i++)
		if (is_of(&s[i], list))
			put_source(c, &s[i], numbered);
	free(list);
}

/* ---- add ---- */

struct addition {
	struct call *call;
	const char *list, *line;
	unsigned number;
};

/* With its keys of several kinds it may be in several files. */
static bool is_in_memory(const struct call *c, const char *file)
{
	static const char *const suffix[] = {"", ".rsa", ".ecdsa", ".dsa"};

	for (size_t i = 0; i < sizeof(suffix) / sizeof(suffix[0]); i++) {
		char name[4096];

		if ((size_t)snprintf(name, sizeof(name), "%s%s", file, suffix[i]) < sizeof(name) &&
		    tls_store_find(tls_change_store(c), TLS_CERT, name))
			return true;
	}
	return false;
}

/* "new ssl cert" made it, and nothing was committed. */
static bool is_empty(const struct call *c, const char *file)
{
	const struct tls_item *item = tls_store_find(tls_change_store(c), TLS_CERT, file);

	return item && tls_item_is_empty(item);
}

/* As the line is read for this `bind` line: what it says of TLS holds for what the brackets leave open. */
static bool append(void *arg, const struct cfg_proxy *p, const struct cfg_tls *t, struct tls_source *source, unsigned *n)
{
	const struct addition *a = arg;
	struct cfg *cfg = engine_set(a->call->e)->cfg;
	const char *list = cfg_strdup(cfg, a->list);
	char *line = strdup(a->line), why[512] = "out of memory";
	bool ok = list && line && *n < LINES_MAX &&
		  cfg_tls_list_line(cfg, p, t, list, a->number, line, &source[*n], why, sizeof(why));

	free(line);
	if (ok && !is_in_memory(a->call, source[*n].path)) {
		snprintf(why, sizeof(why), "certificate '%s' does not exist!", source[*n].path);
		ok = false;
	} else if (ok && is_empty(a->call, source[*n].path)) {
		snprintf(why, sizeof(why), "certificate '%s' is empty!", source[*n].path);
		ok = false;
	}
	if (ok)
		++*n;
	else
		call_say(a->call, "Can't edit the crt-list: %s\n", why);
	return ok;
}

/* Behind all that are there. */
static unsigned next_number(const struct cfg_tls *t, const char *list)
{
	unsigned n, last = 0;
	const struct tls_source *s = tls_front_sources(t->front, &n);

	for (unsigned i = 0; i < n; i++)
		if (is_of(&s[i], list) && s[i].number > last)
			last = s[i].number;
	return last + 1;
}

static bool is_folder(const struct cfg_tls *t, const char *list)
{
	const struct cfg_tls_crt *crt;

	STAILQ_FOREACH (crt, &t->crts, next)
		if (crt->list && !strcmp(crt->list, list))
			return !crt->is_list;
	return false;
}

static bool lies_in(const char *file, const char *folder)
{
	size_t n = strlen(folder);

	return !strncmp(file, folder, n) && file[n] == '/';
}

/* False: told. */
static bool may_join_folder(struct call *c, const struct cfg_tls *t, const char *folder, const char *line)
{
	const char *file = line + strspn(line, " \t");
	int len = (int)strcspn(file, " \t[");
	unsigned n;
	const struct tls_source *s = tls_front_sources(t->front, &n);

	if (!lies_in(file, folder)) {
		call_say(c, "Can't edit the crt-list: '%s' is a directory, certificate path '%.*s' must contain the directory path\n", folder, len,
			 file);
		return false;
	}
	for (unsigned i = 0; i < n; i++)
		if (is_of(&s[i], folder) && !strncmp(s[i].path, file, (size_t)len) && !s[i].path[len]) {
			call_say(c, "Can't edit the crt-list: file already exists in this directory!\n");
			return false;
		}
	if (file[len])
		call_say(c, "Can't edit the crt-list: crt-list '%s' is a directory, SSL options and filters are not allowed\n", folder);
	return !file[len];
}

void run_add_ssl_list(struct call *c)
{
	char *list = name_of(call_word(c, 0)), *line = NULL;
	const struct cfg_tls *t = list ? tls_change_find_list(c, list) : NULL;
	struct addition a = {.call = c, .list = list};

	if (c->payload && c->n == 1)
		line = strndup(c->payload, strcspn(c->payload, "\n"));
	else if (!c->payload && c->n == 2)
		line = strdup(c->word[1]);
	if (!line) {
		call_say(c, "'add ssl crtlist' expects a filename and a certificate name\n");
	} else if (!t) {
		call_say(c, "Can't edit the crt-list: crt-list '%s' does not exist!\n", list ? list : "");
	} else if (!is_folder(t, list) || may_join_folder(c, t, list, line)) {
		int n;

		a.line = line;
		a.number = is_folder(t, list) ? 0 : next_number(t, list);
		n = tls_change_run(c, &(struct tls_change){.list = list, .edit = append, .arg = &a});
		if (n >= 0) {
			out_printf(c->out, "Inserting certificate '%.*s' in crt-list '%s'", (int)strcspn(line, " \t"), line, list);
			while (n--)
				out_text(c->out, ".");
			call_note(c, CALL_TEXT, "\nSuccess!\n");
		}
	}
	free(line);
	free(list);
}

/* ---- del ---- */

struct removal {
	struct call *call;
	const char *list, *file;
	unsigned number; /* 0: the only one */
};

static bool is_meant(const struct removal *r, const struct tls_source *s)
{
	return is_of(s, r->list) && !strcmp(s->path, r->file) && (!r->number || s->number == r->number);
}

static bool take_out(void *arg, const struct cfg_proxy *p, const struct cfg_tls *t, struct tls_source *source, unsigned *n)
{
	const struct removal *r = arg;
	unsigned i = 0;

	while (i < *n && !is_meant(r, &source[i]))
		i++;
	if (i == *n)
		return true;
	if (i == 0 && !t->strict_sni) {
		call_say(r->call,
			 "Can't delete the entry: certificate '%s' cannot be deleted, it is used as default certificate by the following "
			 "frontends:\n\t- %s:%u\n",
			 r->file, t->at.file ? t->at.file : "", t->at.line);
		return false;
	}
	memmove(&source[i], &source[i + 1], (*n - i - 1) * sizeof(*source));
	--*n;
	return true;
}

/* Which lines name it. */
static void put_numbers(struct call *c, const struct removal *r, const struct cfg_tls *t)
{
	unsigned n;
	const struct tls_source *s = tls_front_sources(t->front, &n);
	const char *comma = "";

	for (unsigned i = 0; i < n; i++)
		if (is_of(&s[i], r->list) && !strcmp(s[i].path, r->file)) {
			out_printf(c->out, "%s%u", comma, s[i].number);
			comma = ", ";
		}
}

/* True: exactly one line is meant. Else told. */
static bool is_one(struct call *c, const struct removal *r, const struct cfg_tls *t)
{
	unsigned n, n_all = 0, n_meant = 0;
	const struct tls_source *s = tls_front_sources(t->front, &n);
	struct removal any = *r;

	any.number = 0;
	for (unsigned i = 0; i < n; i++) {
		n_all += is_meant(&any, &s[i]);
		n_meant += is_meant(r, &s[i]);
	}
	if (n_meant == 1)
		return true;
	if (!n_all && !tls_store_find(tls_change_store(c), TLS_CERT, r->file)) {
		call_say(c, "Can't delete the entry: certificate '%s' does not exist!\n", r->file);
	} else if (!n_all && is_empty(c, r->file)) {
		call_say(c, "Can't delete the entry: certificate '%s' is empty!\n", r->file);
	} else if (!n_all) {
		call_say(c, "Can't delete the entry: certificate '%s' can't be found in crt-list '%s'!\n", r->file, r->list);
	} else {
		call_say(c,
			 n_meant ? "Can't delete the entry: found the certificate '%s' in several entries, please specify a line number "
				   "preceded by colons ("
				 : "Can't delete the entry: found a certificate '%s' but the line number is incorrect, please specify a "
				   "correct line number preceded by colons (",
			 r->file);
		put_numbers(c, r, t);
		call_say(c, ")!\n");
	}
	return false;
}

void run_del_ssl_list(struct call *c)
{
	char *list = name_of(call_word(c, 0)), *file = strdup(call_word(c, 1)), *colon, *end;
	const struct cfg_tls *t = list ? tls_change_find_list(c, list) : NULL;
	struct removal r = {.call = c, .list = list, .file = file};

	colon = file ? strrchr(file, ':') : NULL;
	if (colon && colon[1]) {
		unsigned long number = strtoul(colon + 1, &end, 10);

		if (!*end && number && number <= UINT32_MAX) {
			r.number = (unsigned)number;
			*colon = '\0';
		}
	}
	if (c->n != 2)
		call_say(c, "'del ssl crtlist' expects a filename and a certificate name\n");
	else if (!t || !file)
		call_say(c, "Can't delete the entry: crt-list '%s' does not exist!\n", list ? list : "");
	else if (is_one(c, &r, t) &&
		 tls_change_run(c, &(struct tls_change){.list = list, .edit = take_out, .arg = &r}) >= 0)
		call_note(c, LOG_NOTICE, "Entry '%s' deleted in crtlist '%s'!\n", file, list);
	free(file);
	free(list);
}
