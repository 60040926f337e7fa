/* SPDX-License-Identifier: MIT */
/* Certificates that are shown to clients and servers, and OCSP answers stapled to them. */
#include <stdlib.h>
#include <string.h>

#include "engine/objects.h"
#include "runtime.h"
#include "tls/tls.h"

/* Those of the configuration, by file: one that is named twice was read twice. */
struct pairs {
	const struct tls_pair **at;
	size_t n, cap;
	bool no_memory;
};

static void add(void *arg, const struct tls_pair *p)
{
	struct pairs *all = arg;

	if (all->n == all->cap) {
		size_t cap = all->cap ? 2 * all->cap : 64;
		const struct tls_pair **more = realloc(all->at, cap * sizeof(*more));

		if (!more) {
			all->no_memory = true;
			return;
		}
		all->at = more;
		all->cap = cap;
	}
	all->at[all->n++] = p;
}

static int by_file(const void *a, const void *b)
{
	const struct tls_pair *const *x = a, *const *y = b;

	return strcmp(tls_pair_file(*x), tls_pair_file(*y));
}

/* `at` is to be freed. False: no memory, and that was said. */
static bool collect(struct call *c, struct pairs *all)
{
	const struct cfg *cfg = engine_set(c->e)->cfg;
	const struct cfg_proxy *p;
	const struct cfg_server *s;
	const struct cfg_bind *b;
	size_t kept = 0;

	*all = (struct pairs){0};
	STAILQ_FOREACH (p, &cfg->proxies, next) {
		STAILQ_FOREACH (b, &p->binds, next)
			if (b->tls)
				tls_front_pairs(b->tls, add, all);
		STAILQ_FOREACH (s, &p->servers, next)
			if (s->tls)
				tls_back_pair(s->tls, add, all);
	}
	if (all->n)
		qsort(all->at, all->n, sizeof(all->at[0]), by_file);
	for (size_t i = 0; i < all->n; i++)
		if (!kept || by_file(&all->at[kept - 1], &all->at[i]) != 0)
			all->at[kept++] = all->at[i];
	all->n = kept;
	if (all->no_memory)
		call_say(c, "There is not memory enough.\n");
	return !all->no_memory;
}

/* Puts `text` and frees it. */
static void put(struct call *c, char *text)
{
	out_text(c->out, text ? text : "There is not memory enough.\n");
	free(text);
}

void run_show_ssl_cert(struct call *c)
{
	const struct tls_pair *found = NULL;
	struct pairs all;

	if (collect(c, &all) && !c->n) {
		out_text(c->out, "# filename\n");
		for (size_t i = 0; i < all.n; i++)
			out_printf(c->out, "%s\n", tls_pair_file(all.at[i]));
	} else if (!all.no_memory) {
		for (size_t i = 0; i < all.n && c->n == 1 && !found; i++)
			if (!strcmp(tls_pair_file(all.at[i]), c->word[0]))
				found = all.at[i];
		if (found)
			put(c, tls_pair_text(found));
		else
			call_say(c, "Can't display the certificate: Not found or the certificate "
				    "is a bundle!\n");
	}
	free(all.at);
}

void run_show_ssl_ocsp(struct call *c)
{
	bool found = false;
	struct pairs all;

	if (collect(c, &all))
		out_text(c->out, c->n ? "" : "# Certificate IDs\n");
	for (size_t i = 0; i < all.n && !all.no_memory && !found; i++) {
		char *id;

		if (!c->n) {
			put(c, tls_pair_ocsp_line(all.at[i]));
			continue;
		}
		id = tls_pair_ocsp_id(all.at[i]);
		found = id && *id && !strcmp(id, c->word[0]);
		free(id);
		if (found)
			put(c, tls_pair_ocsp_text(all.at[i]));
	}
	if (c->n && !found && !all.no_memory)
		call_say(c, "Certificate ID does not match any certificate.\n");
	free(all.at);
}
