/* SPDX-License-Identifier: MIT */
#include "lex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE_NAME_MAX 128

struct lex {
	const char *name;
	const struct lex_dialect *dialect;
	struct diag *diag;
	char *file;	  /* all of it, NUL behind it */
	const char *text; /* what is read now: the file, or a text of lex_words */
	size_t len, at;
	unsigned line;		/* of text[at] */
	size_t line_start;	/* index of that line's first byte */
	size_t counted_to;	/* column() has counted the line up to here … */
	unsigned counted;	/* … and found this many characters */
	char out[LEX_LINE_MAX]; /* the words of this line, NUL between them */
	size_t out_len;
	struct lex_word word[LEX_WORDS_MAX];
	size_t n;
	bool failed; /* this line has an error: it is read to its end and dropped */
	bool plain[256]; /* a byte that stands for itself, in every word: most do */
};

static int read_all(int fd, char **ret_text, size_t *ret_len)
{
	size_t cap = 65536, len = 0;
	char *text = malloc(cap + 1), *bigger;

	if (!text)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, text + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int r = -errno;

			free(text);
			return r;
		}
		len += (size_t)n;
		if (!n)
			break;
		if (len < cap)
			continue;
		if (cap >= LEX_FILE_MAX) {
			free(text);
			return -EFBIG;
		}
		cap *= 2;
		bigger = realloc(text, cap + 1);
		if (!bigger) {
			free(text);
			return -ENOMEM;
		}
		text = bigger;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static int lex_new(const char *name, const struct lex_dialect *dialect, struct diag *d, char *text,
		   size_t len, struct lex **ret)
{
	struct lex *lx = calloc(1, sizeof(*lx));

	if (!lx) {
		free(text);
		return -ENOMEM;
	}
	lx->name = name;
	lx->dialect = dialect;
	lx->diag = d;
	lx->file = text;
	lx->text = text;
	lx->len = len;
	lx->line = 1;
	for (int c = 1; c < 256; c++)
		lx->plain[c] = !strchr(" \t\r\n\v\f\"'\\{}", c) && !strchr(dialect->comment, c);
	*ret = lx;
	return 0;
}

int lex_open(const char *name, const struct lex_dialect *dialect, struct diag *d, struct lex **ret)
{
	bool is_stdin = !strcmp(name, "-");
	int fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY), r;
	struct stat st;
	char *text = NULL;
	size_t len = 0;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && (S_ISBLK(st.st_mode) || (S_ISCHR(st.st_mode) && !is_stdin)))
		r = -EINVAL; /* an endless device is no configuration */
	else
		r = read_all(fd, &text, &len);
	if (!is_stdin)
		close(fd);
	return r < 0 ? r : lex_new(name, dialect, d, text, len, ret);
}

int lex_open_text(const char *name, const char *text, size_t len, const struct lex_dialect *dialect,
		  struct diag *d, struct lex **ret)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return lex_new(name, dialect, d, copy, len, ret);
}

void lex_free(struct lex *lx)
{
	if (!lx)
		return;
	free(lx->file);
	free(lx);
}

struct diag_place lex_place(const struct lex *lx, const struct lex_word *w)
{
	return (struct diag_place){.file = lx->name, .line = w->line, .column = w->column};
}

unsigned lex_line_number(const struct lex *lx)
{
	return lx->line;
}

/* Counts on from where it counted last: a line may be as long as the file. */
static unsigned column(struct lex *lx)
{
	if (lx->counted_to < lx->line_start || lx->counted_to > lx->at) {
		lx->counted_to = lx->line_start;
		lx->counted = 0;
	}
	/* UTF-8 continuation bytes are not characters. */
	for (; lx->counted_to < lx->at; lx->counted_to++)
		lx->counted += ((unsigned char)lx->text[lx->counted_to] & 0xc0) != 0x80;
	return lx->counted + 1;
}

static void fail(struct lex *lx, const char *what)
{
	struct diag_place at = {lx->name, lx->line, 0};

	if (lx->failed)
		return;
	at.column = column(lx);
	diag_add(lx->diag, DIAG_ERROR, &at, "%s", what);
	lx->failed = true;
}

static int peek(const struct lex *lx)
{
	return lx->at < lx->len ? (unsigned char)lx->text[lx->at] : -1;
}

static bool at_line_end(const struct lex *lx)
{
	int c = peek(lx);

	return c < 0 || c == '\n' ||
	       (c == '\r' && (lx->at + 1 == lx->len || lx->text[lx->at + 1] == '\n'));
}

