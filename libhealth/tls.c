/* SPDX-License-Identifier: MIT */
/*
 * TLS by OpenSSL: the whole of libhealth-tls. A health_tls is an SSL_CTX, a target remembers one server's
 * session, a channel is an SSL over the check's socket.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <libhealth/tls.h>

#include "base/mem.h"
#include "base/sized.h"

#define DAY_S 86400
#define VERIFY_DEPTH 16

struct health_tls {
	struct health_transport transport;
	size_t uses; /* one for the host, one for each target */
	SSL_CTX *ctx;
	BIO_METHOD *bio;
	struct health_tls_opts o; /* its strings are not kept */
	char *sni;
	struct health_tls_stats stats;
};

struct target {
	struct health_tls *tls;
	SSL_SESSION *session; /* NULL: none yet */
	int64_t shown_s;      /* when the server last showed its certificate, Unix time */
	bool no_tickets;      /* waited for them once, in vain */
};

struct channel {
	struct target *target;
	SSL *ssl;
	bool lingers; /* hears on for tickets */
	bool renewed; /* its session is the target's */
	char alpn[HEALTH_TLS_ALPN_MAX + 1];
};

/* ---- the socket ---- */

/* OpenSSL's own socket BIO uses write(2), which raises SIGPIPE. */
static int bio_write(BIO *b, const char *data, int len)
{
	int fd = (int)(intptr_t)BIO_get_data(b);
	ssize_t n = send(fd, data, (size_t)len, MSG_NOSIGNAL);

	BIO_clear_retry_flags(b);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(b);
	return (int)n;
}

static int bio_read(BIO *b, char *data, int len)
{
	int fd = (int)(intptr_t)BIO_get_data(b);
	ssize_t n = recv(fd, data, (size_t)len, 0);

	BIO_clear_retry_flags(b);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(b);
	else if (n == 0)
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	return (int)n;
}

static long bio_ctrl(BIO *b, int command, long number, void *pointer)
{
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
	default:
		return 0;
	}
}

static BIO_METHOD *bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "check");

	if (m && (BIO_meth_set_write(m, bio_write) != 1 || BIO_meth_set_read(m, bio_read) != 1 ||
		  BIO_meth_set_ctrl(m, bio_ctrl) != 1)) {
		BIO_meth_free(m);
		return NULL;
	}
	return m;
}

/* ---- targets and their sessions ---- */

static int target_new(void *config, void **ret)
{
	struct target *t = mem_zalloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->tls = config;
	t->tls->uses++;
	*ret = t;
	return 0;
}

static void target_free(void *target)
{
	struct target *t = target;

	SSL_SESSION_free(t->session);
	health_tls_free(t->tls);
	mem_free(t);
}

static void forget_session(struct target *t)
{
	SSL_SESSION_free(t->session);
	t->session = NULL;
}

/* A session worth keeping: with TLS 1.3 it comes in a ticket, after the handshake. */
static int new_session(SSL *ssl, SSL_SESSION *session)
{
	struct channel *ch = SSL_get_app_data(ssl);
	struct target *t = ch->target;

	if (!SSL_SESSION_is_resumable(session))
		return 0;
	forget_session(t);
	t->session = session; /* 1: the reference is ours */
	t->no_tickets = false;
	ch->renewed = true;
	return 1;
}

/* ---- channels ---- */

/* What a session says of the certificate grows old: the server may have another one by now. */
static bool must_show_again(const struct target *t)
{
	const struct health_tls_opts *o = &t->tls->o;
	uint64_t age = (uint64_t)time(NULL) - (uint64_t)t->shown_s; /* set back: looks old, too */

	return (o->flags & HEALTH_TLS_VERIFY || o->expiry_warn_s) && age > HEALTH_TLS_SHOWN_S;
}

/*
 * A copy, for OpenSSL declares a TLS 1.3 session spent with its first use. That protects clients from being
 * recognised (RFC 8446 C.4), which a checker need not be.
 */
static void take_up(struct target *t, SSL *ssl)
{
	SSL_SESSION *copy;

	if (t->session && must_show_again(t))
		forget_session(t);
	copy = t->session ? SSL_SESSION_dup(t->session) : NULL;
	if (copy)
		SSL_set_session(ssl, copy);
	SSL_SESSION_free(copy);
}

