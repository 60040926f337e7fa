/* SPDX-License-Identifier: MIT */
/*
 * What the process that made a small table knew of it, kept in the table itself: as the comment of a rule in a chain to which nothing jumps. A
 * successor finds that nothing is to be done. Two digests: of what was put there, and of what the kernel showed then.
 */
#ifndef LIBHA_NFT_SEAL_H
#define LIBHA_NFT_SEAL_H

#include <stdint.h>

#include "nft/put.h"

#define NFT_SEAL_CHAIN "seal" /* nft_digest_table() leaves it out */

struct nft_seal {
	uint64_t put, shown;
};

/* Into a transaction that makes the table, and into a later one. */
void nft_seal_begin(struct nft_ruleset *r);
void nft_seal_put(struct nft_ruleset *r, const struct nft_seal *s);

/* 1; 0: there is none; -errno. */
int nft_seal_read(struct nl_channel *c, struct nl_batch *b, const char *table, struct nft_seal *ret);

#endif
