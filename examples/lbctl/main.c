/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "commands.h"
#include "print.h"

#define SOCKET "/run/keepalived.sock"

static const char help[] =
    "lbctl - see and steer a running vipd\n"
    "\n"
    "Usage: lbctl [OPTION]... COMMAND [NAME]\n"
    "\n"
    "To begin with:\n"
    "  lbctl status                     who is MASTER, since when and why; which servers are up\n"
    "  lbctl explain VI_1               why is it BACKUP, and what to do\n"
    "  lbctl explain 10.0.0.5:80        why is this server down\n"
    "  lbctl events -f                  what happens, as it happens\n"
    "\n"
    "Looking:\n"
    "  status                           all in short\n"
    "  show [INSTANCE|VIRTUAL_SERVER]   all that is known, of one or of all\n"
    "  explain NAME                     in sentences: an instance, a virtual or a real server\n"
    "  events [-f] [-n N]               the last N (20); -f: and those that follow\n"
    "\n"
    "VRRP:\n"
    "  failover INSTANCE [--wait S]     hand over to another node; it has the addresses before\n"
    "                                   this one lets go. Waits up to S seconds (15) for it\n"
    "  hold INSTANCE [--force]          hand over and stay out of it, for maintenance;\n"
    "                                   --force: also when no other node takes over\n"
    "  release INSTANCE                 take part again\n"
    "  announce INSTANCE                gratuitous ARP or neighbour advertisements again\n"
    "\n"
    "Real servers (ADDRESS:PORT, [IPV6]:PORT), in all virtual servers or with --in NAME in one:\n"
    "  drain SERVER                     no new connections; those it has go on\n"
    "  disable SERVER                   out of use, as if it were down\n"
    "  enable SERVER                    undo drain and disable\n"
    "  weight SERVER N|default          another weight\n"
    "  check SERVER|SCRIPT              run its checks, or a vrrp_script, now\n"
    "\n"
    "The daemon:\n"
    "  reload                           read the configuration again\n"
    "  clear                            counters begin at 0\n"
    "  call METHOD [JSON]               any method of the socket: lbctl call help\n"
    "\n"
    "Options:\n"
    "  -s, --socket=FILE                default " SOCKET ": vipd's pid file with .sock\n"
    "  -j, --json                       answers as JSON\n"
    "  -h, --help    -v, --version\n"
    "\n"
    "Orders outlive reloads and crashes of vipd's processes, not vipd itself.\n"
    "Exit code: 0 done, 1 not done (stderr says why), 2 the command line is wrong.\n";

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
		fputs(help, stdout);
		return LBCTL_OK;
	case 'v':
		puts("lbctl " LBCTL_VERSION);
		return LBCTL_OK;
	default:
		fputs("Try lbctl --help\n", stderr);
		return LBCTL_USAGE;
	}
}

int main(int argc, char **argv)
{
	struct request r = {.limit = -1, .wait_s = 15};
	const struct command *command;
	const char *socket = SOCKET;
	int option, end;

	while ((option = getopt_long(argc, argv, "s:jfn:hv", long_options, NULL)) != -1) {
		end = take(option, &r, &socket);
		if (end >= 0)
			return end;
	}
	if (optind == argc) {
		fputs(help, stdout);
		return LBCTL_USAGE;
	}
	r.command = argv[optind++];
	r.argc = argc - optind;
	r.argv = argv + optind;
	command = command_find(&r);
	if (!command)
		return LBCTL_USAGE;
	print_init();
	r.client = client_open(socket);
	if (!r.client)
		return LBCTL_FAILED;
	end = command_run(command, &r);
	client_close(r.client);
	return end;
}
