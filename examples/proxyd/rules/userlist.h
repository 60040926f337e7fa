/* SPDX-License-Identifier: MIT */
/* Users with passwords and groups: the sections userlist, http_auth() and its like. */
#ifndef PROXYD_RULES_USERLIST_H
#define PROXYD_RULES_USERLIST_H

#include "rules/expr.h"

#define USERS_MAX 65536
#define USER_NAME_MAX 127
#define USER_GROUPS_MAX 64 /* of one list */

struct user {
	struct user *next;
	const char *name, *password; /* NULL: nobody gets in by it */
	bool is_plain;		     /* insecure-password: not hashed */
	uint64_t groups;	     /* a bit for each of the list's */
};

struct userlist {
	struct userlist *next;
	const char *name;
	struct user *users;
	unsigned n_users;
	const char *group[USER_GROUPS_MAX];
	unsigned n_groups;
	bool is_defined; /* it has a section */
};

struct rule_shared;

/* The list of this name, made when there is none: a rule may stand before its section. NULL: no memory. */
struct userlist *userlist_get(struct rule_shared *s, const struct rule_memory *m, const char *name);

/* The number of a group, made when there is none; -1: too many. */
int userlist_group(struct userlist *l, const struct rule_memory *m, const char *name);
struct user *userlist_user(const struct userlist *l, const char *name);

/*
 * The user that has this name and password; NULL: none. Hashed passwords are those of crypt(3), whose cost is
 * that of the hash: milliseconds of a worker for each request.
 */
const struct user *userlist_check(const struct userlist *l, struct text name, struct text password);

#endif
