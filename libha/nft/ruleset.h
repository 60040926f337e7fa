/* SPDX-License-Identifier: MIT */
/*
 * Our table as nf_tables messages (linux/netfilter/nf_tables.h), each appended to a batch. Pure. What
 * the table looks like and why: docs/decisions/nft-table.md.
 *
 *	prerouting, output   nat chains: jump dispatch
 *	input, postrouting   nat chains, of rewritten connections: jump counting; postrouting: jump masquerading
 *	dispatch             by mark, by address-protocol-port, by address-protocol: to the service's chain
 *	tcp-192.0.2.1-80     a chain for each service: known clients, then a slot and dnat, or refusal; its last rule's
 *	                     comment is the service
 *	slots-…              map: number -> server, as often as its weight says
 *	destinations-…       sets of all destinations with their weights as comments; counts-… with counters
 *	masquerade-…         sets of services
 * and with persistence, where slots lead to chains:
 *	…-10.0.0.1-8080      a chain for each destination: remember the client, dnat
 *	clients-…            set with timeout: the clients persistence binds to a destination
 */
#ifndef LIBHA_NFT_RULESET_H
#define LIBHA_NFT_RULESET_H

#include "nft/dispatch.h"
#include "service/plan.h"

/* How many rules a service's chain and those of its destinations have together. */
size_t nft_service_rules(const struct ha_service *s);

/* A service that is new, or gone. 0 or -ENOMEM; the batch's own error stays in the batch. */
int nft_put_add(struct nft_ruleset *r, const struct ha_service *s);
void nft_put_remove(struct nft_ruleset *r, const struct ha_service *s);
/* A service that stays: `steps` are those of the plan for it. 0 or -ENOMEM. */
int nft_put_change(struct nft_ruleset *r, const struct ha_service *s, const struct ha_service *old,
		   const struct service_step *steps, size_t n);

#endif
