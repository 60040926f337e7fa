/* SPDX-License-Identifier: MIT */
#include "msg.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_BYTES (8 << 20)
#define WAIT_MS 1000

int msg_pair(int ret_fd[2])
{
	const int bytes = QUEUE_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fd) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		if (setsockopt(ret_fd[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
			setsockopt(ret_fd[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return 0;
}

int msg_send(int fd, const struct msg *m, int fd_to_pass)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)m, .iov_len = sizeof(*m)};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd_to_pass >= 0) {
		struct cmsghdr *c;

		h.msg_control = control.bytes;
		h.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd_to_pass, sizeof(int));
	}
	return sendmsg(fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int msg_send_wait(int fd, const struct msg *m)
{
	int r;

	while ((r = msg_send(fd, m, -1)) == -EAGAIN) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		if (poll(&p, 1, WAIT_MS) <= 0)
			break;
	}
	return r;
}

static int take_descriptor(struct msghdr *h)
{
	int fd = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		    c->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

int msg_receive(int fd, struct msg *ret, int *ret_fd)
{
	for (;;) {
		struct iovec part = {.iov_base = ret, .iov_len = sizeof(*ret)};
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(int))];
		} control;
		struct msghdr h = {.msg_iov = &part,
				   .msg_iovlen = 1,
				   .msg_control = control.bytes,
				   .msg_controllen = sizeof(control.bytes)};
		ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		int passed;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (!n)
			return -EPIPE;
		passed = take_descriptor(&h);
		if (ret_fd)
			*ret_fd = passed;
		else if (passed >= 0)
			close(passed);
		if (n == (ssize_t)sizeof(*ret) && !(h.msg_flags & MSG_TRUNC))
			return 1;
		if (ret_fd && passed >= 0)
			close(passed);
	}
}
