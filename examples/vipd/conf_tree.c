/* SPDX-License-Identifier: MIT */
#include "conf_tree.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_words.h"
#include "lex.h"

static const struct lex_dialect dialect = {
    .comment = "#!", .comment_in_word = true, .braces = true, .single_quotes = true};

/* A line as it was written, from whatever file. */
struct line {
	struct line *next;
	struct conf_word *word;
	size_t n;
};

struct reader {
	struct conf_memory *memory;
	struct diag *diag;
	struct line *first, **end;
	size_t files, words;
	unsigned depth; /* of includes */
	const char *config_id;
	char host[256];
};

static bool is_brace(const struct conf_word *w, char brace)
{
	return !w->quoted && w->text[0] == brace && !w->text[1];
}

/* ---- Lines ---- */

static struct line *copy_line(struct reader *r, const struct lex *lx, const struct lex_line *from)
{
	struct line *l = conf_alloc(r->memory, sizeof(*l));

	l->n = from->n;
	l->word = conf_alloc(r->memory, l->n * sizeof(*l->word));
	for (size_t i = 0; i < l->n; i++) {
		l->word[i].text = conf_strdup(r->memory, from->word[i].text);
		l->word[i].at = lex_place(lx, &from->word[i]);
		l->word[i].quoted = from->word[i].quoted;
	}
	return l;
}

/* "@ID rest": for the node of that name; "@^ID rest": for all others. False: not for us. */
static bool for_this_node(struct reader *r, struct line *l)
{
	const char *id = l->word[0].text + 1;
	bool not_for = *id == '^';

	if (l->word[0].quoted || l->word[0].text[0] != '@')
		return true;
	id += not_for;
	if (!strcmp(id, r->config_id) == not_for || l->n == 1)
		return false;
	l->word++;
	l->n--;
	return true;
}

/* What keepalived expands and this version does not. */
static bool has_macro(struct reader *r, const struct line *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct conf_word *w = &l->word[i];
		const char *text = w->text;

		if (!w->quoted && text[0] == '$') {
			diag_add(r->diag, DIAG_ERROR, &w->at,
				 "variables (\"%s\") are not supported by this version: write the "
				 "value out",
				 text);
			return true;
		}
		if (!strncmp(text, "~SEQ", 4) || !strncmp(text, "~LST", 4)) {
			diag_add(r->diag, DIAG_ERROR, &w->at,
				 "\"%.4s\" is not supported by this version: write the lines out",
				 text);
			return true;
		}
	}
	return false;
}

static int read_file(struct reader *r, const char *name);

static bool is_include(const struct line *l)
{
	static const char *const form[] = {"include",  "includer", "includem",
					   "includew", "includeb", "includea"};

	for (size_t i = 0; i < sizeof(form) / sizeof(*form); i++)
		if (!l->word[0].quoted && !strcmp(l->word[0].text, form[i]))
			return true;
	return false;
}

static void include_one(struct reader *r, const struct conf_word *w, const char *path)
{
	struct stat st;
	int e;

	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		/* A pipe would hold up the start, or a reload, for as long as its writer likes. */
		diag_add(r->diag, DIAG_WARNING, &w->at,
			 "include: \"%s\" is not a regular file: skipped", path);
		return;
	}
	e = read_file(r, conf_strdup(r->memory, path));
	if (e < 0)
		diag_add(r->diag, DIAG_WARNING, &w->at, "include: cannot read \"%s\": %s", path,
			 strerror(-e));
}

static const char *joined(struct reader *r, const char *folder, size_t len, const char *name)
{
	size_t size = strlen(name) + 1;
	char *path = conf_alloc(r->memory, len + size);

	memcpy(path, folder, len);
	memcpy(path + len, name, size);
	return path;
}

static unsigned count(const char *s, char c)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == c;
	return n;
}

