/* SPDX-License-Identifier: MIT */
#include "cfg/upgrade.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATTERN_MAX 1024

/* ---- Writing lines ---- */

static void begin_line(struct upgrade *u)
{
	if (u->n_lines == UPGRADE_LINES_MAX) {
		u->too_long = true;
		return;
	}
	u->line[u->n_lines++] = (struct lex_line){.word = u->word + u->n_words};
}

/* A word more in the line at hand, which stands where `from` stood. */
__attribute__((format(printf, 3, 4))) static void
put(struct upgrade *u, const struct lex_word *from, const char *format, ...)
{
	size_t left = sizeof(u->text) - u->n_text;
	va_list args;
	int n;

	if (u->n_words == UPGRADE_WORDS_MAX || !u->n_lines) {
		u->too_long = true;
		return;
	}
	va_start(args, format);
	n = vsnprintf(u->text + u->n_text, left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= left) {
		u->too_long = true;
		return;
	}
	u->word[u->n_words] = *from;
	u->word[u->n_words++].text = u->text + u->n_text;
	u->n_text += (size_t)n + 1;
	u->line[u->n_lines - 1].n++;
}

/* The old words from `i` on, as they are. */
static void put_rest(struct upgrade *u, const struct lex_line *line, size_t i)
{
	for (; i < line->n; i++)
		put(u, &line->word[i], "%s", line->word[i].text);
}

/* Words with a space between them are words of their own. */
static void put_words(struct upgrade *u, const struct lex_word *from, const char *words)
{
	while (*words) {
		size_t len = strcspn(words, " ");

		put(u, from, "%.*s", (int)len, words);
		words += len + strspn(words + len, " ");
	}
}

static const char *text_of(const struct lex_line *line, size_t i)
{
	return i < line->n ? line->word[i].text : "";
}

static bool is(const struct lex_line *line, size_t i, const char *text)
{
	return !strcmp(text_of(line, i), text);
}

/* ---- Words that only have another name: `data` is the new one; "" drops the line ---- */

static void rename_words(struct upgrade *u, const struct lex_line *line, size_t words,
			 const char *data)
{
	if (!*data)
		return;
	begin_line(u);
	put_words(u, line->word, data);
	put_rest(u, line, words);
}

/* Nothing can stand for it: `data` says what to do. */
static void refuse(struct upgrade *u, const struct lex_line *line, size_t words, const char *data)
{
	snprintf(u->why_not, sizeof(u->why_not), "%s", data);
}

/* "listen web :80 …" */
static void section_address(struct upgrade *u, const struct lex_line *line, size_t words,
			    const char *data)
{
	begin_line(u);
	put(u, &line->word[0], "%s", text_of(line, 0));
	put(u, &line->word[1], "%s", text_of(line, 1));
	begin_line(u);
	put(u, &line->word[2], "bind");
	put_rest(u, line, 2);
}

/* Without the parameter of bind that said which process has it. */
static void bind_process(struct upgrade *u, const struct lex_line *line, size_t words,
			 const char *data)
{
	begin_line(u);
	for (size_t i = 0; i < line->n; i++) {
		if (i > 1 && is(line, i, "process"))
			i++;
		else
			put(u, &line->word[i], "%s", text_of(line, i));
	}
}

/* "option httpchk GET / HTTP/1.1\r\nHost:\ www": the headers have lines of their own. */
static void httpchk_headers(struct upgrade *u, const struct lex_line *line, size_t words,
			    const char *data)
{
	const struct lex_word *at = &line->word[4];
	const char *p = text_of(line, 4);

	begin_line(u);
	for (size_t i = 0; i < 4; i++)
		put(u, &line->word[i], "%s", text_of(line, i));
	put(u, at, "%.*s", (int)strcspn(p, "\r\n"), p);
	for (p += strcspn(p, "\r\n"); *p; p += strcspn(p, "\r\n")) {
		size_t len, name;

		p += strspn(p, "\r\n");
		len = strcspn(p, "\r\n");
		if (!len)
			break;
		name = strcspn(p, ":");
		if (name >= len) {
			snprintf(u->why_not, sizeof(u->why_not),
				 "\"%.*s\" is no header: write http-check send hdr NAME VALUE",
				 (int)(len > 60 ? 60 : len), p);
			return;
		}
		if (u->n_lines == 1) {
			begin_line(u);
			put_words(u, at, "http-check send");
		}
		put(u, at, "hdr");
		put(u, at, "%.*s", (int)name, p);
		name += 1 + strspn(p + name + 1, " \t");
		put(u, at, "%.*s", (int)(len > name ? len - name : 0), len > name ? p + name : "");
	}
}

