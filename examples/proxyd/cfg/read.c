/* SPDX-License-Identifier: MIT */
/*
 * Files, lines and sections; each line goes to the handler of its keyword. A word is one of ours
 * (the tables cfg_keywords_*), or HAProxy's (cfg_words_*), or a mistake, and each gets its own
 * answer.
 */
#include "cfg/read.h"
#include "cfg/access.h"
#include "cfg/names.h"
#include "cfg/rules.h"
#include "rules/pattern_memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CANDIDATES_MAX 700
#define FEW_WORDS 12 /* are all named, where none is near */

struct cfg_proxy *cfg_find_backend(const struct cfg *c, const char *name)
{
	return cfg_names_find(c, &cfg_scope_backend, name);
}

/* ---- The line at hand ---- */

const char *word_at(const struct reader *r, size_t i)
{
	return i < r->line->n ? r->line->word[i].text : "";
}

struct diag_place place_at(const struct reader *r, size_t i)
{
	return lex_place(r->lex, &r->line->word[i < r->line->n ? i : r->line->n - 1]);
}

void say(struct reader *r, enum diag_level level, size_t i, const char *format, ...)
{
	struct diag_place at = place_at(r, i);
	char text[DIAG_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	diag_add(r->diag, level, &at, "%s", text);
}

void *keep(struct reader *r, size_t size)
{
	void *p = cfg_alloc(r->cfg, size);

	if (!p)
		r->no_memory = true;
	return p;
}

void *keep_copy(struct reader *r, const void *old, size_t size)
{
	void *p = keep(r, size);

	return p && old ? memcpy(p, old, size) : p;
}

const char *keep_text(struct reader *r, const char *text)
{
	const char *copy = cfg_strdup(r->cfg, text);

	if (!copy)
		r->no_memory = true;
	return copy ? copy : "";
}

const char *keep_word(struct reader *r, size_t i)
{
	return keep_text(r, word_at(r, i));
}

const char *keep_rest(struct reader *r, size_t i)
{
	size_t size = 1;
	char *text, *to;

	for (size_t k = i; k < r->line->n; k++)
		size += strlen(word_at(r, k)) + 1;
	text = keep(r, size);
	for (to = text; text && i < r->line->n; i++)
		to += sprintf(to, "%s%s", to == text ? "" : " ", word_at(r, i));
	return text ? text : "";
}

const struct cfg_word *find_word(const struct cfg_word *table, const char *name)
{
	for (; table->name; table++)
		if (begins_alike(table->name, name) && !strcmp(table->name, name))
			return table;
	return NULL;
}

/* ": write user, operator or admin", where there are few words. */
static void tell_few(const char *const *word, size_t n, char *buf, size_t cap)
{
	size_t len = 0;

	buf[0] = '\0';
	if (n < 2 || n > FEW_WORDS)
		return;
	for (size_t i = 0; i < n && len < cap; i++)
		len += (size_t)snprintf(buf + len, cap - len, "%s%s", i == 0 ? ": write " : i + 1 < n ? ", " : " or ", word[i]);
	if (len >= cap)
		buf[0] = '\0';
}

void say_unknown(struct reader *r, size_t i, const char *what, const char *const *ours,
		 const struct cfg_word *known)
{
	const char *candidate[CANDIDATES_MAX], *nearest;
	char few[192];
	size_t n = 0;

	if (diag_full(r->diag)) {
		say(r, DIAG_ERROR, i, "unknown");
		return;
	}
	for (; ours && *ours && n < CANDIDATES_MAX; ours++)
		candidate[n++] = *ours;
	for (; known && known->name && n < CANDIDATES_MAX; known++)
		candidate[n++] = known->name;
	nearest = diag_nearest(word_at(r, i), candidate, n);
	if (nearest) {
		say(r, DIAG_ERROR, i, "unknown %s \"%s\": did you mean \"%s\"?", what,
		    word_at(r, i), nearest);
	} else {
		tell_few(candidate, n, few, sizeof(few));
		say(r, DIAG_ERROR, i, "unknown %s \"%s\"%s", what, word_at(r, i), few);
	}
}

/* ---- Keywords ---- */

/* Names of three words were found by their first two, which are what the line says. */
static int told_length(const char *name)
{
	size_t one = strcspn(name, " ");

	return (int)(name[one] ? one + 1 + strcspn(name + one + 1, " ") : one);
}

void say_known(struct reader *r, const struct diag_place *at, const struct cfg_word *w)
{
	bool harmless = w->flags & WORD_HARMLESS;
	const char *why = cfg_word_reason(w->name);

	diag_add(r->diag, harmless ? DIAG_WARNING : DIAG_ERROR, at,
		 "\"%.*s\" is known to HAProxy, not supported by this version%s%s%s",
		 told_length(w->name), w->name, harmless ? ": ignored" : "", why ? "; " : "",
		 why ? why : "");
}

/* "timeout client" for the words at i and i + 1; false when there is no second one. */
static bool two_words(const struct reader *r, size_t i, char *buf, size_t cap)
{
	if (i + 1 >= r->line->n)
		return false;
	return (size_t)snprintf(buf, cap, "%s %s", word_at(r, i), word_at(r, i + 1)) < cap;
}

/* Is it the words at i and i + 1? Behind some names stands a parenthesis: "set-var(check.x)". */
static bool is_both(const struct reader *r, size_t i, const struct keyword *k)
{
	const char *word = word_at(r, i), *name = k->name, *second = word_at(r, i + 1);
	const size_t len = strlen(word);
	size_t stem = *k->usage == '(' ? strcspn(second, "(") : strlen(second);

	return !strncmp(name, word, len) && name[len] == ' ' && i + 1 < r->line->n && !strncmp(name + len + 1, second, stem) &&
	       !name[len + 1 + stem];
}

const struct keyword *find_keyword(const struct reader *r, const struct keyword *table, size_t i,
				   size_t *ret_words)
{
	const char *word = word_at(r, i);
	const struct keyword *one = NULL, *k = table;

	if (table == cfg_keywords_proxy) /* of many words, and most lines are of a proxy */
		k = r->letters.first[(unsigned char)*word];
	while (k && k->name) {
		if (begins_alike(k->name, word)) {
			if (is_both(r, i, k)) {
				*ret_words = 2;
				return k;
			}
			if (!strcmp(k->name, word))
				one = k;
		}
		k = table == cfg_keywords_proxy ? r->letters.next[k - table] : k + 1;
	}
	*ret_words = 1;
	return one;
}

/* A word whose first half is known ("timeout clint") is compared by both. */
static void say_unknown_keyword(struct reader *r, size_t i, const struct keyword *ours,
				const struct cfg_word *known, const char *where)
{
	const char *candidate[CANDIDATES_MAX], *nearest, *name = word_at(r, i);
	size_t n = 0, len = strlen(name);
	char both[160];
	bool pair = false;

	if (diag_full(r->diag)) {
		say(r, DIAG_ERROR, i, "unknown");
		return;
	}
	for (const struct keyword *k = ours; k->name && n < CANDIDATES_MAX; k++) {
		candidate[n++] = k->name;
		pair |= !strncmp(k->name, name, len) && k->name[len] == ' ';
	}
	for (const struct cfg_word *w = known; w->name && n < CANDIDATES_MAX; w++) {
		candidate[n++] = w->name;
		pair |= !strncmp(w->name, name, len) && w->name[len] == ' ';
	}
	if (!pair || !two_words(r, i, both, sizeof(both)))
		snprintf(both, sizeof(both), "%s", name);
	if (pair && !strcmp(both, name)) {
		say(r, DIAG_ERROR, i, "\"%s\" needs a second word", name);
		return;
	}
	for (const struct cfg_word *w = cfg_words_section; i == 0 && w->name && n < CANDIDATES_MAX;
	     w++)
		candidate[n++] = w->name;
	nearest = diag_nearest(both, candidate, n);
	if (nearest)
		say(r, DIAG_ERROR, i, "unknown word \"%s\" in %s: did you mean \"%s\"?", both,
		    where, nearest);
	else
		say(r, DIAG_ERROR, i, "unknown word \"%s\" in %s", both, where);
}

static const char *kind_name(unsigned kind)
{
	switch (kind) {
	case CFG_FRONTEND:
		return "a frontend";
	case CFG_BACKEND:
		return "a backend";
	case CFG_LISTEN:
		return "a listen section";
	default:
		return "a defaults section";
	}
}

/* Judged at the end of the section, when its mode is known. */
static void hold(struct reader *r, size_t i, const struct keyword *ours, const struct cfg_word *w)
{
	struct reader_held *h = r->held_spare;

	if (h)
		r->held_spare = h->next;
	else
		h = keep(r, sizeof(*h));
	if (!h)
		return;
	*h = (struct reader_held){.at = place_at(r, i), .ours = ours, .word = w};
	if (r->held)
		r->held_last->next = h;
	else
		r->held = h;
	r->held_last = h;
}

bool check_count(struct reader *r, const struct keyword *k, size_t i, size_t first)
{
	size_t n = r->line->n - first;

	if (n < k->min && !r->no) {
		say(r, DIAG_ERROR, i, "\"%s\" needs %s: write %s %s", k->name,
		    n ? "more words" : "a value", k->name, k->usage);
		return false;
	}
	if (n > k->max) {
		say(r, DIAG_ERROR, first + k->max, "\"%s\" is too much here: write %s%s%s",
		    word_at(r, first + k->max), k->name, *k->usage ? " " : "", k->usage);
		return false;
	}
	return true;
}

static void run_keyword(struct reader *r, const struct keyword *k, size_t i, size_t words)
{
	size_t first = i + words;

	if (k->kinds && r->proxy && !(k->kinds & r->proxy->kind)) {
		/* HAProxy, too, warns and goes on: the word has no effect there. */
		say(r, DIAG_WARNING, i, "\"%s\" has no effect in %s: ignored", k->name,
		    kind_name(r->proxy->kind));
		return;
	}
	if (!check_count(r, k, i, first))
		return;
	if (r->section == SECTION_PROXY && r->proxy->kind != CFG_DEFAULTS)
		hold(r, i, k, NULL);
	k->fn(r, first, k->data);
}

/* Of HAProxy's manual, but not of this version. */
static void known_word(struct reader *r, size_t i, const struct cfg_word *w)
{
	struct diag_place at;

	if (r->section == SECTION_PROXY) {
		hold(r, i, NULL, w);
		return;
	}
	at = place_at(r, i);
	say_known(r, &at, w);
}

/* "set-var(txn.x)" is the action set-var, "lua.name" is lua. */
static size_t stem_length(const char *word)
{
	return !strncmp(word, "lua.", 4) ? 3 : strcspn(word, "(");
}

/* HAProxy's word at i: the longest name of the table that the line begins with. */
static const struct cfg_word *find_known(const struct reader *r, size_t i,
					 const struct cfg_word *table)
{
	const char *second = word_at(r, i + 1);
	const struct cfg_word *one = NULL, *two = NULL, *w;
	size_t len;
	char both[160];

	len = (size_t)snprintf(both, sizeof(both), "%s %.*s", word_at(r, i),
			       (int)stem_length(second), second);
	if (len >= sizeof(both)) { /* a second word that long belongs to no name */
		second = "";
		both[0] = '\0';
	}
	for (w = table; w->name; w++) {
		if (!strcmp(w->name, both))
			return w;
		/* "tcp-request content" stands for its actions, of which a table has not all. */
		if (!two && *second && !strncmp(w->name, both, len) && w->name[len] == ' ')
			two = w;
		if (!strcmp(w->name, word_at(r, i)))
			one = w;
	}
	return two ? two : one;
}

static void read_keyword(struct reader *r)
{
	bool global = r->section == SECTION_GLOBAL;
	const struct keyword *table = global ? cfg_keywords_global : cfg_keywords_proxy, *k;
	const struct cfg_word *known = global ? cfg_words_global : cfg_words_proxy, *w;
	size_t i = 0, words;

	r->no = false;
	if (!strcmp(word_at(r, 0), "no") && r->line->n > 1) {
		r->no = true;
		i = 1;
	} else if (!strcmp(word_at(r, 0), "default") && r->line->n > 1) {
		say(r, DIAG_WARNING, 0,
		    "\"default\" before a word is taken as if it were not there");
		i = 1;
	}
	k = find_keyword(r, table, i, &words);
	if (k) {
		run_keyword(r, k, i, words);
		return;
	}
	w = find_known(r, i, known);
	if (w && !r->no)
		known_word(r, i, w);
	else if (!w)
		say_unknown_keyword(r, i, table, known,
				    global ? "the global section" : kind_name(r->proxy->kind));
}

/* ---- Sections ---- */

static void end_section(struct reader *r)
{
	const bool may_switch = r->held && r->proxy->rules && rules_may_switch(&r->proxy->rules->of[RULES_CONTENT]);
	const bool tcp = r->proxy->set.mode == CFG_MODE_TCP;

	for (const struct reader_held *h = r->held; h; h = h->next) {
		const struct cfg_word *w = !h->ours	      ? h->word
					   : tcp && !may_switch ? find_word(cfg_words_proxy, h->ours->name)
							      : NULL;

		if (w && tcp && w->flags & WORD_HTTP)
			diag_add(r->diag, DIAG_WARNING, &h->at,
				 "\"%.*s\" acts in HTTP mode only: ignored in mode tcp",
				 told_length(w->name), w->name);
		else if (!h->ours)
			say_known(r, &h->at, w);
	}
	if (r->held) { /* the next section's */
		r->held_last->next = r->held_spare;
		r->held_spare = r->held;
		r->held = NULL;
	}
}

static bool valid_name(const char *name)
{
	if (!*name || strlen(name) > CFG_NAME_MAX)
		return false;
	for (; *name; name++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:",
			    *name))
			return false;
	return true;
}

