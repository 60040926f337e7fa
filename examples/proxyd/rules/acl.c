/* SPDX-License-Identifier: MIT */
#include "rules/acl.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Criteria ---- */

/* "path_beg" is path with -m beg: for these fetches each suffix is a word of its own. */
static const char *const suffixed[] = {
    "base",	"cook",	   "hdr",   "path", "req.cook", "req.fhdr",  "req.hdr", "res.cook",
    "res.fhdr", "res.hdr", "scook", "shdr", "url",	"url_param", "urlp",	NULL};

/* Words that stand for a fetch and a match. */
static const struct {
	const char *name, *fetch;
	enum match match;
} aliases[] = {
    {"method", "method", MATCH_STR},
};

static bool is_suffixed(struct text name)
{
	for (const char *const *s = suffixed; *s; s++)
		if (strlen(*s) == name.len && !strncmp(*s, name.at, name.len))
			return true;
	return false;
}

/*
 * Splits "hdr_dom(host)" into "hdr(host)" and dom. False: the word is a fetch as it stands, as hdr_cnt is.
 */
static bool split_suffix(const char *word, char *buf, size_t cap, enum match *ret)
{
	size_t len = strcspn(word, "(,");
	char suffix[8];

	if (fetch_find(text_of(word, len)))
		return false;
	for (size_t i = len; i-- > 1;) {
		if (word[i] != '_')
			continue;
		if (len - i - 1 >= sizeof(suffix))
			return false;
		memcpy(suffix, word + i + 1, len - i - 1);
		suffix[len - i - 1] = '\0';
		if (!match_of(suffix, ret) || !is_suffixed(text_of(word, i)))
			return false;
		return (size_t)snprintf(buf, cap, "%.*s%s", (int)i, word, word + len) < cap;
	}
	return false;
}

/* ---- Patterns ---- */

struct pattern_words {
	const struct acl_reader *r;
	struct patterns *patterns;
	const char *op;
};

static bool add_line(void *to, const char *line, struct rule_error *e)
{
	struct pattern_words *w = to;

	return pattern_add(w->patterns, line, NULL, w->r->memory, e);
}

static bool is_operator(const char *word)
{
	static const char *const ops[] = {"eq", "ge", "gt", "le", "lt"};

	for (size_t i = 0; i < 5; i++)
		if (!strcmp(word, ops[i]))
			return true;
	return false;
}

/* Flags come first; a file may follow any of them. */
static bool read_flags(struct acl_test *t, const char *const *word, size_t n, size_t *i,
		       const char **file, size_t *n_files, const char **number, struct rule_error *e)
{
	for (; *i < n && word[*i][0] == '-' && word[*i][1] && !strchr("0123456789", word[*i][1]);
	     ++*i) {
		const char *flag = word[*i];

		if (!strcmp(flag, "--")) {
			++*i;
			return true;
		}
		if (!strcmp(flag, "-i")) {
			t->patterns.ignore_case = true;
			continue;
		}
		if (!strcmp(flag, "-n")) {
			t->patterns.no_names = true;
			continue;
		}
		if (!strcmp(flag, "-M")) {
			t->is_map = true;
			continue;
		}
		if (strcmp(flag, "-m") != 0 && strcmp(flag, "-f") != 0 && strcmp(flag, "-u") != 0)
			return rule_fail(
			    e, "\"%s\" is no flag: -i, -f FILE, -m MATCH, -M, -n and -- are", flag);
		if (*i + 1 == n)
			return rule_fail(e, "the flag %s needs a word behind it", flag);
		++*i;
		if (!strcmp(flag, "-u")) {
			*number = word[*i];
			continue;
		}
		if (!strcmp(flag, "-f")) {
			if (*n_files == ACL_FILES_MAX)
				return rule_fail(e, "more than %d files", ACL_FILES_MAX);
			file[(*n_files)++] = word[*i];
		} else if (!match_of(word[*i], &t->patterns.match)) {
			return rule_fail(
			    e,
			    "\"%s\" is no match: write found, bool, int, ip, bin, len, str, "
			    "beg, sub, dir, dom, end or reg",
			    word[*i]);
		}
	}
	return true;
}

