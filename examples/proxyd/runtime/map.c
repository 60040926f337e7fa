/* SPDX-License-Identifier: MIT */
/* Maps and pattern files of ACLs. Workers see a change at their next look; a reload reads the files again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "engine/objects.h"
#include "rules/map.h"
#include "runtime.h"

static struct rule_shared *shared(const struct call *c)
{
	return engine_set(c->e)->cfg->shared;
}

/* "map" or "acl", as the command's last word says; a version that was read stands behind it. */
static bool is_map(const struct call *c)
{
	return !strcmp(*c->word[-1] == '@' ? c->word[-2] : c->word[-1], "map");
}

static struct map *first(const struct call *c)
{
	return shared(c) ? shared(c)->maps : NULL;
}

/* "@VERSION" in front. */
static bool has_version(const struct call *c)
{
	return *call_word(c, 0) == '@';
}

/*
 * "#ID", or the name of a file, behind @VERSION if it may be there (ret_version not NULL); the words then begin with the name.
 * NULL: told.
 */
static struct map *find(struct call *c, unsigned *ret_version)
{
	const char *word = call_word(c, 0);
	unsigned long id, version = 0;
	char *end;

	if (ret_version && has_version(c)) {
		version = strtoul(word + 1, &end, 10);
		if (end == word + 1 || *end || version > UINT32_MAX) {
			call_say(c, "'%s' is no version: write @NUMBER, as prepare says it.\n", word);
			return NULL;
		}
		*ret_version = (unsigned)version;
		c->word++;
		c->n--;
		word = call_word(c, 0);
	}
	id = *word == '#' ? strtoul(word + 1, &end, 10) : 0;
	for (struct map *m = first(c); m; m = map_next(m)) {
		if (map_has_values(m) != is_map(c) || (*word != '#' && map_is_inline(m)))
			continue;
		if (*word == '#' ? end != word + 1 && !*end && map_id(m) == id : !strcmp(map_name(m), word))
			return m;
	}
	call_say(c, "Unknown %s identifier. Please use #<id> or <file>.\n", is_map(c) ? "map" : "ACL");
	return NULL;
}

/* The same, and it is one that can be changed. */
static struct map *find_to_change(struct call *c, unsigned *ret_version)
{
	struct map *m = find(c, ret_version);
	struct rule_error e = {""};

	if (!m || map_may_change(m, &e))
		return m;
	call_say(c, "%s\n", *e.text ? e.text : "There is not memory enough.");
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

/* The map at the words, or that version of it, to be looked at, changed, or filled. NULL: told, or there is none yet and `make` is false. */
static struct map *find_version(struct call *c, bool change, bool make)
{
	bool versioned = has_version(c);
	unsigned version;
	struct map *m = change ? find_to_change(c, &version) : find(c, &version), *draft;

	if (!m || !versioned)
		return m;
	if (make && version - map_version(m) > map_next_version(m) - map_version(m)) {
		call_say(c, version > map_next_version(m) ? "Version number in the future, please use 'prepare %s' before.\n"
							  : "Version number out of range: another one was committed; 'prepare %s' again.\n",
			 is_map(c) ? "map" : "acl");
		return NULL;
	}
	draft = map_draft(m, version, make);
	if (!draft && make)
		call_say(c, "There is not memory enough, or more than %d versions are open: commit one.\n", MAP_DRAFTS_MAX);
	return draft;
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
		m = find_version(c, false, false);
		if (m)
			map_each(m, put_entry, c->out);
		return;
	}
	out_text(c->out, "# id (file) description\n");
	for (m = first(c); m; m = map_next(m))
		if (map_has_values(m) == is_map(c)) {
			out_printf(c->out, "%u (%s) ", map_id(m), map_name(m));
			if (!map_is_inline(m))
				out_printf(c->out, "pattern loaded from file '%s' used by ", map_name(m));
			out_printf(c->out, "%s. curr_ver=%u next_ver=%u entry_cnt=%zu\n", map_uses(m), map_version(m), map_next_version(m),
				   map_count(m));
		}
}

