/* SPDX-License-Identifier: MIT */
/*
 * Servers that come and go at run time. A set never changes: each time a new one is made of the same configuration,
 * as a reload makes one, and the list of what was changed since that was loaded.
 */
#include "admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfg/dynamic.h"
#include "cfg/rules.h"
#include "control.h"
#include "log.h"

/* As HAProxy: those that can change their servers without computing a map anew. */
static bool takes_servers(const struct cfg_settings *set)
{
	static const char *const list[] = {"roundrobin", "leastconn", "first", "random"};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (!strcmp(set->balance, list[i]))
			return true;
	return set->hash_type.consistent && strcmp(set->balance, "static-rr") != 0;
}

static bool id_is_taken(const struct backend *b, unsigned id)
{
	for (size_t i = 0; i < b->n_servers; i++)
		if (b->lines[i]->id == id)
			return true;
	return false;
}

/* False: told. */
static bool give_id(const struct backend *b, struct cfg_server *line, char *text, size_t cap)
{
	if (line->id && id_is_taken(b, line->id)) {
		snprintf(text, cap, "'id' : custom id %u already used.", line->id);
		return false;
	}
	for (unsigned id = 1; !line->id; id++)
		line->id = id_is_taken(b, id) ? 0 : id;
	return true;
}

/* The edits of the running set with one more. */
static int edit(struct engine *e, const struct set_edit *more, char *text, size_t cap)
{
	const struct set *set = engine_set(e);
	struct set_edit *list = calloc(set->n_edits + 1, sizeof(*list));
	int r;

	if (!list) {
		snprintf(text, cap, "out of memory");
		return -ENOMEM;
	}
	memcpy(list, set->edit, set->n_edits * sizeof(*list));
	list[set->n_edits] = *more;
	r = engine_edit(e, list, set->n_edits + 1, text, cap);
	free(list);
	return r;
}

int admin_add_server(struct engine *e, const struct backend *b, const char *const *word, size_t n, char *text, size_t cap)
{
	struct set_edit more = {.proxy = b->proxy};
	struct cfg_server *line;
	char error[512];
	int r;

	if (!takes_servers(&b->proxy->set)) {
		snprintf(text, cap, "Backend must use a dynamic load balancing to support dynamic servers.");
		return -EINVAL;
	}
	r = cfg_read_dynamic(b->set->cfg, b->proxy, word, n, &more.memory, &line, text, cap);
	if (r < 0)
		return r;
	more.line = line;
	if (!give_id(b, line, text, cap))
		r = -EEXIST;
	else
		r = edit(e, &more, error, sizeof(error));
	if (r < 0 && r != -EEXIST)
		snprintf(text, cap, "%s", error);
	else if (!r)
		log_notice("server %s/%s: added", b->proxy->name, word[0]);
	cfg_free(more.memory);
	return r;
}

/* The edits without that of a server that had come; or with one more, of a server of the file. */
static int remove_line(struct engine *e, const struct backend *b, const struct cfg_server *line, char *text, size_t cap)
{
	const struct set *set = engine_set(e);
	struct set_edit *list;
	size_t n = 0;
	int r;

	if (!line->dynamic)
		return edit(e, &(struct set_edit){.proxy = b->proxy, .line = line}, text, cap);
	list = calloc(set->n_edits + 1, sizeof(*list));
	if (!list) {
		snprintf(text, cap, "out of memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < set->n_edits; i++)
		if (set->edit[i].line != line)
			list[n++] = set->edit[i];
	r = engine_edit(e, list, n, text, cap);
	free(list);
	return r;
}

/* A rule of the file names it. */
static bool is_used(const struct backend *b, const char *name)
{
	const struct cfg_use *use;

	if (b->proxy->rules)
		STAILQ_FOREACH (use, &b->proxy->rules->uses, next)
			if (format_is_constant(&use->name) && use->name.n && use->name.part[0].literal.len == strlen(name) &&
			    !memcmp(use->name.part[0].literal.at, name, strlen(name)))
				return true;
	return false;
}

const char *admin_keeps_server(const struct server *s, bool *ret_may_come)
{
	*ret_may_come = false;
	if (!LIST_EMPTY(&s->trackers) || is_used(s->admin.backend, s->name))
		return "This server cannot be removed at runtime due to other configuration elements pointing to it.";
	if (!s->admin.maint)
		return "Only servers in maintenance mode can be deleted.";
	*ret_may_come = true;
	return atomic_load(&s->n_sessions) || atomic_load(&s->n_queued)
		   ? "Server still has connections attached to it, cannot remove it."
		   : NULL;
}

int admin_del_server(struct engine *e, struct server *s, char *text, size_t cap)
{
	bool unused;
	const char *why = admin_keeps_server(s, &unused);
	int r;

	if (why) {
		snprintf(text, cap, "%s", why);
		return -EBUSY;
	}
	r = remove_line(e, s->admin.backend, s->admin.cfg, text, cap);
	if (!r) {
		s->gone = true;
		log_notice("server %s/%s: removed", s->pool->name, s->name);
	}
	return r;
}
