/* SPDX-License-Identifier: MIT */
#include <libha/version.h>

const char *ha_version(void)
{
	return LIBHA_VERSION;
}
