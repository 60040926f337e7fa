/* SPDX-License-Identifier: MIT */
/*
 * The client's side of SMTP (RFC 5321) for one mail, as HAProxy talks: bytes in, bytes out.
 *
 *	220 ──► HELO ──► 250 ──► MAIL ──► 250 ──► RCPT ──► 250 ──► DATA ──► 354 ──► the mail ──► 250 ──► QUIT
 */
#ifndef PROXYD_ENGINE_LOG_SMTP_CLIENT_H
#define PROXYD_ENGINE_LOG_SMTP_CLIENT_H

#include <stddef.h>

#define SMTP_LINE_MAX 1024 /* of an answer: 512 by RFC 5321 section 4.5.3.1.5 */
#define SMTP_LINES_MAX 100 /* of one answer */
#define SMTP_ORDERS 6u

/* Zeroed, then `order` filled: what is said to each answer, with its line end. They are its owner's. */
struct smtp_client {
	const char *order[SMTP_ORDERS];
	unsigned n_said;
	unsigned n_lines; /* of the answer at hand, so far */
	size_t len;
	char line[SMTP_LINE_MAX]; /* the one at hand; without its end once it is whole */
};

enum smtp_state {
	SMTP_WAITS,   /* for more bytes */
	SMTP_SAYS,    /* *ret_say is to be sent; then the rest of the bytes is to be given */
	SMTP_TAKEN,   /* the server has the mail; *ret_say is to be sent, and nothing more matters */
	SMTP_REFUSED, /* line says why */
	SMTP_FOREIGN, /* what answers speaks no SMTP */
};

/* Takes up to `len` bytes, and says how many. */
enum smtp_state smtp_receive(struct smtp_client *c, const char *data, size_t len, size_t *ret_used, const char **ret_say);

#endif
