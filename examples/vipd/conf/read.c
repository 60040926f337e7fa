/* SPDX-License-Identifier: MIT */
#include "conf/read.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/sequence.h"
#include "conf/variable.h"
#include "lex.h"

#define FILE_BUFFER_SIZE 32768

static const struct lex_dialect dialect = {
    .comment = "#!", .comment_in_word = true, .braces = true, .c_escapes = true};

/* Of commands, as in a shell. Elsewhere ' is a letter: a password may have one. */
static const struct lex_dialect command_dialect = {.comment = "#!",
						   .comment_in_word = true,
						   .braces = true,
						   .single_quotes = true,
						   .c_escapes = true};

/* A file that is being read, line by line: memory is that of a line. */
struct open_file {
	const char *name;
	int fd;
	FILE *stream; /* reads `fd` */
	char *buffer; /* of `stream` */
	size_t bytes; /* from `fd` */
	char *line;   /* the last one */
	size_t room;
	unsigned number; /* of the line */
	glob_t found; /* what its include names; zero: nothing */
};

struct reader {
	struct conf_memory *memory; /* until the file is read */
	struct conf_memory *kept;   /* of words and names of files */
	struct conf_memory *lines;
	struct diag *diag;
	conf_line_fn *fn; /* takes the lines */
	void *userdata;
	size_t files, words, expanded;
	struct open_file file[CONF_INCLUDE_MAX + 1];
	unsigned depth; /* of includes: files that are open */
	const char *config_id;
	char host[256];
	struct conf_variables variables;
	struct conf_index names; /* of files */
	struct conf_expansion *expansion[CONF_MACROS_MAX];
	struct lex *words_of, *command_of; /* read one line at a time, with the two dialects */
	struct diag findings;		   /* of words_of */
	bool stopped;			   /* a limit was reached, and said: nothing more is read */
};

__attribute__((format(printf, 3, 4))) static void stop(struct reader *r, struct diag_place at,
						       const char *format, ...)
{
	va_list args;
	char text[256];

	if (r->stopped)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	diag_add(r->diag, DIAG_ERROR, &at, "%s", text);
	r->stopped = true;
}

/* ---- Words ---- */

static void process(struct reader *r, struct conf_text t, unsigned macros);

/* What the lexer cannot read is skipped, as keepalived does: its errors are warnings here. */
static void take_findings(struct reader *r, const struct conf_text *from)
{
	for (size_t i = 0; i < r->findings.n; i++) {
		struct diag_place at = from->at;

		if (!from->column)
			at.column += r->findings.message[i].at.column - 1;
		diag_add(r->diag, DIAG_WARNING, &at, "%s: the line is skipped",
			 r->findings.message[i].text);
	}
	diag_fini(&r->findings);
}

static void take_words(struct reader *r, const struct conf_text *from, const struct lex_line *line)
{
	const struct lex_word *last = &line->word[line->n - 1];
	const char *start = line->word[0].text;
	size_t len = (size_t)(last->text - start) + strlen(last->text) + 1;
	struct conf_line *l = conf_alloc(r->lines, sizeof(*l));
	char *text = conf_alloc(r->lines, len);

	memcpy(text, start, len);
	l->n = line->n;
	l->word = conf_alloc(r->lines, l->n * sizeof(*l->word));
	for (size_t i = 0; i < l->n; i++) {
		const struct lex_word *w = &line->word[i];

		l->word[i].text = text + (w->text - start);
		l->word[i].quoted = w->quoted;
		l->word[i].at = from->at;
		if (from->column)
			l->word[i].at.column = from->column[w->offset];
		else
			l->word[i].at.column += w->column - 1;
	}
	r->fn(r->userdata, l);
}

/* ---- Includes ---- */

static int read_file(struct reader *r, const char *name);

/* include, and with one of five letters behind it, which say how much it matters that the file is there. */
static bool is_include(const struct lex_line *l)
{
	const char *w = l->word[0].text;

	return !l->word[0].quoted && !strncmp(w, "include", 7) &&
	       (!w[7] || (strchr("rmwba", w[7]) && !w[8]));
}