static int channel_begin(void *target, int fd, void **ret)
{
	struct target *t = target;
	struct channel *ch = mem_zalloc(sizeof(*ch));
	BIO *bio;

	if (!ch)
		return -ENOMEM;
	ch->target = t;
	ch->ssl = SSL_new(t->tls->ctx);
	bio = BIO_new(t->tls->bio);
	if (!ch->ssl || !bio) {
		BIO_free(bio);
		SSL_free(ch->ssl);
		mem_free(ch);
		return -ENOMEM;
	}
	BIO_set_data(bio, (void *)(intptr_t)fd);
	BIO_set_init(bio, 1);
	SSL_set_bio(ch->ssl, bio, bio);
	SSL_set_app_data(ch->ssl, ch);
	if (t->tls->sni)
		SSL_set_tlsext_host_name(ch->ssl, t->tls->sni);
	take_up(t, ch->ssl);
	SSL_set_connect_state(ch->ssl);
	*ret = ch;
	return 0;
}

static void channel_end(void *channel, bool polite)
{
	struct channel *ch = channel;

	/* OpenSSL takes a session for broken whose connection was not shut down; a RST is our way to. */
	SSL_set_quiet_shutdown(ch->ssl,
			       !polite && !(ch->target->tls->o.flags & HEALTH_TLS_CLOSE_NOTIFY));
	if (SSL_is_init_finished(ch->ssl))
		SSL_shutdown(ch->ssl);
	SSL_free(ch->ssl);
	ERR_clear_error();
	mem_free(ch);
}