/* With what it shares with others, or by itself. */
static bool read_pattern_file(const struct acl_reader *r, struct acl_test *t, const char *path,
			      struct pattern_words *to, struct rule_error *e)
{
	struct rule_shared *shared = r->memory->shared;
	struct map *m;

	if (!shared && !r->read_file)
		return rule_fail(e, "no files may be read here");
	if (!shared || t->patterns.versions)
		return r->read_file(r->userdata, path, add_line, to, e);
	m = map_get(shared, path);
	if (!m)
		return rule_fail(e, "%s", "");
	if (!map_load(m, shared, t->is_map, e))
		return false;
	t->view[t->n_views] = map_view(m, t->patterns.match, t->patterns.ignore_case, e);
	return t->view[t->n_views++];
}

/* With the maps, for the runtime API. */
static bool list_patterns(const struct acl_reader *r, struct acl_test *t, const char *criterion, const char *number, struct rule_error *e)
{
	char *end;
	unsigned long id = number ? strtoul(number, &end, 10) : 0;

	if (number && (end == number || *end || id > INT32_MAX))
		return rule_fail(e, "\"%s\" is no number: write -u and one from 0 on", number);
	if (!r->memory->shared)
		return true;
	t->list = map_inline(r->memory->shared, criterion, &t->patterns, &t->changed, e);
	return t->list && (!number || map_set_number(r->memory->shared, map_of_view(t->list), (unsigned)id, e));
}

static bool read_patterns(const struct acl_reader *r, struct acl_test *t, const char *const *word,
			  size_t n, size_t *i, struct rule_error *e)
{
	struct pattern_words to = {.r = r, .patterns = &t->patterns};
	const char *file[ACL_FILES_MAX];
	const char *number = NULL; /* for the runtime API */
	size_t n_files = 0;

	if (!read_flags(t, word, n, i, file, &n_files, &number, e))
		return false;
	if (t->patterns.match == MATCH_N)
		return rule_fail(e,
				 "\"%s\" may be of any type: write how it is matched, as with -m "
				 "str, before the patterns",
				 word[0]);
	for (size_t f = 0; f < n_files; f++)
		if (!read_pattern_file(r, t, file[f], &to, e))
			return false;
	if (!list_patterns(r, t, word[0], number, e))
		return false;
	for (; *i < n; ++*i) {
		bool numbers = t->patterns.match == MATCH_INT || t->patterns.match == MATCH_LEN;

		if (numbers && is_operator(word[*i])) {
			to.op = word[*i];
			continue;
		}
		if (!pattern_add(&t->patterns, word[*i], to.op, r->memory, e))
			return false;
	}
	return patterns_finish(&t->patterns, r->memory, e);
}

/* HAProxy knows no usual match for it. */
static bool is_of_any_type(const struct expr *x)
{
	return !x->n_convs && !strcmp(x->fetch->name, "var");
}

/* A criterion with its patterns: what is behind the name of an ACL, or between braces. */
static struct acl_test *read_test(const struct acl_reader *r, const char *const *word, size_t n,
				  size_t *ret_word, struct rule_error *e)
{
	struct acl_test *t = r->memory->alloc(r->memory->owner, sizeof(*t));
	enum match match = MATCH_N;
	char buf[EXPR_TEXT_MAX];
	const char *criterion = word[0], *rest;
	size_t i = 1;

	*ret_word = 0;
	if (!t) {
		rule_fail(e, "%s", "");
		return NULL;
	}
	for (size_t a = 0; a < sizeof(aliases) / sizeof(*aliases); a++)
		if (!strcmp(aliases[a].name, criterion))
			match = aliases[a].match;
	if (split_suffix(criterion, buf, sizeof(buf), &match))
		criterion = buf;
	if (!expr_parse(criterion, r->memory, &t->expr, &rest, e))
		return NULL;
	if (!strcmp(t->expr.fetch->name, "hdr")) { /* a criterion of that name is the request's, also in rules of answers */
		t->expr.fetch = fetch_find(text_of("req.hdr", 7));
		t->expr.needs = t->expr.fetch->needs;
	}
	if (*rest) {
		rule_fail(e, "\"%s\" is too much behind the expression", rest);
		return NULL;
	}
	if (match == MATCH_N && !is_of_any_type(&t->expr))
		match = match_for(t->expr.out);
	t->patterns.match = match;
	t->patterns.versions =
	    t->expr.fetch->check == NULL && strstr(t->expr.fetch->name, "ssl_ver");
	*ret_word = i;
	if (!read_patterns(r, t, word, n, &i, e)) {
		*ret_word = i < n ? i : n - 1;
		return NULL;
	}
	if (!t->patterns.n && !t->n_views && t->patterns.match != MATCH_FOUND &&
	    t->patterns.match != MATCH_BOOL)
		rule_fail(e, /* HAProxy takes it, so it is no error */
			  "\"%s\" has no pattern and is never true: write a value behind it, or -m "
			  "found",
			  word[0]);
	return t;
}