static void include_one(struct reader *r, const struct diag_place *at, const char *path)
{
	struct stat st;
	int e;

	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		/* A pipe would hold up the start, or a reload, for as long as its writer likes. */
		diag_add(r->diag, DIAG_WARNING, at,
			 "include: \"%s\" is not a regular file: skipped", path);
		return;
	}
	e = read_file(r, conf_strdup(r->kept, path));
	if (e < 0)
		diag_add(r->diag, DIAG_WARNING, at, "include: cannot read \"%s\": %s", path,
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

/* How long a text is without the comment and the blanks behind it. */
static size_t without_comment(const char *text, size_t len)
{
	bool quoted = false;
	size_t n = 0;

	for (; n < len; n++) {
		if (!quoted && (text[n] == '#' || text[n] == '!'))
			break;
		if (quoted && text[n] == '\\')
			n++;
		else if (text[n] == '"')
			quoted = !quoted;
	}
	n = n < len ? n : len;
	while (n && (text[n - 1] == ' ' || text[n - 1] == '\t' || text[n - 1] == '\r'))
		n--;
	return n;
}

/* What stands behind the keyword: of many words the line as it is, since a pattern may have braces and a path blanks. */
static const char *included(struct reader *r, const struct conf_text *t, const struct lex_line *l)
{
	const char *rest = t->text + l->word[1].offset;

	return l->n == 2 ? conf_strdup(r->memory, l->word[1].text)
			 : conf_strndup(r->memory, rest, without_comment(rest, t->len - l->word[1].offset));
}

/* A path is relative to the file that includes. */
static void include(struct reader *r, const struct conf_text *t, const struct lex_line *l)
{
	const struct diag_place place = conf_text_place(t, l->word[l->n > 1].offset), *at = &place;
	struct open_file *f = &r->file[r->depth - 1];
	const char *slash = strrchr(f->name, '/'), *pattern;

	if (l->n < 2) {
		diag_add(r->diag, DIAG_WARNING, at, "\"%s\" needs the name of a file",
			 l->word[0].text);
		return;
	}
	pattern = included(r, t, l);
	if (r->depth > CONF_INCLUDE_MAX) {
		stop(r, *at, "files include each other more than %d deep: is it a circle?",
		     CONF_INCLUDE_MAX);
		return;
	}
	if (*pattern != '/' && slash)
		pattern = joined(r, f->name, (size_t)(slash - f->name) + 1, pattern);
	if (count(pattern, '{') > CONF_BRACES_MAX) {
		diag_add(r->diag, DIAG_ERROR, at, "more than %d braces in a pattern",
			 CONF_BRACES_MAX);
		return;
	}
	if (glob(pattern, GLOB_BRACE | GLOB_TILDE, NULL, &f->found))
		/* Plain include is for files that need not be there, as in keepalived. */
		diag_add(r->diag, l->word[0].text[7] ? DIAG_WARNING : DIAG_NOTICE, at,
			 "%s: no file matches \"%s\"", l->word[0].text, pattern);
	for (size_t i = 0; i < f->found.gl_pathc && !r->stopped; i++)
		include_one(r, at, f->found.gl_pathv[i]);
	globfree(&f->found);
	f->found = (glob_t){0};
}

/* Is what follows this word a command? */
static bool precedes_command(const char *text, size_t len)
{
	static const char *const word[] = {"notify",	"quorum_up", "quorum_down",
					   "misc_path", "process",   "regex"};
	size_t n = 0;

	while (n < len && text[n] != ' ' && text[n] != '\t')
		n++;
	if ((n > 7 && !memcmp(text, "notify_", 7)) ||
	    (n >= 6 && !memcmp(text + n - 6, "script", 6)))
		return true;
	for (size_t i = 0; i < sizeof(word) / sizeof(*word); i++)
		if (strlen(word[i]) == n && !memcmp(word[i], text, n))
			return true;
	return false;
}

/* "random_seed NUMBER" of global_defs: from here on ${_RANDOM} is repeatable. */
static void take_seed(struct reader *r, const struct lex_line *l)
{
	if (l->n > 1 && !strcmp(l->word[0].text, "random_seed"))
		r->variables.random = strtoull(l->word[1].text, NULL, 0) * 2 + 1;
}

/* A line that macros have nothing to do with any more. */
static void take(struct reader *r, const struct conf_text *t)
{
	bool raw = memchr(t->text, '\'', t->len) && precedes_command(t->text, t->len);
	struct lex *lx = raw ? r->command_of : r->words_of;
	struct lex_line line;

	if (!lex_words(lx, t->text, t->len, t->at.line, &line)) {
		take_findings(r, t);
		return;
	}
	r->words += line.n;
	if (r->words > CONF_WORDS_MAX) {
		stop(r, t->at, "too long: more than %u words in all", CONF_WORDS_MAX);
	} else if (is_include(&line)) {
		include(r, t, &line);
	} else {
		take_seed(r, &line);
		take_words(r, t, &line);
	}
}

/* ---- Macros ---- */

static size_t blanks(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && (text[n] == ' ' || text[n] == '\t' || text[n] == '\r'))
		n++;
	return n;
}

