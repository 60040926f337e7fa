/* SPDX-License-Identifier: MIT */
#include "config_test.h"
#include "genhash.h"
#include "options.h"
#include "supervisor.h"
#include "upgrade.h"

int main(int argc, char **argv)
{
	struct options o;
	int r;

	if (genhash_wanted(argc, argv))
		return genhash_main(argc, argv);
	r = options_read(argc, argv, &o);
	if (r >= 0)
		return r;
	if (o.upgrade)
		return upgrade_ask(&o);
	return o.test ? config_test(&o) : supervisor_run(&o, argc, argv);
}
