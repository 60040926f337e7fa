/* SPDX-License-Identifier: MIT */
/* How servers are checked: tcp-check, external-check and the options that name a protocol. */
#include "cfg/read.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules/regex.h"

/* ---- option …-check ---- */

/* HAProxy: the server's user without a password; how old it is may be said and means nothing now. */
static void read_user(struct reader *r, size_t i, struct cfg_check *c)
{
	if (i == r->line->n && c->kind == CFG_CHECK_MYSQL)
		return;
	if (strcmp(word_at(r, i), "user") != 0 || i + 1 >= r->line->n)
		say(r, DIAG_ERROR, i < r->line->n ? i : i - 1,
		    "this check needs a user: write user NAME");
	else
		c->user = keep_word(r, i + 1);
}

static void read_helo(struct reader *r, size_t i, struct cfg_check *c)
{
	if (i == r->line->n)
		return;
	c->ehlo = !strcmp(word_at(r, i), "EHLO");
	if (i + 2 != r->line->n || (!c->ehlo && strcmp(word_at(r, i), "HELO") != 0))
		say(r, DIAG_WARNING, i,
		    "option smtpchk takes HELO NAME or EHLO NAME: taken as HELO localhost");
	else
		c->helo = keep_word(r, i + 1);
}

/* The last of these lines counts. */
void kw_check_kind(struct reader *r, size_t first, const void *data)
{
	struct cfg_check *c = &r->proxy->set.check;
	enum cfg_check_kind kind = *(const enum cfg_check_kind *)data;

	if (r->no) {
		if (c->kind == kind)
			c->kind = CFG_CHECK_CONNECT;
		return;
	}
	c->kind = kind;
	c->user = c->helo = NULL;
	if (kind == CFG_CHECK_MYSQL || kind == CFG_CHECK_PGSQL)
		read_user(r, first, c);
	else if (kind == CFG_CHECK_SMTP)
		read_helo(r, first, c);
	else if (!strcmp(word_at(r, first - 1), "spop-check"))
		say(r, DIAG_WARNING, first - 1, "option spop-check: %s",
		    cfg_word_reason("option spop-check"));
}

void kw_external_check(struct reader *r, size_t first, const void *data)
{
	bool is_command = *(const bool *)data;
	const char *text = keep_word(r, first);

	if (is_command)
		r->proxy->set.check.command = text;
	else
		r->proxy->set.check.path = text;
}

/* ---- tcp-check ---- */

static struct cfg_step *add_step(struct reader *r)
{
	struct cfg_check *c = &r->proxy->set.check;
	unsigned n = c->steps_of == r->proxy ? c->n_steps : 0;
	struct cfg_step *steps;

	if (n == CFG_STEPS_MAX) {
		say(r, DIAG_ERROR, 0, "a check has at most %d steps", CFG_STEPS_MAX);
		return NULL;
	}
	/* A copy each time: sections that took them from their defaults keep what they have. */
	steps = keep(r, (n + 1) * sizeof(*steps));
	if (!steps)
		return NULL;
	if (n)
		memcpy(steps, c->step, n * sizeof(*steps));
	if (c->steps_of != r->proxy)
		c->n_lines = 0;
	c->step = steps;
	c->n_steps = n + 1;
	c->steps_of = r->proxy;
	steps[n].number = ++c->n_lines;
	c->comment = NULL;
	return &steps[n];
}

static bool read_port(struct reader *r, size_t i, struct cfg_check_port *ret)
{
	const char *word = word_at(r, i);

	*ret = (struct cfg_check_port){0};
	if (word[strspn(word, "0123456789")] == '\0')
		return read_number(r, i, "port", 1, 65535, &ret->number);
	ret->expr = cfg_check_expression(r, i, CFG_CHECK_SEES_NOTHING);
	return ret->expr;
}

static bool read_connect_word(struct reader *r, size_t *i, struct cfg_check_port *port, struct cfg_check_connect *c)
{
	const char *word = word_at(r, *i);
	bool valued = !strcmp(word, "sni") || !strcmp(word, "alpn");
	struct address a;

	if (!strcmp(word, "addr") && *i + 1 < r->line->n) {
		++*i;
		if (read_address(r, *i, word_at(r, *i), 0, &a))
			c->addr = keep_copy(r, &a.addr, sizeof(a.addr));
		if (c->addr && a.port && !port->expr && !port->number)
			port->number = a.port;
		return true;
	}
	if (valued && *i + 1 < r->line->n)
		*(*word == 's' ? &c->sni : &c->alpn) = keep_word(r, ++*i);
	else if (!strcmp(word, "default"))
		c->usual = true;
	else if (!strcmp(word, "ssl"))
		c->tls = true;
	else if (!strcmp(word, "send-proxy"))
		c->send_proxy = true;
	else if (!strcmp(word, "via-socks4"))
		c->via_socks = true;
	else
		return !strcmp(word, "linger");
	return true;
}

