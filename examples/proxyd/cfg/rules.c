/* SPDX-License-Identifier: MIT */
/* Keywords with conditions: acl, http-request and its like, use_backend. */
#include "cfg/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cfg/read.h"
#include "rules/rule.h"

#define WORDS_MAX LEX_WORDS_MAX
#define PATTERN_FILE_MAX (16u << 20) /* bytes */

static void *alloc(void *owner, size_t size)
{
	return keep(owner, size);
}

static bool on_free(void *owner, void (*fn)(void *object), void *object)
{
	struct reader *r = owner;

	if (cfg_at_end(r->cfg, fn, object))
		return true;
	r->no_memory = true;
	return false;
}

/* ---- Pattern files ---- */

/* Some write it for an empty file. */
static bool is_dev_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

static char *read_whole(const char *path, size_t *ret_len, struct rule_error *e)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	char *text = NULL;
	size_t n = 0;

	if (!f || fstat(fileno(f), &st) < 0) {
		rule_fail(e, "cannot read %.150s: %s", path, strerror(errno));
	} else if ((!S_ISREG(st.st_mode) && !is_dev_null(&st)) || st.st_size > (off_t)PATTERN_FILE_MAX) {
		rule_fail(e, "%.150s is no file of at most %u MiB", path, PATTERN_FILE_MAX >> 20);
	} else {
		text = malloc((size_t)st.st_size + 1);
		if (text)
			n = fread(text, 1, (size_t)st.st_size, f);
		if (text)
			text[n] = '\0';
	}
	if (f)
		fclose(f);
	*ret_len = n;
	return text;
}

/* Rules are read with their file. */
static const char *place(void *userdata, const char *name)
{
	struct cfg *c = userdata;

	return cfg_path(c, c->n_files ? c->file[c->n_files - 1] : NULL, name);
}

/* Lines without the white space before them; empty ones and comments are left out. */
static bool read_file(void *userdata, const char *name,
		      bool (*add)(void *to, const char *line, struct rule_error *e), void *to,
		      struct rule_error *e)
{
	const char *path = place(userdata, name);
	size_t whole_len;
	char *text = read_whole(path ? path : name, &whole_len, e), *save = NULL;
	bool ok = text;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; ok && line;
	     line = strtok_r(NULL, "\n", &save)) {
		size_t len;

		line += strspn(line, " \t");
		len = strcspn(line, "\r");
		line[len] = '\0';
		if (!*line || *line == '#')
			continue;
		ok = add(to, line, e);
	}
	free(text);
	return ok;
}

