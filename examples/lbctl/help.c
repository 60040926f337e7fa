/* SPDX-License-Identifier: MIT */
#include "help.h"

#include <stdio.h>
#include <string.h>

static const char head[] =
    "lbctl - see and steer a running vipd\n"
    "\n"
    "Usage: lbctl [OPTION]... COMMAND [NAME]\n"
    "       lbctl COMMAND --help          more about one\n"
    "\n"
    "To begin with:\n"
    "  lbctl status                       who is MASTER, since when and why; what is down\n"
    "  lbctl explain VI_1                 why is it BACKUP, and what to do\n"
    "  lbctl explain 10.0.0.5:80          why is this server down\n"
    "  lbctl events -f                    what happens, as it happens\n";
static const char options[] =
    "\n"
    "Options:\n"
    "  -s, --socket=FILE                  default " LBCTL_SOCKET ": vipd's pid file with\n"
    "                                     .sock for .pid\n"
    "  -j, --json                         answers as JSON\n"
    "  -h, --help    -v, --version\n"
    "\n"
    "Orders outlive reloads and crashes of vipd's processes, not vipd itself.\n";
static const char exits[] =
    "Exit code: 0 done, 1 not done (stderr says why), 2 the command line is wrong.\n";

void help_all(void)
{
	const char *section = "";
	const struct command *c;

	fputs(head, stdout);
	for (size_t i = 0; (c = command_at(i)); i++) {
		char usage[64];

		if (strcmp(section, c->section) != 0)
			printf("\n%s:\n", c->section);
		section = c->section;
		snprintf(usage, sizeof(usage), "%s %s", c->name, c->words);
		if (strlen(usage) > 33)
			printf("  %s\n%35s  %s\n", usage, "", c->what);
		else
			printf("  %-33s  %s\n", usage, c->what);
	}
	fputs(options, stdout);
	fputs(exits, stdout);
}

void help_command(const struct command *c)
{
	printf("lbctl %s - %s\n\nUsage: lbctl [OPTION]... %s%s%s\n\n%s\nExample:\n  %s\n\n%s",
	       c->name, c->what, c->name, *c->words ? " " : "", c->words, c->more, c->example,
	       exits);
}

void help_json(void)
{
	json_t *all = json_array();
	const struct command *c;

	for (size_t i = 0; (c = command_at(i)); i++)
		json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "command",
						     c->name, "arguments", c->words, "section",
						     c->section, "what", c->what, "more", c->more,
						     "example", c->example));
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}