static struct cfg_proxy *find_defaults(const struct reader *r, const char *name)
{
	struct cfg_proxy *p, *found = NULL;

	STAILQ_FOREACH (p, &r->cfg->defaults, next)
		if (!strcmp(p->name, name))
			found = p;
	return found;
}

/* A name may be used once as a frontend and once as a backend. */
static void take_name(struct reader *r, struct cfg_proxy *p)
{
	const struct {
		unsigned kind;
		const void *scope;
	} scopes[] = {{CFG_FRONTEND, &cfg_scope_frontend}, {CFG_BACKEND, &cfg_scope_backend}};
	const struct cfg_proxy *other = p;

	for (size_t i = 0; i < 2; i++)
		if (p->kind & scopes[i].kind && other == p)
			other = cfg_names_take(r->cfg, scopes[i].scope, p->name, p);
	if (!other)
		r->no_memory = true;
	else if (other != p)
		say(r, DIAG_ERROR, 1,
		    "the name \"%s\" is taken by the section at %s:%u: choose another", p->name,
		    other->at.file, other->at.line);
}

static void default_settings(struct cfg_settings *s)
{
	*s = (struct cfg_settings){
	    .balance = "roundrobin",
	    .retries = CFG_RETRIES_DEFAULT,
	    .server = &cfg_server_default,
	};
}

