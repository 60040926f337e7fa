/* SPDX-License-Identifier: MIT */
#include "rules/userlist.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "rules/map.h"

#define PASSWORD_MAX 255

struct userlist *userlist_get(struct rule_shared *s, const struct rule_memory *m, const char *name)
{
	struct userlist *l;
	char *copy;

	for (l = s->userlists; l; l = l->next)
		if (!strcmp(l->name, name))
			return l;
	l = m->alloc(m->owner, sizeof(*l));
	copy = m->alloc(m->owner, strlen(name) + 1);
	if (!l || !copy)
		return NULL;
	l->name = strcpy(copy, name);
	l->next = s->userlists;
	s->userlists = l;
	return l;
}

int userlist_group(struct userlist *l, const struct rule_memory *m, const char *name)
{
	char *copy;

	for (unsigned i = 0; i < l->n_groups; i++)
		if (!strcmp(l->group[i], name))
			return (int)i;
	if (l->n_groups == USER_GROUPS_MAX)
		return -1;
	copy = m->alloc(m->owner, strlen(name) + 1);
	if (!copy)
		return -1;
	l->group[l->n_groups] = strcpy(copy, name);
	return (int)l->n_groups++;
}

struct user *userlist_user(const struct userlist *l, const char *name)
{
	for (struct user *u = l->users; u; u = u->next)
		if (!strcmp(u->name, name))
			return u;
	return NULL;
}

/* In a time that does not tell how much of it is right. */
static bool same(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned char wrong = n != m;

	for (size_t i = 0; i < n; i++)
		wrong |= (unsigned char)(a[i] ^ b[m ? i % m : 0]);
	return !wrong;
}

static bool is_password(const struct user *u, const char *given)
{
	struct crypt_data *space;
	const char *hash;
	bool ok;

	if (!u->password)
		return false;
	if (u->is_plain)
		return same(given, u->password);
	space = calloc(1, sizeof(*space));
	hash = space ? crypt_r(given, u->password, space) : NULL;
	ok = hash && *hash != '*' && same(hash, u->password);
	if (space)
		explicit_bzero(space, sizeof(*space));
	free(space);
	return ok;
}

const struct user *userlist_check(const struct userlist *l, struct text name, struct text password)
{
	char user[USER_NAME_MAX + 1], given[PASSWORD_MAX + 1];
	const struct user *u;

	if (name.len > USER_NAME_MAX || password.len > PASSWORD_MAX ||
	    memchr(password.at, '\0', password.len))
		return NULL;
	memcpy(user, name.at, name.len);
	user[name.len] = '\0';
	memcpy(given, password.at, password.len);
	given[password.len] = '\0';
	u = userlist_user(l, user);
	if (u && !is_password(u, given))
		u = NULL;
	explicit_bzero(given, sizeof(given));
	return u;
}
