/* SPDX-License-Identifier: MIT */
#include "conf/reference.h"

#include <string.h>

#include "conf/words.h"

#define BLOCKS_MAX 64
#define FORM_MAX 64

enum fate { WORKS, ALWAYS, NOTED, REFUSED, N_FATES };

/* Each block once, with where it stands. */
struct place {
	const struct conf_block *block;
	const struct conf_block *in; /* NULL: the file itself */
	const char *word;	     /* what opens it; NULL: the file */
	const char *why;	     /* it is refused as a whole */
};

struct places {
	struct place place[BLOCKS_MAX];
	size_t n;
};

static bool is_listed(const struct places *p, const struct conf_block *b)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->place[i].block == b)
			return true;
	return false;
}

static void collect(struct places *p, const struct place *here)
{
	if (p->n == BLOCKS_MAX || !here->block->keyword || is_listed(p, here->block))
		return;
	p->place[p->n++] = *here;
	for (const struct conf_keyword *k = here->block->keyword; k->word; k++)
		if (k->block)
			collect(p, &(struct place){k->block, here->block, k->word,
						   k->refused ? k->why : here->why});
}

static struct places all_blocks(void)
{
	struct places p = {.n = 0};

	collect(&p, &(struct place){.block = &conf_root});
	return p;
}

static enum fate fate_of(const struct place *p, const struct conf_keyword *k)
{
	if (p->why || (k->why && k->refused))
		return REFUSED;
	return !k->why ? WORKS : k->always ? ALWAYS : NOTED;
}

static const char *why_of(const struct place *p, const struct conf_keyword *k)
{
	return k->why ? k->why : p->why;
}

/* In a table of Markdown a bar must be escaped. */
static void put(const char *text, FILE *to)
{
	for (; *text; text++) {
		if (*text == '|')
			fputc('\\', to);
		fputc(*text, to);
	}
}

static void put_heading(const struct place *p, const char *marks, FILE *to)
{
	if (!p->word)
		fprintf(to, "%s Outermost keywords\n\n", marks);
	else if (p->in == &conf_root)
		fprintf(to, "%s %s\n\n", marks, p->word);
	else
		fprintf(to, "%s %s in %s\n\n", marks, p->word, p->in->name);
}

/* ---- The manual ---- */

static void put_keyword(const struct place *p, const struct conf_keyword *k, FILE *to)
{
	static const char *const mark[N_FATES] = {
	    "", "Always so: ", "Changes nothing: ", "**Has no effect**: "};
	enum fate f = fate_of(p, k);
	char room[FORM_MAX];
	const char *form = conf_form(k, room, sizeof(room));

	fprintf(to, "| `%s%s", k->word, *form ? " " : "");
	put(form, to);
	fputs("` | ", to);
	put(k->initial && f == WORKS ? k->initial : "", to);
	fputs(" | ", to);
	put(k->doc ? k->doc : "", to);
	if (f != WORKS) {
		fprintf(to, " %s", mark[f]);
		put(why_of(p, k), to);
		fputc('.', to);
	}
	fputs(" |\n", to);
}

void conf_reference_manual(FILE *to)
{
	const struct places p = all_blocks();

	for (size_t i = 0; i < p.n; i++) {
		put_heading(&p.place[i], "##", to);
		fputs("| keyword | default | |\n|---|---|---|\n", to);
		for (const struct conf_keyword *k = p.place[i].block->keyword; k->word; k++)
			put_keyword(&p.place[i], k, to);
		fputc('\n', to);
	}
}

/* ---- The migration guide ---- */

#define LINE_MAX_CHARS 140u /* of the list: a person reads it, too */

static void put_works(const struct place *p, FILE *to)
{
	size_t column = 0;

	for (const struct conf_keyword *k = p->block->keyword; k->word; k++) {
		const size_t len = strlen(k->word) + sizeof("``, ") - 1;
		const bool wraps = column + len > LINE_MAX_CHARS;

		if (fate_of(p, k) != WORKS)
			continue;
		fprintf(to, "%s`%s`", !column ? "These work:\n" : wraps ? ",\n" : ", ", k->word);
		column = column && !wraps ? column + len : len;
	}
	fputs(column ? ".\n\n" : "", to);
}

