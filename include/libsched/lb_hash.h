/* SPDX-License-Identifier: MIT */
/*
 * Keys for hash algorithms: what goes into lb_request.key64 and lb_server_opts.key64. Pure functions; any
 * thread. A key of no bytes is allowed; then `key` may be NULL. Which algorithm wants which key is on its
 * card in docs/algorithms.md.
 */
#ifndef LIBSCHED_LB_HASH_H
#define LIBSCHED_LB_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <libsched/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Any bytes ---- */

/*
 * XXH64 (Yann Collet, doc/xxhash_spec.md of xxHash): 64 well mixed bits, the same on every machine. For the
 * algorithms that copy nobody: maglev, anchor, dx, jump. Choose a seed of your own where nobody outside may
 * aim at one server.
 */
LIBSCHED_API uint64_t lb_hash_bytes(const void *key, size_t len, uint64_t seed);

/*
 * The functions of HAProxy's `hash-type`, bit for bit: sdbm is its default; crc32 is that of zlib and nginx.
 * For source, uri, hdr, url_param, rdp-cookie and hash.
 */
LIBSCHED_API uint32_t lb_hash_sdbm(const void *key, size_t len);
LIBSCHED_API uint32_t lb_hash_djb2(const void *key, size_t len);
LIBSCHED_API uint32_t lb_hash_wt6(const void *key, size_t len);
LIBSCHED_API uint32_t lb_hash_crc32(const void *key, size_t len);

/* The modifier `avalanche` of `hash-type`: one more mixing of what such a function gave. */
LIBSCHED_API uint32_t lb_hash_avalanche(uint32_t hash);

/* ---- Addresses ---- */

/*
 * The key IPVS makes of an address and a port for sh, dh and mh (Linux net/netfilter/ipvs): the address,
 * an IPv6 one folded to 32 bits, plus the port.
 *
 * `addr` is in network byte order, addr_len 4 (IPv4) or 16 (IPv6); `port` in host byte order.
 *   request, sh and mh   the client's address; its port if the service has sh-port or mh-port, else 0
 *   request, dh          the address the client wants; 0
 *   request, source      the client's address; 0: HAProxy folds alike
 *   server, mh           the server's address and port
 * -EINVAL: addr or ret_key64 is NULL, or another length.
 */
LIBSCHED_API int lb_hash_ipvs(const void *addr, size_t addr_len, uint16_t port,
			      uint64_t *ret_key64);

/*
 * The client's address for ip_hash, as nginx sees it: the first three bytes of an IPv4 one, all of an IPv6
 * one. Parameters and errors as lb_hash_ipvs().
 */
LIBSCHED_API int lb_hash_nginx_ip(const void *addr, size_t addr_len, uint64_t *ret_key64);

/* ---- nginx's hash ---- */

/* The key of a request for nginx-hash: what the `hash` directive's text came to. len < 2^32. */
LIBSCHED_API uint64_t lb_hash_nginx(const void *key, size_t len);

/*
 * The key of a server for ketama: its name as it stands in nginx's configuration, "192.0.2.1:80", "host",
 * "unix:/path"; nginx adds no port where none is written. NUL-terminated, not NULL. Requests have
 * lb_hash_crc32() of their key.
 */
LIBSCHED_API uint64_t lb_hash_ketama_server(const char *name);

#ifdef __cplusplus
}
#endif
#endif
