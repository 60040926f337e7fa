/* SPDX-License-Identifier: MIT */
/* The commands of lbctl. */
#ifndef LBCTL_COMMANDS_H
#define LBCTL_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "client.h"

enum { LBCTL_OK, LBCTL_FAILED, LBCTL_USAGE };

struct request {
	struct client *client;
	bool json, force, follow, help;
	const char *in; /* --in: only in this virtual server */
	int limit;	/* -n: events */
	int wait_s;	/* --wait: for a failover */
	int argc;	/* words behind the command */
	char **argv;
	const char *command;
};

#define LBCTL_LOOKING "Looking"
#define LBCTL_VRRP "VRRP"
#define LBCTL_SERVERS "Real servers"
#define LBCTL_DAEMON "The daemon"

struct command {
	const char *name;
	int (*fn)(const struct request *r); /* an exit code */
	int least, most;		    /* words behind it */
	const char *words;
	const char *section, *what; /* what: a line of help */
	const char *more;	    /* lines of it */
	const char *example;
};

/* NULL behind the last one. */
const struct command *command_at(size_t i);

/* NULL: said that there is none of this name. */
const struct command *command_named(const char *name);

/* What r->command is; NULL: said that it is none, or what has to stand behind it. */
const struct command *command_find(const struct request *r);

#endif