/* What to return for a call that did not do its work: AGAIN, 0 for a close, or -errno. */
static int trouble(const struct channel *ch, int r, int error)
{
	switch (SSL_get_error(ch->ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return HEALTH_TRANSPORT_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return error ? -error : 0;
	default: /* since OpenSSL 3 an end without close_notify is an error of its own: many servers do it */
		return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING
			   ? 0
			   : -EPROTO;
	}
}

static ssize_t channel_receive(void *channel, void *data, size_t len)
{
	struct channel *ch = channel;
	int r, error;

	ERR_clear_error();
	errno = 0;
	r = SSL_read(ch->ssl, data, len < INT32_MAX ? (int)len : INT32_MAX);
	error = errno;
	if (ch->lingers && !ch->target->session)
		ch->target->no_tickets = true;
	return r > 0 ? r : trouble(ch, r, error);
}

static ssize_t channel_send(void *channel, const void *data, size_t len)
{
	struct channel *ch = channel;
	int r, error;

	ERR_clear_error();
	errno = 0;
	r = SSL_write(ch->ssl, data, len < INT32_MAX ? (int)len : INT32_MAX);
	error = errno;
	if (r > 0)
		return r;
	r = trouble(ch, r, error);
	return r ? r : -EPIPE;
}

/* ---- the handshake ---- */

static void say(char *text, const char *what, const char *why)
{
	snprintf(text, HEALTH_TEXT_MAX, "%s%s%s", what, *what && *why ? ": " : "", why);
	for (char *p = text; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '.';
}

static int handshake_failed(struct channel *ch, int r, int error,
			    struct health_transport_report *ret)
{
	long verified = SSL_get_verify_result(ch->ssl);
	unsigned long top = ERR_peek_error();
	const char *reason = ERR_reason_error_string(top);
	int why = trouble(ch, r, error);

	if (why == HEALTH_TRANSPORT_AGAIN)
		return why;
	ch->target->tls->stats.failed++;
	/* Whatever the server did not like, the session may have been it. */
	forget_session(ch->target);
	if (verified != X509_V_OK && ch->target->tls->o.flags & HEALTH_TLS_VERIFY) /* else it was no reason */
		say(ret->text, "certificate", X509_verify_cert_error_string(verified));
	else if (why == 0)
		say(ret->text, "", "closed in the handshake");
	else if (why != -EPROTO)
		say(ret->text, "", strerrordesc_np(-why));
	else
		say(ret->text, "TLS", reason ? reason : "handshake failed");
	return why ? why : -ECONNRESET;
}

/* Unix time of an ASN.1 time; 0: not one. */
static int64_t unix_time(const ASN1_TIME *t)
{
	struct tm tm;

	return t && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* The earliest end among the certificates the server showed; of a resumed session its own is left. */
static int64_t chain_expires(SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	X509 *own = SSL_get0_peer_certificate(ssl);
	int64_t first = own ? unix_time(X509_get0_notAfter(own)) : 0;

	for (int i = 0; chain && i < sk_X509_num(chain); i++) {
		int64_t end = unix_time(X509_get0_notAfter(sk_X509_value(chain, i)));

		if (end && (!first || end < first))
			first = end;
	}
	return first;
}

/* 0, or -EKEYEXPIRED: a resumed session is not verified again, and its certificate grows old. */
static int judge_expiry(const struct health_tls *tls, struct health_transport_report *ret)
{
	int64_t left = ret->expires_s - (int64_t)time(NULL);
	char day[32] = "";
	time_t end = (time_t)ret->expires_s;
	struct tm tm;

	if (!ret->expires_s)
		return 0;
	if (left <= 0 && tls->o.flags & HEALTH_TLS_VERIFY) {
		say(ret->text, "certificate", "certificate has expired");
		return -EKEYEXPIRED;
	}
	if (!tls->o.expiry_warn_s || (left > 0 && (uint64_t)left > tls->o.expiry_warn_s))
		return 0;
	if (gmtime_r(&end, &tm))
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	ret->at_best = tls->o.expiry_verdict ? tls->o.expiry_verdict : HEALTH_DEGRADED;
	snprintf(ret->text, sizeof(ret->text), "certificate expire%s %s (%lld days)",
		 left > 0 ? "s" : "d", day, (long long)(left / DAY_S));
	return 0;
}

/* A first session of TLS 1.3 is worth a wait for its tickets, unless they came with the handshake already. */
static bool lingers(const struct channel *ch, bool resumed)
{
	char byte;

	if (SSL_version(ch->ssl) != TLS1_3_VERSION || resumed || ch->target->no_tickets ||
	    ch->target->tls->o.flags & HEALTH_TLS_NO_RESUMPTION)
		return false;
	if (SSL_has_pending(ch->ssl)) /* read ahead: no event will tell of them */
		SSL_peek(ch->ssl, &byte, 1);
	return !ch->target->session;
}

static int channel_handshake(void *channel, struct health_transport_report *ret)
{
	struct channel *ch = channel;
	struct health_tls *tls = ch->target->tls;
	const unsigned char *alpn;
	unsigned int alpn_len;
	int r, error;

	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(ch->ssl);
	error = errno;
	if (r != 1)
		return handshake_failed(ch, r, error, ret);
	ret->resumed = SSL_session_reused(ch->ssl) != 0;
	ret->expires_s = chain_expires(ch->ssl);
	r = judge_expiry(tls, ret);
	if (r < 0) {
		tls->stats.failed++;
		return r;
	}
	tls->stats.handshakes++;
	tls->stats.resumed += ret->resumed;
	if (!ret->resumed)
		ch->target->shown_s = (int64_t)time(NULL);
	if (!ret->resumed && !ch->renewed) /* the server has forgotten it, or it is too old */
		forget_session(ch->target);
	SSL_get0_alpn_selected(ch->ssl, &alpn, &alpn_len);
	if (alpn_len && alpn_len < sizeof(ch->alpn)) {
		memcpy(ch->alpn, alpn, alpn_len);
		ret->alpn = ch->alpn;
	}
	ret->linger = ch->lingers = lingers(ch, ret->resumed);
	return 0;
}

static const struct health_transport_ops transport_ops = {
    .size = sizeof(transport_ops),
    .name = "tls",
    .target_new = target_new,
    .target_free = target_free,
    .begin = channel_begin,
    .handshake = channel_handshake,
    .receive = channel_receive,
    .send = channel_send,
    .end = channel_end,
};

/* ---- the context ---- */

struct why {
	char *text;
	size_t size;
};

/* Tells which option is wrong, and returns the error. */
static int blame(const struct why *why, int r, const char *option, const char *value)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (why->text && why->size)
		snprintf(why->text, why->size, "%s \"%s\": %s", option, value,
			 r == -EBADMSG && reason ? reason : strerrordesc_np(-r));
	ERR_clear_error();
	return r;
}

/* -errno of a file OpenSSL could not use: the system's reason, or -EBADMSG for what stands in it. */
static int file_error(const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	fclose(f);
	return -EBADMSG;
}

static int is_certificate(const struct dirent *d)
{
	const char *end = strrchr(d->d_name, '.');

	return *d->d_name != '.' && end && (!strcmp(end, ".pem") || !strcmp(end, ".crt") || !strcmp(end, ".cer"));
}

/* What is no certificate is left out: others may be all that is needed. */
static int load_folder(SSL_CTX *ctx, const char *path)
{
	struct dirent **entry = NULL;
	char file[PATH_MAX];
	struct stat st;
	int n = scandir(path, &entry, is_certificate, alphasort);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		/* a FIFO would be waited for */
		if ((size_t)snprintf(file, sizeof(file), "%s/%s", path, entry[i]->d_name) < sizeof(file) && stat(file, &st) == 0 && S_ISREG(st.st_mode))
			SSL_CTX_load_verify_file(ctx, file);
		free(entry[i]);
	}
	free(entry);
	ERR_clear_error();
	return SSL_CTX_load_verify_dir(ctx, path) == 1 ? 0 : -ENOENT; /* looked into when a name is asked for */
}

/* Certificates and revocations of a text. How many; 0: nothing there is either; -ENOMEM. */
static int trust_text(X509_STORE *store, const char *pem)
{
	BIO *in = BIO_new_mem_buf(pem, -1);
	STACK_OF(X509_INFO) *all = in ? PEM_X509_INFO_read_bio(in, NULL, NULL, NULL) : NULL;
	int n = in ? 0 : -ENOMEM;

	for (int i = 0; all && i < sk_X509_INFO_num(all) && n >= 0; i++) {
		const X509_INFO *x = sk_X509_INFO_value(all, i);

		n += x->x509 || x->crl;
		if ((x->x509 && X509_STORE_add_cert(store, x->x509) != 1) || (x->crl && X509_STORE_add_crl(store, x->crl) != 1))
			n = -ENOMEM;
	}
	sk_X509_INFO_pop_free(all, X509_INFO_free);
	BIO_free(in);
	return n;
}

static int load_texts(X509_STORE *store, const struct health_tls_opts *o, const struct why *why)
{
	int n = o->ca_pem ? trust_text(store, o->ca_pem) : 1;

	if (n < 1)
		return n < 0 ? n : blame(why, -EBADMSG, "ca_pem", "a text");
	n = o->crl_pem ? trust_text(store, o->crl_pem) : 1;
	if (n < 1)
		return n < 0 ? n : blame(why, -EBADMSG, "crl_pem", "a text");
	return 0;
}

static int load_trust(SSL_CTX *ctx, const struct health_tls_opts *given, const struct why *why)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	struct health_tls_opts own = *given, *o = &own;
	X509_LOOKUP *lookup;
	int r;

	if (!(o->flags & HEALTH_TLS_VERIFY) && !o->cert_file && !o->cert_pem)
		return 0;
	if (o->ca_pem)
		o->ca_file = o->ca_dir = NULL;
	if (o->crl_pem)
		o->crl_file = NULL;
	if (!(o->flags & HEALTH_TLS_VERIFY)) /* OpenSSL completes our own chain from there */
		o->crl_file = o->crl_pem = NULL;
	r = load_texts(store, o, why);
	if (r < 0)
		return r;
	if (o->ca_file && SSL_CTX_load_verify_file(ctx, o->ca_file) != 1)
		return blame(why, file_error(o->ca_file), "ca_file", o->ca_file);
	r = o->ca_dir ? load_folder(ctx, o->ca_dir) : 0;
	if (r < 0)
		return blame(why, r, "ca_dir", o->ca_dir);
	if (!(o->flags & HEALTH_TLS_VERIFY))
		return 0;
	if (!o->ca_pem && !o->ca_file && !o->ca_dir && SSL_CTX_set_default_verify_paths(ctx) != 1)
		return blame(why, -ENOENT, "ca_file", "the system's");
	if (o->crl_file) {
		lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
		if (!lookup || X509_load_crl_file(lookup, o->crl_file, X509_FILETYPE_PEM) < 1)
			return blame(why, file_error(o->crl_file), "crl_file", o->crl_file);
	}
	if (o->crl_file || o->crl_pem)
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_verify_depth(ctx, VERIFY_DEPTH);
	return 0;
}