static struct acl *find(const struct acls *acls, const char *name)
{
	for (struct acl *a = acls->first; a; a = a->next)
		if (!strcmp(a->name, name))
			return a;
	return NULL;
}

static struct acl *new_acl(const struct acl_reader *r, const char *name, struct rule_error *e)
{
	struct acl *a = r->memory->alloc(r->memory->owner, sizeof(*a));
	char *copy = r->memory->alloc(r->memory->owner, strlen(name) + 1);

	if (!a || !copy) {
		rule_fail(e, "%s", "");
		return NULL;
	}
	a->name = strcpy(copy, name);
	a->tail = &a->tests;
	if (*name) {
		a->next = r->acls->first;
		r->acls->first = a;
	}
	return a;
}

static void add_test(struct acl *a, struct acl_test *t)
{
	*a->tail = t;
	a->tail = &t->next;
}

static bool is_acl_name(const char *name)
{
	size_t n =
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:");

	return n && !name[n] && n <= ACL_NAME_MAX && strcasecmp(name, "or") != 0;
}
/* Does it ask, by acl(…), for `a` itself? It would have no end. `seen` of each ACL says that the test went there. */
static bool leads_to(const struct acl_test *t, const struct acl *a, const struct acl_test *test)
{
	for (unsigned i = 0; t->expr.fetch == fetches_acl && i < t->expr.n_args; i++) {
		struct acl *other = (struct acl *)(uintptr_t)t->expr.arg[i].object;

		if (other == a)
			return true;
		if (other->seen == test)
			continue;
		other->seen = test;
		for (const struct acl_test *next = other->tests; next; next = next->next)
			if (leads_to(next, a, test))
				return true;
	}
	return false;
}

bool acl_parse(const struct acl_reader *r, const char *const *word, size_t n, size_t *ret_word,
	       struct rule_error *e)
{
	struct acl_test *t;
	struct acl *a;

	*ret_word = 0;
	if (n < 2)
		return rule_fail(
		    e, "an ACL needs a name and a criterion: write acl NAME path_beg /api");
	if (!is_acl_name(word[0]))
		return rule_fail(
		    e,
		    "\"%s\" is no name of an ACL: use letters, digits, \"-\", \"_\", \".\" "
		    "and \":\"",
		    word[0]);
	t = read_test(r, word + 1, n - 1, ret_word, e);
	++*ret_word;
	if (!t)
		return false;
	a = find(r->acls, word[0]);
	if (!a)
		a = new_acl(r, word[0], e);
	if (!a)
		return false;
	if (leads_to(t, a, t)) {
		*ret_word = 1;
		return rule_fail(e, "\"%s\" asks for \"%s\", which this line is about: write another name", word[1], word[0]);
	}
	add_test(a, t);
	return true;
}

/* ---- Conditions ---- */

