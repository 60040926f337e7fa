/* SPDX-License-Identifier: MIT */
/* How one server is spoken to. */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "tls/internal.h"

#define NAME_MAX_BYTES 255

struct back_worker {
	SSL_CTX *ctx;
	SSL_SESSION *session;	       /* the last one that the server gave; NULL: none */
	char name[NAME_MAX_BYTES + 1]; /* that was asked for then */
};

struct tls_back {
	unsigned refs; /* of sets and the configuration, beside the first */
	struct tls_settings settings;
	struct tls_globals globals;
	char *verify_host, *name;
	bool no_reuse;
	struct tls_pair *pair; /* NULL: we show no certificate */
	struct tls_trust *trust;
	unsigned char alpn[TLS_ALPN_MAX];
	size_t alpn_len;
	struct back_worker worker[TLS_WORKERS_MAX];
};

/* The server gave a session, or another ticket: with TLS 1.3 some time after the handshake. */
static int on_session(SSL *ssl, SSL_SESSION *s)
{
	struct back_worker *w = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	if (!SSL_SESSION_is_resumable(s))
		return 0;
	SSL_SESSION_free(w->session);
	w->session = s;
	w->name[0] = '\0';
	if (name && strlen(name) <= NAME_MAX_BYTES)
		memcpy(w->name, name, strlen(name) + 1);
	return 1; /* it is ours now */
}

bool tls_back_uses(const struct tls_back *b, enum tls_kind kind, const char *file)
{
	if (kind == TLS_CERT)
		return b->pair && !strcmp(b->pair->item.file, file);
	return b->trust && tls_trust_uses(b->trust, kind, file);
}

static SSL_CTX *make_context(struct tls_back *b, unsigned worker)
{
	const char *why;
	SSL_CTX *ctx = tls_context_new(&b->settings, &b->globals, false, &why);
	bool ok = ctx;

	if (ok && b->pair)
		ok = tls_pair_use(b->pair, ctx);
	if (ok && b->trust)
		ok = tls_context_trust(ctx, b->trust, worker);
	if (ok && b->alpn_len)
		ok = SSL_CTX_set_alpn_protos(ctx, b->alpn, (unsigned)b->alpn_len) == 0;
	if (!ok) {
		SSL_CTX_free(ctx);
		ERR_clear_error();
		return NULL;
	}
	SSL_CTX_set_verify(ctx, b->trust ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_app_data(ctx, &b->worker[worker]);
	if (!b->no_reuse) {
		SSL_CTX_set_session_cache_mode(ctx,
					       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, on_session);
	}
	return ctx;
}

struct tls *tls_back_connect(struct tls_back *b, unsigned worker, int fd, const char *name)
{
	struct back_worker *w = &b->worker[worker];
	const char *verify;
	struct tls *t;
	bool ok;

	name = b->name ? b->name : name;
	verify = b->verify_host ? b->verify_host : name;

	if (!w->ctx)
		w->ctx = make_context(b, worker);
	t = w->ctx ? tls_new(w->ctx, fd, false) : NULL;
	if (!t)
		return NULL;
	ok = !name || !*name ||
	     (strlen(name) <= NAME_MAX_BYTES && SSL_set_tlsext_host_name(t->ssl, name));
	if (ok && b->trust && verify && *verify)
		ok = SSL_set1_host(t->ssl, verify);
	/* a session knows the certificate that was checked for its name */
	if (ok && w->session && !strcmp(w->name, name ? name : ""))
		ok = SSL_set_session(t->ssl, w->session);
	if (ok)
		return t;
	tls_free(t);
	return NULL;
}

/* What a first connection would stumble over. */
static bool is_usable(struct tls_back *b, struct diag *d, const struct diag_place *at)
{
	const char *why, *reason;
	SSL_CTX *trial = tls_context_new(&b->settings, &b->globals, false, &why);
	bool ok = trial;

	if (!trial)
		diag_add(d, DIAG_ERROR, at, "TLS cannot be set up like this: %s", why);
	if (ok && b->pair && !tls_pair_use(b->pair, trial)) {
		reason = ERR_reason_error_string(ERR_peek_error());
		diag_add(d, DIAG_ERROR, at, "%s: OpenSSL refuses this certificate: %s",
			 b->pair->item.file, reason ? reason : "no memory");
		ok = false;
	}
	ERR_clear_error();
	SSL_CTX_free(trial);
	return ok;
}

static struct tls_back *make(const struct tls_back_opts *o, bool again, struct diag *d)
{
	struct tls_back *b = calloc(1, sizeof(*b));
	bool ok = b;

	if (!b) {
		diag_add(d, DIAG_ERROR, &o->at, "out of memory");
		return NULL;
	}
	b->settings = o->settings;
	b->globals = *o->globals;
	b->no_reuse = o->no_reuse;
	b->alpn_len = tls_alpn_wire(o->settings.alpn, b->alpn);
	if (o->verify_host)
		ok = (b->verify_host = strdup(o->verify_host));
	if (ok && o->name)
		ok = (b->name = strdup(o->name));
	if (ok && o->crt)
		ok = (b->pair = tls_store_pair(o->store, o->crt, again, d, &o->at));
	if (b->pair)
		tls_item_hold(&b->pair->item);
	if (ok && o->settings.verify == TLS_VERIFY_REQUIRED)
		ok = (b->trust = tls_trust_read(&b->settings, o->store, again, d, &o->at));
	if (ok && is_usable(b, d, &o->at))
		return b;
	tls_back_free(b);
	return NULL;
}

struct tls_back *tls_back_new(const struct tls_back_opts *o, struct diag *d)
{
	return make(o, false, d);
}

struct tls_back *tls_back_again(const struct tls_back *b, struct tls_store *store, struct diag *d)
{
	return make(&(struct tls_back_opts){
			.store = store,
			.settings = b->settings,
			.globals = &b->globals,
			.crt = b->pair ? b->pair->item.file : NULL,
			.verify_host = b->verify_host,
			.name = b->name,
			.no_reuse = b->no_reuse,
		    },
		    true, d);
}

struct tls_back *tls_back_hold(struct tls_back *b)
{
	b->refs++;
	return b;
}

void tls_back_free(struct tls_back *b)
{
	if (!b || b->refs--)
		return;
	for (unsigned i = 0; i < TLS_WORKERS_MAX; i++) {
		SSL_SESSION_free(b->worker[i].session);
		SSL_CTX_free(b->worker[i].ctx);
	}
	tls_item_free(b->pair ? &b->pair->item : NULL);
	tls_trust_free(b->trust);
	free(b->verify_host);
	free(b->name);
	free(b);
}