static void next_line(struct lex *lx)
{
	while (!at_line_end(lx))
		lx->at++;
	if (peek(lx) == '\r')
		lx->at++;
	if (peek(lx) == '\n') {
		lx->at++;
		lx->line++;
		lx->line_start = lx->at;
	}
}

static void put(struct lex *lx, char c)
{
	if (lx->out_len >= LEX_LINE_MAX - 1) {
		fail(lx, "this line is too long: more than 65535 bytes");
		return;
	}
	lx->out[lx->out_len++] = c;
}

/* A backslash that is the last character of its line. */
static bool joins_lines(struct lex *lx)
{
	bool last;

	if (peek(lx) != '\\' || !lx->dialect->backslash)
		return false;
	lx->at++;
	last = at_line_end(lx);
	lx->at--;
	return last;
}

static bool is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_name(int c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* A value; of a list each word is one of its own: a NUL, which cannot be in one, ends it. */
static void put_value(struct lex *lx, const char *value, size_t len, bool is_list)
{
	bool gap = false, begun = false;

	for (size_t i = 0; i < len; i++) {
		if (is_list && is_blank(value[i])) {
			gap = begun;
			continue;
		}
		if (gap)
			put(lx, '\0');
		put(lx, value[i]);
		begun = true;
		gap = false;
	}
}

/*
 * Behind the dollar sign: NAME, {NAME}, {NAME[*]} of a list, and in braces "-" and what stands for one that is not
 * set. Without that it is empty, and said.
 */
static void put_variable(struct lex *lx)
{
	bool braced = peek(lx) == '{', is_list;
	const char *instead;
	char name[VARIABLE_NAME_MAX], what[VARIABLE_NAME_MAX + 64];
	const char *value;
	size_t n = 0;

	lx->at += braced;
	while (is_name(peek(lx)) && n < sizeof(name) - 1)
		name[n++] = lx->text[lx->at++];
	name[n] = '\0';
	if (!n) {
		fail(lx, "a variable name must follow \"$\": write \"\\$\" for a dollar sign");
		return;
	}
	is_list = braced && lx->len - lx->at >= 3 && !memcmp(lx->text + lx->at, "[*]", 3);
	lx->at += is_list ? 3 : 0;
	instead = braced && peek(lx) == '-' ? lx->text + ++lx->at : NULL;
	while (instead && peek(lx) != '}' && !at_line_end(lx))
		lx->at++;
	if (braced && peek(lx) != '}') {
		fail(lx, "\"${\" is not closed by \"}\"");
		return;
	}
	value = lx->dialect->variable(name, lx->dialect->userdata);
	if (value)
		put_value(lx, value, strlen(value), is_list);
	else if (instead)
		put_value(lx, instead, (size_t)(lx->text + lx->at - instead), is_list);
	lx->at += braced;
	if (!value && !instead) {
		const struct diag_place at = {lx->name, lx->line, column(lx)};

		snprintf(what, sizeof(what), "variable \"%s\" is not set: it is taken as empty",
			 name);
		diag_add(lx->diag, DIAG_WARNING, &at, "%s", what);
	}
}

static int digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return 99;
}

/* Up to `max` digits. A word ends with NUL, so there cannot be one in it. */
static void put_code(struct lex *lx, int base, int max)
{
	unsigned code = 0;

	while (max-- && digit(peek(lx)) < base)
		code = code * (unsigned)base + (unsigned)digit(lx->text[lx->at++]);
	if (code & 0xff)
		put(lx, (char)code);
	else
		fail(lx, "an escape stands for no character: write \\x01 to \\xff");
}

/* Those of the shell's $'...'. False: c is none of them. */
static bool put_c_escape(struct lex *lx, int c)
{
	static const char letter[] = "abefv", value[] = "\a\b\033\f\v";
	const char *found = c == 'E' ? letter + 2 : strchr(letter, c);

	if (found && *found && c != 'e') {
		put(lx, value[found - letter]);
	} else if (c == 'x') {
		put_code(lx, 16, 2);
	} else if (c >= '0' && c <= '7') {
		lx->at--;
		put_code(lx, 8, 3);
	} else if (c == 'c' && peek(lx) > ' ') {
		put(lx, (char)(lx->text[lx->at++] & 0x1f));
	} else {
		return false;
	}
	return true;
}

/* Behind a backslash: the character it stands for. */
static void put_escape(struct lex *lx)
{
	int c = peek(lx);

	if (c < 0)
		return;
	lx->at++;
	if (lx->dialect->c_escapes && put_c_escape(lx, c))
		return;
	switch (c) {
	case 'n':
		put(lx, '\n');
		break;
	case 'r':
		put(lx, '\r');
		break;
	case 't':
		put(lx, '\t');
		break;
	case 'x':
		if (lx->dialect->keeps_escapes) {
			put_code(lx, 16, 2);
			break;
		}
		/* fallthrough */
	default:
		if (lx->dialect->keeps_escapes && !strchr("\\\"'#$ ", c))
			put(lx, '\\');
		put(lx, (char)c);
	}
}

