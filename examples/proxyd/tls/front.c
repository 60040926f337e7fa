/* SPDX-License-Identifier: MIT */
/* What a `bind` line offers: certificates, each under its names. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "tls/internal.h"
#include "tls/seen.h"

#define FILE_NAME_MAX 4096
#define SNI_MAX 255 /* bytes of a host name */

/* Settings and what was made of them. */
struct terms {
	const struct tls_settings *settings;
	struct tls_trust *trust;
	unsigned char alpn[TLS_ALPN_MAX], session_context[EVP_MAX_MD_SIZE];
	size_t alpn_len, session_context_len;
};

/* Of certificates with different kinds of keys OpenSSL takes the one that the client can check. */
struct site {
	struct terms *terms;
	struct tls_pair *pair[TLS_KEY_KINDS];
};

struct name {
	char *text;  /* "example.com", or of a wildcard ".example.com" */
	size_t site; /* its number */
	bool excluded;
};

struct front_worker {
	struct tls_front *front;
	unsigned index;
	SSL_CTX *without; /* strict-sni without any certificate */
	SSL_CTX *ctx[];	  /* by site; made when first needed */
};

struct tls_front {
	unsigned refs; /* of sets and the configuration, beside the first */
	struct tls_store *store; /* while it is made */
	bool again;		 /* from the store alone */
	struct tls_source *source; /* one file each; paths are our own */
	unsigned n_sources;
	struct tls_settings settings;
	struct tls_globals globals;
	bool strict_sni;
	struct terms *terms; /* the first: of the line */
	size_t n_terms;
	struct tls_pair **pair;
	size_t n_pairs;
	struct site *site;
	size_t n_sites;
	size_t fallback;   /* the site of who asks for no name, or another */
	struct name *name; /* sorted, those read first in front */
	size_t n_names;
	struct tls_ticket_keys *keys;
	struct tls_authority *authority; /* NULL: no certificate is made on the fly */
	struct tls_forge *forge;	 /* of it */
	struct front_worker *worker[TLS_WORKERS_MAX];
};

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

/* ---- Choosing ---- */

static int compare_text(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static int compare_name(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int text = compare_text(a, b);

	return text ? text : x->site < y->site ? -1 : x->site > y->site;
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

/* Whose certificate has this name. NULL: nobody's. */
static const struct site *find_named(const struct tls_front *f, const char *host)
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
	const struct site *s = find_named(f, host);

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

/* ---- The handshake ---- */

static SSL_CTX *context_of(struct front_worker *w, const struct site *s);

/* RFC 6066, section 3: a list of one name of type 0. "": none, or none that is well formed. */
static void server_name(SSL *ssl, char ret[SNI_MAX + 1])
{
	const unsigned char *p;
	size_t len, n;

	*ret = '\0';
	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &len))
		return;
	if (len < 5 || (size_t)(p[0] << 8 | p[1]) != len - 2 || p[2] != TLSEXT_NAMETYPE_host_name)
		return;
	n = (size_t)(p[3] << 8 | p[4]);
	if (n != len - 5 || !n || n > SNI_MAX || memchr(p + 5, '\0', n))
		return;
	for (size_t i = 0; i < n; i++)
		ret[i] = (char)tolower(p[5 + i]);
	ret[n] = '\0';
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
	struct front_worker *w = arg;
	struct tls_front *f = w->front;
	const struct site *s;
	char host[SNI_MAX + 1];
	uint16_t min, max;
	SSL_CTX *ctx;
	bool forges;

	if (f->globals.capture_bytes)
		tls_seen_hello(ssl, f->globals.capture_bytes);
	server_name(ssl, host);
	s = find_named(f, host);
	forges = !s && f->forge;
	if (!s && f->n_sites && (forges || !f->strict_sni))
		s = &f->site[f->fallback];
	if (!s) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	ctx = context_of(w, s);
	*alert = SSL_AD_INTERNAL_ERROR;
	if (!ctx || !SSL_set_SSL_CTX(ssl, ctx))
		return SSL_CLIENT_HELLO_ERROR;
	if (forges && !tls_forge_use(f->forge, host, ssl) && f->strict_sni) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (s->terms == (f->n_sites ? f->site[f->fallback].terms : f->terms))
		return SSL_CLIENT_HELLO_SUCCESS;
	/* what a connection has copied from its first context */
	SSL_set_verify(ssl, tls_verify_mode(s->terms->settings->verify), NULL);
	tls_versions(s->terms->settings, &min, &max);
	if (!SSL_set_min_proto_version(ssl, min) || !SSL_set_max_proto_version(ssl, max) ||
	    (s->terms->settings->curves && !SSL_set1_groups_list(ssl, s->terms->settings->curves)))
		return SSL_CLIENT_HELLO_ERROR;
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* So that the name becomes part of the session. */
static int on_name(SSL *ssl, int *alert, void *arg)
{
	return SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
		   const unsigned char *offered, unsigned len, void *arg)
{
	const struct terms *t = arg;

	/* Without a common protocol the handshake goes on without one, as in HAProxy. */
	return SSL_select_next_proto((unsigned char **)(uintptr_t)ret, ret_len, t->alpn,
				     (unsigned)t->alpn_len, offered, len) == OPENSSL_NPN_NEGOTIATED
		   ? SSL_TLSEXT_ERR_OK
		   : SSL_TLSEXT_ERR_NOACK;
}

static int on_status(SSL *ssl, void *arg)
{
	const struct site *s = arg;
	const X509 *used = SSL_get_certificate(ssl);

	for (int i = 0; i < TLS_KEY_KINDS; i++) {
		const struct tls_pair *p = s->pair[i];
		unsigned char *copy;

		if (!p || p->leaf != used || !p->ocsp)
			continue;
		copy = OPENSSL_memdup(p->ocsp, p->ocsp_len);
		if (copy && SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)p->ocsp_len))
			return SSL_TLSEXT_ERR_OK;
		OPENSSL_free(copy);
	}
	return SSL_TLSEXT_ERR_NOACK;
}

