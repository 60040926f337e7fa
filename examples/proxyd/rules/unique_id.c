/* SPDX-License-Identifier: MIT */
#include "rules/unique_id.h"

#include <string.h>

#include "rules/format.h"

static void make(struct run *r)
{
	const struct format *format = r->id_format;
	size_t used = r->scratch.used;
	struct text t;

	r->id_format = NULL; /* it may ask for itself */
	if (format_write(format, r, &t))
		*r->unique_id = strndup(t.at, t.len);
	r->id_format = format;
	r->scratch.used = used;
}

struct text run_unique_id(struct run *r)
{
	if (r->unique_id && !*r->unique_id && r->id_format)
		make(r);
	return r->unique_id && *r->unique_id ? text_of(*r->unique_id, strlen(*r->unique_id)) : text_of(NULL, 0);
}
