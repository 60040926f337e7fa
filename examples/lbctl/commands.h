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

/* Runs r->command: an exit code. */
int command_run(const struct request *r);

#endif