/* Patterns that HAProxy keeps in a tree; the others it goes through one by one. */
static bool is_indexed(enum match match, bool ignore_case)
{
	return match == MATCH_IP || (!ignore_case && (match == MATCH_STR || match == MATCH_BEG));
}

static void look(struct call *c, struct map_view *v, const char *text)
{
	bool ignore_case;
	enum match match = map_view_match(v, &ignore_case);
	char buf[PAYLOAD_MAX_BYTES / 8];
	struct scratch scratch = {buf, 0, sizeof(buf)};
	struct text key, value;
	bool found = map_view_entry(v, text, &scratch, &key, &value);

	out_printf(c->out, "type=%s, case=%s, %s=%s", map_view_type(v), ignore_case ? "insensitive" : "sensitive",
		   is_map(c) ? "found" : "match", found ? "yes" : "no");
	if (found) {
		out_printf(c->out, ", idx=%s, %s=\"", is_indexed(match, ignore_case) ? "tree" : "list", is_map(c) ? "key" : "pattern");
		out_put(c->out, key.at, key.len);
		out_text(c->out, "\"");
	}
	if (found && value.at) {
		out_text(c->out, ", value=\"");
		out_put(c->out, value.at, value.len);
		out_text(c->out, "\", type=\"str\"");
	}
	out_text(c->out, "\n");
}

/* As each use of it would find it: by network, beginning, expression … */
void run_get_map(struct call *c)
{
	struct map *m = NULL;

	if (c->n < 2)
		call_say(c, "Missing %s identifier and/or key.\n", is_map(c) ? "map" : "ACL");
	else
		m = find(c, NULL);
	for (struct map_view *v = m ? map_next_view(m, NULL) : NULL; v; v = map_next_view(m, v))
		look(c, v, call_word(c, 1));
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

	if (!text)
		call_say(c, "There is not memory enough.\n");
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
	struct map *m = find_version(c, true, true);

	if (!m)
		return;
	if (c->payload && c->n == 1)
		add_lines(c, m);
	else if (c->n < (is_map(c) ? 3 : 2)) /* what is more counts for nothing, as in HAProxy */
		call_say(c, is_map(c) ? "Write add map MAP KEY VALUE, or add map MAP << and lines of KEY VALUE.\n"
				      : "Write add acl FILE PATTERN, or add acl FILE << and lines of patterns.\n");
	else
		add(c, m, c->word[1], is_map(c) ? c->word[2] : NULL);
}

void run_set_map(struct call *c)
{
	struct map *m = find(c, NULL);
	uint64_t id;
	bool done;

	if (!m)
		return;
	if (c->n < 3) {
		call_say(c, "Write set map MAP KEY|#ENTRY VALUE.\n");
		return;
	}
	done = read_entry_id(c->word[1], &id) ? map_set_id(m, id, c->word[2]) : map_set(m, c->word[1], c->word[2]) > 0;
	if (!done)
		call_say(c, "entry not found.\n");
}

void run_del_map(struct call *c)
{
	struct map *m = find_to_change(c, NULL);
	uint64_t id;
	bool done;

	if (!m)
		return;
	if (c->n < 2) {
		call_say(c, "Write del %s %s KEY|#ENTRY.\n", is_map(c) ? "map" : "acl", is_map(c) ? "MAP" : "FILE");
		return;
	}
	done = read_entry_id(c->word[1], &id) ? map_del_id(m, id) : map_del(m, c->word[1]) > 0;
	if (!done)
		call_say(c, "Key not found.\n");
}

void run_clear_map(struct call *c)
{
	struct map *m = find_version(c, true, false);

	if (m)
		map_clear(m);
}

/* ---- Versions ---- */

void run_prepare_map(struct call *c)
{
	struct map *m = find_to_change(c, NULL);

	if (m)
		call_note(c, LOG_INFO, "New version created: %u\n", map_prepare(m));
}

void run_commit_map(struct call *c)
{
	bool versioned = has_version(c);
	struct rule_error e = {""};
	unsigned version;
	struct map *m;

	if (!versioned) {
		call_say(c, "Missing version number.\n");
		return;
	}
	m = find_to_change(c, &version);
	if (m && !map_commit(m, version, &e))
		call_say(c, "%s\n", *e.text ? e.text : "There is not memory enough.");
}
