/* SPDX-License-Identifier: MIT */
/* Sockets in other network namespaces: each stays for life where its thread was when it was made. */
#include "netns.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cfg/cfg.h"

int netns_socket(const struct cfg_netns *there, int domain, int type, int protocol)
{
	int fd;

	if (there && setns(there->fd, CLONE_NEWNET) < 0)
		return -errno;
	fd = socket(domain, type, protocol);
	if (fd < 0)
		fd = -errno;
	if (there && setns(there->home_fd, CLONE_NEWNET) < 0)
		abort(); /* all that this thread opens from now on would be in the wrong network */
	return fd;
}
