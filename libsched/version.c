/* SPDX-License-Identifier: MIT */
#include <libsched/version.h>

const char *lb_version(void)
{
	return LIBSCHED_VERSION;
}
