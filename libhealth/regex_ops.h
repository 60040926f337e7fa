/* SPDX-License-Identifier: MIT */
/* The host's regular expressions, taken over. */
#ifndef LIBHEALTH_REGEX_OPS_H
#define LIBHEALTH_REGEX_OPS_H

#include <libhealth/foreign.h>

#include "base/sized.h"

/* 0; -EINVAL: a function is missing; -E2BIG. */
static inline int regex_ops_copy(struct health_regex *ret, const struct health_regex *given)
{
	int r = sized_in(ret, sizeof(*ret), given);

	if (r < 0)
		return r;
	return ret->compile && ret->search && ret->free ? 0 : -EINVAL;
}

#endif
