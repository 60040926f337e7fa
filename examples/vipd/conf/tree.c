/* SPDX-License-Identifier: MIT */
#include "conf/tree.h"

#include <setjmp.h>
#include <string.h>

#include "conf/words.h"

static bool is_brace(const struct conf_word *w, char brace)
{
	return !w->quoted && w->text[0] == brace && !w->text[1];
}

struct level {
	struct conf_node *node; /* whose block it is; NULL: the file */
	struct conf_node **end;
	const struct conf_block *block; /* NULL: of an unknown word */
};

struct builder {
	struct conf_memory *memory;
	struct diag *diag;
	conf_statements_fn *fn; /* takes what is whole */
	void *userdata;
	struct conf_node *first; /* outside of all blocks */
	struct level level[CONF_DEPTH_MAX + 1];
	unsigned depth, skipped; /* blocks too deep to keep */
	bool repair;
	long lacking;		/* braces: more "{" than "}" so far */
	struct conf_node *last; /* the statement a brace on the next line belongs to */
};

static const struct conf_block *block_of(const struct conf_block *in, const char *word)
{
	const struct conf_keyword *k = in ? conf_word_find(in, word) : NULL;

	return k ? k->block : NULL;
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

static void build_line(struct builder *b, const struct conf_line *l)
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

static void hand_out(struct builder *b)
{
	if (b->first)
		b->fn(b->userdata, b->first);
	b->first = NULL;
	b->level[0].end = &b->first;
	b->last = NULL;
	conf_memory_rewind(b->memory);
}

static void on_line(void *userdata, const struct conf_line *l)
{
	struct builder *b = userdata;

	for (size_t i = 0; i < l->n; i++)
		b->lacking += is_brace(&l->word[i], '{') - is_brace(&l->word[i], '}');
	build_line(b, l);
	if (!b->depth && !b->skipped && !b->last)
		hand_out(b);
}

int conf_tree_read(struct conf_memory *kept, struct conf_memory *scratch,
		   const struct conf_tree_opts *o, struct diag *d, struct conf_tree_end *ret)
{
	struct conf_memory lines = {.parent = kept};
	struct builder b = {
	    .memory = &lines, .diag = d, .fn = o->fn, .userdata = o->userdata, .repair = o->repair};
	jmp_buf here, *outer = kept->on_failure;
	int e;

	if (setjmp(here)) {
		conf_chunks_free(lines.chunks);
		kept->on_failure = outer;
		longjmp(*outer, 1);
	}
	kept->on_failure = &here;
	b.level[0] = (struct level){NULL, &b.first, o->root};
	e = conf_read(kept, scratch, &lines, o->source, d, on_line, &b);
	for (unsigned i = b.depth; i && !e; i--) {
		const struct conf_node *n = b.level[i].node;

		diag_add(d, DIAG_WARNING, &n->open,
			 "block \"%s\" is not closed before the end of the file: write }",
			 n->word->text);
	}
	hand_out(&b);
	conf_chunks_free(lines.chunks);
	kept->on_failure = outer;
	*ret = (struct conf_tree_end){.lacks = b.lacking > 0, .within = b.depth > 0};
	return e;
}

/* ---- And back ---- */

static bool is_plain(const char *text)
{
	return *text && !strpbrk(text, " \t\n#!{}\"'\\");
}

/* In quotes the reader takes a backslash and what follows as that character. */
static void write_word(const char *text, FILE *to)
{
	if (is_plain(text)) {
		fputs(text, to);
		return;
	}
	fputc('"', to);
	for (; *text; text++) {
		if (strchr("\"\\", *text))
			fputc('\\', to);
		fputc(*text, to);
	}
	fputc('"', to);
}

static void write_block(const struct conf_node *n, int depth, FILE *to)
{
	for (; n; n = n->next) {
		for (int i = 0; i < depth; i++)
			fputs("    ", to);
		for (size_t w = 0; w < n->n; w++) {
			fputs(w ? " " : "", to);
			write_word(n->word[w].text, to);
		}
		fputs(n->block ? " {\n" : "\n", to);
		if (!n->block)
			continue;
		write_block(n->child, depth + 1, to);
		for (int i = 0; i < depth; i++)
			fputs("    ", to);
		fputs("}\n", to);
	}
}

void conf_tree_write(const struct conf_node *first, FILE *to)
{
	write_block(first, 0, to);
}