/* A path is relative to the file that includes. */
static void include(struct reader *r, const struct line *l)
{
	const struct conf_word *w = &l->word[l->n - 1];
	const char *slash = w->at.file ? strrchr(w->at.file, '/') : NULL, *pattern = w->text;
	glob_t found;

	if (l->n < 2) {
		diag_add(r->diag, DIAG_WARNING, &w->at, "\"%s\" needs the name of a file", w->text);
		return;
	}
	if (r->depth == CONF_INCLUDE_MAX) {
		diag_add(r->diag, DIAG_ERROR, &w->at,
			 "files include each other more than %d deep: is it a circle?",
			 CONF_INCLUDE_MAX);
		return;
	}
	if (*pattern != '/' && slash)
		pattern = joined(r, w->at.file, (size_t)(slash - w->at.file) + 1, w->text);
	if (count(pattern, '{') > CONF_BRACES_MAX) {
		diag_add(r->diag, DIAG_ERROR, &w->at, "more than %d braces in a pattern",
			 CONF_BRACES_MAX);
		return;
	}
	r->depth++;
	if (!glob(pattern, GLOB_BRACE | GLOB_TILDE, NULL, &found)) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			include_one(r, w, found.gl_pathv[i]);
		globfree(&found);
	} else {
		diag_add(r->diag, DIAG_WARNING, &w->at, "include: no file matches \"%s\"", pattern);
	}
	r->depth--;
}

/* What the lexer cannot read is skipped, as keepalived does: its errors are warnings here. */
static void take_findings(struct reader *r, struct diag *from, size_t *done)
{
	for (; *done < from->n; ++*done) {
		const struct diag_message *m = &from->message[*done];

		diag_add(r->diag, DIAG_WARNING, &m->at, "%s: the line is skipped", m->text);
	}
}

static void read_lines(struct reader *r, struct lex *lx, struct diag *findings)
{
	struct lex_line from;
	size_t done = 0;

	while (lex_next(lx, &from)) {
		struct line *l;

		take_findings(r, findings, &done);
		r->words += from.n;
		if (r->words > CONF_WORDS_MAX) {
			const struct diag_place at = lex_place(lx, &from.word[0]);

			diag_add(r->diag, DIAG_ERROR, &at, "too long: more than %u words in all",
				 CONF_WORDS_MAX);
			break;
		}
		l = copy_line(r, lx, &from);
		if (!for_this_node(r, l) || has_macro(r, l))
			continue;
		if (is_include(l)) {
			include(r, l);
			continue;
		}
		*r->end = l;
		r->end = &l->next;
	}
	take_findings(r, findings, &done);
}

static int read_file(struct reader *r, const char *name)
{
	struct diag *findings;
	jmp_buf here, *outer = r->memory->on_failure;
	struct lex *volatile lx = NULL;
	struct lex *opened;
	int e;

	if (r->files++ == CONF_FILES_MAX)
		return -EMFILE;
	findings = calloc(1, sizeof(*findings));
	if (!findings)
		return -ENOMEM;
	/* The lexer is not the configuration's memory: it must not leak on the way out. */
	if (setjmp(here)) {
		lex_free(lx);
		diag_fini(findings);
		free(findings);
		r->memory->on_failure = outer;
		longjmp(*outer, 1);
	}
	e = lex_open(name, &dialect, findings, &opened);
	if (e >= 0) {
		lx = opened;
		r->memory->on_failure = &here;
		read_lines(r, lx, findings);
		r->memory->on_failure = outer;
		lex_free(lx);
	}
	diag_fini(findings);
	free(findings);
	return e;
}

/* ---- Blocks ---- */

struct level {
	struct conf_node *node; /* whose block it is; NULL: the file */
	struct conf_node **end;
	const struct conf_block *block; /* NULL: of an unknown word */
};

struct builder {
	struct conf_memory *memory;
	struct diag *diag;
	struct level level[CONF_DEPTH_MAX + 1];
	unsigned depth, skipped; /* blocks too deep to keep */
	bool repair;
	struct conf_node *last; /* the statement a brace on the next line belongs to */
};

static const struct conf_block *block_of(const struct conf_block *in, const char *word)
{
	const struct conf_keyword *k;

	if (in && conf_word_find(in, word, &k) == CONF_WORD_USED)
		return k->block;
	return NULL;
}

static void close_unfinished(struct builder *b, unsigned to, const struct conf_word *before)
{
	for (unsigned i = b->depth; i > to; i--) {
		const struct conf_node *n = b->level[i].node;

		diag_add(b->diag, DIAG_WARNING, &before->at,
			 "block \"%s\" (opened at %u:%u) is not closed before \"%s\": write } "
			 "first",
			 n->word->text, n->open.line, n->open.column, before->text);
	}
	b->depth = to;
}