/* As HAProxy: IPv4 alone, as it is now. */
static bool find_host(const char *name, struct sample *ret)
{
	const struct addrinfo want = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	if (!*name || getaddrinfo(name, NULL, &want, &found))
		return false;
	*ret = (struct sample){.type = SAMPLE_IPV4};
	memcpy(ret->ip, &((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_addr, 4);
	freeaddrinfo(found);
	return true;
}

static void free_shared(void *object)
{
	struct rule_shared *shared = object;

	vars_clear(&shared->proc.vars);
	maps_free(shared);
}

/* What the rules of this configuration share; false: no memory. */
static bool memory_of(struct reader *r, struct rule_memory *ret)
{
	struct cfg *c = r->cfg;

	if (!c->vars)
		c->vars = keep(r, sizeof(*c->vars));
	if (!c->shared) {
		_Static_assert(CFG_VAR_SCOPES == VAR_N_SCOPES, "a limit for each scope");
		c->shared = keep(r, sizeof(*c->shared));
		if (c->shared && !on_free(r, free_shared, c->shared))
			return false;
		if (c->shared)
			*c->shared =
			    (struct rule_shared){.userdata = c,
					      .place = place,
					      .read_file = read_file,
					      .read_whole = read_whole,
					      .find_host = find_host,
					      .debug_to = cfg_debug_to,
					      .proc.limit = c->global.vars_max};
	}
	if (c->shared) {
		c->shared->file = NULL;
		c->shared->rests = r->proxy && r->proxy->set.disabled;
	}
	*ret = (struct rule_memory){alloc,   on_free,	r,
				    c->vars, c->shared, r->proxy ? r->proxy->name : "",
				    r->proxy && r->proxy->rules ? &r->proxy->rules->acls : NULL};
	return c->vars && c->shared;
}

/* The same, for the line at hand. */
static bool memory_of_line(struct reader *r, struct rule_memory *ret)
{
	if (!memory_of(r, ret))
		return false;
	if (r->line->n) {
		ret->shared->file = place_at(r, 0).file;
		ret->shared->line = place_at(r, 0).line;
	}
	return true;
}

/* Evaluates `text` at once. False with e->text; with it, too, when there was no room. */
static bool set_proc_var(struct proc_vars *proc, const struct rule_memory *m, unsigned number, const char *text, bool is_format,
			 struct rule_error *e)
{
	char scratch[RUN_SCRATCH];
	const char *rest = "";
	struct sample value = sample_text(SAMPLE_STR, "", 0);
	struct format f;
	struct expr x;
	struct run run = {.proc = proc, .client_fd = -1, .server_fd = -1, .scratch = {scratch, 0, sizeof(scratch)}};

	if (is_format ? !format_parse(text, m, &f, e) : !expr_parse(text, m, &x, &rest, e) || *rest)
		return *e->text ? false : rule_fail(e, "this is no expression");
	clock_gettime(CLOCK_REALTIME, &run.wall);
	if (is_format ? !format_write(&f, &run, &value.text) : !expr_eval(&x, &run, NULL, &value))
		return rule_fail(e, "this has no value here: there is no connection");
	if (!run_var_set(&run, number, &value))
		rule_fail(e, "there is no room for this: tune.vars.proc-max-size and tune.vars.global-max-size say how much there is");
	return true;
}

/* "tune.vars.txn-max-size BYTES"; the two of the whole process are one limit, the smaller one. */
void kw_vars_max(struct reader *r, size_t first, const void *data)
{
	static const struct {
		const char *word;
		enum var_scope scope;
	} words[] = {
	    {"check", VAR_CHECK}, {"global", VAR_PROC}, {"proc", VAR_PROC}, {"reqres", VAR_REQ}, {"sess", VAR_SESS}, {"txn", VAR_TXN},
	};
	const char *word = word_at(r, first - 1), *scope = word + strlen("tune.vars.");
	unsigned i = 0, bytes, *max = r->cfg->global.vars_max;

	while (strncmp(scope, words[i].word, strlen(words[i].word)) != 0)
		i++;
	if (!read_number(r, first, word, 0, INT32_MAX, &bytes))
		return;
	if (words[i].scope != VAR_PROC || !max[VAR_PROC] || (bytes && bytes < max[VAR_PROC]))
		max[words[i].scope] = bytes;
	max[VAR_RES] = max[VAR_REQ];
}

static unsigned larger(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

void cfg_vars_check(struct reader *r)
{
	unsigned *max = r->cfg->global.vars_max;
	struct proc_vars *proc = r->cfg->shared ? &r->cfg->shared->proc : NULL;

	if (!max[VAR_SESS]) /* what is written for parts of a connection has room in it */
		max[VAR_SESS] = larger(VARS_BYTES_USUAL, larger(larger(max[VAR_TXN], max[VAR_REQ]), max[VAR_CHECK]));
	if (!proc)
		return;
	for (unsigned i = 0; i < r->cfg->vars->n; i++)
		proc->n_names += !strncmp(r->cfg->vars->name[i], "proc.", 5);
	atomic_store(&proc->bytes, proc->vars.bytes[VAR_PROC] + proc->n_names * VAR_COST);
}

/* global's "set-var proc.NAME EXPRESSION", "set-var-fmt proc.NAME TEXT": evaluated at once */
void kw_proc_var(struct reader *r, size_t first, const void *data)
{
	bool is_format = *(const bool *)data;
	const char *name = word_at(r, first);
	struct rule_error e = {""};
	struct rule_memory m;
	int number;

	if (!memory_of(r, &m))
		return;
	number = var_number(text_of(name, strlen(name)), &m, &e);
	if (number >= 0 && var_scope((unsigned)number) != VAR_PROC)
		rule_fail(&e, "\"%.60s\" is not of the process: write proc.NAME here", name);
	else if (number >= 0 && set_proc_var(&r->cfg->shared->proc, &m, (unsigned)number, word_at(r, first + 1), is_format, &e)) {
		if (*e.text) /* HAProxy goes on without it, too */
			say(r, DIAG_WARNING, first + 1, "%s", e.text);
		return;
	}
	say(r, DIAG_ERROR, first + (number >= 0 && var_scope((unsigned)number) == VAR_PROC), "%s", e.text);
}

bool cfg_find_proc_var(const struct cfg *c, const char *name, unsigned *ret)
{
	for (unsigned i = 0; c->vars && c->shared && !strncmp(name, "proc.", 5) && i < c->vars->n; i++)
		if (!strcmp(c->vars->name[i], name)) {
			*ret = var_of(i, VAR_PROC);
			return true;
		}
	return false;
}

bool cfg_set_proc_var(const struct cfg *c, unsigned number, const char *text, bool is_format, struct rule_error *e)
{
	static const struct cfg_load_opts opts;
	struct cfg *own = malloc(sizeof(*own)); /* the memory of the expression, which goes at once */
	struct var_names names = *c->vars; /* what only the expression names goes with it, tables as well */
	struct table_ref *tables = c->shared->tables;
	struct diag d = {0};
	struct reader r = {.opts = &opts, .cfg = own, .diag = &d};
	struct rule_memory m;
	bool ok;

	if (!own)
		return rule_fail(e, "out of memory");
	*own = *c;
	cfg_memory_apart(own);
	own->vars = &names;
	ok = memory_of(&r, &m) && set_proc_var(&own->shared->proc, &m, number, text, is_format, e);
	c->shared->tables = tables;
	diag_fini(&d);
	cfg_free(own);
	return ok;
}

const struct rule_memory *cfg_rule_memory(struct reader *r)
{
	struct rule_memory *m = keep(r, sizeof(*m));

	if (m && !memory_of(r, m))
		return NULL;
	return m;
}

/* ---- The section at hand ---- */

struct section {
	struct rule_memory memory;
	struct acl_reader reader;
	struct cfg_rules *rules;
	const char *word[WORDS_MAX];
	size_t n;
};

/* False: told. The words from `first` on. */
static bool open_section(struct reader *r, size_t first, struct section *s);

static bool begin(struct reader *r, size_t first, struct section *s)
{
	if (r->no) {
		say(r, DIAG_ERROR, first - 1, "\"no\" before \"%s\" means nothing: remove the line",
		    word_at(r, first - 1));
		return false;
	}
	if (r->proxy->kind == CFG_DEFAULTS && !*r->proxy->name) {
		say(r, DIAG_ERROR, first - 1,
		    "\"%s\" needs a defaults section with a name: write defaults NAME, and from "
		    "NAME in the sections that use it",
		    word_at(r, first - 1));
		return false;
	}
	return open_section(r, first, s);
}

/* NULL: none, or no memory. */
static const char *keep_file(struct reader *r)
{
	const char *file = r->line->n ? place_at(r, 0).file : NULL, *kept = r->rule_file;
	char *copy;

	if (!file || (kept && !strcmp(kept, file)))
		return file ? kept : NULL;
	copy = keep(r, strlen(file) + 1);
	return r->rule_file = copy ? strcpy(copy, file) : NULL;
}

static bool open_section(struct reader *r, size_t first, struct section *s)
{
	if (!r->proxy->rules) {
		r->proxy->rules = keep(r, sizeof(*r->proxy->rules));
		if (!r->proxy->rules)
			return false;
		for (int kind = 0; kind < RULES_N_KINDS; kind++)
			rules_init(&r->proxy->rules->of[kind]);
		rules_init(&r->proxy->rules->monitor);
		STAILQ_INIT(&r->proxy->rules->switches);
		STAILQ_INIT(&r->proxy->rules->uses);
		STAILQ_INIT(&r->proxy->rules->sticks);
		STAILQ_INIT(&r->proxy->rules->persists);
	}
	*s = (struct section){.rules = r->proxy->rules};
	if (!memory_of_line(r, &s->memory))
		return false;
	for (; first + s->n < r->line->n; s->n++)
		s->word[s->n] = word_at(r, first + s->n);
	s->reader = (struct acl_reader){
	    .memory = &s->memory, .acls = &s->rules->acls, .file = keep_file(r),
	    .bandwidths = r->proxy->kind == CFG_DEFAULTS ? NULL : &s->rules->bandwidths, .read_file = read_file,
	    .is_frontend = r->proxy->kind == CFG_FRONTEND};
	if (r->proxy->kind & CFG_FRONTEND) {
		if (!r->proxy->slots)
			r->proxy->slots = keep(r, sizeof(*r->proxy->slots));
		s->reader.slots = r->proxy->slots;
	}
	return true;
}

/* Of what was read all the same. */
static void say_warning(struct reader *r, size_t i, const struct rule_error *e)
{
	if (*e->text)
		say(r, DIAG_WARNING, i, "%s", e->text);
}

static void say_error(struct reader *r, size_t i, const struct rule_error *e)
{
	if (*e->text)
		say(r, DIAG_ERROR, i, "%s", e->text);
	else
		r->no_memory = true;
}

void kw_acl(struct reader *r, size_t first, const void *data)
{
	struct rule_error e = {""};
	struct section s;
	size_t wrong;

	if (!begin(r, first, &s))
		return;
	if (acl_parse(&s.reader, s.word, s.n, &wrong, &e))
		say_warning(r, first + 1, &e);
	else
		say_error(r, first + wrong, &e);
}

/* ---- Rules ---- */

static const char *const rule_words[] = {
    [RULES_REQUEST] = "http-request",
    [RULES_RESPONSE] = "http-response",
    [RULES_AFTER_RESPONSE] = "http-after-response",
    [RULES_CONNECTION] = "tcp-request connection",
    [RULES_SESSION] = "tcp-request session",
    [RULES_CONTENT] = "tcp-request content",
    [RULES_TCP_RESPONSE] = "tcp-response content",
};

/* An action that is not ours: HAProxy's, or a slip of the pen. */
static void say_unknown_action(struct reader *r, size_t i, enum rules_kind kind)
{
	const char *word = word_at(r, i), *candidate[64];
	char name[160];
	size_t n = 0;

	snprintf(name, sizeof(name), "%s %.*s", rule_words[kind], (int)strcspn(word, "(."), word);
	if (find_word(cfg_words_proxy, name)) {
		say(r, DIAG_ERROR, i, "\"%s\" is known to HAProxy, not supported by this version",
		    name);
		return;
	}
	while (n < 63 && (candidate[n] = rules_action_name(kind, (unsigned)n)))
		n++;
	candidate[n] = NULL;
	say_unknown(r, i, "action", candidate, NULL);
}

static void add(struct reader *r, struct section *s, enum rules_kind kind, size_t first)
{
	struct rules *rules = &s->rules->of[kind];
	struct diag_place at = place_at(r, 0);
	struct rule_error e = {""};
	size_t wrong;

	if (rules_add(rules, kind, &s->reader, s->word, s->n, at.line, &wrong, &e))
		say_warning(r, first, &e);
	else if (!wrong && !strncmp(e.text, "unknown action", 14))
		say_unknown_action(r, first, kind);
	else
		say_error(r, first + wrong, &e);
}

void kw_rules(struct reader *r, size_t first, const void *data)
{
	struct section s;

	if (begin(r, first, &s))
		add(r, &s, *(const enum rules_kind *)data, first);
}

const struct expr *cfg_read_expr(struct reader *r, size_t i, const char *text)
{
	const struct rule_memory *m = cfg_rule_memory(r);
	struct expr *x = keep(r, sizeof(*x));
	struct rule_error e = {""};
	const char *rest;

	if (!m || !x)
		return NULL;
	if (expr_parse(text, m, x, &rest, &e) && !*rest) {
		say_warning(r, i, &e);
		return x;
	}
	say(r, DIAG_ERROR, i, "%s", *e.text ? e.text : "this is no expression");
	return NULL;
}

/* ---- monitor-uri ---- */

/* Rules that run when that URI is asked for: silence, what may fail, and the answer. */
static void add_monitor(struct reader *r, struct section *s, const char *const *word, size_t n,
			const struct diag_place *at)
{
	struct rule_error e = {""};
	size_t wrong;

	if (!rules_add(&s->rules->monitor, RULES_REQUEST, &s->reader, word, n, at->line, &wrong, &e)) {
		if (*e.text)
			diag_add(r->diag, DIAG_ERROR, at, "%s", e.text);
		else
			r->no_memory = true;
	}
}

/* As in HAProxy, who asks is not logged. */
static void silence(struct reader *r, struct section *s, const struct diag_place *at)
{
	static const char *const word[] = {"set-log-level", "silent"};

	if (!s->rules->monitor.first)
		add_monitor(r, s, word, 2, at);
}

/* "monitor fail if CONDITION" */
void kw_monitor_fail(struct reader *r, size_t first, const void *data)
{
	const char *word[WORDS_MAX] = {"deny", "deny_status", "503"};
	struct diag_place at = place_at(r, first);
	struct section s;

	if (!begin(r, first, &s) || s.n + 3 > WORDS_MAX)
		return;
	memcpy(word + 3, s.word, s.n * sizeof(word[0]));
	silence(r, &s, &at);
	add_monitor(r, &s, word, s.n + 3, &at);
}

void cfg_monitor_check(struct reader *r, struct cfg_proxy *p)
{
	static const char *const answer[] = {
	    "return", "status", "200", "default-errorfiles"};
	const struct lex_line none = {.n = 0};
	struct section s;

	if (!p->set.http.monitor_uri || !(p->kind & CFG_FRONTEND))
		return;
	r->proxy = p;
	r->line = &none;
	if (open_section(r, 0, &s)) {
		silence(r, &s, &p->at);
		add_monitor(r, &s, answer, sizeof(answer) / sizeof(answer[0]), &p->at);
	}
	r->proxy = NULL;
}

/* A text as the format that writes it. NULL: it is too long, or there is no memory. */
static const char *literal(struct reader *r, size_t i, const char *text)
{
	char format[2048], *to = format;

	for (; *text && to < format + sizeof(format) - 2; text++) {
		if (*text == '%')
			*to++ = '%';
		*to++ = *text;
	}
	*to = '\0';
	if (*text)
		say(r, DIAG_ERROR, i, "this is longer than %zu bytes", sizeof(format) - 3);
	return *text ? NULL : keep_text(r, format);
}

/* "redirect …" is "http-request redirect …", but where it leads to is no format. */
void kw_redirect(struct reader *r, size_t first, const void *data)
{
	struct section s;

	if (!begin(r, first - 1, &s))
		return;
	for (size_t i = 0; i + 1 < s.n && !rule_is_condition(s.word[i]); i++)
		if (!strcmp(s.word[i], "location") || !strcmp(s.word[i], "prefix") || !strcmp(s.word[i], "scheme")) {
			i++;
			if (!(s.word[i] = literal(r, first - 1 + i, s.word[i])))
				return;
		}
	add(r, &s, RULES_REQUEST, first - 1);
}

void kw_inspect_delay(struct reader *r, size_t first, const void *data)
{
	struct section s;
	uint64_t ns;

	if (begin(r, first, &s) && read_time(r, first, "inspect-delay", &ns))
		*(uint64_t *)((char *)s.rules + *(const size_t *)data) = ns;
}

const struct cond *cfg_read_condition(struct reader *r, size_t first)
{
	struct cond *cond = keep(r, sizeof(*cond));
	struct rule_error e = {""};
	struct section s;
	size_t wrong;

	if (!cond || !open_section(r, first, &s))
		return NULL;
	if (!cond_parse(&s.reader, s.word, s.n, cond, &wrong, &e)) {
		say_error(r, first + wrong, &e);
		return NULL;
	}
	say_warning(r, first, &e);
	return cond;
}

void cfg_inherit_rules(struct reader *r, const struct cfg_proxy *from)
{
	struct cfg_rules *rules = from->rules ? cfg_rules_of(r) : NULL;
	const struct rule_memory *m = rules ? cfg_rule_memory(r) : NULL;

	if (!m)
		return;
	rules->inspect_ns = from->rules->inspect_ns;
	rules->inspect_answer_ns = from->rules->inspect_answer_ns;
	for (int kind = 0; kind < RULES_N_KINDS; kind++)
		if (!rules_copy(&rules->of[kind], &from->rules->of[kind], m))
			r->no_memory = true;
}

struct cfg_rules *cfg_rules_of(struct reader *r)
{
	struct section s;

	return open_section(r, 0, &s) ? s.rules : NULL;
}

/* ---- Captures ---- */

/* "len N" at word i. */
static bool read_len(struct reader *r, size_t i, unsigned *ret)
{
	if (!strcmp(word_at(r, i), "len"))
		return read_number(r, i + 1, "len", 1, CAPTURE_LEN_MAX, ret);
	say(r, DIAG_ERROR, i, "write len and a number of bytes here");
	return false;
}

/* "capture request header NAME len N", "declare capture request len N" and so with response */
void kw_capture(struct reader *r, size_t first, const void *data)
{
	enum capture_side side = *(const enum capture_side *)data;
	bool declares = !strcmp(word_at(r, first - 2), "declare");
	size_t i = first;
	struct section s;
	unsigned len;
	int slot;

	if (declares) { /* "declare capture": which side is the next word */
		if (strcmp(word_at(r, i), "request") != 0 &&
		    strcmp(word_at(r, i), "response") != 0) {
			say(r, DIAG_ERROR, i, "write declare capture request len N, or response");
			return;
		}
		side = !strcmp(word_at(r, i++), "request") ? CAPTURE_REQUEST : CAPTURE_RESPONSE;
	} else if (strcmp(word_at(r, i), "header") != 0) {
		say(r, DIAG_ERROR, i, "write header here, its name, and len N");
		return;
	} else {
		i += 2;
	}
	if (!begin(r, first, &s) || !read_len(r, i, &len))
		return;
	slot = capture_declare(r->proxy->slots, side, len);
	if (slot < 0)
		say(r, DIAG_ERROR, first, "more than %d captures", CAPTURES_MAX);
	else if (!declares)
		r->proxy->slots->slot[side][slot].header = keep_word(r, first + 1);
}

/* "capture cookie NAME len N" */
void kw_capture_cookie(struct reader *r, size_t first, const void *data)
{
	struct section s;

	if (!begin(r, first, &s) || !read_len(r, first + 1, &r->proxy->slots->cookie_len))
		return;
	r->proxy->slots->cookie = keep_word(r, first);
}

/* ---- Formats of logs ---- */

#define HTTPLOG                                                                                \
	"%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc " \
	"%sq/%bq %hr %hs %{+Q}r"
#define HTTPSLOG                                                                          \
	HTTPLOG                                                                           \
	" %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] " \
	"%[ssl_fc_sni]/%sslv/%sslc"
#define CLF                                                                                    \
	"%{+Q}o %{-Q}ci - - [%trg] %r %ST %B \"\" \"\" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta " \
	"%tsc "                                                                                \
	"%ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl"
#define TCPLOG "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq"

/* option httplog [clf|json], option httpslog, option tcplog [json]: each takes the place of a log-format above it */
void kw_log_option(struct reader *r, size_t first, const void *data)
{
	struct cfg_settings *set = &r->proxy->set;
	const char *name = data, *format = word_at(r, first);
	const bool is_tcp = !strcmp(name, "tcplog");

	set->log_format = NULL;
	set->log_json = !r->no && !strcmp(format, "json");
	*(is_tcp ? &set->tcplog : &set->http.log) = !r->no;
	if (r->no)
		return;
	if (!strcmp(name, "httpslog"))
		set->log_format = HTTPSLOG;
	else if (!is_tcp && !strcmp(format, "clf"))
		set->log_format = CLF;
	else if (*format && !set->log_json)
		say(r, DIAG_ERROR, first, "\"%s\" is no format of option %s: %s", format, name, is_tcp ? "json is one" : "clf and json are");
}

static void compile(struct reader *r, const struct rule_memory *m, const char *text,
		    const struct diag_place *at, unsigned absent, struct format *ret)
{
	struct rule_error e = {""};

	if (format_parse(text, m, ret, &e) && expr_may_stand(ret->needs, absent, &e)) {
		ret->is_log = ret->has_dashes = true;
		if (*e.text)
			diag_add(r->diag, DIAG_WARNING, at->file ? at : &r->proxy->at, "%s", e.text);
	} else if (*e.text)
		diag_add(r->diag, DIAG_ERROR, at->file ? at : &r->proxy->at, "%s", e.text);
	else
		r->no_memory = true;
}

void cfg_compile_formats(struct reader *r, struct cfg_proxy *p)
{
	const struct cfg_settings *set = &p->set;
	struct rule_memory m;
	bool http = set->mode == CFG_MODE_HTTP;
	bool used = set->log_format || set->tcplog || set->http.log || set->unique_id_format || set->error_log_format;
	struct cfg_formats *f;

	if (!(p->kind & CFG_FRONTEND) || (!used && !set->log_format_sd))
		return;
	r->proxy = p;
	if (!memory_of(r, &m))
		return;
	f = keep(r, sizeof(*f));
	if (!f)
		return;
	if (set->log_json && !set->log_format)
		f->line = (struct format){.is_json = true, .is_log = true};
	else
		compile(r, &m,
			set->log_format		? set->log_format
			: http && set->http.log ? HTTPLOG
						: TCPLOG,
			&set->log_format_at, EXPR_NOT_IN_LOG, &f->line);
	if (set->log_format_sd)
		compile(r, &m, set->log_format_sd, &set->log_format_sd_at, EXPR_NOT_IN_LOG, &f->sd);
	if (set->error_log_format)
		compile(r, &m, set->error_log_format, &set->error_log_format_at, EXPR_NOT_IN_LOG, &f->error);
	if (set->unique_id_format)
		compile(r, &m, set->unique_id_format, &set->unique_id_at, EXPR_NOT_BEFORE_ANSWER | EXPR_BACKEND, &f->id);
	f->id.is_http = true; /* for a field */
	f->id.has_dashes = false;
	f->has_sd = set->log_format_sd;
	f->has_error = set->error_log_format;
	f->has_id = set->unique_id_format;
	if (used) /* else it was only to be read */
		p->formats = f;
}

/* ---- use_backend, use-server ---- */

/* What follows the words up to `at`: NULL without one, or told. */
static const struct cond *read_condition(struct reader *r, struct section *s, size_t first,
					 size_t at, bool *ret_ok)
{
	struct cond *cond = s->n > at ? keep(r, sizeof(*cond)) : NULL;
	struct rule_error e = {""};
	size_t wrong;

	*ret_ok = s->n <= at ||
		  (cond && cond_parse(&s->reader, s->word + at, s->n - at, cond, &wrong, &e));
	if (!*ret_ok && cond)
		say_error(r, first + at + wrong, &e);
	else
		say_warning(r, first + at, &e);
	return *ret_ok ? cond : NULL;
}

void kw_persist_rule(struct reader *r, size_t first, const void *data)
{
	struct cfg_persist *p = keep(r, sizeof(*p));
	struct section s;

	if (!p || !begin(r, first, &s))
		return;
	p->force = *(const bool *)data;
	p->cond = cfg_read_condition(r, first);
	if (p->cond)
		STAILQ_INSERT_TAIL(&s.rules->persists, p, next);
}

void kw_use_server(struct reader *r, size_t first, const void *data)
{
	struct cfg_use *use = keep(r, sizeof(*use));
	struct rule_error e = {""};
	struct section s;
	bool ok;

	if (!use || !begin(r, first, &s))
		return;
	use->at = place_at(r, first);
	if (!format_parse(word_at(r, first), &s.memory, &use->name, &e)) {
		say_error(r, first, &e);
		return;
	}
	use->cond = read_condition(r, &s, first, 1, &ok);
	if (ok)
		STAILQ_INSERT_TAIL(&s.rules->uses, use, next);
}

void kw_use_backend(struct reader *r, size_t first, const void *data)
{
	struct cfg_switch *sw = keep(r, sizeof(*sw));
	struct rule_error e = {""};
	struct section s;
	bool ok;

	if (!sw || !begin(r, first, &s))
		return;
	sw->at = place_at(r, first);
	sw->name = keep_word(r, first);
	if (!format_parse(sw->name, &s.memory, &sw->format, &e) ||
	    !expr_may_stand(sw->format.needs, EXPR_NOT_BEFORE_ANSWER | EXPR_BACKEND, &e)) {
		say_error(r, first, &e);
		return;
	}
	sw->cond = read_condition(r, &s, first, 1, &ok);
	if (!ok)
		return;
	if (!sw->cond && format_is_constant(&sw->format) && STAILQ_EMPTY(&s.rules->switches)) {
		if (!r->proxy->use_backend) { /* nothing behind it is looked at */
			r->proxy->use_backend = sw->name;
			r->proxy->use_backend_at = sw->at;
		}
		return;
	}
	STAILQ_INSERT_TAIL(&s.rules->switches, sw, next);
}
