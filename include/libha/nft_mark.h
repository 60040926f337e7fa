/* SPDX-License-Identifier: MIT */
/*
 * Firewall marks by destination, in an nftables table of its own (family inet): one service by fwmark, of IPVS or of
 * <libha/nft.h>, then serves many addresses and ports as one, so that a client's persistence holds for all of them.
 *
 *	ha_nft_marks_open()  --->  ha_nft_marks_set(all)  ... each time others are wanted ...  set(none), close()
 *
 * Marks are set before routing and on the way out of this host, by chains of type filter. Every call waits for the
 * kernel. An object belongs to one thread at a time. CAP_NET_ADMIN is needed in the user namespace that owns the
 * network namespace.
 */
#ifndef LIBHA_NFT_MARK_H
#define LIBHA_NFT_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libha/ip.h>
#include <libha/nl_transport.h>
#include <libha/version.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HA_NFT_MARKS_MAX 65536

struct ha_nft_marks;

struct ha_nft_marks_opts {
	size_t size; /* sizeof(struct ha_nft_marks_opts) */
	/* As of ha_nft_opts: at most 31 of [A-Za-z0-9_.-], a letter first. NULL: "hawser-marks". Copied. */
	const char *table;
	/* NETLINK_NETFILTER, owned by the object from then on; NULL: an own socket. */
	const struct ha_nl_transport *transport;
	/* Of both chains, as `priority` of nft(8), when set_priority; else -150: lower ones come first, NAT of destinations is -100. */
	int32_t priority;
	bool set_priority;
	bool counters;	     /* the rules count packets and bytes that they mark */
	uint8_t reserved[2]; /* 0 */
};

/* What goes to this address, protocol (IPPROTO_TCP, ...) and port (0: any) gets this mark. */
struct ha_nft_mark {
	struct ha_ip ip;
	uint32_t mark;
	uint16_t port;
	uint8_t protocol;
};

/*
 * Opens nftables in the network namespace of the calling thread; changes nothing yet. `o` may be NULL. 0 or -errno as
 * ha_nft_open(); when it fails, a transport in `o` is left alone.
 */
LIBHA_API int ha_nft_marks_open(const struct ha_nft_marks_opts *o, struct ha_nft_marks **ret);

/* The table stays in the kernel. NULL is fine. */
LIBHA_API void ha_nft_marks_close(struct ha_nft_marks *m);

/*
 * These `n` marks, and no others, are set from now on, in one transaction; with n = 0 the table is removed. One with a port goes before
 * one without. In a table that is as this object left it only what differs is changed, and counters go on: a destination that keeps
 * its mark has it all the time; packets to one whose mark changes find that of before or of after (before Linux 6.17 perhaps none,
 * for a moment). One that a predecessor left, with these same marks, is left alone. Else, as when somebody else was at it, the table is
 * made anew: a packet may find none meanwhile.
 *
 * 0 or -errno, and nothing was changed: -EEXIST (a table of this name that is not ours, or the same destination
 * twice), -EINVAL (no address, or no protocol), -E2BIG (above HA_NFT_MARKS_MAX), -ENOENT (the kernel lacks a part of
 * nftables), -ENOMEM, -EPERM. -ENOBUFS, -ETIMEDOUT: not known what was done.
 */
LIBHA_API int ha_nft_marks_set(struct ha_nft_marks *m, const struct ha_nft_mark *marks, size_t n);

#ifdef __cplusplus
}
#endif
#endif
