/* SPDX-License-Identifier: MIT */
/*
 * This process has no capability. Marks, and echo requests outside of net.ipv4.ping_group_range, need
 * one: such sockets come from the kernel process, which knows the marks of the configuration.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "health/health.h"

#define PATIENCE_MS 500 /* the kernel process may be busy; checks of others wait meanwhile, */
#define DEAF_NS UINT64_C(5000000000) /* but not again and again */

bool health_wants_sockets(const struct conf *c)
{
	for (const struct conf_virtual *v = c->virtuals; v; v = v->next)
		for (const struct conf_real *r = v->reals; r; r = r->next)
			for (const struct conf_check *k = r->checks; k; k = k->next)
				if (k->kind == CONF_CHECK_PING || k->way->fwmark)
					return true;
	return false;
}

/* An answer to an earlier question, which nobody waits for any more, is thrown away. */
static int wait_for_socket(const struct health *h)
{
	struct pollfd p = {.fd = h->birth->ends.kernel, .events = POLLIN};
	uint64_t until = loop_clock_ns() + PATIENCE_MS * UINT64_C(1000000);
	uint64_t now;

	while ((now = loop_clock_ns()) < until) {
		struct msg m;
		int fd = -1, r;

		poll(&p, 1, (int)((until - now) / 1000000) + 1);
		while ((r = msg_receive(p.fd, &m, &fd)) > 0) {
			if (m.type == MSG_SOCKET && m.index == h->asked)
				return fd >= 0 ? fd : m.extra < 0 ? m.extra : -EPROTO;
			if (fd >= 0)
				close(fd);
		}
		if (r < 0)
			return r;
	}
	return -ETIMEDOUT;
}

static int ask_kernel(struct health *h, const struct health_socket_want *want)
{
	struct msg m = {.type = MSG_OPEN, .index = ++h->asked};
	int r;

	if (loop_clock_ns() < h->deaf_until_ns)
		return -EAGAIN;
	m.probe.family = (uint32_t)want->family;
	m.probe.type = (uint32_t)want->type;
	m.probe.protocol = (uint32_t)want->protocol;
	m.probe.fwmark = want->fwmark;
	r = msg_send(h->birth->ends.kernel, &m, -1);
	if (r >= 0)
		r = wait_for_socket(h);
	if (r == -ETIMEDOUT)
		h->deaf_until_ns = loop_clock_ns() + DEAF_NS;
	return r;
}

int health_open_socket(const struct health_socket_want *want, void *health)
{
	int fd = -1;

	if (!want->fwmark) {
		fd = socket(want->family, want->type | SOCK_CLOEXEC, want->protocol);
		if (fd < 0 && errno != EACCES && errno != EPERM)
			return -errno;
	}
	if (fd < 0)
		fd = ask_kernel(health, want);
	if (fd >= 0 && want->device &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, want->device,
		       (socklen_t)strlen(want->device)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}