static bool is_address(const char *text)
{
	unsigned char any[16];

	return inet_pton(AF_INET, text, any) == 1 || inet_pton(AF_INET6, text, any) == 1;
}

static int set_names(struct health_tls *tls, const struct health_tls_opts *o, const struct why *why)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(tls->ctx);
	const char *name = o->verify_name ? o->verify_name : o->sni;
	int r = 1;

	if (o->sni && (!*o->sni || strlen(o->sni) > TLSEXT_MAXLEN_host_name || is_address(o->sni)))
		return blame(why, -EINVAL, "sni", o->sni);
	if (o->sni) {
		tls->sni = mem_strdup(o->sni);
		if (!tls->sni)
			return -ENOMEM;
	}
	if (!(o->flags & HEALTH_TLS_VERIFY) || !name)
		return 0;
	if (is_address(name))
		r = X509_VERIFY_PARAM_set1_ip_asc(param, name);
	else
		r = X509_VERIFY_PARAM_set1_host(param, name, 0);
	return r == 1 ? 0 : blame(why, -EINVAL, "verify_name", name);
}

/* "h2,http/1.1" becomes a list of length-prefixed names (RFC 7301 §3.1). */
static int set_alpn(SSL_CTX *ctx, const char *text, const struct why *why)
{
	unsigned char wire[HEALTH_TLS_ALPN_MAX];
	size_t n = 0;

	for (const char *at = text; at; at = *at ? at + 1 : NULL) {
		size_t len = strcspn(at, ",");

		if (!len || len > 255 || n + 1 + len > sizeof(wire))
			return blame(why, -EINVAL, "alpn", text);
		wire[n] = (unsigned char)len;
		memcpy(wire + n + 1, at, len);
		n += 1 + len;
		at += len;
		if (!*at)
			break;
	}
	return SSL_CTX_set_alpn_protos(ctx, wire, (unsigned int)n) ? -ENOMEM : 0;
}

