/* SPDX-License-Identifier: MIT */
/* The commands of lbctl. */
#ifndef LBCTL_COMMANDS_H
#define LBCTL_COMMANDS_H

#include <stdbool.h>

#include "client.h"

enum { LBCTL_OK, LBCTL_FAILED, LBCTL_USAGE };

struct request {
	struct client *client;
	bool json, force, follow;
	const char *in; /* --in: only in this virtual server */
	int limit;	/* -n: events */
	int wait_s;	/* --wait: for a failover */
	int argc;	/* words behind the command */
	char **argv;
	const char *command;
};

struct command;

/* What r->command is; NULL: said that it is none, or what has to stand behind it. */
const struct command *command_find(const struct request *r);

/* With r->client: an exit code. */
int command_run(const struct command *c, const struct request *r);

#endif
