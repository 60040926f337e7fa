/* SPDX-License-Identifier: MIT */
/* default-path: where the names of files start. Nothing changes its folder for it: other threads have the same one. */
#include "cfg/read.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

void kw_default_path(struct reader *r, size_t first, const void *data)
{
	static const char *const mode[] = {"current", "config", "parent", "origin"}; /* as enum cfg_paths */
	struct cfg_global *g = &r->cfg->global;
	size_t k = 0;

	while (k < 4 && strcmp(word_at(r, first), mode[k]) != 0)
		k++;
	if (k == 4 || (k == CFG_PATHS_ORIGIN) != (r->line->n == first + 2)) {
		say(r, DIAG_ERROR, first, "write default-path current, config, parent, or origin FOLDER");
		return;
	}
	g->paths = (enum cfg_paths)k;
	g->origin = k == CFG_PATHS_ORIGIN ? keep_word(r, first + 1) : NULL;
}

const char *cfg_path(struct cfg *c, const char *file, const char *name)
{
	const struct cfg_global *g = &c->global;
	const char *slash = file ? strrchr(file, '/') : NULL;
	char full[PATH_MAX];
	int folder = slash ? (int)(slash - file) + 1 : 0;

	if (!name || *name == '/' || *name == '@' || g->paths == CFG_PATHS_CURRENT)
		return name;
	if (g->paths == CFG_PATHS_ORIGIN)
		snprintf(full, sizeof(full), "%s/%s", g->origin ? g->origin : ".", name);
	else
		snprintf(full, sizeof(full), "%.*s%s%s", folder, folder ? file : "", g->paths == CFG_PATHS_PARENT ? "../" : "", name);
	return cfg_strdup(c, full);
}