/* Without one, nobody is there to type it, and OpenSSL would ask the terminal. */
static int give_password(char *buf, int size, int writing, void *userdata)
{
	const char *password = userdata;
	size_t len = password ? strlen(password) : 0;

	if (!password || size < 0 || len > (size_t)size)
		return -1;
	memcpy(buf, password, len);
	return (int)len;
}

/* The leaf, its chain and its key, in any order but that the leaf is the first certificate. */
static int set_own_text(SSL_CTX *ctx, const struct health_tls_opts *o, const struct why *why)
{
	BIO *certs = BIO_new_mem_buf(o->cert_pem, -1), *keys = BIO_new_mem_buf(o->cert_pem, -1);
	X509 *x = certs ? PEM_read_bio_X509(certs, NULL, NULL, NULL) : NULL;
	EVP_PKEY *key = keys ? PEM_read_bio_PrivateKey(keys, NULL, give_password, (void *)(uintptr_t)o->key_password) : NULL;
	bool ok = x && key && SSL_CTX_use_certificate(ctx, x) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1;

	X509_free(x);
	while (ok && (x = PEM_read_bio_X509(certs, NULL, NULL, NULL))) {
		ok = SSL_CTX_add0_chain_cert(ctx, x) == 1;
		if (!ok)
			X509_free(x);
	}
	EVP_PKEY_free(key);
	BIO_free(certs);
	BIO_free(keys);
	if (!ok)
		return blame(why, -EBADMSG, "cert_pem", "a text");
	ERR_clear_error(); /* the end of the text was one */
	return 0;
}

static int set_own_certificate(SSL_CTX *ctx, const struct health_tls_opts *o, const struct why *why)
{
	const char *key = o->key_file ? o->key_file : o->cert_file;

	if (o->cert_pem)
		return set_own_text(ctx, o, why);
	if (!o->cert_file)
		return o->key_file ? blame(why, -EINVAL, "key_file without cert_file", key) : 0;
	if (SSL_CTX_use_certificate_chain_file(ctx, o->cert_file) != 1)
		return blame(why, file_error(o->cert_file), "cert_file", o->cert_file);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return blame(why, file_error(key), "key_file", key);
	return 0;
}

/*
 * Of the TLS 1.3 suites that OpenSSL and its configuration allow, the one every server has (RFC 8446 §9.1) first:
 * its hash costs a checker less than that of OpenSSL's own first choice.
 */
static int prefer_cheap_suite(SSL_CTX *ctx)
{
	static const char cheap[] = "TLS_AES_128_GCM_SHA256";
	const STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);
	char list[256];
	size_t n = sizeof(cheap) - 1;
	bool found = false;

	memcpy(list, cheap, sizeof(cheap));
	for (int i = 0; all && i < sk_SSL_CIPHER_num(all); i++) {
		const char *name = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(all, i));

		if (strncmp(name, "TLS_", 4) != 0) /* the older ones are named otherwise */
			continue;
		if (strcmp(name, cheap) == 0)
			found = true;
		else
			n += (size_t)snprintf(list + n, sizeof(list) - n, ":%s", name);
		if (n >= sizeof(list))
			return 0;
	}
	return !found || SSL_CTX_set_ciphersuites(ctx, list) == 1 ? 0 : -ENOMEM;
}

