/* SPDX-License-Identifier: MIT */
/*
 * A TLS server for tests, by OpenSSL itself, in steps like tests/support/peer.h: no thread, no clock. Its
 * certificate is made for it, signed by an authority of its own.
 */
#ifndef TESTS_SUPPORT_TLS_PEER_H
#define TESTS_SUPPORT_TLS_PEER_H

#include <stdbool.h>
#include <netinet/in.h>
#include <openssl/ssl.h>

struct tls_peer_script {
	const char *name;     /* of the certificate; NULL: "check.test" */
	long valid_days;      /* from yesterday on; 0: 30. Negative: expired so long ago */
	const char *alpn;     /* the one protocol it speaks; NULL: none */
	int version;	      /* the only one; 0: any */
	const char *greeting; /* in the clear, before TLS; NULL: none */
	const char
	    *clear_line;   /* with a greeting: the answer to the client's first line, then TLS */
	const char *reply; /* over TLS, to the first bytes of the client; NULL: none, stays */
	bool no_tickets;
	bool rude; /* after the reply: closes without close_notify */
	bool wants_certificate;
};

struct tls_peer {
	struct tls_peer_script script;
	SSL_CTX *ctx;
	X509 *authority;
	EVP_PKEY *authority_key;
	struct sockaddr_in address;
	int listener, fd; /* one connection at a time; fd -1: none */
	SSL *ssl;	  /* NULL: still in the clear */
	bool replied;
	unsigned int handshakes, resumed;
	char sni[256];
	char ca_file[64]; /* the authority, PEM; removed by tls_peer_close */
};

/* Asserts (cmocka) on failure. */
void tls_peer_open(struct tls_peer *p, const struct tls_peer_script *script);
void tls_peer_step(struct tls_peer *p);
void tls_peer_close(struct tls_peer *p);

#endif