/* ---- reqrep and its like: regular expressions over the lines of a head ---- */

/*
 * An old expression is matched against a whole line, "GET /a HTTP/1.1" or "Name: value". What it begins
 * with tells which of the two is meant.
 */
struct head_pattern {
	char header[128];	   /* its name; "": the request line */
	char pattern[PATTERN_MAX]; /* of the value or the URI */
	unsigned groups;	   /* of the method before it, which the new expression has not */
	bool slash_in_group;	   /* … and which had the URI's first character */
};

static const char *skip_space(const char *p)
{
	p += *p == '\\' && p[1] == ' ';
	return *p == ' ' ? p + 1 : NULL;
}

/* "[^ :]*", "\w+", ".*", "GET|POST": what stands for a method. */
static const char *skip_token(const char *p)
{
	size_t n = 1;

	if (*p == '[')
		p = p[1] ? strchr(p + 2, ']') : NULL;
	else if (*p == '\\' && p[1] == 'w')
		n = 2;
	else if (*p != '.')
		n = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ|");
	if (!p || !n)
		return NULL;
	p += n;
	return p + (*p == '*' || *p == '+');
}

/*
 * Behind the method at the beginning of a request line, "([^ :]*) "; NULL: it is none. In "([^ ]* /)"
 * the group has the URI's first character, too.
 */
static const char *skip_method(const char *p, struct head_pattern *h)
{
	bool group = *p == '(';
	const char *space;

	p = skip_token(p + group);
	if (!p)
		return NULL;
	h->groups = group;
	if (!group)
		return skip_space(p);
	if (*p == ')')
		return skip_space(p + 1);
	space = skip_space(p);
	h->slash_in_group = space && !strncmp(space, "/)", 2);
	return h->slash_in_group ? space + 2 : NULL;
}

/* Copies an expression whose spaces may be escaped; a version at its end goes. */
static bool copy_pattern(const char *from, char *to, size_t cap, bool cut_version)
{
	size_t n = 0;
	char *version;

	for (; *from; from++) {
		if (*from == '\\' && from[1] == ' ')
			continue;
		if (n + 1 == cap)
			return false;
		to[n++] = *from;
	}
	to[n] = '\0';
	version = cut_version ? strrchr(to, ' ') : NULL;
	if (version && strncmp(version, " HTTP/", 6) != 0 && strncmp(version, " (HTTP/", 7) != 0)
		version = NULL;
	if (version)
		strcpy(version, "$");
	return true;
}

static bool split_pattern(const char *text, struct head_pattern *ret)
{
	const char *p = text + (*text == '^'), *uri;
	size_t len = 0;

	*ret = (struct head_pattern){.groups = 0};
	uri = skip_method(p, ret);
	if (uri) {
		len = ret->slash_in_group ? 2 : 1;
		memcpy(ret->pattern, "^/", len);
		return copy_pattern(uri, ret->pattern + len, sizeof(ret->pattern) - len, true);
	}
	while (isalnum((unsigned char)p[len]) || (p[len] && strchr("-_", p[len])))
		len++;
	if (!len || p[len] != ':' || len >= sizeof(ret->header))
		return false;
	memcpy(ret->header, p, len);
	p += len + 1;
	while (*p == ' ' || (*p == '\\' && p[1] == ' '))
		p += *p == '\\' ? 2 : 1;
	if (!strncmp(p, "\\s*", 3) || !strncmp(p, "[ ]*", 4))
		p += p[0] == '\\' ? 3 : 4;
	ret->pattern[0] = '^';
	return copy_pattern(p, ret->pattern + 1, sizeof(ret->pattern) - 1, false);
}

static void refuse_pattern(struct upgrade *u, const char *text)
{
	snprintf(u->why_not, sizeof(u->why_not),
		 "\"%.60s\" cannot be told to be about the request line or one header: write "
		 "http-request "
		 "replace-path, replace-header, del-header or deny by hand",
		 text);
}

