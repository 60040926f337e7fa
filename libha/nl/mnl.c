/* SPDX-License-Identifier: MIT */
/* The default transport: a libmnl socket. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <libha/nl_transport.h>

#include "base/sized.h"

/* Datagrams of other senders than the kernel thrown away in one recv; then the host's loop turns. */
#define STRANGERS_MAX 64

static int sock_fd(void *t)
{
	return mnl_socket_get_fd(t);
}

/* Sets a queue's limit: past the system's maximum if we may, else as far as it goes. */
static void set_queue(int fd, int force, int polite, size_t bytes)
{
	int v = bytes > HA_NL_SEND_BYTES_MAX ? (int)HA_NL_SEND_BYTES_MAX : (int)bytes;

	if (setsockopt(fd, SOL_SOCKET, force, &v, sizeof(v)) < 0)
		setsockopt(fd, SOL_SOCKET, polite, &v, sizeof(v));
}

static int sock_send(void *t, const void *buf, size_t len)
{
	ssize_t n = mnl_socket_sendto(t, buf, len);

	if (n < 0 && errno == EMSGSIZE && len <= HA_NL_SEND_BYTES_MAX) {
		/* Enough: the kernel doubles the value for its own needs. */
		set_queue(sock_fd(t), SO_SNDBUFFORCE, SO_SNDBUF, len);
		n = mnl_socket_sendto(t, buf, len);
	}
	return n < 0 ? -errno : 0;
}

/* Not mnl_socket_recvfrom: that one does not tell who sent the datagram. */
static ssize_t sock_recv(void *t, void *buf, size_t cap)
{
	for (int i = 0; i < STRANGERS_MAX; i++) {
		struct sockaddr_nl from = {0};
		struct iovec iov = {.iov_base = buf, .iov_len = cap};
		struct msghdr msg = {.msg_name = &from,
				     .msg_namelen = sizeof(from),
				     .msg_iov = &iov,
				     .msg_iovlen = 1};
		ssize_t n = recvmsg(sock_fd(t), &msg, MSG_DONTWAIT);

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

static uint32_t sock_port(void *t)
{
	return mnl_socket_get_portid(t);
}

static int sock_join(void *t, uint32_t group)
{
	int g = (int)group;

	if (mnl_socket_setsockopt(t, NETLINK_ADD_MEMBERSHIP, &g, sizeof(g)) < 0)
		return -errno;
	return 0;
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
	set_queue(mnl_socket_get_fd(s), SO_RCVBUFFORCE, SO_RCVBUF,
		  o.receive_bytes ? o.receive_bytes : HA_NL_RECEIVE_BYTES);
	set_queue(mnl_socket_get_fd(s), SO_SNDBUFFORCE, SO_SNDBUF,
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
