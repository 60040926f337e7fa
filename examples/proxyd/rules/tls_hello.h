/* SPDX-License-Identifier: MIT */
/*
 * The first message of a TLS connection, as a proxy sees it that does not decrypt (RFC 8446, section 4.1.2;
 * RFC 6066, section 3; RFC 7301). Pure.
 */
#ifndef PROXYD_RULES_TLS_HELLO_H
#define PROXYD_RULES_TLS_HELLO_H

#include "rules/sample.h"

enum tls_hello_found {
	TLS_HELLO_NONE, /* it is something else */
	TLS_HELLO_PART, /* more bytes may tell */
	TLS_HELLO_WHOLE,
};

struct tls_hello {
	uint8_t type;	  /* of the handshake message: 1 client, 2 server */
	uint16_t version; /* of the hello: 0x0303 is TLS 1.2, and what TLS 1.3 says there */
	/* of the client's extensions; at NULL: not there */
	struct text server_name, alpn; /* alpn: the first name */
	bool has_extensions, has_curves, has_points, has_tickets;
	uint16_t ticket_len;
};

/* `type`: which message is looked for. Text is borrowed from `bytes`. */
enum tls_hello_found tls_hello_read(struct text bytes, uint8_t type, struct tls_hello *ret);

#endif
