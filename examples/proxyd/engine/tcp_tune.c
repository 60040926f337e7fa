/* SPDX-License-Identifier: MIT */
/* Options of TCP sockets. What a listening socket has, those that are accepted from it have as well. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

#include "tcp_tune.h"

static int set_option(int fd, int level, int name, unsigned value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

int tcp_tune(int fd, int family, const struct cfg_tcp *t)
{
	/* those that 0 sets back, and those that it does not */
	const struct {
		int level, name;
		unsigned value;
		bool stays;
	} options[] = {
	    {SOL_SOCKET, SO_RCVBUF, t->receive_buffer, true},
	    {SOL_SOCKET, SO_SNDBUF, t->send_buffer, true},
	    {IPPROTO_TCP, TCP_USER_TIMEOUT, t->user_timeout_ms, false},
	    {SOL_SOCKET, SO_KEEPALIVE, t->keepalive, false},
	    {IPPROTO_TCP, TCP_KEEPCNT, t->keep_count, true},
	    {IPPROTO_TCP, TCP_KEEPIDLE, t->keep_idle_s, true},
	    {IPPROTO_TCP, TCP_KEEPINTVL, t->keep_interval_s, true},
	    {IPPROTO_TCP, TCP_MAXSEG, t->mss, false},
	    {family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP, family == AF_INET6 ? IPV6_TRANSPARENT : IP_TRANSPARENT,
	     t->transparent, true},
	};
	const struct linger at_once = {.l_onoff = t->resets};
	int e = 0;

	for (size_t i = 0; !e && i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].value || !options[i].stays)
			e = set_option(fd, options[i].level, options[i].name, options[i].value);
	if (!e && setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) < 0)
		e = -errno;
	return e;
}
