/* SPDX-License-Identifier: MIT */
/* Help from the table of commands: of all, of one, and as JSON, from which the manual is checked. */
#ifndef LBCTL_HELP_H
#define LBCTL_HELP_H

#include "commands.h"

#define LBCTL_SOCKET "/run/keepalived.sock"

void help_all(void);
void help_command(const struct command *c);
void help_json(void);

#endif
