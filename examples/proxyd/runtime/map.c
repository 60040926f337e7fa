/* SPDX-License-Identifier: MIT */
/* Maps and pattern files of ACLs. Workers see a change at their next look; a reload reads the files again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/objects.h"
#include "rules/map.h"
#include "runtime.h"

static struct rule_shared *shared(const struct call *c)
{
	return engine_set(c->e)->cfg->shared;
}

/* "map" or "acl", as the command's last word says. */
static bool is_map(const struct call *c)
{
	return !strcmp(c->word[-1], "map");
}

static struct map *first(const struct call *c)
{
	return shared(c) ? shared(c)->maps : NULL;
}

/* "#ID", or the name of a file. NULL: told. */
static struct map *find(struct call *c)
{
	const char *word = call_word(c, 0);
	char *end;
	unsigned long id = *word == '#' ? strtoul(word + 1, &end, 10) : 0;

	for (struct map *m = first(c); m; m = map_next(m)) {
		if (map_has_values(m) != is_map(c))
			continue;
		if (*word == '#' ? end != word + 1 && !*end && map_id(m) == id : !strcmp(map_name(m), word))
			return m;
	}
	call_say(c, "Unknown %s identifier. Please use #<id> or <file>.\n", is_map(c) ? "map" : "ACL");
	return NULL;
}

/* "#0x…", as "show map" prints entries. */
static bool read_entry_id(const char *word, uint64_t *ret)
{
	char *end;

	if (*word != '#')
		return false;
	*ret = strtoull(word + 1, &end, 16);
	return end != word + 1 && !*end;
}

/* ---- show ---- */

static bool put_entry(void *userdata, uint64_t id, const char *key, const char *value)
{
	struct out *o = userdata;

	out_printf(o, "0x%llx ", (unsigned long long)id);
	out_text(o, key);
	if (value) {
		out_text(o, " ");
		out_text(o, value);
	}
	out_text(o, "\n");
	return !o->failed;
}

void run_show_map(struct call *c)
{
	struct map *m;

	if (c->n) {
		m = find(c);
		if (m)
			map_each(m, put_entry, c->out);
		return;
	}
	out_text(c->out, "# id (file) description\n");
	for (m = first(c); m; m = map_next(m))
		if (map_has_values(m) == is_map(c))
			out_printf(c->out, "%u (%s) pattern loaded from file '%s' used by %s. curr_ver=0 next_ver=0 entry_cnt=%zu\n",
				   map_id(m), map_name(m), map_name(m), is_map(c) ? "map" : "acl", map_count(m));
}

struct lookup {
	const char *key;
	struct call *call;
	bool found;
};

static bool compare(void *userdata, uint64_t id, const char *key, const char *value)
{
	struct lookup *l = userdata;

	(void)id;
	if (strcmp(key, l->key) != 0)
		return true;
	l->found = true;
	out_printf(l->call->out, "type=str, case=sensitive, found=yes, key=\"%s\"", key);
	if (value)
		out_printf(l->call->out, ", value=\"%s\", type=\"str\"", value);
	out_text(l->call->out, "\n");
	return false;
}

/* By the text of a key: what a network or a regular expression matches is not asked. */
void run_get_map(struct call *c)
{
	struct map *m = find(c);
	struct lookup l = {call_word(c, 1), c, false};

	if (!m)
		return;
	map_each(m, compare, &l);
	if (!l.found)
		call_say(c, "type=str, case=sensitive, found=no\n");
}

/* ---- Changes ---- */

static void add(struct call *c, struct map *m, const char *key, const char *value)
{
	struct rule_error e = {""};

	if (!map_add(m, key, value, &e))
		call_say(c, "%s.\n", *e.text ? e.text : "out of memory");
}

/* A line of the payload: "key value", the value to the end of the line. */
static void add_lines(struct call *c, struct map *m)
{
	char *text = strdup(c->payload), *save = NULL;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		char *value;

		line += strspn(line, " \t");
		value = line + strcspn(line, " \t");
		if (!*line)
			continue;
		if (*value) {
			*value++ = '\0';
			value += strspn(value, " \t");
		}
		if (map_has_values(m) && !*value)
			call_say(c, "Missing value for key '%s'.\n", line);
		else
			add(c, m, line, map_has_values(m) ? value : NULL);
	}
	free(text);
}

void run_add_map(struct call *c)
{
	struct map *m = find(c);

	if (!m)
		return;
	if (c->payload && c->n == 1)
		add_lines(c, m);
	else if (c->n != (is_map(c) ? 3 : 2))
		call_say(c, is_map(c) ? "Write add map MAP KEY VALUE, or add map MAP << and lines of KEY VALUE.\n"
				      : "Write add acl FILE PATTERN, or add acl FILE << and lines of patterns.\n");
	else
		add(c, m, c->word[1], is_map(c) ? c->word[2] : NULL);
}

void run_set_map(struct call *c)
{
	struct map *m = find(c);
	uint64_t id;
	bool done;

	if (!m)
		return;
	if (c->n != 3) {
		call_say(c, "Write set map MAP KEY|#ENTRY VALUE.\n");
		return;
	}
	done = read_entry_id(c->word[1], &id) ? map_set_id(m, id, c->word[2]) : map_set(m, c->word[1], c->word[2]) > 0;
	if (!done)
		call_say(c, "entry not found.\n");
}

void run_del_map(struct call *c)
{
	struct map *m = find(c);
	uint64_t id;
	bool done;

	if (!m)
		return;
	if (c->n != 2) {
		call_say(c, "Write del %s %s KEY|#ENTRY.\n", is_map(c) ? "map" : "acl", is_map(c) ? "MAP" : "FILE");
		return;
	}
	done = read_entry_id(c->word[1], &id) ? map_del_id(m, id) : map_del(m, c->word[1]) > 0;
	if (!done)
		call_say(c, "Key not found.\n");
}

void run_clear_map(struct call *c)
{
	struct map *m = find(c);

	if (m)
		map_clear(m);
}