static int set_protocol(SSL_CTX *ctx, const struct health_tls_opts *o, const struct why *why)
{
	char version[16];

	if (SSL_CTX_set_min_proto_version(ctx, (int)o->min_version) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, (int)o->max_version) != 1 ||
	    (o->max_version && o->min_version > o->max_version)) {
		snprintf(version, sizeof(version), "%#x-%#x", o->min_version, o->max_version);
		return blame(why, -EINVAL, "version", version);
	}
	if (o->ciphers && SSL_CTX_set_cipher_list(ctx, o->ciphers) != 1)
		return blame(why, -EINVAL, "ciphers", o->ciphers);
	if (o->ciphersuites && SSL_CTX_set_ciphersuites(ctx, o->ciphersuites) != 1)
		return blame(why, -EINVAL, "ciphersuites", o->ciphersuites);
	if (!o->ciphersuites && prefer_cheap_suite(ctx) < 0)
		return -ENOMEM;
	return o->alpn ? set_alpn(ctx, o->alpn, why) : 0;
}

static int fill(struct health_tls *tls, const struct health_tls_opts *o, const struct why *why)
{
	SSL_CTX *ctx = tls->ctx = SSL_CTX_new(TLS_client_method());
	int r;

	tls->bio = bio_method();
	if (!ctx || !tls->bio)
		return -ENOMEM;
	SSL_CTX_set_default_passwd_cb(ctx, give_password);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, (void *)(uintptr_t)o->key_password);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1); /* a call for each flight, not two for each record */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	if (!(o->flags & HEALTH_TLS_NO_RESUMPTION)) {
		SSL_CTX_set_session_cache_mode(ctx,
					       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, new_session);
	}
	r = set_protocol(ctx, o, why);
	if (r == 0)
		r = load_trust(ctx, o, why);
	if (r == 0)
		r = set_names(tls, o, why);
	return r < 0 ? r : set_own_certificate(ctx, o, why);
}

int health_tls_new(const struct health_tls_opts *opts, char *ret_why, size_t why_size,
		   struct health_tls **ret)
{
	const struct health_tls_opts defaults = {.size = sizeof(defaults)};
	const struct why why = {ret_why, why_size};
	struct health_tls_opts o;
	struct health_tls *tls;
	int r;

	if (!ret)
		return -EINVAL;
	if (why.text && why.size)
		why.text[0] = '\0';
	r = sized_in(&o, sizeof(o), opts ? opts : &defaults);
	if (r < 0)
		return r;
	if (o.flags & ~(HEALTH_TLS_VERIFY | HEALTH_TLS_NO_RESUMPTION | HEALTH_TLS_CLOSE_NOTIFY) ||
	    (unsigned int)o.expiry_verdict > HEALTH_FAIL_NOW || o.expiry_warn_s > INT32_MAX)
		return blame(&why, -EINVAL, "flags, expiry_verdict or expiry_warn_s", "");
	tls = mem_zalloc(sizeof(*tls));
	if (!tls)
		return -ENOMEM;
	tls->uses = 1;
	tls->o.flags = o.flags;
	tls->o.expiry_warn_s = o.expiry_warn_s;
	tls->o.expiry_verdict = o.expiry_verdict;
	tls->transport = (struct health_transport){
	    .size = sizeof(tls->transport), .ops = &transport_ops, .config = tls};
	r = fill(tls, &o, &why);
	if (r < 0) {
		health_tls_free(tls);
		return r;
	}
	*ret = tls;
	return 0;
}

void health_tls_free(struct health_tls *tls)
{
	if (!tls || --tls->uses)
		return;
	SSL_CTX_free(tls->ctx);
	BIO_meth_free(tls->bio);
	mem_free(tls->sni);
	mem_free(tls);
}

const struct health_transport *health_tls_transport(const struct health_tls *tls)
{
	return tls ? &tls->transport : NULL;
}

int health_tls_stats(const struct health_tls *tls, struct health_tls_stats *ret)
{
	return tls ? sized_out(ret, &tls->stats, sizeof(tls->stats)) : -EINVAL;
}