/* "@ID rest": for the node of that name; "@^ID rest": for all others. False: not for us. */
static bool for_this_node(const struct reader *r, struct conf_text *t)
{
	while (t->len && *t->text == '@') {
		size_t n = 1, len;
		bool not_for = t->len > 1 && t->text[1] == '^', same;

		while (n < t->len && t->text[n] != ' ' && t->text[n] != '\t')
			n++;
		len = n - 1 - not_for;
		same = strlen(r->config_id) == len &&
		       !memcmp(t->text + 1 + not_for, r->config_id, len);
		if (same == not_for)
			return false;
		conf_text_skip(t, n);
		conf_text_skip(t, blanks(t->text, t->len));
	}
	return t->len;
}

/* "$NAME=": how long the name is, 0: it is something else. */
static size_t defined_name(const struct conf_text *t)
{
	size_t n = t->len > 1 && *t->text == '$' ? conf_variable_name(t->text + 1, t->len - 1) : 0;

	return n && n + 1 < t->len && t->text[n + 1] == '=' ? n : 0;
}

static void define(struct reader *r, const struct conf_text *t, size_t name_len)
{
	struct conf_text value = *t;

	conf_text_skip(&value, name_len + 2);
	conf_text_skip(&value, blanks(value.text, value.len));
	value.len = without_comment(value.text, value.len);
	conf_variable_set(&r->variables, t->text + 1, name_len, &value);
}

static void repeat(struct reader *r, const struct conf_text *t, unsigned macros)
{
	struct conf_sequence *s = conf_alloc(r->memory, sizeof(*s));
	struct conf_text rest = *t, head = *t;
	const char *error;
	size_t len = 0;

	/* Its own arguments may be variables. */
	if (memchr(t->text, ')', t->len))
		head.len = (size_t)((const char *)memchr(t->text, ')', t->len) - t->text) + 1;
	if (memchr(head.text, '$', head.len)) {
		struct conf_expansion *x = r->expansion[macros];

		conf_expand(&r->variables, &head, x);
		len = head.len + blanks(t->text + head.len, t->len - head.len);
		head.text = conf_strndup(r->memory, x->text, x->len);
		head.len = x->len;
		error = conf_sequence_read(r->memory, head.text, head.len, s, &head.len);
	} else {
		error = conf_sequence_read(r->memory, t->text, t->len, s, &len);
	}
	if (error) {
		diag_add(r->diag, DIAG_WARNING, &t->at, "%s. The line is skipped", error);
		return;
	}
	conf_text_skip(&rest, len);
	while (!r->stopped && conf_sequence_next(s, &r->variables, t->at))
		process(r, rest, macros + 1);
}

/* A line with what stands before and behind it, all of it where the line is asked for. */
static struct conf_text joined_text(struct reader *r, struct conf_span before,
				    const struct conf_text *line, struct conf_span behind,
				    struct diag_place at)
{
	size_t len = before.len + line->len + behind.len;
	char *text = conf_alloc(r->memory, len + 1);
	uint16_t *column = conf_alloc(r->memory, (len + 1) * sizeof(*column));

	memcpy(text, before.text, before.len);
	memcpy(text + before.len, line->text, line->len);
	memcpy(text + before.len + line->len, behind.text, behind.len);
	for (size_t i = 0; i < len; i++)
		column[i] = (uint16_t)(at.column < UINT16_MAX ? at.column : UINT16_MAX);
	return (struct conf_text){text, len, at, column};
}

/* The lines of a variable, the first behind what stands before it, the last before what follows. */
static void take_lines(struct reader *r, struct conf_expansion *x, const struct conf_text *t,
		       unsigned macros)
{
	const struct conf_span none = {"", 0}, rest = {x->rest_len ? x->rest : "", x->rest_len};
	const struct conf_span start = {x->text, x->len};
	const struct conf_text *line = x->lines->line;
	const size_t n = x->lines->n;

	for (size_t i = 0; i < n && !r->stopped; i++) {
		struct conf_span before = i ? none : start, behind = i + 1 == n ? rest : none;

		if (blanks(before.text, before.len) == before.len &&
		    blanks(behind.text, behind.len) == behind.len)
			process(r, line[i], macros + 1);
		else
			process(r, joined_text(r, before, &line[i], behind, t->at), macros + 1);
	}
}