static void read_quoted(struct lex *lx, int quote)
{
	lx->at++;
	while (peek(lx) != quote && !lx->failed) {
		int c = peek(lx);

		if (at_line_end(lx)) {
			fail(lx, quote == '"' ? "a quote \" is open at the end of the line: close it"
					      : "a quote ' is open at the end of the line: close it");
			return;
		}
		lx->at++;
		if (quote == '"' && c == '\\' && !at_line_end(lx))
			put_escape(lx);
		else if (quote == '"' && c == '$' && lx->dialect->variable)
			put_variable(lx);
		else
			put(lx, (char)c);
	}
	if (!lx->failed) /* else the line's end may stand here, which counts lines */
		lx->at++;
}

static bool ends_word(const struct lex *lx, int c)
{
	const struct lex_dialect *d = lx->dialect;

	return is_blank(c) || (d->braces && (c == '{' || c == '}')) ||
	       (d->comment_in_word && strchr(d->comment, c));
}

/* All that stands for itself from here on. */
static void put_plain(struct lex *lx)
{
	size_t n = 0;

	while (lx->at + n < lx->len && lx->plain[(unsigned char)lx->text[lx->at + n]])
		n++;
	if (n > LEX_LINE_MAX - 1 - lx->out_len)
		n = LEX_LINE_MAX - 1 - lx->out_len; /* put() tells of the next one */
	memcpy(lx->out + lx->out_len, lx->text + lx->at, n);
	lx->out_len += n;
	lx->at += n;
}

static void read_word(struct lex *lx, struct lex_word *w)
{
	const struct lex_dialect *d = lx->dialect;

	if (d->braces && (peek(lx) == '{' || peek(lx) == '}')) {
		put(lx, lx->text[lx->at++]);
		return;
	}
	for (;;) {
		int c;

		put_plain(lx);
		if (at_line_end(lx) || lx->failed)
			return;
		c = peek(lx);
		if (!c) {
			fail(lx, "a NUL byte: this is not a text file");
		} else if (c == '"' || (c == '\'' && d->single_quotes)) {
			w->quoted = true;
			read_quoted(lx, c);
		} else if (c == '\\' && d->backslash) {
			if (joins_lines(lx))
				return;
			lx->at++;
			put_escape(lx);
		} else if (ends_word(lx, c)) {
			return;
		} else {
			put(lx, lx->text[lx->at++]);
		}
	}
}

/* Skips blanks and joined lines; true when a word begins here. */
static bool find_word(struct lex *lx)
{
	for (;;) {
		int c = peek(lx);

		if (c >= 0 && lx->plain[c])
			return true;
		if (joins_lines(lx)) {
			lx->at++;
			next_line(lx);
			continue;
		}
		if (at_line_end(lx) || (c && strchr(lx->dialect->comment, c)))
			return false;
		if (!is_blank(c))
			return true;
		lx->at++;
	}
}

static void read_line(struct lex *lx)
{
	lx->n = 0;
	lx->out_len = 0;
	lx->failed = false;
	while (find_word(lx)) {
		struct lex_word w = {
		    .line = lx->line, .column = column(lx), .offset = lx->at - lx->line_start};
		size_t start = lx->out_len;

		read_word(lx, &w);
		put(lx, '\0');
		for (; start < lx->out_len && !lx->failed; start += strlen(w.text) + 1) {
			w.text = lx->out + start;
			if (lx->n == LEX_WORDS_MAX)
				fail(lx, "too many words in this line: more than 512");
			else
				lx->word[lx->n++] = w;
		}
		if (lx->failed)
			break;
	}
	next_line(lx);
}

bool lex_next(struct lex *lx, struct lex_line *ret_line)
{
	while (lx->at < lx->len) {
		read_line(lx);
		if (lx->n && !lx->failed) {
			*ret_line = (struct lex_line){.word = lx->word, .n = lx->n};
			return true;
		}
	}
	return false;
}

bool lex_words(struct lex *lx, const char *text, size_t len, unsigned line,
	       struct lex_line *ret_line)
{
	lx->text = text;
	lx->len = len;
	lx->at = 0;
	lx->line_start = 0;
	lx->counted_to = 0;
	lx->counted = 0;
	lx->line = line;
	return lex_next(lx, ret_line);
}
