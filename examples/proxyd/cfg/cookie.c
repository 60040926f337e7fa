/* SPDX-License-Identifier: MIT */
/* The line `cookie NAME …`. */
#include "cfg/read.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

/* A name or value of a cookie (RFC 6265, section 4.1.1), or an attribute. */
static bool is_clean(const char *text, const char *forbidden)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f || strchr(forbidden, *text))
			return false;
	return true;
}

/* What a cookie says behind its value, piece by piece. */
struct attributes {
	const char *domains, *own;
};

static void add(struct reader *r, size_t i, const char **to, const char *name, const char *value)
{
	char text[1024];

	if ((size_t)snprintf(text, sizeof(text), "%s; %s%s", *to, name, value) < sizeof(text))
		*to = keep_text(r, text);
	else
		say(r, DIAG_ERROR, i, "this cookie has more than %zu characters of attributes", sizeof(text) - 1);
}

/* domain D and attr A need a word; *i moves over it. False: told. */
static bool read_valued(struct reader *r, size_t *i, struct attributes *a)
{
	const char *word = word_at(r, *i), *value = word_at(r, *i + 1);
	bool domain = !strcmp(word, "domain");

	if (!domain && strcmp(word, "attr") != 0)
		return false;
	++*i;
	if (!*value || (domain && !is_clean(value, ";,\"")) || strpbrk(value, ";\r\n"))
		say(r, DIAG_ERROR, *i, "\"%s\" is no %s of a cookie", value,
		    domain ? "domain" : "attribute");
	else
		add(r, *i, domain ? &a->domains : &a->own, domain ? "domain=" : "", value);
	return true;
}

/* maxidle T and maxlife T, seconds when no unit says otherwise; *i moves over it. False: another word. */
static bool read_age(struct reader *r, size_t *i, struct cfg_cookie *c)
{
	const char *word = word_at(r, *i);
	uint32_t *to = !strcmp(word, "maxidle") ? &c->maxidle_s : !strcmp(word, "maxlife") ? &c->maxlife_s : NULL;
	char text[64];
	uint64_t ns;

	if (!to)
		return false;
	++*i;
	snprintf(text, sizeof(text), "%s", word_at(r, *i));
	if (strspn(text, "0123456789") == strlen(text) && *text)
		snprintf(text, sizeof(text), "%.40ss", word_at(r, *i));
	if (read_time_text(r, *i, word, text, &ns))
		*to = (uint32_t)((ns + SECOND_NS - 1) / SECOND_NS);
	return true;
}

static bool read_flag(const char *word, struct cfg_cookie *c)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
	    {"indirect", &c->indirect}, {"nocache", &c->nocache},   {"postonly", &c->postonly},
	    {"preserve", &c->preserve}, {"httponly", &c->httponly}, {"secure", &c->secure},
	    {"dynamic", &c->dynamic}, {"bigip", &c->bigip},
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (!strcmp(flags[i].name, word))
			return *flags[i].flag = true;
	return false;
}

/* False: it has one already. */
static bool read_mode(struct reader *r, size_t i, struct cfg_cookie *c, bool *ret_known)
{
	static const char *const modes[] = {"", "rewrite", "insert", "prefix"};

	for (int m = CFG_COOKIE_REWRITE; m <= CFG_COOKIE_PREFIX; m++) {
		if (strcmp(modes[m], word_at(r, i)) != 0)
			continue;
		if (c->mode && (int)c->mode != m) {
			say(r, DIAG_ERROR, i, "a cookie is one of rewrite, insert and prefix, and \"%s\" stands here already",
			    modes[c->mode]);
			return false;
		}
		c->mode = (enum cfg_cookie_mode)m;
		*ret_known = true;
	}
	return true;
}

static void check(struct reader *r, size_t first, struct cfg_cookie *c)
{
	if (c->indirect && c->mode == CFG_COOKIE_REWRITE) {
		say(r, DIAG_ERROR, first,
		    "\"rewrite\" and \"indirect\" exclude each other: a cookie that the server sets must come back to it");
		return;
	}
	if (c->dynamic && c->bigip) {
		say(r, DIAG_ERROR, first, "\"dynamic\" and \"bigip\" exclude each other: a server's address makes one cookie");
		return;
	}
	if (c->preserve && !c->indirect && c->mode != CFG_COOKIE_INSERT) {
		say(r, DIAG_ERROR, first, "\"preserve\" needs \"insert\" or \"indirect\"");
		return;
	}
	r->proxy->set.http.cookie = c;
}

/* In HAProxy's order. */
static void join(struct reader *r, size_t i, struct cfg_cookie *c, const struct attributes *a)
{
	c->attributes = a->domains;
	if (c->httponly)
		add(r, i, &c->attributes, "HttpOnly", "");
	if (c->secure)
		add(r, i, &c->attributes, "Secure", "");
	if (*a->own)
		add(r, i, &c->attributes, a->own + strlen("; "), "");
}

void kw_cookie(struct reader *r, size_t first, const void *data)
{
	struct cfg_cookie *c = keep(r, sizeof(*c));
	struct attributes a = {"", ""};

	if (!c)
		return;
	if (r->no) {
		r->proxy->set.http.cookie = NULL;
		return;
	}
	c->name = keep_word(r, first);
	if (!is_clean(c->name, "()<>@,;:\\\"/[]?={}")) {
		say(r, DIAG_ERROR, first, "\"%s\" is no name of a cookie", c->name);
		return;
	}
	for (size_t i = first + 1; i < r->line->n; i++) {
		const char *word = word_at(r, i);
		bool known = read_flag(word, c);

		if (!read_mode(r, i, c, &known))
			return;
		if (known || read_age(r, &i, c) || read_valued(r, &i, &a))
			continue;
		say(r, DIAG_ERROR, i,
		    "\"%s\" is unknown here: cookie takes insert, rewrite, prefix, indirect, nocache, postonly, "
		    "preserve, httponly, secure, domain, maxidle, maxlife, dynamic, bigip and attr",
		    word);
		return;
	}
	join(r, first, c, &a);
	check(r, first, c);
}

void kw_dynamic_cookie_key(struct reader *r, size_t first, const void *data)
{
	if (strlen(word_at(r, first)) > CFG_COOKIE_KEY_MAX)
		say(r, DIAG_ERROR, first, "this key has more than %d characters", CFG_COOKIE_KEY_MAX);
	else
		r->proxy->set.http.dynamic_cookie_key = r->no ? NULL : keep_word(r, first);
}

void server_cookie(struct reader *r, size_t i, void *target)
{
	const char *value = word_at(r, i + 1);

	if (!is_clean(value, ",;\"\\"))
		say(r, DIAG_ERROR, i + 1, "\"%s\" is no value of a cookie", value);
	else
		((struct cfg_server *)target)->cookie = keep_text(r, value);
}
