/* SPDX-License-Identifier: MIT */
/* Files that TLS is made of, by name: read once for a configuration, and changed at run time. */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "tls/internal.h"

struct tls_store {
	void *tree[TLS_KINDS]; /* of struct tls_item, by name; see tsearch(3) */
	struct tls_item *open[TLS_KINDS];
	struct tls_extra *extra; /* NULL: as by default */
};

/* ---- Items ---- */

struct tls_item *tls_item_new(enum tls_kind kind, const char *file)
{
	struct tls_item *item = calloc(1, kind == TLS_CERT ? sizeof(struct tls_pair) : sizeof(struct tls_trusted));

	if (!item)
		return NULL;
	item->what = kind;
	item->file = strdup(file);
	if (kind != TLS_CERT) {
		struct tls_trusted *t = (struct tls_trusted *)item;

		t->ca = sk_X509_new_null();
		t->crl = sk_X509_CRL_new_null();
		if (item->file && t->ca && t->crl)
			return item;
	} else if (item->file) {
		return item;
	}
	tls_item_free(item);
	return NULL;
}

struct tls_item *tls_item_hold(struct tls_item *item)
{
	item->refs++;
	return item;
}

void tls_item_free(struct tls_item *item)
{
	if (!item || item->refs--)
		return;
	if (item->what == TLS_CERT) {
		tls_pair_clear((struct tls_pair *)item);
	} else {
		struct tls_trusted *t = (struct tls_trusted *)item;

		sk_X509_pop_free(t->ca, X509_free);
		sk_X509_CRL_pop_free(t->crl, X509_CRL_free);
	}
	free(item->file);
	free(item);
}

const char *tls_item_file(const struct tls_item *item)
{
	return item->file;
}

enum tls_kind tls_item_kind(const struct tls_item *item)
{
	return item->what;
}

unsigned tls_item_count(const struct tls_item *item)
{
	const struct tls_trusted *t = (const struct tls_trusted *)item;

	if (item->what == TLS_CERT)
		return ((const struct tls_pair *)item)->leaf != NULL;
	return (unsigned)(item->what == TLS_CA ? sk_X509_num(t->ca) : sk_X509_CRL_num(t->crl));
}

bool tls_item_is_empty(const struct tls_item *item)
{
	return !tls_item_count(item);
}

static struct tls_item *parse_trusted(const struct tls_item *before, const char *text, const char **ret_why)
{
	BIO *b = BIO_new_mem_buf(text, -1);
	struct tls_trusted *t = b ? tls_trusted_parse(before->what, before->file, b, ret_why) : NULL;

	BIO_free(b);
	if (!t || tls_item_count(&t->item) || before->what == TLS_CRL)
		return t ? &t->item : NULL;
	*ret_why = "there is no certificate in it";
	tls_item_free(&t->item);
	return NULL;
}

struct tls_item *tls_item_parse(const struct tls_item *before, const char *part, const char *text, char *why, size_t cap)
{
	const char *reason = "no memory";
	struct tls_item *item;

	if (before->what == TLS_CERT)
		item = tls_pair_parse((const struct tls_pair *)before, part, text, &reason);
	else
		item = parse_trusted(before, text, &reason);
	if (!item)
		snprintf(why, cap, "%s", reason);
	return item;
}

struct tls_item *tls_item_add(const struct tls_item *before, const char *text, char *why, size_t cap)
{
	const struct tls_trusted *old = (const struct tls_trusted *)before;
	struct tls_item *item = tls_item_parse(before, "", text, why, cap);

	for (int i = 0; item && i < sk_X509_num(old->ca); i++) {
		X509 *x = sk_X509_value(old->ca, i);

		if (sk_X509_insert(((struct tls_trusted *)item)->ca, x, i)) {
			X509_up_ref(x);
			continue;
		}
		snprintf(why, cap, "no memory");
		tls_item_free(item);
		item = NULL;
	}
	return item;
}

static bool write_certs(BIO *b, const STACK_OF(X509) * certs)
{
	for (int i = 0; certs && i < sk_X509_num(certs); i++)
		if (!PEM_write_bio_X509(b, sk_X509_value(certs, i)))
			return false;
	return true;
}

static bool write_pair(BIO *b, const struct tls_pair *p)
{
	return (!p->leaf || PEM_write_bio_X509(b, p->leaf)) && write_certs(b, p->chain) &&
	       (!p->key || PEM_write_bio_PrivateKey(b, p->key, NULL, NULL, 0, NULL, NULL));
}

static bool write_trusted(BIO *b, const struct tls_trusted *t)
{
	for (int i = 0; i < sk_X509_CRL_num(t->crl); i++)
		if (!PEM_write_bio_X509_CRL(b, sk_X509_CRL_value(t->crl, i)))
			return false;
	return write_certs(b, t->ca);
}

