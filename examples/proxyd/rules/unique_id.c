/* SPDX-License-Identifier: MIT */
#include "rules/unique_id.h"

#include <string.h>

#include "rules/format.h"

#define UNIQUE_ID_MAX 127 /* bytes; HAProxy's, and its TLV of a PROXY header has no more than 128 */

static void make(struct run *r)
{
	const struct format *format = r->id_format;
	size_t used = r->scratch.used;
	struct text t;

	r->id_format = NULL; /* it may ask for itself */
	if (format_write(format, r, &t))
		*r->unique_id = strndup(t.at, t.len < UNIQUE_ID_MAX ? t.len : UNIQUE_ID_MAX);
	r->id_format = format;
	r->scratch.used = used;
}

struct text run_unique_id(struct run *r)
{
	if (r->unique_id && !*r->unique_id && r->id_format)
		make(r);
	return r->unique_id && *r->unique_id ? text_of(*r->unique_id, strlen(*r->unique_id)) : text_of(NULL, 0);
}
