/* SPDX-License-Identifier: MIT */
/*
 * The sets of all services and destinations, by group: services of marks, of a protocol's ports, of every port, each of
 * IPv4 and IPv6. Pure.
 *
 *	destinations-…	what there is: a service's key and a server's; the comment is its weight. No rule looks here
 *	counts-…	the same keys, each with a counter of the connections it was given
 *	masquerade-…	services whose clients are hidden
 *
 * Ports are apart by protocol, as nft(8) takes back a port of conntrack only in a rule that matches one protocol.
 */
#ifndef LIBHA_NFT_SETS_H
#define LIBHA_NFT_SETS_H

#include "nft/names.h"
#include "nft/put.h"

#define NFT_N_GROUPS 10
#define NFT_GROUP_KEY_MAX 40 /* bytes: IPv6 address, port, IPv6 address, port */

/* The names of a group's sets. */
const char *nft_masquerade_set(unsigned int group);
const char *nft_destinations_set(unsigned int group);
const char *nft_counts_set(unsigned int group);

/* All sets, and in the chains "counting" and "masquerading" a rule for each group. */
void nft_put_sets(struct nft_ruleset *r);

void nft_put_masquerade(struct nft_ruleset *r, const struct ha_service_opts *s, bool add);

/* Elements for destinations of one service, in one of its group's sets or out of it; end with nft_end_elements(). */
enum nft_known { NFT_DESTINATIONS, NFT_COUNTS };

struct nft_elements nft_begin_known(struct nft_ruleset *r, const struct ha_service_opts *s,
				    enum nft_known what, bool add);
void nft_put_known(struct nft_elements *e, const struct ha_service_opts *s,
		   const struct ha_dest_opts *d);

/* A key of a group as a service's key and a server's. False when it has another length. */
bool nft_read_group_key(const void *key, size_t len, unsigned int group,
			struct ha_service_opts *ret_service, struct ha_dest_opts *ret_dest);

#endif
