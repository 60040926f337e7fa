/* SPDX-License-Identifier: MIT */
/* The table without services: which packet goes to which service. Pure. */
#ifndef LIBHA_NFT_DISPATCH_H
#define LIBHA_NFT_DISPATCH_H

#include "nft/names.h"
#include "nft/put.h"
#include "nft/sets.h"

/* What the dispatch maps tell apart; a map for each. */
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
/* A service's key in the map of its kind, as the registers hold it; its length. */
size_t nft_key(const struct ha_service_opts *s, uint8_t ret[NFT_KEY_MAX]);

/* How many rules there are that do not belong to a service: eight jumps, the dispatch, and two for each group of sets. */
#define NFT_RULES_SKELETON (8 + NFT_N_KINDS + 2 * NFT_N_GROUPS)

/* A kind's map, and its rule in the chain "dispatch"; in a table of NFPROTO_NETDEV there are no marks. */
void nft_put_dispatch_map(struct nft_ruleset *r, enum nft_kind kind);
/* A rule in `from`: all go through the chain `to`. */
void nft_put_jump(struct nft_ruleset *r, const char *from, const char *to);
/* The table and what does not belong to a service; the table must not exist. */
void nft_put_skeleton(struct nft_ruleset *r);
/* Packets for a service go to its chain; NULL: no longer. */
void nft_put_dispatch(struct nft_ruleset *r, const struct ha_service_opts *s, const char *chain);

#endif