/* Those of one reason stand in one line. */
static void put_others(const struct place *p, FILE *to)
{
	static const char *const text[N_FATES] = {"", "always so", "nothing to do", "no effect"};
	bool any = false;

	for (const struct conf_keyword *k = p->block->keyword; k->word; k++) {
		enum fate f = fate_of(p, k);
		bool first = f != WORKS;

		for (const struct conf_keyword *o = p->block->keyword; o != k && first; o++)
			first &= fate_of(p, o) != f || strcmp(why_of(p, o), why_of(p, k)) != 0;
		if (!first)
			continue;
		fputs(any ? "| " : "| keyword | is | what is said of it |\n|---|---|---|\n| ", to);
		any = true;
		for (const struct conf_keyword *o = k; o->word; o++)
			if (fate_of(p, o) == f && !strcmp(why_of(p, o), why_of(p, k)))
				fprintf(to, "%s`%s`", o == k ? "" : ", ", o->word);
		fprintf(to, " | %s | ", text[f]);
		put(why_of(p, k), to);
		fputs(" |\n", to);
	}
	fputs(any ? "\n" : "", to);
}

static void put_count(const struct places *p, FILE *to)
{
	unsigned n[N_FATES] = {0};

	for (size_t i = 0; i < p->n; i++)
		for (const struct conf_keyword *k = p->place[i].block->keyword; k->word; k++)
			if (!k->extra)
				n[fate_of(&p->place[i], k)]++;
	fprintf(to,
		"Of %u keywords, each counted in each block, %u work, %u ask for what is always so "
		"and %u have no meaning here (a notice), and %u have no effect (a warning, and "
		"what to do instead).\n\n",
		n[WORKS] + n[ALWAYS] + n[NOTED] + n[REFUSED], n[WORKS], n[ALWAYS], n[NOTED],
		n[REFUSED]);
}

void conf_reference_migration(FILE *to)
{
	const struct places p = all_blocks();

	put_count(&p, to);
	for (size_t i = 0; i < p.n; i++) {
		put_heading(&p.place[i], "###", to);
		put_works(&p.place[i], to);
		put_others(&p.place[i], to);
	}
}

/* ---- One word, and all ---- */

static void explain_one(const struct place *p, const struct conf_keyword *k, FILE *to)
{
	static const char *const mark[N_FATES] = {
	    "", "Always so: ", "Changes nothing: ", "Has no effect: "};
	enum fate f = fate_of(p, k);
	char room[FORM_MAX];
	const char *form = conf_form(k, room, sizeof(room));

	fprintf(to, "%s%s%s    in %s\n    %s\n", k->word, *form ? " " : "", form, p->block->name,
		k->doc ? k->doc : "");
	if (f == WORKS && k->initial)
		fprintf(to, "    Default: %s.\n", k->initial);
	if (f != WORKS)
		fprintf(to, "    %s%s.\n", mark[f], why_of(p, k));
}

bool conf_reference_explain(const char *word, FILE *to)
{
	const struct places p = all_blocks();
	bool found = false;

	for (size_t i = 0; i < p.n; i++) {
		const struct conf_keyword *k = conf_word_find(p.place[i].block, word);

		if (k)
			explain_one(&p.place[i], k, to);
		found |= k != NULL;
	}
	return found;
}

static bool was_listed(const struct places *p, size_t before, const char *word)
{
	for (size_t i = 0; i < before; i++)
		if (conf_word_find(p->place[i].block, word))
			return true;
	return false;
}

void conf_reference_list(FILE *to)
{
	const struct places p = all_blocks();

	for (size_t i = 0; i < p.n; i++)
		for (const struct conf_keyword *k = p.place[i].block->keyword; k->word; k++)
			if (!was_listed(&p, i, k->word))
				fprintf(to, "%s\n", k->word);
}
