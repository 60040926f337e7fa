/* SPDX-License-Identifier: MIT */
/* Values of a TLS connection that rules ask for (fetch/tls.c); the host finds them. */
#ifndef PROXYD_RULES_TLS_NAMES_H
#define PROXYD_RULES_TLS_NAMES_H

/* Of the connection. */
enum tls_value {
	TLS_ALG_KEYSIZE,
	TLS_ALPN,
	TLS_CA_ERR,
	TLS_CA_ERR_DEPTH,
	TLS_CIPHER,
	TLS_CIPHERLIST_BIN, /* of the hello, as these: */
	TLS_CIPHERLIST_HEX,
	TLS_CIPHERLIST_STR,
	TLS_CIPHERLIST_XXH,
	TLS_CLIENT_RANDOM,
	TLS_CURVE,
	TLS_ERR,
	TLS_EXTENSIONLIST,
	TLS_GROUPLIST,
	TLS_HANDSHAKE_ERR,
	TLS_HANDSHAKE_ERR_STR,
	TLS_HAS_CERT,
	TLS_HAS_SNI,
	TLS_HELLO_VERSION,
	TLS_IS_RESUMED,
	TLS_NEVER, /* of what this version does not do: early data, NPN */
	TLS_POINTLIST,
	TLS_PROTOCOL,
	/* a secret each */
	TLS_KEY_EARLY,
	TLS_KEY_CLIENT_HANDSHAKE,
	TLS_KEY_SERVER_HANDSHAKE,
	TLS_KEY_CLIENT,
	TLS_KEY_SERVER,
	TLS_KEY_EXPORTER,
	TLS_KEY_EARLY_EXPORTER,
	TLS_SERVER_RANDOM,
	TLS_SESSION_ID,
	TLS_SESSION_KEY,
	TLS_SNI,
	TLS_UNIQUE_ID,
	TLS_USED,
	TLS_VERIFY,
	/* of a certificate, with one of the bits below */
	TLS_CERT_CHAIN,
	TLS_CERT_DER,
	TLS_CERT_ISSUER,
	TLS_CERT_KEY_ALG,
	TLS_CERT_NOT_AFTER,
	TLS_CERT_NOT_BEFORE,
	TLS_CERT_SERIAL,
	TLS_CERT_SHA1,
	TLS_CERT_SIG_ALG,
	TLS_CERT_SUBJECT,
	TLS_CERT_VERSION,
};

#define TLS_VALUE_MASK 0xff
#define TLS_OF_PEER 0x100   /* the peer's certificate, not ours */
#define TLS_OF_SERVER 0x200 /* of the connection to the server, not the client's */

#endif
