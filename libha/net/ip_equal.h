/* SPDX-License-Identifier: MIT */
/* Whether two addresses are the same, without a call: each packet asks this several times. */
#ifndef NET_IP_EQUAL_H
#define NET_IP_EQUAL_H

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include <libha/ip.h>

static inline bool ip_equal(const struct ha_ip *a, const struct ha_ip *b)
{
	if (a->family != b->family)
		return false;
	if (a->family == AF_INET)
		return !memcmp(a->bytes, b->bytes, 4);
	return !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

#endif