static bool is_forgiven(const struct tls_errors *e, int error)
{
	return e->all || (error < 128 && e->bits[error / 64] >> (error % 64) & 1);
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct terms *terms = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	int error = X509_STORE_CTX_get_error(store), depth = X509_STORE_CTX_get_error_depth(store);
	struct tls *t = SSL_get_app_data(ssl);

	t->used_cert = true;
	if (ok)
		return 1;
	if (depth && !t->ca_error) {
		t->ca_error = (uint16_t)error;
		t->ca_depth = (uint8_t)depth;
	} else if (!depth && !t->error) {
		t->error = (uint16_t)error;
	}
	return is_forgiven(depth ? &terms->settings->forgive_ca : &terms->settings->forgive_cert,
			   error);
}

/* ---- Contexts ---- */

static bool use_terms(SSL_CTX *ctx, struct terms *t, unsigned worker)
{
	SSL_CTX_set_app_data(ctx, t);
	if (t->alpn_len)
		SSL_CTX_set_alpn_select_cb(ctx, on_alpn, t);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	if (!SSL_CTX_set_session_id_context(ctx, t->session_context,
					    (unsigned)t->session_context_len))
		return false;
	SSL_CTX_set_verify(ctx, tls_verify_mode(t->settings->verify), on_verify);
	return t->settings->verify <= TLS_VERIFY_NONE || tls_context_trust(ctx, t->trust, worker);
}

static SSL_CTX *make_context(struct front_worker *w, struct terms *t)
{
	struct tls_front *f = w->front;
	const char *why;
	SSL_CTX *ctx = tls_context_new(t->settings, &f->globals, true, &why);

	if (!ctx)
		return NULL;
	SSL_CTX_set_client_hello_cb(ctx, on_hello, w);
	if (use_terms(ctx, t, w->index) && tls_session_use(ctx, f->keys))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static SSL_CTX *context_of(struct front_worker *w, const struct site *s)
{
	size_t at = (size_t)(s - w->front->site);
	bool ok = true, staples = false;
	SSL_CTX *ctx;

	if (w->ctx[at])
		return w->ctx[at];
	ctx = make_context(w, s->terms);
	for (int i = 0; ctx && ok && i < TLS_KEY_KINDS; i++) {
		ok = !s->pair[i] || tls_pair_use(s->pair[i], ctx);
		staples |= s->pair[i] && s->pair[i]->ocsp;
	}
	ERR_clear_error();
	if (ctx && !ok) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	if (ctx && staples) {
		SSL_CTX_set_tlsext_status_cb(ctx, on_status);
		SSL_CTX_set_tlsext_status_arg(ctx, (void *)(uintptr_t)s);
	}
	w->ctx[at] = ctx;
	return ctx;
}

SSL_CTX *tls_front_ctx(struct tls_front *f, unsigned worker)
{
	struct front_worker *w = f->worker[worker];

	if (!w) {
		w = calloc(1, sizeof(*w) + (f->n_sites + 1) * sizeof(SSL_CTX *));
		if (!w)
			return NULL;
		w->front = f;
		w->index = worker;
		f->worker[worker] = w;
	}
	if (f->n_sites)
		return context_of(w, &f->site[f->fallback]);
	if (!w->without)
		w->without = make_context(w, f->terms);
	return w->without;
}

/* ---- Making ---- */

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
	if (!ok)
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
	bool any = false, is_bundle = !is_there(f, file);

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

/* Certificates of one name with keys of different kinds become one site. False: no memory. */
static bool join(struct tls_front *f)
{
	for (size_t i = 0, n; i < f->n_names; i += n) {
		struct site both = {0};
		unsigned kinds = 0;
		size_t at;

		for (n = 0; i + n < f->n_names && !strcmp(f->name[i].text, f->name[i + n].text);
		     n++) {
			const struct site *s = &f->site[f->name[i + n].site];

			if (f->name[i + n].excluded || (both.terms && both.terms != s->terms))
				continue;
			both.terms = s->terms;
			for (int kind = 0; kind < TLS_KEY_KINDS; kind++)
				if (s->pair[kind] && !both.pair[kind]) {
					both.pair[kind] = s->pair[kind];
					kinds++;
				}
		}
		if (n < 2 || kinds < 2)
			continue;
		for (at = 0; at < f->n_sites; at++)
			if (!memcmp(&f->site[at], &both, sizeof(both)))
				break;
		if (at == f->n_sites) {
			struct site *s = add_site(f, both.terms);

			if (!s)
				return false;
			*s = both;
		}
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

/* False: no memory. */
static bool start_forge(struct tls_front *f)
{
	if (!f->authority || !f->n_sites)
		return true;
	f->forge = tls_forge_new(f->authority, f->site[f->fallback].pair, f->globals.forged_max);
	return f->forge;
}

/* `keys` NULL: those of the settings. Frees `f` when it comes to nothing: NULL then. */
static struct tls_front *fill(struct tls_front *f, const struct tls_source *source, unsigned n, struct tls_ticket_keys *keys,
			      const struct diag_place *at, struct diag *d)
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
	if (d->count[DIAG_ERROR] == errors && (!join(f) || !start_forge(f)))
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
