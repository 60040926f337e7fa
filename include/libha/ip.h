/* SPDX-License-Identifier: MIT */
/* An IPv4 or IPv6 address, as every header of libha passes it. Pure functions, any thread. */
#ifndef LIBHA_IP_H
#define LIBHA_IP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <libha/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Room for the longest text of an address and its NUL (INET6_ADDRSTRLEN). */
#define HA_IP_TEXT_SIZE 46

/*
 * An address. All zero (AF_UNSPEC) means "no address". Every function here leaves the bytes that
 * the family does not use at zero; whoever fills it by hand does the same.
 */
struct ha_ip {
	uint8_t family;	   /* AF_INET, AF_INET6, or AF_UNSPEC: none */
	uint8_t bytes[16]; /* network order; the first 4 for AF_INET */
};

/* The number of bytes of the address: 4, 16, or 0 when it is none or NULL. */
LIBHA_API size_t ha_ip_len(const struct ha_ip *ip);

/*
 * Reads the text of an address: dotted quad or RFC 4291 section 2.2, without prefix length or zone.
 * 0, or -EINVAL when it is neither, or NULL; *ret is then left alone.
 */
LIBHA_API int ha_ip_parse(const char *text, struct ha_ip *ret);

/*
 * Writes the text with its NUL into `buf` of `cap` bytes (HA_IP_TEXT_SIZE always suffices); IPv6 in
 * the form of RFC 5952. The length without the NUL, -ENOSPC when it does not fit, -EINVAL when `ip`
 * is no address.
 */
LIBHA_API ssize_t ha_ip_format(const struct ha_ip *ip, char *buf, size_t cap);

/*
 * Orders addresses: by family number, then by value as an unsigned number in network order (RFC
 * 9568 section 6.4.3 compares senders so). Below, equal to or above 0. Neither may be NULL.
 */
LIBHA_API int ha_ip_compare(const struct ha_ip *a, const struct ha_ip *b);

/*
 * Takes the address out of a sockaddr_in or sockaddr_in6 of `len` bytes. 0, -EAFNOSUPPORT for
 * another family, -EINVAL when `len` is too short for the family; *ret is then left alone.
 */
LIBHA_API int ha_ip_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct ha_ip *ret);

/*
 * Fills a sockaddr. `port` in host order; `scope_id` is the interface index of a link-local IPv6
 * address, 0 for none, unused for IPv4. The length for bind() or connect(), or -EINVAL when `ip` is
 * no address.
 */
LIBHA_API ssize_t ha_ip_to_sockaddr(const struct ha_ip *ip, uint16_t port, uint32_t scope_id,
				    struct sockaddr_storage *ret);

#ifdef __cplusplus
}
#endif
#endif
