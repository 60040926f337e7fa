/* SPDX-License-Identifier: MIT */
/*
 * Our table as nf_tables messages (linux/netfilter/nf_tables.h), each appended to a batch. Pure. What
 * the table looks like and why: docs/decisions/nft-table.md.
 *
 *	prerouting, output   nat chains: jump dispatch
 *	postrouting          nat chain: masquerade what the sets "masquerade-…" name
 *	dispatch             by mark, by address-protocol-port, by address-protocol: to the service's chain
 *	tcp-192.0.2.1-80     a chain for each service: known clients, then a slot, or refusal; its last
 *	                     rule's comment is the service
 *	slots-…              map: number -> chain of a destination, as often as its weight says
 *	…-10.0.0.1-8080      a chain for each destination, and a counter of that name: count, dnat; the
 *	                     comment of that rule is the destination
 *	clients-…            set with timeout: the clients persistence binds to a destination
 */
#ifndef LIBHA_NFT_RULESET_H
#define LIBHA_NFT_RULESET_H

#include "nft/names.h"
#include "nft/put.h"
#include "service/plan.h"

/* What the dispatch maps tell apart; for each kind there is a map and a set of masqueraded services. */
enum nft_kind {
	NFT_KIND_MARK4,
	NFT_KIND_MARK6,
	NFT_KIND_PORT4, /* address, protocol, port */
	NFT_KIND_PORT6,
	NFT_KIND_ANY4, /* address, protocol */
	NFT_KIND_ANY6,
	NFT_N_KINDS
};

#define NFT_KEY_MAX 24 /* bytes of the longest key: IPv6 address, protocol, port */

/* The name of a kind's dispatch map. */
const char *nft_kind_map(enum nft_kind kind);
enum nft_kind nft_kind_of(const struct ha_service_opts *s);
/* A service's key in the maps of its kind, as the registers hold it; its length. */
size_t nft_key(const struct ha_service_opts *s, uint8_t ret[NFT_KEY_MAX]);
/* How many rules the chains have that do not belong to a service. */
#define NFT_RULES_JUMP 1 /* prerouting, output */
#define NFT_RULES_DISPATCH NFT_N_KINDS
#define NFT_RULES_POSTROUTING NFT_N_KINDS
/* And how many a service's chain and those of its destinations have together. */
size_t nft_service_rules(const struct ha_service *s);

/* The table and what does not belong to a service; the table must not exist. */
void nft_put_skeleton(struct nft_ruleset *r);

/* A service that is new, or gone. 0 or -ENOMEM; the batch's own error stays in the batch. */
int nft_put_add(struct nft_ruleset *r, const struct ha_service *s);
void nft_put_remove(struct nft_ruleset *r, const struct ha_service *s);
/* A service that stays: `steps` are those of the plan for it. 0 or -ENOMEM. */
int nft_put_change(struct nft_ruleset *r, const struct ha_service *s, const struct ha_service *old,
		   const struct service_step *steps, size_t n);

#endif
