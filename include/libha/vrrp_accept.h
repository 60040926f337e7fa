/* SPDX-License-Identifier: MIT */
/*
 * Accept_Mode false (RFC 9568 section 6.1): packets to a virtual address are not accepted, though
 * the kernel has it to answer ARP and neighbour discovery, and is not asked to forward them
 * (section 8.3.1).
 *
 * A table of its own in nftables (family inet, name "hawser-vrrp"), with a chain on input that
 * drops what is sent to one of the addresses, from whichever interface; neighbour solicitations and
 * advertisements pass (section 6.1). What the host sends is left alone. No other table is read or
 * written, and one of that name that somebody else made is refused. `nft list table inet
 * hawser-vrrp` shows it.
 *
 * Addresses may stand there while they are another router's: what is not local is not input. An
 * owner's (priority 255) do not belong there.
 *
 * Every call waits for the kernel. An object belongs to one thread at a time. All need
 * CAP_NET_ADMIN.
 */
#ifndef LIBHA_VRRP_ACCEPT_H
#define LIBHA_VRRP_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libha/ip.h>
#include <libha/nl_transport.h>
#include <libha/version.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HA_VRRP_ACCEPT_MAX 65536 /* the most addresses */

struct ha_vrrp_accept;

struct ha_vrrp_accept_opts {
	size_t size; /* sizeof(struct ha_vrrp_accept_opts) */
	/* As of ha_nft_opts: at most 31 of [A-Za-z0-9_.-], a letter first. NULL: "hawser-vrrp". Copied. */
	const char *table;
	/* NETLINK_NETFILTER, owned by the object from then on; NULL: an own socket. */
	const struct ha_nl_transport *transport;
	/* Of the chain, as `priority` of nft(8), when set_priority; else -1: before the filters of administrators. */
	int32_t priority;
	bool set_priority;
	bool counters;	     /* rules that drop count packets and bytes */
	uint8_t reserved[2]; /* 0 */
};

/* An address that is not accepted. */
struct ha_vrrp_refused {
	struct ha_ip ip;
	uint32_t ifindex; /* of a link-local IPv6 address: where it is; else it does not count */
};

/*
 * Opens nftables in the network namespace of the calling thread; changes nothing yet. `o` may be
 * NULL. 0 or -errno as ha_nft_open(); when it fails, a transport in `o` is left alone.
 */
LIBHA_API int ha_vrrp_accept_open(const struct ha_vrrp_accept_opts *o, struct ha_vrrp_accept **ret);

/* The table stays in the kernel. NULL is fine. */
LIBHA_API void ha_vrrp_accept_close(struct ha_vrrp_accept *a);

/*
 * These `n` addresses, and no others, are refused from now on: the table is made anew in one
 * transaction, whatever somebody else left of it; with n = 0 it is removed. One
 * that is named twice counts once. A table that is as this call left it last time, of this object or a predecessor, and is to
 * stay so, is left alone: its counters go on.
 *
 * 0 or -errno, and nothing was changed: -EEXIST (a table of this name that is not ours), -EINVAL
 * (no address, or link-local without an interface), -E2BIG (above HA_VRRP_ACCEPT_MAX), -ENOENT (the
 * kernel lacks a part of nftables), -ENOMEM, -EPERM. -ENOBUFS, -ETIMEDOUT: not known what was done.
 */
LIBHA_API int ha_vrrp_accept_set(struct ha_vrrp_accept *a, const struct ha_vrrp_refused *refused,
				 size_t n);

#ifdef __cplusplus
}
#endif
#endif
