/* SPDX-License-Identifier: MIT */
/*
 * libha over a libnl-3 socket: for hosts that make their netlink sockets with libnl, or got a struct nl_sock from
 * another part of themselves. It belongs to the side package libha-nl3 (pkg-config libha-nl3), so that libha
 * itself needs no libnl.
 */
#ifndef LIBHA_NL3_H
#define LIBHA_NL3_H

#include <libha/nl_transport.h>

#define LIBHA_NL3_API LIBHA_API

#ifdef __cplusplus
extern "C" {
#endif

struct nl_sock; /* netlink/socket.h */

/*
 * Makes a transport of a connected socket (nl_connect(3)) of the protocol that the object wants. The socket
 * stays the host's: it outlives the object, which does not close it, and until then nobody else sends,
 * receives or joins groups with it, for answers would go to the wrong one. libnl's callbacks and sequence
 * numbers play no part. Its options stay as they are: with NETLINK_EXT_ACK the kernel's error texts are told,
 * and a monitor wants a receive buffer of HA_NL_RECEIVE_BYTES (nl_socket_set_buffer_size(3)).
 *
 * 0; -EINVAL: NULL; -ENOTCONN: the socket is not connected.
 */
LIBHA_NL3_API int ha_nl3_transport(struct nl_sock *sk, struct ha_nl_transport *ret);

#ifdef __cplusplus
}
#endif
#endif
