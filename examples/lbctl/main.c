/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "commands.h"
#include "help.h"
#include "print.h"

enum { OPT_IN = 256, OPT_FORCE, OPT_WAIT };

static const struct option long_options[] = {{"socket", required_argument, NULL, 's'},
					     {"json", no_argument, NULL, 'j'},
					     {"follow", no_argument, NULL, 'f'},
					     {"in", required_argument, NULL, OPT_IN},
					     {"force", no_argument, NULL, OPT_FORCE},
					     {"wait", required_argument, NULL, OPT_WAIT},
					     {"help", no_argument, NULL, 'h'},
					     {"version", no_argument, NULL, 'v'},
					     {0}};

static int read_number(const char *what, const char *text, int *ret)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (!*text || *end || n < 0 || n > 86400) {
		fprintf(stderr, "lbctl: %s %s: write a number from 0 to 86400\n", what, text);
		return LBCTL_USAGE;
	}
	*ret = (int)n;
	return -1;
}

/* -1: go on; else the exit code. */
static int take(int option, struct request *r, const char **socket)
{
	switch (option) {
	case 's':
		*socket = optarg;
		return -1;
	case 'j':
		r->json = true;
		return -1;
	case 'f':
		r->follow = true;
		return -1;
	case 'n':
		return read_number("-n", optarg, &r->limit);
	case OPT_IN:
		r->in = optarg;
		return -1;
	case OPT_FORCE:
		r->force = true;
		return -1;
	case OPT_WAIT:
		return read_number("--wait", optarg, &r->wait_s);
	case 'h':
		r->help = true;
		return -1;
	case 'v':
		puts("lbctl " LBCTL_VERSION);
		return LBCTL_OK;
	default:
		fputs("Try lbctl --help\n", stderr);
		return LBCTL_USAGE;
	}
}

/* lbctl --help, lbctl COMMAND --help, lbctl help [COMMAND] */
static int show_help(const struct request *r, const char *name)
{
	const struct command *c = name ? command_named(name) : NULL;

	if (name && !c)
		return LBCTL_USAGE;
	if (c)
		help_command(c);
	else if (r->json)
		help_json();
	else
		help_all();
	return LBCTL_OK;
}

int main(int argc, char **argv)
{
	struct request r = {.limit = -1, .wait_s = 15};
	const struct command *command;
	const char *socket = LBCTL_SOCKET;
	int option, end;

	argv[0] = (char[]){"lbctl"}; /* which getopt names */
	while ((option = getopt_long(argc, argv, "s:jfn:hv", long_options, NULL)) != -1) {
		end = take(option, &r, &socket);
		if (end >= 0)
			return end;
	}
	argv += optind;
	argc -= optind;
	if (argc && !strcmp(argv[0], "help"))
		return show_help(&r, argv[1]);
	if (r.help)
		return show_help(&r, argv[0]);
	if (!argc) {
		help_all();
		return LBCTL_USAGE;
	}
	r.command = argv[0];
	r.argc = argc - 1;
	r.argv = argv + 1;
	command = command_find(&r);
	if (!command)
		return LBCTL_USAGE;
	print_init();
	r.client = client_open(socket);
	if (!r.client)
		return LBCTL_FAILED;
	end = command->fn(&r);
	client_close(r.client);
	return end;
}
