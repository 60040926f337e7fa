/* SPDX-License-Identifier: MIT */
/* Converters of HAProxy's that not every build has, so that they are told from a slip of the pen. */
#include <string.h>

#include "rules/expr.h"

/* with libxxhash */
static const char *const convs[] = {"xxh3", "xxh32", NULL};

bool conv_is_known(struct text name)
{
	for (const char *const *c = convs; *c; c++)
		if (strlen(*c) == name.len && !strncmp(*c, name.at, name.len))
			return true;
	return false;
}
