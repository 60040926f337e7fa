/* SPDX-License-Identifier: MIT */
/* Writes the parts of the documentation that the keyword tables make: tools/keyword-docs. */
#include <string.h>

#include "conf/reference.h"

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "manual"))
		conf_reference_manual(stdout);
	else if (argc == 2 && !strcmp(argv[1], "migration"))
		conf_reference_migration(stdout);
	else
		return fputs("Usage: vipd-reference manual|migration\n", stderr), 1;
	return 0;
}