/* A block word that has no place here, but in a block around: what is between lost its brace. */
static void repair_before(struct builder *b, const struct conf_word *w)
{
	if (!b->repair || w->quoted || conf_word_opens(b->level[b->depth].block, w->text))
		return;
	for (unsigned i = b->depth; i-- > 0;) {
		if (conf_word_opens(b->level[i].block, w->text)) {
			close_unfinished(b, i, w);
			return;
		}
	}
}

static struct conf_node *add_node(struct builder *b, const struct conf_word *w, size_t n)
{
	struct conf_node *node = conf_alloc(b->memory, sizeof(*node));
	struct level *l = &b->level[b->depth];

	node->word = w;
	node->n = n;
	*l->end = node;
	l->end = &node->next;
	return node;
}

static void open_block(struct builder *b, struct conf_node *n, const struct conf_word *brace)
{
	struct level *l;

	if (b->depth == CONF_DEPTH_MAX) {
		if (!b->skipped++)
			diag_add(b->diag, DIAG_WARNING, &brace->at,
				 "blocks more than %d deep: this one is skipped", CONF_DEPTH_MAX);
		return;
	}
	n->block = true;
	n->open = brace->at;
	l = &b->level[b->depth + 1];
	*l = (struct level){n, &n->child, block_of(b->level[b->depth].block, n->word->text)};
	b->depth++;
}

static void close_block(struct builder *b, const struct conf_word *brace)
{
	if (b->skipped)
		b->skipped--;
	else if (b->depth)
		b->depth--;
	else
		diag_add(
		    b->diag, DIAG_WARNING, &brace->at,
		    "\"}\" closes nothing: remove it, or find the \"{\" that is missing above");
}

/* A brace opens the block of the words before it, or of the line before. */
static void on_open(struct builder *b, const struct conf_word *w, size_t n,
		    const struct conf_word *brace)
{
	struct conf_node *node = b->last;

	if (n) {
		repair_before(b, w);
		node = b->skipped ? NULL : add_node(b, w, n);
	} else if (!node || node->block) {
		diag_add(b->diag, DIAG_WARNING, &brace->at,
			 "\"{\" follows no keyword: its block is skipped");
		node = add_node(b, brace, 1);
	}
	if (b->skipped)
		b->skipped++;
	else
		open_block(b, node, brace);
	b->last = NULL;
}

static void build_line(struct builder *b, const struct line *l)
{
	size_t start = 0;

	for (size_t i = 0; i <= l->n; i++) {
		const struct conf_word *w = &l->word[start];
		size_t n = i - start;
		bool end = i == l->n;

		if (!end && is_brace(&l->word[i], '{')) {
			on_open(b, w, n, &l->word[i]);
			start = i + 1;
		} else if (end || is_brace(&l->word[i], '}')) {
			if (n && !b->skipped)
				b->last = add_node(b, w, n);
			if (!end) {
				close_block(b, &l->word[i]);
				b->last = NULL;
			}
			start = i + 1;
		}
	}
}

/* More "{" than "}": some are missing. Else nothing is guessed. */
static bool lacks_braces(const struct line *l)
{
	long open = 0;

	for (; l; l = l->next)
		for (size_t i = 0; i < l->n; i++)
			open += is_brace(&l->word[i], '{') - is_brace(&l->word[i], '}');
	return open > 0;
}

static struct conf_node *build(struct conf_memory *m, const struct conf_block *root, struct diag *d,
			       const struct line *lines)
{
	struct conf_node *first = NULL;
	struct builder b = {.memory = m, .diag = d, .repair = lacks_braces(lines)};

	b.level[0] = (struct level){NULL, &first, root};
	for (; lines; lines = lines->next)
		build_line(&b, lines);
	for (unsigned i = b.depth; i; i--) {
		const struct conf_node *n = b.level[i].node;

		diag_add(d, DIAG_WARNING, &n->open,
			 "block \"%s\" is not closed before the end of the file: write }",
			 n->word->text);
	}
	return first;
}

int conf_tree_read(struct conf_memory *m, const struct conf_source *source,
		   const struct conf_block *root, struct diag *d, struct conf_node **ret)
{
	struct reader r = {.memory = m, .diag = d, .config_id = source->config_id};
	int e;

	r.end = &r.first;
	if (!r.config_id) {
		gethostname(r.host, sizeof(r.host) - 1);
		r.host[strcspn(r.host, ".")] = '\0';
		r.config_id = r.host;
	}
	e = read_file(&r, conf_strdup(m, source->file));
	if (e < 0)
		return e;
	*ret = build(m, root, d, r.first);
	return 0;
}
