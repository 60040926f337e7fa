/* SPDX-License-Identifier: MIT */
/* Names of HAProxy's that are not here (yet): so that they are told from a slip of the pen. */
#include <string.h>

#include "rules/expr.h"

/* clang-format off */
static const char *const fetches[] = {
    "res.body",
    "res.body_len",
    "res.body_size",
    NULL,
};

static const char *const convs[] = {
    "when",
    "xxh3",
    "xxh32",
    NULL,
};
/* clang-format on */

static bool has(const char *const *names, struct text name)
{
	for (; *names; names++)
		if (strlen(*names) == name.len && !strncmp(*names, name.at, name.len))
			return true;
	return false;
}

bool fetch_is_known(struct text name)
{
	return has(fetches, name);
}

bool conv_is_known(struct text name)
{
	return has(convs, name);
}
