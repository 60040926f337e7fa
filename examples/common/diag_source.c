/* SPDX-License-Identifier: MIT */
#include "diag_source.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lex.h"

#define WIDTH 100 /* characters of a line that are shown */
#define BEFORE 60 /* … of them before the mark */

void diag_source_fini(struct diag_source *s)
{
	free(s->text);
	*s = (struct diag_source){0};
}

/* An ordinary file of a sensible size; else there is no text. */
static void load(struct diag_source *s, const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t n;

	diag_source_fini(s);
	s->name = name;
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= (off_t)LEX_FILE_MAX)
		s->text = malloc((size_t)st.st_size + 1);
	while (s->text && s->len < (size_t)st.st_size) {
		n = read(fd, s->text + s->len, (size_t)st.st_size - s->len);
		if (n <= 0)
			break;
		s->len += (size_t)n;
	}
	close(fd);
}

static const char *find_line(const struct diag_source *s, unsigned line, size_t *ret_len)
{
	const char *at = s->text, *end = s->text ? s->text + s->len : NULL, *newline;

	while (at && --line) {
		newline = memchr(at, '\n', (size_t)(end - at));
		at = newline ? newline + 1 : NULL;
	}
	if (!at)
		return NULL;
	newline = memchr(at, '\n', (size_t)(end - at));
	*ret_len = (size_t)((newline ? newline : end) - at);
	return at;
}

static bool holds_secret(const char *line, size_t len)
{
	static const char *const word[] = {"pass", "secret", "key"};

	for (size_t i = 0; i < sizeof(word) / sizeof(*word); i++)
		if (memmem(line, len, word[i], strlen(word[i])))
			return true;
	return false;
}

static bool begins_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* The index of the n-th character, from 0. */
static size_t index_of(const char *line, size_t len, unsigned n)
{
	size_t i = 0;

	for (; i < len; i++)
		if (begins_character(line[i]) && !n--)
			break;
	return i;
}

/* A terminal obeys control characters: they are not for it. */
static void put_safe(const char *text, size_t len, FILE *to)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		fputc(c == '\t' ? ' ' : c < ' ' || c == 0x7f || c == 0x9b ? '?' : c, to);
	}
}

void diag_source_print(struct diag_source *s, const struct diag_place *at, FILE *to)
{
	const char *line;
	size_t len, from, mark, word;
	unsigned first;

	if (!at->file || !at->line || !at->column)
		return;
	if (!s->name || strcmp(s->name, at->file) != 0)
		load(s, at->file);
	line = find_line(s, at->line, &len);
	if (!line || holds_secret(line, len))
		return;
	first = at->column > BEFORE ? at->column - BEFORE : 0;
	from = index_of(line, len, first);
	mark = index_of(line, len, at->column - 1);
	word = mark;
	while (word < len && word < mark + WIDTH - BEFORE && !strchr(" \t\r", line[word]))
		word++;
	fprintf(to, "%5u | %s", at->line, first ? "..." : "");
	put_safe(line + from, index_of(line + from, len - from, WIDTH), to);
	fprintf(to, "\n      | %*s^", (int)(at->column - 1 - first + (first ? 3 : 0)), "");
	while (++mark < word)
		if (begins_character(line[mark]))
			fputc('~', to);
	fputc('\n', to);
}
