/* SPDX-License-Identifier: MIT */
#include "conf/variable.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPLACEMENTS_MAX 4096 /* in one line */
#define BUILTIN_MAX 128	      /* characters of ${_NAME ARGUMENTS} */

struct diag_place conf_text_place(const struct conf_text *t, size_t offset)
{
	struct diag_place at = t->at;

	if (t->column) {
		at.column = t->column[offset < t->len ? offset : t->len - 1];
		return at;
	}
	for (size_t i = 0; i < offset; i++) /* UTF-8 continuation bytes are not characters */
		at.column += ((unsigned char)t->text[i] & 0xc0) != 0x80;
	return at;
}

void conf_text_skip(struct conf_text *t, size_t n)
{
	if (t->len > n)
		t->at = conf_text_place(t, n);
	if (t->column)
		t->column += n;
	t->text += n;
	t->len -= n;
}

/* ---- Setting ---- */

static bool is_name(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

size_t conf_variable_name(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && is_name(text[n]))
		n++;
	return n && text[0] >= '0' && text[0] <= '9' ? 0 : n;
}

static struct conf_variable *variable(struct conf_variables *v, const char *name, size_t len)
{
	struct conf_variable *x = conf_index_find(&v->index, name, len);

	if (x)
		return x;
	x = conf_alloc(v->memory, sizeof(*x));
	x->name = conf_strndup(v->memory, name, len);
	conf_index_add(v->memory, &v->index, x->name, len, x);
	return x;
}

/* A sequence sets one variable again and again: it keeps its room. */
void conf_variable_set(struct conf_variables *v, const char *name, size_t name_len,
		       const struct conf_text *value)
{
	struct conf_variable *x = variable(v, name, name_len);

	if (value->len > x->room_size || !x->room) {
		x->room_size = value->len + 16;
		x->room = conf_alloc(v->memory, x->room_size);
	}
	if (!x->line || x->n != 1)
		x->line = conf_alloc(v->memory, sizeof(*x->line));
	memcpy(x->room, value->text, value->len);
	*x->line = *value;
	x->line->text = x->room;
	x->line->column = NULL;
	x->n = 1;
}

void conf_variable_set_lines(struct conf_variables *v, const char *name, size_t name_len,
			     struct conf_text *line, size_t n)
{
	struct conf_variable *x = variable(v, name, name_len);

	x->line = line;
	x->n = n;
	x->room = NULL;
	x->room_size = 0;
}

/* ---- Those that are always there ---- */

/* xorshift64: it decides nothing that must be kept from anybody. */
static unsigned random_between(struct conf_variables *v, unsigned min, unsigned max)
{
	v->random ^= v->random << 13;
	v->random ^= v->random >> 7;
	v->random ^= v->random << 17;
	return min + (unsigned)((v->random >> 16) % ((uint64_t)max - min + 1));
}

static const char *directory_of(struct conf_variables *v, const char *file)
{
	char path[PATH_MAX];
	const char *slash = file ? strrchr(file, '/') : NULL;
	const char *folder =
	    slash ? conf_strndup(v->memory, file, (size_t)(slash - file) + 1) : ".";

	return realpath(folder, path) ? conf_strdup(v->memory, path) : ".";
}

/* What stands in ${_…}; NULL: it is none of them. */
static const char *builtin(struct conf_variables *v, const char *text, size_t len, const char *file)
{
	char what[BUILTIN_MAX], name[BUILTIN_MAX];
	unsigned min = 0, max = 32767;
	int n;

	if (len >= sizeof(what) || text[0] != '_')
		return NULL;
	memcpy(what, text, len);
	what[len] = '\0';
	if (!strcmp(what, "_PWD"))
		return directory_of(v, file);
	if (!strcmp(what, "_INSTANCE"))
		return v->config_id;
	if (!strcmp(what, "_HASH"))
		return "\"#\""; /* in quotes, since it begins no comment */
	if (!strcmp(what, "_BANG"))
		return "\"!\"";
	if (sscanf(what, "_ENV %127s", name) == 1) {
		const char *value = getenv(name);

		return value ? conf_strdup(v->memory, value) : "";
	}
	n = sscanf(what, "_RANDOM %9u %9u", &min, &max);
	if (strncmp(what, "_RANDOM", 7) != 0 || (what[7] && what[7] != ' ') || max < min ||
	    (what[7] && n < 1))
		return NULL;
	return conf_printf(v->memory, "%u", random_between(v, min, max));
}

/* ---- Putting in ---- */

/* The line, and above it the values that are being read. */
struct frame {
	const char *text;
	size_t len, at;
};

