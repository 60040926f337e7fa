/* SPDX-License-Identifier: MIT */
#include "conf/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 4096 /* of a file */

/* Lines of "NUMBER NAME"; # begins a comment. */
static bool find_in(const char *folder, const char *file, const char *name, uint32_t *ret)
{
	char path[256], line[256], found[128];
	bool good = false;
	long long v;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	f = fopen(path, "re");
	for (int n = 0; f && !good && n < LINES_MAX && fgets(line, sizeof(line), f); n++) {
		good = sscanf(line, " %lli %127s", &v, found) == 2 && !strcmp(found, name) &&
		       v >= 0 && v <= UINT32_MAX;
		if (good)
			*ret = (uint32_t)v;
	}
	if (f)
		fclose(f);
	return good;
}

/* Those that need no file. */
static bool find_built_in(const char *file, const char *name, uint32_t *ret)
{
	static const struct {
		const char *file, *name;
		uint32_t value;
	} known[] = {
	    {"rt_tables", "local", 255},   {"rt_tables", "main", 254},
	    {"rt_tables", "default", 253}, {"rt_scopes", "global", 0},
	    {"rt_scopes", "site", 200},	   {"rt_scopes", "link", 253},
	    {"rt_scopes", "host", 254},	   {"rt_scopes", "nowhere", 255},
	    {"rt_protos", "kernel", 2},	   {"rt_protos", "boot", 3},
	    {"rt_protos", "static", 4},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(known[i].file, file) && !strcmp(known[i].name, name)) {
			*ret = known[i].value;
			return true;
		}
	}
	return false;
}

bool conf_named_number(struct conf_parse *p, const struct conf_word *w, const char *file,
		       uint32_t max, uint32_t *ret)
{
	const struct conf_globals *g = &p->conf->globals;
	char *end;
	unsigned long long v;
	uint32_t found = 0;

	errno = 0;
	v = strtoull(w->text, &end, 0);
	if (*w->text >= '0' && *w->text <= '9' && !*end && !errno && v <= max) {
		*ret = (uint32_t)v;
		return true;
	}
	if (find_built_in(file, w->text, &found) ||
	    find_in(g->iproute_etc ? g->iproute_etc : "/etc/iproute2", file, w->text, &found) ||
	    find_in(g->iproute_usr ? g->iproute_usr : "/usr/share/iproute2", file, w->text,
		    &found)) {
		if (found <= max) {
			*ret = found;
			return true;
		}
	}
	conf_warn(p, &w->at,
		  "\"%s\" is neither a number up to %u nor a name in %s of iproute2: skipped",
		  w->text, max, file);
	return false;
}
