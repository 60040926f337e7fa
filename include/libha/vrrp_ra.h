/* SPDX-License-Identifier: MIT */
/*
 * Router advertisements of an IPv6 virtual router (RFC 9568 section 6.4.3, RFC 4861 section 6.2),
 * without I/O: which frame, and when. An Active sends them, from the link-local virtual address and
 * with the virtual MAC address in the source link-layer address option; a Backup sends none, and
 * none that says goodbye: the hosts' default router is the virtual one, which goes on elsewhere.
 *
 *	Active, the addresses are ready	ha_vrrp_ra_start()
 *	at ha_vrrp_ra_deadline()	ha_vrrp_ra_tick(), and send the frame: ha_vrrp_link_send_frame()
 *	a router solicitation		ha_vrrp_ra_solicited()
 *	no longer Active		ha_vrrp_ra_stop()
 *
 * All routers of a virtual router must have equal options (section 8.2.3): two objects with equal
 * ones make equal frames. Times are CLOCK_MONOTONIC nanoseconds. An object belongs to one thread at
 * a time.
 */
#ifndef LIBHA_VRRP_RA_H
#define LIBHA_VRRP_RA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libha/ip.h>
#include <libha/version.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HA_VRRP_RA_MAX_PREFIXES 16
#define HA_VRRP_RA_FRAME_SIZE 598 /* the longest frame: 14 + 40 + 16 + 8 + 8 + 16 * 32 */

/* A prefix information option (RFC 4861 section 4.6.2). Zero is the default but for the prefix. */
struct ha_vrrp_ra_prefix {
	struct ha_ip prefix;  /* its first bits count */
	uint8_t len;	      /* 1..128; default 64 */
	bool off_link;	      /* L flag 0 */
	bool no_autoconf;     /* A flag 0 */
	uint32_t valid_s;     /* default 2592000 (30 days); UINT32_MAX: infinity */
	uint32_t preferred_s; /* at most valid_s; default 604800 (7 days), or valid_s */
};

/* Zero is the default of each field but address, and mac or vrid. */
struct ha_vrrp_ra_opts {
	size_t size;		/* sizeof(struct ha_vrrp_ra_opts) */
	struct ha_ip address;	/* the link-local virtual address */
	uint8_t vrid;		/* for the default of mac */
	uint8_t mac[6];		/* default: ha_vrrp_mac(AF_INET6, vrid) */
	uint8_t hop_limit;	/* for the hosts to use; default 64 */
	bool managed, other;	/* M and O flags: DHCPv6 */
	bool no_default_router; /* router lifetime 0 */
	uint16_t lifetime_s;	/* at most 9000, at least max_interval; default 3 * max_interval */
	uint32_t reachable_ms, retrans_ms; /* default 0: unspecified */
	uint32_t mtu;			   /* of the link, bytes; default 0: no MTU option */
	const struct ha_vrrp_ra_prefix *prefixes;
	size_t n_prefixes; /* at most HA_VRRP_RA_MAX_PREFIXES */

	/* Between unsolicited ones: MaxRtrAdvInterval 4..1800 s, default 600 s; MinRtrAdvInterval
	 * 3 s..0.75 * max, default a third of max, at least 3 s. */
	uint32_t max_interval_s, min_interval_s;

	uint64_t seed; /* of the intervals: another one on each router */
};

struct ha_vrrp_ra;

/* Copies everything. 0 or -errno: -EINVAL (a field out of its range), -E2BIG, -ENOMEM. */
LIBHA_API int ha_vrrp_ra_new(const struct ha_vrrp_ra_opts *o, struct ha_vrrp_ra **ret);
LIBHA_API void ha_vrrp_ra_free(struct ha_vrrp_ra *r); /* NULL is fine */

/* Active: the first one is due at once, the next two within 16 s each. Again: begins anew. */
LIBHA_API void ha_vrrp_ra_start(struct ha_vrrp_ra *r, uint64_t now_ns);

/* Not Active: nothing is due. */
LIBHA_API void ha_vrrp_ra_stop(struct ha_vrrp_ra *r);

/* When the next one is due; UINT64_MAX: none. */
LIBHA_API uint64_t ha_vrrp_ra_deadline(const struct ha_vrrp_ra *r);

/*
 * The frame that is due now, to ff02::1, into `buf` of `cap` bytes (HA_VRRP_RA_FRAME_SIZE
 * suffices): its length, which is to be sent; 0: none is due; -ENOSPC, and it is still due;
 * -EINVAL.
 */
LIBHA_API ssize_t ha_vrrp_ra_tick(struct ha_vrrp_ra *r, uint64_t now_ns, void *buf, size_t cap);

/*
 * A router solicitation came: `len` bytes of ICMPv6 with a checksum that is right, as a raw socket
 * gives them. One that is well-formed (RFC 4861 section 6.1.1) is answered to all within half a
 * second, but not within 3 s of the last one (section 6.2.6). True: an answer is due; false:
 * malformed, or not Active.
 */
LIBHA_API bool ha_vrrp_ra_solicited(struct ha_vrrp_ra *r, uint64_t now_ns,
				    const struct ha_ip *source, uint8_t hop_limit, const void *rs,
				    size_t len);

#ifdef __cplusplus
}
#endif
#endif
