/* SPDX-License-Identifier: MIT */
/* The connections of our destinations in the kernel's connection tracking: counted, and forgotten. */
#ifndef LIBHA_NFT_CONNTRACK_H
#define LIBHA_NFT_CONNTRACK_H

#include "nl/call.h"
#include "service/model.h"

/* Whether connections can be asked for: 0, -EOPNOTSUPP (no nf_conntrack_netlink), -EPERM, ... */
int conntrack_probe(struct nl_channel *c, struct nl_batch *b);

/*
 * Counts the connections of each destination into its stats, and the sums into those of the services. 0, or as
 * nl_query().
 */
int conntrack_count(struct nl_channel *c, struct nl_batch *b, struct ha_service_table *t);

/*
 * Forgets what would keep a client where it must not stay: flows to destinations that were in `have` and are not in
 * `want`, those of UDP or of `all` protocols; and flows of UDP that went past a service before it was there. 0, or as
 * nl_query() and nl_call().
 */
int conntrack_cut(struct nl_channel *c, struct nl_batch *b, const struct ha_service_table *want,
		  const struct ha_service_table *have, bool all);

#endif
