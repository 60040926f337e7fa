/* SPDX-License-Identifier: MIT */
/* The default transport: a libmnl socket. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <libha/nl_transport.h>

#include "base/sized.h"
#include "nl/fd.h"

static int sock_fd(void *t)
{
	return mnl_socket_get_fd(t);
}

static int sock_send(void *t, const void *buf, size_t len)
{
	return nl_fd_send(sock_fd(t), buf, len);
}

static ssize_t sock_recv(void *t, void *buf, size_t cap)
{
	return nl_fd_recv(sock_fd(t), buf, cap);
}

static uint32_t sock_port(void *t)
{
	return mnl_socket_get_portid(t);
}

static int sock_join(void *t, uint32_t group)
{
	return nl_fd_join(sock_fd(t), group);
}

static void sock_close(void *t)
{
	mnl_socket_close(t);
}

static const struct ha_nl_transport_ops sock_ops = {
    .size = sizeof(sock_ops),
    .send = sock_send,
    .recv = sock_recv,
    .fd = sock_fd,
    .port = sock_port,
    .join = sock_join,
    .close = sock_close,
};

/* Each is a convenience an older kernel lacks: short answers, texts, dumps filtered by the kernel. */
static void ask_for_comfort(struct mnl_socket *s)
{
	static const int options[] = {NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK};
	int on = 1;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		mnl_socket_setsockopt(s, options[i], &on, sizeof(on));
}

int ha_nl_mnl_open(int protocol, const struct ha_nl_mnl_opts *opts, struct ha_nl_transport *ret)
{
	struct ha_nl_mnl_opts o = {.size = sizeof(o)};
	struct mnl_socket *s;
	int r;

	if (!ret)
		return -EINVAL;
	r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	if (r < 0)
		return r;
	s = mnl_socket_open2(protocol, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!s)
		return -errno;
	nl_fd_set_queue(mnl_socket_get_fd(s), SO_RCVBUFFORCE, SO_RCVBUF,
			o.receive_bytes ? o.receive_bytes : HA_NL_RECEIVE_BYTES);
	nl_fd_set_queue(mnl_socket_get_fd(s), SO_SNDBUFFORCE, SO_SNDBUF,
			o.send_bytes ? o.send_bytes : HA_NL_SEND_BYTES);
	ask_for_comfort(s);
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		r = -errno;
		mnl_socket_close(s);
		return r;
	}
	*ret = (struct ha_nl_transport){.ops = &sock_ops, .userdata = s};
	return 0;
}
