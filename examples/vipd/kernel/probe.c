/* SPDX-License-Identifier: MIT */
/* Sockets for checks that need a capability: with a mark of the configuration, or for echo requests. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/kernel.h"
#include "log.h"

/* Only what a check of the configuration needs. */
static bool is_configured(const struct conf *c, const struct msg_probe *want)
{
	bool ping = want->protocol == IPPROTO_ICMP || want->protocol == IPPROTO_ICMPV6;

	if (want->family != AF_INET && want->family != AF_INET6)
		return false;
	if (ping ? want->type != SOCK_DGRAM
		 : want->protocol || (want->type != SOCK_STREAM && want->type != SOCK_DGRAM))
		return false;
	for (const struct conf_virtual *v = c->virtuals; v; v = v->next)
		for (const struct conf_real *r = v->reals; r; r = r->next)
			for (const struct conf_check *k = r->checks; k; k = k->next)
				if (!conf_check_is_told(k) && k->way->fwmark == want->fwmark &&
				    (k->kind == CONF_CHECK_PING) == ping)
					return true;
	return false;
}

/* An echo socket belongs to groups of ping_group_range; for others there is the raw one. */
static int open_probe(const struct msg_probe *want)
{
	int fd = socket((int)want->family, (int)want->type | SOCK_CLOEXEC, (int)want->protocol);
	int r;

	if (fd < 0 && want->protocol && (errno == EACCES || errno == EPERM))
		fd = socket((int)want->family, SOCK_RAW | SOCK_CLOEXEC, (int)want->protocol);
	if (fd < 0)
		return -errno;
	if (want->fwmark &&
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &want->fwmark, sizeof(want->fwmark)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

void probe_open_socket(struct kernel *k, const struct msg *ask)
{
	struct msg m = {.type = MSG_SOCKET, .index = ask->index};
	int fd = is_configured(k->conf, &ask->probe) ? open_probe(&ask->probe) : -EPERM;

	if (fd < 0)
		m.extra = fd;
	if (msg_send(k->birth->ends.health, &m, fd) < 0)
		log_warn("health does not listen");
	if (fd >= 0)
		close(fd);
}
