/* SPDX-License-Identifier: MIT */
/* A client of vipd's control socket: JSON-RPC 2.0, a message a line (docs/control-socket.md). */
#ifndef LBCTL_CLIENT_H
#define LBCTL_CLIENT_H

#include <jansson.h>

struct client;

/* Connects; NULL: it cannot, said on stderr. */
struct client *client_open(const char *path);
void client_close(struct client *c);

/*
 * Calls a method; steals `params` (NULL: none). Returns the result, a new reference, or NULL: then *ret_code is
 * the error's code and `ret_text` (256 bytes) its message; code 0: the connection broke.
 */
json_t *client_call(struct client *c, const char *method, json_t *params, int *ret_code,
		    char *ret_text);

/*
 * The next event after "subscribe", or NULL: none within `timeout_ms` (-1: for ever), or the connection
 * ended, which *ret_ended tells.
 */
json_t *client_event(struct client *c, int timeout_ms, int *ret_ended);

#endif
