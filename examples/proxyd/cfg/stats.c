/* SPDX-License-Identifier: MIT */
/* Statistics: "stats socket" of the global section, and the lines "stats …" of proxies. */
#include "cfg/stats.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfg/access.h"
#include "cfg/read.h"
#include "cfg/rules.h"

#define STATS_LIST_MAX 64u /* scopes, users, rules of one section */
#define STATS_URI_DEFAULT "/haproxy?stats"
#define STATS_REALM_DEFAULT "HAProxy Statistics"

/* ---- stats socket ---- */

/* Which of the words stands at i; 0 with an error: none. */
static unsigned read_choice(struct reader *r, size_t i, const char *what, const char *const *word)
{
	for (unsigned k = 0; word[k]; k++)
		if (!strcmp(word_at(r, i), word[k]))
			return k;
	say_unknown(r, i, what, word, NULL);
	return 0;
}

const char *const cfg_severity_words[] = {"none", "number", "string", NULL};

/* One parameter at *i; moves over its values. False: the rest of the line cannot be told apart. */
static bool read_socket_word(struct reader *r, size_t *i, struct cfg_stats_socket *s)
{
	/* of bind lines; they mean nothing to a socket for a few people */
	static const char *const skipped[] = {"process", "thread", "name",
					      "maxconn",   "backlog", "nice",	"namespace", "id",  NULL};
	static const char *const ours[] = {"mode", "user", "group", "uid", "gid", "level", "severity-output", "expose-fd", NULL};
	static const char *const exposed[] = {"listeners", NULL};
	static const char *const levels[] = {"user", "operator", "admin", NULL};
	const char *word = word_at(r, *i);

	for (unsigned k = 0; skipped[k]; k++)
		if (!strcmp(word, skipped[k])) {
			++*i;
			return true;
		}
	for (unsigned k = 0; ours[k]; k++) {
		if (strcmp(word, ours[k]) != 0)
			continue;
		if (++*i >= r->line->n) {
			say(r, DIAG_ERROR, *i - 1, "\"%s\" needs a value", word);
			return false;
		}
		if (access_word(word))
			access_read(r, *i, word, &s->access);
		else if (!strcmp(word, "expose-fd"))
			s->exposes = !read_choice(r, *i, "kind of descriptors", exposed);
		else if (!strcmp(word, "level"))
			s->level = (enum cfg_stats_level)read_choice(r, *i, "level", levels);
		else
			s->severity = (enum cfg_severity)read_choice(r, *i, "severity-output", cfg_severity_words);
		return true;
	}
	say_unknown(r, *i, "parameter of \"stats socket\"", ours, cfg_words_bind);
	return false;
}

void kw_stats_socket(struct reader *r, size_t first, const void *data)
{
	struct cfg_stats_socket *s = keep(r, sizeof(*s));
	struct address a;

	if (!s || !read_address(r, first, word_at(r, first), ADDR_LISTEN, &a))
		return;
	s->at = place_at(r, first);
	s->text = keep_word(r, first);
	s->addr = a.addr;
	s->inherited_fd = a.fd;
	s->level = CFG_STATS_OPERATOR;
	s->access = (struct cfg_access)CFG_ACCESS_DEFAULT;
	if (a.fd < 0 && a.addr.sa.sa_family != AF_UNIX && a.port != a.port_end && a.port_end)
		say(r, DIAG_ERROR, first, "a stats socket has one port, not a range");
	for (size_t i = first + 1; i < r->line->n; i++)
		if (!read_socket_word(r, &i, s))
			break;
	STAILQ_INSERT_TAIL(&r->cfg->global.stats_sockets, s, next);
}

/* ---- State of servers ---- */

void kw_state_from(struct reader *r, size_t first, const void *data)
{
	static const char *const from[] = {"none", "local", "global", NULL};

	for (unsigned k = 0; from[k]; k++)
		if (!strcmp(word_at(r, first), from[k])) {
			r->proxy->set.state_from = (enum cfg_state_from)k;
			return;
		}
	say_unknown(r, first, "place of the state", from, NULL);
}

void kw_state_file(struct reader *r, size_t first, const void *data)
{
	bool own = first == r->line->n || !strcmp(word_at(r, first), "use-backend-name");

	r->proxy->set.state_file = own ? NULL : keep_word(r, first);
}

/* ---- stats … of proxies. Lists are copied when they grow: a section may share its defaults' ---- */

static const void *append(struct reader *r, size_t i, const void *list, unsigned *n, size_t size, const void *item)
{
	char *copy;

	if (*n == STATS_LIST_MAX) {
		say(r, DIAG_ERROR, i, "too many: more than %u lines of this kind in one section", STATS_LIST_MAX);
		return list;
	}
	copy = keep(r, (*n + 1) * size);
	if (!copy)
		return list;
	if (*n)
		memcpy(copy, list, *n * size);
	memcpy(copy + *n * size, item, size);
	++*n;
	return copy;
}

