/* SPDX-License-Identifier: MIT */
/* The options of the SQL probes, checked once for both. */
#ifndef LIBHEALTH_SQL_H
#define LIBHEALTH_SQL_H

#include <errno.h>

#include <libhealth/probe_sql.h>

#include "base/mem.h"
#include "base/sized.h"

struct sql_config {
	char user[HEALTH_SQL_WORD_MAX + 1];
	char database[HEALTH_SQL_WORD_MAX + 1];
	char password[HEALTH_SQL_WORD_MAX + 1];
	bool has_password, starttls;
	const struct health_crypto *crypto;
};

static inline bool sql_word(char *ret, const char *given)
{
	size_t len = strnlen(given, HEALTH_SQL_WORD_MAX + 1);

	if (!len || len > HEALTH_SQL_WORD_MAX)
		return false;
	memcpy(ret, given, len + 1);
	return true;
}

static inline bool sql_fill(struct sql_config *c, const struct health_sql_opts *o)
{
	if (!o->user)
		return !o->password && !o->database && !o->starttls;
	if (!sql_word(c->user, o->user) || (o->database && !sql_word(c->database, o->database)))
		return false;
	if (!o->password)
		return true;
	c->has_password = true;
	c->crypto = o->crypto;
	return sql_word(c->password, o->password) && c->crypto && c->crypto->size &&
	       c->crypto->digest && c->crypto->hmac;
}

static inline void sql_teardown(void *config)
{
	mem_wipe_free(config, sizeof(struct sql_config));
}

static inline int sql_setup(const void *opts, void **ret_config)
{
	struct health_sql_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct sql_config *c;

	if (r < 0)
		return r;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->starttls = o.starttls != 0;
	if (!sql_fill(c, &o)) {
		sql_teardown(c);
		return -EINVAL;
	}
	*ret_config = c;
	return 0;
}

#endif