static void begin_proxy(struct reader *r, unsigned kind)
{
	struct cfg_proxy *p = keep(r, sizeof(*p)), *from = r->defaults;
	size_t n = r->line->n,
	       next = kind == CFG_DEFAULTS && !strcmp(word_at(r, 1), "from") ? 1 : 2;

	if (!p)
		return;
	p->kind = kind;
	p->at = place_at(r, 0);
	p->name = next == 1 ? "" : keep_word(r, 1);
	STAILQ_INIT(&p->binds);
	STAILQ_INIT(&p->servers);
	r->proxy = p;
	r->section = SECTION_PROXY;
	if (kind != CFG_DEFAULTS && n < 2)
		say(r, DIAG_ERROR, 0, "this section needs a name: write %s NAME", word_at(r, 0));
	else if (*p->name && !valid_name(p->name))
		say(r, DIAG_ERROR, 1,
		    "\"%s\" is no name: use letters, digits, \"-\", \"_\", \".\" and \":\", at "
		    "most "
		    "%d of them",
		    p->name, CFG_NAME_MAX);
	if (kind != CFG_DEFAULTS)
		take_name(r, p);
	else
		from = NULL; /* a new defaults section begins from HAProxy's own */
	if (n > next && !strcmp(word_at(r, next), "from")) {
		from = find_defaults(r, word_at(r, next + 1));
		if (!from)
			say(r, DIAG_ERROR, next + 1,
			    "there is no defaults section \"%s\" above this line",
			    word_at(r, next + 1));
		next += 2;
	}
	if (from)
		p->set = from->set;
	else
		default_settings(&p->set);
	if (kind == CFG_DEFAULTS) {
		STAILQ_INSERT_TAIL(&r->cfg->defaults, p, next);
		r->defaults = p;
	} else {
		r->cfg->n_proxies++;
		STAILQ_INSERT_TAIL(&r->cfg->proxies, p, next);
		if (kind & CFG_FRONTEND)
			STAILQ_INSERT_TAIL(&r->cfg->frontends, p, next_frontend);
	}
	if (from && kind != CFG_DEFAULTS)
		cfg_inherit_rules(r, from);
	if (n > next)
		say(r, DIAG_ERROR, next, "\"%s\" is too much here: write %s NAME [from DEFAULTS]",
		    word_at(r, next), word_at(r, 0));
}