bool cfg_read_connect(struct reader *r, size_t i, const char *proto, struct cfg_check_port *ret_port, struct cfg_check_connect *ret)
{
	const char *line = word_at(r, i - 2);

	for (; i < r->line->n; i++) {
		const char *word = word_at(r, i);

		if (!strcmp(word, "comment")) {
			break;
		} else if (!strcmp(word, "port") && i + 1 < r->line->n) {
			if (!read_port(r, ++i, ret_port))
				return false;
		} else if (!strcmp(word, "proto") && !strcmp(word_at(r, i + 1), proto)) {
			i++;
		} else if (!read_connect_word(r, &i, ret_port, ret)) {
			say(r, DIAG_ERROR, i,
			    "\"%s\" of %s connect is unknown, or not supported by this version: write port NUMBER or EXPRESSION, "
			    "addr ADDRESS, default, ssl, sni NAME, alpn LIST, proto %s, send-proxy, via-socks4, linger or comment TEXT",
			    word, line, proto);
			return false;
		}
	}
	return true;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_addr(const struct cfg_addr *a, const struct cfg_addr *b)
{
	return a == b || (a && b && a->len == b->len && !memcmp(&a->storage, &b->storage, a->len));
}

void cfg_take_connect(struct reader *r, size_t i, const struct cfg_check_connect *c)
{
	struct cfg_check *check = &r->proxy->set.check;
	struct cfg_check_connect *first = &check->connect;

	check->roams |= first->given && !same_addr(first->addr, c->addr);
	if (!first->given)
		*first = *c;
	else if (first->via_socks != c->via_socks)
		say(r, DIAG_ERROR, i, "this connect differs from the first in via-socks4, which is known to HAProxy, not supported by this version");
	else if (first->usual != c->usual || first->tls != c->tls || first->send_proxy != c->send_proxy || !same_text(first->sni, c->sni) ||
		 !same_text(first->alpn, c->alpn))
		check->mixed = true;
}

const struct cfg_check_connect *cfg_check_hop(const struct cfg_settings *set, unsigned n)
{
	static const struct cfg_check_connect as_the_server = {.given = false};
	const struct cfg_check *c = &set->check;
	const struct cfg_httpchk *round = set->httpchk;
	const struct cfg_step *first = cfg_first_step(c);
	unsigned rounds = 0;

	if (c->kind == CFG_CHECK_HTTP) {
		for (const struct cfg_httpchk *at = round; at; at = at->before)
			rounds++;
		for (unsigned back = rounds; round && --back != n;)
			round = round->before;
		return round ? &round->connect : NULL;
	}
	if (!first || first->action != CFG_STEP_CONNECT)
		if (n-- == 0)
			return &as_the_server;
	for (unsigned i = 0; i < c->n_steps; i++)
		if (c->step[i].action == CFG_STEP_CONNECT && n-- == 0)
			return c->step[i].connect;
	return NULL;
}

static void read_connect(struct reader *r, size_t i)
{
	struct cfg_check_connect c = {.given = true};
	struct cfg_step *s = add_step(r);

	if (!s)
		return;
	s->action = CFG_STEP_CONNECT;
	if (!cfg_read_connect(r, i, "none", &s->port, &c))
		return;
	s->connect = keep_copy(r, &c, sizeof(c));
	cfg_take_connect(r, i - 1, &c);
}

static void read_send(struct reader *r, size_t i)
{
	const char *word = word_at(r, i - 1);
	size_t len = strlen(word);
	bool format = len > 3 && !strcmp(word + len - 3, "-lf"), binary = strstr(word, "binary");
	struct cfg_step *s;

	if (i == r->line->n) {
		say(r, DIAG_ERROR, i - 1, "tcp-check %s needs what to send", word);
		return;
	}
	s = add_step(r);
	if (!s || !cfg_read_bytes(r, i, binary && !format, &s->data, &s->len))
		return;
	s->action = CFG_STEP_SEND;
	if (format)
		s->format = cfg_check_format(r, i, word_at(r, i), CFG_CHECK_SEES_NOTHING);
	s->is_hex = binary;
	if (i + 1 < r->line->n && strcmp(word_at(r, i + 1), "comment") != 0)
		say(r, DIAG_ERROR, i + 1, "\"%s\" is too much here: put the text in quotes",
		    word_at(r, i + 1));
}

/* It is told with the next step. */
static void read_comment(struct reader *r, size_t i)
{
	struct cfg_check *c = &r->proxy->set.check;

	if (c->steps_of != r->proxy) {
		c->steps_of = r->proxy;
		c->n_steps = c->n_lines = 0;
	}
	c->n_lines++;
	c->comment = keep_word(r, i);
}

static void read_expect(struct reader *r, size_t i)
{
	const struct cfg_expect *x = cfg_read_expect(r, i, false, r->proxy->set.check.comment);
	struct cfg_step *s = add_step(r);

	if (!x || !s)
		return;
	s->action = CFG_STEP_EXPECT;
	s->expect = x;
}

static void read_set(struct reader *r, size_t i)
{
	struct cfg_step *s = add_step(r);

	if (!s)
		return;
	s->action = CFG_STEP_SET;
	cfg_add_check_rule(r, i, CFG_CHECK_SEES_NOTHING, &s->set);
}

void kw_tcp_check(struct reader *r, size_t first, const void *data)
{
	const char *word = word_at(r, first);

	if (!strcmp(word, "connect"))
		read_connect(r, first + 1);
	else if (!strcmp(word, "send") || !strcmp(word, "send-lf") ||
		 !strcmp(word, "send-binary") || !strcmp(word, "send-binary-lf"))
		read_send(r, first + 1);
	else if (!strcmp(word, "expect"))
		read_expect(r, first + 1);
	else if (cfg_is_check_rule(word))
		read_set(r, first);
	else if (!strcmp(word, "comment"))
		read_comment(r, first + 1);
	else
		say(r, DIAG_ERROR, first,
		    "\"%s\" is no step of a check: write connect, send, send-binary, send-lf, expect, set-var(check.NAME) or "
		    "comment",
		    word);
}

/* ---- At the end ---- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++) /* FNV-1a */
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return (hash ^ len) * UINT64_C(0x100000001b3);
}

