/* SPDX-License-Identifier: MIT */
/*
 * SCRAM-SHA-256 without channel binding, the client's side (RFC 5802, RFC 7677):
 *
 *	client-first    n,,n=,r=NONCE           (PostgreSQL takes the user from its startup message)
 *	server-first    r=NONCE+MORE,s=SALT,i=ITERATIONS
 *	client-final    c=biws,r=NONCE+MORE,p=PROOF
 *	server-final    v=SIGNATURE             (the server knows the password, too)
 */
#ifndef LIBHEALTH_SCRAM_H
#define LIBHEALTH_SCRAM_H

#include <stdbool.h>

#include <libhealth/foreign.h>

#include "base/cursor.h"

#define SCRAM_NONCE 32	     /* characters of the client's nonce */
#define SCRAM_SERVER_MAX 512 /* bytes of server-first */
#define SCRAM_SIGNATURE 44   /* characters of 32 bytes in base64 */

struct scram {
	char nonce[SCRAM_NONCE + 1];
	char signature[SCRAM_SIGNATURE + 1]; /* expected in server-final */
};

/* Chooses a nonce that only one who knows the password could foresee; `salt` is another one each time. */
int scram_begin(struct scram *s, const struct health_crypto *crypto, const char *password,
		const uint64_t salt[2]);
void scram_write_first(const struct scram *s, struct writer *w);

/*
 * Reads server-first and writes client-final. 0; -EPROTO: it is none, or wants more than `iterations_max`; or
 * the error of a crypto function.
 */
int scram_answer(struct scram *s, const struct health_crypto *crypto, const char *password,
		 uint32_t iterations_max, struct reader server_first, struct writer *w);

/* Whether server-final is the right one. */
bool scram_verify(const struct scram *s, struct reader server_final);

#endif
