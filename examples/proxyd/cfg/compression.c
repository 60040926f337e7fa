/* SPDX-License-Identifier: MIT */
/* The lines `compression …`: which answers are made smaller on their way to the client. */
#include "cfg/read.h"

#include <string.h>

/* The section's own: what its defaults say is the beginning of it. NULL: no memory. */
static struct cfg_compression *own(struct reader *r)
{
	const struct cfg_compression *inherited = r->proxy->set.http.compression;
	struct cfg_compression *c;

	if (inherited && inherited->of == r->proxy)
		return (struct cfg_compression *)(uintptr_t)inherited;
	c = keep(r, sizeof(*c));
	if (!c)
		return NULL;
	if (inherited)
		*c = *inherited;
	c->of = r->proxy;
	r->proxy->set.http.compression = c;
	return c;
}

/* "no compression …" */
static bool is_off(struct reader *r)
{
	if (r->no)
		r->proxy->set.http.compression = NULL;
	return r->no;
}

/* HAProxy looks at the last one first: that is who gets "Accept-Encoding: *". */
static void prepend(struct cfg_compression *c, enum cfg_encoding e)
{
	for (unsigned i = 0; i < c->n_algos; i++)
		if (c->algo[i] == e)
			return;
	memmove(c->algo + 1, c->algo, c->n_algos * sizeof(*c->algo));
	c->algo[0] = e;
	c->n_algos++;
}

void kw_compression_algo(struct reader *r, size_t first, const void *data)
{
	static const char *const names[CFG_ENCODINGS + 1] = {"identity", "gzip", "deflate", "raw-deflate", NULL};
	struct cfg_compression *c = is_off(r) ? NULL : own(r);

	for (size_t i = first; c && i < r->line->n; i++) {
		unsigned k = 0;

		while (names[k] && strcmp(names[k], word_at(r, i)) != 0)
			k++;
		if (names[k])
			prepend(c, (enum cfg_encoding)k);
		else
			say_unknown(r, i, "compression", names, NULL);
	}
}

void kw_compression_type(struct reader *r, size_t first, const void *data)
{
	struct cfg_compression *c = is_off(r) ? NULL : own(r);

	for (size_t i = first; c && i < r->line->n; i++) {
		if (c->n_types == CFG_COMPRESSION_TYPES_MAX) {
			say(r, DIAG_ERROR, i, "there are more than %d types", CFG_COMPRESSION_TYPES_MAX);
			return;
		}
		c->type[c->n_types++] = keep_word(r, i);
	}
}

void kw_compression_offload(struct reader *r, size_t first, const void *data)
{
	struct cfg_compression *c = is_off(r) ? NULL : own(r);

	if (c)
		c->offload = true;
}

/* minsize-res; minsize-req is of requests, which are not compressed */
void kw_compression_minsize(struct reader *r, size_t first, const void *data)
{
	const char *word = word_at(r, first - 1);
	struct cfg_compression *c = is_off(r) ? NULL : own(r);
	unsigned bytes;

	if (c && read_size(r, first, word, 0, INT32_MAX, &bytes) && !strcmp(word, "minsize-res"))
		c->min_bytes = bytes;
}

void kw_compression_direction(struct reader *r, size_t first, const void *data)
{
	const char *word = word_at(r, first);

	if (!strcmp(word, "request") || !strcmp(word, "both"))
		say(r, DIAG_WARNING, first, "answers are compressed, requests pass as clients send them%s",
		    *word == 'r' ? ": this line has no effect" : "");
	else if (strcmp(word, "response") != 0)
		say(r, DIAG_ERROR, first, "\"%s\" is no direction: write response", word);
}

void kw_filter_compression(struct reader *r, size_t first, const void *data)
{
	(void)data; /* there is one place for it: behind the rules, as without the line */
}