static void put_variables_in(struct reader *r, const struct conf_text *t, unsigned macros)
{
	struct conf_expansion *x = r->expansion[macros];
	struct conf_text became = {.at = t->at};

	conf_expand(&r->variables, t, x);
	r->expanded += x->len;
	if (x->error) {
		stop(r, t->at, "%s", x->error);
		return;
	}
	if (x->lines) {
		take_lines(r, x, t, macros);
		return;
	}
	if (!x->len)
		return;
	became.text = x->text;
	became.len = x->len;
	became.column = x->column;
	conf_text_skip(&became, blanks(x->text, x->len));
	if (became.len && (*became.text == '@' || conf_sequence_begins(became.text, became.len)))
		process(r, became, macros + 1);
	else if (became.len)
		take(r, &became);
}

static void process(struct reader *r, struct conf_text t, unsigned macros)
{
	size_t name;

	if (r->stopped)
		return;
	if (macros)
		r->expanded += t.len + 64; /* what a line costs, also one for another node */
	if (macros == CONF_MACROS_MAX) {
		stop(r, t.at, "macros are more than %d deep in each other: does one name itself?",
		     CONF_MACROS_MAX);
		return;
	}
	if (r->expanded > CONF_EXPANDED_MAX) {
		stop(r, t.at, "variables and sequences make more than %u MiB of this file",
		     CONF_EXPANDED_MAX >> 20);
		return;
	}
	conf_text_skip(&t, blanks(t.text, t.len));
	if (!for_this_node(r, &t))
		return;
	if (!r->expansion[macros] && (*t.text == '~' || memchr(t.text, '$', t.len))) {
		r->expansion[macros] = calloc(1, sizeof(**r->expansion));
		if (!r->expansion[macros])
			longjmp(*r->kept->on_failure, 1);
	}
	name = defined_name(&t);
	if (name)
		define(r, &t, name);
	else if (conf_sequence_begins(t.text, t.len))
		repeat(r, &t, macros);
	else if (memchr(t.text, '$', t.len))
		put_variables_in(r, &t, macros);
	else
		take(r, &t);
}

/* ---- Files ---- */

/* At most one byte more than a file may have, so that no line is longer, either. */
static ssize_t read_some(void *cookie, char *to, size_t size)
{
	struct open_file *f = cookie;
	size_t left = LEX_FILE_MAX + 1 - f->bytes;
	ssize_t n;

	do
		n = read(f->fd, to, size < left ? size : left);
	while (n < 0 && errno == EINTR);
	f->bytes += n > 0 ? (size_t)n : 0;
	return n;
}

static int open_file(struct open_file *f, const char *name)
{
	const cookie_io_functions_t io = {.read = read_some};
	bool is_stdin = !strcmp(name, "-");
	int fd = is_stdin ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	*f = (struct open_file){.name = name, .fd = fd};
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && (S_ISBLK(st.st_mode) || (S_ISCHR(st.st_mode) && !is_stdin))) {
		close(fd);
		return -EINVAL; /* an endless device is no configuration */
	}
	f->buffer = malloc(FILE_BUFFER_SIZE);
	f->stream = f->buffer ? fopencookie(f, "r", io) : NULL;
	if (!f->stream) {
		free(f->buffer);
		close(fd);
		return -ENOMEM;
	}
	setvbuf(f->stream, f->buffer, _IOFBF, FILE_BUFFER_SIZE);
	return 0;
}

static void close_file(struct open_file *f)
{
	fclose(f->stream);
	close(f->fd);
	free(f->buffer);
	free(f->line);
	globfree(&f->found);
	*f = (struct open_file){0};
}

/* The next line without its end. 0: there is none; -errno. */
static int next_text(struct reader *r, struct open_file *f, struct conf_text *ret)
{
	ssize_t len;

	errno = 0;
	len = getline(&f->line, &f->room, f->stream);
	if (len < 0)
		return feof(f->stream) ? 0 : errno ? -errno : -EIO;
	if (f->bytes > LEX_FILE_MAX)
		return -EFBIG;
	if (f->line[len - 1] == '\n')
		len--;
	if (len && f->line[len - 1] == '\r')
		len--;
	*ret = (struct conf_text){
	    f->line, (size_t)len, {.file = f->name, .line = ++f->number, .column = 1}};
	r->kept->at = ret->at;
	return 1;
}

static bool ends_with_backslash(struct conf_text *t)
{
	t->len = without_comment(t->text, t->len);
	if (!t->len || t->text[t->len - 1] != '\\')
		return false;
	t->len--;
	t->len = without_comment(t->text, t->len);
	return true;
}

/*
 * "$NAME= \" and the lines behind it, each but the last with a backslash at its end. What is for other
 * nodes is read, too, since its lines are no lines of the file. False: it is something else.
 */
