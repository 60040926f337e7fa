/* SPDX-License-Identifier: MIT */
#include <malloc.h>

#include "config_test.h"
#include "genhash.h"
#include "options.h"
#include "supervisor/supervisor.h"
#include "upgrade.h"

#define LARGE 65536 /* bytes; the C library's own threshold grows with what is freed */

int main(int argc, char **argv)
{
	static struct options o; /* the names that it is given live as long as the program */
	int r;

	/* A file that was read leaves no hole in the heap, which every child would copy by using it. */
	mallopt(M_MMAP_THRESHOLD, LARGE);
	if (genhash_wanted(argc, argv))
		return genhash_main(argc, argv);
	r = options_read(argc, argv, &o);
	if (r >= 0)
		return r;
	if (o.upgrade)
		return upgrade_ask(&o);
	return o.test ? config_test(&o) : supervisor_run(&o, argc, argv);
}
