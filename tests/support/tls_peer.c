/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <cmocka.h>

#include "tls_peer.h"

#define DAY 86400L

static X509 *certificate(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
			 long from_days, long to_days)
{
	X509 *x = X509_new();
	X509_EXTENSION *extension;
	char alt[128];

	assert_non_null(x);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), issuer ? 2 : 1);
	X509_gmtime_adj(X509_getm_notBefore(x), from_days * DAY);
	X509_gmtime_adj(X509_getm_notAfter(x), to_days * DAY);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
	snprintf(alt, sizeof(alt), "DNS:%s", name);
	extension =
	    issuer ? X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt)
		   : X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
	assert_int_equal(X509_add_ext(x, extension, -1), 1);
	X509_EXTENSION_free(extension);
	assert_true(X509_sign(x, issuer ? issuer_key : key, EVP_sha256()) > 0);
	return x;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		       const unsigned char *in, unsigned int in_len, void *userdata)
{
	const struct tls_peer *p = userdata;
	unsigned char wire[64];
	unsigned char *found;

	wire[0] = (unsigned char)strlen(p->script.alpn);
	memcpy(wire + 1, p->script.alpn, wire[0]);
	if (SSL_select_next_proto(&found, out_len, wire, wire[0] + 1u, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = in + (found - wire); /* the same bytes, in memory that lasts */
	for (unsigned int at = 0; at < in_len; at += in[at] + 1u)
		if (in[at] == wire[0] && !memcmp(in + at + 1, wire + 1, wire[0]))
			*out = in + at + 1;
	return SSL_TLSEXT_ERR_OK;
}

static int accept_any(int ok, X509_STORE_CTX *ctx)
{
	return 1;
}

static void write_authority(struct tls_peer *p)
{
	FILE *f;
	int fd;

	snprintf(p->ca_file, sizeof(p->ca_file), "/tmp/tls-peer-XXXXXX");
	fd = mkstemp(p->ca_file);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, p->authority), 1);
	fclose(f);
}

void tls_peer_open(struct tls_peer *p, const struct tls_peer_script *script)
{
	const char *name = script->name ? script->name : "check.test";
	long days = script->valid_days ? script->valid_days : 30;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	socklen_t len = sizeof(p->address);
	X509 *own;

	*p = (struct tls_peer){.script = *script, .fd = -1};
	p->authority_key = EVP_EC_gen("P-256");
	p->authority = certificate("authority", p->authority_key, NULL, NULL, -1000, 1000);
	own =
	    certificate(name, key, p->authority, p->authority_key, days < 0 ? days - 30 : -1, days);
	p->ctx = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(p->ctx, own), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(p->ctx, key), 1);
	SSL_CTX_set_session_id_context(p->ctx, (const unsigned char *)"peer", 4);
	if (script->version) {
		SSL_CTX_set_min_proto_version(p->ctx, script->version);
		SSL_CTX_set_max_proto_version(p->ctx, script->version);
	}
	if (script->no_tickets) {
		SSL_CTX_set_num_tickets(p->ctx, 0);
		SSL_CTX_set_options(p->ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_session_cache_mode(p->ctx, SSL_SESS_CACHE_OFF);
	}
	if (script->alpn)
		SSL_CTX_set_alpn_select_cb(p->ctx, choose_alpn, p);
	if (script->wants_certificate)
		SSL_CTX_set_verify(p->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   accept_any);
	X509_free(own);
	EVP_PKEY_free(key);
	write_authority(p);
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	p->address.sin_family = AF_INET;
	p->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(p->listener, (struct sockaddr *)&p->address, len), 0);
	assert_int_equal(listen(p->listener, 16), 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&p->address, &len), 0);
}

static void hang_up(struct tls_peer *p)
{
	SSL_free(p->ssl);
	p->ssl = NULL;
	close(p->fd);
	p->fd = -1;
}

static void begin_tls(struct tls_peer *p)
{
	p->ssl = SSL_new(p->ctx);
	assert_int_equal(SSL_set_fd(p->ssl, p->fd), 1);
	SSL_set_accept_state(p->ssl);
}

/* False: there is no connection to work on. */
static bool accept_one(struct tls_peer *p)
{
	const char *greeting = p->script.greeting;

	if (p->fd >= 0)
		return true;
	p->fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (p->fd < 0)
		return false;
	p->replied = false;
	if (!greeting)
		begin_tls(p);
	else if (send(p->fd, greeting, strlen(greeting), MSG_NOSIGNAL) < 0)
		hang_up(p);
	return p->fd >= 0;
}

static void step_clear(struct tls_peer *p)
{
	char line[256];
	ssize_t n = recv(p->fd, line, sizeof(line), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		hang_up(p);
	} else if (n > 0 && p->script.clear_line) {
		send(p->fd, p->script.clear_line, strlen(p->script.clear_line), MSG_NOSIGNAL);
		begin_tls(p);
	}
}

static bool is_over(struct tls_peer *p, int r)
{
	int e = SSL_get_error(p->ssl, r);

	return e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE;
}

static void step_tls(struct tls_peer *p)
{
	const char *sni, *reply = p->script.reply;
	char request[4096];
	int r;

	if (!SSL_is_init_finished(p->ssl)) {
		r = SSL_do_handshake(p->ssl);
		if (r != 1) {
			if (is_over(p, r))
				hang_up(p);
			return;
		}
		p->handshakes++;
		p->resumed += SSL_session_reused(p->ssl) != 0;
		sni = SSL_get_servername(p->ssl, TLSEXT_NAMETYPE_host_name);
		if (sni)
			snprintf(p->sni, sizeof(p->sni), "%s", sni);
	}
	r = SSL_read(p->ssl, request, sizeof(request));
	if (r > 0 && reply && !p->replied) {
		p->replied = true;
		SSL_write(p->ssl, reply, (int)strlen(reply));
		if (p->script.rude)
			hang_up(p);
	} else if (r <= 0 && is_over(p, r)) {
		hang_up(p);
	}
}

void tls_peer_step(struct tls_peer *p)
{
	if (!accept_one(p))
		return;
	if (p->ssl)
		step_tls(p);
	else
		step_clear(p);
}

void tls_peer_close(struct tls_peer *p)
{
	if (p->fd >= 0)
		hang_up(p);
	close(p->listener);
	unlink(p->ca_file);
	X509_free(p->authority);
	EVP_PKEY_free(p->authority_key);
	SSL_CTX_free(p->ctx);
}