static const struct {
	const char *name;
	unsigned kind;
} proxy_sections[] = {
    {"defaults", CFG_DEFAULTS},
    {"frontend", CFG_FRONTEND},
    {"backend", CFG_BACKEND},
    {"listen", CFG_LISTEN},
};

/* True: the line begins a section. */
static bool begin_section(struct reader *r)
{
	const char *name = word_at(r, 0);
	const struct section_kind *other = find_section(name);

	if (!other && !find_word(cfg_words_section, name))
		return false;
	if (r->proxy)
		end_section(r);
	r->proxy = NULL;
	if (!strcmp(name, "global")) {
		r->section = SECTION_GLOBAL;
		return true;
	}
	for (size_t i = 0; i < sizeof(proxy_sections) / sizeof(proxy_sections[0]); i++)
		if (!strcmp(name, proxy_sections[i].name)) {
			begin_proxy(r, proxy_sections[i].kind);
			return true;
		}
	r->section = SECTION_UNKNOWN;
	if (other)
		begin_other_section(r, other);
	else
		say(r, DIAG_ERROR, 0,
		    "section \"%s\" is known to HAProxy, not supported by this version", name);
	return true;
}

static void read_modern_line(struct reader *r)
{
	if (begin_section(r))
		return;
	switch (r->section) {
	case SECTION_NONE:
		say(r, DIAG_ERROR, 0,
		    "\"%s\" stands before the first section: begin with global, defaults, "
		    "frontend, backend or listen",
		    word_at(r, 0));
		r->section = SECTION_UNKNOWN; /* said once */
		break;
	case SECTION_GLOBAL:
	case SECTION_PROXY:
		read_keyword(r);
		break;
	case SECTION_OTHER:
		read_other_section(r);
		break;
	case SECTION_UNKNOWN:
		break;
	}
}

