/* SPDX-License-Identifier: MIT */
/* The line `cookie NAME …`. */
#include "cfg_read.h"

#include <stdio.h>
#include <string.h>

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

static void add_attribute(struct reader *r, struct cfg_cookie *c, const char *name,
			  const char *value)
{
	char text[1024];

	if ((size_t)snprintf(text, sizeof(text), "%s; %s%s", c->attributes, name, value) <
	    sizeof(text))
		c->attributes = keep_text(r, text);
}

/* domain D and attr A need a word; *i moves over it. False: told. */
static bool read_valued(struct reader *r, size_t *i, struct cfg_cookie *c)
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
		add_attribute(r, c, domain ? "domain=" : "", value);
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
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (!strcmp(flags[i].name, word))
			return *flags[i].flag = true;
	return false;
}

static bool read_mode(const char *word, struct cfg_cookie *c)
{
	static const char *const modes[] = {"", "rewrite", "insert", "prefix"};

	for (int i = CFG_COOKIE_REWRITE; i <= CFG_COOKIE_PREFIX; i++)
		if (!strcmp(modes[i], word)) {
			c->mode = (enum cfg_cookie_mode)i;
			return true;
		}
	return false;
}

static void check(struct reader *r, size_t first, struct cfg_cookie *c)
{
	if (c->indirect && c->mode != CFG_COOKIE_INSERT) {
		say(r, DIAG_ERROR, first,
		    "\"indirect\" needs \"insert\": the cookie is nobody else's then");
		return;
	}
	if (c->httponly)
		add_attribute(r, c, "HttpOnly", "");
	if (c->secure)
		add_attribute(r, c, "Secure", "");
	r->proxy->set.http.cookie = c;
}

void kw_cookie(struct reader *r, size_t first, const void *data)
{
	struct cfg_cookie *c = keep(r, sizeof(*c));

	(void)data;
	if (!c)
		return;
	if (r->no) {
		r->proxy->set.http.cookie = NULL;
		return;
	}
	c->name = keep_word(r, first);
	c->attributes = "";
	if (!is_clean(c->name, "()<>@,;:\\\"/[]?={}")) {
		say(r, DIAG_ERROR, first, "\"%s\" is no name of a cookie", c->name);
		return;
	}
	for (size_t i = first + 1; i < r->line->n; i++) {
		const char *word = word_at(r, i);

		if (read_mode(word, c) || read_flag(word, c) || read_valued(r, &i, c))
			continue;
		if (!strcmp(word, "maxidle") || !strcmp(word, "maxlife") ||
		    !strcmp(word, "dynamic"))
			say(r, DIAG_ERROR, i,
			    "\"cookie … %s\" is known to HAProxy, not supported by this version",
			    word);
		else
			say(r, DIAG_ERROR, i,
			    "\"%s\" is unknown here: cookie takes insert, rewrite, prefix, "
			    "indirect, nocache, "
			    "postonly, preserve, httponly, secure, domain and attr",
			    word);
		return;
	}
	check(r, first, c);
}

void server_cookie(struct reader *r, size_t i, void *target)
{
	const char *value = word_at(r, i + 1);

	if (!is_clean(value, ",;\"\\"))
		say(r, DIAG_ERROR, i + 1, "\"%s\" is no value of a cookie", value);
	else
		((struct cfg_server *)target)->cookie = keep_text(r, value);
}
