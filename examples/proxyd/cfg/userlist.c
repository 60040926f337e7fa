/* SPDX-License-Identifier: MIT */
/* The section userlist: groups and users. */
#include "cfg/rules.h"

#include <stdio.h>
#include <string.h>

#include "cfg/read.h"
#include "rules/map.h"
#include "rules/userlist.h"

void begin_userlist(struct reader *r)
{
	const struct rule_memory *m = cfg_rule_memory(r);

	r->userlist = m ? userlist_get(r->cfg->shared, m, word_at(r, 1)) : NULL;
	if (r->userlist && r->userlist->is_defined)
		say(r, DIAG_ERROR, 1, "there is a userlist \"%s\" above: give each its own name",
		    word_at(r, 1));
	if (r->userlist)
		r->userlist->is_defined = true;
}

static struct user *get_user(struct reader *r, const char *name)
{
	struct user *u = userlist_user(r->userlist, name);

	if (u || r->userlist->n_users == USERS_MAX)
		return u;
	u = keep(r, sizeof(*u));
	if (!u)
		return NULL;
	u->name = keep_text(r, name);
	u->next = r->userlist->users;
	r->userlist->users = u;
	r->userlist->n_users++;
	return u;
}

/* The next name of a list with commas: "a,b"; NULL: no more. */
static const char *next_name(const char **list, char *buf, size_t cap)
{
	size_t len = strcspn(*list, ",");

	if (!**list)
		return NULL;
	snprintf(buf, cap, "%.*s", (int)len, *list);
	*list += len + ((*list)[len] == ',');
	return buf;
}

static int get_group(struct reader *r, size_t i, const char *name)
{
	int n = userlist_group(r->userlist, cfg_rule_memory(r), name);

	if (n < 0)
		say(r, DIAG_ERROR, i, "more than %d groups in a userlist", USER_GROUPS_MAX);
	return n;
}

void kw_group(struct reader *r, size_t first, const void *data)
{
	const char *users = word_at(r, first + 2), *name;
	char buf[USER_NAME_MAX + 1];
	int group;

	if (!r->userlist)
		return;
	if (first + 1 < r->line->n && strcmp(word_at(r, first + 1), "users") != 0) {
		say(r, DIAG_ERROR, first + 1, "write users and their names with commas here");
		return;
	}
	group = get_group(r, first, word_at(r, first));
	while (group >= 0 && (name = next_name(&users, buf, sizeof(buf)))) {
		struct user *u = get_user(r, name);

		if (u)
			u->groups |= UINT64_C(1) << group;
	}
}

void kw_user(struct reader *r, size_t first, const void *data)
{
	struct user *u = r->userlist ? get_user(r, word_at(r, first)) : NULL;
	char buf[USER_NAME_MAX + 1];

	if (strlen(word_at(r, first)) > USER_NAME_MAX) {
		say(r, DIAG_ERROR, first, "the name of a user has at most %d characters",
		    USER_NAME_MAX);
		return;
	}
	for (size_t i = first + 1; u && i < r->line->n; i += 2) {
		const char *word = word_at(r, i), *list = word_at(r, i + 1), *name;
		int group;

		if (i + 1 == r->line->n) {
			say(r, DIAG_ERROR, i, "\"%s\" needs a word behind it", word);
			return;
		}
		if (!strcmp(word, "password") || !strcmp(word, "insecure-password")) {
			u->is_plain = *word == 'i';
			u->password = keep_text(r, list);
		} else if (!strcmp(word, "groups")) {
			while ((name = next_name(&list, buf, sizeof(buf))) &&
			       (group = get_group(r, i + 1, name)) >= 0)
				u->groups |= UINT64_C(1) << group;
		} else {
			say(r, DIAG_ERROR, i,
			    "\"%s\" is not known here: password, insecure-password and groups are",
			    word);
			return;
		}
	}
}

void cfg_check_userlists(struct reader *r)
{
	const struct cfg_proxy *first =
	    STAILQ_FIRST(&r->cfg->proxies); /* some rule of a proxy asks */

	for (const struct userlist *l = r->cfg->shared ? r->cfg->shared->userlists : NULL; l;
	     l = l->next)
		if (!l->is_defined && first)
			diag_add(r->diag, DIAG_ERROR, &first->at,
				 "there is no userlist \"%s\" for http_auth(%s): add a section "
				 "\"userlist %s\"",
				 l->name, l->name, l->name);
}