struct expander {
	struct conf_variables *variables;
	struct conf_expansion *out;
	const struct conf_text *from;
	struct frame frame[CONF_VALUES_IN_VALUES + 1];
	unsigned depth, replacements;
	size_t at;   /* in `from`: what is read now, or asked for what is read now */
	bool quoted; /* between two " */
};

static struct frame *top(struct expander *e)
{
	return &e->frame[e->depth];
}

static void put(struct expander *e, char c)
{
	struct conf_expansion *out = e->out;
	unsigned column = e->from->at.column + (unsigned)e->at;

	if (out->len == sizeof(out->text)) {
		out->error = "with its variables this line is too long: more than 65536 bytes";
		return;
	}
	if (e->from->column)
		column = e->from->column[e->at];
	out->column[out->len] = (uint16_t)(column < UINT16_MAX ? column : UINT16_MAX);
	out->text[out->len++] = c;
}

/* The byte behind the name, also when a value ends here. -1: none. */
static int behind(const struct expander *e, size_t at)
{
	for (unsigned d = e->depth;; d--) {
		const struct frame *f = &e->frame[d];

		if (at < f->len)
			return (unsigned char)f->text[at];
		if (!d)
			return -1;
		at = e->frame[d - 1].at;
	}
}

static void push(struct expander *e, const char *text, size_t len)
{
	if (e->depth == CONF_VALUES_IN_VALUES || e->replacements++ == REPLACEMENTS_MAX) {
		e->out->error =
		    "values name each other too often: does a variable name itself in the end?";
		return;
	}
	if (!len)
		return;
	e->depth++;
	*top(e) = (struct frame){.text = text, .len = len};
}

/* What is left to read, of the line and of the values in it, as one text. */
static void keep_rest(struct expander *e)
{
	size_t len = 0;
	char *rest;

	for (unsigned d = 0; d <= e->depth; d++)
		len += e->frame[d].len - e->frame[d].at;
	rest = conf_alloc(e->variables->memory, len + 1);
	e->out->rest = rest;
	e->out->rest_len = len;
	for (unsigned d = e->depth + 1; d-- > 0;) {
		const struct frame *f = &e->frame[d];

		if (f->len > f->at)
			memcpy(rest, f->text + f->at, f->len - f->at);
		rest += f->len - f->at;
	}
}

static void use(struct expander *e, const struct conf_variable *x)
{
	if (x->n > 1) {
		e->out->lines = x;
		keep_rest(e);
	} else {
		push(e, x->line->text, x->line->len);
	}
}

/* At a dollar sign. False: it is no variable that is set, so it stays as it is. */
static bool reference(struct expander *e)
{
	struct frame *f = top(e);
	const char *name = f->text + f->at + 1;
	size_t left = f->len - f->at - 1, len;
	const struct conf_variable *x;

	if (left && *name == '{') {
		const char *end = memchr(name, '}', left), *value;

		if (!end)
			return false;
		len = (size_t)(end - ++name);
		x = conf_index_find(&e->variables->index, name, len);
		value = x || !len ? NULL : builtin(e->variables, name, len, e->from->at.file);
		if (!x && !value)
			return false;
		f->at += len + 3;
		if (x)
			use(e, x);
		else if (e->quoted && value[0] == '"')
			push(e, value + 1, 1);
		else
			push(e, value, strlen(value));
		return true;
	}
	len = conf_variable_name(name, left);
	x = len ? conf_index_find(&e->variables->index, name, len) : NULL;
	if (x) {
		int c = behind(e, f->at + 1 + len);

		if (c >= 0 && !strchr(" \t\r\v\f)", c))
			return false;
		f->at += len + 1;
		use(e, x);
	}
	return x;
}

void conf_expand(struct conf_variables *v, const struct conf_text *from, struct conf_expansion *ret)
{
	struct expander e = {.variables = v, .out = ret, .from = from};

	ret->len = 0;
	ret->lines = NULL;
	ret->rest_len = 0;
	ret->error = NULL;
	e.frame[0] = (struct frame){.text = from->text, .len = from->len};
	while (!ret->error && !ret->lines) {
		struct frame *f = top(&e);
		char c;

		if (f->at == f->len) {
			if (!e.depth)
				return;
			e.depth--;
			continue;
		}
		if (!e.depth)
			e.at = f->at;
		c = f->text[f->at];
		if (!e.quoted && (c == '#' || c == '!'))
			return;
		if (c == '$' && reference(&e))
			continue;
		f->at++;
		put(&e, c);
		if (c == '\\' && e.quoted && f->at < f->len)
			put(&e, f->text[f->at++]);
		else if (c == '"')
			e.quoted = !e.quoted;
	}
}
