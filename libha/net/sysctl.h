/* SPDX-License-Identifier: MIT */
/* Settings of one interface: /proc/sys/net/ipv4/conf/eth0/arp_ignore and its like (ip-sysctl). */
#ifndef LIBHA_NET_SYSCTL_H
#define LIBHA_NET_SYSCTL_H

#include <stddef.h>

/*
 * `family` is "ipv4" or "ipv6", `interface` a name of the kernel, or "all". The network namespace
 * is that of the calling thread. 0 or -errno: -ENOENT (the kernel has no such setting, or the
 * interface no such family), -EROFS or -EACCES (/proc/sys is not for us), -EBADMSG (no small
 * number).
 */
int net_sysctl_get(const char *family, const char *interface, const char *key, int *ret);
int net_sysctl_set(const char *family, const char *interface, const char *key, int value);

#endif