/* Those that need no line. */
static const struct {
	const char *name, *word[4];
} predefined[] = {
    {"FALSE", {"always_false"}},
    {"HTTP", {"req.proto_http"}},
    {"HTTP_1.0", {"req.ver", "1.0"}},
    {"HTTP_1.1", {"req.ver", "1.1"}},
    {"HTTP_2.0", {"req.ver", "2.0"}},
    {"HTTP_CONTENT", {"req.hdr_val(content-length)", "gt", "0"}},
    {"HTTP_URL_ABS", {"url_reg", "^[^/:]*://"}},
    {"HTTP_URL_SLASH", {"url_beg", "/"}},
    {"HTTP_URL_STAR", {"url", "*"}},
    {"RDP_COOKIE", {"req.rdp_cookie_cnt", "gt", "0"}},
    {"REQ_CONTENT", {"req.len", "gt", "0"}},
    {"LOCALHOST", {"src", "127.0.0.1/8", "::1"}},
    {"METH_CONNECT", {"method", "CONNECT"}},
    {"METH_DELETE", {"method", "DELETE"}},
    {"METH_GET", {"method", "GET", "HEAD"}},
    {"METH_HEAD", {"method", "HEAD"}},
    {"METH_OPTIONS", {"method", "OPTIONS"}},
    {"METH_POST", {"method", "POST"}},
    {"METH_PUT", {"method", "PUT"}},
    {"METH_TRACE", {"method", "TRACE"}},
    {"TRUE", {"always_true"}},
    {"WAIT_END", {"wait_end"}},
};

static const struct acl *find_predefined(const struct acl_reader *r, const char *name,
					 struct rule_error *e)
{
	for (size_t i = 0; i < sizeof(predefined) / sizeof(*predefined); i++) {
		size_t n = 0, wrong;
		struct acl_test *t;
		struct acl *a;

		if (strcmp(predefined[i].name, name) != 0)
			continue;
		while (n < 4 && predefined[i].word[n])
			n++;
		t = read_test(r, predefined[i].word, n, &wrong, e);
		a = t ? new_acl(r, name, e) : NULL;
		if (a)
			add_test(a, t);
		return a;
	}
	rule_fail(e, "there is no ACL \"%.100s\": write \"acl %.100s …\" above", name, name);
	return NULL;
}

/* "{ criterion … }"; *i is the word "{" and becomes that of "}". */
static const struct acl *read_anonymous(const struct acl_reader *r, const char *const *word,
					size_t n, size_t *i, struct rule_error *e)
{
	size_t begin = *i + 1, end = begin, wrong = 0;
	struct acl_test *t;
	struct acl *a;

	while (end < n && strcmp(word[end], "}") != 0)
		end++;
	if (end == n) {
		rule_fail(
		    e, "\"{\" has no \"}\": put one behind the criterion, with spaces around it");
		return NULL;
	}
	if (end == begin) {
		rule_fail(e, "\"{ }\" is empty: write a criterion, such as { path_beg /api }");
		return NULL;
	}
	t = read_test(r, word + begin, end - begin, &wrong, e);
	if (!t) {
		*i = begin + wrong;
		return NULL;
	}
	a = new_acl(r, "", e);
	if (a)
		add_test(a, t);
	*i = end;
	return a;
}

static unsigned needs_of(const struct acl *a)
{
	unsigned needs = 0;

	for (const struct acl_test *t = a->tests; t; t = t->next)
		needs |= t->expr.needs;
	return needs;
}

static const struct acl *read_term(const struct acl_reader *r, const char *const *word, size_t n,
				   size_t *i, bool *negated, struct rule_error *e)
{
	const char *name = word[*i];
	const struct acl *a;

	*negated = false;
	for (; *name == '!'; name++)
		*negated = !*negated;
	if (!*name && *i + 1 < n) /* "! name" */
		name = word[++*i];
	if (!strcmp(name, "{"))
		return read_anonymous(r, word, n, i, e);
	a = find(r->acls, name);
	return a ? a : find_predefined(r, name, e);
}

