/* SPDX-License-Identifier: MIT */
#include "diag.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 48 /* longer words are not compared */

static const char *const level_name[] = {"notice", "warning", "error"};

void diag_fini(struct diag *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->message[i].text);
	*d = (struct diag){0};
}

/* A line that a macro repeats has its fault each time; it is said once. */
static bool was_said(const struct diag *d, enum diag_level level, const struct diag_place *at,
		     const char *text)
{
	for (size_t i = 0; i < d->n && at && at->line; i++) {
		const struct diag_message *m = &d->message[i];

		if (m->at.line == at->line && m->at.column == at->column && m->level == level &&
		    m->at.file == at->file && !strcmp(m->text, text))
			return true;
	}
	return false;
}

void diag_add(struct diag *d, enum diag_level level, const struct diag_place *at,
	      const char *format, ...)
{
	struct diag_message *m;
	char text[DIAG_TEXT_MAX];
	va_list args;

	if (diag_full(d)) {
		d->count[level]++;
		return;
	}
	m = &d->message[d->n];
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (was_said(d, level, at, text))
		return;
	d->count[level]++;
	*m = (struct diag_message){.level = level, .text = strdup(text)};
	if (at)
		m->at = *at;
	if (m->text)
		d->n++;
}

bool diag_full(const struct diag *d)
{
	return d->n == DIAG_MAX;
}

void diag_format(const struct diag_message *m, char *buf, size_t cap)
{
	char place[320] = "";

	if (m->at.file && m->at.line && m->at.column)
		snprintf(place, sizeof(place), "%s:%u:%u: ", m->at.file, m->at.line, m->at.column);
	else if (m->at.file && m->at.line)
		snprintf(place, sizeof(place), "%s:%u: ", m->at.file, m->at.line);
	else if (m->at.file)
		snprintf(place, sizeof(place), "%s: ", m->at.file);
	snprintf(buf, cap, "%s%s: %s", place, level_name[m->level], m->text);
}

/* Findings about no file come last. */
static size_t file_number(const char *const *file, size_t n, const char *name)
{
	size_t i = 0;

	while (i < n && (!name || strcmp(file[i], name) != 0))
		i++;
	return i;
}

static bool is_before(const struct diag_place *a, size_t file_a, const struct diag_place *b,
		      size_t file_b)
{
	if (file_a != file_b)
		return file_a < file_b;
	return a->line != b->line ? a->line < b->line : a->column <= b->column;
}

void diag_sort(struct diag *d)
{
	const char *file[DIAG_MAX];
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		if (d->message[i].at.file && file_number(file, n, d->message[i].at.file) == n)
			file[n++] = d->message[i].at.file;
	for (size_t i = 1; i < d->n; i++) {
		const struct diag_message m = d->message[i];
		size_t of = file_number(file, n, m.at.file), j = i;

		for (; j > 0; j--) {
			const struct diag_place *p = &d->message[j - 1].at;

			if (is_before(p, file_number(file, n, p->file), &m.at, of))
				break;
			d->message[j] = d->message[j - 1];
		}
		d->message[j] = m;
	}
}

/*
 * The optimal string alignment distance: Levenshtein plus the swap of two neighbours. Three rows
 * are enough, since a swap looks back two.
 */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned row[3][WORD_MAX + 1];
	unsigned *before = row[0], *last = row[1], *now = row[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *spare = before;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned change =
			    tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]);
			unsigned best = last[j - 1] + change;

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[b_len];
}

const char *diag_nearest(const char *word, const char *const *known, size_t n)
{
	size_t len = strlen(word);
	unsigned best = len < 4 ? 2 : (unsigned)(len / 3 + 1); /* exclusive */
	const char *nearest = NULL;

	if (len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t known_len = strlen(known[i]);
		unsigned d;

		if (known_len > WORD_MAX)
			continue;
		d = distance(word, len, known[i], known_len);
		if (d < best) {
			best = d;
			nearest = known[i];
		}
	}
	return nearest;
}
