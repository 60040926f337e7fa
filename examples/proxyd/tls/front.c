/* SPDX-License-Identifier: MIT */
/* What a `bind` line offers: which certificate goes with which name; its life. */
#include <stdlib.h>
#include <string.h>

#include "tls/front.h"

/* ---- Choosing ---- */

static int compare_text(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

/* The first one of this text; *ret_n of them. */
static const struct name *names_of(const struct tls_front *f, const char *text, size_t *ret_n)
{
	struct name key = {.text = (char *)(uintptr_t)text};
	const struct name *one = NULL, *end = f->name + f->n_names;

	*ret_n = 0;
	if (f->n_names)
		one = bsearch(&key, f->name, f->n_names, sizeof(*f->name), compare_text);
	if (!one)
		return NULL;
	while (one > f->name && !compare_text(one - 1, &key))
		one--;
	while (one + *ret_n < end && !compare_text(one + *ret_n, &key))
		++*ret_n;
	return one;
}

/* Does the line that has this wildcard exclude the name? */
static bool is_excluded(const struct name *exact, size_t n, size_t site)
{
	for (size_t i = 0; i < n; i++)
		if (exact[i].excluded && exact[i].site == site)
			return true;
	return false;
}

const struct site *front_site_named(const struct tls_front *f, const char *host)
{
	size_t n_exact, n_wild = 0;
	const struct name *exact = names_of(f, host, &n_exact), *wild = NULL;
	const char *dot = strchr(host, '.');

	for (size_t i = 0; i < n_exact; i++)
		if (!exact[i].excluded)
			return &f->site[exact[i].site];
	if (dot)
		wild = names_of(f, dot, &n_wild);
	for (size_t i = 0; i < n_wild; i++)
		if (!wild[i].excluded && !is_excluded(exact, n_exact, wild[i].site))
			return &f->site[wild[i].site];
	return NULL;
}

static const struct site *find(const struct tls_front *f, const char *host)
{
	const struct site *s = front_site_named(f, host);

	return s || f->strict_sni || !f->n_sites ? s : &f->site[f->fallback];
}

const char *tls_front_find(const struct tls_front *f, const char *host)
{
	const struct site *s = find(f, host);

	for (int kind = 0; s && kind < TLS_KEY_KINDS; kind++)
		if (s->pair[kind])
			return s->pair[kind]->item.file;
	return NULL;
}

bool tls_front_uses(const struct tls_front *f, enum tls_kind kind, const char *file)
{
	for (size_t i = 0; kind == TLS_CERT && i < f->n_pairs; i++)
		if (!strcmp(f->pair[i]->item.file, file))
			return true;
	for (size_t i = 0; kind != TLS_CERT && i < f->n_terms; i++)
		if (f->terms[i].trust && tls_trust_uses(f->terms[i].trust, kind, file))
			return true;
	return false;
}

/* ---- Life ---- */

/* False: no memory. */
static bool start_forge(struct tls_front *f)
{
	if (!f->authority || !f->n_sites)
		return true;
	f->forge = tls_forge_new(f->authority, f->site[f->fallback].pair, f->globals.forged_max);
	return f->forge;
}

/* Frees `f` when it comes to nothing: NULL then. */
static struct tls_front *fill(struct tls_front *f, const struct tls_source *source, unsigned n, struct tls_ticket_keys *keys,
			      const struct diag_place *at, struct diag *d)
{
	size_t errors = d->count[DIAG_ERROR];

	front_read(f, source, n, keys, at, d);
	if (d->count[DIAG_ERROR] == errors && !start_forge(f))
		diag_add(d, DIAG_ERROR, at, "out of memory");
	f->store = NULL;
	if (d->count[DIAG_ERROR] == errors)
		return f;
	tls_front_free(f);
	return NULL;
}

struct tls_front *tls_front_new(const struct tls_front_opts *o, struct diag *d)
{
	struct tls_front *f = calloc(1, sizeof(*f));

	if (!f) {
		diag_add(d, DIAG_ERROR, &o->at, "out of memory");
		return NULL;
	}
	f->store = o->store;
	f->settings = o->settings;
	f->globals = *o->globals;
	f->strict_sni = o->strict_sni;
	if (o->sign_file)
		f->authority = tls_authority_read(o->sign_file, o->sign_pass, d, &o->sign_at);
	if (o->sign_file && !f->authority) {
		tls_front_free(f);
		return NULL;
	}
	return fill(f, o->source, o->n_sources, NULL, &o->at, d);
}

struct tls_front *tls_front_again(const struct tls_front *from, struct tls_store *store, const struct tls_source *source, unsigned n,
				  struct diag *d)
{
	static const struct diag_place nowhere;
	struct tls_front *f = calloc(1, sizeof(*f));

	if (!f) {
		diag_add(d, DIAG_ERROR, &nowhere, "out of memory");
		return NULL;
	}
	f->store = store;
	f->again = true;
	f->settings = from->settings;
	f->globals = from->globals;
	f->strict_sni = from->strict_sni;
	f->authority = tls_authority_hold(from->authority);
	return fill(f, source, n, from->keys, &nowhere, d);
}

const struct tls_source *tls_front_sources(const struct tls_front *f, unsigned *ret_n)
{
	*ret_n = f->n_sources;
	return f->source;
}

const char *tls_front_ticket_file(const struct tls_front *f)
{
	return f->settings.ticket_keys;
}

bool tls_front_ticket_key(const struct tls_front *f, unsigned i, char ret[TLS_TICKET_KEY_TEXT])
{
	return tls_ticket_keys_text(f->keys, i, ret);
}

int tls_front_add_ticket_key(struct tls_front *f, const char *base64)
{
	struct tls_ticket_keys *more;
	int e = tls_ticket_keys_with(f->keys, base64, &more);

	if (e)
		return e;
	tls_ticket_keys_free(f->keys);
	f->keys = more;
	return 0;
}

struct tls_front *tls_front_hold(struct tls_front *f)
{
	f->refs++;
	return f;
}

void tls_front_free(struct tls_front *f)
{
	if (!f || f->refs--)
		return;
	for (unsigned i = 0; i < TLS_WORKERS_MAX; i++) {
		struct front_worker *w = f->worker[i];

		for (size_t k = 0; w && k < f->n_sites; k++)
			SSL_CTX_free(w->ctx[k]);
		if (w)
			SSL_CTX_free(w->without);
		free(w);
	}
	for (size_t i = 0; i < f->n_names; i++)
		free(f->name[i].text);
	for (size_t i = 0; i < f->n_pairs; i++)
		tls_item_free(&f->pair[i]->item);
	for (unsigned i = 0; i < f->n_sources; i++)
		free((char *)(uintptr_t)f->source[i].path);
	for (size_t i = 0; i < f->n_terms; i++)
		tls_trust_free(f->terms[i].trust);
	tls_ticket_keys_free(f->keys);
	tls_forge_free(f->forge);
	tls_authority_free(f->authority);
	free(f->name);
	free(f->pair);
	free(f->site);
	free(f->source);
	free(f->terms);
	free(f);
}
