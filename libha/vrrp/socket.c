/* SPDX-License-Identifier: MIT */
/*
 * Opening the sockets of a link, wherever the privilege for it is. The request may come from a process
 * that parses hostile bytes, so nothing but the sockets the header names can be asked for.
 */
#include <libha/vrrp_link.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sized.h"
#include "net/sockopt.h"

#define VRRP_TOS 0xc0 /* internetwork control, as keepalived sends */

struct option {
	int level, name, value;
};

static int set_options(int fd, const struct option *option, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = sockopt_int(fd, option[i].level, option[i].name, option[i].value);

		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Adverts for a group may leave from an address that the host lacks, as keepalived's do (mcast_src_ip); the kernel says no to that unless
 * the socket is a transparent one. To a peer they may not: its answers would go elsewhere.
 */
static int configure4(int fd, const struct ha_vrrp_socket *want, int ttl)
{
	const struct option option[] = {
	    {IPPROTO_IP, IP_MULTICAST_LOOP, 0}, {IPPROTO_IP, IP_MULTICAST_TTL, ttl},
	    {IPPROTO_IP, IP_TTL, ttl},		{IPPROTO_IP, IP_TOS, VRRP_TOS},
	    {IPPROTO_IP, IP_MULTICAST_ALL, 0},
	};
	struct ip_mreqn group = {.imr_ifindex = (int)want->ifindex};
	int r = set_options(fd, option, sizeof(option) / sizeof(*option));

	if (r < 0)
		return r;
	if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof(group)) < 0)
		return -errno;
	if (!want->group.family)
		return 0;
	memcpy(&group.imr_multiaddr, want->group.bytes, 4);
	if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return sockopt_int(fd, IPPROTO_IP, IP_TRANSPARENT, 1);
}

static int configure6(int fd, const struct ha_vrrp_socket *want, int hops)
{
	/* The engine makes and checks the checksum itself, so the kernel's help stays off. */
	const struct option option[] = {
	    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0},
	    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops},
	    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, hops},
	    {IPPROTO_IPV6, IPV6_TCLASS, VRRP_TOS},
	    {IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0},
	    {IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)want->ifindex},
	    {IPPROTO_IPV6, IPV6_RECVPKTINFO, 1},
	    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1},
	};
	struct ipv6_mreq group = {.ipv6mr_interface = want->ifindex};
	int r = set_options(fd, option, sizeof(option) / sizeof(*option));

	if (r < 0)
		return r;
	if (!want->group.family)
		return 0;
	memcpy(&group.ipv6mr_multiaddr, want->group.bytes, 16);
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof(group)) < 0)
		return -errno;
	return sockopt_int(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1);
}

/* Beyond the system's limit where that may be: 255 routers may all speak at the same moment. */
static int set_receive_buffer(int fd, int bytes)
{
	if (!sockopt_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes))
		return 0;
	return sockopt_int(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

static int configure(int fd, const struct ha_vrrp_socket *want)
{
	int ttl = want->ttl ? want->ttl : 255;
	int r = sockopt_bind_to_device(fd, want->ifindex);

	if (r < 0)
		return r;
	if (want->receive_buffer_bytes)
		r = set_receive_buffer(fd, (int)want->receive_buffer_bytes);
	/* Adverts must leave before everything else that waits in the queue of the interface. */
	if (!r)
		r = sockopt_int(fd, SOL_SOCKET, SO_PRIORITY, 6 /* interactive control */);
	if (r < 0)
		return r;
	return want->family == AF_INET6 ? configure6(fd, want, ttl) : configure4(fd, want, ttl);
}

/* Until the link says what it wants, and so also before the socket is bound to its interface. */
static int let_nothing_in(int fd)
{
	static struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	const struct sock_fprog program = {.len = 1, .filter = nothing};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

/* Protocol 0 receives nothing, but whoever holds the socket could bind it anew: the filter stays. */
static int open_announce(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = let_nothing_in(fd);
	if (!r)
		r = sockopt_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* Frames of one kind that arrive on one interface; the link's filter chooses among them. */
static int open_sight(const struct ha_vrrp_socket *want)
{
	const struct sockaddr_ll at = {
	    .sll_family = AF_PACKET,
	    .sll_protocol = htons(want->family == AF_INET6 ? ETH_P_IPV6 : ETH_P_ARP),
	    .sll_ifindex = (int)want->ifindex,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = let_nothing_in(fd);
	if (!r && bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static bool is_sound(const struct ha_vrrp_socket *want)
{
	if (want->kind == HA_VRRP_SOCKET_ANNOUNCE)
		return true;
	if (!want->ifindex && (want->group.family || want->kind == HA_VRRP_SOCKET_SIGHT))
		return false;
	return (want->kind == HA_VRRP_SOCKET_ADVERT || want->kind == HA_VRRP_SOCKET_SIGHT ||
		(want->kind == HA_VRRP_SOCKET_AH && want->family == AF_INET)) &&
	       want->ifindex <= INT32_MAX && want->receive_buffer_bytes <= INT32_MAX &&
	       (want->family == AF_INET || want->family == AF_INET6) &&
	       (!want->group.family || want->group.family == want->family);
}

int ha_vrrp_link_open_socket(const struct ha_vrrp_socket *want)
{
	struct ha_vrrp_socket own;
	int fd, r = sized_in(&own, sizeof(own), want);

	if (r < 0)
		return r;
	if (!is_sound(&own))
		return -EINVAL;
	if (own.kind == HA_VRRP_SOCKET_ANNOUNCE)
		return open_announce();
	if (own.kind == HA_VRRP_SOCKET_SIGHT)
		return open_sight(&own);
	fd = socket((int)own.family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    own.kind == HA_VRRP_SOCKET_AH ? IPPROTO_AH : HA_VRRP_PROTOCOL);
	if (fd < 0)
		return -errno;
	r = let_nothing_in(fd);
	if (!r)
		r = configure(fd, &own);
	if (!r && own.kind == HA_VRRP_SOCKET_AH)
		r = sockopt_int(fd, IPPROTO_IP, IP_HDRINCL, 1);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}
