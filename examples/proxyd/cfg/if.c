/* SPDX-License-Identifier: MIT */
#include "cfg/if.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/opensslv.h>

#define ARGUMENTS_MAX 2
#define ARGUMENT_MAX 512

struct parser {
	const char *text, *at;
	char *error;
	size_t cap;
	unsigned depth;
	bool failed;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct parser *p, const char *format, ...)
{
	va_list args;

	if (p->failed)
		return false;
	va_start(args, format);
	vsnprintf(p->error, p->cap, format, args);
	va_end(args);
	p->failed = true;
	return false;
}

static void skip_blanks(struct parser *p)
{
	p->at += strspn(p->at, " \t");
}

static bool takes(struct parser *p, const char *token)
{
	size_t len = strlen(token);

	skip_blanks(p);
	if (strncmp(p->at, token, len) != 0)
		return false;
	p->at += len;
	return true;
}

/* ---- Predicates ---- */

/* HAProxy's names of what may be built in or switched on. */
static const struct {
	const char *name;
	bool present;
} features[] = {
    {"OPENSSL", true},	     {"51DEGREES", false},   {"ACCEPT4", true},	  {"CPU_AFFINITY", true},
    {"CRYPT_H", true},	     {"DEVICEATLAS", false}, {"DL", false},	  {"ENGINE", false},
    {"EPOLL", true},	     {"GETADDRINFO", true},  {"LINUX_CAP", true}, {"LINUX_SPLICE", true},
    {"LINUX_TPROXY", true},  {"LUA", false},	     {"NS", true},	  {"PCRE", false},
    {"PCRE2", true},	     {"PCRE2_JIT", true},    {"POLL", false},	  {"PRCTL", true},
    {"PROMEX", true},	     {"QUIC", false},	     {"SLZ", false},	  {"SYSTEMD", true},
    {"TFO", true},	     {"THREAD", true},	     {"WURFL", false},	  {"ZLIB", true},
};
#define N_FEATURES (sizeof(features) / sizeof(features[0]))

const char *cfg_if_feature(size_t index, bool *ret_present)
{
	if (index >= N_FEATURES)
		return "";
	*ret_present = features[index].present;
	return features[index].name;
}

static bool is_feature(const char *name)
{
	for (size_t i = 0; i < N_FEATURES; i++)
		if (!strcmp(features[i].name, name))
			return features[i].present;
	return false;
}

/* "2.6.12" against "2.4-dev3": parts as numbers, what is missing counts as 0; a -dev is before. */
static int compare_versions(const char *a, const char *b)
{
	while (*a || *b) {
		char *end_a, *end_b;
		unsigned long x = strtoul(a, &end_a, 10), y = strtoul(b, &end_b, 10);

		if (x != y)
			return x < y ? -1 : 1;
		if ((*end_a == '-') != (*end_b == '-'))
			return *end_a == '-' ? -1 : 1;
		if (end_a == a && end_b == b)
			return strcmp(a, b);
		a = end_a + strspn(end_a, ".-dev");
		b = end_b + strspn(end_b, ".-dev");
	}
	return 0;
}

static bool is_defined(const char *const *arg)
{
	return getenv(arg[0]) != NULL;
}

static bool has_feature(const char *const *arg)
{
	return is_feature(arg[0]);
}

static bool is_enabled(const char *const *arg)
{
	static const char *const on[] = {"EPOLL", "GETADDRINFO", "REUSEPORT", "FAST-FORWARD"};

	for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++)
		if (!strcmp(on[i], arg[0]))
			return true;
	return false;
}

static bool is_equal(const char *const *arg)
{
	return !strcmp(arg[0], arg[1]);
}

static bool is_unequal(const char *const *arg)
{
	return strcmp(arg[0], arg[1]) != 0;
}

static bool contains(const char *const *arg)
{
	return strstr(arg[0], arg[1]) != NULL;
}

static bool at_least(const char *const *arg)
{
	return compare_versions(CFG_CLAIMED_VERSION, arg[0]) >= 0;
}

static bool before(const char *const *arg)
{
	return compare_versions(CFG_CLAIMED_VERSION, arg[0]) < 0;
}

static bool ssl_at_least(const char *const *arg)
{
	return compare_versions(OPENSSL_VERSION_STR, arg[0]) >= 0;
}

static bool ssl_before(const char *const *arg)
{
	return compare_versions(OPENSSL_VERSION_STR, arg[0]) < 0;
}

static bool ssl_name_starts(const char *const *arg)
{
	return !strncmp(OPENSSL_VERSION_TEXT, arg[0], strlen(arg[0]));
}

static const struct predicate {
	const char *name;
	unsigned arguments;
	bool (*fn)(const char *const *arg);
} predicates[] = {
    {"defined", 1, is_defined},
    {"enabled", 1, is_enabled},
    {"feature", 1, has_feature},
    {"openssl_version_atleast", 1, ssl_at_least},
    {"openssl_version_before", 1, ssl_before},
    {"ssllib_name_startswith", 1, ssl_name_starts},
    {"streq", 2, is_equal},
    {"strneq", 2, is_unequal},
    {"strstr", 2, contains},
    {"version_atleast", 1, at_least},
    {"version_before", 1, before},
};

