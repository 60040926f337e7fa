/* SPDX-License-Identifier: MIT */
/* Commands of HAProxy's that this version does not offer: who sends one is told so, and what to do instead. */
#include "runtime.h"

#include <string.h>

static const struct {
	const char *name, *why;
} absent[] = {
    {"debug", "use gdb or strace"},
    {"set profiling", "use perf top"},
    {"show cache", "answers are not cached"},
    {"show dev", "use show info"},
    {"show profiling", "use perf top"},
    {"show ssl", "show ssl cert, ca-file, crl-file, crt-list and ocsp-response are"},
    {"show tasks", "there are no tasks: show threads"},
    {"show trace", "use perf trace, or show errors"},
    {"trace", "use perf trace, or show errors"},
};

bool runtime_absent(struct call *c, const struct line_command *line)
{
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		const char *name = absent[i].name, *space = strchr(name, ' ');
		size_t len = space ? (size_t)(space - name) : strlen(name);

		if (strlen(line->word[0]) != len || strncmp(line->word[0], name, len) != 0 ||
		    (space && (line->n < 2 || strcmp(line->word[1], space + 1) != 0)))
			continue;
		call_say(c, "\"%s\" is a command of HAProxy's that this version does not offer: %s.\n", name, absent[i].why);
		return true;
	}
	return false;
}