static bool define_lines(struct reader *r, struct open_file *f, struct conf_text t)
{
	struct conf_text *line = NULL, one = t;
	const char *name;
	size_t n = 0, len;
	bool ours;

	if (!memchr(t.text, '\\', t.len))
		return false; /* as nearly all lines */
	conf_text_skip(&one, blanks(one.text, one.len));
	while (one.len && *one.text == '@') { /* to the definition, whoever it is for */
		const char *blank = memchr(one.text, ' ', one.len);

		conf_text_skip(&one, blank ? (size_t)(blank - one.text) : one.len);
		conf_text_skip(&one, blanks(one.text, one.len));
	}
	len = defined_name(&one);
	if (!len || !ends_with_backslash(&one))
		return false;
	conf_text_skip(&t, blanks(t.text, t.len));
	ours = for_this_node(r, &t);
	name = conf_strndup(r->memory, one.text + 1, len);
	conf_text_skip(&one, len + 2);
	conf_text_skip(&one, blanks(one.text, one.len));
	for (bool more = true; more;) {
		if (one.len) {
			one.text = conf_strndup(r->memory, one.text, one.len);
			line = conf_grow(r->memory, line, n, sizeof(*line));
			line[n++] = one;
		}
		more = next_text(r, f, &one) > 0;
		if (more && !ends_with_backslash(&one)) {
			line = conf_grow(r->memory, line, n, sizeof(*line));
			one.text = conf_strndup(r->memory, one.text, one.len);
			line[n++] = one;
			more = false;
		}
	}
	if (ours && n == 1)
		conf_variable_set(&r->variables, name, len, &line[0]);
	else if (ours && n)
		conf_variable_set_lines(&r->variables, name, len, line, n);
	return true;
}

/* A file that is read a second time does not make room for itself. */
static void count_file(struct reader *r, const char *name)
{
	struct stat st;

	if (!conf_index_add_name(r->memory, &r->names, name, r) && !stat(name, &st))
		conf_memory_allow(r->kept, (size_t)st.st_size);
}

static int read_file(struct reader *r, const char *name)
{
	struct open_file *f = &r->file[r->depth];
	struct conf_text t;
	int e;

	if (r->files++ == CONF_FILES_MAX)
		return -EMFILE;
	e = open_file(f, name);
	if (e < 0)
		return e;
	r->depth++;
	count_file(r, name);
	while (!r->stopped && (e = next_text(r, f, &t)) > 0)
		if (!define_lines(r, f, t))
			process(r, t, 0);
	r->depth--;
	close_file(f);
	return e < 0 ? e : 0;
}

static void close_all(struct reader *r)
{
	while (r->depth--)
		close_file(&r->file[r->depth]);
	for (size_t i = 0; i < CONF_MACROS_MAX; i++)
		free(r->expansion[i]);
	lex_free(r->words_of);
	lex_free(r->command_of);
	diag_fini(&r->findings);
	free(r);
}

static int set_up(struct reader *r, const struct conf_source *source)
{
	r->config_id = source->config_id;
	if (!r->config_id) {
		gethostname(r->host, sizeof(r->host) - 1);
		r->host[strcspn(r->host, ".")] = '\0';
		r->config_id = r->host;
	}
	r->variables = (struct conf_variables){
	    .memory = r->memory, .config_id = r->config_id, .random = source->random_seed};
	while (!r->variables.random)
		if (getrandom(&r->variables.random, sizeof(r->variables.random), 0) < 0)
			r->variables.random = 1;
	if (lex_open_text("", "", 0, &dialect, &r->findings, &r->words_of) < 0 ||
	    lex_open_text("", "", 0, &command_dialect, &r->findings, &r->command_of) < 0)
		return -ENOMEM;
	return 0;
}

int conf_read(struct conf_memory *kept, struct conf_memory *scratch, struct conf_memory *lines,
	      const struct conf_source *source, struct diag *d, conf_line_fn *fn, void *userdata)
{
	jmp_buf here, *outer = kept->on_failure;
	struct reader *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	r->memory = scratch;
	r->kept = kept;
	r->lines = lines;
	r->diag = d;
	r->fn = fn;
	r->userdata = userdata;
	/* What is not the configuration's memory must not leak on the way out. */
	if (setjmp(here)) {
		close_all(r);
		kept->on_failure = outer;
		longjmp(*outer, 1);
	}
	kept->on_failure = &here;
	e = set_up(r, source);
	if (!e)
		e = read_file(r, conf_strdup(kept, source->file));
	kept->on_failure = outer;
	close_all(r);
	return e;
}
