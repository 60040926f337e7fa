/* SPDX-License-Identifier: MIT */
/*
 * The control socket: JSON-RPC 2.0, a message a line, over a unix socket that only its owner may open.
 * docs/control-socket.md is its contract. Requests, answers, clients and what waits for each of
 * them have limits, and nobody is waited for.
 */
#ifndef VIPD_CONTROL_H
#define VIPD_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "supervisor/state.h"

#define CONTROL_CLIENTS_MAX 32
#define CONTROL_REQUEST_MAX 4096	 /* bytes of a line */
#define CONTROL_ANSWER_MAX (64u << 20)	 /* bytes; 16,384 instances need half of it */
#define CONTROL_BACKLOG_MAX (256u << 10) /* bytes a subscriber may be behind */

/* Errors; those below -32000 are JSON-RPC's. */
enum {
	CONTROL_NO_JSON = -32700,
	CONTROL_NO_REQUEST = -32600,
	CONTROL_NO_METHOD = -32601,
	CONTROL_NO_PARAMS = -32602,
	CONTROL_INTERNAL = -32603,
	CONTROL_NOT_FOUND = 1, /* no such instance, server or script */
	CONTROL_NOT_NOW = 2,   /* it is not in a state for that */
};

/* A request while it is worked on. */
struct control_call {
	struct supervisor *s;
	const json_t *params; /* an object */
	struct ucred who;
	bool subscribe; /* set: this client hears events from now on */
	json_t *result;
	int error; /* not 0: then `text` */
	char text[256];
};

/* A method of the table in control/methods.c. */
struct control_method {
	const char *name;
	void (*fn)(struct control_call *c);
	bool fresh;	       /* vrrp is to write down where it stands first */
	const char *params[6]; /* the members that it knows, ends with NULL */
	const char *help;
};

const struct control_method *control_method_find(const char *name);

__attribute__((format(printf, 3, 4))) void control_fail(struct control_call *c, int error,
							const char *format, ...);

/* Opens it at `path` (copied). 0 or -errno, said. */
int control_open(struct supervisor *s, const char *path, struct control **ret);
void control_close(struct control *c);

#endif
