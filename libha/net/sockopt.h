/* SPDX-License-Identifier: MIT */
/* Socket options that VRRP and BFD both set. */
#ifndef LIBHA_NET_SOCKOPT_H
#define LIBHA_NET_SOCKOPT_H

#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

static inline int sockopt_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* 0 is any interface. */
static inline int sockopt_bind_to_device(int fd, uint32_t ifindex)
{
	char name[IF_NAMESIZE];

	if (!ifindex)
		return 0;
	if (!if_indextoname(ifindex, name))
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name) + 1) < 0)
		return -errno;
	return 0;
}

#endif
