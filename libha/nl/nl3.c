/* SPDX-License-Identifier: MIT */
/* The transport over a libnl-3 socket: the whole of libha-nl3, but for fd.c. */
#include <errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <libha/nl3.h>

#include "nl/fd.h"

static int sock_fd(void *sk)
{
	return nl_socket_get_fd(sk);
}

static int sock_send(void *sk, const void *buf, size_t len)
{
	return nl_fd_send(sock_fd(sk), buf, len);
}

static ssize_t sock_recv(void *sk, void *buf, size_t cap)
{
	return nl_fd_recv(sock_fd(sk), buf, cap);
}

static uint32_t sock_port(void *sk)
{
	return nl_socket_get_local_port(sk);
}

static int sock_join(void *sk, uint32_t group)
{
	return nl_fd_join(sock_fd(sk), group);
}

static const struct ha_nl_transport_ops sock_ops = {
    .size = sizeof(sock_ops),
    .send = sock_send,
    .recv = sock_recv,
    .fd = sock_fd,
    .port = sock_port,
    .join = sock_join,
};

int ha_nl3_transport(struct nl_sock *sk, struct ha_nl_transport *ret)
{
	if (!sk || !ret)
		return -EINVAL;
	if (nl_socket_get_fd(sk) < 0)
		return -ENOTCONN;
	*ret = (struct ha_nl_transport){.ops = &sock_ops, .userdata = sk};
	return 0;
}