char *tls_item_pem(const struct tls_item *item)
{
	BIO *b = BIO_new(BIO_s_mem());
	bool ok = b && (item->what == TLS_CERT ? write_pair(b, (const struct tls_pair *)item)
					       : write_trusted(b, (const struct tls_trusted *)item));
	char *text, *copy = NULL;
	long len = ok ? BIO_get_mem_data(b, &text) : 0;

	if (ok && (copy = malloc((size_t)len + 1))) {
		memcpy(copy, text, (size_t)len);
		copy[len] = '\0';
	}
	BIO_free(b);
	return copy;
}

bool tls_item_is_whole(const struct tls_item *item, char *why, size_t cap)
{
	if (item->what == TLS_CERT)
		return tls_pair_is_whole((const struct tls_pair *)item, why, cap);
	snprintf(why, cap, "%s", "");
	return true;
}

/* ---- The store ---- */

struct tls_store *tls_store_new(void)
{
	return calloc(1, sizeof(struct tls_store));
}

static void free_node(void *item)
{
	tls_item_free(item);
}

void tls_store_free(struct tls_store *s)
{
	for (int kind = 0; s && kind < TLS_KINDS; kind++) {
		tdestroy(s->tree[kind], free_node);
		tls_item_free(s->open[kind]);
	}
	if (s)
		tls_extra_free(s->extra);
	free(s);
}

bool tls_store_set_extra(struct tls_store *s, const struct tls_extra_words *words, struct diag *d, const struct diag_place *at)
{
	tls_extra_free(s->extra);
	s->extra = tls_extra_new(words, d, at);
	return s->extra;
}

const struct tls_extra *tls_store_extra(const struct tls_store *s)
{
	return s->extra;
}

static int by_file(const void *a, const void *b)
{
	const struct tls_item *x = a, *y = b;

	return strcmp(x->file, y->file);
}

struct tls_item *tls_store_find(const struct tls_store *s, enum tls_kind kind, const char *file)
{
	struct tls_item key = {.file = (char *)(uintptr_t)file};
	struct tls_item *const *found = tfind(&key, &s->tree[kind], by_file);

	return found ? *found : NULL;
}

int tls_store_put(struct tls_store *s, struct tls_item *item)
{
	struct tls_item **at = tsearch(item, &s->tree[item->what], by_file), *old;

	if (!at)
		return -ENOMEM;
	old = *at == item ? NULL : *at;
	*at = tls_item_hold(item);
	tls_item_free(old);
	return 0;
}

void tls_store_remove(struct tls_store *s, enum tls_kind kind, const char *file)
{
	struct tls_item *item = tls_store_find(s, kind, file);

	if (!item)
		return;
	tdelete(item, &s->tree[kind], by_file);
	tls_item_free(item);
}

struct walk {
	void (*fn)(void *arg, const struct tls_item *item);
	void *arg;
};

static void visit(const void *node, VISIT when, void *closure)
{
	const struct walk *w = closure;

	if (when == postorder || when == leaf)
		w->fn(w->arg, *(struct tls_item *const *)node);
}

void tls_store_each(const struct tls_store *s, enum tls_kind kind, void (*fn)(void *arg, const struct tls_item *item),
		    void *arg)
{
	twalk_r(s->tree[kind], visit, &(struct walk){fn, arg});
}

struct tls_item *tls_store_open(const struct tls_store *s, enum tls_kind kind)
{
	return s->open[kind];
}

void tls_store_set_open(struct tls_store *s, enum tls_kind kind, struct tls_item *item)
{
	tls_item_free(s->open[kind]);
	s->open[kind] = item;
}

/* ---- From files ---- */

/* Puts what was read, which the store alone holds then. NULL: told. */
static void *keep(struct tls_store *s, struct tls_item *item, struct diag *d, const struct diag_place *at)
{
	int e = item ? tls_store_put(s, item) : 0;

	tls_item_free(item);
	if (!e)
		return item;
	diag_add(d, DIAG_ERROR, at, "out of memory");
	return NULL;
}

struct tls_pair *tls_store_pair(struct tls_store *s, const char *file, bool again, struct diag *d, const struct diag_place *at)
{
	struct tls_pair *p = (struct tls_pair *)tls_store_find(s, TLS_CERT, file);

	if (p && p->leaf && p->key)
		return p;
	if (p || again) {
		diag_add(d, DIAG_ERROR, at, "%s: nothing was set for this certificate yet", file);
		return NULL;
	}
	p = tls_pair_read(file, s->extra, d, at);
	return keep(s, p ? &p->item : NULL, d, at);
}

struct tls_trusted *tls_store_trusted(struct tls_store *s, enum tls_kind kind, const char *file, bool again, struct diag *d,
				      const struct diag_place *at)
{
	struct tls_trusted *t = (struct tls_trusted *)tls_store_find(s, kind, file);
	const char *why = "it is not in memory: new ssl ca-file, and set";

	if (t)
		return t;
	t = again ? NULL : tls_trusted_read(kind, file, &why);
	if (!t)
		diag_add(d, DIAG_ERROR, at, "%s: cannot read this %s: %s", file, kind == TLS_CA ? "ca-file" : "crl-file", why);
	return keep(s, t ? &t->item : NULL, d, at);
}
