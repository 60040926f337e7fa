/* SPDX-License-Identifier: MIT */
/*
 * How libha's netlink messages reach the kernel. Every object that speaks netlink opens its own
 * socket with libmnl when it is given no transport; a host that already has netlink sockets, or
 * keeps the privileged ones in another process, supplies its own here.
 *
 * A transport never blocks and never interprets a message. Programming calls (addresses, services)
 * are synchronous: the kernel has answered when send returns, and libha waits with poll() on the
 * fd, for a bounded time, only when a host's transport is slower. Monitors are asynchronous: the
 * host polls their fd.
 */
#ifndef LIBHA_NL_TRANSPORT_H
#define LIBHA_NL_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libha/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One netlink socket. All but `join` and `close` must be set. Each gets the transport's userdata
 * first and is called by the thread that uses the object the transport was given to.
 */
struct ha_nl_transport_ops {
	size_t size; /* sizeof(struct ha_nl_transport_ops) */

	/*
	 * Sends `len` bytes, one or more whole messages, to the kernel as one datagram. 0, or
	 * -errno: -EMSGSIZE when the datagram does not fit the socket's send buffer; nothing was
	 * sent then.
	 */
	int (*send)(void *userdata, const void *buf, size_t len);

	/*
	 * Takes one datagram from the kernel into `buf` of `cap` bytes; datagrams of other senders
	 * are thrown away. Its length, or -errno: -EAGAIN when there is none now, -ENOBUFS when the
	 * kernel had to drop messages since the last call, -EMSGSIZE when it was longer than `cap`
	 * (it is lost).
	 */
	ssize_t (*recv)(void *userdata, void *buf, size_t cap);

	/* The descriptor to poll for POLLIN. Constant. */
	int (*fd)(void *userdata);

	/* The port id the kernel answers to (nl_pid of the bound socket). Constant. */
	uint32_t (*port)(void *userdata);

	/*
	 * Subscribes to a multicast group (RTNLGRP_* of linux/rtnetlink.h). 0 or -errno. NULL: the
	 * transport cannot, and a monitor refuses it with -EOPNOTSUPP.
	 */
	int (*join)(void *userdata, uint32_t group);

	/* The object is done with the transport. NULL: the host closes it itself. */
	void (*close)(void *userdata);
};

/* A transport: its functions, which must outlive the object (constant data), and their userdata. */
struct ha_nl_transport {
	const struct ha_nl_transport_ops *ops;
	void *userdata;
};

/* Default limits of the kernel's queues for one socket, in bytes; memory is used only when they
 * fill. */
#define HA_NL_RECEIVE_BYTES (4u << 20)
#define HA_NL_SEND_BYTES (1u << 20)

/* The longest datagram ha_nl_mnl_open()'s transport sends; the send buffer grows up to here. */
#define HA_NL_SEND_BYTES_MAX (256u << 20)

struct ha_nl_mnl_opts {
	size_t size;	      /* sizeof(struct ha_nl_mnl_opts) */
	size_t receive_bytes; /* SO_RCVBUF; 0: HA_NL_RECEIVE_BYTES */
	size_t send_bytes;    /* SO_SNDBUF; 0: HA_NL_SEND_BYTES */
};

/*
 * Opens the default transport: a libmnl socket of `protocol` (NETLINK_ROUTE, NETLINK_GENERIC, ...,
 * netlink(7)) in the calling thread's network namespace, close-on-exec, non-blocking. Extended
 * error texts are asked for where the kernel has them. Without CAP_NET_ADMIN the buffers end at
 * net.core.rmem_max and wmem_max. `opts` may be NULL for the defaults.
 *
 * Whoever gets the transport closes it with ret->ops->close(ret->userdata). 0 or -errno: -ENOMEM,
 * -EPROTONOSUPPORT when the kernel has no such protocol, -EINVAL, -E2BIG (unknown option), or what
 * socket() and bind() say.
 */
LIBHA_API int ha_nl_mnl_open(int protocol, const struct ha_nl_mnl_opts *opts,
			     struct ha_nl_transport *ret);

#ifdef __cplusplus
}
#endif
#endif