/* ---- The grammar: or, and, term ---- */

/* Behind "(": arguments up to ")", split at commas. A quoted one may have both. */
static bool read_arguments(struct parser *p, const struct predicate *k,
			   char buf[ARGUMENTS_MAX][ARGUMENT_MAX])
{
	unsigned n = 0;
	size_t len = 0;
	char quote = 0;

	for (; *p->at && (quote || *p->at != ')'); p->at++) {
		char c = *p->at;

		if (quote ? c == quote : c == '"' || c == '\'') {
			quote = quote ? 0 : c;
		} else if (c == ',' && !quote && n + 1 < k->arguments) {
			buf[n++][len] = '\0';
			len = 0;
			p->at += strspn(p->at + 1, " \t");
		} else if (c == ',' && !quote) {
			return fail(p, "%s() takes %u argument%s", k->name, k->arguments,
				    k->arguments > 1 ? "s" : "");
		} else if (len + 1 == ARGUMENT_MAX) {
			return fail(p, "an argument of %s() has more than %d characters", k->name,
				    ARGUMENT_MAX - 1);
		} else {
			buf[n][len++] = c;
		}
	}
	buf[n][len] = '\0';
	if (!*p->at)
		return fail(p, "%s( is not closed by \")\"", k->name);
	p->at++;
	if (n + 1 < k->arguments)
		return fail(p, "%s() takes %u arguments", k->name, k->arguments);
	return true;
}

static bool read_predicate(struct parser *p, bool *ret)
{
	char buf[ARGUMENTS_MAX][ARGUMENT_MAX];
	const char *arg[ARGUMENTS_MAX] = {buf[0], buf[1]};
	size_t len = strcspn(p->at, "( \t)&|!,");

	for (size_t i = 0; i < sizeof(predicates) / sizeof(predicates[0]); i++) {
		const struct predicate *k = &predicates[i];

		if (strncmp(k->name, p->at, len) != 0 || k->name[len])
			continue;
		p->at += len;
		if (!takes(p, "("))
			return fail(p, "%s needs \"(\" behind it", k->name);
		if (!read_arguments(p, k, buf))
			return false;
		*ret = k->fn(arg);
		return true;
	}
	return fail(p,
		    "\"%.*s\" is no predicate: write a number, defined, enabled, feature, streq, "
		    "strneq, strstr, version_atleast, version_before, openssl_version_atleast, "
		    "openssl_version_before or ssllib_name_startswith",
		    (int)(len > 40 ? 40 : len), p->at);
}

static bool read_or(struct parser *p, bool *ret);

static bool read_term(struct parser *p, bool *ret)
{
	bool ok;

	skip_blanks(p);
	if (++p->depth > CFG_IF_NESTED_MAX)
		return fail(p, "more than %d parentheses or \"!\" within each other",
			    CFG_IF_NESTED_MAX);
	if (takes(p, "!")) {
		ok = read_term(p, ret);
		*ret = !*ret;
	} else if (takes(p, "(")) {
		ok = read_or(p, ret);
		if (ok && !takes(p, ")"))
			ok = fail(p, "\"(\" is not closed by \")\"");
	} else if (isdigit((unsigned char)*p->at) || *p->at == '-' || *p->at == '+') {
		char *end;

		*ret = strtol(p->at, &end, 0) != 0;
		ok = end != p->at || fail(p, "\"%c\" is no number", *p->at);
		p->at = end;
	} else if (!*p->at || *p->at == ')') {
		ok = fail(p, "a condition is missing here");
	} else {
		ok = read_predicate(p, ret);
	}
	p->depth--;
	return ok;
}

static bool read_and(struct parser *p, bool *ret)
{
	bool next;

	if (!read_term(p, ret))
		return false;
	while (takes(p, "&&")) {
		if (!read_term(p, &next))
			return false;
		*ret &= next;
	}
	return true;
}

static bool read_or(struct parser *p, bool *ret)
{
	bool next;

	if (!read_and(p, ret))
		return false;
	while (takes(p, "||")) {
		if (!read_and(p, &next))
			return false;
		*ret |= next;
	}
	return true;
}

bool cfg_if_eval(const char *text, bool *ret, char *error, size_t cap, size_t *ret_at)
{
	struct parser p = {.text = text, .at = text, .error = error, .cap = cap};
	bool result = false, ok;

	skip_blanks(&p);
	ok = !*p.at || read_or(&p, &result);
	skip_blanks(&p);
	if (ok && *p.at)
		ok = fail(&p, "\"%.40s\" is too much here: join conditions by && or ||", p.at);
	*ret_at = (size_t)(p.at - text);
	if (ok)
		*ret = result;
	return ok;
}