/* The modern lines, each in quotes. */
static void list_lines(const struct upgrade *u, char *buf, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n_lines && n + 16 < cap; i++) {
		n += (size_t)snprintf(buf + n, cap - n, "%s\"", i ? ", then " : "");
		cfg_upgrade_text(&u->line[i], buf + n, cap - n - 2);
		n += strlen(buf + n);
		n += (size_t)snprintf(buf + n, cap - n, "\"");
	}
}

static void tell_upgrade(struct reader *r)
{
	const struct upgrade *u = r->upgrade;
	const char *form = u->old_form ? "this form of " : "";
	char lines[DIAG_TEXT_MAX] = "";

	if (*u->why_not) {
		say(r, DIAG_ERROR, 0, "%s\"%s\" was removed from HAProxy: %s", form, u->old,
		    u->why_not);
		return;
	}
	list_lines(u, lines, sizeof(lines));
	if (u->n_lines)
		say(r, DIAG_NOTICE, 0, "%s\"%s\" was removed from HAProxy: write %s", form, u->old,
		    lines);
	else
		say(r, DIAG_NOTICE, 0, "\"%s\" was removed from HAProxy: remove the line", u->old);
	if (r->opts->upgraded)
		r->opts->upgraded(r->opts->userdata, place_at(r, 0).file, place_at(r, 0).line,
				  place_at(r, r->line->n).line, u);
}

