/* SPDX-License-Identifier: MIT */
/*
 * What of a handshake is kept for rules to ask: the lists of the client's hello ("tune.ssl.capture-buffer-size") and the
 * secrets ("tune.ssl.keylog"). Both are off unless the configuration says so: they take memory on each connection.
 */
#ifndef PROXYD_TLS_SEEN_H
#define PROXYD_TLS_SEEN_H

#include <openssl/ssl.h>

#include "rules/sample.h"

#define TLS_SECRET_MAX 192 /* hexadecimal digits, and one byte */

enum tls_list {
	TLS_LIST_CIPHERS, /* two bytes each */
	TLS_LIST_EXTENSIONS,
	TLS_LIST_GROUPS,
	TLS_LIST_POINTS, /* one byte each */
	TLS_LISTS,
};

/* In the order of tls_names.h. */
enum tls_secret {
	TLS_SECRET_EARLY,
	TLS_SECRET_CLIENT_HANDSHAKE,
	TLS_SECRET_SERVER_HANDSHAKE,
	TLS_SECRET_CLIENT,
	TLS_SECRET_SERVER,
	TLS_SECRET_EXPORTER,
	TLS_SECRET_EARLY_EXPORTER,
	TLS_SECRETS,
};

struct tls_seen {
	uint16_t version; /* legacy_version (RFC 8446, section 4.1.2) */
	uint64_t ciphers_hash; /* of all of them, XXH64 */
	struct {
		unsigned char *at;
		size_t len;
	} list[TLS_LISTS];
	char secret[TLS_SECRETS][TLS_SECRET_MAX]; /* "": not told */
};

/* In a client hello callback: keeps at most `room` bytes, as HAProxy first of the ciphers, then of extensions, groups and formats. */
void tls_seen_hello(SSL *ssl, size_t room);
/* For SSL_CTX_set_keylog_callback. */
void tls_seen_secret(const SSL *ssl, const char *line);
void tls_seen_free(struct tls_seen *s);

#endif