/* The new text: without the old method and version, its groups counted anew. */
static bool new_replacement(const char *text, const struct head_pattern *h, char *out, size_t cap)
{
	size_t n = 0;

	if (h->header[0]) {
		size_t len = strlen(h->header);

		if (strncasecmp(text, h->header, len) != 0 || text[len] != ':')
			return false; /* it renames the header */
		text += len + 1;
		while (*text == ' ' || (*text == '\\' && text[1] == ' '))
			text += *text == '\\' ? 2 : 1;
	} else if (h->slash_in_group) { /* "\1new" */
		if (strncmp(text, "\\1", 2) != 0)
			return false;
		text += 2;
		out[n++] = '/';
	} else { /* "\1 /new" or "GET /new" */
		text += strcspn(text, " ");
		if (!*text)
			return false;
		text++;
	}
	for (; *text; text++) {
		if (*text == '\\' && text[1] == ' ')
			continue;
		if (n + 3 >= cap)
			return false;
		if (*text == '%') /* it was no format */
			out[n++] = '%';
		out[n++] = *text;
		if (*text == '\\' && isdigit((unsigned char)text[1])) {
			if ((unsigned)(text[1] - '0') <= h->groups && h->groups)
				return false; /* the method, in another place */
			out[n++] = (char)(*++text - (char)h->groups);
		}
	}
	out[n] = '\0';
	if (!h->header[0]) /* behind it there is the version */
		out[strcspn(out, " ")] = '\0';
	return true;
}

/* reqrep, reqirep, rsprep, rspirep: `data` is "http-request" or "http-response", "i" behind it: no case */
static void replace(struct upgrade *u, const struct lex_line *line, size_t words, const char *data)
{
	const char *insensitive = strchr(data, ' ') ? "(?i)" : "";
	struct head_pattern h;
	char with[PATTERN_MAX];

	if (line->n < words + 2 || !split_pattern(text_of(line, words), &h) ||
	    !new_replacement(text_of(line, words + 1), &h, with, sizeof(with)) ||
	    (!h.header[0] && data[5] == 'r' && data[7] == 's')) {
		refuse_pattern(u, text_of(line, words));
		return;
	}
	begin_line(u);
	put(u, line->word, "%.*s", (int)strcspn(data, " "), data);
	if (h.header[0]) {
		put(u, line->word, "replace-header");
		put(u, &line->word[words], "%s", h.header);
	} else {
		put(u, line->word, "replace-uri");
	}
	put(u, &line->word[words], "%s%s", insensitive, h.pattern);
	put(u, &line->word[words + 1], "%s", with[0] ? with : "%[str()]"); /* HAProxy takes no empty word */
	put_rest(u, line, words + 2);
}

/* reqdel, rspdel and those without case: a header of that name goes. */
static void delete_header(struct upgrade *u, const struct lex_line *line, size_t words,
			  const char *data)
{
	struct head_pattern h;

	if (!split_pattern(text_of(line, words), &h) || !h.header[0]) {
		refuse_pattern(u, text_of(line, words));
		return;
	}
	begin_line(u);
	put_words(u, line->word, data);
	put(u, &line->word[words], "%s", h.header);
	put_rest(u, line, words + 1);
}

/* reqadd, rspadd: "Name:\ value" */
static void add_header(struct upgrade *u, const struct lex_line *line, size_t words,
		       const char *data)
{
	const char *text = text_of(line, words), *colon = strchr(text, ':');
	char value[PATTERN_MAX], *to = value;

	if (!colon || colon == text) {
		snprintf(u->why_not, sizeof(u->why_not),
			 "\"%.60s\" is no header: write Name:\\ value", text);
		return;
	}
	for (const char *p = colon + 1 + strspn(colon + 1, " \t");
	     *p && to < value + sizeof(value) - 2; p++) {
		if (*p == '%') /* it was no format */
			*to++ = '%';
		*to++ = *p;
	}
	*to = '\0';
	begin_line(u);
	put_words(u, line->word, data);
	put(u, &line->word[words], "%.*s", (int)(colon - text), text);
	put(u, &line->word[words], "%s", value);
	put_rest(u, line, words + 1);
}