static bool upgrade(struct reader *r)
{
	const char *name = word_at(r, 0);
	bool begins = !strcmp(name, "frontend") || !strcmp(name, "listen");

	if (!begins && r->section != SECTION_GLOBAL && r->section != SECTION_PROXY)
		return false;
	return cfg_upgrade(r->line,
			   begins || r->section == SECTION_PROXY ? UPGRADE_PROXY : UPGRADE_GLOBAL,
			   r->upgrade);
}

static void read_line(struct reader *r)
{
	const struct lex_line *written = r->line;

	if (read_directive(r))
		return;
	if (!upgrade(r)) {
		read_modern_line(r);
		return;
	}
	tell_upgrade(r);
	for (size_t i = 0; i < r->upgrade->n_lines && !*r->upgrade->why_not; i++) {
		r->line = &r->upgrade->line[i];
		read_modern_line(r);
	}
	r->line = written;
}

/* ---- Files ---- */

static void read_file(struct reader *r, const char *path)
{
	const char *name = cfg_strdup(r->cfg, path);
	struct diag_place at = {.file = name};
	struct lex_line line;
	int e;

	if (!name) {
		r->no_memory = true;
		return;
	}
	if (r->cfg->n_files == CFG_FILES_MAX) {
		diag_add(r->diag, DIAG_ERROR, &at, "too many files: more than %d", CFG_FILES_MAX);
		return;
	}
	r->cfg->file[r->cfg->n_files++] = name;
	e = lex_open(name, &cfg_dialect, r->diag, &r->lex);
	if (e < 0) {
		diag_add(r->diag, DIAG_ERROR, &at, "cannot read this file: %s", strerror(-e));
		return;
	}
	r->section = SECTION_NONE;
	r->line = &line;
	while (!r->no_memory && !r->cfg->too_large && lex_next(r->lex, &line))
		read_line(r);
	if (r->cfg->too_large) {
		at.line = lex_line_number(r->lex);
		diag_add(r->diag, DIAG_ERROR, &at,
			 "the configuration is too large: up to here it needs more than %u MiB",
			 CFG_MEMORY_MAX >> 20);
	}
	end_directives(r);
	if (r->proxy)
		end_section(r);
	r->proxy = NULL;
	lex_free(r->lex);
	r->lex = NULL;
}

static int is_cfg(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 4 && e->d_name[0] != '.' && !strcmp(e->d_name + n - 4, ".cfg");
}

