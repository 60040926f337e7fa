/* SPDX-License-Identifier: MIT */
#include "migrate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cfg/upgrade.h"

/* Lines first to last of a file, and what stands for them. */
struct change {
	STAILQ_ENTRY(change) next;
	char *file;
	unsigned first, last;
	size_t n;
	char *line[UPGRADE_LINES_MAX];
};

struct migrate {
	STAILQ_HEAD(, change) changes; /* in the order of the files' lines */
	bool failed;
};

struct migrate *migrate_new(void)
{
	struct migrate *m = calloc(1, sizeof(*m));

	if (m)
		STAILQ_INIT(&m->changes);
	return m;
}

static void change_free(struct change *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->line[i]);
	free(c->file);
	free(c);
}

void migrate_free(struct migrate *m)
{
	struct change *c;

	if (!m)
		return;
	while ((c = STAILQ_FIRST(&m->changes))) {
		STAILQ_REMOVE_HEAD(&m->changes, next);
		change_free(c);
	}
	free(m);
}

void migrate_note(void *userdata, const char *file, unsigned first, unsigned last,
		  const struct upgrade *u)
{
	struct migrate *m = userdata;
	struct change *c = calloc(1, sizeof(*c));
	char text[UPGRADE_TEXT_MAX];

	if (!c) {
		m->failed = true;
		return;
	}
	c->first = first;
	c->last = last;
	c->file = strdup(file);
	m->failed |= !c->file;
	for (; c->n < u->n_lines; c->n++) {
		bool whole = cfg_upgrade_text(&u->line[c->n], text, sizeof(text));

		c->line[c->n] = whole ? strdup(text) : NULL;
		m->failed |= !c->line[c->n];
	}
	STAILQ_INSERT_TAIL(&m->changes, c, next);
}

/* The comment at a line's end; "" without one. */
static const char *comment_of(const char *line)
{
	char quote = 0;

	for (; *line; line++) {
		if (*line == '\\' && line[1] && quote != '\'')
			line++;
		else if (quote ? *line == quote : *line == '"' || *line == '\'')
			quote = quote ? 0 : *line;
		else if (*line == '#' && !quote)
			return line;
	}
	return line;
}

/* A section begins at the margin; its words stand as the line stood. */
static void print_change(const struct change *c, const char *old, FILE *to)
{
	const char *comment = comment_of(old);
	int indent = (int)strspn(old, " \t");
	bool begins = c->n > 1 && !indent;

	for (size_t i = 0; i < c->n; i++)
		fprintf(to, "%.*s%s%s%s%s\n", indent, old, begins && i ? "    " : "", c->line[i],
			!i && *comment ? " " : "", i ? "" : comment);
	if (!c->n && *comment)
		fprintf(to, "%.*s%s\n", indent, old, comment);
}

static int print_file(const struct migrate *m, const char *name, FILE *to)
{
	FILE *f = fopen(name, "re");
	const struct change *c = STAILQ_FIRST(&m->changes);
	char *line = NULL;
	size_t cap = 0;
	unsigned number = 0;
	ssize_t len;

	if (!f)
		return -errno;
	while ((len = getline(&line, &cap, f)) >= 0) {
		while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
			line[--len] = '\0';
		number++;
		while (c && (strcmp(c->file, name) != 0 || c->last < number))
			c = STAILQ_NEXT(c, next);
		if (!c || number < c->first)
			fprintf(to, "%s\n", line);
		else if (number == c->first)
			print_change(c, line, to);
	}
	free(line);
	fclose(f);
	return 0;
}

int migrate_print(const struct migrate *m, const struct cfg *cfg, FILE *to)
{
	int e = m->failed ? -ENOMEM : 0;

	for (size_t i = 0; i < cfg->n_files && !e; i++) {
		if (cfg->n_files > 1)
			fprintf(to, "# ---- %s ----\n", cfg->file[i]);
		e = print_file(m, cfg->file[i], to);
	}
	if (!e && (fflush(to) || ferror(to)))
		e = -EIO;
	return e;
}