/* reqdeny and its like: `data` is the action; the condition of the line joins the one of the pattern. */
static void decide(struct upgrade *u, const struct lex_line *line, size_t words, const char *data)
{
	const struct lex_word *at = &line->word[words < line->n ? words : 0];
	struct head_pattern h;

	if (!split_pattern(text_of(line, words), &h) || is(line, words + 1, "unless")) {
		refuse_pattern(u, text_of(line, words));
		return;
	}
	begin_line(u);
	put_words(u, line->word, data);
	put(u, at, "if");
	put(u, at, "{");
	if (h.header[0])
		put(u, at, "req.hdr(%s)", h.header);
	else
		put(u, at, "url");
	put_words(u, at, "-i -m reg");
	put(u, at, "%s", h.pattern);
	put(u, at, "}");
	put_rest(u, line, words + 2);
}

/* ---- The table ---- */

static bool has_section_address(const struct lex_line *line)
{
	return line->n > 2 && !is(line, 2, "from");
}

static bool has_process(const struct lex_line *line)
{
	for (size_t i = 2; i < line->n; i++)
		if (is(line, i, "process"))
			return true;
	return false;
}

static bool has_headers(const struct lex_line *line)
{
	return line->n == 5 && strpbrk(line->word[4].text, "\r\n");
}

static bool is_auto_cookie(const struct lex_line *line)
{
	return line->n > 1;
}

static const struct old_word {
	const char *name; /* one word, or two */
	unsigned in;	  /* sections */
	void (*fn)(struct upgrade *u, const struct lex_line *line, size_t words, const char *data);
	const char *data;
	bool (*only)(const struct lex_line *line); /* NULL: always */
} old_words[] = {
    {"appsession", UPGRADE_PROXY, refuse, "write stick-table and stick on, or cookie NAME insert",
     is_auto_cookie},
    {"bind", UPGRADE_PROXY, bind_process, "", has_process},
    {"bind-process", UPGRADE_PROXY, rename_words, "", NULL},
    {"block", UPGRADE_PROXY, rename_words, "http-request deny", NULL},
    {"clitimeout", UPGRADE_PROXY, rename_words, "timeout client", NULL},
    {"contimeout", UPGRADE_PROXY, rename_words, "timeout connect", NULL},
    {"frontend", UPGRADE_PROXY, section_address, "", has_section_address},
    {"listen", UPGRADE_PROXY, section_address, "", has_section_address},
    {"mode health", UPGRADE_PROXY, refuse, "write mode http and http-request return status 200",
     NULL},
    {"monitor-net", UPGRADE_PROXY, refuse,
     "write http-request return status 200 if { src NETWORK }, or tcp-request connection reject",
     NULL},
    {"nbproc", UPGRADE_GLOBAL, rename_words, "nbthread", NULL},
    {"option forceclose", UPGRADE_PROXY, rename_words, "option httpclose", NULL},
    {"option http-tunnel", UPGRADE_PROXY, rename_words, "", NULL},
    {"option http-use-htx", UPGRADE_PROXY, rename_words, "", NULL},
    {"option http_proxy", UPGRADE_PROXY, refuse,
     "write http-request set-dst and server with address 0.0.0.0", NULL},
    {"option httpchk", UPGRADE_PROXY, httpchk_headers, "", has_headers},
    {"option tcpsplice", UPGRADE_PROXY, rename_words, "option splice-auto", NULL},
    {"redispatch", UPGRADE_PROXY, rename_words, "option redispatch", NULL},
    {"reqadd", UPGRADE_PROXY, add_header, "http-request add-header", NULL},
    {"reqallow", UPGRADE_PROXY, decide, "http-request allow", NULL},
    {"reqdel", UPGRADE_PROXY, delete_header, "http-request del-header", NULL},
    {"reqdeny", UPGRADE_PROXY, decide, "http-request deny", NULL},
    {"reqiallow", UPGRADE_PROXY, decide, "http-request allow", NULL},
    {"reqidel", UPGRADE_PROXY, delete_header, "http-request del-header", NULL},
    {"reqideny", UPGRADE_PROXY, decide, "http-request deny", NULL},
    {"reqipass", UPGRADE_PROXY, rename_words, "", NULL},
    {"reqirep", UPGRADE_PROXY, replace, "http-request i", NULL},
    {"reqitarpit", UPGRADE_PROXY, decide, "http-request tarpit", NULL},
    {"reqpass", UPGRADE_PROXY, rename_words, "", NULL},
    {"reqrep", UPGRADE_PROXY, replace, "http-request", NULL},
    {"reqtarpit", UPGRADE_PROXY, decide, "http-request tarpit", NULL},
    {"rspadd", UPGRADE_PROXY, add_header, "http-response add-header", NULL},
    {"rspdel", UPGRADE_PROXY, delete_header, "http-response del-header", NULL},
    {"rspdeny", UPGRADE_PROXY, refuse, "write http-response deny with a condition", NULL},
    {"rspidel", UPGRADE_PROXY, delete_header, "http-response del-header", NULL},
    {"rspideny", UPGRADE_PROXY, refuse, "write http-response deny with a condition", NULL},
    {"rspirep", UPGRADE_PROXY, replace, "http-response i", NULL},
    {"rsprep", UPGRADE_PROXY, replace, "http-response", NULL},
    {"srvtimeout", UPGRADE_PROXY, rename_words, "timeout server", NULL},
    {"stats bind-process", UPGRADE_GLOBAL, rename_words, "", NULL},
    {"stats socket", UPGRADE_GLOBAL, bind_process, "", has_process},
    {"timeout clitimeout", UPGRADE_PROXY, rename_words, "timeout client", NULL},
    {"timeout contimeout", UPGRADE_PROXY, rename_words, "timeout connect", NULL},
    {"timeout srvtimeout", UPGRADE_PROXY, rename_words, "timeout server", NULL},
    {"transparent", UPGRADE_PROXY, rename_words, "option transparent", NULL},
    {"tune.chksize", UPGRADE_GLOBAL, rename_words, "", NULL},
};