static void read_path(struct reader *r, const char *path)
{
	struct dirent **entry;
	struct stat st;
	int n;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		read_file(r, path);
		return;
	}
	n = scandir(path, &entry, is_cfg, alphasort);
	for (int i = 0; i < n; i++) {
		char file[4096];

		/* files alone, as HAProxy: a FIFO would be waited for */
		if ((size_t)snprintf(file, sizeof(file), "%s/%s", path, entry[i]->d_name) < sizeof(file) && stat(file, &st) == 0 &&
		    S_ISREG(st.st_mode))
			read_file(r, file);
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
}

static size_t file_number(const struct cfg *c, const char *name)
{
	size_t i = 0;

	while (i < c->n_files && c->file[i] != name)
		i++;
	return name ? i : CFG_FILES_MAX;
}

/* By place; stable. What is about no file comes last. Insertion: there are at most DIAG_MAX. */
static void sort(const struct cfg *c, struct diag *d)
{
	for (size_t i = 1; i < d->n; i++) {
		struct diag_message m = d->message[i];
		size_t file = file_number(c, m.at.file), j = i;

		for (; j > 0; j--) {
			const struct diag_place *p = &d->message[j - 1].at;
			size_t before = file_number(c, p->file);

			if (before < file ||
			    (before == file && (p->line < m.at.line || (p->line == m.at.line &&
									p->column <= m.at.column))))
				break;
			d->message[j] = d->message[j - 1];
		}
		d->message[j] = m;
	}
}

static void end_store(void *store)
{
	tls_store_free(store);
}

static void index_keywords(struct reader_letters *l)
{
	const struct keyword *const table = cfg_keywords_proxy;
	size_t n = 0;

	while (table[n].name)
		n++;
	for (; n--;) { /* from behind: each goes before those that follow it */
		const struct keyword **first = &l->first[(unsigned char)table[n].name[0]];

		if (n >= READER_LETTERS_MAX)
			abort(); /* the table grew beyond it: make that larger */
		l->next[n] = *first;
		*first = &table[n];
	}
}

int cfg_load(const struct cfg_load_opts *o, struct diag *d, struct cfg **ret)
{
	struct cfg *c = calloc(1, sizeof(*c));
	struct reader r = {.opts = o, .cfg = c, .diag = d};

	r.upgrade = malloc(sizeof(*r.upgrade));
	if (!c || !r.upgrade) {
		free(r.upgrade);
		free(c);
		return -ENOMEM;
	}
	index_keywords(&r.letters);
	STAILQ_INIT(&c->defaults);
	STAILQ_INIT(&c->proxies);
	STAILQ_INIT(&c->frontends);
	STAILQ_INIT(&c->resolvers);
	STAILQ_INIT(&c->mailers);
	STAILQ_INIT(&c->peers);
	STAILQ_INIT(&c->peers_uses);
	STAILQ_INIT(&c->rings);
	STAILQ_INIT(&c->forwards);
	STAILQ_INIT(&c->global.logs);
	STAILQ_INIT(&c->global.stats_sockets);
	c->global.uid = c->global.gid = -1;
	c->global.unix_bind = (struct cfg_access)CFG_ACCESS_DEFAULT;
	c->global.nap_us = -1;
	c->global.pattern_memory = PATTERN_MEMORY_SIZE;
	c->global.multi_queue = true;
	c->global.h2 = (struct cfg_h2){.max_streams = 100, .window = 65535, .frame_size = 16384, .table_size = 4096};
	c->tls_store = tls_store_new();
	r.no_memory = !c->tls_store || !cfg_at_end(c, end_store, c->tls_store);
	for (size_t i = 0; i < o->n_paths; i++)
		read_path(&r, o->path[i]);
	if (!r.no_memory && !c->too_large)
		cfg_check(&r);
	free(r.upgrade);
	if (r.no_memory && !c->too_large) {
		diag_fini(d);
		cfg_free(c);
		return -ENOMEM;
	}
	sort(c, d);
	*ret = c;
	return 0;
}