static void describe(struct reader *r, struct cfg_check *c)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	char text[1024];

	for (unsigned i = 0; i < c->n_steps; i++) {
		const struct cfg_step *s = &c->step[i];
		const char *expected = s->expect ? s->expect->text : "";
		const unsigned number[] = {s->action, s->port.number};

		hash = mix(hash, number, sizeof(number));
		hash = mix(hash, s->data ? s->data : "", s->len);
		hash = mix(hash, expected, strlen(expected));
	}
	snprintf(text, sizeof(text), "%u %s %s %d %s %s %llx", (unsigned)c->kind,
		 c->user ? c->user : "", c->helo ? c->helo : "", c->ehlo,
		 c->command ? c->command : "", c->path ? c->path : "", (unsigned long long)hash);
	c->text = keep_text(r, text);
}

static void check_external(struct reader *r, const struct cfg_proxy *p)
{
	const struct cfg_check *c = &p->set.check;

	if (!r->cfg->global.external_check)
		diag_add(r->diag, DIAG_ERROR, &p->at,
			 "\"%s\" has option external-check: write external-check in the global "
			 "section, too",
			 p->name);
	if (!c->command)
		diag_add(r->diag, DIAG_ERROR, &p->at,
			 "\"%s\" has option external-check: write external-check command FILE",
			 p->name);
	else if (*c->command != '/' || access(c->command, X_OK) < 0)
		diag_add(r->diag, DIAG_WARNING, &p->at,
			 "the checks of \"%s\" will fail: \"%s\" cannot be executed", p->name,
			 c->command);
}

struct cfg_check_port cfg_first_port(const struct cfg_settings *set)
{
	const struct cfg_check *c = &set->check;
	const struct cfg_step *step = c->kind == CFG_CHECK_SCRIPT ? cfg_first_step(c) : NULL;
	const struct cfg_httpchk *first = c->kind == CFG_CHECK_HTTP ? set->httpchk : NULL;

	while (first && first->before)
		first = first->before;
	if (first)
		return first->port;
	return step && step->action == CFG_STEP_CONNECT ? step->port : (struct cfg_check_port){0};
}

/* A check needs a port: the server's, its own, or that of the first step. */
static void check_ports(struct reader *r, const struct cfg_proxy *p)
{
	const struct cfg_server *s;

	if (p->set.check.kind == CFG_CHECK_EXTERNAL || cfg_first_port(&p->set).number)
		return;
	STAILQ_FOREACH (s, &p->servers, next)
		if (s->check && s->client_port && !s->check_port)
			diag_add(r->diag, s->is_name ? DIAG_WARNING : DIAG_ERROR, &s->at,
				 "server \"%s\" is checked, but no port is written%s: write one behind the address or \"port N\"",
				 s->name, s->is_name ? ", so that it stays down" : "");
}

void cfg_probe_check(struct reader *r, struct cfg_proxy *p)
{
	struct cfg_check *c = &p->set.check;

	if (c->kind == CFG_CHECK_EXTERNAL)
		check_external(r, p);
	check_ports(r, p);
	c->is_tcp_check = c->kind == CFG_CHECK_SCRIPT;
	if (c->is_tcp_check && !c->n_steps)
		c->kind = CFG_CHECK_CONNECT;
	if (c->kind != CFG_CHECK_SCRIPT && c->kind != CFG_CHECK_HTTP)
		c->mixed = c->roams = false;
	c->is_live = c->kind == CFG_CHECK_SCRIPT; /* each server's own: it points into the configuration */
	if (c->kind == CFG_CHECK_HTTP)
		cfg_httpchk_describe(r, p);
	else if (c->kind != CFG_CHECK_CONNECT)
		describe(r, c);
}