bool cfg_upgrade(const struct lex_line *line, enum upgrade_section in, struct upgrade *ret)
{
	const char *word = text_of(line, 0);
	const size_t len = strlen(word);

	for (size_t i = 0; i < sizeof(old_words) / sizeof(old_words[0]); i++) {
		const struct old_word *o = &old_words[i];
		size_t first, words;

		if (o->name[0] > word[0]) /* they are in order */
			break;
		if (o->name[0] != word[0] || !(o->in & in) || strncmp(word, o->name, len) != 0)
			continue;
		first = strcspn(o->name, " ");
		words = o->name[first] ? 2 : 1;
		if (len != first ||
		    (words == 2 && !is(line, 1, o->name + first + 1)) ||
		    (o->only && !o->only(line)))
			continue;
		ret->n_lines = ret->n_words = ret->n_text = 0;
		ret->why_not[0] = '\0';
		ret->too_long = false;
		ret->old = o->name;
		ret->old_form = o->only != NULL;
		o->fn(ret, line, words, o->data);
		if (ret->too_long)
			snprintf(ret->why_not, sizeof(ret->why_not), "the line is too long");
		return true;
	}
	return false;
}

/* Backslashes say what quotes cannot. False: cut. */
static bool escape(const char *word, char *out, size_t cap)
{
	static const char control[] = "\r\n\t";
	size_t n = 0;

	for (; *word; word++) {
		const char *c = strchr(control, *word);

		if (n + 3 > cap)
			return false;
		if (c || strchr(" \\\"'#$", *word))
			out[n++] = '\\';
		out[n++] = c ? "rnt"[c - control] : *word;
	}
	out[n] = '\0';
	return true;
}

static bool quote(const char *word, char *out, size_t cap)
{
	const char *mark = *word && !strpbrk(word, " \t\\\"#$") ? "" : "'";

	if (strpbrk(word, "'\r\n"))
		return escape(word, out, cap);
	return (size_t)snprintf(out, cap, "%s%s%s", mark, word, mark) < cap;
}

bool cfg_upgrade_text(const struct lex_line *line, char *buf, size_t cap)
{
	size_t n = 0;

	*buf = '\0';
	for (size_t i = 0; i < line->n; i++) {
		if (i && n + 2 < cap)
			buf[n++] = ' ';
		if (!quote(line->word[i].text, buf + n, cap - n))
			return false;
		n += strlen(buf + n);
	}
	return true;
}
