/* SPDX-License-Identifier: MIT */
#include <libhealth/version.h>

const char *health_version(void)
{
	return LIBHEALTH_VERSION;
}
