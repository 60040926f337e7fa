/* SPDX-License-Identifier: MIT */
#include "tls/seen.h"

#include <stdlib.h>
#include <string.h>

#include <libsched/lb_hash.h>

#include "tls/conn.h"

static struct tls_seen *seen_of(const SSL *ssl)
{
	struct tls *t = SSL_get_app_data(ssl);

	if (t && !t->seen)
		t->seen = calloc(1, sizeof(*t->seen));
	return t ? t->seen : NULL;
}

/* As much of it as the others have left room for. */
static void put(struct tls_seen *s, enum tls_list list, const unsigned char *at, size_t len, size_t *room)
{
	len = len < *room ? len : *room;
	s->list[list].at = len ? malloc(len) : NULL;
	if (!s->list[list].at)
		return;
	memcpy(s->list[list].at, at, len);
	s->list[list].len = len;
	*room -= len;
}

/* What an extension has behind a length of so many bytes. */
static void put_extension(SSL *ssl, struct tls_seen *s, enum tls_list list, unsigned extension, size_t skip, size_t *room)
{
	const unsigned char *at;
	size_t len;

	if (SSL_client_hello_get0_ext(ssl, extension, &at, &len) && len > skip)
		put(s, list, at + skip, len - skip, room);
}

static void put_extensions(SSL *ssl, struct tls_seen *s, size_t *room)
{
	unsigned char *bytes;
	size_t n = 0;
	int *ids = NULL;

	if (!SSL_client_hello_get1_extensions_present(ssl, &ids, &n))
		return;
	bytes = n ? malloc(2 * n) : NULL;
	for (size_t i = 0; bytes && i < n; i++) {
		bytes[2 * i] = (unsigned char)(ids[i] >> 8);
		bytes[2 * i + 1] = (unsigned char)ids[i];
	}
	if (bytes)
		put(s, TLS_LIST_EXTENSIONS, bytes, 2 * n, room);
	free(bytes);
	OPENSSL_free(ids);
}

void tls_seen_hello(SSL *ssl, size_t room)
{
	struct tls_seen *s = seen_of(ssl);
	const unsigned char *ciphers;
	size_t len;

	if (!s || s->version)
		return; /* a second hello, behind a HelloRetryRequest, says the same */
	s->version = (uint16_t)SSL_client_hello_get0_legacy_version(ssl);
	len = SSL_client_hello_get0_ciphers(ssl, &ciphers);
	s->ciphers_hash = lb_hash_bytes(ciphers, len, 0);
	put(s, TLS_LIST_CIPHERS, ciphers, len, &room);
	put_extensions(ssl, s, &room);
	put_extension(ssl, s, TLS_LIST_GROUPS, TLSEXT_TYPE_supported_groups, 2, &room);
	put_extension(ssl, s, TLS_LIST_POINTS, TLSEXT_TYPE_ec_point_formats, 1, &room);
}

/* "LABEL RANDOM SECRET" */
void tls_seen_secret(const SSL *ssl, const char *line)
{
	static const char *const labels[TLS_SECRETS] = {
	    [TLS_SECRET_EARLY] = "CLIENT_EARLY_TRAFFIC_SECRET ",
	    [TLS_SECRET_CLIENT_HANDSHAKE] = "CLIENT_HANDSHAKE_TRAFFIC_SECRET ",
	    [TLS_SECRET_SERVER_HANDSHAKE] = "SERVER_HANDSHAKE_TRAFFIC_SECRET ",
	    [TLS_SECRET_CLIENT] = "CLIENT_TRAFFIC_SECRET_0 ",
	    [TLS_SECRET_SERVER] = "SERVER_TRAFFIC_SECRET_0 ",
	    [TLS_SECRET_EXPORTER] = "EXPORTER_SECRET ",
	    [TLS_SECRET_EARLY_EXPORTER] = "EARLY_EXPORTER_SECRET ",
	};
	const char *secret = strrchr(line, ' ');

	for (int i = 0; secret && i < TLS_SECRETS; i++)
		if (!strncmp(line, labels[i], strlen(labels[i])) && strlen(secret + 1) < TLS_SECRET_MAX) {
			struct tls_seen *s = seen_of(ssl);

			if (s)
				strcpy(s->secret[i], secret + 1);
		}
}

void tls_seen_free(struct tls_seen *s)
{
	if (!s)
		return;
	for (int i = 0; i < TLS_LISTS; i++)
		free(s->list[i].at);
	OPENSSL_cleanse(s->secret, sizeof(s->secret));
	free(s);
}
