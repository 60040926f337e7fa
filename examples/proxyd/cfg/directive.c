/* SPDX-License-Identifier: MIT */
/* Lines for the reader itself: .if and its branches, .diag, .notice, .warning, .alert. */
#include "cfg/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfg/if.h"

static const char *variable(const char *name, void *userdata)
{
	return getenv(name);
}

const struct lex_dialect cfg_dialect = {
    .comment = "#",
    .comment_in_word = true,
    .single_quotes = true,
    .backslash = true,
    .keeps_escapes = true,
    .variable = variable,
};

static bool skips(const struct reader *r)
{
	return r->n_if && (r->conditions[r->n_if - 1].skipped || !r->conditions[r->n_if - 1].reads);
}

/* The words behind the directive, as one text. */
static const char *join(const struct reader *r, char *buf, size_t cap)
{
	size_t n = 0;

	*buf = '\0';
	for (size_t i = 1; i < r->line->n && n + 1 < cap; i++)
		n += (size_t)snprintf(buf + n, cap - n, "%s%s", i > 1 ? " " : "", word_at(r, i));
	return buf;
}

/* What cannot be read counts as false. */
static bool condition(struct reader *r)
{
	char text[2048], error[256];
	size_t at, word = 1;
	bool yes = false;

	join(r, text, sizeof(text));
	if (cfg_if_eval(text, &yes, error, sizeof(error), &at))
		return yes;
	while (word + 1 < r->line->n && at > strlen(word_at(r, word)))
		at -= strlen(word_at(r, word++)) + 1;
	say(r, DIAG_ERROR, word, "this condition cannot be read: %s", error);
	return false;
}

static void begin_if(struct reader *r)
{
	bool within = skips(r);
	struct reader_if *c;

	if (r->n_if == READER_IF_MAX) {
		say(r, DIAG_ERROR, 0, "more than %d .if within each other", READER_IF_MAX);
		return;
	}
	c = &r->conditions[r->n_if++];
	*c = (struct reader_if){.at = place_at(r, 0), .skipped = within};
	c->reads = c->taken = !within && condition(r);
}

static void branch(struct reader *r, bool last)
{
	struct reader_if *c = r->n_if ? &r->conditions[r->n_if - 1] : NULL;

	if (!c || c->has_else) {
		say(r, DIAG_ERROR, 0,
		    c ? "\"%s\" stands behind .else: write .endif before it"
		      : "\"%s\" has no .if above it",
		    word_at(r, 0));
		return;
	}
	c->has_else = last;
	c->reads = !c->skipped && !c->taken && (last || condition(r));
	c->taken |= c->reads;
}

static void end_if(struct reader *r)
{
	if (r->n_if)
		r->n_if--;
	else
		say(r, DIAG_ERROR, 0, "\".endif\" has no .if above it");
}

static void message(struct reader *r, enum diag_level level)
{
	char text[DIAG_TEXT_MAX];

	say(r, level, 0, "%s", join(r, text, sizeof(text)));
}

static const char *const directives[] = {".alert", ".diag",   ".elif",	  ".else", ".endif",
					 ".if",	   ".notice", ".warning", NULL};

static void run(struct reader *r, const char *name)
{
	bool branches = !strcmp(name, ".else") || !strcmp(name, ".endif");

	if (branches && r->line->n > 1)
		say(r, DIAG_ERROR, 1, "\"%s\" is too much here: %s stands alone", word_at(r, 1),
		    name);
	if (!strcmp(name, ".if"))
		begin_if(r);
	else if (!strcmp(name, ".elif") || !strcmp(name, ".else"))
		branch(r, name[3] == 's');
	else if (!strcmp(name, ".endif"))
		end_if(r);
	else if (skips(r))
		return;
	else if (!strcmp(name, ".alert"))
		message(r, DIAG_ERROR);
	else if (!strcmp(name, ".warning"))
		message(r, DIAG_WARNING);
	else if (!strcmp(name, ".notice") || r->opts->diagnose)
		message(r, DIAG_NOTICE);
}

bool read_directive(struct reader *r)
{
	const char *name = word_at(r, 0);

	if (*name != '.' || r->line->word[0].quoted)
		return skips(r);
	for (size_t i = 0; directives[i]; i++)
		if (!strcmp(name, directives[i])) {
			run(r, name);
			return true;
		}
	if (!skips(r))
		say_unknown(r, 0, "directive", directives, NULL);
	return true;
}

void end_directives(struct reader *r)
{
	for (; r->n_if; r->n_if--)
		diag_add(r->diag, DIAG_ERROR, &r->conditions[r->n_if - 1].at,
			 "this .if is still open at the end of the file: write .endif");
}
