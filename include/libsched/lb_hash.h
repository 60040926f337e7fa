/* SPDX-License-Identifier: MIT */
/*
 * Keys for hash algorithms: what goes into lb_request.key64 and lb_server_opts.key64. Pure functions; any
 * thread.
 */
#ifndef LIBSCHED_LB_HASH_H
#define LIBSCHED_LB_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <libsched/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The key IPVS makes of an address and a port for sh, dh and mh (Linux net/netfilter/ipvs): the address,
 * an IPv6 one folded to 32 bits, plus the port.
 *
 * `addr` is in network byte order, addr_len 4 (IPv4) or 16 (IPv6); `port` in host byte order.
 *   request, sh and mh   the client's address; its port if the service has sh-port or mh-port, else 0
 *   request, dh          the address the client wants; 0
 *   server, mh           the server's address and port
 * -EINVAL: addr or ret_key64 is NULL, or another length.
 */
LIBSCHED_API int lb_hash_ipvs(const void *addr, size_t addr_len, uint16_t port,
			      uint64_t *ret_key64);

#ifdef __cplusplus
}
#endif
#endif
