/* SPDX-License-Identifier: MIT */
/*
 * do-resolve: a request, or a connection whose first bytes are looked at, waits for the address of a name, which the
 * control thread asks for (dns.h). Meanwhile the client may go, and the answer is dropped.
 */
#ifndef PROXYD_ENGINE_NAME_ASK_H
#define PROXYD_ENGINE_NAME_ASK_H

#include "engine/http/http.h"

#define NAME_ASKS_MAX 1024u /* at once, of all workers; more find no address */

struct verdict;

/* Begins it; the exchange is in EXCHANGE_PAUSED. False: it goes on without an address. */
bool exchange_ask_name(struct worker *w, struct exchange *x, const struct verdict *v);
/* The exchange ends before the answer. */
void exchange_ask_name_end(struct exchange *x);

/* As those; the session is inspected, and is greeted again with the answer. */
bool session_ask_name(struct worker *w, struct session *s, const struct verdict *v);
void session_ask_name_end(struct session *s);

#endif
