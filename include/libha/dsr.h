/* SPDX-License-Identifier: MIT */
/*
 * Direct server return without IPVS: nftables sends what comes in for a service to a server's Ethernet address, before this
 * host does anything else with it, and the server answers the client itself. As ipvsadm's DR: the servers are on a link of
 * this host, have the virtual address (on lo, with arp_ignore 1 and arp_announce 2), and the service's port.
 *
 * Nothing is remembered: a packet's server follows from a hash of its client, so two load balancers with the same services
 * choose alike, a change needs no care for connections, and there is nothing to drain: a server of weight 0 loses its
 * clients. Of a packet in fragments only the first is sent on; the others end here.
 *
 * The servers' Ethernet addresses come from the host's monitor of neighbours (libha/net.h, libha/route.h): the host calls
 * ha_dsr_update() when the monitor told of neighbours or links. A server whose address is not known gets nothing until it
 * is. Somebody has to talk to it: health checks do, else ha_net_neighbour_set() with NTF_USE asks.
 *
 * All lives in one table of its own (family netdev, name "hawser-dsr"), which is replaced whole in one transaction whenever
 * something has changed; packets see the old or the new one. Calls wait for the kernel and need CAP_NET_ADMIN. An object
 * belongs to one thread at a time.
 */
#ifndef LIBHA_DSR_H
#define LIBHA_DSR_H

#include <libha/net.h>
#include <libha/nl_transport.h>
#include <libha/service.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ha_dsr;

#define HA_DSR_LINKS_MAX 32

struct ha_dsr_opts {
	size_t size; /* sizeof(struct ha_dsr_opts) */
	/* Where packets for the services come in: names of links, 1 to HA_DSR_LINKS_MAX. Copied. */
	const char *const *links;
	size_t n_links;
	/* Follows neighbours (ha_net_monitor_opts.neighbours), in the same network namespace; outlives the object. */
	struct ha_net_monitor *monitor;
	/* As ha_nft_opts.table. NULL: "hawser-dsr". Copied. */
	const char *table;
	/* As ha_nft_opts.transport. */
	const struct ha_nl_transport *transport;
};

/*
 * Whether this can express a service, and with `d` not NULL a destination in it: TCP, UDP or SCTP at an address, one port
 * or every port, forwarding DR, scheduler sh, or mh with HA_SERVICE_SLOTS. As ha_nft_check().
 */
LIBHA_API int ha_dsr_check(const struct ha_service_opts *s, const struct ha_dest_opts *d,
			   const char **ret_reason);

/* Changes nothing yet. As ha_nft_open(); -EINVAL also: no links, a name too long, no monitor. */
LIBHA_API int ha_dsr_open(const struct ha_dsr_opts *o, struct ha_dsr **ret);
/* The table stays in the kernel; ha_dsr_set() of an empty table removes it. NULL is fine. */
LIBHA_API void ha_dsr_close(struct ha_dsr *d);

/*
 * What is wanted from now on, copied, and ha_dsr_update(). -EOPNOTSUPP: ha_dsr_check() refuses a service, -EINVAL: one with
 * HA_SERVICE_SLOTS has none; then *ret_refused (may be NULL) is that service of `want`, and what was wanted before stays.
 */
LIBHA_API int ha_dsr_set(struct ha_dsr *d, const struct ha_service_table *want,
			 const struct ha_service **ret_refused);

/*
 * Brings the kernel's table to what is wanted and to what the monitor knows now: when a server's Ethernet address has
 * changed, and when anybody changed anything in nftables since; else nothing is sent but one question. Call it after the
 * monitor told of neighbours or links, and from time to time.
 *
 * 1: the table was replaced; 0: it was right. -EAGAIN: the monitor has not read everything yet; -ENOENT: a link is not
 * there, or the kernel lacks a part of nftables (nft_fwd_netdev, nft_hash); -EEXIST: somebody made the same table meanwhile;
 * -ENOMEM, -EPERM, -ENOBUFS, -errno. After an error the next call begins anew.
 */
LIBHA_API int ha_dsr_update(struct ha_dsr *d);

/* Destinations with a weight that get nothing, for their Ethernet address is not known; 0 for NULL. */
LIBHA_API size_t ha_dsr_unknown(const struct ha_dsr *d);

#ifdef __cplusplus
}
#endif
#endif
