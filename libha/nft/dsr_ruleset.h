/* SPDX-License-Identifier: MIT */
/*
 * Direct server return as nf_tables messages. Pure.
 *
 *	ingress			what comes in on the links: jump dispatch
 *	dispatch		by address, protocol and port, by address and protocol: to the service's chain
 *	tcp-192.0.2.1-80	a service: a hash of the client, into the slots
 *	slots-…			map: number -> chain of a server
 *	…-10.0.0.1-80		a server: Ethernet addresses, out of its link
 */
#ifndef LIBHA_NFT_DSR_RULESET_H
#define LIBHA_NFT_DSR_RULESET_H

#include "nft/put.h"
#include "service/model.h"

/* How a server is reached. */
struct dsr_hop {
	uint32_t ifindex; /* 0: not known */
	uint8_t from[6], to[6];
};

/* The whole table, which must not exist; `hops` are those of all destinations in the order of the table. 0 or -ENOMEM. */
int dsr_put_table(struct nft_ruleset *r, const char *const *links, size_t n_links,
		  const struct ha_service_table *t, const struct dsr_hop *hops);

#endif
