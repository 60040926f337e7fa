/* SPDX-License-Identifier: MIT */
/* The TCP connect probe: the connection is the whole dialogue. */
#include <libhealth/probe.h>

const struct health_probe_ops *health_probe_tcp(void)
{
	static const struct health_probe_ops ops = {.size = sizeof(ops), .name = "tcp"};

	return &ops;
}
