/* SPDX-License-Identifier: MIT */
#include "cfg/access.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

static bool read_owner(struct reader *r, size_t i, bool user, long *ret)
{
	const char *name = word_at(r, i);
	const struct passwd *u = user ? getpwnam(name) : NULL;
	const struct group *g = user ? NULL : getgrnam(name);

	if (!u && !g) {
		say(r, DIAG_ERROR, i, "there is no %s \"%s\" on this machine", user ? "user" : "group", name);
		return false;
	}
	*ret = u ? (long)u->pw_uid : (long)g->gr_gid;
	return true;
}

static bool read_mode(struct reader *r, size_t i, int *ret)
{
	char *end;
	unsigned long mode = strtoul(word_at(r, i), &end, 8);

	if (*end || end == word_at(r, i) || mode > 0777) {
		say(r, DIAG_ERROR, i, "\"%s\" is no mode of a file: write three octal digits such as 600",
		    word_at(r, i));
		return false;
	}
	*ret = (int)mode;
	return true;
}

static bool read_id(struct reader *r, size_t i, const char *what, long *ret)
{
	unsigned id;

	if (!read_number(r, i, what, 0, 2147483647, &id))
		return false;
	*ret = (long)id;
	return true;
}

bool access_word(const char *word)
{
	static const char *const words[] = {"mode", "user", "group", "uid", "gid"};

	for (size_t k = 0; k < sizeof(words) / sizeof(*words); k++)
		if (!strcmp(word, words[k]))
			return true;
	return false;
}

bool access_read(struct reader *r, size_t i, const char *word, struct cfg_access *access)
{
	bool user = *word == 'u'; /* or uid */

	if (*word == 'm')
		return read_mode(r, i, &access->mode);
	if (!strcmp(word + 1, "id"))
		return read_id(r, i, word, user ? &access->uid : &access->gid);
	return read_owner(r, i, user, user ? &access->uid : &access->gid);
}