static void add_rule(struct reader *r, size_t i, struct cfg_stats *s, enum cfg_stats_action action, size_t cond,
		     const char *realm)
{
	struct cfg_stats_rule rule = {.action = action, .realm = realm};

	if (cond < r->line->n) {
		if (strcmp(word_at(r, cond), "if") != 0 && strcmp(word_at(r, cond), "unless") != 0) {
			say(r, DIAG_ERROR, cond, "\"%s\" is too much here: write if or unless and a condition",
			    word_at(r, cond));
			return;
		}
		rule.cond = cfg_read_condition(r, cond);
		if (!rule.cond)
			return;
	}
	s->rules = append(r, i, s->rules, &s->n_rules, sizeof(rule), &rule);
}

static void read_auth(struct reader *r, size_t i, struct cfg_stats *s)
{
	const char *word = word_at(r, i);

	size_t len = strlen(word);
	char *text = keep(r, (len + 2) / 3 * 4 + 1);

	if (!strchr(word, ':'))
		say(r, DIAG_ERROR, i, "\"%s\" has no password: write stats auth USER:PASSWORD", word);
	else if (text) {
		EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)word, (int)len);
		s->users = append(r, i, s->users, &s->n_users, sizeof(text), &text);
	}
}

static void read_http_request(struct reader *r, size_t i, struct cfg_stats *s)
{
	static const char *const actions[] = {"allow", "deny", "auth", NULL};
	const char *realm = NULL;
	size_t at = i;

	for (unsigned k = 0; actions[k]; k++) {
		if (strcmp(word_at(r, i), actions[k]) != 0)
			continue;
		if (k == 2 && !strcmp(word_at(r, at + 1), "realm") && at + 2 < r->line->n) {
			realm = keep_word(r, at + 2);
			at += 2;
		}
		add_rule(r, i, s, k == 0 ? CFG_STATS_ALLOW : k == 1 ? CFG_STATS_DENY : CFG_STATS_AUTH, at + 1, realm);
		return;
	}
	say_unknown(r, i, "action", actions, NULL);
}

static void read_refresh(struct reader *r, size_t i, struct cfg_stats *s)
{
	uint64_t ns;
	char text[32];

	/* a number without a unit is seconds here */
	snprintf(text, sizeof(text), "%ss", word_at(r, i));
	if (word_at(r, i)[0] && !word_at(r, i)[strspn(word_at(r, i), "0123456789")])
		s->refresh_s = (unsigned)strtoul(text, NULL, 10);
	else if (read_time(r, i, "stats refresh", &ns))
		s->refresh_s = (unsigned)(ns / UINT64_C(1000000000));
}

void kw_stats(struct reader *r, size_t first, const void *data)
{
	struct cfg_stats *s;
	const char *word = word_at(r, first - 1), *text;
	bool more = first < r->line->n;

	if (r->no) {
		say(r, DIAG_ERROR, first - 1, "\"no\" before \"stats %s\" means nothing: remove the line", word);
		return;
	}
	s = keep_copy(r, r->proxy->set.stats, sizeof(*s));
	if (!s)
		return;
	if (!r->proxy->set.stats)
		*s = (struct cfg_stats){.uri = STATS_URI_DEFAULT, .realm = STATS_REALM_DEFAULT};
	r->proxy->set.stats = s;
	if (!strcmp(word, "uri")) {
		s->uri = keep_word(r, first);
	} else if (!strcmp(word, "realm")) {
		s->realm = keep_word(r, first);
	} else if (!strcmp(word, "auth")) {
		read_auth(r, first, s);
	} else if (!strcmp(word, "refresh")) {
		read_refresh(r, first, s);
	} else if (!strcmp(word, "hide-version")) {
		s->hide_version = true;
	} else if (!strcmp(word, "show-legends")) {
		s->legends = true;
	} else if (!strcmp(word, "show-modules")) {
		s->modules = true;
	} else if (!strcmp(word, "show-desc")) {
		s->show_desc = true;
		s->desc = more ? keep_rest(r, first) : NULL;
	} else if (!strcmp(word, "show-node")) {
		s->show_node = true;
		s->node = more ? keep_word(r, first) : NULL;
	} else if (!strcmp(word, "scope")) {
		text = !strcmp(word_at(r, first), ".") ? "." : keep_word(r, first);
		s->scopes = append(r, first, s->scopes, &s->n_scopes, sizeof(text), &text);
	} else if (!strcmp(word, "admin")) {
		add_rule(r, first, s, CFG_STATS_ADMIN_IF, first, NULL);
	} else if (!strcmp(word, "http-request")) {
		read_http_request(r, first, s);
	}
}
