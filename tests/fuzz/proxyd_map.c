/* SPDX-License-Identifier: MIT */
/*
 * The file of a map or of patterns, of any bytes: a byte for the kind of match, one for "key value" or keys alone,
 * then its lines, of which the last one is looked for. All ways to look at it agree on how many there are, and an
 * entry that is taken out is gone.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rules/map.h"
#include "rules/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_lines(void *userdata, const char *path,
		       bool (*add)(void *to, const char *line, struct rule_error *e), void *to,
		       struct rule_error *e)
{
	char *rest = userdata, *line;

	while ((line = strsep(&rest, "\n"))) {
		line += strspn(line, " \t\r"); /* as the daemon's reader does */
		if (!rest || !*line || *line == '#')
			continue; /* the last one is what is looked for */
		if (!add(to, line, e))
			return false;
	}
	return true;
}

static bool count(void *userdata, uint64_t id, const char *key, const char *value)
{
	size_t *n = userdata;

	assert(*key);
	++*n;
	return true;
}

static size_t entries(struct map *m)
{
	size_t n = 0;

	map_each(m, count, &n);
	return n;
}

static void look(struct map *m, enum match match, const char *wanted)
{
	struct rule_error e = {""};
	struct map_view *v = map_view(m, match, false, &e);
	char room[4096];
	struct scratch scratch = {room, 0, sizeof(room)};
	struct sample s = sample_text(SAMPLE_STR, wanted, strlen(wanted));
	struct text groups[10], value;
	bool has;

	if (!v) {
		assert(*e.text);
		return;
	}
	has = map_view_has(v, &s, &scratch);
	s = sample_text(SAMPLE_STR, wanted, strlen(wanted));
	scratch.used = 0;
	if (map_view_value(v, &s, &scratch, groups, &value))
		assert(has && value.at >= room && value.at + value.len <= room + sizeof(room));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule_shared shared = {.read_file = read_lines};
	struct rule_error e = {""};
	struct map *m;
	char *text, *wanted;
	size_t n;

	if (size < 2 || size > 20000 || !(text = strndup((const char *)data + 2, size - 2)))
		return 0;
	wanted = strrchr(text, '\n');
	wanted = strdup(wanted ? wanted + 1 : text);
	shared.userdata = text;
	m = map_get(&shared, "f");
	assert(m && wanted);
	if (map_load(m, &shared, data[1] & 1, &e)) {
		n = map_count(m);
		assert(entries(m) == n);
		look(m, (enum match)(data[0] % MATCH_N), wanted);
		n -= map_del(m, wanted);
		assert(map_count(m) == n && entries(m) == n && !map_del(m, wanted));
		map_clear(m);
		assert(!map_count(m) && !entries(m));
	} else {
		assert(*e.text);
	}
	maps_free(&shared);
	free(wanted);
	free(text);
	return 0;
}
