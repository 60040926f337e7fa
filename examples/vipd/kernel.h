/* SPDX-License-Identifier: MIT */
/*
 * The kernel process: the only one with CAP_NET_ADMIN and CAP_NET_RAW. It reads no byte from a network and
 * no file; it obeys a closed list of verbs (msg.h), and of each only what the configuration names: the
 * vrrp process cannot have it hold an address that is not written there.
 */
#ifndef VIPD_KERNEL_H
#define VIPD_KERNEL_H

#include "conf.h"

struct kernel_args {
	const struct conf *conf;
	const struct conf
	    *previous; /* before a reload; NULL: none. What it had and conf has not is removed */
	int supervisor_fd, vrrp_fd, health_fd; /* channels, owned from now on; -1: there is none */
};

/* Runs until the supervisor says MSG_STOP or all channels are gone. The exit code of the process. */
int kernel_run(const struct kernel_args *args);

#endif
