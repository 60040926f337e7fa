/* SPDX-License-Identifier: MIT */
/*
 * Patterns that an ACL has in its line. They are found without a lock, and from the first change on, which makes entries of
 * them, as those of a file are.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/map_object.h"

struct map_view *map_inline(struct rule_shared *s, const char *criterion, const struct patterns *written, _Atomic bool *changed,
			    struct rule_error *e)
{
	struct map *m = map_new(s, "");
	struct map_view *v;
	char use[512];

	if (!m) {
		rule_fail(e, "%s", "");
		return NULL;
	}
	snprintf(use, sizeof(use), "acl '%.*s' file '%.300s' line %u", (int)strcspn(criterion, "(,"), criterion, s->file ? s->file : "", s->line);
	m->uses = strdup(use);
	v = m->uses ? map_view(m, written->match, written->ignore_case, e) : NULL;
	m->written = written;
	m->changed = changed;
	return v;
}

/* Who has it by "-u": they are few. */
static const struct map *given_to(const struct rule_shared *s, unsigned id)
{
	const struct map *m = s->given_maps;

	while (m && m->id != id)
		m = m->next_given;
	return m;
}

bool map_set_number(struct rule_shared *s, struct map *m, unsigned id, struct rule_error *e)
{
	const struct map *other = given_to(s, id);

	if (other)
		return rule_fail(e, "the number %u is taken by %s: choose another", id, other->uses);
	m->id = id;
	m->id_given = true;
	m->next_given = s->given_maps;
	s->given_maps = m;
	return true;
}

void maps_number(struct rule_shared *s)
{
	unsigned next = 0;

	for (struct map *m = s->maps; m; m = m->next) {
		if (m->id_given)
			continue;
		while (given_to(s, next))
			next++;
		m->id = next++;
	}
}

bool map_is_inline(const struct map *m)
{
	return m->written;
}

bool map_is_as_written(const struct map *m)
{
	return m->written && !atomic_load_explicit(m->changed, memory_order_relaxed);
}

/* As an entry has it: as it was written, operators as ranges. NULL: no memory. */
static char *text_of_pattern(const struct patterns *all, const struct pattern *p)
{
	bool number = (all->match == MATCH_INT || all->match == MATCH_LEN) && !all->versions;
	char text[64];
	size_t len = 0;

	if (all->match == MATCH_BIN) {
		char *hex = malloc(2 * p->text.len + 1);

		for (size_t i = 0; hex && i < p->text.len; i++)
			snprintf(hex + 2 * i, 3, "%02X", (unsigned char)p->text.at[i]);
		if (hex)
			hex[2 * p->text.len] = '\0';
		return hex;
	}
	if (!number)
		return strndup(p->text.at, p->text.len);
	if (p->low != INT64_MIN || p->low == p->high)
		len += (size_t)snprintf(text, sizeof(text), "%lld", (long long)p->low);
	if (p->low != p->high)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ":");
	if (p->low != p->high && p->high != INT64_MAX)
		snprintf(text + len, sizeof(text) - len, "%lld", (long long)p->high);
	return strdup(text);
}

void map_each_written(const struct map *m, bool (*fn)(void *userdata, uint64_t id, const char *key, const char *value), void *userdata)
{
	bool more = true;

	for (unsigned i = 0; i < m->written->n && more; i++) {
		char *text = text_of_pattern(m->written, &m->written->at[i]);

		more = text && fn(userdata, i + 1, text, NULL);
		free(text);
	}
}

#define NETWORK_TEXT (INET6_ADDRSTRLEN + sizeof("/128"))

/* Of a host's name the address that it had when the configuration was read, for names are not looked up at run time; NULL: it is none. */
static const char *network_of_host(const struct pattern *p, const char *written, char buf[NETWORK_TEXT])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool is_v4 = p->bits >= 96 && !memcmp(p->ip, mapped, sizeof(mapped));
	struct sample address;
	size_t len;

	if (text_to_ip(text_of(written, strcspn(written, "/")), &address))
		return NULL;
	inet_ntop(is_v4 ? AF_INET : AF_INET6, p->ip + (is_v4 ? 12 : 0), buf, INET6_ADDRSTRLEN);
	len = strlen(buf);
	snprintf(buf + len, NETWORK_TEXT - len, "/%d", p->bits - (is_v4 ? 96 : 0));
	return buf;
}

struct taking {
	struct map *map;
	struct rule_error *e;
	bool ok;
};

static bool take(void *userdata, uint64_t id, const char *key, const char *value)
{
	struct taking *t = userdata;
	const struct patterns *written = t->map->written;
	const char *network = NULL;
	char buf[NETWORK_TEXT];

	if (written->match == MATCH_IP)
		network = network_of_host(&written->at[id - 1], key, buf);
	return t->ok = network ? map_add_apart(t->map, key, network, t->e) : map_add(t->map, key, value, t->e);
}

bool map_may_change(struct map *m, struct rule_error *e)
{
	struct taking t = {m, e, true};

	if (!map_is_as_written(m))
		return true;
	if (m->written->match == MATCH_FOUND || m->written->match == MATCH_BOOL || m->written->versions)
		return rule_fail(e, "These patterns stay as they are written.");
	map_each_written(m, take, &t);
	if (t.ok)
		atomic_store_explicit(m->changed, true, memory_order_release);
	else
		map_clear(m);
	return t.ok;
}
