/* SPDX-License-Identifier: MIT */
/* A client says hello: the site of the name it asks for, and its context in this worker. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "tls/front.h"
#include "tls/seen.h"

#define SNI_MAX 255 /* bytes of a host name */

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

/* For the log: OpenSSL knows no name of a hello that it does not go on with. */
static void refuse_name(struct tls *t, const char *host)
{
	if (*host && !t->refused_name)
		t->refused_name = strdup(host);
}

/* What a connection has copied from its first context, which has `from`. False: no memory. */
static bool use_settings(SSL *ssl, const struct tls_settings *from, const struct tls_settings *s, const struct tls_settings *versions)
{
	uint16_t min, max;

	if (versions != from &&
	    (!tls_versions(versions, false, &min, &max) || !SSL_set_min_proto_version(ssl, min) || !SSL_set_max_proto_version(ssl, max)))
		return false;
	if (s == from)
		return true;
	SSL_set_verify(ssl, tls_verify_mode(s->verify), NULL);
	return !tls_curves(s) || SSL_set1_groups_list(ssl, tls_curves(s));
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
	struct front_worker *w = arg;
	struct tls_front *f = w->front;
	const struct site *s;
	char host[SNI_MAX + 1];
	SSL_CTX *ctx;
	bool named, forges;

	if (f->globals.capture_bytes)
		tls_seen_hello(ssl, f->globals.capture_bytes);
	server_name(ssl, host);
	s = front_site_named(f, host);
	named = s;
	forges = !s && f->forge;
	if (!s && f->n_sites && (forges || !f->strict_sni))
		s = &f->site[f->fallback];
	if (!s) {
		refuse_name(SSL_get_app_data(ssl), host);
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
	/* as in HAProxy a version is of the name that was asked for; without one that is served it is the line's */
	return use_settings(ssl, (f->n_sites ? f->site[f->fallback].terms : f->terms)->settings, s->terms->settings,
			    named ? s->terms->settings : &f->settings)
		   ? SSL_CLIENT_HELLO_SUCCESS
		   : SSL_CLIENT_HELLO_ERROR;
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
	if (is_forgiven(depth ? &terms->settings->forgive_ca : &terms->settings->forgive_cert, error))
		return 1;
	t->failure = depth ? TLS_CA_REFUSED : TLS_CERT_REFUSED;
	if (!t->refused && X509_up_ref(X509_STORE_CTX_get0_cert(store)))
		t->refused = X509_STORE_CTX_get0_cert(store);
	return 0;
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
	if (use_terms(ctx, t, w->index) && tls_session_use(ctx, f->keys, f->globals.no_cache))
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
