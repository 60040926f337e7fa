/* SPDX-License-Identifier: MIT */
/*
 * Opening the sockets of a link, wherever the privilege for it is. The request may come from a
 * process that parses hostile bytes, so nothing but the two sockets the header names can be asked
 * for.
 */
#include <libha/bfd_link.h>

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sized.h"
#include "net/sockopt.h"

#define BFD_TOS 0xc0 /* internetwork control */
#define BFD_TTL 255  /* RFC 5881 section 5 */
#define N_PORTS (HA_BFD_SOURCE_PORT_MAX - HA_BFD_SOURCE_PORT_MIN + 1)

static uint16_t port_of(const struct ha_bfd_socket *want)
{
	return want->multihop ? HA_BFD_PORT_MULTIHOP : HA_BFD_PORT;
}

/* No address is `any`. */
static int bind_to(int fd, const struct ha_bfd_socket *want, const struct ha_ip *address,
		   uint16_t port)
{
	const struct ha_ip any = {.family = (uint8_t)want->family};
	struct sockaddr_storage at;
	ssize_t len = ha_ip_to_sockaddr(address->family ? address : &any, port, want->ifindex, &at);

	if (len < 0)
		return (int)len;
	return bind(fd, (struct sockaddr *)&at, (socklen_t)len) < 0 ? -errno : 0;
}

/* ---- receiving ---- */

static int configure_receive(int fd, const struct ha_bfd_socket *want)
{
	const struct ha_ip any = {0};
	bool six = want->family == AF_INET6;
	int r = 0;

	if (want->receive_buffer_bytes)
		r = sockopt_int(fd, SOL_SOCKET, SO_RCVBUF, (int)want->receive_buffer_bytes);
	if (!r && six)
		r = sockopt_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (!r)
		r = six ? sockopt_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1)
			: sockopt_int(fd, IPPROTO_IP, IP_RECVTTL, 1);
	/* Which of our addresses is meant tells sessions apart over several hops only. */
	if (!r && want->multihop)
		r = six ? sockopt_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
			: sockopt_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
	return r ? r : bind_to(fd, want, &any, port_of(want));
}

/* ---- sending ---- */

/* Nobody answers to the source port; what comes there all the same must not fill a buffer. */
static int refuse_all(int fd)
{
	static struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	const struct sock_fprog program = {.len = 1, .filter = nothing};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return -errno;
	return sockopt_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
}

static int bind_source(int fd, const struct ha_bfd_socket *want)
{
	uint16_t start = 0;
	int r = -EADDRINUSE;

	if (want->source_port)
		return bind_to(fd, want, &want->local, want->source_port);
	if (getrandom(&start, sizeof(start), GRND_NONBLOCK) < 0)
		start = 0; /* early at boot; the first free one does */
	for (unsigned i = 0; i < N_PORTS && r == -EADDRINUSE; i++)
		r = bind_to(fd, want, &want->local,
			    (uint16_t)(HA_BFD_SOURCE_PORT_MIN + (start + i) % N_PORTS));
	return r;
}

static int configure_send(int fd, const struct ha_bfd_socket *want)
{
	bool six = want->family == AF_INET6;
	struct sockaddr_storage to;
	ssize_t len;
	int r = refuse_all(fd);

	if (!r)
		r = six ? sockopt_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, BFD_TTL)
			: sockopt_int(fd, IPPROTO_IP, IP_TTL, BFD_TTL);
	if (!r)
		r = six ? sockopt_int(fd, IPPROTO_IPV6, IPV6_TCLASS, BFD_TOS)
			: sockopt_int(fd, IPPROTO_IP, IP_TOS, BFD_TOS);
	/* They must leave before everything else that waits in the queue of the interface. */
	if (!r)
		r = sockopt_int(fd, SOL_SOCKET, SO_PRIORITY, 6 /* interactive control */);
	if (!r)
		r = bind_source(fd, want);
	if (r < 0)
		return r;
	len = ha_ip_to_sockaddr(&want->peer, port_of(want), want->ifindex, &to);
	if (len < 0)
		return (int)len;
	return connect(fd, (struct sockaddr *)&to, (socklen_t)len) < 0 ? -errno : 0;
}

/* ---- both ---- */

static bool is_sound(const struct ha_bfd_socket *want)
{
	if ((want->family != AF_INET && want->family != AF_INET6) || want->ifindex > INT32_MAX ||
	    want->multihop > 1 || (!want->ifindex && !want->multihop))
		return false;
	if (want->kind == HA_BFD_SOCKET_RECEIVE)
		return want->receive_buffer_bytes <= INT32_MAX;
	return want->kind == HA_BFD_SOCKET_SEND && want->peer.family == want->family &&
	       (!want->local.family || want->local.family == want->family) &&
	       (!want->source_port || want->source_port >= HA_BFD_SOURCE_PORT_MIN);
}

int ha_bfd_link_open_socket(const struct ha_bfd_socket *want)
{
	struct ha_bfd_socket own;
	int fd, r = sized_in(&own, sizeof(own), want);

	if (r < 0)
		return r;
	if (!is_sound(&own))
		return -EINVAL;
	fd = socket((int)own.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	if (fd < 0)
		return -errno;
	r = sockopt_bind_to_device(fd, own.ifindex);
	if (!r)
		r = own.kind == HA_BFD_SOCKET_SEND ? configure_send(fd, &own)
						   : configure_receive(fd, &own);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}
