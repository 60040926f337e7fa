/* SPDX-License-Identifier: MIT */
/*
 * The header that a connection may begin with, and which says who the client really is: that of the PROXY protocol
 * (accept-proxy, expect-proxy layer4) or NetScaler's Client IP header (accept-netscaler-cip). Of either mode.
 */
#ifndef PROXYD_ENGINE_GREETING_H
#define PROXYD_ENGINE_GREETING_H

#include "worker.h"

enum greeting {
	GREETING_READ, /* the connection's ends are what the header says */
	GREETING_PART, /* more of it must come */
	GREETING_BAD,
};

/* Does a header come first over this listener (*ret_greeting), and which (*store)? False: no memory. */
bool greeting_expected(const struct set_listener *l, struct rule_store **store, bool *ret_greeting);

/* Takes the header, and no byte more, out of the socket. */
enum greeting greeting_read(struct worker *w, const struct connection_ends *ends);

/* It is malformed, or did not come: for the log and the counters. */
void greeting_failed(struct worker *w, const struct connection_ends *ends);

#endif
