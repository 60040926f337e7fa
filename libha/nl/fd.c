/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <libha/nl_transport.h>

#include "nl/fd.h"

/* Datagrams of other senders than the kernel thrown away in one recv; then the host's loop turns. */
#define STRANGERS_MAX 64

void nl_fd_set_queue(int fd, int force, int polite, size_t bytes)
{
	int v = bytes > HA_NL_SEND_BYTES_MAX ? (int)HA_NL_SEND_BYTES_MAX : (int)bytes;

	if (setsockopt(fd, SOL_SOCKET, force, &v, sizeof(v)) < 0)
		setsockopt(fd, SOL_SOCKET, polite, &v, sizeof(v));
}

static ssize_t send_to_kernel(int fd, const void *buf, size_t len)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	return sendto(fd, buf, len, 0, (const struct sockaddr *)&kernel, sizeof(kernel));
}

int nl_fd_send(int fd, const void *buf, size_t len)
{
	ssize_t n = send_to_kernel(fd, buf, len);

	if (n < 0 && errno == EMSGSIZE && len <= HA_NL_SEND_BYTES_MAX) {
		/* Enough: the kernel doubles the value for its own needs. */
		nl_fd_set_queue(fd, SO_SNDBUFFORCE, SO_SNDBUF, len);
		n = send_to_kernel(fd, buf, len);
	}
	return n < 0 ? -errno : 0;
}

/* Not the recv of a netlink library: those do not tell who sent the datagram, or that it was cut. */
ssize_t nl_fd_recv(int fd, void *buf, size_t cap)
{
	for (int i = 0; i < STRANGERS_MAX; i++) {
		struct sockaddr_nl from = {0};
		struct iovec iov = {.iov_base = buf, .iov_len = cap};
		struct msghdr msg = {.msg_name = &from,
				     .msg_namelen = sizeof(from),
				     .msg_iov = &iov,
				     .msg_iovlen = 1};
		ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (msg.msg_namelen != sizeof(from) || from.nl_pid)
			continue;
		return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
	}
	return -EAGAIN;
}

int nl_fd_join(int fd, uint32_t group)
{
	int g = (int)group;

	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g, sizeof(g)) < 0)
		return -errno;
	return 0;
}
