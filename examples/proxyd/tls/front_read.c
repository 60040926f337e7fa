/* SPDX-License-Identifier: MIT */
/* Of files, folders and what a store has: certificates, their names, and what is said of them. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "tls/front.h"

#define FILE_NAME_MAX 4096

/* ---- Growing ---- */

static bool grow(void *array, size_t n, size_t size)
{
	void **a = array, *more;

	if (n & (n - 1)) /* room up to the next power of two */
		return true;
	more = realloc(*a, (n ? 2 * n : 1) * size);
	if (more)
		*a = more;
	return more;
}

static struct site *add_site(struct tls_front *f, struct terms *terms)
{
	if (!grow(&f->site, f->n_sites, sizeof(*f->site)))
		return NULL;
	f->site[f->n_sites] = (struct site){.terms = terms};
	return &f->site[f->n_sites++];
}

static bool add_name(struct tls_front *f, const char *text, size_t site)
{
	bool excluded = *text == '!';
	char *copy;

	text += excluded;
	if (*text == '*')
		text++;
	if (!*text) /* "*" is any name: that is what the default is for */
		return true;
	if (!grow(&f->name, f->n_names, sizeof(*f->name)))
		return false;
	copy = strdup(text);
	if (!copy)
		return false;
	for (char *c = copy; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	f->name[f->n_names++] = (struct name){copy, site, excluded};
	return true;
}

/* ---- What a line says of its clients ---- */

/* Sessions are taken up only where the same clients would be let in. */
static bool mark_sessions(struct terms *t)
{
	EVP_MD_CTX *h = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	bool ok = h && EVP_DigestInit_ex(h, EVP_sha256(), NULL) &&
		  EVP_DigestUpdate(h, &t->settings->verify, sizeof(t->settings->verify));

	for (int i = 0; ok && t->trust && i < sk_X509_num(t->trust->ca); i++)
		ok = X509_digest(sk_X509_value(t->trust->ca, i), EVP_sha256(), digest, &len) &&
		     EVP_DigestUpdate(h, digest, len);
	for (int i = 0; ok && t->trust && i < sk_X509_CRL_num(t->trust->crl); i++)
		ok = X509_CRL_digest(sk_X509_CRL_value(t->trust->crl, i), EVP_sha256(), digest,
				     &len) &&
		     EVP_DigestUpdate(h, digest, len);
	len = 0;
	ok = ok && EVP_DigestFinal_ex(h, t->session_context, &len);
	EVP_MD_CTX_free(h);
	t->session_context_len = len < SSL_MAX_SID_CTX_LENGTH ? len : SSL_MAX_SID_CTX_LENGTH;
	return ok;
}

static bool fill_terms(struct tls_front *f, struct terms *t, const struct tls_settings *s, struct diag *d,
		       const struct diag_place *at)
{
	SSL_CTX *trial;
	const char *why;

	t->settings = s;
	t->alpn_len = tls_alpn_wire(s->alpn, t->alpn);
	trial = tls_context_new(s, &f->globals, true, &why);
	SSL_CTX_free(trial);
	if (!trial) {
		diag_add(d, DIAG_ERROR, at, "TLS cannot be set up like this: %s", why);
		return false;
	}
	if (s->verify > TLS_VERIFY_NONE) {
		t->trust = tls_trust_read(s, f->store, f->again, d, at);
		if (!t->trust)
			return false;
	}
	if (mark_sessions(t))
		return true;
	diag_add(d, DIAG_ERROR, at, "out of memory");
	tls_trust_free(t->trust);
	t->trust = NULL;
	return false;
}

/* The terms of this source. NULL: what is wrong was said. */
static struct terms *terms_of(struct tls_front *f, const struct tls_source *s, struct diag *d)
{
	struct terms *t;

	if (!s->settings)
		return f->terms;
	t = &f->terms[f->n_terms];
	if (!fill_terms(f, t, s->settings, d, &s->at))
		return NULL;
	f->n_terms++;
	return t;
}

/* ---- Certificates ---- */

struct naming {
	struct tls_front *front;
	size_t site;
	bool ok;
};

static bool take_name(void *arg, const char *name)
{
	struct naming *n = arg;

	n->ok = add_name(n->front, name, n->site);
	return n->ok;
}

static bool take_names(struct tls_front *f, const struct tls_source *s, size_t site,
		       const struct tls_pair *p)
{
	struct naming n = {f, site, true};

	for (unsigned i = 0; n.ok && i < s->n_filters; i++)
		n.ok = add_name(f, s->filter[i], site);
	if (n.ok && !s->n_filters)
		tls_pair_names(p, take_name, &n);
	return n.ok;
}

/* OpenSSL has the last word: a key may be too short for its security level. */
static bool is_usable(struct tls_front *f, const struct terms *t, struct tls_pair *p, struct diag *d,
		      const struct diag_place *at)
{
	const char *why, *reason;
	SSL_CTX *trial;
	bool ok;

	if (f->again && p->tried)
		return true;
	trial = tls_context_new(t->settings, &f->globals, true, &why);
	ok = trial && tls_pair_use(p, trial);
	p->tried |= ok;
	reason = ERR_reason_error_string(ERR_peek_error());
	if (!ok && tls_lacked_memory())
		diag_add(d, DIAG_ERROR, at, "%s: this certificate cannot be tried: no memory", p->item.file);
	else if (!ok)
		diag_add(d, DIAG_ERROR, at,
			 "%s: OpenSSL refuses this certificate: %s; make one with an EC key or an "
			 "RSA key of 2048 bits, "
			 "signed with SHA-256",
			 p->item.file, reason ? reason : "no memory");
	ERR_clear_error();
	SSL_CTX_free(trial);
	return ok;
}

/* One certificate more for the last site. */
static bool read_pair(struct tls_front *f, const char *file, const struct tls_source *s,
		      struct diag *d)
{
	struct site *site = &f->site[f->n_sites - 1];
	struct tls_pair *p = tls_store_pair(f->store, file, f->again, d, &s->at);

	if (!p || !is_usable(f, site->terms, p, d, &s->at) || !grow(&f->pair, f->n_pairs, sizeof(struct tls_pair *)))
		return false;
	tls_item_hold(&p->item);
	f->pair[f->n_pairs++] = p;
	if (!site->pair[p->kind])
		site->pair[p->kind] = p;
	return take_names(f, s, f->n_sites - 1, p);
}

static const char *const bundle_suffixes[] = {".rsa", ".ecdsa", ".dsa"};

/* In memory, or, as long as files count, on the disk. */
static bool is_there(const struct tls_front *f, const char *file)
{
	return tls_store_find(f->store, TLS_CERT, file) || (!f->again && access(file, F_OK) == 0);
}

static void read_site(struct tls_front *f, const char *file, const struct tls_source *s,
		      struct terms *t, struct diag *d)
{
	bool any = false, is_bundle = !is_there(f, file) && tls_extra_wants(tls_store_extra(f->store), TLS_EXTRA_BUNDLE);

	if (f->n_sites == TLS_CERTS_MAX) {
		diag_add(d, DIAG_ERROR, &s->at, "too many certificates: more than %d",
			 TLS_CERTS_MAX);
		return;
	}
	if (!add_site(f, t)) {
		diag_add(d, DIAG_ERROR, &s->at, "out of memory");
		return;
	}
	for (size_t i = 0; is_bundle && i < sizeof(bundle_suffixes) / sizeof(bundle_suffixes[0]);
	     i++) {
		char one[FILE_NAME_MAX];

		if ((size_t)snprintf(one, sizeof(one), "%s%s", file, bundle_suffixes[i]) >=
			sizeof(one) ||
		    !is_there(f, one))
			continue;
		any = true;
		if (!read_pair(f, one, s, d))
			return;
	}
	if (!any)
		read_pair(f, file, s, d);
}

static bool ends_with(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n >= m && !strcmp(text + n - m, suffix);
}

/* What lies beside certificates is no certificate. */
static int is_certificate(const struct dirent *e)
{
	return e->d_name[0] != '.' && !ends_with(e->d_name, ".key") &&
	       !ends_with(e->d_name, ".ocsp") && !ends_with(e->d_name, ".issuer") &&
	       !ends_with(e->d_name, ".sctl");
}

/* False: no memory. */
static bool add_source(struct tls_front *f, const struct tls_source *s, const char *path, const char *list)
{
	struct tls_source *to;

	if (!grow(&f->source, f->n_sources, sizeof(*f->source)))
		return false;
	to = &f->source[f->n_sources];
	*to = *s;
	to->path = strdup(path);
	to->list = list;
	f->n_sources += to->path != NULL;
	return to->path;
}

static bool add_folder(struct tls_front *f, const struct tls_source *s, struct diag *d)
{
	struct dirent **entry = NULL;
	int n = scandir(s->path, &entry, is_certificate, alphasort);
	bool ok = true;

	if (n <= 0)
		diag_add(d, n ? DIAG_ERROR : DIAG_WARNING, &s->at,
			 "%s: there is no certificate in this folder", s->path);
	for (int i = 0; i < n; i++) {
		char file[FILE_NAME_MAX];
		struct stat st;

		if ((size_t)snprintf(file, sizeof(file), "%s/%s", s->path, entry[i]->d_name) <
			sizeof(file) &&
		    stat(file, &st) == 0 && S_ISREG(st.st_mode))
			ok &= add_source(f, s, file, s->path);
		free(entry[i]);
	}
	free(entry);
	return ok;
}

/* ---- All together ---- */

/* Names of one text stand side by side: their number. */
static size_t count_alike(const struct tls_front *f, size_t first)
{
	size_t n = 1;

	while (first + n < f->n_names && !strcmp(f->name[first].text, f->name[first + n].text))
		n++;
	return n;
}

/* All keys of n names together; returns how many kinds of them there are. */
static unsigned gather_keys(const struct tls_front *f, const struct name *name, size_t n, struct site *ret)
{
	unsigned kinds = 0;

	for (size_t i = 0; i < n; i++) {
		const struct site *s = &f->site[name[i].site];

		if (name[i].excluded || (ret->terms && ret->terms != s->terms))
			continue;
		ret->terms = s->terms;
		for (int kind = 0; kind < TLS_KEY_KINDS; kind++)
			if (s->pair[kind] && !ret->pair[kind]) {
				ret->pair[kind] = s->pair[kind];
				kinds++;
			}
	}
	return kinds;
}

/* The place of a site that is equal, or is made equal. False: no memory. */
static bool find_or_add_site(struct tls_front *f, const struct site *like, size_t *ret)
{
	struct site *s;

	for (*ret = 0; *ret < f->n_sites; ++*ret)
		if (!memcmp(&f->site[*ret], like, sizeof(*like)))
			return true;
	s = add_site(f, like->terms);
	if (s)
		*s = *like;
	return s;
}

/* Certificates of one name with keys of different kinds become one site. False: no memory. */
static bool join(struct tls_front *f)
{
	for (size_t i = 0, n; i < f->n_names; i += n) {
		struct site both = {0};
		size_t at;

		n = count_alike(f, i);
		if (n < 2 || gather_keys(f, &f->name[i], n, &both) < 2)
			continue;
		if (!find_or_add_site(f, &both, &at))
			return false;
		/* the default has its other kinds of keys, too */
		for (size_t k = 0; k < n; k++)
			if (!f->name[i + k].excluded && f->name[i + k].site == 0)
				f->fallback = at;
		for (size_t k = 0; k < n; k++)
			if (!f->name[i + k].excluded &&
			    f->site[f->name[i + k].site].terms == both.terms)
				f->name[i + k].site = at;
	}
	return true;
}

/* Folders unfolded. False: no memory. */
static bool take_sources(struct tls_front *f, const struct tls_source *source, unsigned n, struct diag *d)
{
	bool ok = true;

	for (unsigned i = 0; ok && i < n; i++) {
		const struct tls_source *s = &source[i];
		struct stat st;

		if (!f->again && stat(s->path, &st) == 0 && S_ISDIR(st.st_mode))
			ok = add_folder(f, s, d);
		else
			ok = add_source(f, s, s->path, s->list);
	}
	f->terms = calloc(f->n_sources + 1, sizeof(*f->terms));
	return ok && f->terms;
}

static void read_sources(struct tls_front *f, struct diag *d)
{
	for (unsigned i = 0; i < f->n_sources; i++) {
		const struct tls_source *s = &f->source[i];
		struct terms *t = terms_of(f, s, d);

		if (t)
			read_site(f, s->path, s, t, d);
	}
}

static int compare_name(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int text = strcmp(x->text, y->text);

	return text ? text : x->site < y->site ? -1 : x->site > y->site;
}

void front_read(struct tls_front *f, const struct tls_source *source, unsigned n, struct tls_ticket_keys *keys, const struct diag_place *at,
		struct diag *d)
{
	size_t errors = d->count[DIAG_ERROR];
	const char *why = "out of memory";

	if (!take_sources(f, source, n, d)) {
		diag_add(d, DIAG_ERROR, at, "out of memory");
	} else if (fill_terms(f, &f->terms[0], &f->settings, d, at)) {
		f->n_terms = 1;
		f->keys = keys ? tls_ticket_keys_hold(keys) : tls_ticket_keys_read(f->settings.ticket_keys, &why);
		if (!f->keys)
			diag_add(d, DIAG_ERROR, at, "%s: %s",
				 f->settings.ticket_keys ? f->settings.ticket_keys
							 : "session tickets",
				 why);
		read_sources(f, d);
	}
	if (f->n_names)
		qsort(f->name, f->n_names, sizeof(*f->name), compare_name);
	if (d->count[DIAG_ERROR] == errors && !join(f))
		diag_add(d, DIAG_ERROR, at, "out of memory");
}