bool cond_parse(const struct acl_reader *r, const char *const *word, size_t n, struct cond *ret,
		size_t *ret_word, struct rule_error *e)
{
	struct cond c = {0};
	bool begins = true;

	*ret_word = 0;
	if (!n || (strcmp(word[0], "if") != 0 && strcmp(word[0], "unless") != 0))
		return rule_fail(e, "\"%s\" is neither if nor unless", n ? word[0] : "");
	c.unless = !strcmp(word[0], "unless");
	c.term = r->memory->alloc(r->memory->owner, n * sizeof(*c.term));
	if (!c.term)
		return rule_fail(e, "%s", "");
	for (size_t i = 1; i < n; i++) {
		struct cond_term *t = &c.term[c.n];

		*ret_word = i;
		if (!strcasecmp(word[i], "or") || !strcmp(word[i], "||")) {
			if (begins)
				return rule_fail(e, "\"%s\" needs a term before it", word[i]);
			begins = true;
			continue;
		}
		if (c.n == COND_TERMS_MAX)
			return rule_fail(e, "more than %d terms", COND_TERMS_MAX);
		t->acl = read_term(r, word, n, &i, &t->negated, e);
		*ret_word = i;
		if (!t->acl)
			return false;
		t->begins = begins;
		begins = false;
		c.needs |= needs_of(t->acl);
		c.n++;
	}
	if (begins)
		return rule_fail(e, "\"%s\" needs a condition behind it", word[n - 1]);
	*ret = c;
	return true;
}

/* ---- Evaluating ---- */

static bool fits(const struct acl_test *t, struct sample *s, struct scratch *scratch)
{
	bool changed = atomic_load_explicit(&t->changed, memory_order_acquire);
	bool found = changed ? map_view_has(t->list, s, scratch) : patterns_find(&t->patterns, s, scratch) != NULL;

	for (unsigned i = 0; i < t->n_views && !found; i++)
		found = map_view_has(t->view[i], s, scratch);
	return found;
}

static enum cond_result test_eval(const struct acl_test *t, struct run *r)
{
	struct fetch_step step = {.each = true};
	size_t used = r->scratch.used;
	bool found = false;

	r->may_change = false;
	do {
		struct sample s;

		step.more = false;
		r->scratch.used = used;
		if (expr_eval(&t->expr, r, &step, &s))
			found = fits(t, &s, &r->scratch);
	} while (!found && step.more);
	r->scratch.used = used;
	return found ? COND_TRUE : r->may_change && !r->ended ? COND_OPEN : COND_FALSE;
}

static enum cond_result acl_eval(const struct acl *a, struct run *r)
{
	enum cond_result any = COND_FALSE;

	for (const struct acl_test *t = a->tests; t && any != COND_TRUE; t = t->next)
		any |= test_eval(t, r);
	return any;
}

static enum cond_result not(enum cond_result c) {
	return c == COND_OPEN	? c
	       : c == COND_TRUE ? COND_FALSE
				: COND_TRUE;
}

enum cond_result cond_test(const struct cond *c, struct run *r)
{
	enum cond_result any = COND_FALSE, all = COND_FALSE;

	for (unsigned i = 0; i < c->n && any != COND_TRUE; i++) {
		const struct cond_term *t = &c->term[i];

		if (t->begins) {
			any |= all;
			all = COND_TRUE;
		}
		if (any != COND_TRUE && all != COND_FALSE) {
			enum cond_result one = acl_eval(t->acl, r);

			all &= t->negated ? not(one) : one;
		}
	}
	any |= all;
	return c->unless ? not(any) : any;
}

bool cond_eval(const struct cond *c, struct run *r)
{
	return cond_test(c, r) == COND_TRUE;
}

/* ---- acl([!]NAME,…): are all of them true? ---- */

static bool check_named(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	for (unsigned i = 0; i < n; i++) {
		const char *name = arg[i].text.at;

		arg[i].number = *name == '!';
		arg[i].object = m->acls ? find(m->acls, name + arg[i].number) : NULL;
		if (!arg[i].object)
			return rule_fail(e, "there is no ACL \"%.60s\" above this line", name + arg[i].number);
	}
	return true;
}

static bool named(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r, struct fetch_step *step,
		  struct sample *ret)
{
	enum cond_result all = COND_TRUE;

	for (unsigned i = 0; i < n_args && all != COND_FALSE; i++) {
		enum cond_result one = acl_eval(arg[i].object, r);

		all &= arg[i].number ? not(one) : one;
	}
	*ret = sample_bool(all == COND_TRUE);
	return true;
}

const struct fetch fetches_acl[] = {
    {"acl", "sS*", SAMPLE_BOOL, 0, named, 0, check_named},
    {NULL, NULL, 0, 0, NULL, 0, NULL},
};
